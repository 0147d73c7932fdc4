"""What an alias waits for: findings of runs in the book, held against limits that were stated.

    RUN:quality/triage:v3>=0.8      the value is at least so much         (<= at most)
    RUN:difference/triage:v3>=5     a difference is in points             (one below 1 is written `0.5 points`)
    RUN:difference/triage:v3=better the run's verdict in words            (better, not-worse)
    RUN                             every limit that the run itself judged: its findings `gate/…`

Judged is the value; `surely`: the whole interval. A run that did not complete and a value that is not known are no
evidence. What was judged, with its numbers, goes into the audit trail with the move, and so does a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from daybook.errors import BadParameter
from daybook.records import ModelVersion
from daybook.reporting.gates import MUST, NOT_WORSE, Gate, Measured, borderline, judge
from daybook.reporting.text import between

Rows = Callable[[str, Mapping[str, Any]], Sequence[Mapping[str, Any]]]
"""A book's `rows`: a query and its parameters → rows."""
_LIMIT = re.compile(r"(?P<run>[^\s:]+):(?P<finding>.+?)(?:(?P<end>[<>]=)(?P<limit>[^<>=]+)|=(?P<word>[a-z-]+))")
_RUN = re.compile(r"[^\s:=<>]+")
_ABOUT = re.compile(r"[a-z-]+/(?P<model>[a-z0-9][a-z0-9._-]*:v\d+)(?:\?.*)?")
_JUDGED = "gate/"
_SUBJECT = "about/"
"""What a run is about as a whole, where its findings' names do not say it: a bias audit's model."""
_OTHER = "Name a run about it."


@dataclass(frozen=True, slots=True)
class PromotionFigure:
    """One finding held against what was asked of it. `failed`: why it does not do; None where it does."""

    asked: str
    run: str
    finding: str
    value: float | None
    low: float | None
    high: float | None
    n: int | None
    failed: str | None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def check_evidence(
    rows: Rows, version: ModelVersion, asked: Sequence[str], *, surely: bool = False
) -> list[PromotionFigure]:
    """The evidence for each requirement, in their order. Raises BadParameter for one that cannot be meant: ill-written,
    of a run that the book does not have, of a finding that the run does not have, or about another version."""
    return [requirement for text in asked for requirement in _weighed(rows, version, text, surely)]


def _weighed(rows: Rows, version: ModelVersion, text: str, surely: bool) -> list[PromotionFigure]:
    stated = _LIMIT.fullmatch(text.strip())
    if stated is None and not _RUN.fullmatch(text.strip()):
        raise BadParameter(
            f"{text[:80]!r} is no requirement.",
            remedy="Write RUN:FINDING>=LIMIT, RUN:FINDING<=LIMIT, RUN:FINDING=better, or RUN for its own gates.",
        )
    run = stated["run"] if stated else text.strip()
    run_findings = _findings(rows, run)
    subjects = sorted(name.removeprefix(_SUBJECT) for name in run_findings if name.startswith(_SUBJECT))
    if subjects and version.id not in subjects:
        raise BadParameter(f"The run {run} is about {', '.join(subjects)}, not {version.id}.", remedy=_OTHER)
    unfinished = _unfinished(rows, run)
    if stated is None:
        own = [row for name, row in sorted(run_findings.items()) if name.startswith(_JUDGED)]
        if not own:
            raise BadParameter(
                f"The run {run} stated no limits of its own.",
                remedy=f"Say {run}:FINDING>=LIMIT; it has {_listed(run_findings)}.",
            )
        return [_evidence(run, run, row, unfinished or _kept(row)) for row in own]
    name = stated["finding"]
    about = _ABOUT.fullmatch(name)
    if about and about["model"] != version.id:
        raise BadParameter(f"{name} is about {about['model']}, not {version.id}.", remedy=_OTHER)
    if (row := run_findings.get(name)) is None:
        raise BadParameter(f"The run {run} has no finding {name[:60]!r}.", remedy=f"It has {_listed(run_findings)}.")
    failed = unfinished or (
        _worded(row, stated["word"]) if stated["word"] else _limited(row, stated["end"], stated["limit"], surely)
    )
    return [_evidence(text.strip(), run, row, failed)]


def _findings(rows: Rows, run: str) -> dict[str, Mapping[str, Any]]:
    """The run's findings by name, the latest of each."""
    by_name = {row["name"]: row for row in rows(_FINDINGS, {"run": run})}
    if not by_name:
        raise BadParameter(
            f"The book has no finding of a run {run[:60]!r}.", remedy="Give the id of a run that entered findings."
        )
    return by_name


_FINDINGS = "select name, value, unit, low, high, n, note from findings where run_id = :run order by time, id"


def _unfinished(rows: Rows, run: str) -> str | None:
    state = next((row["state"] for row in rows("select state from runs where id = :run", {"run": run})), None)
    return f"the run is {state}" if state not in (None, "completed", "running") else None


def _limited(row: Mapping[str, Any], end: str, limit: str, surely: bool) -> str | None:
    number = limit.strip().removesuffix("points").strip()
    try:
        at = float(number)
    except ValueError:
        raise BadParameter(f"The limit {limit[:20]!r} is no number.", remedy="Write RUN:FINDING>=0.8.") from None
    if row["unit"] == "points" and 0 < abs(at) < 1 and number == limit.strip():
        raise BadParameter(
            f"{row['name']} is in points, of which {number} is a small part of one.",
            remedy=f"For {abs(at):.0%} write {end}{100 * at:g}; if {number} is meant, '{end}{number} points'.",
        )
    gate = Gate(row["name"], at if end == ">=" else None, at if end == "<=" else None)
    measured = {gate.name: Measured(row["value"], row["low"], row["high"])}
    failed = judge([gate], measured)
    if not failed and surely:
        ends = None in (row["low"], row["high"])
        failed = [f"{gate}: its interval is not known"] if ends else borderline([gate], measured)
    return failed[0] if failed else None


def _worded(row: Mapping[str, Any], word: str) -> str | None:
    if word not in MUST:
        raise BadParameter(f"{word[:40]!r} is no verdict.", remedy=f"Say {' or '.join(MUST)}.")
    verdict = str(row["note"] or "").partition(";")[0]
    scale = 100 if row["unit"] == "points" else 1
    if verdict == "better" or (word == "not-worse" and row["low"] is not None and row["low"] > -NOT_WORSE * scale):
        return None
    ends = between(row["low"], row["high"], "{:.3g}".format)
    value = "unknown" if row["value"] is None else f"{row['value']:+.3g}{ends}"
    return f"{row['name']} must be {word}: it is {value} on {row['n']} rows, {verdict or 'without a verdict'}"


def _kept(row: Mapping[str, Any]) -> str | None:
    return None if row["value"] == 1 else f"the run's own limit is not kept, {row['note'] or row['name']}"


def _evidence(asked: str, run: str, row: Mapping[str, Any], failed: str | None) -> PromotionFigure:
    n = None if row["n"] is None else int(row["n"])
    return PromotionFigure(asked, run, row["name"], row["value"], row["low"], row["high"], n, failed)


def _listed(findings: Mapping[str, Any]) -> str:
    names = sorted(findings)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
