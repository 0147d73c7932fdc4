"""When a model fails another one answers: whole and streamed, marked, and each attempt in the book."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import openai
import pytest

from daybook.providers.catalogue import Catalogue
from tests.gateway.conftest import served, settings_in

HELLO = [{"role": "user", "content": "How are you?"}]
MODELS = """\
upstreams:
  local: {{kind: echo, machine: {{usd_per_hour: 0.36}}}}
  fake: {{kind: openai, base_url: {url}, api_key_env: FAKE_KEY, attempts: 1}}
  twice: {{kind: openai, base_url: {url}, api_key_env: FAKE_KEY, attempts: 2, idle_timeout: 0.3}}
models:
  good: {{upstream: fake}}
  bad: {{upstream: fake, fallback: [good]}}
  anyway: {{upstream: fake, target: bad, fallback: [{{model: good, on: [bad_request]}}]}}
  long: {{upstream: fake, fallback: [good]}}
  gone: {{upstream: fake, fallback: [good]}}
  refuses: {{upstream: fake, fallback: [good]}}
  busy: {{upstream: fake, fallback: [{{model: good, on: [timeout]}}, last]}}
  down: {{upstream: fake, fallback: [busy, good]}}
  hopeless: {{upstream: fake, target: down, fallback: [gone]}}
  broken: {{upstream: fake, fallback: [good]}}
  silent: {{upstream: twice, fallback: [good]}}
  late: {{upstream: fake, target: silent, deadline: 0.3, fallback: [good]}}
  last: {{upstream: local, target: last}}
"""


@pytest.fixture(scope="module")
def endpoint(upstream, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=upstream.url))
    models = Catalogue.load(settings.models, {"FAKE_KEY": "sk-ours"}, home=settings.home)
    with served(settings, models) as running:
        yield running


@pytest.fixture
def ask(endpoint):
    """`ask(model, stream)`: the text, the headers, and the request's rows in the order they were entered."""

    def ask(model, stream=False):
        raw = endpoint.client().chat.completions.with_raw_response.create(model=model, messages=HELLO, stream=stream)
        answer = raw.parse()
        text = (
            "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
            if stream
            else answer.choices[0].message.content
        )
        return text, raw.headers, rows_of(endpoint, raw.headers["x-request-id"])

    return ask


def rows_of(endpoint, request_id):
    rows = [row for row in endpoint.book() if row["request_id"] == request_id]
    return sorted(rows, key=lambda row: row["id"])


def facts(rows):
    return [(row["status"], row["error_kind"], row["http_status"], row["fallback_from"]) for row in rows]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "kind"), [("long", "context_length"), ("gone", "model_not_found"), ("refuses", "auth")]
)
def test_another_model_answers_and_says_so(ask, model, kind, stream):
    """The answer's headers name both; the failed attempt and the answer are rows of one request."""
    text, headers, rows = ask(model, stream)
    assert text == "It is all quite well."
    assert (headers["x-daybook-fallback-from"], headers["x-daybook-model"]) == (model, "good")
    assert facts(rows) == [("retried", kind, None, None), ("ok", None, 200, model)]
    assert [row["requested_model"] for row in rows] == [model, model]
    assert [row["served_model"] for row in rows] == [None, "good-1"]
    assert [row["input_tokens"] for row in rows] == [None, 12]


def test_who_is_answered_by_the_model_asked_for_is_told_nothing(ask):
    """No header, one row."""
    _, headers, rows = ask("good")
    assert not [name for name in headers if name.startswith("x-daybook-")]
    assert facts(rows) == [("ok", None, 200, None)]


def test_a_fault_of_the_request_is_the_callers_unless_stated(ask):
    """400 at once; with `on: [bad_request]` the next one is asked."""
    with pytest.raises(openai.BadRequestError):
        ask("bad")
    assert facts(ask("anyway")[2]) == [("retried", "bad_request", None, None), ("ok", None, 200, "anyway")]


@pytest.mark.parametrize("stream", [False, True])
def test_only_who_is_for_this_failure_takes_over(ask, stream):
    """`busy` may go to `good` on a timeout alone, so the model of this machine answers, for its share of the hour."""
    text, headers, rows = ask("busy", stream)
    assert (text, headers["x-daybook-model"]) == ("How are you?", "last")
    assert facts(rows) == [("retried", "rate_limited", None, None), ("ok", None, 200, "busy")]
    assert rows[1]["price_rate"] == "machine 0.36 USD/h, by the time shared with other calls"
    assert Decimal(0) < rows[1]["cost"] < Decimal("0.0004")
    assert rows[1]["price_note"].endswith(" s of the machine")


def test_a_fallback_is_that_model_and_not_its_own_fallbacks(ask):
    """`down` goes to `busy`, then to its own next one: chains do not nest, so they cannot run in a circle."""
    text, headers, rows = ask("down")
    assert (text, headers["x-daybook-model"]) == ("It is all quite well.", "good")
    assert [row["error_kind"] for row in rows] == ["unavailable", "rate_limited", None]


def test_where_all_fail_the_last_failure_is_answered(endpoint):
    """Its status and its row; the others are attempts."""
    with pytest.raises(openai.NotFoundError) as caught:
        endpoint.client().chat.completions.create(model="hopeless", messages=HELLO)
    rows = rows_of(endpoint, caught.value.response.headers["x-request-id"])
    assert facts(rows) == [("retried", "unavailable", None, None), ("error", "model_not_found", 404, "hopeless")]


