"""Whether a judge may be believed: its verdicts held against people's on the same answers.

    {"id": 1, "input": "…", "prediction": "…", "human": 5, "verdict": "Fine.\\nVerdict: 4"}

People mark 1 to 5, or pass and fail (1 and 0, yes and no, …). The verdict is the judge's whole reply,
or its mark. Where people only passed and failed, a judge's mark passes from 4 on. Agreement beyond chance is Cohen's
kappa; for marks also the weighted one, to which a near miss is half a hit. A reply that holds no verdict is counted and
left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from daybook.datasets import files
from daybook.datasets.rows import some
from daybook.errors import BadData, GateNotMet
from daybook.evaluation.predictions import NAMES
from daybook.reporting.findings import finding
from daybook.reporting.tables import TableRow, table, to_records
from daybook.reporting.text import between, code, count, percent, unbroken
from daybook.scoring import judge
from daybook.stats.agreement import kappa
from daybook.stats.estimate import Estimate, proportion
from daybook.stats.paired import Difference, paired

if TYPE_CHECKING:
    import pandas as pd

HUMAN = ("human", "human_verdict", "gold", "label", "rating")
VERDICT = ("verdict", "judge", "judgement", "judgment")
PASSES = 0.75
"""What a mark has to be where people only passed and failed: 4 of 5."""
FEW = 30
"""Judged answers below which a kappa is only a hint."""
_WORDS = {"pass": 1.0, "yes": 1.0, "true": 1.0, "correct": 1.0, "good": 1.0} | {
    "fail": 0.0,
    "no": 0.0,
    "false": 0.0,
    "incorrect": 0.0,
    "bad": 0.0,
}
Ask = Callable[[Sequence[Sequence[Mapping[str, str]]]], Sequence[str | None]]
"""Conversations → the judge's replies, None where there was none."""


@dataclass(frozen=True)
class Calibration:
    """Verdicts between 0 and 1 on the same answers; those that hold none are counted in `unread`."""

    name: str
    human: Sequence[float]
    judged: Sequence[float]
    unread: int = 0
    binary: bool = False
    """People passed and failed."""

    @cached_property
    def kappa(self) -> Estimate:
        """Agreement beyond chance; None where all verdicts are the same, or there are too few."""
        return kappa(self.human, self.judged)

    @cached_property
    def weighted(self) -> Estimate | None:
        """The same with near misses counting in part; None where there are only two verdicts."""
        return None if self.binary else kappa(self.human, self.judged, weighted=True)

    @cached_property
    def agreement(self) -> Estimate:
        same = sum(a == b for a, b in zip(self.human, self.judged, strict=True))
        return proportion(same, len(self.human))

    @cached_property
    def lenience(self) -> Difference:
        """How much higher the judge marks than people do."""
        return paired(self.human, self.judged, bounds=(0, 1))

    @cached_property
    def table(self) -> pd.DataFrame:
        """Answers by people's verdict (a row each) and the judge's (a column each)."""
        marks = sorted({*self.human, *self.judged})
        counts = [
            [sum(h == a and j == b for h, j in zip(self.human, self.judged, strict=True)) for b in marks] for a in marks
        ]
        shown = [self._shown(mark) for mark in marks]
        rows = [[f"people: {name}", *row] for name, row in zip(shown, counts, strict=True)]
        return table(["", *(f"judge: {name}" for name in shown)], rows)

    def _shown(self, mark: float) -> str:
        if self.binary:
            return "pass" if mark else "fail"
        return f"{mark * 4 + 1:g}"

    @property
    def prose(self) -> str:
        n = len(self.human)
        sentences = [
            f"{code(self.name)} and people judged {count(n, 'answer')} alike in {percent(self.agreement.value)}"
        ]
        sentences[0] += f"{between(self.agreement.low, self.agreement.high, percent)}."
        k = self.kappa
        if k.value is None:
            sentences.append("Agreement beyond chance cannot be told: all verdicts are the same, or there are too few.")
        else:
            sentences.append(f"Beyond chance: kappa **{k.value:.2f}**{between(k.low, k.high, lambda v: f'{v:.2f}')}.")
        if (w := self.weighted) is not None and w.value is not None:
            sentences.append(f"With near misses in part: {w.value:.2f}{between(w.low, w.high, lambda v: f'{v:.2f}')}.")
        d = self.lenience
        if d.verdict != "cannot tell" and d.value is not None:
            sentences.append(
                f"It is {'kinder' if d.value > 0 else 'stricter'} than people, by {abs(d.value):.2f} of 1."
            )
        if self.unread:
            sentences.append(f"{count(self.unread, 'reply', 'replies')} held no verdict and are left out.")
        if n < FEW:
            sentences.append(f"So few answers give a hint, not a measurement: judge {FEW} or more.")
        return unbroken(" ".join(sentences))

    def _repr_markdown_(self) -> str:
        return self.prose

    def require(self, at_least: float) -> None:
        """Raises GateNotMet unless kappa is that high."""
        k = self.kappa
        if k.value is None or k.value < at_least:
            shown = "unknown" if k.value is None else f"{k.value:.3f}"
            raise GateNotMet(
                f"The kappa of {self.name} with people is {shown} on {len(self.human)} answers; the gate is "
                f"{at_least:g}.",
                remedy="Do not let it judge alone: mend the rubric or take another judge.",
            )

    def findings(self) -> list[TableRow]:
        """What a run enters into the book."""
        n = len(self.human)
        a, k = self.agreement, self.kappa
        return [
            finding(f"agreement/{self.name}", a.value, "share", a.low, a.high, n=n),
            finding(f"kappa/{self.name}", k.value, "kappa", k.low, k.high, n=n),
            finding(f"unread/{self.name}", self.unread, "replies", n=n + self.unread),
        ]

    def to_dict(self) -> dict[str, Any]:
        def figures(estimate: Estimate | None) -> TableRow | None:
            return None if estimate is None else {"value": estimate.value, "low": estimate.low, "high": estimate.high}

        return {
            "judge": self.name,
            "n": len(self.human),
            "unread": self.unread,
            "scale": "pass or fail" if self.binary else "1 to 5",
            "kappa": figures(self.kappa),
            "weighted_kappa": figures(self.weighted),
            "agreement": figures(self.agreement),
            "lenience": {"value": self.lenience.value, "low": self.lenience.low, "high": self.lenience.high},
            "table": to_records(self.table),
        }


