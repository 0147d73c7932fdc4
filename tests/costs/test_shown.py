"""What the costs draw and say, from rows that stand here: no book."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from daybook.costs.figures import CostsFigures
from daybook.costs.report import Costs
from daybook.costs.repricing import Quote
from daybook.errors import BadParameter
from daybook.press.publishing.standing import headlines
from daybook.reporting.text import plain
from daybook.window import Window

DAY = date(2026, 11, 20)


def row(model: str, spend: str | None, calls: int = 1, day: date = DAY, **fields: Any) -> dict[str, Any]:
    known = {"day": day, "caller": "ann", "project": "red", "provider": "openai", "model": model, "unpriced": None}
    tokens = {"input_tokens": 100, "cached_tokens": 0, "output_tokens": 10}
    amount = None if spend is None else Decimal(spend)
    return {**known, **tokens, "calls": calls, "spend": amount, "counted": calls, **fields}


def quote(model: str, amount: str | None, *, dated: bool = True) -> Quote:
    return Quote("openai", model, None if amount is None else Decimal(amount), "a rate", None, dated)


def costs(
    rows: Sequence[dict[str, Any]] = (),
    *,
    offers: Sequence[Quote] = (),
    spent: dict[date, str] | None = None,
    dearest: Sequence[dict[str, Any]] = (),
    days: int = 2,
    first: datetime | None = None,
    **fields: Any,
) -> Costs:
    """Of the `days` days up to 2026-11-20. `spent`: what each day cost, for the forecast."""
    priced = [r for r in rows if r["spend"] is not None]
    usages = [{"calls": r["calls"], "spend": r["spend"]} for r in priced]
    return Costs(
        window=Window.of(DAY, days), rows=list(rows),
        days=[{"day": day, "spend": Decimal(amount)} for day, amount in (spent or {}).items()],
        usages=usages, dearest_rows=list(dearest), rate_rows=[], first_call=first, offers=list(offers), **fields,
    )  # fmt: skip


def said(text: str) -> str:
    return plain(text).replace("\u00a0", " ")


def dollars(axis: Any) -> str:
    """How half a dollar is written at an axis."""
    return str(axis.get_major_formatter()(0.5, 0))


def bars(axis: Any) -> list[list[float]]:
    """Bottom and height of each bar, layer by layer."""
    return [[(bar.get_y(), bar.get_height()) for bar in layer] for layer in axis.containers]


# ── drawn ─────────────────────────────────────────────────────────────────────────────────────────────


def test_each_day_is_stacked_by_model_dearest_first() -> None:
    """Two rows of one model and day add up; the next model stands upon them; what is free or unpriced has no layer."""
    yesterday = DAY - timedelta(days=1)
    found = costs(
        [
            row("a", "1"), row("a", "0.5", caller="bob"), row("b", "0.25"), row("b", "0.75", day=yesterday),
            row("free", "0"), row("c", None, unpriced="no rate known"),
        ]
    )  # fmt: skip
    (axis,) = found.chart_by_day().axes
    assert bars(axis) == [[(0, 0), (0, 1.5)], [(0, 0.75), (1.5, 0.25)]]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["openai/b", "openai/a"]
    assert axis.get_ylabel() == "US dollars per day"
    assert dollars(axis.yaxis) == r"\$0.50"


@pytest.mark.parametrize(("models", "last"), [(6, "openai/m5"), (7, "openai/m6"), (8, "other (2)"), (9, "other (3)")])
def test_seven_models_have_a_layer_each_and_more_are_added_up(models: int, last: str) -> None:
    """Six and `other` where there are eight: a rest of one would be named by its name."""
    found = costs([row(f"m{n}", str(10 - n)) for n in range(models)])
    (axis,) = found.chart_by_day().axes
    layers = [container.get_label() for container in axis.containers]
    assert layers[:6] == [f"openai/m{n}" for n in range(6)]
    assert layers[-1] == last
    assert len(layers) == min(models, 7)
    assert sum(layer[1][1] for layer in bars(axis)) == sum(10 - n for n in range(models))
    assert bars(axis)[-1][1][1] == sum(10 - n for n in range(len(layers) - 1, models))


def test_who_spent_has_a_panel_each_for_model_caller_and_project() -> None:
    """Lengths and labels with their shares; what has no price is counted below, and drawn nowhere."""
    rows = [
        row("a", "3"), row("a", "0", caller="bob"), row("b", "1", caller="bob", project=None),
        row("c", None, calls=2, unpriced="x"),
    ]  # fmt: skip
    by_model, by_caller, by_project = costs(rows).chart_who().axes
    panels = [(axis.get_title("left"), [bar.get_width() for bar in axis.patches]) for axis in (by_model, by_caller)]
    assert panels == [("by model", [3, 1]), ("by caller", [3, 1])]
    assert [text.get_text() for text in by_caller.texts] == [r"\$3.00  (75.0 %)", r"\$1.00  (25.0 %)"]
    assert [text.get_text() for text in by_project.get_yticklabels()] == ["red", "(no project)"]
    assert by_project.get_xlabel() == "US dollars; 2 unpriced calls left out"
    assert {dollars(axis.xaxis) for axis in (by_model, by_caller, by_project)} == {r"\$0.50"}
    assert costs(rows[:3]).chart_who().axes[-1].get_xlabel() == "US dollars"


@pytest.mark.parametrize(("callers", "last"), [(8, "c7"), (9, "other (2)")])
def test_eight_callers_have_a_bar_each_and_more_are_added_up(callers: int, last: str) -> None:
    """The last bar is all the rest, with its amount and share."""
    found = costs([row("a", str(9 - n), caller=f"c{n}") for n in range(callers)])
    axis = found.chart_who().axes[1]
    assert axis.get_yticklabels()[-1].get_text() == last
    assert [bar.get_width() for bar in axis.patches] == [9, 8, 7, 6, 5, 4, 3, 2 if callers == 8 else 3]
    assert axis.texts[-1].get_text() == (r"\$2.00  (4.5 %)" if callers == 8 else r"\$3.00  (6.7 %)")


def test_the_same_tokens_are_drawn_beside_what_they_cost() -> None:
    """Cheapest first, in its place what was really spent; times where that is not 0; an unknown price is no bar."""
    offers = [quote("mini", "0.5"), quote("big", "8"), quote("gone", None)]
    (axis,) = costs([row("a", "2", calls=3)], offers=offers).chart_elsewhere().axes
    assert [bar.get_width() for bar in axis.patches] == [0.5, 2, 8]
    assert [text.get_text() for text in axis.texts] == [
        r"\$0.50  ×0.25", r"\$2.00  really spent", r"\$8.00  ×4",
    ]  # fmt: skip
    assert dollars(axis.xaxis) == r"\$0.50"
    (axis,) = costs([row("a", "0")], offers=offers).chart_elsewhere().axes
    assert [text.get_text() for text in axis.texts] == [r"\$0  really spent", r"\$0.50", r"\$8.00"]
    assert (
        costs([row("a", "2")], offers=offers[2:]).chart_elsewhere().empty.endswith("No priced tokens in this window.")
    )
    assert costs([row("a", None, unpriced="x")], offers=offers).chart_elsewhere().empty


def test_what_is_expected_is_drawn_behind_what_was() -> None:
    """A bar for each whole day, a point for each of the thirty to come, within their band."""
    spent = {DAY - timedelta(days=n): str(1 + n % 7) for n in range(28)}
    found = costs([row("a", "1")], spent=spent, days=28, first=datetime(2026, 10, 1, tzinfo=UTC))
    (axis,) = found.chart_forecast().axes
    assert [bar.get_height() for bar in axis.patches] == [float(spent[day]) for day in sorted(spent)]
    (line,) = [line for line in axis.lines if line.get_label() == "expected"]
    assert line.get_ydata().tolist() == pytest.approx(
        [float(spent[DAY - timedelta(days=6 - n % 7)]) for n in range(30)]
    )
    assert axis.get_ylabel() == "US dollars per day"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([], "No calls: "),
        ([row("a", None, unpriced="no rate known")], "No call has a known cost: "),
        ([row("a", "0"), row("b", "0", caller="bob")], "Nothing was spent: "),
    ],
)
def test_what_was_not_spent_is_a_sentence_and_no_chart(rows: Sequence[dict[str, Any]], why: str) -> None:
    """No calls, no price, or nothing but zeros: by day, and by whom."""
    for chart in (costs(rows).chart_by_day(), costs(rows).chart_who()):
        assert chart.empty.endswith(f"{why}2026-11-19 to 2026-11-20 (UTC).")
        assert not chart.axes[0].patches


# ── said ──────────────────────────────────────────────────────────────────────────────────────────────


def test_reasons_for_no_price_are_counted_over_models() -> None:
    """Most frequent first; models that want a rate are named once, and nothing where a rate would not help."""
    rows = [
        row("a", "1", calls=4), row("x", None, calls=2, unpriced="no rate known"),
        row("y", None, calls=3, unpriced="no rate known"), row("x", None, unpriced="tokens not counted"),
    ]  # fmt: skip
    assert said(costs(rows).unpriced_prose) == (
        "6 calls of 10 (60.0 %) have no known cost: 5 (no rate known) and 1 (tokens not counted)."
        " They are not in any sum. A rate for openai/x and openai/y would price the next ones."
    )
    assert "A rate for" not in costs([rows[0], rows[-1]]).unpriced_prose
    assert costs(rows[:1]).unpriced_prose == "Every call has a known cost."
    assert costs().unpriced_prose == "No calls, so none without a price."


def test_what_it_would_cost_elsewhere_says_what_is_not_known() -> None:
    """From the cheapest to the dearest; models without a price and prices without a date are counted."""
    offers = [quote("mini", "0.5", dated=False), quote("mid", "1"), quote("big", "8"), quote("gone", None)]
    assert said(costs([row("a", "2", calls=3)], offers=offers).elsewhere_prose) == (
        "The 3 priced calls cost $2.00. By the prices of 2026-11-20 the same tokens would have cost from $0.50 on"
        " openai/mini to $8.00 on openai/big. For 1 model no price of that day is known. For 1 of these 3 the price"
        " book does not say since when the price holds. This compares prices, not answers: other models count and"
        " answer in other tokens."
    )
    whole = said(costs([row("a", "2")], offers=offers[1:3]).elsewhere_prose)
    assert "no price of that day" not in whole
    assert "does not say since when" not in whole
    nothing = "There are no priced tokens in this window to compare with other models."
    assert costs([row("a", "2")], offers=offers[3:]).elsewhere_prose == nothing
    assert costs([row("a", None, unpriced="x")], offers=offers).elsewhere_prose == nothing


def test_the_dearest_calls_are_a_part_of_the_spend() -> None:
    """One alone is not compared with itself; of several their share is said."""
    dear = {"cost": Decimal("0.5"), "input_tokens": 1200, "output_tokens": 30, "caller": None}
    cheap = {**dear, "cost": Decimal("0.25")}
    one = "The dearest call cost $0.50: 1,200 tokens in and 30 out, by (no caller)."
    assert said(costs([row("a", "2")], dearest=[dear]).dearest_prose) == one
    assert said(costs([row("a", "2")], dearest=[dear, cheap]).dearest_prose) == (
        f"{one} The 2 dearest together are 37.5 % of the spend."
    )
    assert costs([row("a", "0")]).dearest_prose == "No call of this window cost anything."


def test_a_forecast_that_wants_another_window_or_nothing_is_not_advised_to_wait() -> None:
    """Whole days enough and all of them free: nothing is missing. No book at all: nothing to say either."""
    spent = {DAY - timedelta(days=n): "0" for n in range(14)}
    free = costs([row("a", "0")], spent=spent, days=14, first=datetime(2026, 10, 1, tzinfo=UTC))
    assert free.chart_forecast().empty.endswith(f"Cannot be told: {free.forecast}.")
    assert said(free.forecast_prose) == f"What is to come cannot be told: {free.forecast}."
    assert said(costs().forecast_prose).endswith("a forecast needs 14.")


def test_a_day_without_a_price_is_not_the_dearest_and_one_day_has_none() -> None:
    """The dearest day is named where several have a price."""
    yesterday = DAY - timedelta(days=1)
    rows = [row("a", "1"), row("a", None, day=yesterday, unpriced="x")]
    assert "The dearest day" not in costs(rows).spend_prose
    assert "The dearest day was 2026-11-19 with $3.00." in said(
        costs([rows[0], row("a", "3", day=yesterday)]).spend_prose
    )
    assert said(costs(rows).spend_prose).startswith(
        "$1.00 for 1 priced call from 2026-11-19 to 2026-11-20 (UTC), $1.00 a call. All of it went to openai/a; ann"
        " spent all of it."
    )


# ── where all is free ─────────────────────────────────────────────────────────────────────────────────


def test_where_all_is_free_the_first_figures_are_what_it_would_cost() -> None:
    """The same tokens at both ends of the prices and the machine's time at the price of an hour that the reader says;
    where something was spent they are not among the findings."""
    offers = [quote("mini", "0.5"), quote("mid", "1"), quote("big", "8"), quote("gone", None)]
    free = costs([row("a", "0", calls=4)], offers=offers, machine_seconds=90.0, hour_price=Decimal("1.20"))
    findings = free.findings()
    assert [(f["name"], f["value"], f["unit"]) for f in headlines("costs", findings)] == [
        ("spend", 0.0, "USD"),
        ("same_tokens/from/openai/mini", 0.5, "USD"),
        ("same_tokens/to/openai/big", 8.0, "USD"),
        ("machine_time", 0.03, "USD"),
    ]
    assert {f["name"]: f["note"] for f in findings}["machine_time"] == "90.0 s at 1.20 USD an hour"
    assert said(free.spend_prose).endswith(
        "The same tokens would have cost from $0.50 on openai/mini to $8.00 on openai/big. The machine is not free:"
        " answering took 90.0 s of it at most, $0.0300 at $1.20 an hour: say yours as hour_price."
    )
    paid = {f["name"] for f in costs([row("a", "1")], offers=offers, machine_seconds=90.0).findings()}
    assert not {name for name in paid if name.startswith(("same_tokens", "machine_time"))}


def test_free_calls_without_known_times_or_prices_have_no_such_figures() -> None:
    """Unknown is None, and no model is named."""
    findings = {f["name"]: f for f in costs([row("a", "0")], offers=[quote("gone", None)]).findings()}
    assert (findings["machine_time"]["value"], findings["machine_time"]["note"]) == (None, None)
    assert not [name for name in findings if name.startswith("same_tokens")]


@pytest.mark.parametrize("price", ["-0.01", "nan", "inf", "1000001"])
def test_an_hour_has_a_price(price: str) -> None:
    """From 0 to a million US dollars; refused before the book is read."""
    with pytest.raises(BadParameter, match="An hour of this machine costs"):
        CostsFigures.read(None, logical_date=DAY, hour_price=Decimal(price))  # type: ignore[arg-type] # not reached


def test_what_is_printed_of_costs_is_not_the_data() -> None:
    """Neither callers nor amounts: a result may be logged."""
    assert "ann" not in repr(costs([row("a", "1")], dearest=[{"caller": "ann"}], offers=[quote("ann", "1")]))
