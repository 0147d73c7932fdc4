"""How the evidence is drawn."""

from __future__ import annotations

from daybook.evidence.figures import STATES, EvidenceFigures
from daybook.reporting.charts import ranked
from daybook.reporting.charts.style import BLUE, ORANGE, RED, SKY, Chart

_COLOURS = dict(zip(STATES, (BLUE, SKY, ORANGE, RED), strict=True))


def controls(evidence: EvidenceFigures) -> Chart:
    """Controls by state."""
    bars = [ranked.Bar(state, n, str(n), colour=_COLOURS[state]) for state, n in evidence.counts.items()]
    return ranked.ranked(
        f"What is shown of {len(evidence.controls)} controls",
        [ranked.RankedPanel("", bars)],
        unit="controls",
        subtitle=str(evidence.window),
    )
