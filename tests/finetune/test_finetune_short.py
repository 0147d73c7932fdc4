"""Trainings that run out of room, are interrupted, or stand on weights that do not load."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook.book import Book
from daybook.errors import BadParameter
from daybook.finetune.tuner import Tuner, prepare
from daybook.training.recipe import Recipe

LIMITED = Path(__file__).parent / "processes" / "finetune_limited.py"


@pytest.fixture
def tuner(home: Path) -> Iterator[Tuner]:
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        yield Tuner(home, book)


@pytest.mark.slow
def test_a_full_disk_is_told_and_what_was_done_is_kept(tuner: Tuner, home: Path) -> None:
    """The message has the numbers and the remedy; the job says failed, nothing is registered; once there is room, the
    same job is run to its end and registered once."""
    job = tuner.start(prepare(home, "builtin:requests", Recipe(method="head")), name="triage", actor="ada")
    command = [sys.executable, str(LIMITED), str(home), job.id, "30000"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    told = r"DaybookError No room training ft-\w+, .* and a file may have at most 0.0 MB. Free some room and go on"
    assert re.match(told, done.stdout), done.stdout
    assert tuner.jobs.read(job.id).state == "failed"
    assert tuner.registry.versions() == []
    assert not (home / "models").exists()
    model = tuner.run(job.id).model
    assert model is not None
    assert [version.id for version in tuner.registry.versions()] == [model.id] == ["triage:v1"]


def test_an_interrupted_training_says_so_while_its_process_lives(tuner: Tuner, home: Path) -> None:
    """Ctrl-C in a notebook ends the training and not the kernel: it is interrupted, not running, and can go on."""
    job = tuner.start(prepare(home, "builtin:requests", Recipe(method="head")), name="triage", actor="ada")

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tuner.run(job.id, tell=interrupt)
    assert tuner.jobs.read(job.id).state == "interrupted"
    assert tuner.run(job.id).job.state == "completed"


@pytest.mark.parametrize("method", ["lora", "head", "encoder"])
def test_weights_that_do_not_load_are_told(tuner: Tuner, home: Path, tmp_path: Path, method: str) -> None:
    """Half a file of weights, named as the base: what and why, nothing registered, and the job can be seen to fail."""
    base = tmp_path / "broken"
    base.mkdir()
    (base / "config.json").write_text('{"model_type": "bert", "max_position_embeddings": 512}')
    (base / "model.safetensors").write_bytes(b"\x10\x00\x00\x00")

    def train() -> None:
        recipe = Recipe.of({"method": method, "base": str(base)})
        tuner.run(tuner.start(prepare(home, "builtin:requests", recipe), name="triage", actor="ada").id)

    with pytest.raises(BadParameter, match=r"in .*broken (do(es)? not load: \w+|has no chat template)"):
        train()
    assert tuner.registry.versions() == []
    assert [job.state for job in tuner.jobs.list()] in ([], ["failed"])
