"""Fine-tuning from the plan to the registry."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from daybook.book import Book
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.finetune.tuner import Plan, Tuner, prepare
from daybook.hf import head as heads
from daybook.records import Record
from daybook.training.recipe import Recipe

HEAD = Recipe(method="head", held_out=0.3)


@pytest.fixture
def book(home: Path) -> Iterator[Book]:
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as opened:
        yield opened


@pytest.fixture
def tuner(home: Path, book: Book) -> Tuner:
    return Tuner(home, book)


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Eighty requests of two kinds, in a CSV."""
    path = tmp_path / "tickets.csv"
    things = ["tent", "lamp", "chair", "table", "kettle", "mirror", "clock", "radio", "shelf", "stove"]
    asked = [(f"I want my money back for the {t}, number {n}", "refund") for n in range(4) for t in things]
    asked += [(f"When will the {t} arrive at house {n}?", "delivery") for n in range(4) for t in things]
    path.write_text("text,label\n" + "".join(f'"{text}",{label}\n' for text, label in asked))
    return path


def plan_of(home: Path, rows: Path, **more: Any) -> Plan:
    return prepare(home, rows, HEAD, licence="own", **more)


def test_from_rows_to_a_registered_model(home: Path, rows: Path, tuner: Tuner, book: Book) -> None:
    """Trained, compared on held-out rows, registered with digests, card and metrics, promoted because it is better: the
    classes' names say nothing, so that before it was a coin. Nothing of the training data is left behind; each step is
    in the audit trail."""
    rows.write_text(rows.read_text().replace(",refund", ",k1").replace(",delivery", ",k2"))
    plan = plan_of(home, rows)
    assert (plan.checked.met, plan.estimate.examples + plan.estimate.held_out) == (True, 80)
    job = tuner.start(plan, name="triage", actor="ada", promote=True)
    assert job.state == "prepared"
    done = tuner.run(job.id)
    assert done.model is not None
    assert done.model.metrics["accuracy_tuned"]["value"] == 1.0
    assert done.model.metrics["accuracy_base"]["value"] < 0.75
    assert done.metrics["accuracy_difference"]["verdict"] == "better"
    assert tuner.registry.aliases("triage") == {"champion": 1}
    (move,) = tuner.registry.history("triage")
    assert (move.reason or "").startswith("better than its base: accuracy +0.")
    place = home / str(done.model.place)
    head = heads.load(place)
    assert (head.digest, head.predict(["give me my money back"])) == (done.model.weights_digest, ["k1"])
    assert plan.checked.digest in (place / "card.md").read_text()
    assert (done.model.data_digest, done.model.tags) == (plan.checked.digest, {"job": job.id})
    assert sorted(path.name for path in tuner.jobs.place(job.id).iterdir()) == ["job.json", "lock"]
    did = [
        row["action"] for row in book.rows("select action from events where object = :id order by id", {"id": job.id})
    ]
    assert did == ["finetune.prepared", "finetune.started", "finetune.completed"]


def test_what_was_as_good_before_is_registered_and_not_promoted(home: Path, rows: Path, tuner: Tuner) -> None:
    """The classes' names say it all, so the untrained model is right already: no difference, no champion."""
    text = (
        rows.read_text()
        .replace(",refund", ",I want my money back for the")
        .replace(",delivery", ",When will it arrive")
    )
    rows.write_text(text)
    done = tuner.run(tuner.start(plan_of(home, rows), name="triage", actor="ada", promote=True).id)
    assert (done.metrics["accuracy_base"]["value"], done.metrics["accuracy_tuned"]["value"]) == (1.0, 1.0)
    assert done.metrics["accuracy_difference"]["verdict"] == "cannot tell"
    assert [version.id for version in tuner.registry.versions()] == ["triage:v1"]
    assert tuner.registry.aliases("triage") == {}


def test_run_again_registers_nothing_twice(home: Path, rows: Path, tuner: Tuner) -> None:
    """A completed job is not done again; one that died after registering finds its version."""
    job = tuner.start(plan_of(home, rows), name="triage", actor="ada")
    first = tuner.run(job.id).model
    assert tuner.run(job.id).model == first
    finished = tuner.jobs.read(job.id)
    tuner.jobs.write(replace(finished, state="running", process=(2**22 + 1, 0.0)))  # as if it had died before the end
    assert tuner.jobs.read(job.id).state == "interrupted"
    assert [version.id for version in tuner.registry.versions()] == ["triage:v1"]


def test_a_gate_that_blocks_starts_nothing(home: Path, tmp_path: Path, tuner: Tuner) -> None:
    """The plan can be looked at; starting it raises with the gates, and no job is there."""
    path = tmp_path / "one.csv"
    path.write_text("text,label\n" + "".join(f"where is number {n * 131}?,same\n" for n in range(20)))
    plan = prepare(home, path, HEAD, licence="own", policies={"balance": "block"})
    assert not plan.checked.met
    with pytest.raises(GateNotMet, match="balance: all 20 examples have one answer") as raised:
        tuner.start(plan, name="triage", actor="ada")
    assert raised.value.exit_code == 3
    assert tuner.jobs.list() == []


