"""Tasks from a notebook: frames in the order of the texts, as many calls as it takes, each in the book."""

from __future__ import annotations

import numpy as np
import pytest

from daybook.clock import FixedClock
from daybook.inference.client.client import Client
from daybook.inference.tasks.client import TasksClient
from daybook.providers.echo import Echo, Turn
from daybook.settings import Settings
from tests.inference.conftest import NOON, Ledger


class Models:
    """Scores each text by its length."""

    pid: int | None = None

    def __init__(self) -> None:
        self.asked: list = []
        self.closed = 0

    async def run(self, task, body):
        self.pid = 7
        self.asked.append((task, body))
        texts = body["texts"]
        rows = [[len(t), 1] for t in texts] if task == "embed" else [{"label": "x", "score": len(t)} for t in texts]
        return {"results": rows, "model": "small", "digest": "sha256:1", "tokens": len(texts), "truncated": 0}

    async def aclose(self):
        self.closed += 1


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def tasks(home, tmp_path, models, ledger):
    settings = Settings.from_env({"DAYBOOK_HOME": str(home)}, cwd=tmp_path)
    client = Client(settings, ledger, clock=FixedClock(NOON))
    client.lend("up", Echo("up", script=Turn(" Short. ")))
    yield TasksClient(lambda: client, models, named=lambda: {"t5"}, run_id="r")
    client.close()


def test_sentiment_is_a_row_a_text(tasks, models, ledger):
    """The text first; a model only where one is named."""
    frame = tasks.sentiment(["What a joy.", "Dull."])
    assert frame.to_dict("split", index=False) == {
        "columns": ["text", "label", "score"],
        "data": [["What a joy.", "x", 11], ["Dull.", "x", 5]],
    }
    tasks.sentiment(("a",), model="other")
    assert models.asked == [
        ("sentiment", {"texts": ["What a joy.", "Dull."]}),
        ("sentiment", {"texts": ["a"], "model": "other"}),
    ]
    assert [(call.endpoint, call.run_id, call.input_tokens, call.served_model) for call in ledger.calls] == [
        ("library", "r", 2, "small"), ("library", "r", 1, "small"),
    ]  # fmt: skip


def test_classes_are_asked_for_with_their_labels(tasks, models):
    """And with a hypothesis of one's own, if there is one."""
    assert list(tasks.classify(["a"], ("card", "loan")).columns) == ["text", "label", "score"]
    tasks.classify(["a"], ["card", "loan"], hypothesis="It is {}.", model="other")
    more = {"model": "other", "hypothesis": "It is {}."}
    assert [body for _, body in models.asked] == [
        {"texts": ["a"], "labels": ["card", "loan"]}, {"texts": ["a"], "labels": ["card", "loan"], **more},
    ]  # fmt: skip


def test_summaries_are_a_model_of_tasks_yml_or_a_chat_model(tasks, models, ledger):
    """96 tokens long where nothing else is said."""
    frame = tasks.summarize(["Long."], model="up/m")
    assert frame.to_dict("records") == [{"text": "Long.", "summary": "Short.", "finish_reason": "stop"}]
    (call,) = ledger.calls
    assert (call.parameters["max_tokens"], call.run_id) == (96, "r")
    tasks.summarize(["Long."], max_tokens=7, model="t5")
    assert models.asked == [("summarize", {"texts": ["Long."], "max_tokens": 7, "model": "t5"})]


@pytest.mark.parametrize(("n", "calls"), [(1, [1]), (2048, [2048]), (2049, [2048, 1]), (4097, [2048, 2048, 1])])
def test_many_texts_are_several_calls(tasks, models, n, calls):
    """The vectors are one array, in the order of the texts."""
    vectors = tasks.embed(["x" * (i % 7 + 1) for i in range(n)])
    assert (vectors.shape, vectors.dtype) == ((n, 2), np.float32)
    assert vectors[:, 0].tolist() == [i % 7 + 1 for i in range(n)]
    assert [len(body["texts"]) for _, body in models.asked] == calls


def test_closing_ends_a_process_that_was_started(tasks, models):
    """And starts none only to end it."""
    tasks.close()
    assert models.closed == 0
    tasks.embed(["a"])
    tasks.close()
    assert models.closed == 1
