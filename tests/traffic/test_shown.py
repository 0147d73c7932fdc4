"""What the traffic draws and says, from rows that stand here: no book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from daybook.reporting.text import plain
from daybook.stats.estimate import Estimate
from daybook.traffic.figures import LatencyMeasure, LibraryCalls
from daybook.traffic.report import Traffic
from daybook.window import Window

DAY = date(2026, 11, 20)
NONE = dict.fromkeys(("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens"))


def row(calls: int = 1, **fields: Any) -> dict[str, Any]:
    known = {
        "day": DAY, "hour": 12, "caller": "ann", "model": "openai/a", "status": "ok", "error_kind": None,
        "stream": False, "fallbacks": 0, "retried": 0, "cache_hits": 0, "checked_for_truncation": 0, "truncated": 0,
        "finished": calls, "cut_off": 0, "counted": calls, "estimated": 0, "input_tokens": 100 * calls,
        "cached_tokens": None, "output_tokens": 10 * calls, "reasoning_tokens": None,
    }  # fmt: skip
    return {**known, "calls": calls, **fields}


def failure(kind: str, calls: int = 1, **fields: Any) -> dict[str, Any]:
    return row(calls, status="error", error_kind=kind, finished=0, counted=0, **NONE, **fields)


def measure(name: str, model: str, n: int, *ends: tuple[float, float | None, float | None]) -> LatencyMeasure:
    quantiles = {
        p: Estimate(value, low, high, n=n) for p, (value, low, high) in zip((0.5, 0.95, 0.99), ends, strict=True)
    }
    return LatencyMeasure(name, model, n, 1.0, 9.0, quantiles)


def traffic(*rows: dict[str, Any], days: int = 1, measured: Sequence[LatencyMeasure] = (), **fields: Any) -> Traffic:
    return Traffic(window=Window.of(DAY, days), rows=list(rows), measured=list(measured), **fields)


def said(text: str) -> str:
    return plain(text).replace("\u00a0", " ")


# ── counted ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_window_without_any_of_them_has_none() -> None:
    """No retries, fallbacks, truncations or answers cut off: 0 of as many as are known, and never 1."""
    found = traffic(row(40, checked_for_truncation=30))
    shares = (found.fallbacks, found.retried, found.truncated, found.cut_off, found.closed, found.streamed)
    assert [(share.hits, share.n) for share in shares] == [(0, 40), (0, 40), (0, 30), (0, 40), (0, 40), (0, 40)]
    assert said(found.paths_prose) == (
        "0 % of the calls were streamed. No calls fell back to another model; no calls were retried. Of 30 calls it is"
        " known whether the prompt was truncated: none was. No answers stopped at the token limit."
    )
    unknown = traffic(row(3, finished=0))
    assert [(share.hits, share.n) for share in (unknown.truncated, unknown.cut_off)] == [(0, 0), (0, 0)]
    assert said(unknown.paths_prose).endswith("Whether prompts were truncated is not known for any of these calls.")


@pytest.mark.parametrize(("n", "words"), [(1, "1 call was retried."), (2, "2 calls were retried.")])
def test_a_sentence_counts_as_it_is_counted(n: int, words: str) -> None:
    """One was, two were: retries, truncated prompts, clients that went away."""
    found = traffic(row(9, retried=n, checked_for_truncation=9, truncated=n), row(n, status="client_closed"))
    text = said(found.paths_prose)
    assert words in text
    assert f"the prompt was truncated: {n} {'was' if n == 1 else 'were'}." in text
    assert f"In {n} call{'s' if n > 1 else ''} the client went away before the end." in text


def test_tokens_say_what_they_are_of() -> None:
    """The sums of what was counted; how many were not, how many are estimates, what came from caches."""
    assert said(traffic(row(3)).tokens_prose) == "300 input and 30 output tokens in 3 calls."
    found = traffic(row(3, estimated=2, cached_tokens=75), failure("timeout", 4))
    assert said(found.tokens_prose) == (
        "300 input and 30 output tokens in 3 calls; for the other 4 the count is unknown; 2 of the counts are"
        " estimates. 25.0 % of the input came from caches."
    )
    assert traffic(failure("timeout")).tokens_prose == "No call of this window has token counts."


# ── said ──────────────────────────────────────────────────────────────────────────────────────────────


def test_several_days_have_a_busiest_one_and_silent_ones() -> None:
    """Calls a day where there is one at least; days without any are counted."""
    yesterday = DAY - timedelta(days=1)
    found = traffic(row(2), row(5, day=yesterday, caller="bob"), days=3)
    assert said(found.volume_prose) == (
        "7 calls from 2026-11-18 to 2026-11-20 (UTC), 2.3 a day. The busiest day was 2026-11-19 with 5 calls; 1 day had"
        " none. 2 callers; bob made 71.4 % of the calls."
    )
    assert said(traffic(row(2), row(1, day=yesterday), days=2).volume_prose) == (
        "3 calls from 2026-11-19 to 2026-11-20 (UTC), 1.5 a day. The busiest day was 2026-11-20 with 2 calls. ann made"
        " all of them."
    )
    assert "a day." not in traffic(row(2), days=3).volume_prose
    assert "1.0 a day" in said(traffic(row(3), days=3).volume_prose)


@pytest.mark.parametrize(
    ("library", "text"),
    [
        (LibraryCalls(), ""),
        (
            LibraryCalls(calls=3, priced=3, spend=Decimal("0.5")),
            " Not part of this: 3 calls by Daybook itself, from notebooks and evaluations, for $0.50.",
        ),
        (
            LibraryCalls(calls=3, priced=2, spend=Decimal("0.5"), failed=1),
            " Not part of this: 3 calls by Daybook itself, from notebooks and evaluations, for $0.50 (1 of them"
            " unpriced), 1 of which failed.",
        ),
    ],
)
def test_what_the_library_asked_stands_apart_with_its_cost(library: LibraryCalls, text: str) -> None:
    """What has no price and what failed is said where there is any."""
    found = traffic(row(2), library=library)
    assert said(found.volume_prose) == f"2 calls from 2026-11-20 (UTC). ann made all of them.{text}"


def test_of_many_kinds_of_error_the_first_three_are_named() -> None:
    """By number of calls; of three all are, of five two more are counted."""
    kinds = [failure(kind, n) for n, kind in enumerate(("e", "d", "c", "b", "a"), 1)]
    text = said(traffic(row(85), *kinds).errors_prose)
    assert text.startswith("15 calls failed: 15.0 % (95 % interval 9.3 % to 23.3 %).")
    assert text.endswith("By kind: a (5), b (4), c (3), and 2 more kinds.")
    assert said(traffic(row(85), *kinds[2:]).errors_prose).endswith("By kind: a (5), b (4) and c (3).")
    assert said(traffic(row(85), *kinds[1:]).errors_prose).endswith("a (5), b (4), c (3), and 1 more kind.")


@pytest.mark.parametrize(("failures", "named"), [(4, False), (5, True)])
def test_a_model_is_suspect_from_five_failures_on(failures: int, named: bool) -> None:
    """And where its interval lies above that of the rest; what no provider was found for is no model."""
    bad = failure("timeout", failures, model="openai/shaky")
    text = traffic(row(400), bad).errors_prose
    assert ("`openai/shaky` failed more often than the rest" in text) == named
    assert "more often" not in traffic(row(400), failure("model_not_found", 50, model=None)).errors_prose
    assert "more often" not in traffic(bad).errors_prose  # there is no rest


def test_speed_is_said_with_what_bounds_it() -> None:
    """All three quantiles with their intervals; nothing is too few where all are bounded."""
    whole = measure("latency", "", 200, (1.0, 0.9, 1.1), (2.0, 1.5, 2.5), (3.0, 2.5, 9.0))
    loose = measure("first_token", "", 50, (0.5, 0.4, 0.6), (0.9, 0.8, None), (1.0, None, None))
    assert said(traffic(row(200), measured=[whole, loose]).latency_prose) == (
        "Latency of 200 answered calls: half took at most 1.00 s (95 % interval 0.90 s to 1.10 s), 95 of 100 at most"
        " 2.00 s (95 % interval 1.50 s to 2.50 s), 99 of 100 at most 3.00 s (95 % interval 2.50 s to 9.00 s)."
        " Time to first token of 50 streamed calls: half took at most 0.50 s (95 % interval 0.40 s to 0.60 s), 95 of"
        " 100 at most 0.90 s (95 % interval: at least 0.80 s), 99 of 100 at most 1.00 s. 50 calls are too few to bound"
        " the 95th and 99th percentile from above."
    )
    assert said(traffic(row()).latency_prose) == (
        "Latency was not measured in any answered call of this window. Time to first token was not measured in any"
        " streamed call of this window."
    )


# ── drawn ─────────────────────────────────────────────────────────────────────────────────────────────


def heights(axis: Any) -> dict[str, dict[int, float]]:
    """Layer → position → height, where there is any."""
    return {
        layer.get_label(): {i: bar.get_height() for i, bar in enumerate(layer) if bar.get_height()}
        for layer in axis.containers
    }


@pytest.mark.parametrize(("days", "unit", "now", "earlier"), [(7, "hour", 6 * 24 + 12, 6 * 24 + 3), (8, "day", 7, 7)])
def test_calls_are_stacked_by_outcome_up_to_a_week_by_the_hour(days: int, unit: str, now: int, earlier: int) -> None:
    """Each outcome a layer of its own colour, at its hour or day; rows of one moment add up; none has no layer."""
    found = traffic(row(2), row(3, caller="bob"), row(1, hour=3, status=None), failure("timeout", 4), days=days)
    chart = found.chart_volume()
    (axis,) = chart.axes
    assert heights(axis) == {"imported": {earlier: 1}, "answered": {now: 5}, "failed": {now: 4}}
    assert axis.get_ylabel() == f"calls per {unit}"
    assert axis.get_xlabel() == f"{unit}, UTC"
    assert len(axis.containers[0]) == (days * 24 if unit == "hour" else days)
    assert len({layer[0].get_facecolor() for layer in axis.containers}) == 3


def test_callers_and_models_have_their_share() -> None:
    """Eight bars at most, the last one of all the rest."""
    rows = [row(10 - n, caller=f"c{n}", model=f"m{n % 2}") for n in range(9)]
    by_caller, by_model = traffic(*rows).chart_callers().axes
    assert [bar.get_width() for bar in by_caller.patches] == [10, 9, 8, 7, 6, 5, 4, 5]
    assert [text.get_text() for text in by_caller.texts][-1] == "5  (9.3 %)"
    assert by_caller.get_yticklabels()[-1].get_text() == "other (2)"
    assert [bar.get_width() for bar in by_model.patches] == [30, 24]
    assert by_model.get_xlabel() == "calls"


def test_kinds_of_error_are_drawn_as_shares_with_intervals() -> None:
    """In per cent of all observed calls; the interval's ends are those of the table."""
    found = traffic(row(90), failure("timeout", 8), failure("quota", 2))
    (axis,) = found.chart_errors().axes
    rates = found.errors.to_dict("records")
    assert [bar.get_width() for bar in axis.patches] == [8, 2]
    assert [line.get_xdata().tolist() for line in axis.lines] == [
        pytest.approx([row["low"] * 100, row["high"] * 100]) for row in rates
    ]
    assert [text.get_text() for text in axis.texts] == ["8.0 %  (n = 8)", "2.0 %  (n = 2)"]


