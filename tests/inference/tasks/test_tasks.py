"""Tasks as calls: checked before anything runs, entered whatever comes of them, their texts kept nowhere."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import asdict, replace
from decimal import Decimal

import pytest

from daybook.errors import BadParameter, JournalFull, Unavailable, UnknownModel
from daybook.guardrails.redaction import Rules
from daybook.inference.response_cache import ResponseCache
from daybook.inference.tasks.tasks import Tasks, checked
from daybook.pii.redaction import Redactor
from daybook.providers.embedding import EmbeddingReply
from daybook.providers.moderation import ModerationReply
from daybook.providers.port import Identity, Reply
from daybook.records import Call, Cost, Usage
from tests.inference.conftest import Scripted


class Engine:
    """Answers each text with its number; `fails` is raised, and an Event waited for."""

    def __init__(self, fails=None) -> None:
        self.asked, self.fails = [], fails

    async def run(self, task, body):
        self.asked.append((task, body))
        if isinstance(self.fails, asyncio.Event):
            await self.fails.wait()
        elif self.fails:
            raise self.fails
        return {"results": list(range(len(body["texts"]))), "model": "minilm", "digest": "sha256:1", "tokens": 7}


@pytest.fixture
def ask(desk):
    """Runs a task with an engine, over the answerer and the journal of `desk`."""

    async def run(task, engine=None, named=tuple, **body):
        request = desk.request()
        request = replace(request, body=body, endpoint="/ml/hf/x", run_id="run1")
        desk.clock.seconds += 2
        return await Tasks(engine or Engine(), desk.answerer, named=named).run(task, request)

    return run


async def test_a_task_is_in_the_book_with_its_tokens_and_no_text(desk_with):
    """One entry, complete: who, which weights, tokens, priced as any call is; the texts are nowhere in it, even where
    content is kept, and two requests of the same texts have the same digest."""
    asked = []

    def reckon(usage, *, provider, model, on):
        asked.append((usage, provider, model, on))
        return Cost(amount=Decimal("0.5"), source="s", rate="r", note="n")

    desk = desk_with(reckon=reckon, content=True)
    request = replace(desk.request(), body={"texts": ["my secret", "b"], "model": "m"}, endpoint="/e", run_id="run1")
    desk.clock.seconds += 2
    for _ in range(2):
        answer = await Tasks(Engine(), desk.answerer).run("embed", request)
    assert answer == {
        "task": "embed",
        "model": "minilm",
        "digest": "sha256:1",
        "results": [0, 1],
        "usage": {"input_tokens": 7},
        "truncated": 0,
    }
    assert asked[0] == (Usage(input_tokens=7, output_tokens=0), "hf", "minilm", request.at)
    call, again = desk.ledger.calls
    fields = {name: getattr(call, name) for name in call.__slots__}
    assert fields | {"id": None, "prompt_hash": None} == asdict(
        Call(
            id=None,
            request_id="r1",
            at=request.at,
            caller="ada",
            key_id="k1",
            project="p",
            tags={"a": "b"},
            endpoint="/e",
            requested_model="m",
            provider="hf",
            served_model="minilm",
            weights_digest="sha256:1",
            parameters={"texts": 2},
            input_tokens=7,
            output_tokens=0,
            usage_reported=True,
            cost=Decimal("0.5"),
            price_source="s",
            price_rate="r",
            price_note="n",
            latency=2.0,
            status="ok",
            http_status=200,
            run_id="run1",
        )
    )
    assert call.prompt_hash == hashlib.sha256(b'["my secret","b"]').hexdigest() == again.prompt_hash
    assert call.id != again.id
    assert desk.observer.seen == [call, again]


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [(Unavailable("The process ended."), "unavailable", 503), (RuntimeError("nobody foresaw it"), "fault", 500)],
)
async def test_a_task_that_fails_is_in_the_book_as_failed(desk, ask, error, kind, status):
    """The error is raised, and its entry says which kind; its tokens and cost are unknown, not 0."""
    with pytest.raises(type(error)):
        await ask("sentiment", Engine(error), text="a")
    (call,) = desk.ledger.calls
    assert (call.status, call.error_kind, call.http_status, call.provider) == ("error", kind, status, "hf")
    assert (call.cost, call.input_tokens, call.usage_reported, call.served_model) == (None, None, None, None)


async def test_a_client_that_leaves_a_task_is_in_the_book(desk, ask):
    """Once, as closed by the client; and nothing is under way any more."""
    task = asyncio.create_task(ask("embed", Engine(asyncio.Event()), text="a"))
    await asyncio.sleep(0)
    assert desk.answerer.recorder.open == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    (call,) = desk.ledger.calls
    assert (call.status, call.http_status, desk.answerer.recorder.open) == ("client_closed", None, 0)


async def test_a_task_that_the_journal_has_no_room_for_is_withheld_and_entered_later(desk, ask):
    """The answer is not handed over; while there is no room no model runs; with room again both are in the book."""
    engine, desk.ledger.room = Engine(), 0
    for _ in range(2):
        with pytest.raises(JournalFull):
            await ask("embed", engine, text="a")
    assert len(engine.asked) == 1
    desk.ledger.room = None
    await ask("embed", engine, text="a")
    assert [(call.status, call.error_kind, call.input_tokens) for call in desk.ledger.calls] == [
        ("error", "journal_full", 7), ("ok", None, 7),
    ]  # fmt: skip


async def test_summaries_are_chat_calls_unless_a_model_of_tasks_yml_is_named(desk, ask):
    """The chat model writes them, one call a text, each an entry of its own; a named model is the engine's."""
    desk.provider.reply = Reply(
        data=b"{}",
        text=" Short. ",
        usage=Usage(input_tokens=30, output_tokens=2),
        served_model="m",
        finish_reason="stop",
    )
    answer = await ask("summarize", named=lambda: {"t5"}, texts=["Long.", "Longer."], max_tokens=20, model="m")
    assert answer["results"] == [{"summary": "Short.", "finish_reason": "stop"}] * 2
    assert (answer["usage"], answer["model"], answer["task"]) == ({"input_tokens": 60}, "m", "summarize")
    assert (answer["digest"], answer["truncated"]) == (None, 0)
    prompts = [body["messages"][0]["content"] for body in desk.provider.asked]
    assert [prompt.rpartition("\n\n")[2] for prompt in prompts] == ["Long.", "Longer."]
    assert {(body["max_tokens"], body["temperature"], body["seed"]) for body in desk.provider.asked} == {(20, 0, 1)}
    assert [(call.provider, call.input_tokens, call.endpoint) for call in desk.ledger.calls] == [
        ("up", 30, "/ml/hf/x")
    ] * 2
    engine = Engine()
    await ask("summarize", engine, named=lambda: {"t5"}, text="Long.", model="t5")
    assert engine.asked == [("summarize", {"texts": ["Long."], "model": "t5"})]


