"""Registered models between the book's tables, records, and what people, scripts and the endpoint see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from typing import Any

from daybook.records import ModelAlias, ModelVersion


def to_dict(model: ModelVersion) -> dict[str, Any]:
    """A version as JSON-able values, for people and scripts."""
    row = asdict(model)
    row.pop("claim")
    return row | {"at": model.at.isoformat(), "subjects": list(model.subjects)}


def served_fields(model: ModelVersion) -> dict[str, Any]:
    """What the endpoint has to know of it."""
    keep = ("id", "name", "version", "method", "provider", "target", "base", "weights_digest", "place", "template")
    return {key: getattr(model, key) for key in keep}


def version_of(row: Mapping[str, Any]) -> ModelVersion:
    """Of a row of the table `models`."""
    values = {field.name: row.get(field.name) for field in fields(ModelVersion) if field.name in row}
    empty = {key: values[key] or {} for key in ("template", "parameters", "metrics", "tags")}
    model = ModelVersion(**{**values, **empty, "at": row["time"], "subjects": tuple(row["subjects"] or ())})
    return replace(model, version=int(model.version))


def move_of(row: Mapping[str, Any]) -> ModelAlias:
    """Of a row of the table `model_aliases`."""
    values = {field.name: row[field.name] for field in fields(ModelAlias) if field.name in row}
    for key in ("version", "previous"):
        values[key] = None if values[key] is None else int(values[key])
    return ModelAlias(**{**values, "at": row["time"]})
