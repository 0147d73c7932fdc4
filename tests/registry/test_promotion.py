"""What an alias waits for, on DuckDB and on Postgres."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book
from daybook.clock import new_id
from daybook.errors import BadParameter, GateNotMet
from daybook.records import Finding, Run
from daybook.registry.registry import Registry

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def book(tmp_path: Path, book_url: str) -> Iterator[Book]:
    with Book(book_url, tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def registry(book: Book) -> Registry:
    """Three versions of `triage`; the champion is v1."""
    made = Registry(book)
    for _ in range(3):
        made.register("triage", method="head", provider="head", actor="ada")
    made.alias("triage", "champion", 1, actor="ada")
    return made


@pytest.fixture
def found(book: Book) -> Callable[..., None]:
    """Enters what a run found: name → (value, low, high, note)."""

    def enter(run: str, state: str = "completed", unit: str = "share", **findings: Any) -> None:
        book.append(
            Run(id=run, notebook="evaluation", logical_date=date(2026, 11, 24), state=state, started_at=NOW)  # type: ignore[arg-type] # one of its words
        )
        for name, (value, low, high, note) in findings.items():
            book.append(
                Finding(
                    id=new_id(), run_id=run, at=NOW, name=name, value=value, unit=unit, low=low, high=high, n=400,
                    note=note,
                )
            )  # fmt: skip

    return enter


QUALITY = {
    "quality/triage:v3": (0.84, 0.80, 0.87, "rows"),
    "difference/triage:v3": (0.04, -0.01, 0.09, "cannot tell; p"),
}


def refused(book: Book) -> list[Any]:
    return book.rows("select details from events where action = 'model.alias_refused' order by time, id")


def test_evidence_moves_the_alias_and_is_kept_with_the_move(
    registry: Registry, book: Book, found: Callable[..., None]
) -> None:
    """The finding keeps the limit: the alias moves, and the audit trail has the run, the value and its interval."""
    found("run-1", **QUALITY)
    registry.alias("triage", "champion", 3, actor="bob", require=["run-1:quality/triage:v3>=0.8"])
    assert registry.aliases("triage") == {"champion": 3}
    (row,) = book.rows("select details from events where action = 'model.alias' and actor = 'bob'")
    (one,) = row["details"]["required"]
    assert (one["run"], one["value"], one["low"], one["n"], one["failed"]) == ("run-1", 0.84, 0.80, 400, None)
    assert refused(book) == []


@pytest.mark.parametrize(
    ("require", "told"),
    [
        ("run-1:quality/triage:v3>=0.9", r"quality/triage:v3 at least 0.9: it is 0.84 \(0.8 to 0.87\)"),
        ("run-1:quality/triage:v3<=0.5", "at most 0.5: it is 0.84"),
        (
            "run-1:difference/triage:v3=better",
            r"must be better: it is \+0.04 \(95 % interval -0.01 to 0.09\) on 400 rows, cannot",
        ),
        ("run-1:unknown>=0", "could not be measured"),
        ("run-2:ratio>=0.1", "the run is failed"),
        ("run-3", "own limit is not kept, ratio at least 0.8: 0.36"),
    ],
)
def test_what_is_not_met_moves_nothing_and_is_on_record(
    registry: Registry, book: Book, found: Callable[..., None], require: str, told: str
) -> None:
    """Exit code 3 with the numbers; the alias and its history stay; the refusal is in the audit trail."""
    found("run-1", **QUALITY, unknown=(None, None, None, None))
    found("run-2", state="failed", ratio=(0.9, None, None, None))
    found("run-3", **{"gate/ratio": (0.0, None, None, "ratio at least 0.8: 0.36"), "gate/odds": (1.0, None, None, "")})
    with pytest.raises(GateNotMet, match=told) as raised:
        registry.alias("triage", "champion", 3, actor="bob", require=[require])
    assert (raised.value.exit_code, "at v1" in raised.value.remedy) == (3, True)
    assert [move.version for move in registry.history("triage")] == [1]
    (row,) = refused(book)
    assert [one["failed"] for one in row["details"]["required"] if one["failed"]] != []


def test_not_worse_is_met_where_a_loss_of_five_points_is_ruled_out(
    registry: Registry, found: Callable[..., None]
) -> None:
    """A difference that cannot be told passes `not-worse` by its interval, in shares and in points alike."""
    found("run-1", **QUALITY)
    found(
        "run-2", unit="points", accuracy_difference=(-1.0, -4.0, 2.0, "cannot tell"), loss=(-1.0, -6.0, 2.0, "cannot")
    )
    require = ["run-1:difference/triage:v3=not-worse", "run-2:accuracy_difference=not-worse"]
    assert registry.alias("triage", "champion", 3, actor="bob", require=require).version == 3
    with pytest.raises(GateNotMet, match="1 of 2 requirements"):
        registry.alias("triage", "champion", 2, actor="bob", require=[require[1], "run-2:loss=not-worse"])


def test_surely_means_the_whole_interval(registry: Registry, found: Callable[..., None]) -> None:
    """A value that keeps the limit with an interval that does not, or with none, is no sure evidence."""
    found("run-1", **QUALITY, plain=(0.9, None, None, None))
    for require, told in {"quality/triage:v3>=0.82": "its interval reaches 0.8", "plain>=0.5": "not known"}.items():
        with pytest.raises(GateNotMet, match=told):
            registry.alias("triage", "champion", 3, actor="bob", require=[f"run-1:{require}"], surely=True)
    registry.alias("triage", "champion", 3, actor="bob", require=["run-1:quality/triage:v3>=0.79"], surely=True)


def test_what_cannot_be_meant_is_refused_with_what_there_is(
    registry: Registry, book: Book, found: Callable[..., None]
) -> None:
    """An unknown run or finding, another version's evidence, a run without limits of its own, an ill-written one."""
    found("run-1", **QUALITY)
    for require, told in {
        "run-9:quality>=1": "no finding of a run 'run-9'",
        "run-1:speed>=1": "has no finding 'speed'. It has difference/triage:v3, quality/triage:v3",
        "run-1": "stated no limits of its own",
        "run-1:quality/triage:v3>=high": "'high' is no number",
        "run-1:quality/triage:v3=great": "'great' is no verdict",
        "run 1 >= 3": "is no requirement",
    }.items():
        with pytest.raises(BadParameter, match=told):
            registry.alias("triage", "champion", 3, actor="bob", require=[require])
    with pytest.raises(BadParameter, match="is about triage:v3, not triage:v2"):
        registry.alias("triage", "champion", 2, actor="bob", require=["run-1:quality/triage:v3>=0.8"])
    assert registry.aliases("triage") == {"champion": 1}
    assert refused(book) == []


