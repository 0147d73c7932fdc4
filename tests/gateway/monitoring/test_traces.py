"""OpenTelemetry: every request a span, every row a span below it, in the collector's own wire format."""

from __future__ import annotations

import time

import openai
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.semconv.attributes import error_attributes, http_attributes

from daybook.gateway.components import build
from tests.fakes.otlp_collector import Collector, attributes
from tests.gateway.conftest import catalogue_over, served, settings_in

HELLO = [{"role": "user", "content": "My secret is swordfish."}]
CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0{sampled}"


@pytest.fixture
def traced(upstream, tmp_path):
    """`traced(ask)`: the spans of what `ask(client)` does, and the rows of the book, once the endpoint has stopped."""

    def run(ask, collector=None, **env):
        settings = settings_in(tmp_path)
        with collector or Collector() as collector:
            env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url + "/"} | env
            with served(settings, catalogue_over(upstream.url, settings.home), env=env) as endpoint:
                ask(endpoint.client())
                rows = endpoint.book()
        return collector, rows

    return run


def ordered(collector):
    """The spans, the request's before those of its rows."""
    return [span for span, _ in sorted(collector.spans, key=lambda pair: (pair[0].kind, pair[0].start_time_unix_nano))]


def test_a_call_is_a_request_and_a_row_below_it(traced):
    """Names, kinds, the tree, times and every attribute of an answered call; ids as in its header and its row."""
    before = time.time_ns()
    answers = []

    def ask(client):
        raw = client.chat.completions.with_raw_response
        answers.append(raw.create(model="good", messages=HELLO, temperature=0.5, max_tokens=9, seed=7, n=1))

    collector, (row,) = traced(ask)
    request, call = ordered(collector)
    assert (request.kind, request.name) == (Span.SPAN_KIND_SERVER, "POST /v1/chat/completions")
    assert (call.kind, call.name) == (Span.SPAN_KIND_CLIENT, "chat good")
    assert request.trace_id.hex() == call.trace_id.hex() == answers[0].headers["x-request-id"]
    assert (request.parent_span_id, call.parent_span_id) == (b"", request.span_id)
    assert (request.span_id.hex(), call.span_id.hex()) == (row["request_id"][16:], row["id"][16:])
    assert before <= request.start_time_unix_nano <= call.start_time_unix_nano + 5_000_000
    assert call.end_time_unix_nano <= request.end_time_unix_nano + 1_000_000 <= time.time_ns() + 1_000_000
    assert (call.end_time_unix_nano - call.start_time_unix_nano) / 1e9 == pytest.approx(row["latency"], abs=1e-6)
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/v1/chat/completions",
        "http.response.status_code": 200,
        "daybook.request_id": row["request_id"],
    }
    assert attributes(call) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "fake",
        "gen_ai.request.model": "good",
        "gen_ai.request.stream": False,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.seed": 7,
        "gen_ai.request.choice.count": 1,
        "gen_ai.response.model": "good-1",
        "gen_ai.response.finish_reasons": ["stop"],
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.usage.output_tokens": 5,
        "daybook.call_id": row["id"],
        "daybook.status": "ok",
        "daybook.usage_reported": True,
    }
    assert {request.status.code, call.status.code} == {Status.STATUS_CODE_UNSET}


def test_no_content_leaves_in_a_span(traced):
    """Neither the question nor the answer, whole or streamed."""

    def ask(client):
        client.chat.completions.create(model="good", messages=HELLO, user="ada@example.com")
        list(client.chat.completions.create(model="good", messages=HELLO, stream=True))

    collector, _ = traced(ask)
    everything = "".join(str(span) + str(resource) for span, resource in collector.spans)
    assert len(collector.spans) == 4
    assert not [word for word in ("swordfish", "quite", "ada@example.com", "db-", "sk-ours") if word in everything]


def test_names_are_those_of_the_conventions(traced):
    """Every attribute that is not ours is one that OpenTelemetry's package of conventions knows."""
    known = {v for module in (gen_ai_attributes, error_attributes, http_attributes) for v in vars(module).values()
             if isinstance(v, str)}  # fmt: skip

    def ask(client):
        list(
            client.chat.completions.create(
                model="good", messages=HELLO, stream=True, top_p=0.9, extra_body={"top_k": 3}
            )
        )
        with pytest.raises(openai.APIError):
            client.chat.completions.create(
                model="down", messages=HELLO, max_completion_tokens=4, presence_penalty=0.1, frequency_penalty=0.2
            )

    collector, _ = traced(ask)
    used = {name for span, _ in collector.spans for name in attributes(span) if not name.startswith("daybook.")}
    assert used - known == set()
    assert {"gen_ai.request.top_k", "gen_ai.request.presence_penalty", "gen_ai.response.time_to_first_chunk"} <= used


