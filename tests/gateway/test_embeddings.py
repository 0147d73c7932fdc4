"""`POST /v1/embeddings` over the served endpoint, with the official client."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from decimal import Decimal

import openai
import pytest

from daybook.providers.catalogue import Catalogue
from tests.fakes.contracts import Contract
from tests.fakes.openai_server import FakeOpenAI
from tests.gateway.conftest import in_a_thread, served, settings_in

MODELS = """\
upstreams:
  local: {{kind: echo}}
  openai: {{base_url: {url}/v1, attempts: 1}}
models:
  vectors: {{upstream: openai, target: gone, fallback: [all-minilm-l6-v2]}}
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


@pytest.mark.parametrize("options", [{}, {"encoding_format": "float"}])
def test_openais_embeddings_are_priced_and_entered(fake, endpoint, options):
    """The client's default (base64) and plain numbers; 21 tokens at 0.02 USD a million; the person by a pseudonym."""
    raw = endpoint.client().embeddings.with_raw_response.create(
        model="text-embedding-3-small", input=["a", "b", "c"], user="ada@example.com", **options
    )
    assert [row.embedding for row in raw.parse().data] == [[0, 0.5], [1, 0.5], [2, 0.5]]
    sent = fake.asked("/v1/embeddings")[-1]
    assert sent["model"] == "text-embedding-3-small"
    assert sent["user"] != "ada@example.com"
    row = row_of(endpoint, raw)
    assert (row["endpoint"], row["provider"], row["status"], row["http_status"]) == (
        "/v1/embeddings", "openai", "ok", 200
    )  # fmt: skip
    assert (row["input_tokens"], row["output_tokens"], row["usage_reported"]) == (21, 0, True)
    assert row["cost"] == Decimal("0.00000042")
    assert row["subject"] == sent["user"]
    assert row["prompt_hash"] is not None
    assert row["prompt"] is None


def test_the_embedded_encoder_answers(endpoint):
    """Real weights: near texts are nearer; its digest and what it read are in the row; it costs nothing."""
    raw = endpoint.client().embeddings.with_raw_response.create(
        model="all-minilm-l6-v2", input=["a cat", "a kitten", "tax law"]
    )
    a, b, c = (row.embedding for row in raw.parse().data)
    assert (len(a), len(b), len(c)) == (384, 384, 384)
    assert sum(x * y for x, y in zip(a, b, strict=True)) > 0.7 > 0.3 > sum(x * y for x, y in zip(a, c, strict=True))
    row = row_of(endpoint, raw)
    assert (row["provider"], row["served_model"], row["output_tokens"]) == ("hf", "all-minilm-l6-v2", 0)
    assert row["input_tokens"] > 0
    assert row["weights_digest"].startswith("sha256:")
    assert (row["truncated"], row["cost"]) == (False, 0)


def test_embeddings_fall_back_too(fake, endpoint):
    """And say so."""
    fake.script = [error_404()]
    try:
        raw = endpoint.client().embeddings.with_raw_response.create(model="vectors", input="a")
    finally:
        fake.script = []
    assert raw.headers["x-daybook-model"] == "all-minilm-l6-v2"
    assert len(raw.parse().data[0].embedding) == 384


def error_404():
    from tests.fakes.serving import error

    return error(404, {"error": {"message": "no such model", "code": "model_not_found"}})


@pytest.mark.parametrize("model", ["local/echo", "claude-sonnet-4-5"])
def test_who_makes_none_is_said(endpoint, model):
    """400 by the upstream's name, or 404 where nobody serves it; entered."""
    with pytest.raises(openai.APIStatusError) as caught:
        endpoint.client().embeddings.create(model=model, input="a")
    assert caught.value.status_code == (400 if model == "local/echo" else 404)
    assert row_of(endpoint, caught.value.response)["status"] == "error"


def test_a_chat_with_an_encoder_is_refused(endpoint):
    """400, with where to ask."""
    with pytest.raises(openai.BadRequestError, match="/v1/embeddings"):
        endpoint.client().chat.completions.create(
            model="all-minilm-l6-v2", messages=[{"role": "user", "content": "Hello"}]
        )