async def test_a_summary_is_96_tokens_long_by_the_embedded_model_unless_told(desk, ask):
    """Both in what is asked; here nobody serves that model, and the refusal names it."""
    with pytest.raises(UnknownModel, match="'smollm2-135m-instruct'"):
        await ask("summarize", text="Long.")
    (call,) = desk.ledger.calls
    assert (call.parameters["max_tokens"], call.requested_model) == (96, "smollm2-135m-instruct")


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
        ("summarize", {"text": "a", "max_tokens": 0}, "`max_tokens` is 0. Say 1 to 2048."),
        ("summarize", {"text": "a", "max_tokens": 2049}, "`max_tokens` is 2049"),
        ("classify", {"text": "a", "labels": ["b"]}, "`labels` is not a list of 2 to 100 different texts"),
        ("classify", {"text": "a", "labels": ["b", " "]}, "`labels` is not a list"),
        ("classify", {"text": "a", "labels": ["b", 3]}, "`labels` is not a list"),
        ("classify", {"text": "a", "labels": [str(i) for i in range(101)]}, "`labels` is not a list"),
        ("summarize", {"text": "a", "max_tokens": True}, "wrong type"),
    ],
)
def test_what_cannot_be_meant_is_refused_before_anything_runs(task, body, says):
    """Each message names the field."""
    with pytest.raises(BadParameter) as refused:
        checked(task, body)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("task", "body", "expected"),
    [
        ("embed", {"text": "a"}, {"texts": ["a"]}),
        ("embed", {"texts": ["a"] * 2048}, {"texts": ["a"] * 2048}),
        ("embed", {"text": "x" * 100_000, "model": None}, {"texts": ["x" * 100_000]}),
        ("embed", {"text": "a", "labels": ["not", "read"]}, {"texts": ["a"]}),
        ("summarize", {"text": "a", "max_tokens": 1}, {"texts": ["a"], "max_tokens": 1}),
        ("summarize", {"text": "a", "max_tokens": 2048}, {"texts": ["a"], "max_tokens": 2048}),
        (
            "classify",
            {"text": "a", "labels": ["b", "c"], "hypothesis": "So {}", "model": "n"},
            {"texts": ["a"], "model": "n", "hypothesis": "So {}", "labels": ["b", "c"]},
        ),
        (
            "classify",
            {"text": "a", "labels": [str(i) for i in range(100)]},
            {"texts": ["a"], "labels": [str(i) for i in range(100)]},
        ),
    ],
)
def test_what_is_meant_is_passed_on(task, body, expected):
    """Each bound is still inside; what a task does not read is left out."""
    assert checked(task, body) == expected


async def test_a_summary_of_this_machines_own_model_goes_out_redacted(desk):
    """Where a policy redacts answers; other results say nothing of a text's words and stay."""

    class Summaries(Engine):
        async def run(self, task, body):
            return await super().run(task, body) | {
                "results": [{"summary": "by ada@example.com", "finish_reason": "stop"}]
            }

    rules = Rules(answers=Redactor())
    request = replace(desk.request(), body={"text": "a", "model": "tiny"}, redaction=rules)
    tasks = Tasks(Summaries(), desk.answerer, named=lambda: ["tiny"])
    assert (await tasks.run("summarize", request))["results"] == [{"summary": "by [email]", "finish_reason": "stop"}]
    for other in (None, Rules(request=Redactor())):
        answer = await tasks.run("summarize", replace(request, redaction=other))
        assert answer["results"][0]["summary"] == "by ada@example.com"
    assert (await Tasks(Engine(), desk.answerer).run("embed", request))["results"] == [0]