def test_a_stream_that_breaks_later_is_not_begun_anew(endpoint):
    """What was sent cannot be taken back: an error event, one row, no fallback."""
    stream = endpoint.client().chat.completions.create(model="broken", messages=HELLO, stream=True)
    with pytest.raises(openai.APIError):
        list(stream)
    rows = rows_of(endpoint, stream.response.headers["x-request-id"])
    assert facts(rows) == [("error", "stream_broken", 200, None)]


@pytest.mark.parametrize("stream", [False, True])
def test_what_timed_out_and_was_asked_again_is_in_the_book(ask, stream):
    """Two attempts that the upstream may bill, then the answer of another: three rows, the cost of two not known."""
    text, _, rows = ask("silent", stream)
    assert text == "It is all quite well."
    assert facts(rows) == [
        ("retried", "timeout", None, None),
        ("retried", "timeout", None, None),
        ("ok", None, 200, "silent"),
    ]
    assert [row["cost"] for row in rows[:2]] == [None, None]
    assert {row["price_note"] for row in rows[:2]} == {"given up: the upstream may bill it, and gave no count"}
    assert all(0.3 <= row["latency"] < 5 for row in rows[:2])
    assert [row["attempts"] for row in rows] == [1, 2, 1]


def test_the_deadline_is_of_everything_together(endpoint):
    """Past it nobody takes over: 504, and what the upstream may bill is entered as the call's own row."""
    with pytest.raises(openai.APIStatusError) as caught:
        endpoint.client().chat.completions.create(model="late", messages=HELLO)
    assert caught.value.status_code == 504
    assert "No answer within the 0.3 s of late's deadline" in str(caught.value)
    assert caught.value.response.headers["x-should-retry"] == "false"
    rows = rows_of(endpoint, caught.value.response.headers["x-request-id"])
    assert facts(rows) == [("error", "timeout", 504, None)]
    assert rows[0]["price_note"] == "given up: the upstream may bill it, and gave no count"


def test_fallbacks_are_counted_and_logged(ask, endpoint):
    """By both models and the kind of failure; the log line has the request's id."""
    _, headers, _ = ask("gone")
    lines = [line for line in endpoint.log if line.get("request_id") == headers["x-request-id"]]
    assert [(line["model"], line["to"], line["kind"]) for line in lines if line["event"] == "fell_back"] == [
        ("gone", "good", "model_not_found")
    ]
    assert 'daybook_fallbacks_total{error_kind="model_not_found",model="gone",to="good"}' in (
        endpoint.parts.metrics.text().decode()
    )


def test_one_that_keeps_failing_is_left_alone(upstream, tmp_path):
    """After three failures in a row the upstream is not asked; the row still says who should have answered."""
    settings = settings_in(tmp_path)
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=upstream.url))
    models = Catalogue.load(settings.models, {"FAKE_KEY": "sk-ours"}, home=settings.home)
    with served(settings, models) as endpoint:
        before = len(upstream.seen)
        for _ in range(5):
            endpoint.client().chat.completions.create(model="refuses", messages=HELLO)
        asked = [body["model"] for body in upstream.seen[before:]]
        assert asked == ["refuses", "good"] * 3 + ["good"] * 2
        rows = [row for row in endpoint.book() if row["status"] == "ok"]
        assert [row["fallback_from"] for row in rows] == ["refuses"] * 5
        assert b"daybook_upstreams_resting 1.0" in endpoint.parts.metrics.text()


def test_callers_who_leave_stop_the_chain(endpoint, upstream):
    """Nobody is asked for somebody who has gone."""
    before = len(upstream.seen)

    async def leave() -> None:
        client = openai.AsyncOpenAI(base_url=f"{endpoint.url}/v1", api_key=endpoint.key.secret, max_retries=0)
        with pytest.raises(openai.APITimeoutError):
            await client.chat.completions.create(model="late", messages=HELLO, timeout=0.1)
        await client.close()

    asyncio.run(leave())
    endpoint.until(lambda: endpoint.parts.answerer.recorder.open == 0)
    assert [body["model"] for body in upstream.seen[before:]] == ["silent"]


async def test_a_fault_of_ours_does_not_keep_the_probe(tmp_path):
    """After a rest the first request probes; one that breaks on something unforeseen lets the next one do so."""
    from daybook.errors import UpstreamTimeout
    from daybook.providers.upstream import Fallback, Model
    from tests.inference.conftest import make_desk

    class Two:
        def resolve(self, name):
            return Model(name=name, upstream="up", target=name, fallbacks=(Fallback("n"),) if name == "m" else ())

    desk = make_desk(catalogue=Two())
    desk.provider.reply = UpstreamTimeout("", retry_after=30.0)
    with pytest.raises(UpstreamTimeout):
        await desk.answerer.chat(desk.request())
    assert [body["model"] for body in desk.provider.asked] == ["m", "n"]
    desk.clock.seconds = 30.0
    desk.provider.reply = ZeroDivisionError()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            await desk.answerer.chat(desk.request())
    assert [body["model"] for body in desk.provider.asked][2:] == ["m", "m"]
    assert desk.answerer.recorder.open == 0
