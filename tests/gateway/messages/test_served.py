"""`/v1/messages` served, asked by Anthropic's own client: for Anthropic's models and for others."""

from __future__ import annotations

import json

import anthropic
import pytest

from daybook.book import Book
from daybook.providers.catalogue import Catalogue
from daybook.routing.deployments import Deployments
from tests.fakes import serving
from tests.fakes.anthropic_server import Says
from tests.gateway.conftest import served, settings_in

HELLO = [{"role": "user", "content": "Say hello, please."}]
TOOL = {"name": "weather", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"place": "Zürich"}}
THINKING = {"type": "thinking", "thinking": "Which place?", "signature": "c2ln"}
USAGE = {"input_tokens": 10, "cache_read_input_tokens": 2000, "cache_creation_input_tokens": 300, "output_tokens": 50}


@pytest.fixture(scope="module")
def endpoint(claude, upstream, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    models = ", ".join(f"{name}: {{upstream: fake}}" for name in ("good", "down", "broken", "refuses", "uncounted"))
    models += ", last: {upstream: anthropic, target: claude-sonnet-4-6}"
    models += ", sick: {upstream: fake, target: down, fallback: [last]}"
    models += ", first: {upstream: anthropic, target: claude-sonnet-4-6, fallback: [good]}"
    settings.models.write_text(
        f"upstreams:\n  local: {{kind: echo}}\n  anthropic: {{base_url: '{claude.url}/v1', attempts: 1}}\n"
        f"  fake: {{kind: openai, base_url: '{upstream.url}', attempts: 1}}\nmodels: {{{models}}}\n"
    )
    models = Catalogue.load(settings.models, {"ANTHROPIC_API_KEY": "sk-ant-1"}, home=settings.home)
    with served(settings, models) as running:
        yield running


@pytest.fixture
def client(endpoint):
    return anthropic.Anthropic(base_url=endpoint.url, api_key=endpoint.key.secret, max_retries=0, timeout=20)


def rows_of(endpoint, request_id):
    return [row for row in endpoint.book() if row["request_id"] == request_id]


def test_anthropics_own_model_gets_all_that_was_sent(claude, endpoint, client):
    """Marks for a cache, thinking and its signature go on; the answer comes back block by block, with its counts."""
    claude.script = [Says(blocks=(THINKING, CALL), usage=USAGE, stop_reason="tool_use")]
    system = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    raw = client.messages.with_raw_response.create(
        model="claude-sonnet-4-6",
        max_tokens=500,
        system=system,
        messages=HELLO,
        tools=[TOOL],
        thinking={"type": "adaptive"},
    )
    answer = raw.parse()
    assert [block.model_dump(exclude_none=True) for block in answer.content] == [THINKING, CALL]
    assert (answer.stop_reason, answer.model) == ("tool_use", "claude-sonnet-4-5-20250929")
    counts = answer.usage
    assert (counts.input_tokens, counts.cache_read_input_tokens) == (10, 2000)
    assert (counts.cache_creation_input_tokens, counts.output_tokens) == (300, 50)
    sent = claude.asked("/v1/messages")[-1]
    assert (sent["system"], sent["tools"], sent["thinking"]) == (system, [TOOL], {"type": "adaptive"})
    row = rows_of(endpoint, raw.headers["x-request-id"])
    assert [(r["endpoint"], r["caller"], r["input_tokens"], r["status"]) for r in row] == [
        ("/v1/messages", "ada", 2310, "ok")
    ]


OVERLOADED = serving.error(529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})
MARKED = [{"role": "user", "content": [{"type": "text", "text": "Hi", "cache_control": {"type": "ephemeral"}}]}]
THOUGHT = [*HELLO, {"role": "assistant", "content": [THINKING, {"type": "text", "text": "Hm."}]}, *HELLO]
THINKS = {"max_tokens": 5000, "thinking": {"type": "enabled", "budget_tokens": 1024}}


