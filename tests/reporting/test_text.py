"""Figures as people read them."""

from decimal import Decimal

import pytest

from daybook.reporting.text import amounts, between, code, count, listing, money, percent, plain, seconds, unbroken


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (None, "unknown"),
        (float("nan"), "unknown"),
        (Decimal(0), "$0"),
        (Decimal("0E-12"), "$0"),
        (Decimal("1234.5"), "$1,234.50"),
        (Decimal("0.42"), "$0.42"),
        (Decimal("0.0004425"), "$0.000443"),
        (Decimal("0.000000000001"), "$0.000000000001"),
        (-0.5, "-$0.50"),
    ],
)
def test_money_shows_the_digits_that_matter(amount, text):
    """Small amounts are not rounded to nothing, and unknown is no amount."""
    assert money(amount) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"),
        (0, "0 %"),
        (1, "100 %"),
        (1 - 1e-16, "100 %"),
        (0.123, "12.3 %"),
        (-0.43753, "-43.8 %"),
        (0.0004, "0.04 %"),
        (0.00000384, "0.0004 %"),
        (0.9994, "99.9 %"),
        (0.99999, "99.999 %"),
    ],
)
def test_shares_are_per_cent(value, text):
    """What is nearly nothing or nearly all is not written as 0.00 or 100.0."""
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "unknown"), (0.0042, "4.2 ms"), (0.045, "45 ms"), (0.1, "0.10 s"), (12.34, "12.3 s")]
)
def test_durations_have_a_unit_that_fits(value, text):
    assert seconds(value) == text


def test_counts_agree_with_their_noun():
    assert [count(n, "call") for n in (None, 0, 1, 12_345)] == ["unknown", "no calls", "1 call", "12,345 calls"]


def test_an_interval_says_which_side_it_knows():
    assert between(0.1, 0.2, percent) == " (95 % interval 10.0 % to 20.0 %)"
    assert between(0.1, None, percent) == " (95 % interval: at least 10.0 %)"
    assert between(None, None, percent) == ""


def test_a_name_from_the_data_stays_a_name():
    """Backticks, line breaks and length cannot break out of the Markdown they stand in."""
    assert code("gpt-4o") == "`gpt-4o`"
    assert code("a`b\n# c") == "`a'b # c`"
    assert len(code("x" * 500)) == 82
    assert listing(["a"]) == "a"
    assert listing(["a", "b", "c"]) == "a, b and c"


def test_a_figure_stays_with_its_unit():
    """No-break spaces before % and s, and nowhere else."""
    assert unbroken("9.5 % in 2.41 s or 45 ms, 3 calls, 2 streams") == (
        "9.5\u00a0% in 2.41\u00a0s or 45\u00a0ms, 3 calls, 2 streams"
    )


def test_an_amount_is_not_taken_for_a_formula():
    """Each stands in an element of its own, escaped; in bold it has one already, in code it is none."""
    assert amounts("$5.28 to $1,007.56, -$3. **$6** `$7` **$0.000243**, $0.") == (
        r"*\$5.28* to *\$1,007.56*, *-\$3*. **\$6** `$7` **\$0.000243**, *\$0*."
    )


def test_prose_for_a_terminal_has_no_marks():
    """What JupyterLab needs around a name, an amount or a verdict is not shown where nothing renders it."""
    assert plain(amounts("**Use** `head`: **$5.28** now, -$0.04 then, or $1,000.")) == (
        "Use head: $5.28 now, -$0.04 then, or $1,000."
    )
