"""Redaction over the served endpoint: what an upstream is sent, what a client is answered, what is kept of both."""

from __future__ import annotations

import json

import httpx
import openai
import pytest

from daybook.errors import RedactionFailed
from daybook.providers.catalogue import Catalogue
from tests.fakes.anthropic_server import Says
from tests.gateway.conftest import catalogue_over, served, settings_in

TEXT = "Write to ada@example.com or call +44 20 7946 0958."
CLEAN = "Write to [email] or call [phone]."
POLICY = "everyone: {request: replace, answer: replace}"


def whole(text):
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "c1", "object": "chat.completion", "model": "m-1", "choices": [choice]}).encode()


def streamed(text, size=4):
    parts = [
        {"role": "assistant", "content": ""},
        *({"content": text[i : i + size]} for i in range(0, len(text), size)),
    ]
    chunks = [{"index": 0, "delta": delta, "finish_reason": None} for delta in parts]
    chunks.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m-1"}
    return (
        b"".join(b"data: " + json.dumps(head | {"choices": [c]}).encode() + b"\n\n" for c in chunks)
        + b"data: [DONE]\n\n"
    )


@pytest.fixture(scope="module")
def running(upstream, tmp_path_factory):
    """An endpoint that keeps content, under a policy for everyone."""
    settings = settings_in(tmp_path_factory.mktemp("redaction"), DAYBOOK_CONTENT=1)
    settings.home.mkdir(parents=True, mode=0o700)
    (settings.home / "redaction.yml").write_text(POLICY)
    with served(settings, catalogue_over(upstream.url, settings.home)) as endpoint:
        yield endpoint


@pytest.fixture(autouse=True)
def policy(running):
    yield
    (running.settings.home / "redaction.yml").write_text(POLICY)


def state(running, text):
    new = running.settings.home / "redaction.new"
    new.write_text(text)
    new.replace(running.settings.home / "redaction.yml")


def ask(running, text=TEXT, **options):
    return running.client().chat.completions.create(
        model="raw", messages=[{"role": "user", "content": text}], user="ada@example.com", **options
    )


def test_no_upstream_is_sent_and_no_client_answered_what_a_policy_takes_out(running, upstream):
    """Request and answer; the book keeps neither, and the person's own name only as a pseudonym."""
    upstream.raw = whole(f"You said: {TEXT}")
    answer = ask(running)
    assert answer.choices[0].message.content == f"You said: {CLEAN}"
    assert upstream.seen[-1]["messages"] == [{"role": "user", "content": CLEAN}]
    assert b"ada@example.com" not in upstream.bytes[-1]
    row = running.book()[-1]
    assert json.loads(row["prompt"]) == [{"role": "user", "content": CLEAN}]
    assert row["answer"] == f"You said: {CLEAN}"
    assert row["subject"].startswith("u-")
    assert row["status"] == "ok"


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_streamed_answer_is_redacted_across_its_pieces(running, upstream, size):
    """The same text as the whole, its end, and the book's row."""
    upstream.raw = streamed(f"You said: {TEXT}", size)
    chunks = list(ask(running, stream=True))
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == f"You said: {CLEAN}"
    assert chunks[-1].choices[0].finish_reason == "stop"
    row = running.book()[-1]
    assert (row["answer"], row["status"], row["stream"]) == (f"You said: {CLEAN}", "ok", True)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messages", {"max_tokens": 9, "system": TEXT, "messages": [{"role": "user", "content": TEXT}]}),
        ("/v1/responses", {"input": TEXT, "instructions": TEXT}),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_other_apis_words_are_covered_too(running, upstream, path, body, stream):
    """Anthropic's Messages and OpenAI's Responses, whole and streamed: sent on redacted, answered redacted."""
    upstream.raw = streamed(TEXT) if stream else whole(TEXT)
    headers = {"authorization": f"Bearer {running.key.secret}"}
    answer = httpx.post(running.url + path, json=body | {"model": "raw", "stream": stream}, headers=headers)
    assert answer.status_code == 200
    assert b"ada@example.com" not in upstream.bytes[-1]
    assert upstream.bytes[-1].count(b"[email]") == 2
    assert "ada@" not in answer.text
    assert "[email]" in answer.text


