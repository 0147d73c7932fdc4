"""Fine-tuning from the plan to the registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.records import Call
from daybook.services import feedback
from daybook.services.finetune import Plan, Tuner, prepare
from daybook.tuning import heads
from daybook.tuning.recipe import Recipe

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
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
    """Trained, compared on held-out rows, registered with digests, card and metrics, promoted because it is better;
    nothing of the training data is left behind; each step is in the audit trail."""
    plan = plan_of(home, rows)
    assert (plan.checked.met, plan.estimate.examples + plan.estimate.held_out) == (True, 80)
    job = tuner.start(plan, name="triage", actor="ada", promote=True)
    assert job.state == "prepared"
    done = tuner.run(job.id)
    assert done.model is not None
    assert done.model.metrics["accuracy_tuned"]["value"] >= 0.9
    place = home / str(done.model.place)
    head = heads.load(place)
    assert (head.digest, head.predict(["give me my money back"])) == (done.model.weights_digest, ["refund"])
    assert plan.checked.digest in (place / "card.md").read_text()
    assert (done.model.data_digest, done.model.tags) == (plan.checked.digest, {"job": job.id})
    verdict = done.metrics["accuracy_difference"]["verdict"]
    assert tuner.registry.aliases("triage") == ({"champion": 1} if verdict == "better" else {})
    assert sorted(path.name for path in tuner.jobs.place(job.id).iterdir()) == ["job.json", "lock"]
    did = [
        row["action"] for row in book.rows("select action from events where object = :id order by id", {"id": job.id})
    ]
    assert did == ["finetune.prepared", "finetune.started", "finetune.completed"]


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


def test_liked_calls_become_rows_with_their_persons(book: Book, home: Path, tuner: Tuner) -> None:
    """Only calls with consent and a good word, or a better answer, are learnt from; who they are about is on the
    model, so that an erasure can mark it; the latest word about a call counts."""
    clock = FixedClock(NOW)
    for n in range(30):
        label = "refund" if n % 2 else "delivery"
        asked = f"{'money back' if n % 2 else 'when will it arrive'}, order {n * 7919}"
        call = Call(
            id=f"c{n:02}", request_id="r", at=NOW, endpoint="library", requested_model="m", status="ok",
            subject=f"s{n % 3}", prompt=json.dumps([{"role": "user", "content": asked}]), answer=label,
        )  # fmt: skip
        book.append(call)
        feedback.give(book, call.id, good=True, consent=n != 1, actor="ada", clock=clock)
    feedback.give(book, "c03", good=False, consent=True, actor="ada", clock=clock)
    feedback.give(book, "c05", good=False, correction="refund", consent=True, actor="ada", clock=clock)
    found = feedback.liked(book, days=7, now=NOW)
    assert (len(found.data), found.subjects) == (28, ("s0", "s1", "s2"))
    assert found.left_out == {"without consent": 1, "not good, and nobody wrote a better answer": 1}
    with pytest.raises(BadParameter, match="no call"):
        feedback.give(book, "nothing", good=True, actor="ada", clock=clock)
    with pytest.raises(BadData, match="None of 0 calls"):
        feedback.liked(book, days=7, now=datetime(2027, 11, 24, tzinfo=UTC))


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
