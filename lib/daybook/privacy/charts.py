"""How privacy is drawn."""

from __future__ import annotations

from daybook.privacy.figures import NAMES, PrivacyFigures
from daybook.privacy.quality import Quality
from daybook.reporting.charts import ranked
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.charts.style import BLUE, SKY, Chart
from daybook.reporting.text import count, percent
from daybook.stats.estimate import Proportion


def kept(privacy: PrivacyFigures) -> Chart:
    """What is found in the content that is kept, and what was taken out before, by kind."""

    def bars(amounts: dict[str, int], colour: str) -> list[ranked.Bar]:
        most = sorted(amounts.items(), key=lambda item: (-item[1], item[0]))
        return [ranked.Bar(kind.replace("_", " "), n, count(n), colour=colour) for kind, n in most]

    return ranked.ranked(
        "Personal data in the content that is kept",
        [
            ranked.RankedPanel("found", bars({kind: n for kind, (n, _) in privacy.found.items()}, BLUE)),
            ranked.RankedPanel("taken out before it was kept", bars(dict(privacy.redacted), SKY)),
        ],
        unit="data",
        subtitle=f"{privacy.window}, content of {count(privacy.searched, 'call')}",
        empty="No content is kept." if not privacy.kept else "Nothing is found.",
    )


def quality(privacy: PrivacyFigures) -> Chart:
    """Recall and precision by kind, with Wilson's intervals."""
    marked = [q for q in privacy.measured[NAMES].values() if q.known]
    marked.sort(key=lambda q: (-q.known, q.kind))

    def point(q: Quality, share: Proportion) -> Point:
        label = f"{percent(share.value)} of {count(share.n)}"
        return Point(q.kind.replace("_", " "), share.value or 0.0, share.low, share.high, label)

    panels = [
        ForestPanel("recall: of what people marked", "", [point(q, q.recall) for q in marked], null=1.0, percent=True),
        ForestPanel(
            "precision: of what was found",
            "",
            [point(q, q.precision) for q in marked if q.found],
            null=1.0,
            percent=True,
        ),
    ]
    return forest(
        "How well each kind is found",
        panels,
        subtitle=f"{count(privacy.rows, 'annotated text')}, {count(privacy.empty)} of them without any datum",
        empty="No text is annotated.",
    )
