"""Figures as people read them."""

from decimal import Decimal

import pytest

from daybook.reporting.gates import Gate, Measured, borderline, judge
from daybook.reporting.text import (
    amounts,
    between,
    code,
    count,
    difference,
    equals,
    listing,
    money,
    p_value,
    percent,
    plain,
    points,
    ratio,
    score,
    seconds,
    unbroken,
)


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


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (p_value, 0.0495, "0.0495"),
        (p_value, 0.04996, "0.04996"),
        (p_value, 0.05, "0.050"),
        (p_value, 0.049999999, "0.049999999"),
        (p_value, 0.0499999999, "0.050"),
        (p_value, 0.0504, "0.0504"),
        (p_value, 0.0494, "0.049"),
        (p_value, 0.00996, "0.00996"),
        (p_value, 0.0996, "0.0996"),
        (p_value, 0.001, "0.001"),
        (p_value, 0.0009999, "< 0.001"),
        (p_value, 0.00104, "0.00104"),
        (p_value, 1.0, "1.000"),
        (p_value, None, "unknown"),
        (p_value, float("nan"), "unknown"),
        (equals, 0.0495, "= 0.0495"),
        (equals, 0.0004, "< 0.001"),
        (equals, 0.001, "= 0.001"),
        (ratio, 0.7996, "0.7996"),
        (ratio, 0.8, "0.800"),
        (ratio, 0.8 + 1e-16, "0.800"),
        (ratio, 0.80004, "0.80004"),
        (ratio, 0.99996, "0.99996"),
        (ratio, 0.6274, "0.627"),
        (ratio, None, "unknown"),
        (ratio, float("nan"), "unknown"),
        (points, 0.0002, "+0.02 points"),
        (points, -0.0002, "-0.02 points"),
        (points, 0.0, "+0.0 points"),
        (points, -0.0504, "-5.04 points"),
        (points, 0.0496, "+4.96 points"),
        (points, 0.05, "+5.0 points"),
        (points, 0.0123, "+1.2 points"),
        (points, None, "unknown"),
        (score, 0.004, "+0.004"),
        (score, -0.004, "-0.004"),
        (score, 0.0, "+0.00"),
        (score, 0.256, "+0.26"),
        (score, None, "unknown"),
    ],
)
def test_a_figure_stands_on_its_side_of_what_it_is_held_against(write, value, text):
    """A p of 0.0495 is below 0.05 and not 0.050; a ratio beside four fifths, points beside five and none, scores beside
    0; noise of the last bit is none."""
    assert write(value) == text


def test_a_difference_shows_on_which_side_of_zero_its_interval_ends():
    """An interval without 0 is seen to be without 0."""
    assert difference(0.042, 0.0002, 0.0749, 0.0495) == "+4.2 points (95 % interval +0.02 to +7.5), p = 0.0495"
    assert difference(None, None, None) == "unknown"


@pytest.mark.parametrize(
    ("gate", "value", "shown"),
    [
        (Gate("r", at_least=0.8), 0.79999, "0.79999"),
        (Gate("r", at_least=0.8), 0.76543, "0.7654"),
        (Gate("r", at_most=0.1), 0.100004, "0.100004"),
        (Gate("r", at_most=0.1), 0.2, "0.2"),
    ],
)
def test_a_limit_and_what_breaks_it_are_not_the_same_number(gate, value, shown):
    """`at least 0.8: it is 0.8` would be met: so many digits as it takes."""
    assert gate.shown(value) == shown
    if not gate.keeps(value):
        assert judge([gate], {"r": Measured(value)}) == [f"{gate}: it is {shown}"]


def test_a_limit_that_the_interval_breaks_by_little_says_by_how_much():
    """Met by the value; the end that breaks it is shown on its side."""
    (line,) = borderline([Gate("r", at_least=0.8)], {"r": Measured(0.80001, 0.79999, 0.9)})
    assert line == "r at least 0.8: met by 0.8, but its interval reaches 0.79999"


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