def test_a_task_that_asks_a_model_is_covered_too(running, upstream):
    """The text to be summarized is sent on redacted, each summary comes back so, the book has neither; a text that
    cannot be redacted is not asked about."""
    upstream.raw = whole(f"He says: {TEXT}")
    headers = {"authorization": f"Bearer {running.key.secret}"}
    answer = httpx.post(f"{running.url}/ml/hf/summarize", json={"texts": [TEXT, TEXT], "model": "raw"}, headers=headers)
    assert [result["summary"] for result in answer.json()["results"]] == [f"He says: {CLEAN}"] * 2
    assert upstream.seen[-1]["messages"][0]["content"].endswith(CLEAN)
    assert b"ada@example.com" not in b"".join(upstream.bytes[-2:])
    assert b"ada@example.com" not in answer.content
    rows = [row for row in running.book() if row["request_id"] == answer.headers["x-request-id"]]
    assert [row["answer"] for row in rows] == [f"He says: {CLEAN}"] * 2
    assert all("ada@" not in row["prompt"] for row in rows)
    state(running, "everyone: {request: melt}")
    refused = httpx.post(f"{running.url}/ml/hf/embed", json={"texts": [TEXT]}, headers=headers)
    assert (refused.status_code, refused.json()["error"]["code"]) == (503, "redaction_unreadable")


def test_metadata_is_sent_on_and_kept_redacted(running, upstream):
    """Its values, where an upstream is to store them; in the book's tags too."""
    upstream.raw = whole("ok")
    ask(running, metadata={"customer": "ada@example.com"}, store=True)
    assert b"ada@example.com" not in upstream.bytes[-1]
    assert upstream.seen[-1]["metadata"] == {"customer": "[email]"}
    assert running.book()[-1]["tags"]["customer"] == "[email]"


def test_tags_are_kept_as_the_policy_of_the_log_says(running, upstream):
    """Those of the header, their names too, on every path; none are kept where the policy cannot be applied."""
    upstream.raw = whole("ok")
    headers = {"authorization": f"Bearer {running.key.secret}", "x-daybook-tags": "who=ada@example.com,team=desk"}
    body = {"model": "raw", "messages": [{"role": "user", "content": "a"}]}
    for path, asked in (("/v1/chat/completions", body), ("/ml/hf/summarize", {"model": "raw", "text": "a"})):
        answer = httpx.post(running.url + path, json=asked, headers=headers)
        assert answer.status_code == 200, answer.text
        assert running.book()[-1]["tags"] == {"who": "[email]", "team": "desk"}
    state(running, "everyone: {log: off}")
    httpx.post(f"{running.url}/v1/chat/completions", json=body, headers=headers)
    assert running.book()[-1]["tags"]["who"] == "ada@example.com"


def test_a_body_nested_too_deeply_for_the_policy_is_sent_to_nobody(running, upstream):
    """Though the endpoint itself could read it."""
    asked = len(upstream.seen)
    body = '{"model": "raw", "messages": [{"role": "user", "content": "a"}], "x": ' + DEEP + "}"
    headers = {"authorization": f"Bearer {running.key.secret}", "content-type": "application/json"}
    answer = httpx.post(f"{running.url}/v1/chat/completions", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "redaction_failed")
    assert len(upstream.seen) == asked


def test_what_is_kept_is_redacted_where_the_answer_is_not(running, upstream):
    """The usual: a call goes through as it is, and the book has neither datum; `off` keeps all."""
    state(running, "everyone: {request: off, answer: off}")
    upstream.raw = whole(TEXT)
    assert ask(running).choices[0].message.content == TEXT
    assert upstream.seen[-1]["messages"][0]["content"] == TEXT
    row = running.book()[-1]
    assert (json.loads(row["prompt"])[0]["content"], row["answer"]) == (CLEAN, CLEAN)
    upstream.raw = streamed(TEXT)
    assert "".join(c.choices[0].delta.content or "" for c in ask(running, stream=True)) == TEXT
    assert running.book()[-1]["answer"] == CLEAN
    state(running, "everyone: {log: off}")
    upstream.raw = whole(TEXT)
    ask(running)
    assert running.book()[-1]["answer"] == TEXT


def test_a_policy_that_cannot_be_read_lets_nothing_through(running, upstream):
    """503 before anybody is asked; entered in the book; why is in the log alone."""
    state(running, "everyone: {request: melt}")
    asked = len(upstream.seen)
    with pytest.raises(openai.APIStatusError) as caught:
        ask(running)
    assert (caught.value.status_code, caught.value.code) == (503, "redaction_unreadable")
    assert len(upstream.seen) == asked
    assert running.book()[-1]["error_kind"] == "redaction_unreadable"
    assert any("says 'melt'" in line.get("message", "") for line in running.log)
    assert "melt" not in str(caught.value)


