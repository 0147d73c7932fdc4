"""Sets of the Hugging Face Hub, at a revision that cannot move, and the same sets in a folder.

`hf:owner/name@revision#split`, or with a configuration `hf:owner/name/config@revision#split`. The revision is a commit,
all 40 digits of it (the Hub knows no shorter ones): a branch or a tag is somebody else's to move, and a finding would
no longer say which rows it was about. `hf:/folder#split` is a clone of a set, or what `save_to_disk` wrote: nothing is
fetched, and the digest of the rows says which they are.
"""

from __future__ import annotations

import re
from itertools import islice
from pathlib import Path
from typing import Any

from daybook.datasets.files import Record
from daybook.errors import BadData, BadParameter
from daybook.extras import require

_NAME = re.compile(
    r"^hf:(?P<name>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?(?:@(?P<revision>[^#]+))?(?:#(?P<split>.+))?$"
)
_FOLDER = re.compile(r"^hf:(?P<folder>[./~][^#]*)(?:#(?P<split>.+))?$")
_COMMIT = re.compile(r"^[0-9a-f]{40}$")


def read(source: str, revision: str | None = None, limit: int | None = None) -> list[Record]:
    """The records of a set; class numbers as the class's name. Raises BadParameter and BadData."""
    rows, library = _folder(source) if _FOLDER.match(source) else _hub(source, revision)
    names = {
        column: feature.names for column, feature in rows.features.items() if isinstance(feature, library.ClassLabel)
    }
    return [
        Record(at, {key: names[key][value] if key in names and _known(value) else value for key, value in row.items()})
        for at, row in enumerate(islice(rows, limit), start=1)
    ]


def _known(value: Any) -> bool:
    """A class, and not the -1 or the null that hidden test sets have."""
    return isinstance(value, int) and value >= 0


def _hub(source: str, revision: str | None) -> tuple[Any, Any]:
    match = _NAME.match(source)
    if match is None:
        raise BadParameter(f"{source!r} names no set of the Hub.", remedy="Write hf:owner/name@commit#split.")
    commit = revision or match["revision"]
    if commit is None or not _COMMIT.match(commit):
        raise BadParameter(
            f"{source} is at {'no revision' if commit is None else repr(commit)}.",
            remedy="Pin a commit, all 40 digits, as the set's page lists them: hf:owner/name@commit#test.",
        )
    library = _library()
    try:
        rows = library.load_dataset(match["name"], match["config"], split=match["split"] or "test", revision=commit)
    except Exception as error:  # the library raises whatever it met: connection, missing set, bad split
        raise _unloaded(
            source, error, "See that the set, its commit and the split exist and the Hub answers."
        ) from error
    return rows, library


def _folder(source: str) -> tuple[Any, Any]:
    match = _FOLDER.match(source)
    assert match is not None
    folder = Path(match["folder"]).expanduser()
    if not folder.is_dir():
        raise BadData(f"There is no folder {folder}.", remedy="Correct the path, or write hf:owner/name@commit#split.")
    library = _library()
    try:
        if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
            rows = library.load_from_disk(str(folder))
            rows = rows if isinstance(rows, library.Dataset) else rows[match["split"] or "test"]
        else:
            rows = library.load_dataset(str(folder), split=match["split"] or "test")
    except Exception as error:  # as above
        raise _unloaded(source, error, "See that it is a clone of a set or a folder of save_to_disk.") from error
    return rows, library


def _library() -> Any:
    library = require("datasets")
    library.disable_progress_bars()
    return library


def _unloaded(source: str, error: Exception, remedy: str) -> BadData:
    message = " ".join(str(error).split())[:160]
    return BadData(f"{source} could not be loaded ({type(error).__name__}: {message}).", remedy=remedy)
