"""Canaries that judge themselves: the candidate goes a step up, or out, as its calls in the book allow.

    judge(Deployments(book), "triage", actor="daybook")     look once, and act
    assess(book, deployments.history("triage"))             look, and leave it as it is

The evidence is every call since the candidate got its first ones, step by step; its intervals hold at whatever moment
one looks, so one may look after every drain. What only a larger share breaks shows at that share alone: a step takes
so many calls of the candidate (the deployment's `calls_per_step`), however sure one is by then, and its calls are also
judged alone, whether they are worse. Half of the 5 % is for the whole trial, half for its steps.

Whatever changed the deployment in the meantime holds, and what was decided without knowing of it is not done: of two
judges one acts, and a person goes before both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from daybook.errors import BadParameter, Superseded, UnknownModel
from daybook.experiment.evidence import (
    EvidenceRow,
    Period,
    TrialEvidence,
    read_calls,
    read_clusters,
    read_scores,
    read_split,
)
from daybook.ports import NamedRows
from daybook.records import DeploymentRevision
from daybook.routing.deployments import CALLS_PER_STEP, Deployments, find_trial
from daybook.routing.split import percent
from daybook.stats.canary import Decision, State, Tolerance
from daybook.stats.estimate import ALPHA

ACTOR = "daybook"
_END = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a look at a canary came to."""

    revision: DeploymentRevision
    """The one that was judged."""
    evidence: TrialEvidence
    step: TrialEvidence
    """The calls of the present step alone."""
    step_calls: int
    """The candidate's among them."""
    changed: DeploymentRevision | None = None
    """What it was made."""

    @property
    def basis(self) -> TrialEvidence:
        """What is decided by: the trial, or the step where that alone is surely worse."""
        trial, step = self.evidence.decision, self.step.decision
        if trial is not None and trial.action != "roll back" and step is not None and step.action == "roll back":
            return self.step
        return self.evidence

    @property
    def decision(self) -> Decision | None:
        """By the figures alone; None: neither version has a call."""
        return self.basis.decision if self.basis.calls else None

    @property
    def action(self) -> str:
        """`promote`, `roll back` or `wait`."""
        if self.decision is None or self.waits_for_step:
            return "wait"
        return self.decision.action

    @property
    def step_length(self) -> int:
        """Calls of the candidate that the step takes."""
        return self.revision.calls_per_step or CALLS_PER_STEP

    @property
    def waits_for_step(self) -> bool:
        """Whether it would be promoted, were the step not too young."""
        return self.decision is not None and self.decision.action == "promote" and self.step_calls < self.step_length

    @property
    def sentence(self) -> str:
        """The verdict, in one sentence."""
        decision, candidate, live = self.decision, self.revision.candidate, self.revision.live
        if decision is None:
            return f"Cannot tell: no call of {candidate} or {live} since the trial began."
        after = f"after {decision.calls:,} calls"
        if decision.action == "roll back":
            alone = " at this step" if self.basis is self.step else ""
            return f"{candidate} is worse than {live} in {_names(decision, 'worse')}, {after}{alone}."
        if decision.action == "promote":
            better = decision.verdict == "better"
            word = f"better than {live} in {_names(decision, 'better')}" if better else f"no worse than {live}"
            had = f"; the step has had {self.step_calls:,} of its {self.step_length:,} calls"
            return f"{candidate} is {word}, {after}{had if self.waits_for_step else ''}."
        return f"Cannot tell yet, {after}: {self._open(decision)}."

    def _open(self, decision: Decision) -> str:
        if silent := [name for name in self.evidence.versions if not self.evidence.version(name).calls]:
            return f"no call of {silent[0]} yet"
        if decision.ratio is not None and not decision.ratio.kept:
            return "the calls are not split as configured"
        if self.evidence.unpriced and decision.measured["cost"].state == "unknown":
            return f"the price of {self.evidence.unpriced:,} answered calls is unknown"
        if decision.more is None:
            return f"the two are so close in {_names(decision, 'cannot tell')} that no number of calls tells soon"
        return f"about {decision.more:,} calls more would tell {_names(decision, 'cannot tell')}"


def assess(book: NamedRows, history: Sequence[DeploymentRevision], *, look_ahead: bool = True) -> Judgement | None:
    """How the trial of a canary stands, by its `history`; None: there is none under way. `look_ahead`: whether it says,
    too, how many calls more would tell. Raises BookError."""
    trial = find_trial(history)
    if not trial:
        return None
    now = trial[-1]
    periods = _periods(trial)
    rows = read_calls(book, now.name, periods)
    evidence = TrialEvidence(
        deployment=now.name,
        rows=rows,
        scores=read_scores(book, now.name, periods[0].start, _END, now.sticky),
        clusters=read_clusters(book, now.name, periods, now.sticky),
        keys=read_split(book, now.name, periods, now.sticky),
        periods=periods,
        versions=(now.live or "", now.candidate or ""),
        tolerance=Tolerance(**(now.tolerance or {})),
        alpha=ALPHA / 2,
        look_ahead=look_ahead,
    )
    step = replace(
        evidence,
        rows=_last(rows, periods),
        clusters=_last(evidence.clusters, periods),
        keys=_last(evidence.keys, periods),
        scores=[row for row in evidence.scores if row["at"] >= periods[-1].start],
        periods=periods[-1:],
        alpha=ALPHA / 2 / max(len(now.steps), 1),
    )
    return Judgement(now, evidence, step, int(step.version(now.candidate or "").calls))


