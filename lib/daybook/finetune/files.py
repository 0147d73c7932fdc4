"""What a training reads and leaves: the rows that it was prepared with, and its weights under their digest."""

from __future__ import annotations

import shutil
from pathlib import Path

from daybook.datasets import DataSet, Row
from daybook.datasets.files import parse
from daybook.datasets.rows import to_bytes
from daybook.errors import BadData
from daybook.training.jobs import Job


def publish(source: Path, to: Path, written: str) -> None:
    """Whole under its name or not at all; one that is there already is the same, because its digest names it."""
    (source / "card.md").write_text(written, encoding="utf-8")
    if to.is_dir():
        return
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = to.with_name(f".{to.name}")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        shutil.copytree(source, beside)
        beside.rename(to)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def write(path: Path, data: DataSet) -> None:
    """The rows that a training is to have, one a line."""
    with path.open("wb") as file:
        for row in data.rows:
            fields = [row.id, row.input, row.reference, list(row.choices), row.group, dict(row.extra)]
            file.write(to_bytes(fields, sort=False) + b"\n")


def read(path: Path, job: Job) -> DataSet:
    """What `write` wrote. Raises BadData where it is gone, or is not what was prepared."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise BadData(f"The rows of {job.id} are gone ({path}).", remedy="Prepare it again.") from error
    rows = []
    for line in lines:
        id_, asked, reference, choices, group, extra = parse(line.decode())
        rows.append(Row(id_, asked, reference, tuple(choices), group, extra))
    data = DataSet(Path(str(job.spec["source"])).name, str(job.spec["source"]), tuple(rows))
    if data.digest != job.spec["digest"]:
        raise BadData(
            f"The rows of {job.id} have the digest {data.digest[:19]}…, not {str(job.spec['digest'])[:19]}….",
            remedy="They were changed since it was prepared: prepare it again.",
        )
    return data
