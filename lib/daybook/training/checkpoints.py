"""The state of a training on disk: whole or not at all, the latest and the best, bound to its recipe and data.

A checkpoint is a folder that is written beside and renamed. One whose training was killed while writing is left as a
hidden folder and swept away; the one before it is still there.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import BadParameter

STATE = "state.json"


class Checkpoints:
    """The checkpoints in `folder`, of the training that `identity` (recipe, data, base) names."""

    def __init__(self, folder: Path, identity: dict[str, str]) -> None:
        self.folder = folder
        self.identity = identity

    def latest(self) -> tuple[Path, dict[str, Any]] | None:
        """The newest checkpoint and its state; None where there is none. Raises BadParameter where it is another
        training's."""
        for folder in sorted(self.folder.glob("step-*"), reverse=True):
            try:
                state: dict[str, Any] = orjson.loads((folder / STATE).read_bytes())
            except (OSError, ValueError):
                continue
            for what, value in self.identity.items():
                if state["identity"].get(what) != value:
                    was = str(state["identity"].get(what))
                    raise BadParameter(
                        f"The checkpoint {folder} was made with another {what}: {was[:19]}…, now it is {value[:19]}….",
                        remedy="Start a new training, or go on with what it was started with.",
                    )
            return folder, state
        return None

    def write(self, step: int, state: dict[str, Any], fill: Callable[[Path], None]) -> None:
        """Keep the state of `step`; earlier ones go. Where it cannot be written, nothing of it is left, and what was
        kept before stays."""
        beside = self.folder / f".step-{step:07}"
        folder = self.folder / f"step-{step:07}"
        shutil.rmtree(beside, ignore_errors=True)
        try:
            beside.mkdir(parents=True)
            fill(beside)
            (beside / STATE).write_bytes(orjson.dumps(state | {"step": step, "identity": self.identity}))
            shutil.rmtree(folder, ignore_errors=True)
            beside.rename(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        for old in self.folder.glob("step-*"):
            if old != folder:
                shutil.rmtree(old, ignore_errors=True)
