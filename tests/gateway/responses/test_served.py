"""`/v1/responses` served, asked by OpenAI's own client: for OpenAI's models and for others."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from decimal import Decimal

import openai
import pytest
from pydantic import BaseModel

from daybook.providers.catalogue import Catalogue
from tests.fakes.anthropic_server import Says as ClaudeSays
from tests.fakes.contracts import Contract
from tests.fakes.openai_server import USAGE, FakeOpenAI, Responds, Says, response_events, response_of, response_sse
from tests.fakes.serving import Raw, error
from tests.gateway.conftest import in_a_thread, served, settings_in

MODELS = """\
upstreams:
  local: {{kind: echo}}
  openai: {{base_url: {url}/v1, attempts: 1, responses: true}}
  lab: {{kind: openai, base_url: {url}/v1, attempts: 1}}
  anthropic: {{base_url: {claude}/v1, attempts: 1}}
  fake: {{kind: openai, base_url: '{upstream}', attempts: 1}}
models:
  lab-model: {{upstream: lab, target: gpt-4o-mini}}
  falling: {{upstream: openai, target: gpt-4o-mini, fallback: [lab-model]}}
  broken: {{upstream: fake}}
  endless: {{upstream: fake}}
"""
TOOL = {
    "type": "function",
    "name": "weather",
    "description": "The weather of a place.",
    "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"],
                   "additionalProperties": False},
    "strict": True,
}  # fmt: skip
WHOLE = "Grüße from 東京 🗼."
CONTRACT = Contract.load("openai.openapi.yaml")


@pytest.fixture(scope="module")
def fake():
    with in_a_thread(FakeOpenAI(CONTRACT)) as server:
        yield server
    assert server.problems == []


@pytest.fixture(scope="module")
def endpoint(fake, claude, upstream, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=fake.url, claude=claude.url, upstream=upstream.url))
    keys = {"OPENAI_API_KEY": "sk-1", "ANTHROPIC_API_KEY": "sk-ant-1"}
    with served(settings, Catalogue.load(settings.models, keys, home=settings.home)) as running:
        yield running


@pytest.fixture
def client(endpoint):
    return endpoint.client()


def rows_of(endpoint, request_id):
    return [row for row in endpoint.book() if row["request_id"] == request_id]


def row_of(endpoint, headers):
    """The one row of the request that was answered with these headers."""
    (row,) = rows_of(endpoint, headers["x-request-id"])
    return row


def post(endpoint, body, key=None):
    """The bytes of an answer, with its headers."""
    head = {"authorization": f"Bearer {key or endpoint.key.secret}", "content-type": "application/json"}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{endpoint.url}/v1/responses", data, head)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as refusal:
        return refusal.code, refusal.read(), refusal.headers


def read_held(fake, endpoint, body):
    """The bytes of a streamed answer whose last events the fake holds until the first one is here; its headers."""
    head = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
    request = urllib.request.Request(f"{endpoint.url}/v1/responses", json.dumps(body | {"stream": True}).encode(), head)
    with urllib.request.urlopen(request, timeout=20) as answer:
        first = answer.readline()
        fake.release()
        return first + answer.read(), answer.headers


def events_of(data):
    return [json.loads(event.split("data: ", 1)[1]) for event in data.decode().split("\n\n") if event]


# ── passed through ────────────────────────────────────────────────────────────────────────────────────────


def test_openais_own_answer_is_passed_through_priced_and_entered(fake, endpoint, client):
    """1,024 of 1,200 tokens cached: (176 × 0.15 + 1,024 × 0.075 + 5 × 0.60) USD a million = 0.0001062."""
    fake.script = [Responds()]
    raw = client.responses.with_raw_response.create(
        model="gpt-4o-mini",
        instructions="Be brief.",
        input="Hello?",
        user="ada@example.com",
        metadata={"team": "north"},
        temperature=0.5,
    )
    assert raw.parse().output_text == WHOLE
    sent = fake.asked("/v1/responses")[-1]
    assert {name: value for name, value in sent.items() if name != "user"} == {
        "model": "gpt-4o-mini", "instructions": "Be brief.", "input": "Hello?", "metadata": {"team": "north"},
        "temperature": 0.5,
    }  # fmt: skip
    assert sent["user"] not in ("", "ada@example.com")
    row = row_of(endpoint, raw.headers)
    wanted = {
        "endpoint": "/v1/responses", "provider": "openai", "requested_model": "gpt-4o-mini", "caller": "ada",
        "served_model": "gpt-4o-mini-2024-07-18", "status": "ok", "http_status": 200, "finish_reason": "stop",
        "input_tokens": 1200, "output_tokens": 5, "cached_tokens": 1024, "reasoning_tokens": 3,
        "usage_reported": True, "cost": Decimal("0.0001062"), "stream": False, "subject": sent["user"], "attempts": 1,
        "error_kind": None,
    }  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["parameters"] == {"temperature": 0.5}
    assert row["tags"] == {"team": "north"}


def test_the_bytes_are_the_upstreams(fake, endpoint):
    """Whole and streamed: spelling, spaces and members that nobody knows."""
    whole = b'{ "output":[],"x_new": 1.50, "status":"completed",\n"model":"m"}'
    fake.script = [Raw(body=[whole])]
    assert post(endpoint, {"model": "gpt-4o-mini", "input": "a"})[:2] == (200, whole)
    events = response_sse(list(response_events(Responds(), {})))
    events.insert(4, b": a comment\n\n")
    events.insert(6, b'event: response.new_kind\r\ndata: {"type":"response.new_kind", "x":1}\r\n\r\n')
    fake.script = [Raw(body=events, content_type="text/event-stream")]
    status, data, headers = post(endpoint, {"model": "gpt-4o-mini", "input": "a", "stream": True})
    assert (status, headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert data == b"".join(events)


def test_what_is_sent_on_is_what_came(fake, endpoint):
    """A number's last digit, members that only OpenAI knows; the model's name is the upstream's."""
    fake.script = [Responds()]
    body = b'{"model":"falling","input":"a","temperature":0.30000000000000004,"previous_response_id":"resp_0",'
    body += b'"include":["reasoning.encrypted_content"],"text":{"format":{"type":"text"}},"store":true}'
    assert post(endpoint, body)[0] == 200
    sent = fake.asked("/v1/responses")[-1]
    assert sent == json.loads(body) | {"model": "gpt-4o-mini"}


