"""Runs and findings as plain JSON: what the sidecar beside a report holds, and how to read it back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from daybook.records import Finding, Run

FINDING = ("name", "value", "unit", "low", "high", "level", "n", "note")


def to_dict(record: Run | Finding) -> dict[str, Any]:
    """The record's fields; dates and times in ISO 8601."""
    return {field.name: _plain(getattr(record, field.name)) for field in dataclasses.fields(record)}


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return dict(value) if isinstance(value, Mapping) else value


def run_from_dict(data: Mapping[str, Any]) -> Run:
    """The Run that `to_dict` wrote. Raises KeyError, TypeError or ValueError where it is none."""
    if not isinstance(data, Mapping):
        raise TypeError("a run is a mapping")
    fields = {field.name for field in dataclasses.fields(Run)}
    values = {name: value for name, value in data.items() if name in fields}
    values["logical_date"] = _date(values["logical_date"])
    for name in ("started_at", "ended_at", "window_start", "window_end"):
        if isinstance(values.get(name), str):
            values[name] = datetime.fromisoformat(values[name])
    return Run(**values)


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(value)
