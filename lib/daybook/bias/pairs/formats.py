"""Files of sentence pairs: CrowS-Pairs (`sent_more`, `sent_less`, `bias_type`), any table with `stereotype` and
`anti_stereotype` (and `unrelated`, `context`, `kind`, `id`), StereoSet's JSON, WinoBias's two files (either of
`pro_stereotyped…` and `anti_stereotyped…` is named)."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from daybook.bias.pairs.metrics import Pair
from daybook.datasets import files
from daybook.errors import BadData
from daybook.reporting.tables import to_records

_MORE, _LESS = ("sent_more", "stereotype", "more"), ("sent_less", "anti_stereotype", "less")


def read_pairs(path: Path) -> list[Pair]:
    """The pairs of a file. Raises BadData that names row and column."""
    if not path.is_file():
        raise BadData(f"There is no file {path}.", remedy="Correct the path.")
    if path.name.startswith(("pro_stereotyped", "anti_stereotyped")):
        pairs = list(_winobias(path.with_name(path.name.replace("anti_", "pro_", 1))))
    elif path.suffix == ".json":
        pairs = list(_stereoset(path))
    else:
        pairs = list(_table(path))
    twice = sorted(id_ for id_, n in Counter(pair.id for pair in pairs).items() if n > 1)
    if twice:
        raise BadData(
            f"{len(twice)} ids of {path.name} stand more than once, the first is {twice[0]!r}.",
            remedy="Give each pair an id of its own.",
        )
    if not pairs:
        raise BadData(f"{path.name} has no pairs.", remedy="Give at least one pair of sentences.")
    return pairs


def _table(path: Path) -> Iterator[Pair]:
    frame = files.frame(path)
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
