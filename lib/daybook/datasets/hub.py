"""Sets of the Hugging Face Hub, at a revision that cannot move.

`hf:owner/name@revision#split`, or with a configuration `hf:owner/name/config@revision#split`. The revision is a commit:
a branch or a tag is somebody else's to move, and a finding would no longer say which rows it was about.
"""

from __future__ import annotations

import re
from itertools import islice

from daybook.datasets.files import Record
from daybook.errors import BadData, BadParameter
from daybook.extras import need

_NAME = re.compile(
    r"^hf:(?P<name>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?(?:@(?P<revision>[^#]+))?(?:#(?P<split>.+))?$"
)
_COMMIT = re.compile(r"^[0-9a-f]{7,40}$")


def read(source: str, revision: str | None = None, limit: int | None = None) -> list[Record]:
    """The records of a set of the Hub; class numbers as the class's name. Raises BadParameter and BadData."""
    found = _NAME.match(source)
    if found is None:
        raise BadParameter(f"{source!r} names no set of the Hub.", remedy="Write hf:owner/name@commit#split.")
    commit = revision or found["revision"]
    if commit is None or not _COMMIT.match(commit):
        raise BadParameter(
            f"{source} is at {'no revision' if commit is None else repr(commit)}.",
            remedy="Pin a commit of the set, as its page lists them: hf:owner/name@0123abc#test.",
        )
    split = found["split"] or "test"
    library = need("datasets")
    try:
        rows = library.load_dataset(found["name"], found["config"], split=split, revision=commit)
    except Exception as error:  # the library raises whatever it met: connection, missing set, bad split
        raise BadData(
            f"{source} could not be loaded ({type(error).__name__}: {' '.join(str(error).split())[:160]}).",
            remedy="See that the set, its commit and the split exist and the Hub can be reached.",
        ) from error
    names = {
        column: feature.names for column, feature in rows.features.items() if isinstance(feature, library.ClassLabel)
    }
    return [
        Record(at, {key: names[key][value] if key in names and value >= 0 else value for key, value in row.items()})
        for at, row in enumerate(islice(rows, limit), start=1)
    ]
