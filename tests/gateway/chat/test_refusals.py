"""What an upstream refuses, as the client reads it, and what the endpoint says of itself."""

import json

import pytest

from daybook.gateway.http.request_log import route_of
from tests.gateway.chat.test_route import HELLO, post

CHAT = json.dumps({"model": "raw", "messages": HELLO})


@pytest.fixture
def refused(endpoint, upstream):
    """The client's answer where the upstream refuses with this body."""

    def answer(status, body, *, stream=False, **headers):
        upstream.raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        upstream.refusal = (status, {name.replace("_", "-"): value for name, value in headers.items()})
        sent = json.dumps({"model": "raw", "messages": HELLO, "stream": stream})
        return post(endpoint, sent)

    yield answer
    upstream.refusal = None


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (
            400,
            {"error": {"message": "Unsupported parameter", "code": "unsupported_parameter", "param": "max_tokens"}},
            (400, "unsupported_parameter", "max_tokens"),
        ),
        (
            400,
            {"error": {"message": "Filtered", "code": "content_filter", "param": "prompt"}},
            (400, "content_filter", "prompt"),
        ),
        (
            400,
            {"error": {"message": "Bad", "code": "bad_schema", "param": "tools[0].function"}},
            (400, "bad_schema", "tools[0].function"),
        ),
        (429, {"error": {"message": "Pay", "code": "insufficient_quota"}}, (429, "insufficient_quota", None)),
        (422, {"detail": [{"loc": ["body", "temperature"], "msg": "too hot"}]}, (400, "bad_request", "temperature")),
        (422, {"detail": "too hot"}, (400, "bad_request", None)),
        (
            400,
            {"error": {"message": "x", "code": "sk-0123456789abcdef", "param": "two words"}},
            (400, "bad_request", None),
        ),
        (400, {"error": {"message": "x", "code": 400, "param": 5}}, (400, "bad_request", None)),
        (400, {"error": {"message": "x", "code": "c" * 65}}, (400, "bad_request", None)),
        (400, {"error": {"message": "x", "code": "c" * 31 + "."}}, (400, "c" * 31 + ".", None)),
        (401, {"error": {"message": "x", "code": "invalid_api_key"}}, (502, "upstream_refused_our_key", None)),
    ],
)
def test_the_upstreams_word_reaches_the_client(refused, status, body, expected):
    """`code` and `param` as they came, where they are words for programs; else our own."""
    got, _, answer = refused(status, body)
    assert (got, answer["error"]["code"], answer["error"]["param"]) == expected


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("upstreams", "status", "code", "asked"),
    [
        (301, 503, "upstream_unavailable", 1),
        (402, 429, "rate_limit_exceeded", 1),
        (403, 502, "upstream_refused_our_key", 1),
        (404, 404, "model_not_found", 1),
        (405, 400, "bad_request", 1),
        (408, 504, "upstream_timeout", 2),
        (409, 409, "upstream_conflict", 2),
        (413, 413, "request_too_large", 1),
        (415, 400, "bad_request", 1),
        (418, 400, "bad_request", 1),
        (422, 400, "bad_request", 1),
        (425, 503, "upstream_unavailable", 2),
        (429, 429, "rate_limit_exceeded", 2),
        (451, 400, "bad_request", 1),
        (500, 503, "upstream_unavailable", 2),
        (501, 503, "upstream_unavailable", 1),
        (502, 503, "upstream_unavailable", 2),
        (503, 503, "upstream_unavailable", 2),
        (504, 504, "upstream_timeout", 2),
        (524, 504, "upstream_timeout", 2),
        (529, 503, "upstream_unavailable", 2),
        (599, 503, "upstream_unavailable", 2),
        (410, 400, "bad_request", 1),
    ],
)
def test_the_upstreams_failure_reaches_the_client_and_the_book(
    refused, endpoint, upstream, upstreams, status, code, asked, stream
):
    """Each status as what it means, asked again only where that may help; the book has one row with the same status,
    and one for each attempt before it that the upstream may bill."""
    before = len(upstream.seen)
    got, headers, answer = refused(upstreams, b"{}", stream=stream, retry_after="0")
    assert (got, answer["error"]["code"], len(upstream.seen) - before) == (status, code, asked)
    assert headers["x-should-retry"] == "false"
    rows = [row for row in endpoint.book() if row["request_id"] == headers["x-request-id"]]
    *earlier, row = sorted(rows, key=lambda row: row["id"])
    assert [row["status"] for row in earlier] == ["retried"] * (asked - 1 if status == 504 else 0)
    assert (row["status"], row["http_status"], row["attempts"], row["stream"]) == ("error", status, asked, stream)
    assert (row["output_tokens"], row["cost"]) == (None, None)


@pytest.mark.parametrize(
    "body", [{"detail": [{"loc": ["body", "temperature"], "msg": "too hot"}]}, {"detail": "too hot"}]
)
def test_the_useful_part_of_a_detail_is_quoted(refused, body):
    """FastAPI's two shapes."""
    assert "too hot" in refused(422, body)[2]["error"]["message"]


