"""Asking again: when, how often, how soon; and what a wire gives up on."""

from __future__ import annotations

import asyncio
import random
import socket
from datetime import timedelta
from email.utils import format_datetime

import pytest

from daybook.errors import BadRequest, ContextTooLong, RateLimited, Unauthorised, Unavailable, UpstreamTimeout
from daybook.providers.http.client import Address, HttpUpstream, Retry, Timeouts, retry_after
from daybook.providers.http.errors import AttemptFailed
from daybook.providers.openai import OpenAI
from tests.fakes.openai_server import Says
from tests.fakes.serving import Raw, error
from tests.providers.conftest import NOW, body, told

BUSY = {"error": {"message": "Slow down", "code": "rate_limit_exceeded"}}
DOWN = {"error": {"message": "down", "type": "server_error"}}


@pytest.fixture
def provider(openai, wire_to):
    return OpenAI(wire_to(openai.url + "/v1"))


async def test_waits_grow_and_the_attempts_are_counted(openai, provider, waits):
    """Up to 0.5 s, then up to 1 s, then no more: the error says that the upstream was asked three times."""
    openai.script = [error(500, DOWN)]
    with pytest.raises(Unavailable) as caught:
        await provider.chat(body())
    assert waits.seconds == [0.5, 1.0]
    assert caught.value.attempts == len(openai.seen) == 3


async def test_the_second_attempt_may_answer(openai, provider, waits):
    """An upstream that comes back is forgiven, and the attempts are counted in the reply."""
    openai.script = [error(503, DOWN), Says()]
    assert (await provider.chat(body())).attempts == 2
    assert waits.seconds == [0.5]


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, None, BadRequest),
        (400, "context_length_exceeded", ContextTooLong),
        (401, "invalid_api_key", Unauthorised),
        (429, "insufficient_quota", RateLimited),
    ],
)
async def test_what_cannot_pass_is_not_asked_again(openai, provider, waits, status, code, kind):
    """One attempt, no wait."""
    openai.script = [error(status, {"error": {"message": "no", "code": code}})]
    with pytest.raises(kind) as caught:
        await provider.chat(body())
    assert (waits.seconds, len(openai.seen), caught.value.attempts) == ([], 1, 1)


async def test_the_upstream_is_not_asked_sooner_than_it_says(openai, provider, waits):
    """`Retry-After` in seconds and as a date; a little is added, so that many callers do not come back at once."""
    later = format_datetime(NOW + timedelta(seconds=12), usegmt=True)
    openai.script = [error(429, BUSY, **{"Retry-After": "7"}), error(503, DOWN, **{"Retry-After": later}), Says()]
    assert (await provider.chat(body())).attempts == 3
    assert waits.seconds == [7.5, 12.5]


async def test_an_upstream_that_asks_for_too_long_is_not_waited_for(openai, provider, waits):
    """More than 20 s: the caller is told how long, and decides."""
    openai.script = [error(429, BUSY, **{"Retry-After": "90"})]
    with pytest.raises(RateLimited) as caught:
        await provider.chat(body())
    assert (caught.value.retry_after, waits.seconds, len(openai.seen)) == (90.0, [], 1)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "3"}, 3.0),
        ({"Retry-After": "0.25"}, 0.25),
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "inf"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "Fri, 20 Nov 2026 09:30:30 GMT"}, 30.0),
        ({"Retry-After": "Fri, 20 Nov 2026 09:29:00 GMT"}, 0.0),
        ({"Retry-After": "Fri, 99 Nov 2026 09:29:00 GMT"}, None),
        ({"retry-after-ms": "150", "Retry-After": "3"}, 0.15),
        ({"retry-after-ms": "x", "Retry-After": "3"}, 3.0),
    ],
)
def test_retry_after_is_read_as_what_can_be_meant(headers, seconds):
    """Seconds, milliseconds or a date; never negative, never for ever."""
    assert retry_after(headers, NOW) == seconds


def test_waits_are_capped_and_random():
    """Attempt n waits between 0 and base·2ⁿ⁻¹ seconds, at most the cap."""
    fault, rng = AttemptFailed(Unavailable("down"), again=True), random.Random(7)
    retry = Retry(attempts=99)
    ceilings = {1: 0.5, 2: 1.0, 3: 2.0, 5: 8.0, 12: 8.0}
    for attempt, ceiling in ceilings.items():
        drawn = [retry.wait(attempt, fault, rng.random) for _ in range(200)]
        assert 0 <= min(drawn) < ceiling * 0.1
        assert ceiling * 0.9 < max(drawn) <= ceiling


