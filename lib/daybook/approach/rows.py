"""Which rows an approach learns from and which it is asked about: apart, each once, and comparable."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from daybook.datasets import DataSet, Row
from daybook.datasets.rows import place
from daybook.errors import BadData, BadParameter
from daybook.evaluation.report import Evaluation
from daybook.pii import excerpt
from daybook.reporting.text import count


def of_classes(train: DataSet, test: DataSet | None, classes: int | Sequence[str]) -> tuple[DataSet, DataSet | None]:
    """The rows of some classes: those named, or as many as are said, the most frequent to learn from, equal ones by
    name. Raises BadData for a class that no row has, BadParameter for fewer than two."""
    train.require()
    if isinstance(classes, int):
        there = sorted(train.balance.items(), key=lambda pair: (-pair[1], pair[0]))
        chosen = {label for label, _ in there[: max(classes, 0)]}
    else:
        chosen = set(classes)
        if unknown := sorted(chosen - set(train.labels)):
            raise BadData(
                f"{train.name} has no class {_few(unknown)}; it has {len(train.labels)}: {_few(train.labels)}.",
                remedy="Write it as the rows have it.",
            )
    if len(chosen) < 2:
        raise BadParameter(f"{len(chosen)} classes were chosen.", remedy="Choose two or more.")

    def part(rows: DataSet) -> DataSet:
        return rows.part(f"{len(chosen)} classes", (row for row in rows.rows if row.reference in chosen))

    return part(train), None if test is None else part(test)


def halves(data: DataSet, notes: list[str]) -> tuple[DataSet, DataSet]:
    """Rows to learn from, and a third or so to ask about; what says the same is one row. Raises BadData where one of
    the two would have a single class."""
    data.require(classes=2)
    once: dict[str, Row] = {}
    for row in data.rows:
        once.setdefault(_said(row), row)
    if twice := len(data) - len(once):
        others = sum(once[_said(row)].reference != row.reference for row in data.rows)
        differing = f", {others} of them with another right answer" if others else ""
        notes.append(f"{count(twice, 'row')} said what an earlier one says{differing}, and {_was(twice)} left out.")
    train, test = replace(data, rows=tuple(once.values())).split(0.7)
    if min(len(train.labels), len(test.labels)) < 2:
        raise BadData(
            f"{data.name} has {count(len(once), 'different row')}: {len(train)} to learn from with "
            f"{count(len(train.labels), 'class', 'classes')}, {len(test)} held out with "
            f"{count(len(test.labels), 'class', 'classes')}; both need two.",
            remedy="Give more rows, or held-out rows of their own (--test).",
        )
    return train, test


def apart(train: DataSet, test: DataSet, notes: list[str]) -> tuple[DataSet, DataSet]:
    """Rows to learn from that are not asked about, and rows to ask about, each once and in an order by hash, so that
    the first of them are a fair sample of all. What was left out is told in `notes`.

    Raises BadData where what remains teaches nothing or cannot be right."""
    train.require(classes=2)
    test.require(classes=2)
    asked: dict[str, Row] = {}
    for row in sorted(test.rows, key=lambda row: place(row, "asked")):
        asked.setdefault(_said(row), row)
    if twice := len(test) - len(asked):
        notes.append(f"{count(twice, 'held-out row')} said what another one says and {_was(twice)} left out.")
    test = replace(test, rows=tuple(asked.values()))
    apart = tuple(row for row in train.rows if _said(row) not in asked)
    if shared := len(train) - len(apart):
        if not apart:
            raise BadData(
                f"All {len(train)} rows to learn from are asked about as well.",
                remedy="Give other rows to learn from, or one set alone: it is split.",
            )
        notes.append(f"{count(shared, 'row')} to learn from {_was(shared)} asked about as well, and left out.")
        train = replace(train, rows=apart)
    train.require(classes=2)
    test.require(classes=2)
    known = set(train.labels)
    if strange := [row for row in test.rows if known.isdisjoint(row.references)]:
        if len(strange) == len(test):
            raise BadData(
                f"None of the {len(test)} held-out rows has a right answer that the {len(train)} rows to learn from "
                f"have: {_few(test.labels)} against {_few(train.labels)}.",
                remedy="Say the same labels in both.",
            )
        notes.append(
            f"{count(len(strange), 'held-out row')} cannot be answered right: no row to learn from has "
            f"{_few(sorted({row.reference or '' for row in strange}))}."
        )
    return train, test


def _said(row: Row) -> str:
    return " ".join(row.input.casefold().split())


def _was(n: int) -> str:
    return "was" if n == 1 else "were"


def _few(labels: Sequence[str]) -> str:
    names = ", ".join(repr(excerpt(label, 40)) for label in labels[:3])
    return names if len(labels) <= 3 else f"{names} and {len(labels) - 3} more"


def reached(evaluation: Evaluation, notes: list[str]) -> Evaluation:
    """The rows that every method was asked about. Raises BadParameter where there are none."""
    whole = [
        at
        for at in range(len(evaluation.data))
        if all(items[at].error != "not asked" for items in evaluation.items.values())
    ]
    why = (evaluation.stopped or "").capitalize()
    if not whole:
        raise BadParameter(
            f"{why} was over before one of {len(evaluation.data)} rows was answered by all.",
            remedy="Give more time (what was answered is kept), fewer methods or shorter rows.",
        )
    notes.append(
        f"{why} ended the asking: {len(whole)} of {len(evaluation.data)} held-out rows, in an order by hash, were "
        "answered by all. Run it again to go on: no answer is asked for twice."
    )
    data = replace(evaluation.data, rows=tuple(evaluation.data.rows[at] for at in whole))
    return replace(
        evaluation, data=data, items={name: [items[at] for at in whole] for name, items in evaluation.items.items()}
    )


def one_of_each_class(train: DataSet, n: int) -> list[Row]:
    """`n` rows in an order by hash, of as many classes as there are."""
    by_class: dict[str | None, list[Row]] = {}
    for row in sorted(train.rows, key=lambda row: place(row, "shots")):
        by_class.setdefault(row.reference, []).append(row)
    turns = [rows[i] for i in range(n) for rows in by_class.values() if i < len(rows)]
    return turns[:n]
