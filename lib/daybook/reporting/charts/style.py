"""The house style: paper, ink, a palette that colour-blind readers can tell apart, and the figure that shows itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from html import escape
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from daybook.pii import masked

# Okabe and Ito (2008): distinguishable with every common kind of colour vision, and in print.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
BLUE, ORANGE, GREEN, PINK, SKY, RED, YELLOW = PALETTE
GREY = "#999999"
"""For what is left over: other, unknown."""
INK = "#222222"
FAINT = "#DDDDDD"
SOFT = "#666666"

WIDTH = 8.6
"""Inches; at 110 dots an inch a chart fills a report's column."""


class Chart(Figure):
    """A Figure with an alternative text, that shows itself as a PNG in a notebook without pyplot."""

    alt: str = ""
    empty: str = ""
    """Why there is nothing to draw: one sentence, shown instead of an empty frame."""

    def to_html(self) -> str:
        if self.empty:
            return f"<p><em>{escape(self.empty)}</em></p>"
        png, metadata = self.to_png()
        source = f"data:image/png;base64,{b64encode(png).decode()}"
        return f'<p><img alt="{escape(metadata["alt"])}" src="{source}"></p>'

    def _repr_html_(self) -> str | None:
        return self.to_html() if self.empty else None

    def _repr_png_(self) -> tuple[bytes, dict[str, str]] | None:
        return None if self.empty else self.to_png()

    def to_png(self) -> tuple[bytes, dict[str, str]]:
        """The picture, and its alternative text as a notebook keeps it."""
        data = BytesIO()
        self.savefig(data, format="png", dpi=self.dpi, metadata={"Software": None, "Title": self.alt})
        return data.getvalue(), {"alt": self.alt}


def chart(
    title: str, *, height: float = 3.4, subtitle: str = "", panels: Sequence[float] = (1.0,)
) -> tuple[Chart, list[Axes]]:
    """An empty chart, and the axes of its `panels`, which stand below each other in these proportions."""
    layout = ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.06, wspace=0.04)
    figure = Chart(figsize=(WIDTH, height), dpi=110, layout=layout, facecolor="white")
    figure.suptitle(title, x=0.008, ha="left", fontsize=12.5, fontweight="bold", color=INK)
    figure.alt = f"{title}. {subtitle}".strip().replace(r"\$", "$")
    grid = figure.add_gridspec(len(panels), 1, height_ratios=list(panels))
    axes = [figure.add_subplot(grid[i]) for i in range(len(panels))]
    for axis in axes:
        dress(axis)
    if subtitle:
        axes[0].set_title(subtitle, loc="left", fontsize=9.5, color=SOFT, pad=8)
    return figure, axes


def dress(axis: Axes) -> None:
    """Light grid behind the data, no frame, quiet ticks."""
    axis.set_axisbelow(True)
    axis.grid(visible=True, color=FAINT, linewidth=0.7)
    for side in ("top", "right", "left", "bottom"):
        axis.spines[side].set_visible(side == "bottom")
        axis.spines[side].set_color(GREY)
    axis.tick_params(colors=INK, labelsize=9, length=0)
    axis.xaxis.label.set(color=INK, fontsize=9.5)
    axis.yaxis.label.set(color=INK, fontsize=9.5)


def nothing(title: str, why: str) -> Chart:
    """A chart for no data: a page shows one sentence in its stead."""
    figure, (axis,) = chart(title, height=1.5)
    axis.set_axis_off()
    axis.text(0.5, 0.5, why, ha="center", va="center", fontsize=11, color=SOFT, transform=axis.transAxes)
    figure.empty = figure.alt = f"{title}. {why}".replace(r"\$", "$")
    return figure


def legend(axis: Axes, **kwargs: Any) -> None:
    """Beside the data, never over it."""
    axis.legend(frameon=False, fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, **kwargs)


def short(name: object, width: int = 30) -> str:
    """A name that fits beside an axis, without personal data, which nobody would find in a picture later; its end is
    cut, because the beginning tells provider and family. Dollar signs
    are escaped, because matplotlib would read mathematics between two of them."""
    text = masked(" ".join(str(name).split()))
    text = text if len(text) <= width else text[: width - 1] + "…"
    return text.replace("$", r"\$")
