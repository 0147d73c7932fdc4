"""From records to rows: which column is what, and whether every row can be meant."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from daybook.datasets import builtin, files, from_book, hub
from daybook.datasets.files import Record, parse
from daybook.datasets.rows import DataSet, Row, some
from daybook.errors import BadData, BadParameter
from daybook.pii import excerpt
from daybook.ports import PersonalRows

USUAL: Mapping[str, Sequence[str]] = {
    "id": ("id", "item_id", "example_id", "question_id"),
    "input": ("input", "question", "prompt", "text", "sentence", "query", "instruction", "turns"),
    "reference": (
        "reference",
        "answer",
        "label",
        "target",
        "category",
        "expected",
        "gold",
        "output",
        "completion",
        "references",
        "answers",
        "answerKey",
    ),
    "choices": ("choices", "options"),
    "group": ("group", "cluster", "source", "document"),
}
"""What each part of a row is usually called, likeliest first."""


def load(
    source: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    revision: str | None = None,
    limit: int | None = None,
    book: PersonalRows | None = None,
) -> DataSet:
    """The rows of a file, of the Hub (`hf:owner/name@revision#split`), of the book (`book:days=30`) or of the built-in
    sets (`builtin:requests`).

    `columns`: which column is the row's id, input, reference, choices or group, where they have unusual names.
    Raises BadData with the numbers of the rows that cannot be meant.
    """
    if limit is not None and limit < 1:
        raise BadParameter(f"limit is {limit}.", remedy="Ask for at least 1 row.")
    text = str(source)
    if text.startswith("builtin:"):
        records, name = builtin.read(text.removeprefix("builtin:"), limit), text
    elif text.startswith("hf:"):
        records, name = hub.read(text, revision, limit), text
    elif text.startswith("book:"):
        records, name = from_book.read(text, book, limit), text
    else:
        records, name = files.read(Path(text), limit), Path(text).stem
    return DataSet(name, text, tuple(to_rows(records, text, columns)))


def to_rows(records: Sequence[Record], source: str, columns: Mapping[str, str] | None = None) -> list[Row]:
    """The records as rows. Raises BadData."""
    chosen = _columns(records, source, columns or {})
    faults: list[tuple[int, str]] = []
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for record in records:
        try:
            row = _row(record.values, chosen, seen)
        except ValueError as error:
            faults.append((record.at, str(error)))
            continue
        if row.id in seen:
            faults.append((record.at, f"its id {excerpt(row.id, 40)!r} is that of row {seen[row.id]} too"))
        seen[row.id] = record.at
        rows.append(row)
    if faults:
        message = "; ".join(f"row {at}: {why}" for at, why in faults[:5])
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise BadData(
            f"{len(faults)} of {len(records)} rows of {source} cannot be meant: {message}{more}.",
            remedy="Mend or drop them.",
        )
    if len(rows) > 1 and "group" not in (columns or {}) and len({row.group for row in rows}) == 1:
        return [_alone(row, chosen.get("group")) for row in rows]
    return rows


def _alone(row: Row, column: str | None) -> Row:
    """The row without a group that all rows share, as a file's `source: "gsm8k"` is: it groups nothing."""
    if row.group is None or column is None:
        return row
    return replace(row, group=None, extra={**row.extra, column: row.group})


def _columns(records: Sequence[Record], source: str, given: Mapping[str, str]) -> dict[str, str]:
    """Part of a row → column. What is given counts; else the usual name."""
    there = list(dict.fromkeys(name for record in records[:1000] for name in record.values))
    if unknown := [part for part in given if part not in USUAL]:
        raise BadParameter(f"A row has no {some(unknown)}.", remedy=f"It has {', '.join(USUAL)}.")
    if absent := [name for name in given.values() if name not in there]:
        raise BadData(f"{source} has no column {some(absent)}.", remedy=f"It has {some(there, 20)}.")
    chosen = dict(given)
    for part, names in USUAL.items():
        if part not in chosen:
            free = [name for name in names if name in there and name not in chosen.values()]
            if part == "reference" and chosen.get("input") == "turns":  # a conversation's category is no answer
                free = [name for name in free if name == "reference"]
            chosen |= {part: free[0]} if free else {}
    if "input" not in chosen:
        raise BadData(
            f"{source} has no column for the input; it has {some(there, 20)}.",
            remedy='Say which one it is: columns={"input": "…"}.',
        )
    return chosen


