"""The OpenAI-compatible upstream: bytes forwarded, tokens counted, breaks told."""

from __future__ import annotations

import asyncio
import json

import pytest

from daybook.errors import BadRequest, ModelNotFound, RateLimited, StreamBroken, Unauthorised, Unavailable
from daybook.providers.http.sse import DONE
from daybook.providers.openai import OpenAI
from daybook.records import Usage
from tests.fakes.openai_server import USAGE, Says, answer_of, sse, stream_of
from tests.fakes.serving import Raw, error
from tests.providers.conftest import SECRET, body, told, told_until_broken

TEXT = "Grüße from 東京 🗼."
COUNTED = Usage(input_tokens=1_200, output_tokens=5, cached_tokens=1_024, reasoning_tokens=3)


def events(*items, **more):
    return Raw(body=items, content_type="text/event-stream", **more)


@pytest.fixture
def provider(openai, wire_to):
    return OpenAI(wire_to(openai.url + "/v1"), contexts={"gpt-4o-mini": 128_000})


async def test_the_official_documents_are_what_this_is_held_to(openai_contract, ollama_contract):
    """Where the documents lie, they do find fault: a message without a role is refused by each."""
    if not (openai_contract.there and ollama_contract.there):
        pytest.skip("the official documents are not beside this checkout")
    wrong = {"model": "m", "messages": [{"content": "x"}]}
    assert openai_contract.problems("CreateChatCompletionRequest", wrong)
    assert ollama_contract.problems("ChatRequest", wrong)


async def test_a_whole_answer_is_forwarded_byte_by_byte(openai, provider):
    """`data` is what the upstream sent; text, usage with cached and reasoning tokens, model and reason are read."""
    openai.script = [Says(usage=USAGE)]
    reply = await provider.chat(body())
    assert json.loads(reply.data) == answer_of(Says(usage=USAGE))
    assert reply.text == TEXT
    assert reply.usage == COUNTED
    assert (reply.served_model, reply.finish_reason, reply.attempts) == ("gpt-4o-mini-2024-07-18", "stop", 1)
    assert openai.seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert openai.bodies == [body()]


async def test_an_answer_without_usage_has_none(openai, provider):
    """Tokens that nobody counted are not known, and not 0."""
    openai.script = [Says()]
    assert (await provider.chat(body())).usage is None


async def test_a_stream_is_forwarded_untouched_and_counted(openai, provider):
    """The caller gets the upstream's events byte by byte, without the usage chunk that only we asked for."""
    openai.script = [Says(usage=USAGE)]
    pieces = await told(await provider.stream(body()))
    theirs = stream_of(Says(usage=USAGE), usage=True)
    assert b"".join(piece.data for piece in pieces) == b"".join(sse(theirs[:-1]))
    assert "".join(piece.text for piece in pieces) == TEXT
    assert sum(piece.deltas for piece in pieces) == 5
    assert [piece.usage for piece in pieces if piece.usage] == [COUNTED]
    assert pieces[-1].data.endswith(DONE)
    assert openai.bodies[0]["stream_options"] == {"include_usage": True}


async def test_usage_that_the_caller_asked_for_is_forwarded(openai, provider):
    """`include_usage` of the caller's own: nothing is added to the request, nothing left out of the answer."""
    openai.script = [Says(usage=USAGE)]
    asked = body(stream_options={"include_usage": True})
    pieces = await told(await provider.stream(asked))
    assert b"".join(piece.data for piece in pieces) == b"".join(sse(stream_of(Says(usage=USAGE), usage=True)))
    assert openai.bodies == [asked | {"stream": True}]