def test_a_stream_is_passed_through_and_entered(fake, endpoint, client):
    """The client's `stream` helper gets every event and the final response; the row has its count and first token."""
    fake.script = [Responds()]
    with client.responses.stream(model="gpt-4o-mini", input="Hello?") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
        row = row_of(endpoint, stream._response.headers)
    assert "".join(deltas) == WHOLE == final.output_text
    assert final.usage.input_tokens_details.cached_tokens == 1024
    assert (row["input_tokens"], row["cached_tokens"], row["output_tokens"]) == (1200, 1024, 5)
    assert (row["status"], row["stream"], row["cost"]) == ("ok", True, Decimal("0.0001062"))
    assert (row["served_model"], row["finish_reason"]) == ("gpt-4o-mini-2024-07-18", "stop")
    assert 0 < row["first_token"] <= row["latency"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (Responds(incomplete="max_output_tokens"), "length"),
        (Responds(incomplete="content_filter"), "content_filter"),
        (Responds(texts=(), calls=(("weather", '{"place":"Zürich"}'),)), "tool_calls"),
    ],
)
def test_why_it_ended_has_the_books_word(fake, endpoint, given, reason, stream):
    """An incomplete response is an answer, and one that calls a function says so."""
    fake.script = [given]
    _, data, headers = post(endpoint, {"model": "gpt-4o-mini", "input": "a", "stream": stream, "tools": [TOOL]})
    row = row_of(endpoint, headers)
    assert (row["status"], row["finish_reason"], row["output_tokens"]) == ("ok", reason, 5)
    assert (b"response.completed" in data) == (stream and given.incomplete is None)