def test_a_run_about_another_model_is_no_evidence(registry, found):
    """A bias audit says whom it is about; it lets nobody else through."""
    found("b1", **{"gate/pairs: preference": (1.0, None, None, "kept"), "about/triage:v2": (1.0, None, None, None)})
    with pytest.raises(BadParameter, match=r"The run b1 is about triage:v2, not triage:v3\."):
        registry.alias("triage", "champion", 3, actor="ada", require=["b1"])
    registry.alias("triage", "champion", 2, actor="ada", require=["b1"])
    assert registry.aliases("triage")["champion"] == 2


@pytest.mark.parametrize(
    ("unit", "low", "moved"),
    [
        ("share", -0.05, False),
        ("share", -0.0499, True),
        ("share", 0.01, True),
        ("share", -0.099, False),
        ("points", -5.0, False),
        ("points", -4.99, True),
        ("points", -9.9, False),
        ("share", None, False),
    ],
)
def test_not_worse_loses_less_than_five_points_and_not_five(registry, found, unit, low, moved):
    """At the limit it may be five points worse: that is not ruled out. Ten are ten too many, in either unit."""
    high = None if low is None else 0.2
    found("run-1", unit=unit, **{"difference/triage:v3": (0.0, low, high, "cannot tell; p")})
    require = ["run-1:difference/triage:v3=not-worse"]
    if moved:
        registry.alias("triage", "champion", 3, actor="bob", require=require)
    else:
        with pytest.raises(GateNotMet, match="must be not-worse"):
            registry.alias("triage", "champion", 3, actor="bob", require=require)
    assert registry.aliases("triage") == {"champion": 3 if moved else 1}


@pytest.mark.parametrize(
    ("asked", "surely", "moved"),
    [
        (">=0.84", False, True),
        (">=0.8401", False, False),
        ("<=0.84", False, True),
        ("<=0.8399", False, False),
        (">=0.8", True, True),
        (">=0.8001", True, False),
        ("<=0.87", True, True),
        ("<=0.8699", True, False),
    ],
)
def test_a_limit_is_kept_at_the_limit_and_not_beyond(registry, found, asked, surely, moved):
    """The value 0.84 (0.80 to 0.87): by itself, and with `surely` by the whole interval."""
    found("run-1", **QUALITY)
    require = [f"run-1:quality/triage:v3{asked}"]
    if moved:
        registry.alias("triage", "champion", 3, actor="bob", require=require, surely=surely)
    else:
        with pytest.raises(GateNotMet):
            registry.alias("triage", "champion", 3, actor="bob", require=require, surely=surely)
    assert registry.aliases("triage") == {"champion": 3 if moved else 1}


