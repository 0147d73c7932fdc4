"""The error map: complete, and telling nothing that is not ours to tell."""

from __future__ import annotations

import inspect
import json
import ssl
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import client_reqrep, http_exceptions
from yarl import URL

from daybook import errors
from daybook.errors import (
    BadRequest,
    Conflict,
    ContextTooLong,
    ModelNotFound,
    ProviderError,
    RateLimited,
    RequestTooLarge,
    StreamBroken,
    Unauthorised,
    Unavailable,
    UpstreamTimeout,
)
from daybook.providers.http.errors import Asked, broken_stream, lost_attempt, rate_limits_of, refused_attempt

SECRET = "sk-ours-0123456789abcdef"
PROMPT = "My card is 4111 1111 1111 1111 and my name is Ada Lovelace."
ASKED = Asked(
    upstream="openai",
    host="api.example.com",
    model="gpt-4o",
    body={"model": "gpt-4o", "messages": [{"role": "user", "content": PROMPT}], "user": "ada"},
    secret=SECRET,
    key_env="OPENAI_API_KEY",
)


def refused(status, body, **more):
    return refused_attempt(status, body if isinstance(body, bytes) else json.dumps(body).encode(), ASKED, **more)


def openai_error(message, code=None, type_="invalid_request_error", param=None):
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


LLAMA_TOO_LONG = {
    "error": {
        "code": 400,
        "message": "request (9031 tokens) exceeds the available context size (8192 tokens), try increasing it",
        "type": "exceed_context_size_error",
        "n_prompt_tokens": 9031,
        "n_ctx": 8192,
    }
}
OPENAI_TOO_LONG = openai_error(
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9031 tokens.",
    "context_length_exceeded",
)

ROUTED = openai_error("Provider returned error", 429)
"""An error inside a 200, whose code is the status that it would have had."""

CASES = [
    (
        500,
        {"error": {"code": 500, "message": "image input is not supported - hint: …", "type": "server_error"}},
        BadRequest,
        False,
    ),
    # OpenAI
    (400, OPENAI_TOO_LONG, ContextTooLong, False),
    (
        400,
        openai_error("Unsupported value: 'temperature'", "unsupported_value", param="temperature"),
        BadRequest,
        False,
    ),
    (409, openai_error("Run in progress", "lock_timeout"), Conflict, True),
    (409, {}, Conflict, True),
    (401, openai_error("Incorrect API key provided: sk-ab***yz", "invalid_api_key"), Unauthorised, False),
    (403, openai_error("Country not supported", "unsupported_country_region_territory"), Unauthorised, False),
    (403, openai_error("Project has no access to model `gpt-4o`", "model_not_found"), ModelNotFound, False),
    (404, openai_error("The model `gpt-4o` does not exist", "model_not_found"), ModelNotFound, False),
    (429, openai_error("Rate limit reached", "rate_limit_exceeded", "requests"), RateLimited, True),
    (
        429,
        openai_error("You exceeded your current quota", "insufficient_quota", "insufficient_quota"),
        RateLimited,
        False,
    ),
    (500, openai_error("The server had an error", type_="server_error"), Unavailable, True),
    (503, openai_error("The engine is currently overloaded", type_="server_error"), Unavailable, True),
    # Anthropic's compatibility layer, and its own shape
    (401, openai_error("invalid x-api-key", type_="authentication_error"), Unauthorised, False),
    (404, openai_error("model: claude-9", type_="not_found_error"), ModelNotFound, False),
    (400, openai_error("prompt is too long: 210000 tokens > 200000 maximum"), ContextTooLong, False),
    (402, openai_error("Your credit balance is too low", type_="billing_error"), RateLimited, False),
    (429, {"type": "error", "error": {"type": "rate_limit_error", "message": "slow"}}, RateLimited, True),
    (529, {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, Unavailable, True),
    (504, openai_error("Request timed out", type_="timeout_error"), UpstreamTimeout, True),
    # llama.cpp
    (400, LLAMA_TOO_LONG, ContextTooLong, False),
    (401, {"error": {"message": "Invalid API Key", "type": "authentication_error", "code": 401}}, Unauthorised, False),
    (503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}, Unavailable, True),
    (500, {"error": {"message": "Context size has been exceeded.", "type": "server_error"}}, ContextTooLong, False),
    # Ollama: text, and llama.cpp's answer wrapped in text
    (404, {"error": "model 'llama9' not found"}, ModelNotFound, False),
    (400, {"error": '"llama2" does not support tools'}, BadRequest, False),
    (400, {"error": json.dumps(LLAMA_TOO_LONG)}, ContextTooLong, False),
    (400, {"error": "the prompt is longer than the context length currently available"}, ContextTooLong, False),
    (500, {"error": "model requires more system memory (5.6 GiB) than is available"}, Unavailable, True),
    (503, {"error": "server busy, please try again. maximum pending requests exceeded"}, Unavailable, True),
    # vLLM, FastAPI, Azure, a list (Gemini), nothing at all
    (400, {"object": "error", "message": "maximum context length is 4096 tokens", "code": 400}, ContextTooLong, False),
    (422, {"detail": "field required"}, BadRequest, False),
    (404, {"error": {"code": "DeploymentNotFound", "message": "no such deployment"}}, ModelNotFound, False),
    (400, [openai_error("Invalid JSON payload")], BadRequest, False),
    (408, b"", UpstreamTimeout, True),
    (413, b"<html>413 Request Entity Too Large</html>", RequestTooLarge, False),
    (413, {"error": {"message": "This model's maximum context length is 10 tokens"}}, ContextTooLong, False),
    (413, {"type": "error", "error": {"type": "request_too_large", "message": "m"}}, RequestTooLarge, False),
    (400, {"type": "error", "error": {"type": "request_too_large", "message": "m"}}, RequestTooLarge, False),
    (418, b"", BadRequest, False),
    (502, b"<html>Bad Gateway</html>", Unavailable, True),
    (524, b"", UpstreamTimeout, True),
    (302, b"", Unavailable, False),
    (501, b"", Unavailable, False),
    (599, b"\xff\xfe", Unavailable, True),
    # an error inside a 200
    (None, ROUTED, RateLimited, True),
    (None, openai_error("too long", "context_length_exceeded"), ContextTooLong, False),
    (None, {"error": {"message": "Overloaded", "type": "overloaded_error"}}, Unavailable, True),
    # … is asked again only where it says why: the answer may have been paid for
    (None, {"error": "an error was encountered while running the model"}, Unavailable, False),
    (None, {"object": "error", "message": "odd"}, Unavailable, False),
    (None, b"<html>", Unavailable, False),
]


