"""Several audits under limits that were stated beforehand: what a promotion waits for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from daybook.bias.counterfactual.report import CounterfactualAudit
from daybook.bias.decisions.report import DecisionAudit
from daybook.bias.pairs.report import PairAudit
from daybook.bias.questions.report import QuestionAudit
from daybook.reporting import findings, gates
from daybook.reporting.findings import finding
from daybook.reporting.gates import Gate, Measured, borderline, judge
from daybook.reporting.result import Result, Table
from daybook.reporting.tables import Column, TableRow
from daybook.reporting.text import count

State = Literal["met", "not met", "not checked"]

_UNCOVERED = {
    "decisions": "groups and columns that the table does not hold, and why rates differ",
    "pairs": "sentences and kinds beyond the set, other languages, and what the model says when asked",
    "questions": "situations beyond the templates, and answers longer than a choice",
    "counterfactual": "prompts, words for people and languages beyond these, and long conversations",
}


@dataclass(frozen=True)
class Skipped(Result):
    """An audit that was not asked for: its section is one line, and limits on it are not stated."""

    word: str

    subject_word = "bias-skipped"
    subject = None

    @property
    def tables(self) -> Mapping[str, Table]:
        return {}

    @property
    def prose(self) -> str:
        return "Not asked for."

    def measured(self) -> dict[str, Measured]:
        return {}

    def findings(self) -> list[TableRow]:
        return []

    def to_dict(self) -> dict[str, Any]:
        return {}


Audit = DecisionAudit | PairAudit | QuestionAudit | CounterfactualAudit | Skipped


@dataclass(frozen=True)
class BiasVerdict(Result):
    audits: Mapping[str, Audit]
    gates: tuple[Gate, ...]

    subject_word = "bias-verdict"

    @property
    def measured(self) -> dict[str, Measured]:
        return {
            f"{word}: {name}": value for word, audit in self.audits.items() for name, value in audit.measured().items()
        }

    @property
    def not_checked(self) -> list[Gate]:
        """Limits on what could not be measured: they are not kept, and not broken either."""
        return [gate for gate in self.gates if self._state(gate) == "not checked"]

    @property
    def not_met(self) -> list[str]:
        """A sentence for each limit that was measured and is not kept."""
        return judge([gate for gate in self.gates if self._state(gate) == "not met"], self.measured)

    @property
    def passed(self) -> bool:
        """Every stated limit was checked and is kept."""
        return not self.not_met and not self.not_checked

    def _state(self, gate: Gate) -> State:
        value = self.measured.get(gate.name, Measured(None)).value
        return "not checked" if value is None else "met" if gate.keeps(value) else "not met"

    @property
    def verdict(self) -> tuple[State, str]:
        """`not met` where a limit is not kept; `not checked` where none is, but not all could be checked, or none was
        stated; and the count of each in words."""
        n, failed, unchecked = len(self.gates), len(self.not_met), len(self.not_checked)
        if not n:
            return "not checked", "No limit was stated."
        counts = {"not kept": failed, "not checked": unchecked, "kept": n - failed - unchecked}
        parts = [f"{k} {'is' if k == 1 else 'are'} {state}" for state, k in counts.items() if k]
        text = f"Of {count(n, 'limit')}, {', '.join(parts)}."
        return "not met" if failed else "not checked" if unchecked else "met", text

    @property
    def prose(self) -> str:
        lines = [f"- not met: {line}" for line in self.not_met]
        lines += [f"- not checked: {gate}" for gate in self.not_checked]
        lines += [f"- met, not surely: {line}" for line in borderline(self.gates, self.measured)]
        return "\n".join([f"**{self.verdict[1]}**", "", *lines, "", self.uncovered])

    @property
    def uncovered(self) -> str:
        """What nothing here says anything about."""
        left = [f"{word}: {text}" for word, text in _UNCOVERED.items() if word in self.audits]
        left += [f"{word}: not measured at all" for word in _UNCOVERED if word not in self.audits]
        return "Not covered: " + "; ".join(left) + "."

    @property
    def tables(self) -> Mapping[str, Table]:
        measured = [self.measured.get(gate.name, Measured(None)) for gate in self.gates]
        rows = [
            (str(gate), self._state(gate), None if m.value is None else gate.shown(m.value), m.low, m.high)
            for gate, m in zip(self.gates, measured, strict=True)
        ]
        frame = pd.DataFrame(rows, columns=["limit", "state", "value", "low", "high"])
        columns = [
            Column("limit", "limit"),
            Column("state", "state"),
            Column("value", "it is"),
            Column("low", "from", "figure"),
            Column("high", "to", "figure"),
        ]
        return {"limits": Table("Limits stated beforehand", columns, frame)}

    def require(self, must: bool = True, /) -> None:
        """Raises GateNotMet where a limit is not kept and `must` is true."""
        if must:
            gates.require(self.gates, self.measured)

    def findings(self) -> list[TableRow]:
        """The verdict; what each audit concludes; for each limit `gate/…`, 1 where it is kept, unknown where it was not
        checked; and `about/…`, the models it is about."""
        rows = [findings.verdict(*self.verdict)]
        rows += [row for audit in self.audits.values() for row in audit.findings()]
        for gate in self.gates:
            value = self.measured.get(gate.name, Measured(None))
            kept = None if value.value is None else float(gate.keeps(value.value))
            rows.append(finding(f"gate/{gate.name}", kept, "met", note=gate.judge(value)))
        about = {audit.subject for audit in self.audits.values()}
        return rows + [finding(f"about/{model}", 1.0, "measured") for model in sorted(filter(None, about))]

    def contract(self) -> str:
        """The findings that are the same on every machine: decisions, and how much was asked. A model's arithmetic
        differs in the last bit from one processor to the next, and with it now and then a word."""
        same = ("decisions/", "gate/decisions", "questions/n", "counterfactual/answers")
        return findings.summary([row for row in self.findings() if str(row["name"]).startswith(same)])


def limits(
    *,
    min_ratio: float | None = None,
    max_odds: float | None = None,
    max_preference: float | None = None,
    max_bias: float | None = None,
    max_effects: int | None = None,
) -> tuple[Gate, ...]:
    """The gates of a promotion; None states no limit."""
    stated = [
        ("decisions: ratio", min_ratio, None),
        ("decisions: equalised_odds", None, max_odds),
        ("pairs: preference", None, max_preference),
        ("questions: ambiguous bias", None, max_bias),
        ("questions: disambiguated bias", None, max_bias),
        ("counterfactual: effects", None, max_effects),
    ]
    return tuple(Gate(name, low, high) for name, low, high in stated if low is not None or high is not None)


def judged(stated: Sequence[Gate] = (), **audits: Audit) -> BiasVerdict:
    """`judged(limits(min_ratio=0.8), decisions=…, pairs=…)`. What was skipped is not judged, nor are limits on it."""
    skipped = {word for word, audit in audits.items() if isinstance(audit, Skipped)}
    return BiasVerdict(
        audits={word: audit for word, audit in audits.items() if not isinstance(audit, Skipped)},
        gates=tuple(gate for gate in stated if gate.name.partition(": ")[0] not in skipped),
    )
