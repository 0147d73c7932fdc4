"""Moderation by policy over the served endpoint, with the heads of this machine."""

from __future__ import annotations

import json

import httpx
import openai
import pytest

from daybook.gateway.app import hot_routes
from daybook.providers.catalogue import Catalogue
from daybook.providers.registered.index import RegistryIndex
from daybook.providers.upstream import Model, Upstream
from tests.gateway.conftest import catalogue_over, served, settings_in

POLICY = "everyone: {request: block}\nprojects: {open: {request: note}, judged: {answer: block, request: 'off'}}\n"
HARM = "I will kill you tonight with a knife"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(upstream, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("moderated"))
    settings.home.mkdir(parents=True, mode=0o700)
    (settings.home / "moderation.yml").write_text(POLICY)
    known = catalogue_over(upstream.url, settings.home)
    nobody = Upstream(name="ollama", kind="ollama", home=settings.home, base_url="http://127.0.0.1:9")
    models = known.models | {"gemma": Model(name="gemma", upstream="ollama", target="gemma")}
    both = Catalogue(known.upstreams | {"ollama": nobody}, models, registry=RegistryIndex(settings.home))
    with served(settings, both) as endpoint:
        yield endpoint


def ask(running, text, *, project="default", path="/v1/chat/completions", model="good", **more):
    body = {"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": text}]} | more
    headers = {"authorization": f"Bearer {running.key.secret}", "x-daybook-project": project}
    return httpx.post(f"{running.url}{path}", json=body, headers=headers, timeout=120)


def events(running, request_id):
    journal = (running.settings.home / "journal").glob("*.jsonl")
    lines = [line for path in journal for line in path.read_text().splitlines()]
    return [json.loads(line) for line in lines if "moderation." in line and request_id in line]


def test_what_is_flagged_is_asked_of_nobody(running):
    """400 in the words of each API, entered as refused, with an event that has no word of what was said; a harmless
    request with the same words goes through."""
    answer = ask(running, HARM)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "content_policy_violation")
    assert answer.headers["x-should-retry"] == "false"
    assert "violence" in answer.json()["error"]["message"]
    assert "knife" not in answer.text
    (row,) = [r for r in running.book() if r["request_id"] == answer.headers["x-request-id"]]
    assert (row["status"], row["error_kind"], row["provider"]) == ("error", "content_flagged", None)
    (event,) = events(running, answer.headers["x-request-id"])
    assert "moderation.blocked" in json.dumps(event)
    assert "knife" not in json.dumps(event)
    assert ask(running, HARM, path="/v1/messages").json()["type"] == "error"
    assert ask(running, "How do I kill a Python process?").status_code == 200
    with pytest.raises(openai.BadRequestError, match="flagged"):
        running.client().chat.completions.create(
            model="good", messages=[{"role": "user", "content": HARM}], stream=True
        )


ASKED = {"model": "good", "max_tokens": 5, "messages": [{"role": "user", "content": HARM}]}
GUARDED = {
    "/v1/chat/completions": ASKED,
    "/v1/messages": ASKED,
    "/v1/responses": {"model": "good", "input": HARM},
    "/v1/embeddings": {"model": "good", "input": ["fine", HARM]},
    "/ml/embed/batch": {"model": "good", "texts": [HARM]},
    "/ml/ollama/generate": {"model": "gemma", "prompt": HARM},
    "/ml/ollama/chat": {"model": "gemma", "messages": ASKED["messages"]},
    "/ml/hf/sentiment": {"texts": ["fine", HARM]},
    "/ml/hf/classify": {"texts": ["fine"], "labels": ["sport", HARM]},
    "/ml/hf/summarize": {"text": HARM, "model": "good"},
    "/ml/hf/embed": {"text": HARM},
}
"""Every route by which a text reaches a model, with a body that a policy blocks."""
REDACTED = {
    "/v1/moderations": {"input": HARM},
    "/safety/moderate": {"input": HARM},
    "/v1/messages/count_tokens": ASKED,
}
"""Those of which nothing is generated: redacted, and not judged."""
UNGUARDED = {
    "/safety/pii/detect": "its texts go to no upstream, and what is found in them is what it is asked for",
    "/safety/pii/redact": "the same",
    "/safety/bias": "answers that were given already, measured here",
    "/ml/cost/estimate": "numbers and names of models",
    "/ml/cost/recommend": "numbers",
    "/ml/cost/optimize": "rewritten here by rules, given back to who sent it, kept nowhere",
    "/ml/ollama/pull": "the name of a model",
    "/ml/deploy/update-traffic": "names and weights, with an admin key",
    "/ml/finetune/prepare": "rows for training, which its own gate looks at, with an admin key",
    "/ml/finetune/start": "the same",
    "/ml/finetune/cancel/{id_}": "an id",
    "/compliance/audit": "a question to the trail, with a privacy key",
    "/compliance/subjects/export": "whose data, with a privacy key",
    "/compliance/subjects/erase": "the same",
    "/compliance/subjects/consent": "the same",
    "/compliance/subjects/restrict": "the same",
}


def test_every_route_that_takes_a_body_is_guarded_or_says_why_not(running):
    """A new one fails here until somebody decided; those of the hot path are all described."""
    described = httpx.get(f"{running.url}/openapi.json").json()["paths"]
    takes = {path for path, methods in described.items() if methods.keys() & {"post", "put", "patch"}}
    assert takes | set(hot_routes(running.parts)) == {*GUARDED, *REDACTED, *UNGUARDED}
    assert set(hot_routes(running.parts)) <= takes