@pytest.mark.parametrize(("status", "body", "kind", "again"), CASES)
def test_each_refusal_has_its_kind(status, body, kind, again):
    """What known upstreams answer is the kind that it means, and is asked again only where that may help."""
    fault = refused(status, body)
    assert type(fault.error) is kind
    assert fault.again is again
    assert fault.error.upstream_status == (429 if body == ROUTED else status)
    assert fault.error.remedy


@pytest.mark.parametrize(
    ("status", "kind", "again"),
    [
        (401, Unauthorised, False),
        (402, RateLimited, False),
        (403, Unauthorised, False),
        (404, ModelNotFound, False),
        (408, UpstreamTimeout, True),
        (409, Conflict, True),
        (413, RequestTooLarge, False),
        (425, Unavailable, True),
        (429, RateLimited, True),
        (499, BadRequest, False),
        (500, Unavailable, True),
        (501, Unavailable, False),
        (504, UpstreamTimeout, True),
        (505, Unavailable, True),
        (524, UpstreamTimeout, True),
    ],
)
def test_a_status_alone_says_what_it_is(status, kind, again):
    """Where the body says nothing."""
    fault = refused(status, b"")
    assert (type(fault.error), fault.again) == (kind, again)


@pytest.mark.parametrize(
    ("detail", "words", "param"),
    [
        ([{"loc": ["body", "messages", 0, "role"], "msg": "bad"}], "messages.0.role: bad", "messages.0.role"),
        ([{"loc": ["body", "a"], "msg": "x"}, {"loc": [], "msg": "y"}, {"msg": 5}, 7], "a: x; y", "a"),
        ([{"loc": "a", "msg": "x"}], "x", None),
        ([], None, None),
        ({"message": "inner"}, "inner", None),
        ({"error": {"msg": "deep"}}, "deep", None),
        (5, None, None),
    ],
)
def test_a_detail_is_read_in_the_shapes_that_servers_give_it(detail, words, param):
    """A list of faults with their places, or an object with a sentence."""
    error = refused(422, {"detail": detail}).error
    assert (words is None) == ('"' not in error.message)
    assert words is None or f'"{words}"' in error.message
    assert error.param == param


