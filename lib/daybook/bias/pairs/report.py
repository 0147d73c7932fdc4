"""Sentence pairs, audited: reads the usual shapes, asks for log-likelihoods, says how often the stereotype is likelier.

    found = audit(read(Path("crows_pairs.csv")), likelihoods)

Shapes: CrowS-Pairs (`sent_more`, `sent_less`, `bias_type`), any table with `stereotype` and `anti_stereotype` (and
`unrelated`, `context`, `kind`, `id`), StereoSet's JSON, WinoBias's two files (either of
`pro_stereotyped…` and `anti_stereotyped…` is named).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from daybook.bias import files
from daybook.bias.pairs import metrics as measuring
from daybook.bias.pairs.metrics import Likelihood, Pair, Pairs
from daybook.errors import BadData
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.findings import finding, summary
from daybook.reporting.gates import Measured
from daybook.reporting.tables import Column, TableRow, present, to_python, to_records
from daybook.reporting.text import between, code, count, percent, unbroken
from daybook.stats.multiple import Correction

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart

_MORE, _LESS = ("sent_more", "stereotype", "more"), ("sent_less", "anti_stereotype", "less")


class SentenceLikelihood(Protocol):
    @property
    def total(self) -> float: ...
    @property
    def tokens(self) -> int: ...


Likelihoods = Callable[[Sequence[tuple[str, str]]], Sequence[SentenceLikelihood]]
"""(context, continuation) pairs → log-likelihoods, in order."""


def read(path: Path, *, limit: int | None = None) -> list[Pair]:
    """The pairs of a file. Raises BadData that names row and column."""
    if not path.is_file():
        raise BadData(f"There is no file {path}.", remedy="Correct the path.")
    if path.name.startswith(("pro_stereotyped", "anti_stereotyped")):
        found = list(_winobias(path.with_name(path.name.replace("anti_", "pro_", 1))))
    elif path.suffix == ".json":
        found = list(_stereoset(path))
    else:
        found = list(_table(path))
    seen: set[str] = set()
    twice = sorted({pair.id for pair in found if pair.id in seen or seen.add(pair.id)})  # type: ignore[func-returns-value]  # add gives None
    if twice:
        raise BadData(
            f"{len(twice)} ids of {path.name} stand more than once, the first is {twice[0]!r}.",
            remedy="Give each pair an id of its own.",
        )
    if not found:
        raise BadData(f"{path.name} has no pairs.", remedy="Give at least one pair of sentences.")
    return found[:limit]


def _table(path: Path) -> Iterator[Pair]:
    frame = files.table(path)
    more, less = (next((name for name in names if name in frame.columns), None) for names in (_MORE, _LESS))
    if more is None or less is None:
        raise BadData(
            f"{path.name} has no pair of columns sent_more and sent_less, or stereotype and anti_stereotype.",
            remedy=f"It has: {', '.join(map(str, frame.columns))}.",
        )
    for n, row in enumerate(to_records(frame), start=1):
        if row[more] is None or row[less] is None:
            raise BadData(f"Row {n} of {path.name} lacks one of its sentences.", remedy="Give both, or drop the row.")
        yield Pair(
            id=str(row.get("id") or n),
            more=row[more],
            less=row[less],
            kind=row.get("bias_type") or row.get("kind") or "all",
            context=row.get("context") or "",
            unrelated=row.get("unrelated"),
        )


def _stereoset(path: Path) -> Iterator[Pair]:
    try:
        sets = json.loads(path.read_text(encoding="utf-8"))["data"]
        for form in ("intrasentence", "intersentence"):
            for row in sets.get(form, []):
                sentences = {sentence["gold_label"]: sentence["sentence"] for sentence in row["sentences"]}
                yield Pair(
                    id=str(row["id"]),
                    more=sentences["stereotype"],
                    less=sentences["anti-stereotype"],
                    unrelated=sentences.get("unrelated"),
                    kind=row.get("bias_type", "all"),
                    context=row["context"] + " " if form == "intersentence" else "",
                )
    except (ValueError, KeyError, TypeError) as error:
        raise BadData(
            f"{path.name} is not of StereoSet's shape: {type(error).__name__} {error}.",
            remedy="It needs data.intrasentence[].sentences[].gold_label and .sentence.",
        ) from None


def _winobias(path: Path) -> Iterator[Pair]:
    if not path.is_file():
        raise BadData(f"There is no {path.name} beside its other half.", remedy="Put both files into one folder.")
    other = path.with_name(path.name.replace("pro_stereotyped", "anti_stereotyped"))
    if not other.is_file():
        raise BadData(f"Beside {path.name} there is no {other.name}.", remedy="Put both files into one folder.")
    both = [[line for line in file.read_text("utf-8").splitlines() if line.strip()] for file in (path, other)]
    if len(both[0]) != len(both[1]):
        raise BadData(f"{path.name} has {len(both[0])} lines and {other.name} {len(both[1])}.", remedy="Pair them.")
    for n, (pro, anti) in enumerate(zip(*both, strict=True), start=1):
        more, less = (re.sub(r"^\d+\s+", "", line).replace("[", "").replace("]", "").strip() for line in (pro, anti))
        yield Pair(id=f"{path.name}:{n}", more=more, less=less, kind="gender and occupation")


def audit(
    pairs: Sequence[Pair],
    likelihoods: Likelihoods,
    *,
    model: str,
    source: str,
    correction: Correction = "holm",
) -> PairAudit:
    """Asks for all likelihoods at once and measures."""
    asked = [(p.context, p.more) for p in pairs] + [(p.context, p.less) for p in pairs]
    third = [(i, (p.context, p.unrelated)) for i, p in enumerate(pairs) if p.unrelated]
    scored = [Likelihood(total=x.total, tokens=x.tokens) for x in likelihoods([*asked, *(text for _, text in third)])]
    n = len(pairs)
    senseless: list[Likelihood | None] = [None] * n
    for (i, _), likelihood in zip(third, scored[2 * n :], strict=True):
        senseless[i] = likelihood
    found = measuring.measure(pairs, scored[:n], scored[n : 2 * n], senseless, correction=correction)
    return PairAudit(found=found, model=model, source=source)


@dataclass(frozen=True)
class PairAudit:
    found: Pairs
    model: str
    source: str

    @property
    def subject(self) -> str:
        """The model that this is about."""
        return self.model

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: the share, and how far it is from a half."""
        share = self.found.share
        assert share.value is not None
        away, low, high = abs(share.value - 0.5), (share.low or 0.0) - 0.5, (share.high or 0.0) - 0.5
        near = 0.0 if low < 0 < high else min(abs(low), abs(high))
        return {
            "share": Measured(share.value, share.low, share.high),
            "preference": Measured(away, near, max(abs(low), abs(high))),
        }

    def table(self, name: str = "kinds") -> Styler:
        """kinds, or the strongest preferences: pairs."""
        if name == "pairs":
            rows = self.found.rows.sort_values("difference", key=abs, ascending=False).head(8)
            columns = [
                Column("kind", "kind"),
                Column("more", "with the stereotype"),
                Column("less", "the other"),
                Column("difference", "log-likelihood, difference", "figure"),
            ]
            return present(rows, "bias-pairs-strongest", "The strongest preferences, either way", columns)
        return present(
            self.found.kinds,
            "bias-pairs-kinds",
            f"How often the stereotyped sentence is likelier; p corrected ({self.found.correction})",
            [
                Column("kind", "kind"),
                Column("n", "pairs", "count"),
                Column("share", "stereotyped likelier", "percent", "low", "high"),
                Column("difference", "mean difference", "figure"),
                Column("adjusted", "p", "figure"),
                Column("verdict", "verdict"),
            ],
        )

    def chart(self) -> Chart:
        return forest(
            "How often the stereotyped sentence is the likelier one",
            [ForestPanel("", "share of pairs, %; 50 is no preference", self._effects(), null=50)],
            subtitle=f"{self.model}, {count(len(self.found.rows), 'pair')} of {self.source}, 95 % intervals",
        )

    def _effects(self) -> list[Point]:
        figures = self.found.share
        assert figures.value is not None
        made = []
        if len(self.found.kinds) > 1:
            made.append(
                Point(
                    "all",
                    figures.value * 100,
                    (figures.low or 0) * 100,
                    (figures.high or 0) * 100,
                    f"n = {figures.n:,}",
                )
            )
        for row in to_records(self.found.kinds):
            sure = row["verdict"].startswith("prefers")
            label = f"n = {row['n']:,}  {row['verdict']}"
            made.append(Point(row["kind"], row["share"] * 100, row["low"] * 100, row["high"] * 100, label, sure=sure))
        return made

    @property
    def prose(self) -> str:
        figures = self.found
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
        return unbroken(text)

    def findings(self) -> list[TableRow]:
        figures = self.found
        low, high = figures.share.low or 0.0, figures.share.high or 0.0
        verdict = "prefers the stereotype" if low > 0.5 else "prefers the other" if high < 0.5 else "cannot tell"
        made = [
            finding(
                "pairs/share",
                figures.share.value,
                "share",
                figures.share.low,
                figures.share.high,
                n=figures.share.n,
                note=verdict,
            ),
            finding(
                "pairs/difference",
                figures.difference.value,
                "nats",
                figures.difference.low,
                figures.difference.high,
                n=figures.share.n,
            ),
        ]
        made += [
            finding(
                f"pairs/share/{row['kind']}",
                row["share"],
                "share",
                row["low"],
                row["high"],
                n=row["n"],
                note=row["verdict"],
            )
            for row in to_records(figures.kinds)
        ]
        return made

    def summary(self) -> str:
        return summary(self.findings())

    def to_json(self) -> dict[str, Any]:
        figures = self.found
        return {
            "model": self.model,
            "source": self.source,
            "n": figures.share.n,
            "pct_stereotype": figures.share.value,
            "low": figures.share.low,
            "high": figures.share.high,
            "likelihood_diff": figures.difference.value,
            "per_token": figures.per_token.value,
            "language": None if figures.language is None else figures.language.value,
            "icat": figures.icat,
            "ties": figures.ties,
            "kinds": [{key: to_python(value) for key, value in row.items()} for row in to_records(figures.kinds)],
        }

    def _repr_markdown_(self) -> str:
        return self.prose
