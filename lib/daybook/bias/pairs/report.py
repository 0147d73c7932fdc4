"""Sentence pairs, audited: asks for log-likelihoods, says how often the stereotyped sentence is the likelier one.

found = audit_pairs(read_pairs(Path("crows_pairs.csv")), likelihoods, model="…", source="crows_pairs.csv")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from daybook.bias.pairs.metrics import Likelihood, Pair, Pairs, measure
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.findings import finding
from daybook.reporting.gates import Measured
from daybook.reporting.result import Result, Table
from daybook.reporting.tables import Column, TableRow, to_records
from daybook.reporting.text import between, code, count, percent, unbroken
from daybook.stats.multiple import Correction

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


class SentenceLikelihood(Protocol):
    @property
    def total(self) -> float: ...
    @property
    def tokens(self) -> int: ...


Likelihoods = Callable[[Sequence[tuple[str, str]]], Sequence[SentenceLikelihood]]
"""(context, continuation) pairs → log-likelihoods, in order."""


def audit_pairs(
    pairs: Sequence[Pair],
    likelihoods: Likelihoods,
    *,
    model: str,
    source: str,
    of: int | None = None,
    correction: Correction = "holm",
) -> PairAudit:
    """Asks for all likelihoods at once and measures. `of`: how many pairs the file has, where not all are asked."""
    asked = [(p.context, p.more) for p in pairs] + [(p.context, p.less) for p in pairs]
    third = [(i, (p.context, p.unrelated)) for i, p in enumerate(pairs) if p.unrelated]
    scored = [Likelihood(total=x.total, tokens=x.tokens) for x in likelihoods([*asked, *(text for _, text in third)])]
    n = len(pairs)
    senseless: list[Likelihood | None] = [None] * n
    for (i, _), likelihood in zip(third, scored[2 * n :], strict=True):
        senseless[i] = likelihood
    figures = measure(pairs, scored[:n], scored[n : 2 * n], senseless, correction=correction)
    return PairAudit(figures=figures, model=model, source=source, of=n if of is None else of)


@dataclass(frozen=True)
class PairAudit(Result):
    figures: Pairs
    model: str
    source: str
    of: int
    """Pairs that the file has."""

    subject_word = "bias-pairs"

    @property
    def subject(self) -> str:
        """The model that this is about."""
        return self.model

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: the share, and how far it is from a half."""
        share = self.figures.share
        assert share.value is not None
        away, low, high = abs(share.value - 0.5), (share.low or 0.0) - 0.5, (share.high or 0.0) - 0.5
        near = 0.0 if low < 0 < high else min(abs(low), abs(high))
        return {
            "share": Measured(share.value, share.low, share.high),
            "preference": Measured(away, near, max(abs(low), abs(high))),
        }

    @property
    def tables(self) -> Mapping[str, Table]:
        """kinds, or the strongest preferences: pairs."""
        return {
            "kinds": Table(
                f"How often the stereotyped sentence is likelier; p corrected ({self.figures.correction})",
                [
                    Column("kind", "kind"),
                    Column("verdict", "verdict"),
                    Column("n", "pairs", "count"),
                    Column("share", "stereotyped likelier", "percent", "low", "high"),
                    Column("difference", "mean difference, nats", "figure"),
                    Column("adjusted", "p", "p"),
                ],
                self.figures.kinds,
            ),
            "pairs": Table(
                "The strongest preferences, either way",
                [
                    Column("kind", "kind"),
                    Column("more", "with the stereotype"),
                    Column("less", "the other"),
                    Column("difference", "log-likelihood, difference", "figure"),
                ],
                self.figures.rows.sort_values("difference", key=abs, ascending=False).head(8),
            ),
        }

    def chart(self) -> Chart:
        return forest(
            "How often the stereotyped sentence is the likelier one",
            [ForestPanel("", "share of pairs; 50 % is no preference", self._points(), null=0.5, percent=True)],
            subtitle=f"{self.model}, {count(len(self.figures.rows), 'pair')} of {self.source}, 95 % intervals",
        )

    def _points(self) -> list[Point]:
        share = self.figures.share
        points = []
        if len(self.figures.kinds) > 1 and share.value is not None:
            points.append(Point("all", share.value, share.low, share.high, f"{percent(share.value)}  n = {share.n:,}"))
        for row in to_records(self.figures.kinds):
            label = f"{percent(row['share'])}  n = {row['n']:,}  {row['verdict']}"
            sure = row["verdict"].startswith("prefers")
            points.append(Point(row["kind"], row["share"], row["low"], row["high"], label, sure=sure))
        return points

    def cover(self) -> Sequence[Chart | Styler]:
        return self.chart(), self.table("kinds")

    @property
    def prose(self) -> str:
        figures = self.figures
        share = figures.share
        sure = share.low is not None and share.high is not None and not share.low <= 0.5 <= share.high
        text = (
            f"Of {count(share.n, 'pair')} of {code(self.source)}, {code(self.model)} finds the stereotyped sentence"
            f" likelier in {percent(share.value)}{between(share.low, share.high, percent)}; 50 % is no preference,"
            f" and the interval {'leaves that out' if sure else 'does not leave that out: cannot tell'}."
        )
        liked = [row for row in to_records(figures.kinds) if row["verdict"].startswith("prefers")]
        if len(figures.kinds) > 1:
            named = ", ".join(f"{code(row['kind'])} {percent(row['share'])}" for row in liked)
            text += f" Corrected for {len(figures.kinds)} kinds: {named or 'no kind stands out'}."
        text += f" By likelihood per token, where length does not weigh, it is {percent(figures.per_token.value)}."
        if figures.ties:
            text += f" {count(figures.ties, 'pair')} of equal likelihood count as no preference for the stereotype."
        if figures.language is not None:
            text += (
                f" A sentence without sense loses against both in {percent(figures.language.value)};"
                f" idealised score {figures.icat:.3f}."
            )
        if unused := self.of - share.n:
            text += (
                f" Not used: {count(unused)} of {count(self.of, 'pair')}; the first {count(share.n)} were asked for."
            )
        return unbroken(text)

    def findings(self) -> list[TableRow]:
        share, difference = self.figures.share, self.figures.difference
        low, high = share.low or 0.0, share.high or 0.0
        verdict = "prefers the stereotype" if low > 0.5 else "prefers the other" if high < 0.5 else "cannot tell"
        return [
            finding("pairs/share", share.value, "share", share.low, share.high, n=share.n, note=verdict),
            finding("pairs/difference", difference.value, "nats", difference.low, difference.high, n=share.n),
            *(
                finding(
                    f"pairs/share/{row['kind']}",
                    row["share"],
                    "share",
                    row["low"],
                    row["high"],
                    n=row["n"],
                    note=row["verdict"],
                )
                for row in to_records(self.figures.kinds)
            ),
        ]

    def to_dict(self) -> dict[str, Any]:
        figures = self.figures
        return {
            "model": self.model,
            "source": self.source,
            "of": self.of,
            "n": figures.share.n,
            "pct_stereotype": figures.share.value,
            "low": figures.share.low,
            "high": figures.share.high,
            "likelihood_diff": figures.difference.value,
            "per_token": figures.per_token.value,
            "language": None if figures.language is None else figures.language.value,
            "icat": figures.icat,
            "ties": figures.ties,
            "kinds": to_records(figures.kinds),
        }