@pytest.mark.parametrize(
    ("name", "value", "passed"),
    [
        ("x-ratelimit-remaining-tokens", "7", True),
        ("X-RateLimit-Reset", "1s", True),
        ("ratelimit-limit", "5", True),
        ("anthropic-ratelimit-input-tokens-remaining", "5", True),
        ("Anthropic-RateLimit-Requests-Reset", "2026-11-27T07:00:00Z", True),
        ("anthropic-ratelimit", "5", False),
        ("x-anthropic-ratelimit-a", "5", False),
        ("x-ratelimit-" + "a" * 40, "5", True),
        ("x-ratelimit-" + "a" * 41, "5", False),
        ("x-ratelimit-a", "9" * 100, True),
        ("x-ratelimit-a", "9" * 101, False),
        ("x-ratelimit-a", "\u00e9", False),
        ("x-ratelimit-a", "a\x01", False),
        ("my-ratelimit-a", "5", False),
        ("server", "x", False),
    ],
)
def test_rate_limits_are_headers_of_their_name_with_a_short_value(name, value, passed):
    """Nothing else of an upstream's headers, and nothing that is no header."""
    assert rate_limits_of({name: value}) == (((name.lower(), value),) if passed else ())


@pytest.mark.parametrize(("body", "size"), [({"model": "m", "messages": []}, " of 27 bytes"), (None, "")])
def test_a_request_that_is_too_large_is_refused_with_its_size(body, size):
    """Bytes, not tokens: nothing is said of a context. Where nothing was sent there is no size to speak of."""
    error = refused_attempt(413, b"<html>", replace(ASKED, body=body)).error
    assert str(error) == (
        f"openai (api.example.com) answered 413: it takes no request{size}. "
        "Send less at once: fewer messages, smaller pictures or files."
    )
    assert (error.http_status, error.retry_after) == (413, None)


def test_every_kind_is_reached():
    """No kind of ProviderError is without a way to it; StreamBroken is what any of them becomes midway."""
    kinds = {kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, ProviderError)}
    broken = type(broken_stream(refused(500, b""), ASKED))
    assert {kind for _, _, kind, _ in CASES} | {broken} == kinds - {ProviderError}


def test_only_kinds_that_may_pass_are_asked_again():
    """`again` never contradicts the error tree's own word on the kind."""
    assert all(kind.retried for _, _, kind, again in CASES if again)


def test_the_numbers_are_in_the_message():
    """An over-long prompt is refused with how long it is and how much fits, in whichever way the upstream says it."""
    for body in (LLAMA_TOO_LONG, OPENAI_TOO_LONG, {"error": json.dumps(LLAMA_TOO_LONG)}):
        assert "(9,031 tokens against 8,192)" in str(refused(400, body).error)


@pytest.mark.parametrize(("header", "again"), [("true", True), ("false", False), (None, True), ("maybe", True)])
def test_the_upstream_may_say_whether_to_ask_again(header, again):
    """`x-should-retry` decides about kinds that can be asked again at all."""
    assert refused(429, b"", should_retry=header).again is again
    assert refused(400, b"", should_retry=header).again is False


# ── what the client raises ────────────────────────────────────────────────────────────────────────────


def subclasses(kind):
    return {kind}.union(*(subclasses(sub) for sub in kind.__subclasses__()))


KEY = client_reqrep.ConnectionKey("api.example.com", 443, True, True, None, None, None)
INFO = aiohttp.RequestInfo(
    URL("https://user:hunter2@api.example.com"), "POST", {"Authorization": f"Bearer {SECRET}"}, URL("https://x")
)
SYSTEM = OSError(111, "Connection refused")
ARGUMENTS = {
    "host": "api.example.com",
    "port": 443,
    "connection_key": KEY,
    "os_error": SYSTEM,
    "certificate_error": ssl.SSLCertVerificationError("bad"),
    "request_info": INFO,
    "history": (),
    "url": "https://user:hunter2@api.example.com",
    "expected": b"1",
    "got": b"2",
    "path": "/tmp/x",
    "line": "x",
    "limit": "1",
    "hdr": "x",
    "code": 1,
    "message": "x",
    "actual_size": "1",
}