def test_no_errors_to_draw_is_a_sentence() -> None:
    """None failed, none is known to have failed, none was made: three sentences."""
    ends = {
        "No call failed: 2026-11-20 (UTC).": traffic(row()),
        "Whether calls failed is unknown: 2026-11-20 (UTC).": traffic(row(status=None)),
        "No calls: 2026-11-20 (UTC).": traffic(),
    }
    for sentence, found in ends.items():
        assert found.chart_errors().empty.endswith(sentence)
    assert traffic().chart_volume().empty.endswith("No calls: 2026-11-20 (UTC).")
    assert traffic().chart_callers().empty.endswith("No calls: 2026-11-20 (UTC).")


def test_speed_is_drawn_by_model_all_first_and_the_only_model_once() -> None:
    """Most calls first; with one model `all` says the same and is left out."""
    ends = ((1.0, 0.9, 1.1), (2.0, 1.5, 2.5), (3.0, 2.5, None))
    several = [measure("latency", name, n, *ends) for name, n in (("b", 3), ("", 10), ("a", 7))]
    several.append(measure("first_token", "a", 4, *ends))
    found = traffic(row(10), measured=several)
    labels = [text.get_text().split("  ")[0] for text in found.chart_latency().axes[0].get_yticklabels()]
    assert [label.splitlines()[0].split(" (")[0] for label in labels] == ["all models", "a", "b"]
    many = [measure("latency", f"m{n}", 20 - n, *ends) for n in range(11)]
    found = traffic(row(10), measured=[measure("latency", "", 200, *ends), *many])
    labels = [text.get_text() for text in found.chart_latency().axes[0].get_yticklabels()]
    assert len(labels) == 9
    assert labels[-1].startswith("m7")
    pair = traffic(row(10), measured=[several[1], several[2]])
    (axis,) = pair.chart_latency().axes
    assert len(axis.get_yticklabels()) == 1
    assert "all models" not in axis.get_yticklabels()[0].get_text()
