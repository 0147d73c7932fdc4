"""`/ml/hf/*` over HTTP: keys, bodies, entries; with a real process behind one question."""

from __future__ import annotations

import httpx
import pytest


@pytest.fixture(scope="module")
def ask(endpoint):
    """Posts to a task with the endpoint's key."""
    with httpx.Client(base_url=endpoint.url, timeout=120) as client:

        def post(task: str, *, key: str | None = endpoint.key.secret, **options):
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return client.post(f"/ml/hf/{task}", headers=headers | options.pop("headers", {}), **options)

        yield post


@pytest.mark.slow
def test_a_task_is_answered_and_entered(endpoint, ask):
    """Real models answer; the request id finds the call in the book, and its route in the log."""
    answer = ask("sentiment", json={"texts": ["A joy from start to end.", "What a bore."]})
    assert answer.status_code == 200
    assert [row["label"] for row in answer.json()["results"]] == ["positive", "negative"]
    assert len(ask("embed", json={"text": "a"}).json()["results"][0]) == 384
    call = next(row for row in endpoint.book() if row["request_id"] == answer.headers["x-request-id"])
    assert (call["endpoint"], call["caller"], call["provider"]) == ("/ml/hf/sentiment", "ada", "hf")
    assert call["input_tokens"] == answer.json()["usage"]["input_tokens"]
    assert any(line.get("route") == "/ml/hf/sentiment" for line in endpoint.log)


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"json": {"texts": ["a"]}, "key": None}, 401, "missing_api_key"),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, "invalid_body"),
        ({"content": b"[]", "headers": {"content-type": "application/json"}}, 400, "invalid_body"),
        ({"content": b"text=a", "headers": {"content-type": "text/plain"}}, 415, "not_json"),
        ({"json": {"texts": "a"}}, 400, "invalid_value"),
        ({"json": {"text": "a", "file": "/etc/passwd"}}, 400, "invalid_value"),
    ],
)
def test_what_is_refused_says_why_in_openais_shape(ask, given, status, code):
    """No key, no JSON, no texts: a status and an error that names the cause."""
    answer = ask("embed", **given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_text_in_the_url_is_no_text(ask):
    """Texts stand in access logs if they come in the URL; they are taken from the body alone."""
    assert ask("sentiment", params={"text": "my secret"}, json={}).status_code == 400


def test_tasks_are_described(endpoint):
    """The endpoint's own description has the four routes."""
    paths = httpx.get(f"{endpoint.url}/openapi.json").json()["paths"]
    assert {path for path in paths if path.startswith("/ml/hf/")} == {
        "/ml/hf/sentiment", "/ml/hf/classify", "/ml/hf/summarize", "/ml/hf/embed",
    }  # fmt: skip
