"""The official OpenAPI documents, as validators of what crosses the wire in tests.

They lie beside the checkout (`DAYBOOK_DATA`, default `<root>/../shared/data`). Where they do not, nothing is validated
and everything else is still tested.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
_PREFIX = "#/components/schemas/"


def folder() -> Path:
    return Path(os.environ.get("DAYBOOK_DATA") or ROOT.parent / "shared" / "data") / "contracts"


class Contract:
    """The schemas of one document. Only what a schema reaches is resolved, when it is first asked for."""

    def __init__(self, schemas: dict[str, Any] | None) -> None:
        self._schemas = schemas
        self._validators: dict[str, Draft202012Validator] = {}

    @classmethod
    def load(cls, name: str) -> Contract:
        path = folder() / name
        if not path.is_file():
            return cls(None)
        with path.open("rb") as file:
            return cls(yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))["components"]["schemas"])

    @property
    def there(self) -> bool:
        return self._schemas is not None

    def problems(self, schema: str, instance: Any) -> list[str]:
        """What is wrong with `instance`; [] where nothing is, or the document is not there."""
        if self._schemas is None:
            return []
        if schema not in self._validators:
            reached = {name: _nullable(self._schemas[name]) for name in self._closure(schema)}
            self._validators[schema] = Draft202012Validator(
                {"$ref": f"{_PREFIX}{schema}", "components": {"schemas": reached}}
            )
        errors = self._validators[schema].iter_errors(instance)
        return [f"{schema} at {error.json_path}: {error.message[:300]}" for error in errors]

    def _closure(self, schema: str) -> set[str]:
        assert self._schemas is not None
        seen: set[str] = set()
        waiting = [schema]
        while waiting:
            name = waiting.pop()
            if name not in seen:
                seen.add(name)
                waiting += _references(self._schemas[name])
        return seen


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        reference = node.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_PREFIX)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _nullable(node: Any) -> Any:
    """OpenAPI 3.0's `nullable`, which the document still uses, in the words of JSON Schema."""
    if isinstance(node, list):
        return [_nullable(value) for value in node]
    if not isinstance(node, dict):
        return node
    plain = {key: _nullable(value) for key, value in node.items() if key not in ("nullable", "discriminator")}
    return {"anyOf": [plain, {"type": "null"}]} if node.get("nullable") is True else plain
