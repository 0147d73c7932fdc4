"""The folder of a run under way: private, locked, and gone with everything that belongs to it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import psutil
import pytest

from daybook.press.execution import workdir
from daybook.press.execution.runner import RunOutcome
from daybook.records import Run

RUN = Run(id="r1", notebook="costs", logical_date=date(2026, 11, 20), state="running",
          started_at=datetime(2026, 11, 20, 12, tzinfo=UTC))  # fmt: skip


def test_a_folder_is_for_its_owners_eyes(tmp_path):
    """Folder, lock and sockets; the home that it begins, too."""
    with workdir.begin(tmp_path / "home", "r1") as folder:
        places = [tmp_path / "home", tmp_path / "home" / "press", folder.folder, folder.folder / "lock", folder.sockets]
        assert [oct(place.stat().st_mode & 0o777) for place in places] == ["0o700", "0o700", "0o700", "0o600", "0o700"]
        folder.done()


@pytest.mark.parametrize("found_again", [False, True])
def test_what_belongs_to_a_run_goes_with_its_folder(tmp_path, found_again):
    """The sockets' folder stands elsewhere: whoever finishes finds it by the run's own note."""
    folder = workdir.begin(tmp_path, "r1")
    sockets = folder.sockets
    (sockets / "kernel-ipc-1").touch()
    if found_again:
        folder.release()
        (folder,) = workdir.abandoned(tmp_path)
    folder.done()
    assert not sockets.exists()
    assert not folder.folder.exists()


def test_no_folder_of_others_is_removed(tmp_path):
    """A note that names a folder which is not ours by its name removes nothing but the run's own."""
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with workdir.begin(tmp_path, "r1") as folder:
        (folder.folder / "sockets").write_text(str(theirs))
        folder.done()
    assert theirs.is_dir()
    assert not folder.folder.exists()


def opened(path):
    """How often this process has a file open."""
    return sum(file.path == str(path) for file in psutil.Process().open_files())


def test_a_run_is_abandoned_once_nobody_holds_its_lock(tmp_path):
    """Not while it is under way, nor one that was never here; asking changes nothing, and leaves no file open."""
    folder = workdir.begin(tmp_path, "r1")
    assert not workdir.is_abandoned(tmp_path, "r1")
    assert not workdir.is_abandoned(tmp_path, "r2")
    assert list(workdir.abandoned(tmp_path)) == []
    assert opened(folder.folder / "lock") == 1
    folder.release()
    assert workdir.is_abandoned(tmp_path, "r1")
    for work in workdir.abandoned(tmp_path):
        assert not workdir.is_abandoned(tmp_path, "r1")  # it is ours while we work on it
        assert work.folder.name == "r1"
    assert opened(folder.folder / "lock") == 0


def test_folders_that_are_no_runs_are_left_alone(tmp_path):
    """The keys' folder, one that is not there whole yet, and one without a lock."""
    for name in ("keys", ".half", "strange"):
        (tmp_path / "press" / name).mkdir(parents=True)
    (tmp_path / "press" / "keys" / "lock").touch()
    (tmp_path / "press" / ".half" / "lock").touch()
    assert list(workdir.abandoned(tmp_path)) == []


def test_what_is_known_is_kept_for_whoever_finishes(tmp_path):
    """The run, then the run with its outcome; nothing where the press died before, or the note is broken."""
    with workdir.begin(tmp_path, "r1") as folder:
        assert folder.noted() is None
        folder.note(RUN)
        assert folder.noted() == (RUN, None)
        outcome = RunOutcome(state="failed", kind="raised", error="x", cell=2, cells=3)
        folder.note(RUN, outcome)
        assert folder.noted() == (RUN, outcome)
        (folder.folder / "outcome.json").write_text("{")
        assert folder.noted() == (RUN, None)
        (folder.folder / "run.json").write_text("{}")
        assert folder.noted() is None


def test_a_notebook_is_as_far_as_it_got(tmp_path):
    """The executed one, else its source, else an empty one; a broken file is no notebook."""
    cell = '{"cell_type": "markdown", "id": "a", "metadata": {}, "source": "%s"}'
    text = '{"cells": [' + cell + '], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
    with workdir.begin(tmp_path, "r1") as folder:
        assert folder.notebook()["cells"] == []
        (folder.folder / "source.ipynb").write_text(text % "source")
        assert folder.notebook()["cells"][0]["source"] == "source"
        folder.executed.write_text("{")
        assert folder.notebook()["cells"][0]["source"] == "source"
        folder.executed.write_text(text % "executed")
        assert folder.notebook()["cells"][0]["source"] == "executed"
