"""One ledger for every path: what upstreams say they billed is what the book has, to the token and the cent.

Random schedules of answers, refusals, silences, broken connections, broken streams and clients who leave, over a model
with two fallbacks, whose answers are also copied to a shadow; and questions whose answer is kept and given again. The
upstream keeps a ledger of its own: what it reported, and what it did without reporting it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import threading
from collections import Counter
from decimal import Decimal

import openai
import pytest
from aiohttp import web

from daybook.book import Book
from daybook.providers.catalogue import Catalogue
from daybook.routing.deployments import Deployments
from tests.fakes.contracts import Contract
from tests.fakes.serving import Fake
from tests.gateway.conftest import in_a_thread, served, settings_in

MODELS = """\
upstreams:
  local: {{kind: echo}}
  openai: {{base_url: {url}, attempts: 2, idle_timeout: 5}}
models:
  first: {{upstream: openai, target: gpt-4o-mini, fallback: [second, third]}}
  second: {{upstream: openai, target: gpt-4o}}
  third: {{upstream: openai, target: gpt-4.1-nano}}
"""
PRICES = {
    "gpt-4o-mini": (Decimal("0.15"), Decimal("0.60")),
    "gpt-4o": (Decimal("2.50"), Decimal("10")),
    "gpt-4.1-nano": (Decimal("0.10"), Decimal("0.40")),
}
"""US dollars per million tokens in and out."""
OUTCOMES = ("answer",) * 5 + ("busy", "fault", "refusal", "silence", "reset", "break")
SILENCES = 4
"""How often it says nothing until it is given up: each takes five seconds, so that load alone gives up nobody."""
CALLS = 80


class Biller(Fake):
    """An upstream that draws what to do, and writes down what it will bill. `reported`: (model, in, out) of whole
    answers; `unreported`: attempts that it worked on and gave no count for."""

    def __init__(self, seed: int) -> None:
        super().__init__(Contract(None))
        self.rng = random.Random(seed)
        self.reported: list[tuple[str, int, int]] = []
        self.unreported: Counter[str] = Counter()

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/chat/completions", self._chat)]

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        outcome, into, out = self.rng.choice(OUTCOMES), self.rng.randint(1, 5000), self.rng.randint(1, 500)
        if outcome == "silence" and self.unreported["timeout"] == SILENCES:
            outcome = "answer"
        if body["messages"][0]["content"] == "leave":
            return await self._endless(request, body)
        if outcome == "busy":
            return web.json_response(
                {"error": {"code": "rate_limit_exceeded"}}, status=429, headers={"retry-after": "0"}
            )
        if outcome == "fault":
            return web.json_response({}, status=500)
        if outcome == "refusal":
            return web.json_response({"error": {"message": "no such model", "code": "model_not_found"}}, status=404)
        if outcome == "silence":
            self.unreported["timeout"] += 1
            await asyncio.Event().wait()
        if outcome == "reset":
            self.unreported["reset"] += 1
            request.transport.abort()
            return web.Response()
        usage = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
        if body.get("stream"):
            return await self._stream(request, body, usage, breaks=outcome == "break")
        self.reported.append((body["model"], into, out))
        message = {"role": "assistant", "content": "Fine."}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return web.json_response(
            {"object": "chat.completion", "model": body["model"], "choices": choices, "usage": usage}
        )

    async def _stream(self, request, body, usage, *, breaks: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for word in ("All ", "is ", "well."):
            await response.write(
                chunk(body["model"], [{"index": 0, "delta": {"content": word}, "finish_reason": None}])
            )
        if breaks:
            self.unreported["stream_broken"] += 1
            await asyncio.sleep(0.05)
            request.transport.abort()
            return response
        self.reported.append((body["model"], usage["prompt_tokens"], usage["completion_tokens"]))
        await response.write(chunk(body["model"], [{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        await response.write(chunk(body["model"], [], usage=usage) + b"data: [DONE]\n\n")
        return response

    async def _endless(self, request, body) -> web.StreamResponse:
        self.unreported["client_closed"] += 1
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        while True:
            await response.write(
                chunk(body["model"], [{"index": 0, "delta": {"content": "on "}, "finish_reason": None}])
            )
            await asyncio.sleep(0.01)


def delta(text: str) -> dict[str, object]:
    return {"index": 0, "delta": {"content": text}, "finish_reason": None}


def chunk(model, choices, **more) -> bytes:
    event = {"object": "chat.completion.chunk", "model": model, "choices": choices} | more
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def ask(endpoint, n: int) -> None:
    """One call: whole, streamed, or a stream that its client leaves; each third one of the deployment."""
    client = endpoint.client().with_options(timeout=90)
    leaves = n % 8 == 0
    messages = [{"role": "user", "content": "leave" if leaves else f"call {n}"}]
    with contextlib.suppress(openai.APIError):
        model = "shadowed" if n % 3 == 0 else "first"
        answer = client.chat.completions.create(model=model, messages=messages, stream=leaves or n % 2 == 0)
        if leaves:
            next(iter(answer))
            answer.close()
        elif n % 2 == 0:
            list(answer)
    client.close()


def copying(endpoint) -> bool:
    """Whether a copy waits or is under way: each is counted once, when it is over."""
    rows = [row for row in endpoint.book() if row["requested_model"] == "shadowed" and row["status"] == "ok"]
    answered = sum(row["endpoint"] != "shadow" for row in rows)
    return counted(endpoint, "daybook_shadow_copies_total") < answered


def counted(endpoint, name: str, **labels: str) -> float:
    samples = [sample for metric in endpoint.parts.metrics.registry.collect() for sample in metric.samples]
    return sum(s.value for s in samples if s.name == name and labels.items() <= s.labels.items())


def ask_again(endpoint) -> None:
    """The same question ten times: once it was answered whole, the rest is out of the cache."""
    client = endpoint.client().with_options(timeout=90)
    for _ in range(10):
        with contextlib.suppress(openai.APIError):
            messages = [{"role": "user", "content": "The same again, please."}]
            client.chat.completions.create(model="first", messages=messages, temperature=0)
    client.close()


@pytest.fixture(scope="module", params=[1, 2])
def day(request, tmp_path_factory):
    """A day of calls, all at a time: the upstream's ledger, the endpoint, the book's rows."""
    settings = settings_in(tmp_path_factory.mktemp("ledger"), DAYBOOK_CACHE=3600)
    settings.home.mkdir(parents=True, mode=0o700)
    with in_a_thread(Biller(request.param)) as biller:
        settings.models.write_text(MODELS.format(url=biller.url))
        models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
        with contextlib.closing(Book(settings.book_url, settings.home)) as book:
            Deployments(book).create("shadowed", {"v1": "first", "v2": "second"}, strategy="shadow", actor="test")
            Deployments(book).publish()
        with served(settings, models) as endpoint:
            threads = [threading.Thread(target=ask, args=(endpoint, n)) for n in range(CALLS)]
            threads.append(threading.Thread(target=ask_again, args=(endpoint,)))
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(120)
            endpoint.until(lambda: endpoint.parts.answerer.recorder.open == 0 and not copying(endpoint))
            yield biller, endpoint, endpoint.book()


def test_what_was_reported_is_in_the_book_to_the_token_and_the_cent(day):
    """Answered whole or streamed, at once, after attempts or by a fallback: the same rows, the same sums."""
    biller, _, rows = day
    counted = [row for row in rows if row["usage_reported"] and not row["cache_hit"]]
    entered = sorted((row["served_model"], row["input_tokens"], row["output_tokens"]) for row in counted)
    assert entered == sorted(biller.reported)
    billed = sum((into * PRICES[m][0] + out * PRICES[m][1]) / 1_000_000 for m, into, out in biller.reported)
    assert sum(row["cost"] for row in counted) == billed


def test_what_was_done_and_not_reported_is_a_row_whose_cost_is_not_claimed_to_be_known(day):
    """Silences and resets say that they may be billed; broken and left streams are estimates, flagged as such."""
    biller, _, rows = day
    given_up = [row for row in rows if (row["price_note"] or "").startswith("given up")]
    assert len(given_up) == biller.unreported["timeout"] + biller.unreported["reset"]
    assert {row["cost"] for row in given_up} <= {None}
    ended = Counter(row["error_kind"] or row["status"] for row in rows if row["usage_reported"] is False)
    assert ended == {kind: n for kind, n in biller.unreported.items() if kind in ("stream_broken", "client_closed")}


def test_each_request_has_one_row_that_says_what_came_of_it(day):
    """However many attempts it took; nothing else is in the book."""
    _, _, rows = day
    rows = [row for row in rows if row["endpoint"] != "shadow"]
    final = Counter(row["request_id"] for row in rows if row["status"] != "retried")
    assert len(final) == CALLS + 10
    assert set(final.values()) == {1}
    assert {row["request_id"] for row in rows} == set(final)
    assert Counter(row["status"] for row in rows)["client_closed"] == CALLS // 8


def test_what_was_answered_elsewhere_says_who_should_have_answered(day):
    """The name that the caller asked for, of every row of another model."""
    _, _, rows = day
    answered = [row for row in rows if row["served_model"] and row["endpoint"] != "shadow"]
    for row in answered:
        assert row["fallback_from"] == (None if row["served_model"] == "gpt-4o-mini" else row["requested_model"])
    assert any(row["fallback_from"] for row in answered)


def test_an_answer_out_of_the_cache_is_billed_by_nobody(day):
    """A row that says so, without tokens or cost; each upstream call of that question has a row of its own."""
    _, _, rows = day
    hits = [row for row in rows if row["cache_hit"]]
    assert 1 <= len(hits) <= 9
    figures = {(row["status"], row["input_tokens"], row["output_tokens"], row["cost"], row["attempts"]) for row in hits}
    assert figures == {("ok", 0, 0, 0, 0)}


def test_every_answered_call_of_the_deployment_was_copied_or_says_why_not(day):
    """The copies have rows of their own, billed or failed, at the candidate alone; the rest were dropped."""
    _, endpoint, rows = day
    copies = [row for row in rows if row["endpoint"] == "shadow" and row["status"] != "retried"]
    answered = [row for row in rows if row["variant"] == "v1" and row["status"] == "ok"]
    by_status = Counter(row["status"] for row in copies)
    name = "daybook_shadow_copies_total"
    assert counted(endpoint, name, outcome="answered") == by_status["ok"] > 0
    assert counted(endpoint, name, outcome="failed") == by_status["error"]
    assert len(answered) == len(copies) + counted(endpoint, name, outcome="dropped")
    assert {row["served_model"] for row in copies} <= {"gpt-4o", None}
    assert {(row["variant"], row["caller"], row["stream"]) for row in copies} == {("v2", None, False)}


def test_metrics_equal_the_rows(day):
    """Calls by status, tokens and dollars."""
    _, endpoint, rows = day

    def total(name: str, **labels: str) -> float:
        return counted(endpoint, name, **labels)

    for status, n in Counter("shadow" if row["endpoint"] == "shadow" else row["status"] for row in rows).items():
        assert total("daybook_calls_total", status=status) == n
    assert total("daybook_calls_total") == len(rows)
    for kind in ("input", "output"):
        assert total("daybook_tokens_total", type=kind) == sum(row[f"{kind}_tokens"] or 0 for row in rows)
    assert total("daybook_cost_dollars_total") == pytest.approx(float(sum(row["cost"] or 0 for row in rows)), rel=1e-12)