def built(kind):
    """An instance of an exception class, made as its constructor asks."""
    if issubclass(kind, OSError) and kind.__init__ is OSError.__init__:
        return kind(104, "Connection reset by peer")
    wanted = inspect.signature(kind.__init__).parameters.values()
    names = [p for p in list(wanted)[1:] if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p.name for p in names if p.default is p.empty]
    return kind(*[ARGUMENTS.get(name, "x") for name in needed])


TIMEOUTS = {aiohttp.ServerTimeoutError, aiohttp.ConnectionTimeoutError, aiohttp.SocketTimeoutError}
NEVER_AGAIN = (
    aiohttp.InvalidURL,
    aiohttp.TooManyRedirects,
    aiohttp.ClientSSLError,
    aiohttp.ServerFingerprintMismatch,
)
CLIENT = sorted(
    (subclasses(aiohttp.ClientError) | subclasses(http_exceptions.HttpProcessingError)),
    key=lambda kind: kind.__qualname__,
)


@pytest.mark.parametrize("kind", CLIENT, ids=lambda kind: kind.__qualname__)
def test_every_exception_of_the_client_is_translated(kind):
    """Each class that aiohttp can raise, present and future, becomes a ProviderError: timeouts as timeouts, the rest
    as unavailable, and asked again unless the address or the certificate is at fault. Nothing of it is quoted."""
    fault = lost_attempt(built(kind), ASKED, idle=300)
    assert type(fault.error) is (UpstreamTimeout if kind in TIMEOUTS else Unavailable)
    assert fault.again is not issubclass(kind, NEVER_AGAIN)
    said = f"{fault.error} {fault.error!r}"
    assert "hunter2" not in said
    assert SECRET not in said


@pytest.mark.parametrize(
    ("error", "kind", "again"),
    [
        (TimeoutError(), UpstreamTimeout, True),
        (ConnectionResetError(104, "Connection reset by peer"), Unavailable, True),
        (ConnectionRefusedError(111, "Connection refused"), Unavailable, True),
        (ssl.SSLError("bad record"), Unavailable, False),
        (RuntimeError("Session is closed"), Unavailable, False),
        (ValueError("Newline or carriage return in headers"), Unavailable, False),
    ],
)
def test_what_the_system_raises_is_translated_too(error, kind, again):
    """Not everything that goes wrong has a class of the client's own."""
    fault = lost_attempt(error, ASKED, idle=300)
    assert type(fault.error) is kind
    assert fault.again is again


def test_what_breaks_midway_is_broken_whatever_it_was():
    """After the first byte there is one kind, which says what happened and is never asked again."""
    error = broken_stream(lost_attempt(aiohttp.ServerDisconnectedError(), ASKED, idle=300), ASKED)
    assert type(error) is StreamBroken
    assert not error.retried
    assert "ServerDisconnectedError" in str(error)


# ── what must not be told ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [400, 401, 404, 413, 422, 429, 500, 504])
def test_no_key_and_no_prompt_in_a_message(status):
    """An upstream that repeats the key and the prompt is not repeated, whatever it calls the error."""
    said = f"Bad: '{PROMPT}' with key {SECRET} (Bearer sk-proj-abcdefgh12345678) for {PROMPT[12:40]}"
    told = str(refused(status, openai_error(said, param=PROMPT)).error)
    assert SECRET not in told
    assert "sk-proj" not in told
    assert "4111" not in told
    assert "Lovelace" not in told


def test_a_body_is_never_quoted_whole():
    """At most 200 characters of it, on one line."""
    told = str(refused(400, openai_error("word\n" * 10_000)).error)
    assert len(told) < 400
    assert "\n" not in told


def test_what_the_upstream_says_of_the_request_is_quoted():
    """The sentence that helps the caller is there: which parameter, and what is wrong with it."""
    told = str(
        refused(400, openai_error("Unsupported value: 0.3 does not go with this model", param="temperature")).error
    )
    assert "temperature" in told
    assert "Unsupported value: 0.3 does not go with this model" in told
