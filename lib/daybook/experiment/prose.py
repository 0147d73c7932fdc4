"""What an experiment says, in Markdown, the verdict first."""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, floor, log10
from typing import Any

from daybook.experiment.figures import ExperimentFigures
from daybook.reporting.text import as_of, code, count, listing, money, p_value, percent, points
from daybook.stats.canary import Decision, MeasuredEffect
from daybook.stats.sequential import LEAST

FEW_CALLERS = 10


def verdict(experiment: ExperimentFigures) -> str:
    """Better, worse, no worse, or about how many calls more."""
    return f"{as_of(experiment.as_of)}{sentence(experiment)}{_shadow(experiment)}{_others(experiment)}"


def sentence(experiment: ExperimentFigures) -> str:
    """The verdict in one or two sentences."""
    decision = experiment.decision
    name = code(experiment.deployment)
    if decision is None:
        if not experiment.called:
            return f"**No call** of {name} names a version, {experiment.window}: nothing can be compared."
        return (
            f"**Only {code(experiment.called[0])}** of {name} was called, {experiment.window}: nothing can be compared."
        )
    b, a = code(experiment.candidate), code(experiment.base)
    both = ("request that both answered", "requests that both answered")
    seen = count(decision.calls, *(both if experiment.paired else ("call",)))
    done = _state_of(experiment)
    if decision.verdict == "worse":
        worse = listing([_said(measure) for measure in decision.those("worse")])
        return f"{b} is **worse** than {a}: {worse}, after {seen}. {done or 'Roll it back'}."
    if decision.verdict == "better":
        better = listing([_said(measure) for measure in decision.those("better")])
        rest = "and surely not worse in what else is known"
        return f"{b} is **better** than {a}: {better}, {rest}, after {seen}. {done or 'Promote it'}."
    if decision.verdict == "no worse":
        return f"{b} is **no worse** than {a} by more than is tolerated, after {seen}. {done or 'It can be promoted'}."
    return f"Whether {b} or {a} is better **cannot be told yet**, after {seen}.{_more(experiment, decision)}"


def _state_of(experiment: ExperimentFigures) -> str | None:
    """What became of the candidate by the end of the window, where that is over: there is nothing left to advise."""
    last = experiment.changes[-1] if experiment.changes else None
    after = ((last["details"] or {}).get("after") if last else None) or {}
    if after.get("live") == experiment.candidate:
        return "It is live"
    if last and last["action"] == "deployment.rolled_back" and after.get("candidate") == experiment.candidate:
        return "It was rolled back"
    return None


def _more(experiment: ExperimentFigures, decision: Decision) -> str:
    if decision.ratio is not None and not decision.ratio.kept:
        return " The calls were not split as configured, which more of them do not mend."
    if experiment.unpriced and decision.measured["cost"].state == "unknown":
        return (
            f" The price of {count(experiment.unpriced, 'answered call')} is unknown, which more of them do not mend:"
            " what costs nobody knows how much is not promoted."
        )
    if decision.more is not None:
        return f" If everything stays as it is, about **{count(_rounded(decision.more), 'call')} more** tell."
    if decision.those("cannot tell"):
        return " The two are so close that even a thousand times as many calls would hardly tell."
    return " One of the two has no answered call."


def _shadow(experiment: ExperimentFigures) -> str:
    if not experiment.paired:
        return ""
    return " It answered copies only: nobody saw its answers, and both are compared on the same requests." + _copies(
        experiment
    )


def _copies(experiment: ExperimentFigures) -> str:
    copies = experiment.copies
    if copies is None:
        return ""
    rest = (
        (copies.dropped, "dropped because too many waited"),
        (copies.over_budget, "over its budget or without a known price"),
        (copies.waiting, "waiting, or lost with an endpoint that was killed"),
    )
    unmade = ", ".join(f"{count(n)} {why}" for n, why in rest if n)
    return (
        f" Of {count(copies.calls, 'answered call')} it answered {count(copies.answered)},"
        f" {count(copies.failed)} of its copies failed{unmade and f'; not made: {unmade}'}."
    )


def decisions(experiment: ExperimentFigures) -> str:
    """What was decided by figures in these days, the newest first, and how much else was changed."""
    if not experiment.changes:
        return f"Nothing was changed, {experiment.window}."
    by_figures = [change for change in experiment.changes if (change["details"] or {}).get("figures")]
    sentences = [_decided(change) for change in reversed(by_figures)]
    others = len(experiment.changes) - len(by_figures)
    if others:
        by_people = f"{count(others, 'change')} {'was' if others == 1 else 'were'} made without figures"
        sentences.append(f"{by_people}." if sentences else f"{by_people}, none by them.")
    return " ".join(sentences)


def _decided(change: Mapping[str, Any]) -> str:
    details = change["details"]
    figures, after = details["figures"], details.get("after") or {}
    candidate = figures["compared"][1]
    share = (after.get("percent") or {}).get(candidate, "0")
    verb = "promoted" if figures["action"] == "promote" else "rolled back"
    was = figures["percent"].get(candidate, "0")
    worst = [_measured(name, figures["measures"][name]) for name in figures["criteria"] if verb == "rolled back"]
    because = f" ({listing(worst)})" if worst else ""
    who = f"At {change['time']:%Y-%m-%d %H:%M} {code(change['actor'])}"
    sentence = figures["sentence"].rstrip(".")
    return f"{who} **{verb}** {code(candidate)}, from {was} to {share} %: {sentence}{because}."


def _measured(name: str, figures: Mapping[str, Any]) -> str:
    limits = {key: figures[key] for key in ("value", "low", "high", "tolerated")}
    return _said(MeasuredEffect(name, **limits, state=figures["state"], n=figures["n"]))