@pytest.mark.parametrize("stream", [False, True])
def test_tools_of_openais_own_are_counted_or_leave_the_price_unknown(fake, endpoint, stream):
    """Web searches are counted; of a search in files the fee is not known, so neither is the cost."""
    search = {"type": "web_search_call", "id": "ws_1", "status": "completed",
              "action": {"type": "search", "query": "x", "queries": ["x"], "sources": []}}  # fmt: skip
    files = {"type": "file_search_call", "id": "fs_1", "status": "completed", "queries": ["x"]}
    body = {"model": "gpt-4o-mini", "input": "a", "stream": stream, "tools": [{"type": "web_search"}]}
    fake.script = [Responds(items=(search, search))]
    row = row_of(endpoint, post(endpoint, body)[2])
    assert row["web_searches"] == 2
    assert row["cost"] is None or row["cost"] > Decimal("0.0001062")
    fake.script = [Responds(items=(search, files))]
    row = row_of(endpoint, post(endpoint, body)[2])
    assert (row["cost"], row["input_tokens"]) == (None, 1200)
    assert row["price_note"] == "it used what has a fee beside the tokens: file_search_call"


# ── translated ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_model_without_the_api_is_asked_in_chats_words(fake, endpoint, client):
    """The response has its documented shape, the request's settings and the counts; nothing is kept."""
    fake.script = [Says(usage=USAGE)]
    raw = client.responses.with_raw_response.create(
        model="lab-model", instructions="Be brief.", input="Hello?", max_output_tokens=50, temperature=0.5,
        metadata={"team": "north"},
    )  # fmt: skip
    assert fake.asked("/v1/chat/completions")[-1] == {
        "model": "gpt-4o-mini", "max_tokens": 50, "temperature": 0.5,
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello?"}],
    }  # fmt: skip
    answer = json.loads(raw.content)
    assert CONTRACT.problems("Response", answer) == []
    row = row_of(endpoint, raw.headers)
    number = row["request_id"].replace("-", "")
    part = {"type": "output_text", "text": WHOLE, "annotations": [], "logprobs": []}
    at = answer["created_at"]
    assert at == int(row["time"].timestamp())
    assert answer["completed_at"] - at in range(10)
    assert answer == {
        "id": f"resp_{number}", "object": "response", "created_at": at, "completed_at": answer["completed_at"],
        "status": "completed", "background": False, "error": None, "incomplete_details": None,
        "model": "gpt-4o-mini-2024-07-18", "parallel_tool_calls": True, "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None}, "store": False, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [], "truncation": "disabled", "metadata": {"team": "north"},
        "instructions": "Be brief.", "max_output_tokens": 50, "temperature": 0.5, "top_p": None,
        "output": [{"id": f"msg_{number}00", "type": "message", "role": "assistant", "content": [part],
                    "status": "completed"}],
        "usage": {"input_tokens": 1200, "input_tokens_details": {"cached_tokens": 1024, "cache_write_tokens": 0},
                  "output_tokens": 5, "output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 1205},
    }  # fmt: skip
    wanted = {"endpoint": "/v1/responses", "provider": "lab", "status": "ok", "input_tokens": 1200,
              "cached_tokens": 1024, "reasoning_tokens": 3, "finish_reason": "stop"}  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["parameters"] == {"max_tokens": 50, "temperature": 0.5}
    assert row["tags"] == {"team": "north"}


def test_a_translated_stream_has_the_documented_events(fake, endpoint):
    """In their order, numbered from 0, each valid by OpenAI's document; entered before the last one goes out."""
    fake.script = [Says(usage={"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17})]
    _, data, headers = post(endpoint, {"model": "lab-model", "input": "a", "stream": True})
    events = events_of(data)
    assert [event["type"] for event in events] == [
        "response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
        *["response.output_text.delta"] * 5,
        "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert [event["sequence_number"] for event in events] == list(range(13))
    assert [problem for event in events for problem in CONTRACT.problems("ResponseStreamEvent", event)] == []
    names = [line[7:] for line in data.decode().splitlines() if line.startswith("event: ")]
    assert names == [event["type"] for event in events]
    item = events[-2]["item"]
    assert events[9] == {
        "type": "response.output_text.done", "item_id": item["id"], "output_index": 0, "content_index": 0,
        "text": WHOLE, "logprobs": [], "sequence_number": 9,
    }  # fmt: skip
    assert events[-1]["response"]["output"] == [item]
    assert events[-1]["response"]["usage"]["input_tokens"] == 12
    row = row_of(endpoint, headers)
    assert (row["input_tokens"], row["output_tokens"], row["status"]) == (12, 5, "ok")


def test_the_clients_stream_helper_reads_a_translated_stream(fake, client):
    """To its final response."""
    fake.script = [Says(usage={"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17})]
    with client.responses.stream(model="lab-model", input="Hello?") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        final = stream.get_final_response()
    assert "".join(deltas) == WHOLE == final.output_text
    assert final.usage.total_tokens == 17


def test_the_clients_parse_reads_structured_output(fake, client):
    """`text.format` is chat's `response_format`."""

    class Answer(BaseModel):
        days: int

    fake.script = [Says(chunks=('{"days"', ":7}"))]
    parsed = client.responses.parse(model="lab-model", input="How many?", text_format=Answer)
    assert parsed.output_parsed == Answer(days=7)
    form = fake.asked("/v1/chat/completions")[-1]["response_format"]
    assert (form["type"], form["json_schema"]["name"], form["json_schema"]["strict"]) == ("json_schema", "Answer", True)
    assert form["json_schema"]["schema"]["properties"]["days"]["type"] == "integer"


@pytest.mark.parametrize("stream", [False, True])
def test_claude_calls_a_function_and_gets_its_output(claude, endpoint, client, stream):
    """Thinking with its signature goes out as a reasoning item and comes back to Anthropic as it was."""
    thinking = {"type": "thinking", "thinking": "Which place?", "signature": "c2ln"}
    use = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Zürich"}}
    claude.script = [ClaudeSays(blocks=(thinking, {"type": "text", "text": "I look."}, use), stop_reason="tool_use")]
    ask = {"model": "claude-sonnet-4-5", "input": [{"role": "user", "content": "Rain?"}], "tools": [TOOL],
           "reasoning": {"effort": "low"}, "include": ["reasoning.encrypted_content"]}  # fmt: skip
    if stream:
        with client.responses.stream(**ask) as events:
            for _ in events:
                pass
            first = events.get_final_response()
    else:
        first = client.responses.create(**ask)
    assert [item.type for item in first.output] == ["reasoning", "message", "function_call"]
    assert first.output[0].content[0].text == "Which place?"
    call = first.output[2]
    assert (call.call_id, call.name, json.loads(call.arguments)) == ("toolu_1", "weather", {"place": "Zürich"})
    claude.script = [ClaudeSays()]
    turn = [item.model_dump(exclude_none=True) for item in first.output]
    result = {"type": "function_call_output", "call_id": "toolu_1", "output": "sunny"}
    client.responses.create(**ask | {"input": [*ask["input"], *turn, result]})
    sent = claude.asked("/v1/messages")[-1]["messages"]
    assert sent[1] == {"role": "assistant", "content": [thinking, {"type": "text", "text": "I look."}, use]}
    assert sent[2]["content"][0]["tool_use_id"] == "toolu_1"


# ── refused, broken, left ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_translated_is_refused_by_name_where_it_would_have_to_be(fake, endpoint, stream):
    """400 with the parameter; nobody is asked, and the row says so."""
    before = len(fake.seen)
    body = {"model": "lab-model", "input": "a", "previous_response_id": "resp_1", "stream": stream}
    status, data, headers = post(endpoint, body)
    refusal = json.loads(data)["error"]
    assert (status, refusal["code"], refusal["param"]) == (400, "unsupported_parameter", "previous_response_id")
    assert len(fake.seen) == before
    row = row_of(endpoint, headers)
    assert (row["status"], row["error_kind"], row["http_status"], row["cost"]) == ("error", "bad_request", 400, None)


@pytest.mark.parametrize("model", ["gpt-4o-mini", "lab-model"])
def test_nobody_may_answer_in_the_background(fake, endpoint, model):
    """What it costs would never be known here."""
    before = len(fake.seen)
    status, data, _ = post(endpoint, {"model": model, "input": "a", "background": True})
    assert (status, json.loads(data)["error"]["param"]) == (400, "background")
    assert len(fake.seen) == before


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_is_asked_in_its_own_words(fake, endpoint, stream):
    """OpenAI refuses, the lab has no such API: the answer is translated and says who gave it; both are rows."""
    fake.script = [error(503, {"error": {"message": "busy"}}), Says()]
    _, data, headers = post(endpoint, {"model": "falling", "input": "a", "stream": stream})
    assert (headers["x-daybook-fallback-from"], headers["x-daybook-model"]) == ("falling", "lab-model")
    answer = events_of(data)[-1]["response"] if stream else json.loads(data)
    assert answer["output"][0]["content"][0]["text"] == WHOLE
    rows = rows_of(endpoint, headers["x-request-id"])
    assert [(row["provider"], row["status"]) for row in rows] == [("openai", "retried"), ("lab", "ok")]


def test_a_fallback_that_could_not_be_asked_does_not_hide_the_failure(fake, endpoint):
    """503 of who was asked, and not what the next one has not."""
    fake.script = [error(503, {"error": {"message": "busy"}})]
    status, data, headers = post(endpoint, {"model": "falling", "input": "a", "previous_response_id": "resp_1"})
    assert (status, json.loads(data)["error"]["code"]) == (503, "upstream_unavailable")
    assert [row["provider"] for row in rows_of(endpoint, headers["x-request-id"])] == ["openai"]


@pytest.mark.parametrize("end", ["abort", "clean"])
@pytest.mark.parametrize("cut", [1, 9])
def test_a_native_stream_that_is_cut_ends_with_an_error_event(fake, endpoint, end, cut):
    """Mid-event and mid-character; the error goes on with the numbers; the row says what was seen."""
    events = response_sse(list(response_events(Responds(), {})))
    fake.script = [Raw(body=[*events[:6], events[6][:-cut]], end=end, content_type="text/event-stream")]
    _, data, headers = post(endpoint, {"model": "gpt-4o-mini", "input": "a", "stream": True})
    seen = events_of(data)
    assert data.startswith(b"".join(events[:6]))
    assert (seen[-1]["type"], seen[-1]["code"], seen[-1]["param"]) == ("error", "stream_broken", None)
    assert [event["sequence_number"] for event in seen] == list(range(len(seen)))
    assert CONTRACT.problems("ResponseErrorEvent", seen[-1]) == []
    row = row_of(endpoint, headers)
    assert (row["status"], row["error_kind"], row["usage_reported"]) == ("error", "stream_broken", False)
    assert row["output_tokens"] >= 2


def test_a_native_stream_that_fails_midway_is_told_and_its_bill_is_known(fake, endpoint):
    """`response.failed` becomes an error event with the next number; what was counted is entered and priced."""
    whole = list(response_events(Responds(failed={"code": "server_error", "message": "It broke."}), {}))
    fake.script = [Raw(body=response_sse(whole), content_type="text/event-stream", held=1)]
    data, headers = read_held(fake, endpoint, {"model": "gpt-4o-mini", "input": "a"})
    last = events_of(data)[-1]
    assert (last["type"], last["code"], last["sequence_number"]) == ("error", "stream_broken", len(whole) - 1)
    row = row_of(endpoint, headers)
    assert (row["status"], row["input_tokens"], row["cost"]) == ("error", 1200, Decimal("0.0001062"))


def test_a_native_stream_with_an_error_event_is_told(fake, endpoint):
    """What it took is estimated: nobody counted."""
    flat = {"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.", "param": None}
    sent = [*list(response_events(Responds(), {}))[:7], flat | {"sequence_number": 7}]
    fake.script = [Raw(body=response_sse(sent), content_type="text/event-stream", held=1)]
    data, headers = read_held(fake, endpoint, {"model": "gpt-4o-mini", "input": "a"})
    assert (events_of(data)[-1]["type"], events_of(data)[-1]["sequence_number"]) == ("error", 7)
    row = row_of(endpoint, headers)
    assert (row["status"], row["usage_reported"], row["output_tokens"]) == ("error", False, 3)


def test_a_failure_before_anything_was_made_is_a_refusal_and_falls_back(fake, endpoint):
    """`response.created` commits nobody."""
    failure = {"code": "server_error", "message": "It broke."}
    begun = list(response_events(Responds(texts=(), usage=None, failed=failure), {}))
    fake.script = [Raw(body=response_sse(begun), content_type="text/event-stream")]
    status, data, _ = post(endpoint, {"model": "gpt-4o-mini", "input": "a", "stream": True})
    assert status == 503
    fake.script = [Raw(body=response_sse(begun), content_type="text/event-stream"), Says()]
    status, data, headers = post(endpoint, {"model": "falling", "input": "a", "stream": True})
    assert (status, headers["x-daybook-model"]) == (200, "lab-model")
    assert [event["sequence_number"] for event in events_of(data)] == list(range(13))


def test_a_whole_response_that_failed_is_a_failure(fake, endpoint):
    """It comes in a 200."""
    fake.script = [Responds(texts=(), failed={"code": "server_error", "message": "It broke."})]
    status, _, headers = post(endpoint, {"model": "gpt-4o-mini", "input": "a"})
    assert status == 503
    assert row_of(endpoint, headers)["status"] == "error"


def test_a_translated_stream_that_breaks_ends_with_an_error_event(endpoint):
    """After what came, with the next number."""
    _, data, headers = post(endpoint, {"model": "broken", "input": "a", "stream": True})
    events = events_of(data)
    assert events[-1]["type"] == "error"
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    row = row_of(endpoint, headers)
    assert (row["status"], row["error_kind"]) == ("error", "stream_broken")


@pytest.mark.parametrize("model", ["endless", "gpt-4o-mini"])
def test_a_client_who_leaves_cancels_the_upstream(fake, upstream, endpoint, client, model):
    """Client_closed, with what was seen."""
    events = response_sse(list(response_events(Responds(), {})))
    fake.script = [Raw(body=events[:8], end="hang", held=1, content_type="text/event-stream")]
    stream = client.responses.create(model=model, input="a", stream=True)
    request_id = stream.response.headers["x-request-id"]
    for event in stream:
        if event.type == "response.output_text.delta":
            break
    stream.close()
    if model != "endless":  # that somebody has gone is seen when there is something to send
        fake.release()
    (row,) = endpoint.until(lambda: rows_of(endpoint, request_id))
    assert (row["status"], row["usage_reported"]) == ("client_closed", False)
    assert row["output_tokens"] >= 1
    assert endpoint.parts.answerer.recorder.open == 0


@pytest.mark.parametrize(
    ("given", "param"),
    [({}, "model"), ({"model": 5}, "model"), ({"model": "gpt-4o-mini", "stream": "yes"}, "stream")],
)
def test_what_nobody_could_mean_is_refused_before_anybody_is_asked(fake, endpoint, given, param):
    """400 with the parameter, whoever would answer."""
    before = len(fake.seen)
    status, data, _ = post(endpoint, {"input": "a"} | given)
    assert (status, json.loads(data)["error"]["param"]) == (400, param)
    assert len(fake.seen) == before


def test_what_openai_refuses_is_passed_on(fake, client):
    """Its code and parameter."""
    problem = {"message": "No such response.", "type": "invalid_request_error", "param": "previous_response_id",
               "code": "previous_response_not_found"}  # fmt: skip
    fake.script = [error(400, {"error": problem})]
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="gpt-4o-mini", input="a", previous_response_id="resp_0")
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


def test_a_key_is_needed(endpoint):
    """401, as everywhere."""
    assert post(endpoint, {"model": "gpt-4o-mini", "input": "a"}, key="nobody")[0] == 401


def test_the_fakes_own_response_is_valid():
    """The fake speaks as documented."""
    assert CONTRACT.problems("Response", response_of(Responds(), {})) == []


@pytest.mark.parametrize("model", ["gpt-4o-mini", "lab-model"])
def test_a_response_is_made_anew_each_time(fake, tmp_path, model):
    """Also where answers of chat completions are kept: what is passed through may be part of a state of OpenAI's."""
    settings = settings_in(tmp_path, DAYBOOK_CACHE="60")
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=fake.url, claude=fake.url, upstream=fake.url))
    with served(settings, Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)) as endpoint:
        fake.script = [Responds() if model == "gpt-4o-mini" else Says()]
        before = len(fake.seen)
        for _ in range(2):
            _, _, headers = post(endpoint, {"model": model, "input": "a", "temperature": 0})
            assert "x-daybook-cache" not in headers
        assert [seen.method for seen in fake.seen[before:]] == ["POST", "POST"]
