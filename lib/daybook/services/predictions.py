"""Anybody's stored predictions, scored and compared: JSON lines (or a table) of id, prediction and reference.

    {"id": "7", "prediction": "She has 18. #### 18", "reference": "18", "choices": […], "group": "…"}

Two files are compared on the ids that both have; the references have to be the same. `score` as scorer takes a column
of that name as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from daybook.datasets import DataSet, Row, files
from daybook.datasets.loading import rows as rows_of
from daybook.datasets.rows import some
from daybook.errors import BadData
from daybook.scoring import Score
from daybook.services.answers import Said
from daybook.services.evaluation import Evaluation, Item
from daybook.services.marking import Embed, Marker

GIVEN = "score"
"""The scorer that takes the scores as they stand in the file."""
NAMES = ("prediction", "answer", "output", "response", "completion", "prediction_text")


def score(paths: Sequence[Path], *, scorer: str, labels: Sequence[str] = (), embed: Embed | None = None) -> Evaluation:
    """The predictions of each file, scored; the first file is the one that the others are compared with. Raises
    BadData with the rows that cannot be meant."""
    read = [_read(path, scorer) for path in paths]
    names = _names(paths)
    ids = [row.id for row in read[0][0].rows if all(row.id in predictions for _, predictions in read)]
    if not ids:
        raise BadData(
            f"No id is in all of the {len(paths)} files ({', '.join(str(len(p)) for _, p in read)} rows).",
            remedy="Give each row of a file the id it has in the others.",
        )
    by_id = {row.id: row for row in read[0][0].rows}
    data = DataSet(read[0][0].name, str(paths[0]), tuple(by_id[id_] for id_ in ids))
    for (other, _), path in zip(read[1:], paths[1:], strict=True):
        _same_references(data, other, path)
    marker = Marker(scorer, labels=labels or data.labels, embed=embed)
    items = {}
    for name, (_, predictions) in zip(names, read, strict=True):
        items[name] = _items(data.rows, predictions, marker, scorer)
    return Evaluation(data=data, task="stored", scorer=scorer, items=items)


def left_out(paths: Sequence[Path], found: Evaluation) -> dict[str, int]:
    """Rows of each file whose id is not in all of the others."""
    return {name: len(files.read(path)) - len(found.data) for name, path in zip(_names(paths), paths, strict=True)}


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its stem, its path where two have one stem, numbered where a file is given twice."""
    stems = [path.stem for path in paths]
    names = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    return [name if name not in names[:i] else f"{name} ({names[:i].count(name) + 1})" for i, name in enumerate(names)]


def _read(path: Path, scorer: str) -> tuple[DataSet, Mapping[str, Any]]:
    """The rows of a file, and what was predicted by id."""
    records = files.read(path)
    there = set().union(*(record.values for record in records))
    column = GIVEN if scorer == GIVEN else next((n for n in NAMES if n in there), None)
    wanted = [n for n in ("id", column or "prediction") if n not in there]
    if scorer not in (GIVEN, "judge", "code") and "reference" not in there:
        wanted.append("reference")
    if wanted:
        raise BadData(f"{path} has no column {some(wanted)}; it has {some(sorted(there), 20)}.", remedy="Add it.")
    if absent := [record.at for record in records if record.values.get("id") in (None, "")]:
        raise BadData(f"{len(absent)} rows of {path} have no id: {some(absent)}.", remedy="Number them.")
    if scorer not in (GIVEN, "judge", "code"):
        without = [record.at for record in records if record.values.get("reference") is None]
        if without:
            raise BadData(f"{len(without)} rows of {path} have no reference: {some(without)}.", remedy="Add them.")
    predicted = {str(record.values["id"]): record.values.get(column or "") for record in records}
    asked = [
        files.Record(record.at, {**record.values, "input": str(record.values.get("input") or record.values["id"])})
        for record in records
    ]
    parts = {"id": "id", "input": "input"} | ({"reference": "reference"} if "reference" in there else {})
    rows = rows_of(asked, str(path), parts)
    if scorer == GIVEN:
        _numbers(path, records)
    return DataSet(path.stem, str(path), tuple(rows)), predicted


def _numbers(path: Path, records: Sequence[files.Record]) -> None:
    bad = []
    for record in records:
        value = record.values.get(GIVEN)
        try:
            if value is not None and value != "" and not 0 <= float(value) <= 1:
                bad.append(record.at)
        except (TypeError, ValueError):
            bad.append(record.at)
    if bad:
        raise BadData(
            f"{len(bad)} scores of {path} are no number between 0 and 1: rows {some(bad)}.",
            remedy="Mend them; leave the score of a row out where it is not known.",
        )


def _same_references(data: DataSet, other: DataSet, path: Path) -> None:
    known = {row.id: row for row in other.rows}
    if moved := [row.id for row in data.rows if known[row.id].references != row.references]:
        raise BadData(
            f"{len(moved)} rows of {path} have another reference than in {data.source}: {some(moved)}.",
            remedy="Compare predictions about the same rows.",
        )


def _items(rows: Sequence[Row], predicted: Mapping[str, Any], marker: Marker, scorer: str) -> list[Item]:
    if scorer == GIVEN:
        made = []
        for row in rows:
            value = predicted[row.id]
            known = None if value is None or value == "" else Score(float(value), str(value))
            made.append(Item(row, None, known, None if known else "no score"))
        return made
    said = [Said(text="" if predicted[row.id] is None else str(predicted[row.id])) for row in rows]
    return marker.mark(rows, said, [None] * len(rows))