def test_rate_limit_headers_reach_the_client(refused):
    """Those of a refusal, by the names that clients read; nothing else of the upstream's headers."""
    given = {
        "x_ratelimit_remaining_tokens": "7",
        "x_ratelimit_reset_requests": "1s",
        "server": "secret",
        "retry_after": "0",
    }
    _, headers, _ = refused(429, {"error": {"message": "slow", "code": "rate_limit_exceeded"}}, **given)
    assert headers["x-ratelimit-remaining-tokens"] == "7"
    assert headers["x-ratelimit-reset-requests"] == "1s"
    assert headers["retry-after"] == "0"
    assert headers.get("server") is None


def test_a_conflict_is_told_in_the_upstreams_words(refused):
    """409 with its code and sentence: another request is in the way, and the client may decide."""
    status, _, answer = refused(409, {"error": {"message": "Run in progress", "code": "lock_timeout"}}, retry_after="0")
    assert (status, answer["error"]["type"], answer["error"]["code"]) == (409, "invalid_request_error", "lock_timeout")
    assert 'another request is in its way: "Run in progress"' in answer["error"]["message"]


@pytest.mark.parametrize("stream", [False, True])
def test_rate_limit_headers_of_an_answer_reach_the_client(endpoint, upstream, stream):
    """OpenAI documents them for every answer, not for refusals alone; no other header of the upstream goes on."""
    ask = endpoint.client().chat.completions.with_raw_response.create
    upstream.limits = {"x-ratelimit-remaining-requests": "59", "X-RateLimit-Limit-Tokens": "150", "x-other": "secret"}
    try:
        headers = ask(model="good", messages=HELLO, stream=stream).headers
    finally:
        upstream.limits = {}
    assert headers["x-ratelimit-remaining-requests"] == "59"
    assert headers["x-ratelimit-limit-tokens"] == "150"
    assert "x-other" not in headers
    assert not [name for name in ask(model="good", messages=HELLO, stream=stream).headers if "ratelimit" in name]


def test_an_upstream_that_refuses_what_we_added_says_so_to_the_operator(refused, endpoint):
    """The client did not send stream_options: it learns that, and the log names the setting."""
    body = {"error": {"message": "Unrecognized request argument: stream_options", "param": "stream_options"}}
    _, headers, answer = refused(400, body, stream=True)
    assert "The endpoint added stream_options, not you" in answer["error"]["message"]
    (line,) = [
        line
        for line in endpoint.log
        if line["event"] == "upstream_failed" and line["request_id"] == headers["x-request-id"]
    ]
    assert line["remedy"] == "Set stream_usage: false for the upstream fake in models.yml."
    _, headers, _ = refused(400, body)
    (line,) = [
        line
        for line in endpoint.log
        if line["event"] == "upstream_failed" and line["request_id"] == headers["x-request-id"]
    ]
    assert "remedy" not in line


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/ml/finetune/prepare", "/ml/finetune/prepare"),
        ("/ml/finetune/start", "/ml/finetune/start"),
        ("/ml/finetune/status/abc", "/ml/finetune/status/{id}"),
        ("/ml/finetune/cancel/abc", "/ml/finetune/cancel/{id}"),
        ("/ml/finetune/status/", "other"),
        ("/ml/finetune/status/a/b", "other"),
        ("/ml/finetune/other/a", "other"),
        ("/x/status/a", "other"),
        ("/v1/models/a/b", "/v1/models/{model}"),
        ("/v1/models", "/v1/models"),
    ],
)
def test_a_path_belongs_to_a_route_of_a_short_list(path, route):
    """Whatever the caller writes into a path is in no log and no label."""
    assert route_of(path) == route


def test_finetuning_is_counted_under_its_own_routes(endpoint):
    """Logged and counted by route, not as `other`, and without the id."""
    status, headers, _ = post(endpoint, None, method="GET", path="/ml/finetune/status/nobody")
    (line,) = [
        line
        for line in endpoint.log
        if line.get("request_id") == headers["x-request-id"] and line["event"] == "request"
    ]
    assert (line["route"], line["status"]) == ("/ml/finetune/status/{id}", status)
    assert b'route="/ml/finetune/status/{id}"' in endpoint.parts.metrics.text()


def test_the_description_names_what_happens(endpoint):
    """Each refusal that a route can give is documented, and the figures for Prometheus are text."""
    _, _, document = post(endpoint, None, method="GET", path="/openapi.json")
    routes = {(path, method): route for path, methods in document["paths"].items() for method, route in methods.items()}
    assert list(routes["/metrics", "get"]["responses"]["200"]["content"]) == ["text/plain"]
    for (path, _), route in routes.items():
        given = set(route["responses"])
        assert "422" not in given
        if path.startswith(("/v1/", "/ml/")):
            assert {"401", "403"} <= given, path
        if path == "/v1/chat/completions" or path.startswith("/ml/hf/"):
            assert {"400", "401", "403", "404", "413", "415"} <= given, path
        if path.startswith("/ml/finetune/"):
            assert {"400", "401", "403", "404"} <= given, path
    assert {"401", "403"} <= set(routes["/metrics", "get"]["responses"])
    assert "404" in routes["/v1/models/{model}", "get"]["responses"]
