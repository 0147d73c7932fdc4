"""How a fine-tuning is drawn."""

from __future__ import annotations

from matplotlib.ticker import FuncFormatter

from daybook.finetune.figures import FinetuningFigures
from daybook.reporting.charts.curve import losses
from daybook.reporting.charts.style import BLUE, GREY, Chart, chart, nothing
from daybook.reporting.text import percent


def curve(tuning: FinetuningFigures) -> Chart:
    """The loss as it fell, with the state that was kept."""
    points, recipe = tuning.training["curve"], tuning.plan.recipe
    head = recipe.method == "head"
    kept = 1 if head else [p["step"] for p in points].index(tuning.training["best_step"]) if points else None
    return losses(
        "Held-out loss",
        [p["epoch"] if head else p["step"] for p in points],
        [p["validation"] for p in points],
        [p["train"] for p in points],
        kept=kept,
        unit="strength of the head (C)" if head else "step",
        loss=f"loss, nats a {'token' if recipe.method == 'lora' else 'row'}",
        subtitle=f"{recipe.method} on {recipe.base}, seed {recipe.seed}",
        log=head,
    )


def compared(tuning: FinetuningFigures) -> Chart:
    """Before and after, each with its interval."""
    title = "Before and after, with 95 % intervals"
    kind, metrics = tuning.measure, tuning.done.metrics
    if kind is None:
        return nothing(title, "Nothing was compared.")
    figure, (axis,) = chart(title, height=1.9, subtitle=f"{kind}, {metrics[f'{kind}_base']['n']:,} held-out rows")
    shown = percent if kind == "accuracy" else "{:.3g}".format
    for y, (side, colour) in enumerate((("tuned", BLUE), ("base", GREY))):
        estimate = metrics[f"{kind}_{side}"]
        if estimate["low"] is not None:
            axis.plot([estimate["low"], estimate["high"]], [y, y], color=colour, linewidth=2.5, solid_capstyle="round")
        at = (estimate["value"], y)
        axis.plot(*([value] for value in at), "o", color=colour, markersize=8)
        axis.annotate(shown(at[0]), at, xytext=(0, 8), textcoords="offset points", ha="center", fontsize=9)
    axis.set_yticks([0, 1], ["after", "before"])
    axis.set_ylim(-0.6, 1.7)
    axis.set_xlim(left=0, right=1 if kind == "accuracy" else None)
    if kind == "accuracy":
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    axis.set_xlabel(kind)
    return figure