async def test_other_stream_options_of_the_caller_are_kept(openai, provider):
    """Usage is asked for beside what the caller chose."""
    openai.script = [Says(usage=USAGE)]
    await told(await provider.stream(body(stream_options={"include_obfuscation": False})))
    assert openai.bodies[0]["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_an_upstream_without_stream_options_is_not_sent_any(openai, wire_to):
    """`stream_usage: false` in models.yml: the request is the caller's own, and its stream goes uncounted."""
    openai.script = [Says(usage=USAGE)]
    provider = OpenAI(wire_to(openai.url + "/v1"), stream_usage=False)
    pieces = await told(await provider.stream(body()))
    assert openai.bodies == [body(stream=True)]
    assert [piece.usage for piece in pieces if piece.usage] == []


@pytest.mark.parametrize("end", ["clean", "abort"])
async def test_a_stream_that_ends_early_is_broken(openai, provider, end):
    """Without `[DONE]` an answer is not complete, however its connection ended; what came before is handed on."""
    openai.script = [events(*sse(stream_of(Says(), usage=False)[:3], done=False), end=end)]
    pieces, broke = await told_until_broken(await provider.stream(body()))
    assert "incomplete" in str(broke)
    assert "".join(piece.text for piece in pieces) == "Grüße from "
    assert len(openai.seen) == 1


async def test_an_error_inside_a_stream_breaks_it(openai, provider):
    """An `{"error": …}` event after the first: what came before is handed on, then StreamBroken; never asked again."""
    trouble = b'data: {"error":{"message":"The server had an error","type":"server_error"}}\n\n'
    openai.script = [events(*sse(stream_of(Says(), usage=False)[:2], done=False), trouble)]
    pieces, broke = await told_until_broken(await provider.stream(body()))
    assert "The server had an error" in str(broke)
    assert b"".join(piece.data for piece in pieces) == b"".join(sse(stream_of(Says(), usage=False)[:2], done=False))
    assert len(openai.seen) == 1


async def test_an_error_before_the_first_piece_is_a_refusal(openai, provider, waits):
    """An error as the first event is raised by `stream` itself, as its own kind, after being asked again."""
    openai.script = [events(b'data: {"error":{"message":"Slow down","code":"rate_limit_exceeded"}}\n\n')]
    with pytest.raises(RateLimited) as caught:
        await provider.stream(body())
    assert caught.value.attempts == len(openai.seen) == 3
    assert waits.seconds == [0.5, 1.0]


@pytest.mark.parametrize(
    "first",
    [
        error(503, {"error": {"message": "Loading model", "type": "unavailable_error", "code": 503}}),
        Raw(body=[], end="abort"),
        events(),
        events(b'data: {"error":{"code":429,"message":"slow down"}}\n\n'),
        events(b'data: {"error":{"type":"overloaded_error"}}\n\n'),
    ],
    ids=["503", "cut off", "empty", "429 inside a 200", "overloaded inside a 200"],
)
async def test_a_stream_that_fails_before_its_first_event_is_asked_again(openai, provider, first):
    """Nothing was handed on yet, so the second attempt's answer is the answer."""
    openai.script = [first, Says(usage=USAGE)]
    stream = await provider.stream(body())
    assert stream.attempts == 2
    assert "".join(piece.text for piece in await told(stream)) == TEXT


@pytest.mark.parametrize(
    "first",
    [
        events(b": working\n\n", end="abort"),
        events(b"data: <html>\n\n"),
        events(b"<html><body>Bad gateway</body></html>"),
        events(b'data: {"choices": [{"delta"\n\n'),
        events(b"data: [1, 2]\n\n"),
        events(b'data: {"error":"the model fell over"}\n\n'),
        events(b'data: {"object":"error","message":"no"}\n\ndata: [DONE]\n\n'),
        events(b'event: error\ndata: {"text":"no"}\n\ndata: [DONE]\n\n'),
        events(b'data: {"details":"no"}\n\n'),
        events(b'data: {"detail":[{"msg":"no","loc":["body","model"]}]}\n\n'),
        events(b'data: {"code":"E1","msg":"no"}\n\n'),
        events(b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\ndata: [DONE]\n\n'),
    ],
)
async def test_what_came_with_a_200_is_not_asked_again(openai, provider, first):
    """It may have been paid for: unless it says that it will pass, it fails after one attempt, and is final."""
    openai.script = [first, Says(usage=USAGE)]
    with pytest.raises(Unavailable) as caught:
        await provider.stream(body())
    assert (caught.value.attempts, caught.value.final, len(openai.seen)) == (1, True, 1)


HEAD = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}\n\n'
LAST = b'data: {"id":"1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}'


@pytest.mark.parametrize(
    "odd",
    [
        b'{"error":{"message":"no"}}',
        b'{"object":"error","message":"no"}',
        b'{"type":"error","error":null}',
        b'{"details":"no"}',
        b'{"choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"no"}}]}',
    ],
)
async def test_an_error_event_in_any_shape_fails_the_call(openai, provider, odd):
    """Also where `[DONE]` follows: an answer that broke off is no success."""
    openai.script = [events(HEAD, b"data: " + odd + b"\n\n", DONE)]
    with pytest.raises((StreamBroken, Unavailable)):  # Unavailable where one read has all of it: nothing was handed on
        await told(await provider.stream(body()))


@pytest.mark.parametrize(
    ("tail", "end"),
    [(tail, end) for tail in (b"\n\n", b'\n\ndata: {"choices":[],"usage":null}\n\n') for end in ("clean", "abort")]
    + [(b"\n", "clean"), (b"", "clean")],  # aborted there, the event itself is not whole
)
async def test_a_stream_that_gave_its_reason_is_complete(openai, provider, tail, end):
    """`[DONE]` is missing, the answer is not: it is given its end. How the connection ends is no matter."""
    openai.script = [events(HEAD, LAST + tail, end=end)]
    pieces = await told(await provider.stream(body()))
    assert (
        b"".join(piece.data for piece in pieces) == HEAD + LAST + (tail if tail.endswith(b"\n\n") else b"\n\n") + DONE
    )
    assert [piece.finish_reason for piece in pieces if piece.finish_reason] == ["stop"]


async def test_a_stream_of_two_answers_is_complete_when_both_are(openai, provider):
    """One reason of two: what comes of the other is missing."""
    other = HEAD.replace(b'"index":0', b'"index":1')
    openai.script = [events(HEAD, other, LAST + b"\n\n")]
    with pytest.raises(StreamBroken):
        await told(await provider.stream(body()))


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (rb'{"choices":[{"index":0,"delta":{"content":"ok \ud83d"}}]}', "ok \ud83d"),
        (b'{"choices":[{"index":0,"delta":{"content":"x"},"logprob":-Infinity}]}', "x"),
        (b'{"choices":[{"index":0,"delta":{"content":"x"},"logprob":NaN}]}', "x"),
        (b'{"choices":[null]}', ""),
        (b'{"choices":null}', ""),
        (b'{"choices":[{"index":0,"delta":"a"}]}', ""),
        (b'{"choices":[{"index":0,"delta":null}]}', ""),
        (b'{"choices":["a",{"delta":{"content":"x"}}]}', "x"),
        (
            b'{"choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]},'
            b'{"type":"text","text":"x"}]}}]}',
            "x",
        ),
        (b'{"choices":[{"index":0,"delta":{"content":5}}]}', ""),
        (b'{"model":5,"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":7}]}', "x"),
        (b'{"choices":[{"index":0,"message":"x"}]}', ""),
    ],
)
async def test_what_is_odd_but_readable_is_forwarded_as_it_came(openai, provider, event, text):
    """As a first event and as a later one; what can be read of it is."""
    for before in (b"", HEAD):
        openai.script = [events(before, b"data: " + event + b"\n\n", LAST + b"\n\n", DONE)]
        pieces = await told(await provider.stream(body()))
        assert b"".join(piece.data for piece in pieces) == before + b"data: " + event + b"\n\n" + LAST + b"\n\n" + DONE
        assert "".join(piece.text for piece in pieces) == ("Hi" if before else "") + text
        assert pieces[-1].served_model in ("m", None)