def text_of(answer):
    """What was said, whole or streamed."""
    if not hasattr(answer, "content"):
        return "".join(event.delta.text for event in answer if event.type == "content_block_delta")
    return answer.content[0].text


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_of_another_maker_gets_words_that_it_knows(claude, upstream, endpoint, client, stream):
    """Marks, thoughts and budgets of Anthropic's go to Anthropic alone; the other model gets what they mean to it."""
    claude.script = [OVERLOADED]
    raw = client.messages.with_raw_response.create(
        model="first", messages=[*MARKED, *THOUGHT], tools=[TOOL], stream=stream, **THINKS
    )
    assert raw.headers["x-daybook-model"] == "good"
    assert text_of(raw.parse()) == "It is all quite well."
    assert "cache_control" in json.dumps(claude.bodies[-1])
    assert claude.bodies[-1]["thinking"] == THINKS["thinking"]
    sent = upstream.seen[-1]
    assert sent["reasoning_effort"] == "low"
    assert not [name for name in ("cache_control", "thinking", "output_config") if name in json.dumps(sent)]
    assert [row["status"] for row in rows_of(endpoint, raw.headers["x-request-id"])] == ["retried", "ok"]


def test_a_fallback_to_anthropic_gets_its_own_words(claude, endpoint, client):
    """What another model would not have got goes to the one that knows it."""
    claude.script = [Says()]
    raw = client.messages.with_raw_response.create(model="sick", messages=MARKED, **THINKS)
    assert raw.headers["x-daybook-model"] == "last"
    assert claude.bodies[-1]["thinking"] == THINKS["thinking"]
    assert claude.bodies[-1]["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}


def test_a_copy_to_a_shadow_is_whole_and_in_words_that_it_knows(claude, upstream, endpoint, client):
    """The live version is Anthropic's and streamed; the candidate is of another maker, and asked for a whole answer."""
    book = Book(endpoint.settings.book_url, endpoint.settings.home)
    try:
        Deployments(book).create("chat", {"v1": "last", "v2": "good"}, strategy="shadow", actor="test")
        Deployments(book).publish()
        claude.script = [Says()]
        before = len(upstream.seen)
        raw = endpoint.until(lambda: asked_as(client, "chat"))
        assert text_of(raw.parse())
        endpoint.until(lambda: len(upstream.seen) > before)
    finally:
        Deployments(book).remove("chat", actor="test")
        book.close()
    assert claude.bodies[-1]["messages"][0]["content"][0]["cache_control"] == {"type": "ephemeral"}
    sent = upstream.seen[-1]
    assert not [name for name in ("stream", "stream_options", "cache_control") if name in json.dumps(sent)]


def asked_as(client, model):
    """The answer, once the model is known."""
    try:
        return client.messages.with_raw_response.create(model=model, messages=MARKED, stream=True, **THINKS)
    except anthropic.NotFoundError:
        return None


def test_what_no_fallback_can_be_asked_is_refused_by_name(claude, endpoint, client):
    """An effort that nobody else knows, when Anthropic is down: 400 with the field, and a row for each attempt."""
    claude.script = [OVERLOADED]
    with pytest.raises(anthropic.BadRequestError, match=r"output_config\.effort") as caught:
        client.messages.create(
            model="first", max_tokens=50, messages=HELLO, extra_body={"output_config": {"effort": "enormous"}}
        )
    rows = rows_of(endpoint, caught.value.response.headers["x-request-id"])
    assert [(row["status"], row["error_kind"], row["provider"]) for row in rows] == [
        ("retried", "unavailable", "anthropic"),
        ("error", "bad_request", "fake"),
    ]
    claude.problems.clear()  # today's Anthropic does not know it either


def test_a_result_goes_back_with_what_was_thought(claude, endpoint, client):
    """The turn that is sent back is the one that came; the result says that it failed."""
    claude.script = [Says()]
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "no such place", "is_error": True}
    turns = [*HELLO, {"role": "assistant", "content": [THINKING, CALL]}, {"role": "user", "content": [result]}]
    client.messages.create(model="claude-sonnet-4-6", max_tokens=5, messages=turns)
    text = [{"type": "text", "text": "no such place"}]
    assert claude.asked("/v1/messages")[-1]["messages"][1:] == [
        turns[1],
        {"role": "user", "content": [result | {"content": text}]},
    ]