def _row(values: Mapping[str, Any], columns: Mapping[str, str], seen: Mapping[str, int]) -> Row:
    """One row. Raises ValueError that says why it is none."""

    def part(name: str) -> Any:
        return values.get(columns[name]) if name in columns else None

    if (asked := part("input")) is None or not str(asked).strip():
        raise ValueError(f"its {columns['input']} is empty")
    turns = _turns(asked)
    asked = turns[0] if turns else asked
    if not isinstance(asked, (str, int, float)):
        raise ValueError(f"its {columns['input']} is a {type(asked).__name__}, not text")  # noqa: TRY004 - a row's fault
    choices, labels = _choices(part("choices"))
    references = _references(part("reference"), choices, labels)
    extra = {name: value for name, value in values.items() if name not in columns.values()}
    if len(turns) > 1:
        extra["turns"] = turns
        references = ("\n\n".join(references),) if references else ()  # one for each turn
    if len(references) > 1:
        extra["references"] = references
    group = part("group")
    id_ = part("id")
    return Row(
        id=str(id_) if id_ not in (None, "") else _made_id([asked, references, choices], seen),
        input=str(asked),
        reference=references[0] if references else None,
        choices=choices,
        group=None if group in (None, "") else str(group),
        extra=extra,
    )


def _turns(value: Any) -> tuple[str, ...]:
    """What is asked one after another, as MT-Bench has it; nothing where it is one text."""
    if not isinstance(value, (list, tuple)) or not value:
        return ()
    if not all(isinstance(turn, str) and turn.strip() for turn in value):
        raise ValueError("one of its turns is empty or no text")
    return tuple(value)


def _made_id(fields: Any, seen: Mapping[str, int]) -> str:
    """An id from what the row says, so that it does not depend on the rows around it; rows that say the same are
    numbered."""
    digest = hashlib.sha256(json.dumps(fields, default=str).encode()).hexdigest()[:16]
    number = 1
    while (digest if number == 1 else f"{digest}-{number}") in seen:
        number += 1
    return digest if number == 1 else f"{digest}-{number}"


def _choices(value: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts that can be chosen and, where the data names them (ARC's "A" to "D" or "1" to "4"), their labels."""
    if value is None or value == "":
        return (), ()
    if isinstance(value, str):
        try:
            value = parse(value)
        except ValueError:
            value = [part.strip() for part in value.split("|")]
    labels: Any = ()
    if isinstance(value, Mapping):  # the Hub's usual {"text": [...], "label": [...]}
        value, labels = value.get("text"), value.get("label")
    elif isinstance(value, (list, tuple)) and value and all(isinstance(item, Mapping) for item in value):
        value, labels = [item.get("text") for item in value], [item.get("label") for item in value]
    if not isinstance(value, (list, tuple)) or len(value) < 2 or any(choice is None for choice in value):
        raise ValueError("its choices are no list of two or more")
    choices = tuple(str(choice) for choice in value)
    if len(set(choices)) < len(choices):
        raise ValueError("two of its choices are the same")
    names = tuple(str(label) for label in labels or () if label is not None)
    if names and (len(names) != len(choices) or len(set(names)) < len(names)):
        raise ValueError(f"its {len(choices)} choices have {len(set(names))} different labels")
    return choices, names


def _references(value: Any, choices: tuple[str, ...], labels: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(value, Mapping) and isinstance(value.get("text"), (list, tuple)):  # SQuAD's, with "answer_start"
        value = value["text"]
    several = value if isinstance(value, (list, tuple)) else [value]
    texts = [_reference(item, choices, labels) for item in several if item is not None and item != ""]
    return tuple(dict.fromkeys(texts))


def _reference(value: Any, choices: tuple[str, ...], labels: tuple[str, ...]) -> str:
    """The text of the choice that is meant: by its label in the data, an integer by its position (the texts may be
    numbers too), a text by itself, by its position or by its letter."""
    text = text_of(value)
    if not choices:
        return text
    if text in labels:
        return choices[labels.index(text)]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(choices):
        return choices[value]
    if text in choices:
        return text
    position: int | None = None
    if text.isdecimal() and len(text) < 4:
        position = int(text)
    elif len(text) == 1 and text.isalpha() and text.isascii():
        position = ord(text.upper()) - ord("A")
    if position is None or not 0 <= position < len(choices):
        raise ValueError(f"its reference {excerpt(text, 40)!r} is none of its {len(choices)} choices")
    return choices[position]


def text_of(value: Any) -> str:
    """A value as text: JSON for what is no text, so that it is the same wherever it came from."""
    if isinstance(value, float) and value != value:  # Parquet's missing text
        raise ValueError("its reference is NaN")
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False, sort_keys=True)
    return str(value)
