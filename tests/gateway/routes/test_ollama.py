"""`/ml/ollama/*` over the served endpoint: in Ollama's words, in the book, held to its own OpenAPI document."""

from __future__ import annotations

import json

import httpx
import pytest

from daybook.gateway.routes.ollama import PULL
from daybook.providers import upstream
from daybook.providers.catalogue import Catalogue
from daybook.providers.registered.index import RegistryIndex
from tests.fakes.contracts import Contract
from tests.fakes.ollama_server import DIGEST, PROGRESS, FakeOllama, Says
from tests.fakes.serving import Raw, error
from tests.gateway.conftest import in_a_thread, served, settings_in


@pytest.fixture(scope="module")
def contract():
    return Contract.load("ollama.openapi.yaml")


@pytest.fixture(scope="module")
def fake(contract):
    with in_a_thread(FakeOllama(contract)) as server:
        yield server
    assert server.problems == []


@pytest.fixture(scope="module")
def endpoint(fake, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    ups = {
        "lab": upstream.Upstream(name="lab", kind="ollama", home=settings.home, base_url=fake.url, attempts=1),
        "echo": upstream.Upstream(name="echo", kind="echo", home=settings.home),
    }
    models = {
        "house": upstream.Model(name="house", upstream="lab", target="llama3.2"),
        "safe": upstream.Model(
            name="safe", upstream="lab", target="llama3.2", fallbacks=(upstream.Fallback("echo/echo"),)
        ),
    }
    with served(settings, Catalogue(ups, models, registry=RegistryIndex(settings.home))) as running:
        yield running


@pytest.fixture(autouse=True)
def script(fake):
    fake.script = [Says()]
    yield fake
    fake.script = []


def post(endpoint, what, body, **options):
    headers = {"authorization": f"Bearer {endpoint.key.secret}"}
    return httpx.post(f"{endpoint.url}/ml/ollama/{what}", headers=headers, json=body, timeout=60, **options)


def row_of(endpoint, answer):
    (row,) = [r for r in endpoint.book() if r["request_id"] == answer.headers["x-request-id"]]
    return row


ASKED = {
    "generate": {"model": "llama3.2", "prompt": "Hello", "system": "Be brief."},
    "chat": {
        "model": "llama3.2",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    },
}


def text_of(line):
    return line["response"] if "response" in line else line["message"]["content"]


@pytest.mark.parametrize(("what", "shape"), [("generate", "GenerateResponse"), ("chat", "ChatResponse")])
def test_a_whole_answer_has_ollamas_shape_and_is_in_the_book(fake, contract, endpoint, what, shape):
    """Valid by its document; asked natively, the options passed on; tokens, route and digest in the row."""
    answer = post(endpoint, what, ASKED[what] | {"options": {"temperature": 0, "num_ctx": 2048}, "format": "json"})
    body = answer.json()
    assert contract.problems(shape, body) == []
    assert (text_of(body), body["model"], body["done"], body["done_reason"]) == (
        "Grüße from 東京.", "llama3.2", True, "stop"
    )  # fmt: skip
    assert (body["prompt_eval_count"], body["eval_count"]) == (26, 4)
    sent = fake.asked("/api/chat")[-1]
    assert [(m["role"], m["content"]) for m in sent["messages"]] == [("system", "Be brief."), ("user", "Hello")]
    assert (sent["stream"], sent["format"]) == (False, "json")
    assert (sent["options"]["temperature"], sent["options"]["num_ctx"]) == (0, 2048)
    row = row_of(endpoint, answer)
    assert (row["endpoint"], row["provider"], row["input_tokens"], row["output_tokens"], row["status"]) == (
        f"/ml/ollama/{what}", "lab", 26, 4, "ok"
    )  # fmt: skip
    assert row["weights_digest"] == f"sha256:{DIGEST}"
    assert any(line.get("route") == f"/ml/ollama/{what}" for line in endpoint.log)


@pytest.mark.parametrize(("what", "shape"), [("generate", "GenerateStreamEvent"), ("chat", "ChatStreamEvent")])
def test_a_stream_is_lines_of_json(fake, contract, endpoint, what, shape):
    """Each line valid; the last one done, with the reason and the counts; thoughts apart."""
    fake.script = [Says(thinking=("Hm.",), done_reason="length")]
    answer = post(endpoint, what, ASKED[what] | {"stream": True, "think": True})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [problem for line in lines for problem in contract.problems(shape, line)] == []
    assert "".join(map(text_of, lines)) == "Grüße from 東京."
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert (lines[-1]["done_reason"], lines[-1]["prompt_eval_count"], lines[-1]["eval_count"]) == ("length", 26, 4)
    assert (lines[0] if what == "generate" else lines[0]["message"])["thinking"] == "Hm."
    assert (row_of(endpoint, answer)["stream"], row_of(endpoint, answer)["finish_reason"]) == (True, "length")


def test_pictures_and_schemas_are_passed_on(fake, endpoint):
    """Base64 to the byte, a schema as it is."""
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    assert post(endpoint, "generate", ASKED["generate"] | {"images": ["aGk="], "format": schema}).status_code == 200
    sent = fake.asked("/api/chat")[-1]
    assert (sent["messages"][-1]["images"], sent["format"]) == (["aGk="], schema)


def test_names_of_the_catalogue_and_fallbacks_hold_here_too(fake, endpoint):
    """A name of ours is one; where Ollama fails, the fallback answers and says so."""
    assert post(endpoint, "generate", ASKED["generate"] | {"model": "house"}).status_code == 200
    fake.script = [error(500, {"error": "out of memory"})]
    answer = post(endpoint, "generate", ASKED["generate"] | {"model": "safe"})
    assert (answer.status_code, answer.headers["x-daybook-model"]) == (200, "echo/echo")


@pytest.mark.parametrize(
    ("what", "more", "param"),
    [
        ("generate", {"raw": True}, "raw"),
        ("generate", {"suffix": "x"}, "suffix"),
        ("generate", {"prompt": None}, "prompt"),
        ("generate", {"system": 5}, "system"),
        ("generate", {"images": "aGk="}, "images"),
        ("generate", {"images": [5]}, "images"),
        ("generate", {"format": 5}, "format"),
        ("generate", {"model": None}, "model"),
        ("generate", {"stream": "yes"}, "stream"),
        ("chat", {"tools": []}, "tools"),
        ("chat", {"messages": "Hello"}, "messages"),
        ("chat", {"messages": ["Hello"]}, "messages[0]"),
        ("chat", {"messages": [{"role": "assistant", "content": "", "tool_calls": []}]}, "messages[0].tool_calls"),
    ],
)
def test_what_is_not_translated_is_refused_by_name(fake, endpoint, what, more, param):
    """400 and the parameter; Ollama is not asked."""
    before = len(fake.asked("/api/chat"))
    answer = post(endpoint, what, ASKED[what] | more)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert len(fake.asked("/api/chat")) == before


def test_a_model_that_it_has_not_got_says_how_to_get_it(endpoint):
    """404 with the remedy."""
    answer = post(endpoint, "generate", ASKED["generate"] | {"model": "mistral"})
    assert answer.status_code == 404
    assert "ollama pull mistral" in answer.json()["error"]["message"]


def test_models_are_ollamas_own_list(fake, endpoint):
    """With the digest, and their number."""
    headers = {"authorization": f"Bearer {endpoint.key.secret}"}
    answer = httpx.get(f"{endpoint.url}/ml/ollama/models", headers=headers)
    assert answer.json() == {"models": fake.tags, "count": 1}
    assert httpx.get(f"{endpoint.url}/ml/ollama/models").status_code == 401
    assert any(line.get("route") == "/ml/ollama/models" for line in endpoint.log)


def events(endpoint):
    from daybook.book import Book

    with Book(endpoint.settings.book_url, endpoint.settings.home) as book:
        return book.rows("select * from events where action = 'ollama.pulled'")


def test_a_pull_streams_its_progress_and_is_entered(fake, endpoint):
    """Every line as Ollama says it; an event says who pulled what."""
    fake.script = []
    before = len(events(endpoint))
    answer = post(endpoint, "pull", PULL)
    assert answer.headers["content-type"].startswith("application/x-ndjson")
    assert [json.loads(line) for line in answer.text.splitlines()] == PROGRESS
    assert fake.asked("/api/pull")[-1] == PULL | {"stream": True}
    (event,) = events(endpoint)[before:]
    assert (event["actor"], event["object"], event["request_id"]) == (
        "key:ada", PULL["model"], answer.headers["x-request-id"]
    )  # fmt: skip


LINE = b'{"status":"pulling manifest"}\n'


@pytest.mark.parametrize(
    "body",
    [
        Raw(body=[LINE, b'{"error":"pull model manifest: file does not exist"}\n']),
        Raw(body=[LINE]),
        Raw(body=[LINE, b'{"stat'], end="abort"),
        Raw(body=[LINE, b"<html>"]),
    ],
)
def test_a_pull_that_fails_under_way_ends_in_an_error(fake, endpoint, body):
    """An error inside the stream, an early end, a cut, no JSON: the last line is an error, and nothing is entered."""
    fake.script = [body]
    before = len(events(endpoint))
    lines = [json.loads(line) for line in post(endpoint, "pull", PULL).text.splitlines()]
    assert lines[0] == {"status": "pulling manifest"}
    assert set(lines[-1]) == {"error"}
    assert lines[-1]["error"]["request_id"]
    assert len(events(endpoint)) == before


def test_a_pull_that_is_refused_at_once_has_a_status(fake, endpoint):
    """Nothing is committed before Ollama's first line."""
    fake.script = [error(500, {"error": "no space left"})]
    assert post(endpoint, "pull", PULL).status_code >= 500
    fake.script = [Raw(body=[b'{"error":"pull model manifest: file does not exist"}\n'])]
    assert post(endpoint, "pull", PULL).status_code >= 400
    fake.script = [Raw(body=[])]
    assert post(endpoint, "pull", PULL).status_code == 503


@pytest.mark.parametrize("model", ["", "a b", "x" * 201, "../é\n", 5, None])
def test_a_name_that_is_none_is_not_pulled(fake, endpoint, model):
    """400 by its name."""
    before = len(fake.asked("/api/pull"))
    answer = post(endpoint, "pull", {"model": model})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
    assert len(fake.asked("/api/pull")) == before


def test_without_an_ollama_the_remedy_is_said(fresh):
    """404 by each of the four, before anything else is looked for."""
    with fresh() as other:
        for what, body in (*ASKED.items(), ("pull", PULL)):
            answer = post(other, what, body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (404, "no_ollama")
            assert "models.yml" in answer.json()["error"]["message"]
        headers = {"authorization": f"Bearer {other.key.secret}"}
        assert httpx.get(f"{other.url}/ml/ollama/models", headers=headers).json()["error"]["code"] == "no_ollama"


def test_the_description_has_examples_that_work(endpoint, fake):
    """All four, with the shape of errors."""
    paths = httpx.get(f"{endpoint.url}/openapi.json").json()["paths"]
    for what in ("generate", "chat"):
        route = paths[f"/ml/ollama/{what}"]["post"]
        assert {"200", "404", "503"} <= set(route["responses"])
        example = route["requestBody"]["content"]["application/json"]["example"]
        assert post(endpoint, what, example).status_code == 200
    assert paths["/ml/ollama/pull"]["post"]["requestBody"]["content"]["application/json"]["example"] == PULL
    assert {"200", "401", "404", "502", "503"} <= set(paths["/ml/ollama/models"]["get"]["responses"])
