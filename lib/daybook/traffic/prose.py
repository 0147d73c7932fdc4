"""What the traffic says, in Markdown, from the figures of one reading."""

from __future__ import annotations

from daybook.reporting.tables import to_records, total
from daybook.reporting.text import as_of, between, code, count, listing, money, percent, seconds
from daybook.stats.estimate import proportion
from daybook.traffic.figures import UNSERVED, TrafficFigures


def volume(traffic: TrafficFigures) -> str:
    return f"{as_of(traffic.as_of)}{_volume(traffic)}{_apart(traffic)}"


def _apart(traffic: TrafficFigures) -> str:
    """What Daybook's own library asked: not the endpoint's traffic, and paid for all the same."""
    library = traffic.library
    if not library.calls:
        return ""
    if library.spend is None:
        cost = "at no known cost"
    else:
        unpriced = library.calls - library.priced
        cost = f"for {money(library.spend)}" + (f" ({count(unpriced)} of them unpriced)" if unpriced else "")
    failed = f", {count(library.failed)} of which failed" if library.failed else ""
    text = f" Not part of this: {count(library.calls, 'call')} by Daybook itself, from notebooks and evaluations"
    return f"{text}, {cost}{failed}."


def _volume(traffic: TrafficFigures) -> str:
    if not traffic.calls:
        return f"**No calls** from {traffic.window}. Nothing can be said about errors, latency or tokens."
    text = f"**{count(traffic.calls, 'call')}** from {traffic.window}"
    if traffic.window.days > 1:
        days = to_records(traffic.by_day)
        busiest = max(days, key=lambda row: row["calls"])
        silent = sum(1 for row in days if row["calls"] == 0)
        text += f", {traffic.calls / traffic.window.days:,.1f} a day." if traffic.calls >= traffic.window.days else "."
        text += f" The busiest day was {busiest['day']} with {count(busiest['calls'], 'call')}"
        text += f"; {count(silent, 'day')} had none." if silent else "."
    else:
        text += "."
    caller = to_records(traffic.by_caller)[0]
    if len(traffic.by_caller) == 1:
        return f"{text} {code(caller['caller'])} made all of them."
    part = percent(caller["calls"] / traffic.calls)
    return f"{text} {count(len(traffic.by_caller), 'caller')}; {code(caller['caller'])} made {part} of the calls."


def errors(traffic: TrafficFigures) -> str:
    if not traffic.calls:
        return "No calls, so no error rate: it is unknown, not 0 %."
    failed = traffic.failed
    if not failed.n:
        return "**Whether calls failed is unknown**: all of them were imported, and a trace holds what was answered."
    if not failed.hits:
        text = f"**No call failed.** With {count(failed.n, 'call')} the true rate may still be up to"
        return f"{text} {percent(failed.high)}.{_imported(traffic)}"
    text = f"**{count(failed.hits, 'call')} failed: {percent(failed.value)}**"
    text += f"{between(failed.low, failed.high, percent)}."
    kinds = to_records(traffic.errors)
    most = [f"{code(row['kind'])} ({row['calls']:,})" for row in kinds[:3]]
    text += f" By kind: {', '.join(most) if len(kinds) > 3 else listing(most)}"
    text += f", and {count(len(kinds) - 3, 'more kind')}." if len(kinds) > 3 else "."
    return f"{text}{_suspect(traffic)}{_imported(traffic)}"


def _imported(traffic: TrafficFigures) -> str:
    n = traffic.calls - traffic.observed
    return f" Of {count(n, 'imported call')} it is not known." if n else ""


def _suspect(traffic: TrafficFigures) -> str:
    """The model that surely failed more often than the rest, if there is one: intervals that do not meet."""
    for row in to_records(traffic.by_model):
        if row["model"] == UNSERVED or (row["failed"] or 0) < 5:
            continue
        rest = proportion(traffic.failed.hits - row["failed"], traffic.observed - row["observed"])
        if rest.high is not None and row["failed_low"] > rest.high:
            return (
                f" {code(row['model'])} failed more often than the rest: {percent(row['failed_rate'])} of"
                f" {count(row['observed'], 'call')}, against {percent(rest.value)}."
            )
    return ""


def latency(traffic: TrafficFigures) -> str:
    return f"{_speed(traffic, 'latency', 'answered')} {_speed(traffic, 'first_token', 'streamed')}"


def _speed(traffic: TrafficFigures, measure: str, which: str) -> str:
    name = {"latency": "Latency", "first_token": "Time to first token"}[measure]
    p50, p95, p99 = (traffic.quantile(measure, p) for p in (0.50, 0.95, 0.99))
    if p50 is None or p95 is None or p99 is None:
        return f"{name} was not measured in any {which} call of this window."
    n = traffic.n(measure)
    text = f"{name} of {count(n, f'{which} call')}: half took at most **{seconds(p50.value)}**"
    text += between(p50.low, p50.high, seconds)
    text += f", 95 of 100 at most **{seconds(p95.value)}**{between(p95.low, p95.high, seconds)}"
    text += f", 99 of 100 at most **{seconds(p99.value)}**{between(p99.low, p99.high, seconds)}."
    loose = [name for name, q in (("50th", p50), ("95th", p95), ("99th", p99)) if q.high is None]
    if loose:
        too_few = f"{count(n, 'call')} {'is' if n == 1 else 'are'} too few"
        text += f" {too_few} to bound the {listing(loose)} percentile from above."
    return text


def paths(traffic: TrafficFigures) -> str:
    if not traffic.calls:
        return "No calls, so nothing is known about streams, fallbacks or truncations."
    if traffic.observed:
        text = f"{percent(traffic.streamed.value)} of the calls were streamed. "
        text += f"{count(traffic.fallbacks.hits, 'call').capitalize()} fell back to another model; "
        text += f"{count(traffic.retried.hits, 'call')} {'was' if traffic.retried.hits == 1 else 'were'} retried. "
    else:
        text = "Whether calls were streamed, retried or fell back is unknown: all of them were imported. "
    if traffic.closed.hits:
        text += f"In {count(traffic.closed.hits, 'call')} the client went away before the end. "
    if traffic.truncated.n == 0:
        text += "Whether prompts were truncated is not known for any of these calls. "
    else:
        text += f"Of {count(traffic.truncated.n, 'call')} it is known whether the prompt was truncated:"
        text += f" {'none' if not traffic.truncated.hits else f'{traffic.truncated.hits:,}'} "
        text += f"{'was' if traffic.truncated.hits <= 1 else 'were'}. "
    if traffic.cut_off.n:
        text += f"{count(traffic.cut_off.hits, 'answer').capitalize()} stopped at the token limit."
    return text.strip()


def tokens(traffic: TrafficFigures) -> str:
    counted = total(traffic.rows, "counted") or 0
    if not counted:
        return "No call of this window has token counts."
    into, out = total(traffic.rows, "input_tokens"), total(traffic.rows, "output_tokens")
    text = f"**{count(into)} input** and **{count(out)} output tokens** in {count(counted, 'call')}"
    if counted < traffic.calls:
        text += f"; for the other {count(traffic.calls - counted)} the count is unknown"
    estimated = total(traffic.rows, "estimated") or 0
    if estimated:
        text += f"; {count(estimated)} of the counts are estimates"
    cached = total(traffic.rows, "cached_tokens")
    if cached is not None and into:
        text += f". {percent(cached / into)} of the input came from caches"
    return text + "."
