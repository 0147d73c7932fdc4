"""The endpoint as an official client sees it, and the book afterwards."""

import http.client
import json
import urllib.parse

import openai
import pytest

HELLO = [{"role": "user", "content": "How are you, Mr Wednesbury?"}]


def entry(endpoint, request_id):
    """The call with this request id, read from the book."""
    (row,) = [row for row in endpoint.book() if row["request_id"] == request_id]
    return row


def post(endpoint, body, *, path="/v1/chat/completions", method="POST", **headers):
    """One request by hand: status, headers, parsed body."""
    where = urllib.parse.urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=10)
    given = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    given = {name: value for name, value in given.items() if value is not None}
    connection.request(method, path, body=body, headers=given, encode_chunked="transfer-encoding" in given)
    answer = connection.getresponse()
    data = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, json.loads(data)


# ── answers ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_chat_is_answered_and_in_the_book(endpoint):
    """The official client gets the upstream's answer; the book has the call under the answer's request id."""
    raw = endpoint.client().chat.completions.with_raw_response.create(
        model="good", messages=HELLO, temperature=0.5, user="wednesbury", metadata={"ticket": "7"}
    )
    assert raw.parse().choices[0].message.content == "It is all quite well."
    row = entry(endpoint, raw.headers["x-request-id"])
    assert (row["status"], row["http_status"], row["endpoint"]) == ("ok", 200, "/v1/chat/completions")
    assert (row["requested_model"], row["provider"], row["served_model"]) == ("good", "fake", "good-1")
    assert (row["input_tokens"], row["output_tokens"], row["usage_reported"]) == (12, 5, True)
    assert (row["caller"], row["key_id"], row["finish_reason"]) == ("ada", endpoint.key.key.id, "stop")
    assert row["latency"] > 0
    assert row["first_token"] is None
    assert row["cost"] is None  # nobody has a price for a model called good: unknown, not 0
    assert row["subject"].startswith("u-")
    assert row["prompt"] is None
    assert row["answer"] is None


def test_a_streamed_chat_is_answered_piece_by_piece_and_in_the_book(endpoint):
    """Every word arrives as a chunk of its own; the call is in the book with time to first token and reported usage."""
    stream = endpoint.client().chat.completions.create(model="good", messages=HELLO, stream=True)
    assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert stream.response.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in stream.response.headers
    chunks = list(stream)
    words = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert words == ["It ", "is ", "all ", "quite ", "well."]
    assert all(chunk.usage is None for chunk in chunks)
    row = entry(endpoint, stream.response.headers["x-request-id"])
    assert (row["stream"], row["status"], row["output_tokens"], row["usage_reported"]) == (True, "ok", 5, True)
    assert 0 < row["first_token"] <= row["latency"]


