"""What a client is told of an error, and what it is never told."""

import orjson
import pytest

from daybook import errors
from daybook.gateway.http.errors import Refusal, bad_request, error_response

PROVIDER_ERRORS = [
    (errors.BadRequest, 400, "invalid_request_error", "bad_request", None),
    (errors.ContextTooLong, 400, "invalid_request_error", "context_length_exceeded", "messages"),
    (errors.RequestTooLarge, 413, "invalid_request_error", "request_too_large", None),
    (errors.Unauthorised, 502, "server_error", "upstream_refused_our_key", None),
    (errors.ModelNotFound, 404, "invalid_request_error", "model_not_found", "model"),
    (errors.RateLimited, 429, "rate_limit_error", "rate_limit_exceeded", None),
    (errors.Conflict, 409, "invalid_request_error", "upstream_conflict", None),
    (errors.UpstreamTimeout, 504, "server_error", "upstream_timeout", None),
    (errors.Unavailable, 503, "server_error", "upstream_unavailable", None),
    (errors.StreamBroken, 502, "server_error", "stream_broken", None),
]


@pytest.mark.parametrize(("kind", "status", "type_", "code", "param"), PROVIDER_ERRORS)
def test_each_provider_error_has_its_status_type_and_code(kind, status, type_, code, param):
    """The message is the error's own, and the request id is in the body."""
    response = error_response(kind("The upstream said no.", remedy="Ask another."), "r1")
    assert response.status == status
    assert orjson.loads(response.body) == {
        "error": {
            "message": "The upstream said no. Ask another.",
            "type": type_,
            "param": param,
            "code": code,
            "request_id": "r1",
        }
    }


@pytest.mark.parametrize(
    ("status", "type_"),
    [
        (401, "authentication_error"),
        (403, "permission_error"),
        (429, "rate_limit_error"),
        (499, "invalid_request_error"),
        (500, "server_error"),
        (501, "server_error"),
    ],
)
def test_the_type_of_an_error_goes_by_its_status(status, type_):
    """Below 500 it is the request's, from 500 on the server's."""
    assert error_response(Refusal(status, "c", "m"), "r").error["type"] == type_


def test_a_bad_request_is_a_400_whose_code_says_whether_a_parameter_is_meant():
    """The book keeps one kind for both."""
    with_param, without = bad_request("m", param="p"), bad_request("m", remedy="r")
    assert (with_param.status, with_param.code, with_param.param, with_param.kind) == (
        400, "invalid_value", "p", "bad_request",
    )  # fmt: skip
    assert (without.status, without.code, without.param, without.kind) == (400, "invalid_body", None, "bad_request")
    assert (without.headers, Refusal(405, "c", "m", headers=[(b"allow", b"POST")]).headers) == (
        [],
        [(b"allow", b"POST")],
    )


def test_our_own_fault_is_not_the_operators():
    """What is configured wrongly and what nobody foresaw have codes of their own; neither says more."""
    assert error_response(errors.SettingsError("secret"), "r").error["code"] == "misconfigured"
    assert error_response(errors.BookUnreachable("secret"), "r").status == 503
    assert error_response(KeyError("secret"), "r").error["code"] == "internal_error"
    assert (error_response(KeyError("secret"), "r").status, str(Refusal(400, "c", "m."))) == (500, "m.")


def test_what_was_tried_enough_is_not_to_be_tried_again():
    """The header that clients obey, only where trying again is of no use."""
    error = errors.Unavailable("x")
    assert error_response(error, "r").headers == []
    error.final = True
    assert error_response(error, "r").headers == [(b"x-should-retry", b"false")]
    assert error_response(errors.JournalFull("x"), "r").headers == [(b"x-should-retry", b"false")]


def test_the_table_above_is_complete():
    """A new kind of ProviderError has to be given its code here."""
    assert {row[0] for row in PROVIDER_ERRORS} == set(errors.ProviderError.__subclasses__())


def test_what_the_upstream_asks_us_to_wait_is_passed_on_in_whole_seconds():
    """2.1 seconds is 3: a client that came back after 2 would be early."""
    assert error_response(errors.RateLimited("Slow.", retry_after=2.1), "r").headers == [(b"retry-after", b"3")]


@pytest.mark.parametrize(
    "error",
    [
        KeyError("sk-secret"),
        RuntimeError("postgresql://u:pw@host/db"),
        errors.SettingsError("/home/ada/.daybook/keys.json cannot be read"),
        errors.BookUnreachable("postgresql://u@host does not answer"),
    ],
)
def test_what_is_not_for_the_caller_is_not_told(error):
    """Foreign exceptions and the operator's errors: a plain 500 or 503 with the request id to look for in the log."""
    response = error_response(error, "r1")
    assert response.status in (500, 503)
    assert response.error["message"] == "The endpoint could not do this. Its log says why, under the request id r1."


def test_a_full_journal_says_what_to_do_and_not_to_retry():
    """507; the official client retries a 5xx by itself unless told not to, and each retry would be paid for."""
    response = error_response(errors.JournalFull("/home/ada/.daybook/journal/1.ndjson: no space left on device"), "r")
    assert (response.status, response.error["code"]) == (507, "journal_full")
    assert "make room" in response.error["message"]
    assert "/home" not in response.error["message"]
    assert (b"x-should-retry", b"false") in response.headers


def test_a_journal_that_cannot_be_written_is_told_apart_from_a_full_one():
    """503, and the remedy is another."""
    response = error_response(errors.JournalError("/home/ada/.daybook/journal cannot be written"), "r")
    assert (response.status, response.error["code"]) == (503, "journal_failed")
    assert "/home" not in response.error["message"]


def test_an_error_under_way_is_one_server_sent_event():
    """`data: {"error": …}` and an empty line, which the official client raises as APIError."""
    event = error_response(Refusal(503, "shutting_down", "Going down."), "r").event
    assert event.startswith(b'data: {"error":{')
    assert event.endswith(b"}}\n\n")
    assert event.count(b"\n") == 2