def _others(experiment: ExperimentFigures) -> str:
    others = [name for name in experiment.called if name not in (experiment.compared or experiment.called)]
    return f" Not compared: {listing([code(name) for name in others])}." if others else ""


def measures(experiment: ExperimentFigures) -> str:
    """What is known of each measure."""
    decision = experiment.decision
    if decision is None:
        return "There are no two versions, so no differences."
    known = [measure for measure in decision.measured.values() if measure.low is not None]
    sentences = [f"{_said(measure).capitalize()}: {_state(measure)}." for measure in known]
    silent = [_silence(experiment, measure) for measure in decision.measured.values() if measure.low is None]
    note = (
        "The intervals hold at 95 % together, however often one looked. "
        if known
        else f"No interval is known yet; latency and cost take {LEAST} answered calls of each version. "
    )
    return note + " ".join([*sentences, *filter(None, silent)])


def _said(measure: MeasuredEffect) -> str:
    """`latency ×1.25 (1.18 to 1.33)`."""
    if measure.value is None or measure.low is None or measure.high is None:
        return measure.name
    if measure.name == "errors":
        ends = f"{points(measure.low)} to {points(measure.high)}"
        return f"errors {points(measure.value)} ({ends})"
    if measure.name == "latency":
        return f"latency ×{exp(measure.value):.2f} ({exp(measure.low):.2f} to {exp(measure.high):.2f})"
    if measure.name == "cost":
        value, low, high = (_signed(end * 1000) for end in (measure.value, measure.low, measure.high))
        return f"cost of 1,000 calls {value} ({low} to {high})"
    return f"score {-measure.value:+.2f} ({-measure.high:+.2f} to {-measure.low:+.2f})"


def _signed(amount: float) -> str:
    return f"{'+' if amount > 0 else ''}{money(amount)}"


def _state(measure: MeasuredEffect) -> str:
    tolerated = "" if measure.tolerated is None else f" than {_limit(measure)}"
    return {
        "better": "**better**",
        "not worse": f"not worse{' by more' if tolerated else ''}{tolerated}",
        "worse": "**worse**",
        "cannot tell": "not told",
        "unknown": "unknown",
    }[measure.state]


def _limit(measure: MeasuredEffect) -> str:
    limit = measure.tolerated or 0.0
    if measure.name == "errors":
        return f"{limit * 100:g} points" if limit != 0.01 else "a point"
    if measure.name == "latency":
        return percent(exp(limit) - 1)
    return f"{money(limit * 1000)} for 1,000 calls" if measure.name == "cost" else f"{limit:g}"


def _silence(experiment: ExperimentFigures, measure: MeasuredEffect) -> str:
    if measure.name == "cost" and experiment.unpriced:
        return f"Nothing is said about cost: the price of {count(experiment.unpriced, 'answered call')} is unknown."
    if measure.name == "score":
        return f"Too few answers were scored ({count(measure.n)}) to judge by scores." if measure.n else ""
    return f"{measure.name.capitalize()} is not known yet."


def split(experiment: ExperimentFigures) -> str:
    """Whether the calls were split as configured."""
    decision = experiment.decision
    if decision is None or experiment.paired:
        return "There is no split to check."
    ratio = decision.ratio
    several = f" in {len(experiment.periods)} periods of one split each" if len(experiment.periods) > 1 else ""
    if ratio is None:
        text = "**The split was not checked**: its configured weights are not known here for every version."
    else:
        whole = sum(ratio.expected.values()) or 1.0
        shares = [f"{code(name)} {n:,} of {ratio.expected[name]:,.0f} expected" for name, n in ratio.counts.items()]
        seen = f"{listing(shares)}, p {'=' if ratio.p >= 0.001 else ''} {p_value(ratio.p)}".replace("p  <", "p <")
        if ratio.kept:
            text = (
                f"The calls are split as configured{several}, as far as {count(int(whole), 'call')} can show: {seen}."
            )
        else:
            text = (
                f"**The calls are not split as configured**: {seen}. The versions' calls are then not alike, and no"
                " difference can be trusted until the reason is found."
            )
    if 0 < experiment.callers < FEW_CALLERS:
        text += (
            f" Only {count(experiment.callers, 'caller')} at most called a version in a day: where callers keep their"
            " version, one of them can be the whole difference, and the split."
        )
    return text


def changes(experiment: ExperimentFigures) -> str:
    """What would change the verdict."""
    decision = experiment.decision
    if decision is None:
        return "Calls of a second version."
    if decision.action == "roll back":
        names = listing([measure.name for measure in decision.those("worse")])
        return (
            f"More calls hardly: at any time of looking it is ruled out that {code(experiment.candidate)} is as good in"
            f" {names}. A wider tolerance would, or versions that change."
        )
    if decision.action == "promote":
        return "More calls hardly. A narrower tolerance would, or a version that changes behind its name."
    open_ = decision.those("cannot tell")
    wanted = [f"{measure.name}{_wanted(measure)}" for measure in open_]
    text = f"More calls: {listing(wanted)}. " if wanted else ""
    broken = decision.ratio is not None and not decision.ratio.kept
    return (
        f"{text}{'A split that is the configured one. ' if broken else ''}".strip()
        or "Answered calls of both versions."
    )


def _wanted(measure: MeasuredEffect) -> str:
    return f", about {count(_rounded(measure.more))} more" if measure.more is not None else ", with no end in sight"


def _rounded(n: int) -> int:
    """To two digits: it is a guess."""
    return n if n < 10 else round(n, 1 - floor(log10(n)))
