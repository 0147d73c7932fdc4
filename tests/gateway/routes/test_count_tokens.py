"""`POST /v1/messages/count_tokens` over the served endpoint, with Anthropic's client."""

from __future__ import annotations

import anthropic
import httpx
import pytest

from daybook.gateway.routes.count_tokens import EXAMPLE
from daybook.providers.catalogue import Catalogue
from tests.fakes.serving import Raw, error
from tests.gateway.conftest import served, settings_in


@pytest.fixture(scope="module")
def endpoint(claude, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(f"upstreams: {{local: {{kind: echo}}, anthropic: {{base_url: '{claude.url}/v1'}}}}\n")
    models = Catalogue.load(settings.models, {"ANTHROPIC_API_KEY": "sk-ant-1"}, home=settings.home)
    with served(settings, models) as running:
        yield running


@pytest.fixture
def client(endpoint, claude):
    claude.script = []
    yield anthropic.Anthropic(base_url=endpoint.url, api_key=endpoint.key.secret, max_retries=0)
    claude.script = []


HELLO = [{"role": "user", "content": "Hello, Claude"}]


def test_anthropic_counts_its_own(claude, client, endpoint):
    """Passed through with system, tools and all; no row in the book, its route in the log."""
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    counted = client.messages.count_tokens(model="claude-sonnet-4-5", system="Be brief.", messages=HELLO, tools=tools)
    assert counted.input_tokens == 14
    assert claude.asked("/v1/messages/count_tokens")[-1] == {
        "model": "claude-sonnet-4-5", "system": "Be brief.", "messages": HELLO, "tools": tools
    }  # fmt: skip
    assert endpoint.book() == []
    assert any(line.get("route") == "/v1/messages/count_tokens" for line in endpoint.log)


def test_of_other_models_it_is_an_estimate_that_says_so(client):
    """13 bytes are 4 tokens, 4 for the message's frame, 3 for the prompt's; tools and pictures are refused."""
    counted = client.messages.count_tokens(model="local/echo", messages=HELLO)
    assert counted.to_dict() == {"input_tokens": 11, "estimated": True}
    with pytest.raises(anthropic.BadRequestError, match="not known"):
        client.messages.count_tokens(
            model="local/echo", messages=HELLO, tools=[{"name": "f", "input_schema": {"type": "object"}}]
        )


def test_errors_have_anthropics_shape(client, endpoint):
    """No key, no model, an unknown one."""
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.count_tokens(model="nobody", messages=HELLO)
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == "not_found_error"
    assert httpx.post(f"{endpoint.url}/v1/messages/count_tokens", json=EXAMPLE).status_code == 401
    with pytest.raises(anthropic.BadRequestError):
        client.messages.count_tokens(model="", messages=HELLO)


@pytest.mark.parametrize("item", [error(529, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
                                  Raw(body=[b'{"tokens": 5}']), Raw(body=[b"<html>"])])  # fmt: skip
def test_a_broken_count_is_an_error_and_never_a_number(claude, client, item):
    """5xx."""
    claude.script = [item]
    with pytest.raises(anthropic.InternalServerError):
        client.messages.count_tokens(model="claude-sonnet-4-5", messages=HELLO)


def test_what_is_only_counted_is_redacted_too(claude, client, endpoint):
    """It is sent on all the same; a policy that cannot be read lets nothing through."""
    policy = endpoint.settings.home / "redaction.yml"
    personal = [{"role": "user", "content": "Write to ada@example.com."}]
    try:
        policy.write_text("keys: {ada: {request: replace}}")
        client.messages.count_tokens(model="claude-sonnet-4-5", messages=personal)
        asked = claude.asked("/v1/messages/count_tokens")
        assert asked[-1]["messages"] == [{"role": "user", "content": "Write to [email]."}]
        policy.write_text("keys: {ada: {request: melt}}")
        with pytest.raises(anthropic.APIStatusError) as caught:
            client.messages.count_tokens(model="claude-sonnet-4-5", messages=personal)
        assert caught.value.status_code == 503
        assert len(claude.asked("/v1/messages/count_tokens")) == len(asked)
    finally:
        policy.write_text("{}")
