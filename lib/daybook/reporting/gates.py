"""Limits that were stated before the measuring, and whether what was measured keeps them.

    require([Gate("ratio", at_least=0.8)], {"ratio": Measured(0.36, 0.34, 0.38)})    raises GateNotMet: exit code 3

A gate is judged by the value itself. Where the value keeps the limit and its interval does not, that is said. What
could not be measured does not pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daybook.errors import GateNotMet

FOUR_FIFTHS = 0.8
"""The disparate-impact ratio that US agencies take as a sign of adverse impact (29 CFR 1607.4)."""
NOT_WORSE = 0.05
"""A loss that `not-worse` rules out: five points."""
MUST = ("better", "not-worse")
"""What a difference can be required to be."""


@dataclass(frozen=True, slots=True)
class Gate:
    name: str
    at_least: float | None = None
    at_most: float | None = None

    def keeps(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (self.at_most is None or value <= self.at_most)

    def judge(self, measured: Measured) -> str:
        """What was measured, beside the limit: `ratio at least 0.8: it is 0.7996 (0.75 to 0.85)`."""
        if measured.value is None:
            return f"{self}: it could not be measured"
        low, high = measured.low, measured.high
        ends = "" if low is None or high is None else f" ({low:.3g} to {high:.3g})"
        return f"{self}: it is {self.shown(measured.value)}{ends}"

    def shown(self, value: float) -> str:
        """The figure, with so many digits that it is on its side of the limit."""
        texts = (f"{value:.{digits}g}" for digits in range(4, 17))
        return next((text for text in texts if self.keeps(float(text)) == self.keeps(value)), repr(value))

    def __str__(self) -> str:
        ends = [f"at least {self.at_least:g}" if self.at_least is not None else ""]
        ends.append(f"at most {self.at_most:g}" if self.at_most is not None else "")
        return f"{self.name} {' and '.join(filter(None, ends))}"


@dataclass(frozen=True, slots=True)
class Measured:
    value: float | None
    low: float | None = None
    high: float | None = None


def judge(gates: Sequence[Gate], measured: Mapping[str, Measured]) -> list[str]:
    """A sentence for each gate that is not met, and none for those that are."""
    values = [(gate, measured.get(gate.name, Measured(None))) for gate in gates]
    return [gate.judge(value) for gate, value in values if value.value is None or not gate.keeps(value.value)]


def borderline(gates: Sequence[Gate], measured: Mapping[str, Measured]) -> list[str]:
    """A sentence for each gate that is met by the value, but not by the whole of its interval."""
    messages = []
    for gate in gates:
        value = measured.get(gate.name, Measured(None))
        if value.value is None or not gate.keeps(value.value):
            continue
        beyond = [end for end in (value.low, value.high) if end is not None and not gate.keeps(end)]
        if beyond:
            ends = gate.shown(value.value), gate.shown(beyond[0])
            messages.append("{}: met by {}, but its interval reaches {}".format(gate, *ends))
    return messages


def require(gates: Sequence[Gate], measured: Mapping[str, Measured]) -> None:
    """Raises GateNotMet that names every gate that is not met, or of which that could not be measured."""
    if failed := judge(gates, measured):
        unknown = sum(measured.get(gate.name, Measured(None)).value is None for gate in gates)
        broken = len(failed) - unknown
        parts = [f"{broken} {'is' if broken == 1 else 'are'} not met"] if broken else []
        parts += [f"{unknown} could not be measured"] if unknown else []
        raise GateNotMet(
            f"Of {len(gates)} gate{'s' if len(gates) > 1 else ''}, {', '.join(parts)}. {'; '.join(failed)}.",
            remedy="Do not promote what was measured, or state another limit and say why.",
        )