def test_too_little_is_refused_with_the_numbers(home: Path, tmp_path: Path, rows: Path, tuner: Tuner) -> None:
    """Too few held-out rows, a name that cannot be, rows that were changed after they were prepared."""
    small = tmp_path / "small.csv"
    small.write_text("text,label\n" + "".join(rows.read_text().splitlines(keepends=True)[n] for n in (1, 2, 3, 50, 51)))
    plan = prepare(home, small, HEAD, licence="own", policies={"enough": "warn"})
    with pytest.raises(BadData, match=r"5 rows leave \d to train on and \d held out"):
        tuner.start(plan, name="triage", actor="ada")
    with pytest.raises(BadParameter, match="cannot be the name"):
        tuner.start(plan_of(home, rows), name="../x", actor="ada")
    job = tuner.start(plan_of(home, rows), name="triage", actor="ada")
    data = tuner.jobs.place(job.id) / "data.jsonl"
    data.write_bytes(data.read_bytes().replace(b"tent", b"boat"))
    with pytest.raises(BadData, match="were changed since it was prepared"):
        tuner.run(job.id)
    assert tuner.jobs.read(job.id).state == "failed"
    assert tuner.registry.versions() == []


def test_a_training_is_cancelled_and_only_once(home: Path, rows: Path, tuner: Tuner) -> None:
    """One that nobody runs is cancelled at once, with its rows deleted; a second time there is nothing to cancel."""
    job = tuner.start(plan_of(home, rows), name="triage", actor="ada")
    assert tuner.cancel(job.id, actor="ada").state == "cancelled"
    assert not (tuner.jobs.place(job.id) / "data.jsonl").exists()
    with pytest.raises(BadParameter, match="is cancelled"):
        tuner.cancel(job.id, actor="ada")
    for id_ in ("ft-000000000000", "../../etc"):
        with pytest.raises(BadParameter):
            tuner.jobs.read(id_)


def test_two_do_not_run_one_training(home: Path, rows: Path, tuner: Tuner) -> None:
    """While one process holds it, another is told so."""
    job = tuner.start(plan_of(home, rows), name="triage", actor="ada")
    with tuner.jobs.alone(job.id), pytest.raises(BadParameter, match="being run by another process"):
        tuner.run(job.id)


def test_a_killed_process_leaves_nothing_half_registered(home: Path, rows: Path, tuner: Tuner) -> None:
    """kill -9 while it runs: interrupted, nothing registered; run again, it is done."""
    job = tuner.start(plan_of(home, rows), name="triage", actor="ada")
    env = {**os.environ, "DAYBOOK_HOME": str(home), "DAYBOOK_BOOK": f"duckdb:///{home / 'book.duckdb'}"}
    process = subprocess.Popen([sys.executable, "-m", "daybook", "finetune", "resume", job.id], env=env)
    path = tuner.jobs.place(job.id) / "job.json"
    while process.poll() is None and orjson.loads(path.read_bytes())["state"] != "running":
        pass
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert tuner.jobs.read(job.id).state == "interrupted"
    assert tuner.registry.versions() == []
    done = tuner.run(job.id)
    assert done.model is not None
    assert done.model.version == 1


class Died(BaseException):
    pass


class Dying:
    """A book whose process dies as it enters the record after `left` others, or right after it."""

    def __init__(self, book: Book, left: int, *, after: bool) -> None:
        self.home, self._book, self._left, self._after = book.home, book, left, after

    def append(self, record: Record) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Died
        self._book.append(record)
        if self._left < 0:
            raise Died

    def rows(self, query: str, params: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return self._book.rows(query, params)

    def excluded(self, purpose: str) -> frozenset[str]:
        return self._book.excluded(purpose)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("left", range(6))
def test_whatever_was_entered_last_the_rest_is_done_once(
    home: Path, rows: Path, tuner: Tuner, book: Book, left: int, after: bool
) -> None:
    """Died before or after any entry on the way to a registered champion, and run again: one version, served, pointed
    at once, with its weights and nothing else in the folder of the models."""
    rows.write_text(rows.read_text().replace(",refund", ",k1").replace(",delivery", ",k2"))  # names that say nothing
    job = tuner.start(plan_of(home, rows), name="triage", actor="ada", promote=True)
    with contextlib.suppress(Died):
        Tuner(home, Dying(book, left, after=after)).run(job.id)
    assert len(tuner.registry.versions()) <= 1
    done = tuner.run(job.id)
    assert done.job.state == "completed"
    (version,) = tuner.registry.versions()
    assert done.model == version
    assert [move.version for move in tuner.registry.history("triage")] == [1]
    (served,) = orjson.loads((home / "registered.json").read_bytes())["models"]
    assert (served["id"], served["aliases"]) == ("triage:v1", ["champion"])
    (place,) = (home / "models" / "registered" / "triage").iterdir()
    assert place == home / str(version.place)
    assert heads.load(place).digest == version.weights_digest
    assert sorted(path.name for path in tuner.jobs.place(job.id).iterdir()) == ["job.json", "lock"]


def test_a_head_is_its_numbers(tmp_path: Path) -> None:
    """Saved and loaded it is the same to the bit; changed numbers, another encoder and half a file are refused."""
    head = heads.fit(["a cat", "a dog", "cats", "dogs"], ["cat", "dog", "cat", "dog"])
    again = heads.load(head.save(tmp_path / "h"))
    texts = ["the cat", "my dog"]
    assert np.array_equal(again.probabilities(texts), head.probabilities(texts))
    assert np.allclose(head.probabilities(texts).sum(axis=1), 1)
    np.savez(tmp_path / "h" / "head.npz", weights=head.weights + 1, bias=head.bias)
    with pytest.raises(BadParameter, match="not the one that was saved"):
        heads.load(tmp_path / "h")
    (tmp_path / "h" / "head.npz").write_bytes(b"PK")
    with pytest.raises(BadParameter, match="does not load"):
        heads.load(tmp_path / "h")
    with pytest.raises(BadData, match="4 rows with 1 class: 'a'"):
        heads.fit(["a", "b", "c", "d"], ["a"] * 4)