def read(path: Path, *, ask: Ask | None = None, name: str | None = None, rubric: str = judge.RUBRIC) -> Calibration:
    """The verdicts of a file; with `ask`, those that the judge gives now on its answers. Raises BadData with the rows
    that cannot be meant."""
    records = files.read(path)
    there = set().union(*(record.values for record in records))
    human = _column(path, there, HUMAN)
    given = [record.values.get(human) for record in records]
    people, binary = _people(path, human, records, given)
    if ask is None:
        column = _column(path, there, VERDICT)
        replies = [record.values.get(column) for record in records]
    else:
        _column(path, there, ("input",))
        answer = _column(path, there, NAMES)
        asked = [
            judge.messages(rubric, str(v.get("input") or ""), str(v.get(answer) or ""), _text(v.get("reference")))
            for v in (record.values for record in records)
        ]
        replies = list(ask(asked))
    verdicts = _verdicts(replies, binary)
    known = [(a, b) for a, b in zip(people, verdicts, strict=True) if b is not None]
    judged = [float(b >= PASSES) if binary else b for _, b in known]
    return Calibration(name or path.stem, [a for a, _ in known], judged, len(records) - len(known), binary)


def _column(path: Path, there: set[str], names: Sequence[str]) -> str:
    for name in names:
        if name in there:
            return name
    raise BadData(
        f"{path} has no column {names[0]}; it has {some(sorted(there), 20)}.", remedy=f"Name it {' or '.join(names)}."
    )


def _text(value: Any) -> str | None:
    return None if value in (None, "") else str(value)


def _people(path: Path, column: str, records: Sequence[files.Record], given: Sequence[Any]) -> tuple[list[float], bool]:
    """People's verdicts between 0 and 1, and whether they only passed and failed."""
    verdicts = [_verdict_of(value) for value in given]
    binary = all(verdict is not None and (verdict.sure or verdict.value in (0, 1)) for verdict in verdicts)
    wanted = (0.0, 1.0) if binary else (1.0, 2.0, 3.0, 4.0, 5.0)
    if bad := [
        r.at
        for r, verdict in zip(records, verdicts, strict=True)
        if verdict is None or verdict.value not in wanted or verdict.sure > binary
    ]:
        raise BadData(
            f"{len(bad)} of {len(records)} verdicts in the column {column} of {path} cannot be read: rows {some(bad)}.",
            remedy="Write whole marks from 1 to 5 everywhere, or pass and fail (1 and 0) everywhere.",
        )
    values = [verdict.value for verdict in verdicts if verdict is not None]
    return (values if binary else [(value - 1) / 4 for value in values]), binary


def _verdicts(replies: Sequence[Any], binary: bool) -> list[float | None]:
    """A judge's verdicts between 0 and 1. Bare numbers are 0 and 1 where people's are and none is larger."""
    verdicts = [_verdict_of(reply) for reply in replies]
    of_one = binary and all(verdict is None or verdict.sure or verdict.value <= 1 for verdict in verdicts)
    values: list[float | None] = []
    for verdict in verdicts:
        if verdict is None or verdict.sure:
            values.append(None if verdict is None else verdict.value)
        elif of_one:
            values.append(verdict.value if verdict.value in (0, 1) else None)
        else:
            values.append((verdict.value - 1) / 4 if verdict.value in (1, 2, 3, 4, 5) else None)
    return values


class _Verdict(NamedTuple):
    value: float
    sure: bool
    """A verdict between 0 and 1; otherwise a bare number, of whichever scale."""


def _verdict_of(value: Any) -> _Verdict | None:
    if isinstance(value, bool):
        return _Verdict(float(value), sure=True)
    if isinstance(value, str):
        if (word := _WORDS.get(value.strip().lower())) is not None:
            return _Verdict(word, sure=True)
        if (mark := judge.parse(value)) is not None:
            return _Verdict(mark, sure=True)
        try:
            return _Verdict(float(value), sure=False)
        except ValueError:
            return None
    return _Verdict(float(value), sure=False) if isinstance(value, (int, float)) and value == value else None