@pytest.mark.parametrize("model", ["claude-sonnet-4-6", "good"])
def test_a_stream_is_read_by_the_official_client(claude, endpoint, client, model):
    """Its helper puts the message together from the events, whoever answered."""
    claude.script = [Says(blocks=({"type": "text", "text": "It is all quite well."},))]
    with client.messages.stream(model=model, max_tokens=50, messages=HELLO) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == final.content[0].text == "It is all quite well."
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 12, 5)


def test_another_model_answers_in_the_same_words(upstream, endpoint, client):
    """An OpenAI-compatible upstream is asked in its own shape."""
    raw = client.messages.with_raw_response.create(
        model="good", max_tokens=50, system="Be brief.", messages=HELLO, stop_sequences=["END"]
    )
    answer = raw.parse()
    assert (answer.content[0].text, answer.usage.input_tokens) == ("It is all quite well.", 12)
    sent = upstream.seen[-1]
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, *HELLO]
    assert (sent["max_tokens"], sent["stop"]) == (50, ["END"])
    assert [row["endpoint"] for row in rows_of(endpoint, raw.headers["x-request-id"])] == ["/v1/messages"]


@pytest.mark.parametrize(
    ("asked", "error", "status"),
    [
        ({"model": "nobody"}, anthropic.NotFoundError, 404),
        ({"model": "down"}, anthropic.APIStatusError, 503),
        ({"model": "refuses"}, anthropic.InternalServerError, 502),
        ({"messages": []}, anthropic.BadRequestError, 400),
        ({"temperature": 5}, anthropic.BadRequestError, 400),
        ({"extra_body": {"mcp_servers": [1]}}, anthropic.BadRequestError, 400),
    ],
)
def test_a_refusal_is_the_official_clients_error(endpoint, client, asked, error, status):
    """In Anthropic's shape, with the id under which the book has it."""
    extra = dict(asked)
    body = extra.pop("extra_body", {})
    temperature = extra.pop("temperature", None)
    body |= {} if temperature is None else {"temperature": temperature}
    with pytest.raises(error) as refused:
        client.messages.create(**{"model": "good", "max_tokens": 5, "messages": HELLO} | extra, extra_body=body)
    assert refused.value.status_code == status
    answer = json.loads(refused.value.response.content)
    assert (answer["type"], set(answer["error"])) == ("error", {"type", "message"})
    rows = rows_of(endpoint, answer["request_id"])
    assert [(row["status"], row["endpoint"]) for row in rows] == [("error", "/v1/messages")]


def test_a_wrong_key_is_refused_in_either_header(endpoint):
    """`x-api-key` or a bearer's: what is no key of ours is 401."""
    for more in ({"api_key": "db-no"}, {"auth_token": "db-no", "api_key": None}):
        stranger = anthropic.Anthropic(base_url=endpoint.url, max_retries=0, timeout=20, **more)
        with pytest.raises(anthropic.AuthenticationError):
            stranger.messages.create(model="good", max_tokens=5, messages=HELLO)


def test_a_stream_that_breaks_ends_with_an_error_event(endpoint, client):
    """What came so far was handed over; the official client raises."""
    text = []
    with (
        pytest.raises(anthropic.APIStatusError),
        client.messages.stream(model="broken", max_tokens=5, messages=HELLO) as stream,
    ):
        text += stream.text_stream
    assert endpoint.book()[-1]["error_kind"] == "stream_broken"