DEEP = "[" * 1000 + '"ada@example.com"' + "]" * 1000


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", '{"model": "raw", "messages": [{"role": "user", "content": "a"}], "x": %s}'),
        (
            "/v1/messages",
            '{"model": "raw", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}], '
            '"tools": [{"name": "a", "input_schema": {"x": %s}}]}',
        ),
        ("/v1/embeddings", '{"model": "raw", "input": "a", "x": %s}'),
        ("/v1/moderations", '{"model": "raw", "input": "a", "x": %s}'),
        ("/ml/hf/embed", '{"text": "a", "x": %s}'),
    ],
)
@pytest.mark.parametrize(
    ("policy", "code"), [(POLICY, "redaction_failed"), ("everyone: {request: melt}", "redaction_unreadable")]
)
def test_nobody_is_redacted_who_is_refused_anyway(running, policy, code, path, body):
    """No key, too many requests: that is the answer, on each path, to what no policy would let through; with a key and
    room it is the policy's."""
    bob = running.keys.create(f"bob{len(running.keys.list())}", actor="test")
    (running.settings.home / "limits.yml").write_text(f"keys: {{{bob.key.name}: {{requests_per_minute: 1}}}}")
    state(running, policy)
    answers = [
        httpx.post(running.url + path, content=body % DEEP, headers={"content-type": "application/json"} | who)
        for who in ({}, *[{"authorization": f"Bearer {bob.secret}", "x-daybook-tags": "who=ada@example.com"}] * 2)
    ]
    (running.settings.home / "limits.yml").write_text("{}")
    assert [answer.status_code for answer in answers][::2] == [401, 429]
    assert answers[1].status_code >= 500
    assert code in answers[1].text or path == "/v1/messages"
    rows = [row for row in running.book() if row["caller"] == bob.key.name]
    assert [row["error_kind"] for row in rows] == ([] if "hf" in path else [code, "rate_limit_exceeded"])
    assert {row["tags"].get("who") for row in rows} <= {"[email]" if policy == POLICY else None}
    assert running.log[-1]["event"] == "request"


def test_what_is_refused_leaves_figures_in_the_book_and_no_word(running):
    """Of a body that nobody has redacted yet: the model and numbers, no card's. Without a policy those stay, and words
    of a list, but no other words."""
    (running.settings.home / "limits.yml").write_text("keys: {ada: {tokens_per_request: 1}}")
    kept = []
    for policy in (POLICY, "everyone: {log: off}"):
        state(running, policy)
        for effort in ("low", "ada@example.com"):
            with pytest.raises(openai.APIStatusError) as caught:
                ask(running, max_tokens=7, seed=4111111111111111, reasoning_effort=effort, stream=True)
            assert caught.value.status_code == 413
            row = running.book()[-1]
            kept.append(row["parameters"])
            assert (row["requested_model"], row["stream"], row["http_status"]) == ("raw", True, 413)
    (running.settings.home / "limits.yml").write_text("{}")
    figures = {"max_tokens": 7, "seed": 4111111111111111}
    assert kept == [{"max_tokens": 7}, {"max_tokens": 7}, {**figures, "reasoning_effort": "low"}, figures]


NOBODY_KNOWS = "write to ada@example.com, card 4111 1111 1111 1111"
ASKED = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hello to you"}]},
    "/v1/messages": {"max_tokens": 9, "messages": [{"role": "user", "content": "hello to you"}]},
    "/v1/responses": {"input": "hello to you"},
    "/v1/embeddings": {"input": "hello to you"},
    "/v1/moderations": {"input": "hello to you"},
    "/ml/hf/summarize": {"text": "hello to you"},
}


