"""Whether an evaluation lets somebody through: what a promotion, a script or a CI job waits for.

A gate is met by evidence. A run that was stopped, a score that is unknown and a difference that cannot be told do not
meet one.
"""

from __future__ import annotations

from daybook.errors import BadParameter, GateNotMet
from daybook.evaluation.figures import EvaluationFigures
from daybook.reporting.gates import MUST, NOT_WORSE
from daybook.reporting.text import difference

_REMEDY = "Do not promote it; or state another gate, and say why."


def require(evaluation: EvaluationFigures, at_least: float | None, must: str | None) -> None:
    """Raises GateNotMet (exit code 3) with the figures."""
    stopped = f"; the run was stopped by {evaluation.stopped}" if evaluation.stopped else ""
    if at_least is not None:
        q = evaluation.quality(evaluation.names[0])
        if q.value is None or q.value < at_least or stopped:
            shown = "unknown" if q.value is None else f"{q.value:.4f}"
            raise GateNotMet(
                f"The mean score of {evaluation.names[0]} is {shown} on {q.n} rows{stopped}; the gate is {at_least:g}.",
                remedy=_REMEDY,
            )
    if not must:
        return
    if must not in MUST:
        raise BadParameter(f"{must!r} is no gate.", remedy=f"Say {' or '.join(MUST)}.")
    if len(evaluation.names) < 2:
        raise BadParameter("Only one takes part.", remedy="Name a second one to hold against it.")
    name = evaluation.names[1]
    d = evaluation.compared[name]
    met = d.verdict == "better" or (must == "not-worse" and d.low is not None and d.low > -NOT_WORSE)
    if not met or stopped:
        raise GateNotMet(
            f"{name} must be {must} than {evaluation.names[0]}; the difference is "
            f"{difference(d.value, d.low, d.high, d.adjusted)}, on {d.n} rows: "
            f"{d.verdict}{stopped}.",
            remedy=_REMEDY,
        )
