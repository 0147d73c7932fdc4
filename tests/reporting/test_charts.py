"""Charts: legible, labelled, honest about nothing, and without global state. What is claimed is claimed of the
drawing's parts, never of its pixels."""

import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Annotation

from daybook.reporting.charts import forecast, quantiles, ranked
from daybook.reporting.charts import timeline as days
from daybook.reporting.charts.style import GREY, PALETTE, nothing, short
from daybook.stats.estimate import Estimate

DATES = [date(2026, 11, 1) + timedelta(days=i) for i in range(20)]
HOURS = [datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=i) for i in range(24)]
BARS = [ranked.Bar(f"model {i}", 10.0 - i, f"{10 - i}") for i in range(10)]


def stacked():
    return days.stacked("Calls per day", DATES, {"ok": [2] * 20, "failed": [1] * 20}, unit="calls per day")


def by_name():
    return ranked.ranked("By model", [ranked.RankedPanel("", BARS)], unit="US dollars", money=True)


def dots():
    row = quantiles.QuantileRow("gpt-4o", 5, [Estimate(1.0, 0.5, 2.0), Estimate(9.0, 4.0, None)])
    return quantiles.quantiles("Latency", ("p50", "p95"), [row], unit="seconds (log scale)")


def coming():
    return forecast.ahead(
        "Next", DATES[:10], [1.0] * 10, DATES[10:], [1] * 10, [0] * 10, [2] * 10, unit="US dollars a day"
    )


ALL = [stacked, by_name, dots, coming]


@pytest.mark.parametrize("make", ALL)
def test_a_chart_has_a_title_units_and_an_alternative_text(make):
    """The axis of amounts names its unit; the image carries what it shows in words."""
    chart = make()
    title = chart.get_suptitle()
    axis = chart.axes[-1]
    labels = f"{axis.get_xlabel()} {axis.get_ylabel()}"
    assert title
    assert any(unit in labels for unit in ("calls", "dollars", "seconds"))
    data, metadata = chart.to_png()
    assert data.startswith(b"\x89PNG")
    assert metadata["alt"].startswith(title)
    assert "\\" not in metadata["alt"]


@pytest.mark.parametrize("make", ALL)
def test_the_same_values_draw_the_same_image(make):
    """Byte for byte: no date, no random part."""
    assert make().to_png() == make().to_png()


@pytest.mark.parametrize("make", ALL)
def test_no_text_lies_over_another_or_outside(make):
    """Tick labels of one axis do not overlap, and everything written is within the image."""
    chart = make()
    canvas = FigureCanvasAgg(chart)
    canvas.draw()
    renderer = canvas.get_renderer()
    for axis in chart.axes:
        for ticks in (axis.get_xticklabels(), axis.get_yticklabels()):
            boxes = [label.get_window_extent(renderer) for label in ticks if label.get_text() and label.get_visible()]
            inside = [box for box in boxes if box.width and axis.get_window_extent(renderer).padded(80).overlaps(box)]
            for one, other in pairwise(inside):
                assert not one.padded(-1).overlaps(other.padded(-1))
        for text in axis.texts:
            box = text.get_window_extent(renderer)
            assert box.x0 >= 0
            assert box.x1 <= chart.bbox.x1 + 1


def test_stacked_bars_add_up():
    """The second layer stands on the first."""
    axis = stacked().axes[0]
    tops = {round(bar.get_y() + bar.get_height(), 6) for bar in axis.patches}
    assert tops == {2.0, 3.0}
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["failed", "ok"]


def test_hours_stand_between_their_ticks():
    """The bar of 14 o'clock reaches from 14 to 15."""
    values = [0.0] * 24
    values[14] = 5.0
    axis = days.stacked("Calls per hour", HOURS, {"ok": values}, unit="calls").axes[0]
    bar = max(axis.patches, key=lambda patch: patch.get_height())
    start = days.day_number(HOURS[14])
    assert bar.get_x() == pytest.approx(start)
    assert bar.get_width() == pytest.approx(1 / 24)