def test_usage_is_streamed_to_those_who_ask_for_it(endpoint):
    """`stream_options.include_usage`: the last chunk has the counts and no choices."""
    stream = endpoint.client().chat.completions.create(
        model="good", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    last = list(stream)[-1]
    assert last.choices == []
    assert last.usage.total_tokens == 17


def test_an_upstream_that_does_not_count_is_estimated_and_flagged(endpoint):
    """Streamed or not, the tokens are ours and marked so."""
    whole = endpoint.client().chat.completions.with_raw_response.create(model="uncounted", messages=HELLO)
    stream = endpoint.client().chat.completions.create(model="uncounted", messages=HELLO, stream=True)
    list(stream)
    for headers in (whole.headers, stream.response.headers):
        row = entry(endpoint, headers["x-request-id"])
        assert row["usage_reported"] is False
        assert row["input_tokens"] > 0
        assert row["output_tokens"] in (5, 6)


def test_headers_say_what_a_call_is_booked_on(endpoint):
    """Project, tags and run of the request are in the entry."""
    headers = {"x-daybook-project": "helpdesk", "x-daybook-tags": "channel=chat, shift=night,", "x-daybook-run": "r-1"}
    raw = endpoint.client().chat.completions.with_raw_response.create(
        model="good", messages=HELLO, extra_headers=headers, metadata={"shift": "day"}
    )
    row = entry(endpoint, raw.headers["x-request-id"])
    assert (row["project"], row["run_id"]) == ("helpdesk", "r-1")
    tags = row["tags"] if isinstance(row["tags"], dict) else json.loads(row["tags"])
    assert tags == {"channel": "chat", "shift": "day"}


def test_the_upstream_gets_no_name_of_a_person_and_no_tags(endpoint, upstream):
    """`user` goes on as the pseudonym that the book has; `metadata` stays here; the rest goes on as sent."""
    raw = endpoint.client().chat.completions.with_raw_response.create(
        model="good", messages=HELLO, user="wednesbury", metadata={"a": "b"}, extra_body={"min_p": 0.1}
    )
    sent = upstream.seen[-1]
    assert sent["user"] == entry(endpoint, raw.headers["x-request-id"])["subject"]
    assert "metadata" not in sent
    assert sent["min_p"] == 0.1


def test_models_are_listed_and_found(endpoint):
    """The catalogue's first, then what the upstream serves besides, as upstream/name; one by one too."""
    client = endpoint.client()
    names = [model.id for model in client.models.list()]
    assert names[0] == "good"
    assert "fake/extra" in names
    assert "fake/good" not in names
    assert client.models.retrieve("good").owned_by == "fake"
    assert client.models.retrieve("fake/extra").id == "fake/extra"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody-serves-this")


# ── refusals ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("model", "exception", "status", "code", "kind"),
    [
        ("no-such-model", openai.NotFoundError, 404, "model_not_found", "model_not_found"),
        ("gone", openai.NotFoundError, 404, "model_not_found", "model_not_found"),
        ("bad", openai.BadRequestError, 400, "unsupported_value", "bad_request"),
        ("long", openai.BadRequestError, 400, "context_length_exceeded", "context_length"),
        ("busy", openai.RateLimitError, 429, "rate_limit_exceeded", "rate_limited"),
        ("refuses", openai.InternalServerError, 502, "upstream_refused_our_key", "auth"),
        ("down", openai.InternalServerError, 503, "upstream_unavailable", "unavailable"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_each_refusal_is_the_clients_own_exception_and_in_the_book(
    endpoint, model, exception, status, code, kind, stream
):
    """Status, code and request id as OpenAI's; streamed too, because nothing is committed before the first chunk. What
    the upstream said in confidence is not repeated."""
    with pytest.raises(exception) as caught:
        endpoint.client().chat.completions.create(model=model, messages=HELLO, stream=stream)
    error = caught.value
    assert (error.status_code, error.code) == (status, code)
    assert set(error.body) == {"message", "type", "param", "code", "request_id"}
    assert "secret" not in str(error)
    assert error.body["request_id"] == error.request_id
    row = entry(endpoint, error.request_id)
    assert (row["status"], row["error_kind"], row["http_status"]) == ("error", kind, status)
    assert row["cost"] is None


def test_a_body_that_is_no_conversation_is_a_bad_request_and_in_the_book(endpoint):
    """The refusal names the parameter; whoever asks why a caller's calls fail finds it under their name."""
    with pytest.raises(openai.BadRequestError) as caught:
        endpoint.client().chat.completions.create(model="good", messages="not a list", max_tokens=8)
    assert (caught.value.param, caught.value.code) == ("messages", "invalid_value")
    row = entry(endpoint, caught.value.request_id)
    assert (row["error_kind"], row["caller"], row["requested_model"]) == ("bad_request", "ada", "good")


@pytest.mark.parametrize(
    ("body", "headers", "method", "status", "code"),
    [
        (b"{", {}, "POST", 400, "invalid_body"),
        (b"{}", {"content_type": "text/plain"}, "POST", 415, "unsupported_media_type"),
        (b"{}", {"content_type": None}, "POST", 415, "unsupported_media_type"),
        (b"{}", {"content_encoding": "gzip"}, "POST", 415, "unsupported_encoding"),
        (b" " * (33 * 1024 * 1024), {}, "POST", 413, "body_too_large"),
        (b"{}", {"x_daybook_tags": "no equals sign"}, "POST", 400, "invalid_value"),
        (b"{}", {"x_daybook_project": "<b>"}, "POST", 400, "invalid_value"),
        (b"{}", {"x_daybook_run": "a b"}, "POST", 400, "invalid_value"),
        (None, {}, "GET", 405, "method_not_allowed"),
        (b"{}", {}, "DELETE", 405, "method_not_allowed"),
    ],
)
def test_what_cannot_be_served_is_refused_in_openais_shape(endpoint, body, headers, method, status, code):
    """Broken JSON, other types, too long, bad headers, other methods: the right status, the shape, a request id."""
    answered, given, content = post(endpoint, body, method=method, **headers)
    assert (answered, content["error"]["code"]) == (status, code)
    assert given["x-request-id"] == content["error"]["request_id"]
    assert given["content-type"] == "application/json"


def test_a_body_too_long_without_a_length_is_refused_as_it_comes(endpoint):
    """Sent in chunks, nobody says beforehand how long it is: it is counted."""
    pieces = (b" " * 1024 * 1024 for _ in range(34))
    status, _, content = post(endpoint, pieces, transfer_encoding="chunked")
    assert (status, content["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(("beyond", "status"), [(-1, 200), (0, 200), (1, 413)])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_be_as_long_as_is_said(endpoint, chunked, beyond, status):
    """32 MiB to the byte, with its length told beforehand or not; one more is refused with the limit."""
    most = 32 * 1024 * 1024
    body = json.dumps({"model": "good", "messages": HELLO}).encode().ljust(most + beyond)
    pieces = [body[start : start + 2**20] for start in range(0, len(body), 2**20)]
    sent, headers = (iter(pieces), {"transfer_encoding": "chunked"}) if chunked else (body, {})
    answered, _, content = post(endpoint, sent, **headers)
    assert answered == status
    if status == 413:
        assert content["error"]["message"] == "The body is longer than 33,554,432 bytes. Send less at once."


def test_urls_that_do_not_exist_are_refused_in_the_same_shape(endpoint):
    """404 and 405 of the other routes are JSON errors too."""
    for path, method, status in (
        ("/v1/completions", "POST", 404),
        ("/v1/models", "POST", 405),
        ("/metrics", "PUT", 405),
    ):
        answered, given, content = post(endpoint, None, path=path, method=method)
        assert answered == status
        assert content["error"]["request_id"] == given["x-request-id"]


# ── keys ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        ("Bearer db-wrong", "invalid_api_key"),
        ("Bearer ", "missing_api_key"),
        ("Basic YTpi", "missing_api_key"),
        (None, "missing_api_key"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/models"])
def test_without_a_valid_key_nothing_is_answered(endpoint, authorization, code, path):
    """401 before the body is looked at, on every route under /v1."""
    method = "POST" if path.endswith("completions") else "GET"
    status, headers, content = post(endpoint, b"{", path=path, method=method, authorization=authorization)
    assert (status, content["error"]["code"]) == (401, code)
    assert headers["www-authenticate"] == "Bearer"


def test_a_wrong_key_is_the_clients_authentication_error(endpoint):
    """And the message does not repeat the key."""
    with pytest.raises(openai.AuthenticationError) as caught:
        endpoint.client("db-guessed").chat.completions.create(model="good", messages=HELLO)
    assert "guessed" not in str(caught.value)


def test_a_revoked_key_is_refused_from_the_next_request_on(endpoint):
    """No restart, no waiting: the same connection, one request apart."""
    issued = endpoint.keys.create("leaver", actor="test")
    client = endpoint.client(issued.secret)
    client.chat.completions.create(model="good", messages=HELLO)
    endpoint.keys.revoke(issued.key.id, actor="test")
    with pytest.raises(openai.AuthenticationError):
        client.chat.completions.create(model="good", messages=HELLO)


def test_a_key_of_a_project_books_on_that_project_only(endpoint):
    """Without the header the project is the key's; naming another is refused, and booked on the key's."""
    client = endpoint.client(endpoint.keys.create("desk", "helpdesk", actor="test").secret)
    raw = client.chat.completions.with_raw_response.create(model="good", messages=HELLO)
    assert entry(endpoint, raw.headers["x-request-id"])["project"] == "helpdesk"
    with pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(model="good", messages=HELLO, extra_headers={"x-daybook-project": "research"})
    row = entry(endpoint, caught.value.request_id)
    assert (row["project"], row["error_kind"]) == ("helpdesk", "wrong_project")


# ── privacy ───────────────────────────────────────────────────────────────────────────────────────────


def test_no_prompt_key_name_or_path_is_in_the_log(endpoint):
    """Answers, refusals, an odd path and query: each leaves a line with its request id, and none says who or what."""
    client = endpoint.client()
    ids = [
        client.chat.completions.with_raw_response.create(model="good", messages=HELLO, user="wednesbury").headers
        ["x-request-id"]
    ]  # fmt: skip
    for model in ("down", "no-such-wednesbury"):
        with pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model=model, messages=HELLO)
        ids.append(caught.value.request_id)
    ids.append(post(endpoint, None, path="/wednesbury?email=wednesbury@example.com", method="GET")[1]["x-request-id"])
    ids.append(post(endpoint, b"{", authorization="Bearer db-wednesbury")[1]["x-request-id"])
    text = b"".join(endpoint.lines).lower()
    logged = [line["request_id"] for line in endpoint.log if line["event"] == "request"]
    assert set(ids) <= set(logged)
    assert len(set(logged)) == len(logged)
    for secret in ("wednesbury", "127.0.0.1", endpoint.key.secret.lower(), "sk-ours", "sk-upstream", '"ada"', "db-"):
        assert secret.encode() not in text


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("where", ["tools", "logit_bias", "messages"])
def test_a_body_that_is_nested_almost_as_deeply_as_can_be_read_is_refused_before_anybody_is_asked(
    endpoint, upstream, where, stream
):
    """400 with the cause, and a row; a body of 300 levels goes on byte for byte."""
    for depth, status in ((300, 200), (1_000, 400)):
        deep = '{"a":' * depth + "1" + "}" * depth
        parts = {
            "tools": f'"messages":[{{"role":"user","content":"x"}}],"tools":[{deep}]',
            "logit_bias": f'"messages":[{{"role":"user","content":"x"}}],"logit_bias":{deep}',
            "messages": f'"messages":[{{"role":"user","content":[{{"type":"x","y":{deep}}}]}}]',
        }
        body = f'{{"model":"raw","stream":{str(stream).lower()},{parts[where]}}}'
        upstream.raw = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
        if not stream:
            upstream.raw = b'{"choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}]}'
        before = len(upstream.seen)
        connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint.url).netloc, timeout=20)
        headers = {"authorization": f"Bearer {endpoint.key.secret}", "content-type": "application/json"}
        connection.request("POST", "/v1/chat/completions", body=body, headers=headers)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        assert answer.status == status, data
        assert len(upstream.seen) - before == (1 if status == 200 else 0)
        if status == 400:
            assert b"nested too deeply" in data
        else:
            assert deep.encode() in upstream.bytes[-1]
        (row,) = [row for row in endpoint.book() if row["request_id"] == answer.headers["x-request-id"]]
        assert row["http_status"] == status
