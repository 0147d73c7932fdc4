"""Checkpoints: whole or not at all, the newest, and of the same training."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from daybook.errors import BadParameter
from daybook.training.checkpoints import Checkpoints

IDENTITY = {"recipe": "sha256:" + "a" * 64, "data": "sha256:" + "b" * 64}


def weigh(text: str):
    """What fills a checkpoint with one file."""
    return lambda folder: (folder / "weights").write_text(text)


@pytest.fixture
def checkpoints(tmp_path: Path) -> Checkpoints:
    return Checkpoints(tmp_path / "a" / "b", IDENTITY)


def test_where_nothing_was_written_there_is_none(checkpoints):
    """Neither without the folder nor in an empty one."""
    assert checkpoints.latest() is None
    checkpoints.folder.mkdir(parents=True)
    assert checkpoints.latest() is None


def test_the_newest_stays_alone(checkpoints):
    """Steps are numbers: 9 comes before 10; the same step is written anew."""
    for step in (9, 10, 10):
        checkpoints.write(step, {"loss": 0.5 / step}, weigh(f"at {step}"))
    folder, state = checkpoints.latest()
    assert [entry.name for entry in checkpoints.folder.iterdir()] == ["step-0000010"]
    assert state == {"loss": 0.05, "step": 10, "identity": IDENTITY}
    assert (folder / "weights").read_text() == "at 10"


def test_of_two_that_are_left_the_newer_serves(checkpoints):
    """As after a kill between writing one and sweeping the other."""
    for step in (10, 9):
        Checkpoints(checkpoints.folder / str(step), IDENTITY).write(step, {}, weigh("x"))
        next((checkpoints.folder / str(step)).iterdir()).rename(checkpoints.folder / f"step-{step:07}")
    assert checkpoints.latest()[1]["step"] == 10


@pytest.mark.parametrize("error", [OSError("No space left"), KeyboardInterrupt()])
def test_a_failed_write_is_an_error_and_leaves_what_was(checkpoints, error):
    """The disk is full, or somebody stops it: raised as it is, nothing half is left, the one before is the latest."""
    checkpoints.write(1, {}, weigh("one"))

    def fail(folder: Path) -> None:
        weigh("half")(folder)
        raise error

    with pytest.raises(type(error)):
        checkpoints.write(2, {}, fail)
    assert [entry.name for entry in checkpoints.folder.iterdir()] == ["step-0000001"]
    assert checkpoints.latest()[1]["step"] == 1


def test_what_a_killed_write_left_is_swept_away(checkpoints):
    """A hidden folder of the same step holds files of before: none of them is in the checkpoint."""
    left = checkpoints.folder / ".step-0000003"
    left.mkdir(parents=True)
    (left / "old").touch()
    assert checkpoints.latest() is None
    checkpoints.write(3, {}, weigh("new"))
    assert sorted(entry.name for entry in checkpoints.latest()[0].iterdir()) == ["state.json", "weights"]


@pytest.mark.parametrize("state", [None, b"", b"{", b"\xff"])
def test_one_that_cannot_be_read_is_passed_over(checkpoints, state):
    """The one before it serves."""
    checkpoints.write(1, {}, weigh("one"))
    broken = checkpoints.folder / "step-0000002"
    broken.mkdir()
    if state is not None:
        (broken / "state.json").write_bytes(state)
    assert checkpoints.latest()[1]["step"] == 1


@pytest.mark.parametrize("what", ["recipe", "data"])
@pytest.mark.parametrize("value", ["sha256:" + "c" * 64, None])
def test_another_trainings_is_refused_with_what_differs(checkpoints, what, value):
    """By name, with the beginnings of both digests; an identity that was not kept is another one."""
    checkpoints.write(1, {}, weigh("one"))
    path = checkpoints.latest()[0] / "state.json"
    state = orjson.loads(path.read_bytes())
    state["identity"] = {k: v for k, v in (IDENTITY | {what: value}).items() if v is not None}
    path.write_bytes(orjson.dumps(state))
    with pytest.raises(
        BadParameter, match=f"made with another {what}: {str(value)[:19]}…, now it is {IDENTITY[what][:19]}…"
    ):
        checkpoints.latest()
