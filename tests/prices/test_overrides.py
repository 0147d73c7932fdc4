"""Our own rates: dated, sourced, and never changed once sealed."""

import shutil
import subprocess
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from daybook.errors import PriceError
from daybook.prices import PriceBook, overrides
from daybook.records import Usage

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "lib/daybook/prices/overrides.yml"
MILLION = Usage(input_tokens=1_000_000, output_tokens=1_000_000)

ENTRY = """
- provider: {provider}
  model: "{model}"
  from: {since}
  entered: 2026-11-01
  source: a contract
  rates: {rates}
"""


def entry(since="2026-01-01", rates='{input: "1", output: "2"}', provider="acme", model="m"):
    return ENTRY.format(since=since, rates=rates, provider=provider, model=model)


@pytest.fixture
def file(tmp_path):
    def write(*entries: str) -> Path:
        path = tmp_path / "overrides.yml"
        path.write_text("".join(entries))
        return path

    return write


def amount(path, on, model="m", **kwargs):
    return PriceBook(path).reckon(MILLION, provider="acme", model=model, on=on, **kwargs).amount


def test_the_embedded_model_costs_nothing_because_a_rate_says_so():
    """Zero, by a named rate of overrides.yml, on any day since the model is out; echo likewise."""
    for provider, model in (("local", "smollm2-135m-instruct"), ("echo", "whatever")):
        cost = PriceBook().reckon(MILLION, provider=provider, model=model, on=date(2026, 11, 20))
        assert cost.amount == Decimal(0)
        assert cost.source == "overrides.yml"
        assert cost.rate.endswith(" input 0 output 0 USD/MTok from 2024-11-01")


def test_another_model_of_the_local_provider_has_no_price():
    """Nobody has said what it costs."""
    assert PriceBook().reckon(MILLION, provider="local", model="other", on=date(2026, 11, 20)).amount is None


def test_an_ollama_model_has_a_price_only_where_an_override_says_so(file):
    """Unknown without one, 0 with one, and only for that model."""
    path = file(entry(provider="ollama", model="llama3.2:1b", rates='{input: "0", output: "0"}'))
    book, on = PriceBook(path), date(2026, 11, 20)
    assert PriceBook().reckon(MILLION, provider="ollama", model="llama3.2:1b", on=on).amount is None
    assert book.reckon(MILLION, provider="ollama", model="llama3.2:1b", on=on).amount == 0
    assert book.reckon(MILLION, provider="ollama", model="llama3.2:3b", on=on).amount is None


def test_the_rate_of_the_day_holds(file):
    """1 + 2 from January, 3 + 4 from June; before January nothing."""
    path = file(entry(), entry(since="2026-06-01", rates='{input: "3", output: "4"}'))
    assert amount(path, date(2025, 12, 31)) is None
    assert amount(path, date(2026, 1, 1)) == Decimal(3)
    assert amount(path, date(2026, 5, 31)) == Decimal(3)
    assert amount(path, date(2026, 6, 1)) == Decimal(7)


def test_a_correction_is_a_later_entry_with_the_same_day(file):
    """It replaces the first from January on, and leaves June's alone."""
    path = file(
        entry(),
        entry(since="2026-06-01", rates='{input: "3", output: "4"}'),
        entry(rates='{input: "1.5", output: "2"}'),
    )
    assert amount(path, date(2026, 2, 1)) == Decimal("3.5")
    assert amount(path, date(2026, 7, 1)) == Decimal(7)


def test_a_rate_ends_with_an_entry_without_rates(file):
    """Afterwards the published price book answers, which does not know acme."""
    path = file(entry(), entry(since="2026-06-01", rates="null"))
    assert amount(path, date(2026, 5, 31)) == Decimal(3)
    assert amount(path, date(2026, 6, 1)) is None


def test_an_override_comes_before_the_published_price(file):
    """A negotiated price for gpt-4o-mini holds from its day; the day before, the published one: 0.15 + 0.60."""
    book = PriceBook(file(entry(provider="openai", model="gpt-4o-mini", since="2026-06-01")))
    before, after = (
        book.reckon(MILLION, provider="openai", model="gpt-4o-mini", on=day)
        for day in (date(2026, 5, 31), date(2026, 6, 1))
    )
    assert (before.amount, before.source) == (Decimal("0.75"), "genai-prices 0.2.3")
    assert (after.amount, after.source) == (Decimal(3), "overrides.yml")


def test_a_model_of_its_own_comes_before_every_model(file):
    """`*` covers what has no entry, even where its day is later."""
    path = file(entry(), entry(model="*", since="2026-06-01", rates='{input: "0", output: "0"}'))
    assert amount(path, date(2026, 7, 1)) == Decimal(3)
    assert amount(path, date(2026, 7, 1), model="other") == 0


