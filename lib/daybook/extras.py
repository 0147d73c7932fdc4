"""Optional dependencies, asked for by name at the moment they are needed."""

from __future__ import annotations

import importlib
from typing import Any

from daybook.errors import MissingExtra


def require(module: str, *, package: str | None = None) -> Any:
    """Import `module`, or raise `MissingExtra` that says what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        name = package or module
        raise MissingExtra(f"{module} is not installed.", remedy=f"Install it: pip install {name}") from error
