"""A loss as it falls: training and held-out, with the point that was kept."""

from __future__ import annotations

from collections.abc import Sequence

from daybook.reporting.charts.style import BLUE, GREY, INK, ORANGE, Chart, chart, legend, nothing


def losses(
    title: str,
    x: Sequence[float],
    held_out: Sequence[float],
    train: Sequence[float | None],
    *,
    kept: int | None,
    unit: str,
    loss: str = "loss, nats a token",
    subtitle: str = "",
    log: bool = False,
) -> Chart:
    """`kept`: which of the points is the one that was kept. `unit`, `loss`: of x and of the loss. `log`: x grows by
    factors."""
    if not held_out:
        return nothing(title, "Nothing was measured on held-out rows.")
    figure, (axis,) = chart(title, subtitle=subtitle)
    known = [(a, b) for a, b in zip(x, train, strict=True) if b is not None]
    if known:
        axis.plot(*zip(*known, strict=True), color=GREY, linewidth=1.4, marker="o", markersize=3.5, label="trained on")
    axis.plot(x, held_out, color=BLUE, linewidth=2, marker="o", markersize=4.5, label="held out")
    if kept is not None:
        axis.plot([x[kept]], [held_out[kept]], "o", color=ORANGE, markersize=10, fillstyle="none", markeredgewidth=2)
        axis.annotate(
            f"kept: {held_out[kept]:.3g}", (x[kept], held_out[kept]), xytext=(0, 10), textcoords="offset points",
            ha="center", fontsize=9, color=INK,
        )  # fmt: skip
    if log:
        axis.set_xscale("log")
        axis.set_xticks(list(x), [f"{v:g}" for v in x])
        axis.minorticks_off()
    axis.set_ylim(0, max([*held_out, *(b for _, b in known)]) * 1.15)
    axis.set_xlabel(unit)
    axis.set_ylabel(loss)
    if known:
        legend(axis)
    return figure