async def test_a_whole_answer_instead_of_a_stream_becomes_one(openai, provider):
    """An upstream that cannot stream: its answer is paid for, so it is handed on, as one chunk and an end."""
    openai.script = [Raw(body=[json.dumps(answer_of(Says(usage=USAGE))).encode()])]
    pieces = await told(await provider.stream(body()))
    assert "".join(piece.text for piece in pieces) == TEXT
    assert (pieces[-1].usage, pieces[-1].finish_reason, pieces[-1].data.endswith(DONE)) == (COUNTED, "stop", True)
    event = json.loads(pieces[0].data.partition(b"\n\n")[0][6:])
    assert event["choices"][0]["delta"]["content"] == TEXT
    assert event["object"] == "chat.completion.chunk"


async def test_answers_of_one_stream_are_kept_apart(openai, provider):
    """`n=2`: the text is the first's, the other's has its index."""
    other = HEAD.replace(b'"index":0', b'"index":1').replace(b"Hi", b"Ho")
    openai.script = [events(HEAD + other, LAST + b"\n\n", LAST.replace(b'"index":0', b'"index":1') + b"\n\n", DONE)]
    pieces = await told(await provider.stream(body()))
    assert ["".join(piece.text for piece in pieces), [o for piece in pieces for o in piece.others]] == [
        "Hi",
        [(1, "Ho")],
    ]


