"""Anybody's stored predictions, scored and compared: JSON lines (or a table) of id, prediction and reference.

    {"id": "7", "prediction": "She has 18. #### 18", "reference": "18", "choices": […], "group": "…"}

Two files are compared on the ids that both have; the references have to be the same. `score` as scorer takes a column
of that name as it is. Several right answers are a list. Where nothing is right (SQuAD 2.0's questions without an
answer: `""` or `[]`) the empty prediction is, for the scorers that compare words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from daybook.datasets import DataSet, Row, files
from daybook.datasets.load import text_of, to_rows
from daybook.datasets.rows import some
from daybook.errors import BadData
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.evaluation.scorers import Embed, Scorer
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.reporting.text import count
from daybook.scoring import Score

GIVEN = "score"
"""The scorer that takes the scores as they stand in the file."""
NAMES = ("prediction", "answer", "output", "response", "completion", "prediction_text")
REFERENCES = ("reference", "references")
NOTHING_IS_RIGHT = ("exact", "normalised", "f1")
"""Scorers for which an empty reference means that nothing should be said."""
_UNREFERENCED = (GIVEN, "judge", "code")


@dataclass(frozen=True, slots=True)
class Stored:
    evaluation: Evaluation
    left_out: Mapping[str, int]
    """By file: rows whose id is not in all of the others. Files without any are not named."""


@dataclass(frozen=True, slots=True)
class _PredictionFile:
    rows: Mapping[str, Row]
    predicted: Mapping[str, Any]


def score(paths: Sequence[Path], *, scorer: str, labels: Sequence[str] = (), embed: Embed | None = None) -> Stored:
    """The predictions of each file, scored; the first file is the one that the others are compared with. Raises
    BadData with the rows that cannot be meant."""
    read = [_read(path, scorer) for path in paths]
    names = _names(paths)
    ids = [id_ for id_ in read[0].rows if all(id_ in file.rows for file in read)]
    if not ids:
        raise BadData(
            f"No id is in all of the {len(paths)} files ({', '.join(str(len(file.rows)) for file in read)} rows).",
            remedy="Give each row of a file the id it has in the others.",
        )
    data = DataSet(paths[0].stem, str(paths[0]), tuple(read[0].rows[id_] for id_ in ids))
    for other, path in zip(read[1:], paths[1:], strict=True):
        _same_references(data, other.rows, path)
    marker = Scorer(scorer, labels=labels or data.labels, embed=embed)
    items = {name: _items(data.rows, file.predicted, marker) for name, file in zip(names, read, strict=True)}
    outside = {name: len(file.rows) - len(ids) for name, file in zip(names, read, strict=True)}
    left_out = {name: n for name, n in outside.items() if n}
    unused = {f"of {name}, which are not in every file": n for name, n in left_out.items()}
    return Stored(Evaluation(data=data, task="stored", scorer=scorer, items=items, unused=unused), left_out)


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its stem, its path where two have one stem, numbered where a file is given twice."""
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    return [name if name not in names[:i] else f"{name} ({names[:i].count(name) + 1})" for i, name in enumerate(names)]


def _read(path: Path, scorer: str) -> _PredictionFile:
    """The rows of a file, and what was predicted by id."""
    records = files.read(path)
    there = set().union(*(record.values for record in records))
    column = GIVEN if scorer == GIVEN else next((n for n in NAMES if n in there), "prediction")
    reference = next((n for n in REFERENCES if n in there), "reference")
    wanted = [n for n in ("id", column) if n not in there]
    if scorer not in _UNREFERENCED and reference not in there:
        wanted.append(reference)
    if wanted:
        raise BadData(f"{path} has no column {some(wanted)}; it has {some(sorted(there), 20)}.", remedy="Add it.")
    _refuse(path, "no id", [r.at for r in records if _nothing(r.values.get("id")) or r.values["id"] == ""])
    if scorer not in _UNREFERENCED:
        _refuse(path, "no reference", [r.at for r in records if _nothing(r.values.get(reference))])
        if scorer not in NOTHING_IS_RIGHT:
            _refuse(path, "an empty reference", [r.at for r in records if _empty(r.values[reference])])
    if scorer == GIVEN:
        _numbers(path, records)
    predicted = {}
    for record in records:  # in place: there may be a million
        values = record.values
        id_ = values["id"]
        values["id"] = id_ = str(int(id_) if isinstance(id_, float) and id_.is_integer() else id_)
        predicted[id_] = values.pop(column, None)
        values["input"] = str(values.get("input") or id_)
    parts = {"id": "id", "input": "input"} | ({"reference": reference} if reference in there else {})
    rows = {row.id: row for row in to_rows(records, str(path), parts)}
    if scorer in NOTHING_IS_RIGHT:
        silent = [id_ for id_, row in rows.items() if not row.references]
        rows |= {id_: replace(rows[id_], extra={**rows[id_].extra, "references": ("",)}) for id_ in silent}
    return _PredictionFile(rows, predicted)


def _nothing(value: Any) -> bool:
    """Missing, as JSON or as Parquet says it."""
    return value is None or (isinstance(value, float) and value != value)


def _empty(value: Any) -> bool:
    several = value if isinstance(value, (list, tuple)) else [value]
    return all(_nothing(text) or not str(text).strip() for text in several)


def _refuse(path: Path, what: str, at: Sequence[int]) -> None:
    if at:
        have = "has" if len(at) == 1 else "have"
        raise BadData(
            f"{count(len(at), 'row')} of {path} {have} {what}: {'line' if len(at) == 1 else 'lines'} {some(at)}.",
            remedy="Mend or drop them.",
        )


def _numbers(path: Path, records: Sequence[files.Record]) -> None:
    bad = []
    for record in records:
        value = record.values.get(GIVEN)
        try:
            if value not in (None, "") and not 0 <= float(value) <= 1:
                bad.append(record.at)
        except (TypeError, ValueError):
            bad.append(record.at)
    if bad:
        raise BadData(
            f"{count(len(bad), 'score')} of {path} {'is' if len(bad) == 1 else 'are'} no number between 0 and 1: "
            f"{'row' if len(bad) == 1 else 'rows'} {some(bad)}.",
            remedy="Mend them; leave the score of a row out where it is not known.",
        )


def _same_references(data: DataSet, known: Mapping[str, Row], path: Path) -> None:
    if moved := [row.id for row in data.rows if known[row.id].references != row.references]:
        raise BadData(
            f"{count(len(moved), 'row')} of {path} {'has' if len(moved) == 1 else 'have'} another reference than in "
            f"{data.source}: {some(moved)}.",
            remedy="Compare predictions about the same rows.",
        )


def _items(rows: Sequence[Row], predicted: Mapping[str, Any], marker: Scorer) -> list[Item]:
    if marker.scorer == GIVEN:
        items = []
        for row in rows:
            value = predicted[row.id]
            known = None if value in (None, "") else Score(float(value), str(value))
            items.append(Item(row, None, known, None if known else "no score"))
        return items
    answers = [CachedAnswer(text="" if _nothing(predicted[row.id]) else text_of(predicted[row.id])) for row in rows]
    return marker.score(rows, answers, [None] * len(rows))