async def test_nobody_there_is_unavailable(wire_to, waits):
    """A port that nobody listens on is asked three times, and the message says where and why."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match=rf"up \(127\.0\.0\.1:{port}\) cannot be reached") as caught:
        await OpenAI(wire_to(f"http://127.0.0.1:{port}/v1")).chat(body())
    assert caught.value.attempts == 3


async def test_a_silent_upstream_times_out(openai, wire_to):
    """No byte for the idle time: a timeout that names it. Asked again only if none had come: else it was at work."""
    provider = OpenAI(wire_to(openai.url + "/v1", idle=0.05))
    for began, attempts in (([b" "], 1), ([], 3)):
        openai.script = [Raw(body=began, end="hang")]
        with pytest.raises(UpstreamTimeout, match=r"sent nothing for 0\.05 s") as caught:
            await provider.chat(body())
        assert (caught.value.attempts, caught.value.final) == (attempts, True)


async def test_an_upstream_that_does_not_accept_times_out(waits):
    """A connection that is never accepted ends with the connect timeout, not the idle one."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        wire = HttpUpstream(
            "up",
            Address(f"http://127.0.0.1:{port}"),
            timeouts=Timeouts(connect=0.05),
            sleep=waits,
            retry=Retry(attempts=1),
        )
        with pytest.raises(UpstreamTimeout, match="could not be connected to"):
            await OpenAI(wire).chat(body())
        await wire.aclose()
        for filler in fillers:
            filler.close()


async def test_a_redirect_is_not_followed(openai, provider):
    """The key and the prompt go where models.yml says, and nowhere else."""
    openai.script = [Raw(status=307, headers={"Location": "http://127.0.0.1:1/v1/chat/completions"})]
    with pytest.raises(Unavailable, match="redirect"):
        await provider.chat(body())
    assert len(openai.seen) == 1


async def test_a_refusal_that_breaks_off_still_counts(openai, provider):
    """The status has come, so the kind is known, even if the body has not."""
    openai.script = [Raw(status=401, headers={"Content-Length": "900"}, body=[b'{"error":'], end="abort")]
    with pytest.raises(Unauthorised):
        await provider.chat(body())


async def test_a_body_that_is_no_json_is_the_callers_fault(openai, provider):
    """Nothing is sent that cannot be written."""
    with pytest.raises(BadRequest):
        await provider.chat(body(user={1, 2}))
    assert openai.seen == []


async def test_a_large_prompt_is_sent_whole_each_time(openai, provider):
    """Two megabytes, asked twice: the second attempt sends as much as the first."""
    openai.script = [error(503, DOWN), Says()]
    large = body(messages=[{"role": "user", "content": "word " * 400_000}])
    assert (await provider.chat(large)).attempts == 2
    assert openai.bodies == [large, large]


async def test_a_closed_wire_opens_again_and_closing_twice_is_no_error(openai, provider):
    """Closing frees the connections; it is not the end of the provider."""
    openai.script = [Says()]
    await provider.chat(body())
    await provider.aclose()
    await provider.aclose()
    await provider.chat(body())
    assert len(openai.connections) == 2


async def test_what_is_shown_of_an_address_holds_no_key():
    """Neither the address nor its host shows the key or a password."""
    address = Address("https://ada:hunter2@api.example.com:8443/v1", {"Authorization": "Bearer sk-x"}, "sk-x")
    assert address.host == "api.example.com:8443"
    assert "sk-x" not in repr(address)


async def test_many_calls_at_once_do_not_wait_for_each_other(openai, provider):
    """A hundred streams are open at the same time over one wire."""
    openai.script = [Says()]
    streams = await asyncio.gather(*(provider.stream(body()) for _ in range(100)))
    texts = ["".join(piece.text for piece in await told(stream)) for stream in streams]
    assert texts == ["Grüße from 東京 🗼."] * 100


@pytest.mark.parametrize("ours", [False, True])
async def test_what_was_given_up_is_noted_where_somebody_may_bill_it(openai, ours):
    """A silence and a broken connection, each before the next attempt; a refusal is no work, and a process of ours
    (which is looked up before each attempt) sends no bill."""
    address = Address(openai.url + "/v1")

    async def locate() -> Address:
        return address

    async def no_wait(_seconds: float) -> None: ...

    wire = HttpUpstream(
        "up",
        locate if ours else address,
        timeouts=Timeouts(idle=0.2),
        retry=Retry(attempts=4),
        sleep=no_wait,
    )
    openai.script = [Raw(end="hang"), Raw(end="abort"), error(503, DOWN), Says()]
    noted = []
    assert (await OpenAI(wire).chat(body(), lambda failed, seconds: noted.append((failed.kind, seconds)))).attempts == 4
    assert [kind for kind, _ in noted] == ([] if ours else ["timeout", "unavailable"])
    assert all(seconds >= 0 for _, seconds in noted)
    openai.script = [Raw(end="hang")]
    with pytest.raises(UpstreamTimeout) as caught:
        await OpenAI(wire).chat(body())
    assert caught.value.billable is not ours
    await wire.aclose()