@pytest.mark.parametrize(
    ("limits", "policy"),
    [
        ("keys: {ada: {tokens_per_request: 1}}", POLICY),
        ("{}", POLICY),
        ("{}", "everyone: {log: replace}"),
        ("keys: {ada: {tokens_per_request: 1}}", "everyone: {request: replace, log: off}"),
        ("keys: {ada: {tokens_per_request: 1}}", "everyone: {request: melt}"),
    ],
)
def test_a_model_that_nobody_knows_is_the_callers_text(running, limits, policy):
    """Refused by a limit or because there is no such model, on every path, behind an upstream's name too: neither the
    book nor the metrics nor the log have the datum, nor have tags; the name of a model stays as it is."""
    (running.settings.home / "limits.yml").write_text(limits)
    state(running, policy)
    headers = {"authorization": f"Bearer {running.key.secret}", "x-daybook-tags": "who=ada@example.com"}
    before, lines = len(running.book()), len(running.log)
    for path, body in ASKED.items():
        for model in (NOBODY_KNOWS, f"nowhere/{NOBODY_KNOWS}"):
            answer = httpx.post(running.url + path, json=body | {"model": model}, headers=headers)
            assert answer.status_code in {400, 404, 413, 503}, answer.text
    rows = running.book()[before:]
    (running.settings.home / "limits.yml").write_text("{}")
    tasks = 2 if limits == "{}" else 0  # one that is refused at once is entered nowhere
    assert len(rows) == 2 * (len(ASKED) - 1) + tasks
    unread = "melt" in policy
    redacted = {f"{before}write to [email], card [card]" for before in ("", "nowhere/")}
    assert {row["requested_model"] for row in rows} == ({None} if unread else redacted)
    assert {row["tags"].get("who") for row in rows} == {None if unread else "[email]"}
    kept = json.dumps(rows, default=str) + json.dumps(running.log[lines:])
    kept += httpx.get(f"{running.url}/metrics", headers=headers).text
    assert "ada@example" not in kept
    assert "4111 1111" not in kept


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/ml/hf/summarize", "/v1/messages/count_tokens"])
def test_a_policy_that_cannot_be_read_is_logged_once(running, path):
    """However many requests meet it; again once the file was changed, mended or not."""
    headers = {"authorization": f"Bearer {running.key.secret}"}
    chat = {"model": "raw", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]}

    def lines(text):
        state(running, text)
        before = len(running.log)
        for _ in range(3):
            body = {"text": "a"} if "hf" in path else chat
            assert httpx.post(running.url + path, json=body, headers=headers).status_code == 503
        return [line["message"] for line in running.log[before:] if line["event"] == "failed"]

    assert [len(lines("everyone: {request: melt}")) for _ in range(2)] == [1, 1]
    (message,) = lines("everyone: {terms: Heron}")
    assert "the terms of everyone are no list of words" in message


def test_an_answer_that_cannot_be_redacted_is_withheld(running, upstream):
    """Whole: an error. Streamed: what came before goes out, then an error, and no end; entered as failed."""
    upstream.raw = json.dumps({"id": "c1", "object": "chat.completion", "model": "m", "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXT}},
        {"index": 1, "finish_reason": "stop"},
    ]}).encode()  # fmt: skip
    with pytest.raises(openai.APIStatusError) as caught:
        ask(running)
    assert caught.value.status_code == RedactionFailed.http_status
    assert "ada@" not in str(caught.value)
    assert running.book()[-1]["error_kind"] == "redaction_failed"


def test_a_large_request_is_redacted_to_its_end(running, upstream):
    """Longer than what is redacted at once: others are answered meanwhile."""
    upstream.raw = whole("ok")
    ask(running, "word " * 20_000 + TEXT)
    assert upstream.seen[-1]["messages"][0]["content"] == "word " * 20_000 + CLEAN


@pytest.mark.parametrize("stream", [False, True])
def test_an_anthropic_model_is_covered_in_its_own_words(claude, tmp_path, stream):
    """Sent on redacted in Anthropic's Messages; text and thinking come back redacted."""
    settings = settings_in(tmp_path)
    settings.home.mkdir(parents=True, mode=0o700)
    (settings.home / "redaction.yml").write_text(POLICY)
    settings.models.write_text(f"upstreams: {{local: {{kind: echo}}, anthropic: {{base_url: '{claude.url}/v1'}}}}\n")
    models = Catalogue.load(settings.models, {"ANTHROPIC_API_KEY": "sk-ant-1"}, home=settings.home)
    thinking = {"type": "thinking", "thinking": TEXT, "signature": "c2ln"}
    claude.script = [Says(blocks=(thinking, {"type": "text", "text": TEXT}))]
    body = {"model": "claude-sonnet-4-5", "max_tokens": 9, "messages": [{"role": "user", "content": TEXT}]}
    with served(settings, models) as endpoint:
        headers = {"authorization": f"Bearer {endpoint.key.secret}"}
        answer = httpx.post(f"{endpoint.url}/v1/messages", json=body | {"stream": stream}, headers=headers)
    assert answer.status_code == 200
    assert claude.asked("/v1/messages")[-1]["messages"][0]["content"] == [{"type": "text", "text": CLEAN}]
    assert "ada@" not in answer.text
    assert answer.text.count("[email]") >= 2