def test_the_evidence_has_every_field_of_the_finding(registry, book, found):
    """What was asked, of which run and finding, its value, interval and n, and that it was kept."""
    found("run-1", **QUALITY)
    registry.alias("triage", "champion", 3, actor="bob", require=[" run-1:quality/triage:v3>=0.8 "])
    (row,) = book.rows("select details from events where action = 'model.alias' and actor = 'bob'")
    assert row["details"]["required"] == [
        {"asked": "run-1:quality/triage:v3>=0.8", "run": "run-1", "finding": "quality/triage:v3", "value": 0.84,
         "low": 0.8, "high": 0.87, "n": 400, "failed": None},
    ]  # fmt: skip
    assert (row["details"]["version"], row["details"]["previous"]) == (3, 1)


@pytest.mark.parametrize("state", ["completed", "running"])
def test_a_run_that_goes_on_or_is_over_is_evidence(registry, found, state):
    """Its findings are in the book; only one that failed is none."""
    found("run-1", state=state, **QUALITY)
    registry.alias("triage", "champion", 3, actor="bob", require=["run-1:quality/triage:v3>=0.8"])
    assert registry.aliases("triage") == {"champion": 3}


def test_better_is_the_verdict_that_the_run_gave(registry, found):
    """Its first word, whatever the figures are; worse, and no verdict, are refused with what it says."""
    found("run-1", **{"difference/triage:v3": (0.04, 0.01, 0.09, "better; McNemar")})
    found("run-2", **{"difference/triage:v3": (-0.2, -0.3, -0.1, "worse; McNemar")})
    found("run-3", **{"difference/triage:v3": (None, None, None, None)})
    with pytest.raises(
        GateNotMet, match=r"must be better: it is -0\.2 \(95 % interval -0\.3 to -0\.1\) on 400 rows, worse"
    ):
        registry.alias("triage", "champion", 3, actor="bob", require=["run-2:difference/triage:v3=better"])
    with pytest.raises(GateNotMet, match=r"must be better: it is unknown on 400 rows, without a verdict"):
        registry.alias("triage", "champion", 3, actor="bob", require=["run-3:difference/triage:v3=better"])
    found("run-4", **{"difference/triage:v3": (0.0, -0.2, None, "cannot tell")})
    with pytest.raises(GateNotMet, match=r"it is \+0 \(95 % interval: at least -0\.2\) on 400 rows, cannot tell"):
        registry.alias("triage", "champion", 3, actor="bob", require=["run-4:difference/triage:v3=not-worse"])
    registry.alias("triage", "champion", 3, actor="bob", require=["run-1:difference/triage:v3=better"])
    assert registry.aliases("triage") == {"champion": 3}


@pytest.mark.parametrize(
    ("limit", "moved"),
    [("3.9", True), ("4", True), ("4.1", False), ("0.5 points", True), ("5points", False), ("0", True)],
)
def test_a_limit_on_points_is_in_points(registry, found, limit, moved):
    """Four points are four; less than one of them is only meant where it says so."""
    found("run-p", unit="points", gain=(4.0, 1.0, 7.0, "better"))
    if moved:
        registry.alias("triage", "champion", 3, actor="ada", require=[f"run-p:gain>={limit}"])
        return
    with pytest.raises(GateNotMet, match="gain at least"):
        registry.alias("triage", "champion", 3, actor="ada", require=[f"run-p:gain>={limit}"])


@pytest.mark.parametrize("limit", ["0.05", "-0.05", "0.99"])
def test_a_share_asked_of_points_is_refused(registry, found, limit):
    """Five hundredths of a point would let nearly anything pass: the five points that are meant are named."""
    found("run-p", unit="points", gain=(0.1, -2.0, 2.0, "cannot tell"))
    with pytest.raises(BadParameter, match=r"gain is in points.*write >=(5|-5|99)"):
        registry.alias("triage", "champion", 3, actor="ada", require=[f"run-p:gain>={limit}"])
    found("run-s", gain=(0.1, -2.0, 2.0, "cannot tell"))
    registry.alias("triage", "champion", 3, actor="ada", require=["run-s:gain>=0.05"])
