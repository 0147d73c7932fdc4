"""Hosted fine-tuning, against a server that is held to the official document."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from daybook.errors import BadParameter, ProviderError, Unauthorised
from daybook.training import hosted
from daybook.training.data.examples import Chat
from daybook.training.hosted import Hosted, State
from tests.fakes.contracts import Contract
from tests.fakes.finetune_server import FakeTuning

CHATS = [[{"role": "user", "content": f"q{n}"}, {"role": "assistant", "content": "Grüße"}] for n in range(12)]
STATE = State(model="gpt-4o-mini-2024-07-18", seed=7, epochs=2, suffix="triage")


@pytest.fixture(scope="session")
def contract() -> Contract:
    return Contract.load("openai.openapi.yaml")


@pytest.fixture
def fake(contract: Contract) -> Iterator[FakeTuning]:
    with FakeTuning(contract) as running:
        yield running
    assert running.problems == []


def at(fake: FakeTuning, folder: Path, key: str = "sk-good") -> Hosted:
    return Hosted(folder, "ft-1", hosted.client(key=key, base_url=fake.url).with_options(max_retries=0))


def test_a_dry_run_sends_nothing(fake: FakeTuning, tmp_path: Path) -> None:
    """The files are written and the request can be seen; the server was not asked anything."""
    one = at(fake, tmp_path)
    one.write(CHATS[:10], CHATS[10:], STATE)
    assert one.request()["method"] == {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 2}}}
    assert len((tmp_path / "train.jsonl").read_text().splitlines()) == 10
    assert fake.requests == []
    assert hosted.price(STATE.model, 1_000_000, 2) == Decimal("6.0000")
    assert hosted.price("unheard-of", 1_000_000, 2) is None
    assert [hosted.default_epochs(n) for n in (10, 100, 1000, 100_000)] == [10, 3, 3, 1]


def test_tools_are_uploaded_with_their_chat(fake: FakeTuning, tmp_path: Path) -> None:
    """A chat with tools has them in its line, integers of any length included; one without has no such key."""
    tools = [{"type": "function", "function": {"name": "refund", "parameters": {"maximum": 2**70}}}]
    at(fake, tmp_path).write([Chat(CHATS[0], tools), CHATS[1]], CHATS[10:], STATE)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert lines == [{"messages": CHATS[0], "tools": tools}, {"messages": CHATS[1]}]


def test_from_files_to_a_model(fake: FakeTuning, tmp_path: Path) -> None:
    """Uploaded, created with method and seed, looked at until it has succeeded; events and checkpoints over all their
    pages; then the uploaded files are listed and deleted, and nobody else's."""
    one = at(fake, tmp_path)
    one.write(CHATS[:10], CHATS[10:], STATE)
    fake.files["file-x"] = {
        "id": "file-x", "object": "file", "bytes": 1, "created_at": 1, "filename": "theirs.jsonl",
        "purpose": "fine-tune", "status": "processed",
    }  # fmt: skip
    stages = [one.advance() for _ in range(5)]
    assert [s.status or s.stage for s in stages] == [
        "uploaded",
        "validating_files",
        "running",
        "succeeded",
        "succeeded",
    ]
    assert (stages[-1].result, stages[-1].trained_tokens, stages[-1].over) == ("ft:gpt-4o-mini:x", 1234, True)
    assert fake.contents["file-0"] == (tmp_path / "train.jsonl").read_bytes()
    (job,) = fake.jobs.values()
    assert (job["seed"], job["metadata"], job["validation_file"]) == (7, {"daybook": "ft-1"}, "file-1")
    assert [event["message"] for event in one.events()] == [f"step {n}" for n in (4, 3, 2, 1, 0)]
    assert [point["step_number"] for point in one.checkpoints()] == [10, 20, 30]
    assert one.forget() == ["file-0", "file-1"]
    assert list(fake.files) == ["file-x"]
    with pytest.raises(ProviderError, match="404"):
        hosted.delete(hosted.client(key="sk-good", base_url=fake.url), "file-0")


@pytest.mark.parametrize("lost", ["POST /files", "POST /fine_tuning/jobs"])
def test_what_was_done_and_not_answered_is_not_done_twice(fake: FakeTuning, tmp_path: Path, lost: str) -> None:
    """The connection breaks after the server did it; a new process goes on by the stored id and finds it there."""
    at(fake, tmp_path).write(CHATS[:10], CHATS[10:], STATE)
    fake.fail_after = lost
    with contextlib.suppress(ProviderError):
        at(fake, tmp_path).advance()
        at(fake, tmp_path).advance()
    assert fake.fail_after is None
    for _ in range(4):
        state = at(fake, tmp_path).advance()
    assert state.status == "succeeded"
    assert (len(fake.files), len(fake.jobs)) == (2, 1)


def test_cancelling(fake: FakeTuning, tmp_path: Path) -> None:
    """A job is cancelled at the upstream, one that was never created only here; what is over cannot be."""
    one = at(fake, tmp_path / "a")
    one.write(CHATS[:10], CHATS[10:], STATE)
    one.advance()
    one.advance()
    assert one.cancel().status == "cancelled"
    assert [job["status"] for job in fake.jobs.values()] == ["cancelled"]
    with pytest.raises(BadParameter, match="is cancelled"):
        one.cancel()
    other = at(fake, tmp_path / "b")
    other.write(CHATS[:10], CHATS[10:], STATE)
    assert other.cancel().over
    assert len(fake.jobs) == 1


def test_refusals_are_ours(fake: FakeTuning, tmp_path: Path) -> None:
    """A wrong key, and a training that was never written: each by its own error, and nothing is lost."""
    one = at(fake, tmp_path, key="sk-bad")
    with pytest.raises(BadParameter, match="no hosted training"):
        one.advance()
    one.write(CHATS[:10], CHATS[10:], STATE)
    with pytest.raises(Unauthorised):
        one.advance()
    assert one.state.stage == "written"


def test_who_is_about_to_pay_knows_until_when() -> None:
    """Prices have a source and a date; so have the last day for new jobs and the day on which the model ends."""
    mini = hosted.tariff("gpt-4o-mini-2024-07-18")
    assert (mini.training, mini.context) == (Decimal("3.00"), 65536)
    assert "https://openai.com/api/pricing/" in mini.source
    assert mini.notice(date(2026, 12, 1)) == (
        "new jobs can be started until 2027-01-06, by who has tuned before; the model is shut down, with every model "
        "tuned on it, on 2027-01-14"
    )
    assert str(mini.notice(date(2027, 1, 7))).startswith("no new job can be started since 2027-01-06")
    nano = hosted.tariff("gpt-4.1-nano-2025-04-14")
    assert nano.notice(date(2026, 12, 1)) == "the model was shut down on 2026-10-23"
    assert hosted.price("someone-elses-model", 1_000_000, 3) is None
