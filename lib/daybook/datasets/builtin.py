"""Small sets that the project wrote itself, so that everything can be tried with nothing fetched.

requests   classification: messages to a made-up help desk, ten intents
facts      multiple choice: general knowledge, four choices
capitals   short answer: one right answer, sometimes under several names
sums       number: word problems of one or two steps
functions  code: small Python functions with checks
"""

from __future__ import annotations

from importlib.resources import files as packaged
from pathlib import Path

from daybook.datasets import files
from daybook.datasets.files import Record
from daybook.errors import BadParameter


def folder() -> Path:
    return Path(str(packaged("daybook.datasets"))) / "sets"


def names() -> list[str]:
    return sorted(path.stem for path in folder().glob("*.jsonl"))


def read(name: str, limit: int | None = None) -> list[Record]:
    """Raises BadParameter for a name that is none."""
    if name not in names():
        raise BadParameter(f"There is no built-in set {name[:40]!r}.", remedy=f"There are {', '.join(names())}.")
    return files.read(folder() / f"{name}.jsonl", limit)