def post(endpoint, body):
    head = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
    request = urllib.request.Request(f"{endpoint.url}/v1/embeddings", json.dumps(body).encode(), head)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())["error"]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "input is missing"),
        ({"input": None}, "neither a text nor a list"),
        ({"input": 5}, "neither a text nor a list"),
        ({"input": {}}, "neither a text nor a list"),
        ({"input": ""}, "input is empty"),
        ({"input": []}, "has 0 items"),
        ({"input": ["a"] * 2049}, "has 2,049 items"),
        ({"input": ["a", ""]}, "has at 1"),
        ({"input": ["a", None]}, "has at 1"),
        ({"input": [[]]}, "has at 0"),
        ({"input": [[1, "a"]]}, "has at 0"),
        ({"input": [True]}, "has at 0"),
        ({"input": [1.5]}, "has at 0"),
        ({"input": ["a", 1]}, "mixes texts and tokens"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": 65_537}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": "a", "dimensions": "2"}, "dimensions"),
        ({"input": "a", "user": 5}, "user"),
    ],
)
def test_what_cannot_be_embedded_is_refused_by_name(fake, endpoint, given, what):
    """400 before anybody is asked, with the parameter; the row says so."""
    before = len(fake.seen)
    status, error = post(endpoint, {"model": "text-embedding-3-small"} | given)
    assert (status, error["type"]) == (400, "invalid_request_error")
    assert what in error["message"]
    assert error["param"] in ("input", "encoding_format", "dimensions", "user")
    assert len(fake.seen) == before


@pytest.mark.parametrize("given", ["a", ["a"] * 2048, [1], [[1, 2]] * 2048])
def test_the_limits_themselves_are_let_through(endpoint, given):
    """1 and 2,048 inputs, texts and tokens."""
    status, answer = post(endpoint, {"model": "text-embedding-3-small", "input": given, "dimensions": 65_536})
    assert status == 200
    assert len(answer["data"]) == (2048 if isinstance(given, list) and len(given) == 2048 else 1)


@pytest.mark.parametrize("body", [{"input": "a"}, {"model": "", "input": "a"}, {"model": 5, "input": "a"}, []])
def test_a_body_without_a_model_says_what_it_needs(endpoint, body):
    """400."""
    status, error = post(endpoint, body)
    assert status == 400
    assert "model" in error["message"] + (error["param"] or "")


@pytest.fixture(scope="module")
def keeping(fake, tmp_path_factory):
    """An endpoint that keeps answers."""
    settings = settings_in(tmp_path_factory.mktemp("keeping"), DAYBOOK_CACHE=3600)
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=fake.url))
    models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
    with served(settings, models) as running:
        yield running


def embed(endpoint, key=None, **options):
    asked = {"model": "text-embedding-3-small", "input": "a", "encoding_format": "float"} | options
    raw = endpoint.client(key).embeddings.with_raw_response.create(**asked)
    return raw.http_response.read(), raw.headers.get("x-daybook-cache")


def test_the_same_text_again_asks_nobody_and_costs_nothing(fake, keeping):
    """Byte for byte the same vectors, marked; the row has 0 tokens at 0 dollars. A batch has the same vector, too."""
    before = len(fake.asked("/v1/embeddings"))
    (first, missed), (second, hit) = (embed(keeping, input="again") for _ in range(2))
    assert (first == second, missed, hit) == (True, None, "hit")
    plain = {"model": "text-embedding-3-small", "input": "one"}
    client = keeping.client()
    client.post("/embeddings", body=plain, cast_to=object)
    body = {"model": "text-embedding-3-small", "texts": ["one"]}
    batch = client.post("../ml/embed/batch", body=body, cast_to=object)
    assert (batch["data"][0]["embedding"], batch["cost_usd"]) == ([0, 0.5], "0")
    assert len(fake.asked("/v1/embeddings")) - before == 2
    rows = [row for row in keeping.book() if row["endpoint"] in ("/v1/embeddings", "/ml/embed/batch")][-4:]
    assert [(row["cache_hit"], row["attempts"]) for row in rows] == [(False, 1), (True, 0)] * 2
    for row in rows[1::2]:
        assert (row["cost"], row["input_tokens"], row["output_tokens"], row["price_source"]) == (0, 0, 0, "cache")
        assert (row["status"], row["served_model"]) == ("ok", rows[0]["served_model"])


@pytest.mark.parametrize(
    "change",
    [
        {"input": "b"},
        {"input": ["a"]},
        {"model": "text-embedding-3-large"},
        {"dimensions": 256},
        {"encoding_format": "base64"},
        {"user": "ada@example.com"},
        {"extra_headers": {"x-daybook-project": "lab"}},
        {"extra_headers": {"cache-control": "no-cache"}},
        {"extra_headers": {"cache-control": "no-store"}},
    ],
)
def test_no_other_request_has_kept_vectors(keeping, change):
    """Another text, model, length, form, person or project; nor who asks for new ones."""
    embed(keeping)
    assert embed(keeping)[1] == "hit"
    assert embed(keeping, **change)[1] is None


def test_no_other_key_has_kept_vectors(keeping):
    """Each pays for its own."""
    other = keeping.keys.create("bob", actor="test").secret
    embed(keeping)
    assert [embed(keeping, key=other)[1] for _ in range(2)] == [None, "hit"]