@pytest.mark.parametrize(
    ("choices", "text", "others"),
    [
        ([None], "", ()),
        ([], "", ()),
        ([{"message": "hello"}], "hello", ()),
        ([{"message": None, "finish_reason": 3}], "", ()),
        ([{"message": {"content": [{"type": "text", "text": "a"}, {"type": "thinking"}, 5]}}], "a", ()),
        ([{"message": {"content": "a"}}, {"message": {"content": "b"}}], "a", ("b",)),
    ],
)
async def test_an_odd_whole_answer_is_forwarded_as_it_came(openai, provider, choices, text, others):
    """Nothing in it makes it a failure of ours."""
    data = json.dumps({"model": "", "choices": choices}).encode()
    openai.script = [Raw(body=[data])]
    reply = await provider.chat(body())
    assert (reply.data, reply.text, reply.others, reply.served_model) == (data, text, others, None)
    assert reply.finish_reason is None


@pytest.mark.parametrize("more", [{}, {"error": {"code": 502, "message": "no"}}])
async def test_a_whole_answer_that_finished_in_error_is_none(openai, provider, more):
    """`finish_reason: "error"` is no success."""
    choice = {"message": {"content": "par"}, "finish_reason": "error", **more}
    openai.script = [Raw(body=[json.dumps({"choices": [choice]}).encode()])]
    with pytest.raises(Unavailable):
        await provider.chat(body())


async def test_an_event_that_nobody_can_read_breaks_the_stream(openai, provider):
    """Bytes that are no JSON are not handed on as an answer."""
    openai.script = [events(*sse(stream_of(Says(), usage=False)[:2], done=False), b"data: {oops\n\n")]
    with pytest.raises(StreamBroken):
        await told(await provider.stream(body()))


async def test_closing_a_stream_cancels_it_upstream(openai, provider):
    """After `aclose` the upstream sees its client gone, and generates no further."""
    openai.script = [events(*sse(stream_of(Says(), usage=False)[:3], done=False), end="hang")]
    stream = await provider.stream(body())
    await anext(aiter(stream))
    await stream.aclose()
    await stream.aclose()
    await asyncio.wait_for(openai.gone.wait(), 5)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_cancelling_a_call_cancels_it_upstream(openai, provider, streamed):
    """The task that waits for an answer is cancelled: the upstream sees its client gone."""
    openai.script = [Raw(body=[b" "], end="hang")]
    task = asyncio.create_task(provider.stream(body()) if streamed else provider.chat(body()))
    async with asyncio.timeout(5):
        await openai.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await openai.gone.wait()


async def test_connections_are_used_again_after_whole_answers_streams_and_refusals(openai, provider):
    """Six calls one after the other come over one connection."""
    openai.script = [Says(usage=USAGE), Says(usage=USAGE), error(400, {"error": {"message": "No"}}), Says()]
    await provider.chat(body())
    await told(await provider.stream(body()))
    with pytest.raises(BadRequest):
        await provider.chat(body())
    await told(await provider.stream(body()))
    await provider.models()
    await provider.probe()
    assert len(openai.seen) == 6
    assert len(openai.connections) == 1


async def test_an_error_inside_a_200_is_an_error(openai, provider):
    """Routers answer 200 with an error in it; its own code says what it is."""
    openai.script = [error(200, {"error": {"message": "No credit", "code": 402}})]
    with pytest.raises(RateLimited):
        await provider.chat(body())
    assert len(openai.seen) == 1


async def test_a_page_is_no_answer(openai, provider):
    """A 200 that is HTML names what is wrong, and quotes none of it."""
    openai.script = [Raw(body=[b"<html>Welcome to nginx</html>"], content_type="text/html")]
    with pytest.raises(Unavailable, match="base_url") as caught:
        await provider.chat(body())
    assert "nginx" not in str(caught.value)


async def test_models_identity_and_probe(openai, provider):
    """The list is the upstream's; the context is the catalogue's; a probe wants an answer, not a list."""
    assert await provider.models() == ["gpt-4o-mini", "gpt-4o"]
    identity = await provider.identify("gpt-4o-mini")
    assert (identity.model, identity.context, identity.digest) == ("gpt-4o-mini", 128_000, None)
    await provider.probe()
    openai.script = [error(404, {"detail": "Not Found"})]
    await provider.probe()
    with pytest.raises(ModelNotFound):
        await provider.models()


@pytest.mark.parametrize(("status", "kind"), [(401, Unauthorised), (503, Unavailable)])
async def test_a_probe_raises_at_once_what_keeps_calls_from_being_answered(openai, provider, waits, status, kind):
    """One attempt, no waiting: the readiness check has better things to do."""
    openai.script = [error(status, {"error": {"message": "no"}})]
    with pytest.raises(kind):
        await provider.probe()
    assert waits.seconds == []
    assert len(openai.seen) == 1
