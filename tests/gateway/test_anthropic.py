"""Anthropic behind the served endpoint, asked by OpenAI's own client: answered, priced and entered."""

from __future__ import annotations

from decimal import Decimal

import pytest

from daybook.providers.catalogue import Catalogue
from tests.fakes.anthropic_server import Says
from tests.gateway.conftest import served, settings_in

USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 2000,
    "cache_creation_input_tokens": 300,
    "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    "output_tokens": 50,
    "service_tier": "standard",
}
COST = Decimal("0.00273")
"""Claude Sonnet 4.5, USD per million: 10 at 3, 2,000 read at 0.30, 200 written for minutes at 3.75 and 100 for an hour
at 6, 50 out at 15."""
HELLO = [{"role": "user", "content": "Say hello, please."}]


@pytest.fixture(scope="module")
def endpoint(claude, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(f"upstreams: {{local: {{kind: echo}}, anthropic: {{base_url: '{claude.url}/v1'}}}}\n")
    models = Catalogue.load(settings.models, {"ANTHROPIC_API_KEY": "sk-ant-1"}, home=settings.home)
    with served(settings, models) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True])
def test_a_call_is_answered_priced_and_entered(claude, endpoint, stream):
    """Whole and streamed cost the same: what was read from the cache and written to it at rates of their own."""
    claude.script = [Says(usage=USAGE)]
    raw = endpoint.client().chat.completions.with_raw_response.create(
        model="claude-sonnet-4-5", messages=HELLO, stream=stream
    )
    answer = raw.parse()
    text = (
        "".join(chunk.choices[0].delta.content or "" for chunk in answer)
        if stream
        else answer.choices[0].message.content
    )
    assert text == "Grüße from 東京."
    rows = [row for row in endpoint.book() if row["request_id"] == raw.headers["x-request-id"]]
    kept = (
        "provider",
        "served_model",
        "status",
        "input_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "output_tokens",
    )
    assert [tuple(row[name] for name in kept) for row in rows] == [
        ("anthropic", "claude-sonnet-4-5-20250929", "ok", 2310, 2000, 300, 50)
    ]
    assert (rows[0]["cost"], rows[0]["finish_reason"], rows[0]["stream"]) == (COST, "stop", stream)


@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_own_rate_limits_reach_the_client(claude, endpoint, stream):
    """By the names that it documents; no other header of the upstream goes on."""
    claude.script = [Says(usage=USAGE)]
    claude.limits = {"anthropic-ratelimit-requests-remaining": "59", "anthropic-organization-id": "secret"}
    try:
        create = endpoint.client().chat.completions.with_raw_response.create
        headers = create(model="claude-sonnet-4-5", messages=HELLO, stream=stream).headers
    finally:
        claude.limits = {}
    assert headers["anthropic-ratelimit-requests-remaining"] == "59"
    assert "anthropic-organization-id" not in headers


def test_structured_output_of_the_official_client(claude, endpoint):
    """`parse` sends a schema and reads the answer back as its type."""
    from pydantic import BaseModel

    class City(BaseModel):
        name: str
        rivers: list[str]

    claude.script = [Says(blocks=({"type": "text", "text": '{"name": "Basel", "rivers": ["Rhein", "Birs"]}'},))]
    answer = endpoint.client().chat.completions.parse(model="claude-sonnet-4-5", messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Basel", rivers=["Rhein", "Birs"])
    assert claude.asked("/v1/messages")[-1]["output_config"]["format"]["schema"]["required"] == ["name", "rivers"]


def test_what_it_cannot_do_is_a_400_that_names_the_field(claude, endpoint):
    """Nothing is sent upstream."""
    import openai

    before = len(claude.seen)
    with pytest.raises(openai.BadRequestError) as refused:
        endpoint.client().chat.completions.create(model="claude-sonnet-4-5", messages=HELLO, seed=1)
    assert (refused.value.param, len(claude.seen)) == ("seed", before)