@pytest.mark.parametrize("path", GUARDED)
def test_no_route_goes_around_moderation(running, upstream, path):
    """What is flagged is asked of nobody, entered as refused, and the answer has no word of it."""
    asked = len(upstream.seen)
    headers = {"authorization": f"Bearer {running.key.secret}"}
    answer = httpx.post(running.url + path, json=GUARDED[path], headers=headers, timeout=120)
    assert answer.status_code == 400
    assert ("violence" in answer.text, "knife" in answer.text) == (True, False), answer.text
    assert len(upstream.seen) == asked
    kinds = {r["error_kind"] for r in running.book() if r["request_id"].startswith(answer.headers["x-request-id"])}
    assert kinds == {"content_flagged"}


@pytest.mark.parametrize("path", [*GUARDED, *REDACTED])
def test_no_route_goes_around_redaction(running, upstream, path):
    """Where nobody knows what is to be taken out, nothing of it is sent on."""
    asked = len(upstream.seen)
    policy = running.settings.home / "redaction.yml"
    policy.write_text("everyone: {request: melt}")
    body = json.loads(json.dumps((GUARDED | REDACTED)[path]).replace(HARM, "Write to ada@example.com"))
    headers = {"authorization": f"Bearer {running.key.secret}"}
    try:
        answer = httpx.post(running.url + path, json=body, headers=headers, timeout=120)
        assert answer.status_code == 503
    finally:
        policy.write_text("{}")
    assert len(upstream.seen) == asked


@pytest.mark.parametrize("tokens", [[1, 2], [[1, 2], [3]]])
def test_tokens_in_place_of_text_do_not_go_around_a_policy(running, tokens):
    """Nobody here can read them: 400 with what to do; without a policy they are an upstream's matter."""
    headers = {"authorization": f"Bearer {running.key.secret}"}
    body = {"model": "good", "input": tokens}
    answer = httpx.post(f"{running.url}/v1/embeddings", json=body, headers=headers)
    assert (answer.status_code, "Send the text itself" in answer.text) == (400, True)
    open_ = headers | {"x-daybook-project": "judged"}
    assert "Send the text itself" not in httpx.post(f"{running.url}/v1/embeddings", json=body, headers=open_).text
    policy = running.settings.home / "redaction.yml"
    policy.write_text("everyone: {request: replace}")
    try:
        answer = httpx.post(f"{running.url}/v1/embeddings", json=body, headers=open_)
        assert (answer.status_code, "Send the text itself" in answer.text) == (400, True)
    finally:
        policy.write_text("{}")


def test_what_is_only_noted_is_answered(running):
    """With an event that names the categories."""
    answer = ask(running, HARM, project="open")
    assert answer.status_code == 200
    (event,) = events(running, answer.headers["x-request-id"])
    assert "moderation.noted" in json.dumps(event)
    assert "violence" in json.dumps(event)


def test_an_answer_is_judged_before_it_is_given(running, upstream):
    """Harmless ones as they are, a flagged one not at all, though it was paid for."""
    choice = {"index": 0, "message": {"role": "assistant", "content": HARM}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 3, "completion_tokens": 8, "total_tokens": 11}
    whole = {"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice], "usage": usage}
    upstream.raw = json.dumps(whole).encode()
    assert ask(running, "Hello", project="judged").status_code == 200
    blocked = ask(running, "Hello", project="judged", model="raw")
    assert (blocked.status_code, blocked.json()["error"]["code"]) == (400, "content_policy_violation")
    assert "knife" not in blocked.text
    (row,) = [r for r in running.book() if r["request_id"] == blocked.headers["x-request-id"]]
    assert (row["status"], row["error_kind"], row["output_tokens"]) == ("error", "content_flagged", 8)


MESSAGES = [{"role": "user", "content": "Hello"}]
ENDS = {
    "/v1/chat/completions": '"finish_reason":"content_filter"',
    "/v1/messages": '"stop_reason":"refusal"',
    "/v1/responses": '"incomplete_details":{"reason":"content_filter"}',
}


@pytest.mark.parametrize("path", ENDS)
def test_a_flagged_stream_ends_in_the_words_of_its_api(running, upstream, path):
    """Nothing flagged is given, and the row says why."""
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    texts = [f"{word} " for word in HARM.split()]
    events = [chunk | {"choices": [{"index": 0, "delta": {"content": t}, "finish_reason": None}]} for t in texts]
    events.append(chunk | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    upstream.raw = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in events) + b"data: [DONE]\n\n"
    body = {"input": "Hello"} if path == "/v1/responses" else {"max_tokens": 5, "messages": MESSAGES}
    headers = {"authorization": f"Bearer {running.key.secret}", "x-daybook-project": "judged"}
    answer = httpx.post(running.url + path, json=body | {"model": "raw", "stream": True}, headers=headers, timeout=120)
    assert answer.status_code == 200
    assert ("knife" in answer.text, ENDS[path] in answer.text) == (False, True), answer.text
    (row,) = [r for r in running.book() if r["request_id"] == answer.headers["x-request-id"]]
    assert (row["status"], row["error_kind"], row["finish_reason"]) == ("error", "content_flagged", "content_filter")
    if path == "/v1/chat/completions":
        with running.client().with_options(default_headers={"x-daybook-project": "judged"}) as client:
            chunks = list(client.chat.completions.create(model="raw", messages=MESSAGES, stream=True))
            harmless = list(client.chat.completions.create(model="good", messages=MESSAGES, stream=True))
        assert chunks[-1].choices[0].finish_reason == "content_filter"
        assert "".join(c.choices[0].delta.content or "" for c in harmless if c.choices) == "It is all quite well."