def test_batch_tiers_and_a_charge_per_call(file):
    """Each as the file says; without a batch rate a batch is unknown."""
    rates = '{input: {"0": "1", "200000": "2"}, output: "3", request: "0.5", batch: {input: "0.5", output: "1"}}'
    path = file(entry(rates=rates), entry(model="plain"))
    small = PriceBook(path).reckon(
        Usage(input_tokens=100_000, output_tokens=0), provider="acme", model="m", on=date(2026, 2, 1)
    )
    assert small.amount == Decimal("0.6")
    assert amount(path, date(2026, 2, 1)) == Decimal("5.5")
    assert amount(path, date(2026, 2, 1), batch=True) == Decimal("1.5")
    assert amount(path, date(2026, 2, 1), model="plain", batch=True) is None


def test_a_charge_per_call_can_stand_alone(file):
    """What is billed by the call, or by nothing, needs no price of tokens."""
    path = file(entry(rates='{request: "0.25"}'))
    assert PriceBook(path).reckon(Usage(), provider="acme", model="m", on=date(2026, 2, 1)).amount == Decimal("0.25")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (entry(rates="{input: 0.1, output: 0.2}"), "0.1 is not a price"),
        (entry(rates='{input: "-1", output: "2"}'), "'-1' is not a price"),
        (entry(rates='{input: "NaN", output: "2"}'), "'NaN' is not a price"),
        (entry(rates='{input: "1"}'), "needs input and output, or `request` alone"),
        (entry(rates='{output: "1", request: "1"}'), "needs input and output, or `request` alone"),
        (entry(rates="{}"), "needs input and output, or `request` alone"),
        (entry(rates='{input: "1", output: "1", ouput: "2"}'), "ouput"),
        (entry(rates='{input: {"5": "1"}, output: "2"}'), "do not begin at 0"),
        (entry(rates='{input: "1", output: "1", batch: {inptu: "2"}}'), "inptu"),
        (entry(since="soon"), "not a day"),
        (entry().replace("  source: a contract\n", ""), "source"),
        (entry().replace("a contract", '""'), "`source`"),
        ("provider: acme", "not a list"),
        ("- [", "cannot be read"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_refused(file, text, says):
    """With the entry's place and what is wrong; a price must be quoted, so that it never was a float."""
    with pytest.raises(PriceError, match=r"overrides\.yml") as refused:
        overrides.read(file(text))
    assert says in str(refused.value)


# ── the past ──────────────────────────────────────────────────────────────────────────────────────


def test_new_entries_work_before_they_are_sealed_and_sealing_only_appends(file):
    """The lock grows by one line per new entry; the lines before stay as they were."""
    path = file(entry())
    assert overrides.seal(path) == 1
    first = path.with_suffix(".lock").read_text()
    path.write_text(entry() + entry(model="n"))
    assert amount(path, date(2026, 2, 1), model="n") == Decimal(3)
    assert overrides.seal(path) == 1
    assert path.with_suffix(".lock").read_text().startswith(first)
    assert overrides.seal(path) == 0


@pytest.mark.parametrize(
    "edited",
    [
        entry(rates='{input: "9", output: "2"}') + entry(model="n"),
        entry().replace("a contract", "hearsay") + entry(model="n"),
        entry(since="2026-01-02") + entry(model="n"),
        entry(model="n") + entry(),
        entry(model="early") + entry() + entry(model="n"),
        entry(model="n"),
        entry(),
        "[]",
    ],
    ids=["rate", "source", "day", "order", "inserted", "first removed", "last removed", "emptied"],
)
def test_an_edit_of_the_past_is_refused(file, edited):
    """By reading and by sealing alike."""
    path = file(entry(), entry(model="n"))
    overrides.seal(path)
    path.write_text(edited)
    for refuse in (overrides.read, overrides.seal):
        with pytest.raises(PriceError, match="sealed"):
            refuse(path)


def test_comments_and_layout_may_change(file):
    """What is sealed is what an entry says, not how the file looks."""
    path = file(entry())
    overrides.seal(path)
    path.write_text("# a comment\n" + entry().replace('{input: "1", output: "2"}', "\n    output: '2'\n    input: '1'"))
    assert overrides.read(path).entries[0].rate.words.startswith("acme/m input 1 output 2 ")


def test_every_shipped_entry_is_sealed():
    """An entry is committed together with its line in overrides.lock (`daybook prices seal`)."""
    shipped = overrides.read(SHIPPED)
    assert overrides.sealed_digests(SHIPPED.with_suffix(".lock")) == shipped.digests


def test_the_shipped_lock_only_ever_grew():
    """In every commit that touched it, the lock is the beginning of today's: file and lock cannot be rewritten
    together unnoticed. Skipped only where the sources came without their history."""
    git = shutil.which("git")
    lock = SHIPPED.with_suffix(".lock")
    name = lock.relative_to(ROOT).as_posix()
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    commits = subprocess.run(
        [git, "-C", ROOT, "log", "--format=%H", "--", name], capture_output=True, text=True, check=True
    ).stdout.split()
    today = overrides.sealed_digests(lock)
    for commit in commits:
        shown = subprocess.run(
            [git, "-C", ROOT, "show", f"{commit}:{name}"], capture_output=True, text=True, check=False
        )
        assert shown.returncode == 0, f"{name} was removed in {commit}"
        then = tuple(shown.stdout.split())
        assert then == today[: len(then)], f"the past of {name} differs from commit {commit[:12]}"