def judge(deployments: Deployments, name: str, *, actor: str) -> Judgement:
    """Look at the canary `name` and do what its calls allow. Raises BadParameter where no candidate is on trial,
    Superseded where somebody else changed the deployment since, and what reading the book raises."""
    now = deployments.get(name)
    judgement = assess(deployments.book, deployments.history(name))
    if judgement is None:
        raise BadParameter(
            f"{name} has no candidate on trial: it is a {now.strategy}"
            + (f", and {now.candidate} gets no call." if now.strategy == "canary" and now.candidate else "."),
            remedy="Make a canary, or promote its candidate to the first step.",
        )
    if judgement.action == "wait":
        return judgement
    act = deployments.promote if judgement.action == "promote" else deployments.rollback
    changed = act(
        name,
        actor=actor,
        reason=judgement.sentence,
        revision=judgement.revision.revision,
        figures=figures(judgement),
    )
    return replace(judgement, changed=changed)


def judge_all(deployments: Deployments, known: Sequence[DeploymentRevision], *, actor: str = ACTOR) -> list[Judgement]:
    """Judge every canary of `known` that is to be judged by itself. Returns those that changed one: nobody reads how
    many calls more the others take. One that somebody else changed meanwhile is left as it is now. Raises what
    reading the book raises."""
    judgements = []
    for revision in known:
        if not revision.automatic:
            continue
        look = assess(deployments.book, deployments.history(revision.name), look_ahead=False)
        if look is not None and look.action != "wait":
            with contextlib.suppress(Superseded, BadParameter, UnknownModel):
                judgements.append(judge(deployments, revision.name, actor=actor))
    return [judgement for judgement in judgements if judgement.changed is not None]


def figures(judgement: Judgement) -> dict[str, Any]:
    """What a judgement rests on, as JSON-able values: kept with the decision."""
    evidence, decision, now = judgement.basis, judgement.decision, judgement.revision
    known: dict[str, Any] = {
        "action": judgement.action,
        "verdict": "cannot tell" if decision is None else decision.verdict,
        "sentence": judgement.sentence,
        "compared": list(evidence.versions),
        "basis": "step" if evidence is judgement.step else "trial",
        "since": evidence.periods[0].start.isoformat(),
        "percent": {version: percent(points) for version, points in now.weights.items()},
        "step_calls": judgement.step_calls,
        "calls": 0,
        "calls_more": None,
        "criteria": [],
        "level": None,
        "versions": {},
        "measures": {},
        "sample_ratio": None,
    }
    if decision is None:
        return known
    measures = {
        name: {
            "value": measure.value,
            "low": measure.low,
            "high": measure.high,
            "tolerated": measure.tolerated,
            "state": measure.state,
            "n": measure.n,
            "more": measure.more,
        }
        for name, measure in decision.measured.items()
    }
    counted = {name: evidence.version(name) for name in evidence.versions}
    ratio = decision.ratio
    return known | {
        "calls": decision.calls,
        "calls_more": decision.more,
        "criteria": _criteria(decision),
        "level": decision.level,
        "versions": {name: {"calls": int(v.calls), "failed": int(v.failed)} for name, v in counted.items()},
        "measures": measures,
        "sample_ratio": None if ratio is None else {"p": ratio.p, "kept": ratio.kept, "counts": dict(ratio.counts)},
    }


def _periods(trial: Sequence[DeploymentRevision]) -> list[Period]:
    """The times of one split each, the last one without an end."""
    steps = [trial[0], *(later for before, later in pairwise(trial) if later.weights != before.weights)]
    ends = [*(step.at for step in steps[1:]), _END]
    return [
        Period(step.at, end, {version: points / 100 for version, points in step.weights.items()})
        for step, end in zip(steps, ends, strict=True)
    ]


def _criteria(decision: Decision) -> list[str]:
    """The measures that decided it; where it is not decided, those that are open."""
    if decision.action == "promote":
        return [name for name, measure in decision.measured.items() if measure.state != "unknown"]
    return [measure.name for measure in decision.those("worse" if decision.action == "roll back" else "cannot tell")]


def _last(rows: Sequence[EvidenceRow], periods: Sequence[Period]) -> list[EvidenceRow]:
    """Those of the last period, as of the only one."""
    return [{**row, "period": 0} for row in rows if row["period"] == len(periods) - 1]


def _names(decision: Decision, state: State) -> str:
    return " and ".join(measure.name for measure in decision.those(state))