def test_a_failed_call_and_its_attempts_are_failed_spans(traced):
    """A model that is down: each of its rows has the kind of the error, and so has the span."""

    def ask(client):
        with pytest.raises(openai.APIError):
            client.chat.completions.create(model="down", messages=HELLO)

    collector, rows = traced(ask)
    request, *calls = ordered(collector)
    assert (request.status.code, attributes(request)["error.type"]) == (Status.STATUS_CODE_ERROR, "503")
    assert [row["status"] for row in rows] == [attributes(call)["daybook.status"] for call in calls]
    assert {attributes(call)["error.type"] for call in calls} == {"unavailable"}
    assert {call.status.code for call in calls} == {Status.STATUS_CODE_ERROR}


def test_a_refusal_is_no_fault_of_the_server(traced):
    """By the conventions a server's span fails from 500 on; a 401 has its status and no more."""

    def ask(client):
        with pytest.raises(openai.AuthenticationError):
            client.with_options(api_key="db-wrong").chat.completions.create(model="good", messages=HELLO)

    (request,) = ordered(traced(ask)[0])
    assert attributes(request)["http.response.status_code"] == 401
    assert "error.type" not in attributes(request)
    assert request.status.code == Status.STATUS_CODE_UNSET


@pytest.mark.parametrize("sampled", [1, 0])
def test_a_callers_trace_is_joined_or_not_made(traced, sampled):
    """W3C's header: the spans are below the caller's own, in its trace; none where it did not sample it."""

    def ask(client):
        headers = {"traceparent": CALLER.format(sampled=sampled)}
        client.chat.completions.create(model="good", messages=HELLO, extra_headers=headers)
        client.chat.completions.create(model="good", messages=HELLO, extra_headers={"traceparent": "00-zz-01"})

    collector, rows = traced(ask)
    spans = ordered(collector)
    joined = [span for span in spans if span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"]
    assert len(joined) == 2 * sampled
    assert [span.parent_span_id.hex() for span in joined] == ["b7ad6b7169203331", rows[0]["request_id"][16:]][
        : 2 * sampled
    ]
    assert {span.trace_id.hex() for span in spans if span not in joined} == {rows[1]["request_id"]}


def test_other_operations_have_their_names(traced):
    """Embeddings are no chat; a request that enters no call is a span alone."""

    def ask(client):
        with pytest.raises(openai.APIError):
            client.embeddings.create(model="good", input="a")
        client.models.list()

    names = {span.name for span in ordered(traced(ask)[0])}
    assert names == {"POST /v1/embeddings", "embeddings good", "GET /v1/models"}


def test_the_service_is_named_by_the_operator(traced, monkeypatch):
    """`daybook` and its version, unless OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say otherwise."""
    plain, _ = traced(lambda client: client.models.list())
    monkeypatch.setenv("OTEL_SERVICE_NAME", "front-door")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20abc")
    named, _ = traced(lambda client: client.models.list())
    assert plain.spans[0][1] == {"service.name": "daybook", "service.version": "0.1.0"}
    assert named.spans[0][1] == plain.spans[0][1] | {
        "service.name": "front-door",
        "deployment.environment.name": "test",
    }
    assert named.headers[0]["authorization"] == "Bearer abc"


def test_a_collector_that_refuses_costs_no_call(traced):
    """The book has the call; the spans are dropped."""
    collector = Collector()
    collector.status = 400
    _, rows = traced(lambda client: client.chat.completions.create(model="good", messages=HELLO), collector)
    assert [row["status"] for row in rows] == ["ok"]
    assert collector.spans == []


@pytest.mark.parametrize(
    ("env", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": " "}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "True"}, False),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}, True),
    ],
)
async def test_traces_are_off_unless_an_address_is_set(tmp_path, env, on):
    """By OpenTelemetry's own variables."""
    parts = build(settings_in(tmp_path), env=env)
    assert (parts.traces is not None) is on
    await parts.aclose()
