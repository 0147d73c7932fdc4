"""`POST /v1/moderations` over the served endpoint, with the official client."""

from __future__ import annotations

import httpx
import openai
import pytest

from daybook.providers.catalogue import Catalogue
from tests.fakes.contracts import Contract
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.serving import Raw, error
from tests.gateway.conftest import in_a_thread, served, settings_in

MODELS = """\
upstreams:
  local: {{kind: echo}}
  openai: {{base_url: {url}/v1, attempts: 1}}
"""


@pytest.fixture(scope="module")
def fake():
    with in_a_thread(FakeOpenAI(Contract.load("openai.openapi.yaml"))) as server:
        yield server
    assert server.problems == []


@pytest.fixture(scope="module")
def endpoint(fake, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=fake.url))
    models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
    with served(settings, models) as running:
        yield running


def row_of(endpoint, response):
    (row,) = [r for r in endpoint.book() if r["request_id"] == response.headers["x-request-id"]]
    return row


def test_verdicts_are_passed_through_and_entered(fake, endpoint):
    """The categories themselves, each with its score; the default model is OpenAI's; what was judged is not kept,
    tokens that nobody counted are not known, and it is free, as a rate says."""
    raw = endpoint.client().moderations.with_raw_response.create(input=["I want to kill them.", "How are you?"])
    bad, good = raw.parse().results
    assert (bad.flagged, bad.categories.violence, bad.category_scores.violence) == (True, True, 0.9)
    assert (good.flagged, good.categories.violence) == (False, False)
    assert fake.asked("/v1/moderations")[-1]["model"] == "omni-moderation-latest"
    row = row_of(endpoint, raw)
    assert (row["endpoint"], row["provider"], row["served_model"], row["status"], row["http_status"]) == (
        "/v1/moderations", "openai", "omni-moderation-latest", "ok", 200
    )  # fmt: skip
    assert (row["prompt"], row["input_tokens"], row["usage_reported"]) == (None, None, None)
    assert (row["cost"], row["price_rate"]) == (0, "openai/omni-moderation-latest request 0 USD from 2024-09-26")
    assert any(line.get("route") == "/v1/moderations" for line in endpoint.log)


def test_a_budget_lets_what_is_free_through(fake, endpoint):
    """Nothing is reserved and nothing spent; a model of moderation without a price is refused under a budget."""
    limits = endpoint.settings.home / "limits.yml"
    limits.write_text("keys: {ada: {budget: {day: 0.01}}}")
    try:
        assert endpoint.client().moderations.create(input="Hi").results
        with pytest.raises(openai.RateLimitError, match="moderation-of-tomorrow"):
            endpoint.client().moderations.create(input="Hi", model="openai/moderation-of-tomorrow")
    finally:
        limits.write_text("{}")


def test_parts_go_on_as_they_are(fake, endpoint):
    """Text and pictures."""
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}]
    endpoint.client().moderations.create(input=parts)
    assert fake.asked("/v1/moderations")[-1]["input"] == parts


@pytest.mark.parametrize("given", ["", [], [5], ["a", {}], {}, None, ["a"] * 2049])
def test_what_cannot_be_judged_is_refused_by_name(fake, endpoint, given):
    """400; OpenAI is not asked."""
    before = len(fake.seen)
    headers = {"authorization": f"Bearer {endpoint.key.secret}"}
    answer = httpx.post(f"{endpoint.url}/v1/moderations", headers=headers, json={"input": given})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "input")
    assert len(fake.seen) == before


@pytest.mark.parametrize("item", [error(500, {"error": {"message": "x"}}), Raw(body=[b'{"id": 1}']), Raw(body=[b"<"])])
def test_a_broken_verdict_is_an_error_and_never_harmless(fake, endpoint, item):
    """5xx, and a row that says so."""
    fake.script = [item]
    try:
        with pytest.raises(openai.InternalServerError) as caught:
            endpoint.client().moderations.create(input="Hi")
    finally:
        fake.script = []
    assert row_of(endpoint, caught.value.response)["status"] == "error"


def test_without_an_openai_the_remedy_is_said(fresh, endpoint):
    """404 names the variable; a model that moderates nothing is a 400 by its upstream's name."""
    with fresh() as other, pytest.raises(openai.NotFoundError, match="OPENAI_API_KEY"):
        other.client().moderations.create(input="Hi")
    with pytest.raises(openai.BadRequestError, match="local moderates nothing"):
        endpoint.client().moderations.create(input="Hi", model="local/echo")