async def test_callers_take_turns_at_the_models(desk):
    """One task of each caller at a time, so that who sends many waits for itself; all are answered."""
    engine = Engine(asyncio.Event())
    tasks = Tasks(engine, desk.answerer)
    callers = ("eve", "eve", "bob", None, "eve", None)
    requests = [
        replace(desk.request(), request_id=f"r{n}", caller=caller, body={"texts": [f"{caller} {n}"]}, endpoint="/e")
        for n, caller in enumerate(callers)
    ]
    running = [asyncio.ensure_future(tasks.run("embed", request)) for request in requests]
    for _ in range(10):
        await asyncio.sleep(0)
    assert [body["texts"] for _, body in engine.asked] == [["eve 0"], ["bob 2"], ["None 3"]]
    engine.fails.set()
    answers = await asyncio.gather(*running)
    assert [answer["results"] for answer in answers] == [[0]] * 6
    assert [body["texts"][0] for _, body in engine.asked[3:]] == ["eve 1", "None 5", "eve 4"]


class ModelsElsewhere(Scripted):
    """A provider whose questions are in `log` and wait for `gate`."""

    def __init__(self, clock, log, gate) -> None:
        super().__init__(clock)
        self.log, self.gate = log, gate

    async def embed(self, body, note):
        self.log.append(body["input"])
        await self.gate.wait()
        return EmbeddingReply(data=b"{}", usage=None, served_model="m")

    async def moderate(self, body, note):
        self.log.append(body["input"])
        await self.gate.wait()
        return ModerationReply(data=b"{}", served_model="m")


class SharedModels(ModelsElsewhere):
    """One whose models share a process."""

    one_process = True


@pytest.mark.parametrize("what", ["embed", "moderate"])
async def test_embeddings_and_verdicts_take_the_same_turns(desk_with, what):
    """A caller's task, embeddings and verdicts are one line before the process; another caller goes past them."""
    desk = desk_with()
    log, gate = [], asyncio.Event()
    desk.answerer.providers = {"up": SharedModels(desk.clock, log, gate)}
    engine = Engine(gate)
    tasks = Tasks(engine, desk.answerer)

    def request(caller, text, **body):
        return replace(desk.request(), request_id=text, caller=caller, body=body | {"model": "m"}, endpoint="/e")

    running = [asyncio.ensure_future(tasks.run("embed", request("eve", "eve 0", texts=["eve 0"])))]
    for n, caller in enumerate(("eve", "bob", "eve", "bob"), 1):
        asked = request(caller, f"{caller} {n}", input=f"{caller} {n}")
        running.append(asyncio.ensure_future(getattr(desk.answerer, what)(asked)))
    for _ in range(20):
        await asyncio.sleep(0)
    assert ([body["texts"] for _, body in engine.asked], log) == ([["eve 0"]], ["bob 2"])
    gate.set()
    await asyncio.gather(*running)
    assert sorted(log) == ["bob 2", "bob 4", "eve 1", "eve 3"]
    assert [call.status for call in desk.ledger.calls] == ["ok"] * 5
    assert desk.answerer.recorder.open == 0


async def test_upstreams_elsewhere_are_asked_at_once(desk_with):
    """They have their own queues."""
    desk = desk_with()
    log, gate = [], asyncio.Event()
    desk.answerer.providers = {"up": ModelsElsewhere(desk.clock, log, gate)}
    requests = [replace(desk.request(), body={"model": "m", "input": f"{n}"}) for n in range(3)]
    running = [asyncio.ensure_future(desk.answerer.embed(request)) for request in requests]
    for _ in range(20):
        await asyncio.sleep(0)
    assert log == ["0", "1", "2"]
    gate.set()
    await asyncio.gather(*running)


@pytest.mark.parametrize(("digest", "asked"), [(None, 3), ("sha256:1", 1)])
async def test_vectors_of_unknown_weights_are_not_kept(desk_with, tmp_path, digest, asked):
    """A model of this machine says which weights it is with its first answer; they may be others after a restart."""
    desk = desk_with()
    cache = ResponseCache(tmp_path / "a.sqlite", seconds=60, room=10**6, clock=desk.clock)
    desk = desk_with(cache=cache)
    log, gate = [], asyncio.Event()
    gate.set()
    models = SharedModels(desk.clock, log, gate)
    models.identity = Identity(model="m", digest=digest)
    desk.answerer.providers = {"up": models}
    request = replace(desk.request(), body={"model": "m", "input": "a"}, endpoint="/v1/embeddings")
    for _ in range(3):
        await desk.answerer.embed(request)
    assert len(log) == asked
    assert [call.cache_hit for call in desk.ledger.calls][1:] == [asked == 1] * 2
    cache.close()