def test_the_rest_is_added_up_and_grey():
    """Ten names in five bars: four of their own, and one of what is left, so that nothing is lost."""
    bars = ranked.top(BARS, 5, lambda value: f"{value:g}")
    assert [bar.name for bar in bars] == ["model 0", "model 1", "model 2", "model 3", "other (6)"]
    assert sum(bar.value for bar in bars) == sum(bar.value for bar in BARS)
    assert (bars[-1].colour, bars[-1].label) == (GREY, "21")


def test_intervals_are_drawn_where_they_are_known():
    """From low to high; a quantile without an upper bound gets an arrow instead."""
    bar = ranked.Bar("timeout", 2.0, "2 %", low=0.5, high=7.0)
    axis = ranked.ranked("Errors", [ranked.RankedPanel("", [bar])], unit="%").axes[0]
    assert [list(line.get_xdata()) for line in axis.lines] == [[0.5, 7.0]]
    axis = dots().axes[0]
    assert [0.5, 2.0] in [list(line.get_xdata()) for line in axis.lines]
    assert sum(1 for text in axis.texts if isinstance(text, Annotation) and text.arrow_patch) == 1


@pytest.mark.parametrize(
    "chart",
    [
        days.stacked("T", DATES, {"ok": [0] * 20}, unit="calls", empty="No calls."),
        days.stacked("T", DATES, {}, unit="calls", empty="No calls."),
        ranked.ranked("T", [ranked.RankedPanel("", [])], unit="calls", empty="No calls."),
        ranked.ranked("T", [], unit="calls", empty="No calls."),
        nothing("T", "No calls."),
    ],
)
def test_nothing_is_said_in_words(chart):
    """Instead of an empty frame."""
    assert [text.get_text() for text in chart.axes[0].texts] == ["No calls."]
    assert chart.alt == "T. No calls."


def test_a_page_shows_one_sentence_for_a_chart_of_nothing():
    """No picture: the title and why, escaped; a chart of something is its picture, and no text beside it."""
    chart = nothing("A < B", "No calls.")
    assert (chart._repr_png_(), chart._repr_html_()) == (None, "<p><em>A &lt; B. No calls.</em></p>")
    drawn = ranked.ranked("A < B", [ranked.RankedPanel("", [ranked.Bar("a", 2.0, "2")])], unit="calls")
    assert (drawn._repr_html_(), drawn._repr_png_()) == (None, drawn.to_png())
    assert drawn.to_html().startswith('<p><img alt="A &lt; B." src="data:image/png;base64,iVBOR')


def test_names_cannot_become_mathematics():
    """Dollar signs stay dollar signs; long names end in an ellipsis."""
    assert short("a$b$c") == r"a\$b\$c"
    assert short("x" * 100, 10) == "x" * 9 + "…"


def test_colours_can_be_told_apart():
    """Seven of them, none twice, and none the grey of what is left over."""
    assert len(set(PALETTE)) == 7
    assert GREY not in PALETTE


def test_charts_leave_nothing_behind():
    """pyplot is not imported, and matplotlib's settings are what they were."""
    program = """
import sys, matplotlib
names = [name for name in matplotlib.rcParams if name != "backend"]  # asking for that one picks one
before = [matplotlib.rcParams[name] for name in names]
from datetime import date
from daybook.reporting.charts import timeline
timeline.stacked("T", [date(2026, 11, 20)], {"ok": [1]}, unit="calls").to_png()
print("matplotlib.pyplot" in sys.modules, [matplotlib.rcParams[name] for name in names] == before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


@pytest.mark.parametrize("counts", [[3, 5, 7, 4], [1, 0], [2], [1, 130]])
def test_counts_are_marked_in_whole_numbers(counts):
    """Nobody has one and a half controls; amounts have whatever marks fit them."""
    bars = [ranked.Bar(f"b{i}", n, str(n)) for i, n in enumerate(counts)]
    (axis,) = ranked.ranked("Controls", [ranked.RankedPanel("", bars)], unit="controls").axes
    ticks = list(axis.get_xticks())
    assert ticks[0] == 0
    assert all(tick == int(tick) for tick in ticks)
    (axis,) = ranked.ranked("Money", [ranked.RankedPanel("", bars[:1])], unit="USD", money=True).axes
    assert max(axis.get_xticks()) >= counts[0]
