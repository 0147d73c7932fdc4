"""Tasks as calls: checked before anything runs, entered whatever comes of them, their texts kept nowhere."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from daybook.clock import SystemClock
from daybook.errors import BadParameter, Unavailable
from daybook.inference.request import ChatRequest
from daybook.inference.tasks.tasks import Tasks, checked
from daybook.prices import reckon


class Ledger(list):
    pass


class Engine:
    def __init__(self, fails: Exception | None = None) -> None:
        self.asked, self.fails = [], fails

    async def run(self, task, body):
        self.asked.append((task, body))
        if self.fails:
            raise self.fails
        return {"results": [1] * len(body["texts"]), "model": "all-minilm-l6-v2", "digest": "sha256:1", "tokens": 7}


class Chats:
    def __init__(self) -> None:
        self.bodies = []

    async def chat(self, request):
        self.bodies.append(request.body)
        call = SimpleNamespace(finish_reason="stop", input_tokens=30, weights_digest="sha256:2")
        return SimpleNamespace(reply=SimpleNamespace(text=" Short. "), call=call)


def request(**body) -> ChatRequest:
    return ChatRequest(
        body=body, endpoint="/ml/hf/x", request_id="r1", at=datetime(2026, 11, 25, tzinfo=UTC), started=0.0
    )


def tasks(engine=None, chats=None, **more):
    ledger = Ledger()
    made = Tasks(engine or Engine(), chats or Chats(), ledger, reckon=reckon, clock=SystemClock(), **more)
    return made, ledger


async def test_a_task_is_in_the_book_with_its_tokens_and_no_text():
    """One entry: who, which weights, tokens, priced at 0 by a rate that says so; the text is nowhere in it."""
    made, ledger = tasks()
    told = await made.run("embed", request(texts=["my secret", "b"]))
    assert (told["results"], told["usage"]) == ([1, 1], {"input_tokens": 7})
    (call,) = ledger
    assert (call.provider, call.served_model, call.weights_digest) == ("hf", "all-minilm-l6-v2", "sha256:1")
    assert (call.input_tokens, call.cost, call.status, call.parameters) == (7, 0, "ok", {"texts": 2})
    assert "secret" not in repr(call)


async def test_a_task_that_fails_is_in_the_book_as_failed():
    """The error is raised, and its entry says which kind; its cost is unknown, not 0."""
    made, ledger = tasks(Engine(Unavailable("The process ended.")))
    with pytest.raises(Unavailable):
        await made.run("sentiment", request(text="a"))
    (call,) = ledger
    assert (call.status, call.error_kind, call.cost, call.http_status) == ("error", "unavailable", None, 503)


async def test_summaries_are_chat_calls_unless_a_model_of_tasks_yml_is_named():
    """The embedded chat model writes them, one call a text, which enters itself; a named model is the engine's."""
    chats, engine = Chats(), Engine()
    made, ledger = tasks(engine, chats, named=lambda: {"t5"})
    told = await made.run("summarize", request(texts=["Long.", "Longer."], max_tokens=20))
    assert [row["summary"] for row in told["results"]] == ["Short.", "Short."]
    assert (told["usage"], told["model"], len(chats.bodies)) == ({"input_tokens": 60}, "smollm2-135m-instruct", 2)
    assert (chats.bodies[0]["max_tokens"], len(ledger)) == (20, 0)
    await made.run("summarize", request(text="Long.", model="t5"))
    assert engine.asked[0][0] == "summarize"


@pytest.mark.parametrize(
    ("task", "body", "says"),
    [
        ("dance", {"text": "a"}, "No task is called 'dance'"),
        ("embed", {}, "`text` and `texts` are neither there"),
        ("embed", {"text": "a", "texts": ["b"]}, "`text` and `texts` are both there"),
        ("embed", {"texts": "a"}, "`texts` is a text, not a list"),
        ("embed", {"texts": []}, "`texts` has 0 texts"),
        ("embed", {"texts": ["a"] * 2049}, "`texts` has 2,049 texts. Send 1 to 2,048"),
        ("embed", {"texts": ["a", " "]}, "Text 2 of 2 is empty"),
        ("embed", {"texts": ["a", 3]}, "Text 2 of 2 is a number, not text"),
        ("embed", {"text": None}, "`text` is null, not text"),
        ("embed", {"text": "x" * 100_001}, "`text` has 100,001 characters"),
        ("embed", {"text": "a\ud83d"}, "`text` has half a character at 2"),
        ("embed", {"text": "a", "url": "http://x"}, "'url' is no field"),
        ("embed", {"text": "a", "model": 3}, "`model` has the wrong type"),
        ("classify", {"text": "a"}, "`labels` is not a list"),
        ("classify", {"text": "a", "labels": ["b", "b"]}, "different"),
        ("classify", {"text": "a", "labels": ["b", "c"], "hypothesis": "none"}, "`hypothesis` has no {}"),
        ("summarize", {"text": "a", "max_tokens": 0}, "`max_tokens` is 0"),
        ("summarize", {"text": "a", "max_tokens": True}, "wrong type"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(task, body, says):
    """Each message names the field."""
    with pytest.raises(BadParameter) as told:
        checked(task, body)
    assert says in str(told.value)
