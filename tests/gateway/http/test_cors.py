"""Pages of other sites: nothing by default, and the named origins where there are any."""

from __future__ import annotations

import http.client
import json
import urllib.parse

import pytest

APP = "https://app.example.org"
BODY = json.dumps({"model": "good", "messages": [{"role": "user", "content": "How are you?"}]})
STREAM = json.dumps(json.loads(BODY) | {"stream": True})
PREFLIGHT = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}


def ask(endpoint, method, path, origin, body=None, **headers):
    """(status, the CORS headers and Vary of the answer, its body)."""
    where = urllib.parse.urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    sent = {"origin": origin, **headers}
    if body is not None:
        sent |= {"content-type": "application/json", "authorization": f"Bearer {endpoint.key.secret}"}
    connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
    answer = connection.getresponse()
    seen = {n.lower(): v for n, v in answer.getheaders() if n.lower().startswith("access-control-") or n == "vary"}
    return answer.status, seen, answer.read()


@pytest.fixture
def open_to_app(fresh):
    with fresh(env={"DAYBOOK_CORS": f"{APP}, http://localhost:3000"}) as endpoint:
        yield endpoint


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("POST", "/v1/chat/completions", BODY, {}, 200),
        ("POST", "/v1/chat/completions", STREAM, {}, 200),
        ("GET", "/health/live", None, {}, 200),
        ("OPTIONS", "/v1/chat/completions", None, PREFLIGHT, 405),
        ("OPTIONS", "/v1/models", None, PREFLIGHT, 405),
    ],
)
def test_by_default_no_other_site_is_let_in(endpoint, method, path, body, headers, status):
    """No header of CORS in any answer, and no preflight."""
    assert ask(endpoint, method, path, APP, body, **headers)[:2] == (status, {})


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/v1/models"])
def test_a_preflight_of_a_named_origin_is_answered(open_to_app, path):
    """Whatever headers it means to send, for ten minutes; never with cookies."""
    assert ask(open_to_app, "OPTIONS", path, APP, **PREFLIGHT)[:2] == (
        200,
        {
            "access-control-allow-origin": APP,
            "access-control-allow-methods": "GET, POST",
            "access-control-allow-headers": "authorization,content-type",
            "access-control-max-age": "600",
            "vary": "Origin, Access-Control-Request-Method, Access-Control-Request-Headers, "
            "Access-Control-Request-Private-Network",
        },
    )


@pytest.mark.parametrize("origin", ["https://evil.example.org", "http://app.example.org", f"{APP}:444", "null"])
def test_any_other_origin_gets_no_leave(open_to_app, origin):
    """Neither in a preflight nor in an answer: a scheme, a host and a port must be those that are named."""
    assert ask(open_to_app, "OPTIONS", "/v1/models", origin, **PREFLIGHT)[0] == 400
    for method, path, body in (("OPTIONS", "/v1/models", None), ("POST", "/v1/chat/completions", BODY)):
        headers = {} if body else PREFLIGHT
        seen = ask(open_to_app, method, path, origin, body, **headers)[1]
        assert "access-control-allow-origin" not in seen


@pytest.mark.parametrize("body", [BODY, STREAM, "{}"])
def test_an_answer_to_a_named_origin_may_be_read(open_to_app, body):
    """Whole, streamed and refused, with the headers that say how to go on; its bytes are those of any other."""
    origin = "http://localhost:3000"
    _, seen, data = ask(open_to_app, "POST", "/v1/chat/completions", origin, body)
    assert seen == {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": "retry-after, x-daybook-fallback-from, x-daybook-model, x-daybook-variant, "
        "x-ratelimit-limit-requests, x-ratelimit-limit-tokens, x-ratelimit-remaining-requests, "
        "x-ratelimit-remaining-tokens, x-ratelimit-reset-requests, x-ratelimit-reset-tokens, x-request-id, "
        "x-should-retry",
        "vary": "Origin",
    }
    if body != "{}":
        assert data == ask(open_to_app, "POST", "/v1/chat/completions", None, body)[2]
