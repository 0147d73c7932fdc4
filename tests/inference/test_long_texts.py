"""A long text is redacted in a thread: another request is answered while it is still being worked on."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace

import pytest

from daybook.inference.call.offload import LARGE, THREADS, offload
from daybook.providers.port import Piece, Reply

DONE = b"data: [DONE]\n\n"


class SlowForLong:
    """Redacts a long text only once the gate is open: whoever waits for it in the event loop never sees it opened."""

    redacts_answers = True
    held = 0

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.begun = threading.Event()
        self.threads: set[int] = set()

    def _slow(self, given, size):
        if size > LARGE:
            self.threads.add(threading.get_ident())
            self.begun.set()
            assert self.gate.wait(10), "nobody else was answered meanwhile"
        return given

    def clean_request(self, data):
        return self._slow(data, len(data))

    def answer(self, data):
        return self._slow(data, len(data))

    def answer_text(self, text):
        return text

    def events(self):
        return self

    def feed(self, data):
        return self._slow(data, len(data) + self.held)

    def kept_prompt(self, prompt):
        return self._slow(prompt, len(json.dumps(prompt)))

    def kept_answer(self, text):
        return self._slow(text, len(text))


def reply(text):
    data = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    return Reply(data=data, text=text, usage=None, served_model="m", finish_reason="stop")


@pytest.mark.parametrize("where", ["prompt", "answer", "kept answer", "stream", "what a stream holds back"])
async def test_others_are_answered_while_a_long_text_is_redacted(desk_with, where):
    """Wherever it stands; the long one is answered, too, and the book has it."""
    redaction = SlowForLong()
    desk = desk_with(content=where in ("prompt", "kept answer"))
    long = "a" * (LARGE + 1)
    if where == "kept answer":
        redaction.redacts_answers = False
    if where == "what a stream holds back":
        redaction.held = LARGE
    desk.provider.reply = reply("short" if where == "prompt" else long)
    text = "b" if where == "what a stream holds back" else long
    desk.provider.pieces = [Piece(data=b"data: " + text.encode() + b"\n\n" + DONE, text=text, deltas=1, last=True)]
    asked = {"messages": [{"role": "user", "content": long}]} if where == "prompt" else {}
    request = replace(desk.request(**asked), redaction=redaction)
    if "stream" in where:
        stream = await desk.answerer.stream(request)
        working = asyncio.create_task(desk.read(stream))
    else:
        working = asyncio.create_task(desk.answerer.chat(request))
    await asyncio.to_thread(redaction.begun.wait, 10)
    desk.provider.reply = reply("short")
    other = await desk.answerer.chat(desk.request())
    assert other.reply.text == "short"
    assert not working.done()
    redaction.gate.set()
    await working
    assert threading.get_ident() not in redaction.threads
    long_row = desk.ledger.calls[-1]
    assert long_row.status == "ok"
    if where == "prompt":
        assert json.loads(long_row.prompt) == asked["messages"]
    if where == "kept answer":
        assert long_row.answer == long


@pytest.mark.parametrize("where", ["prompt", "answer"])
async def test_a_client_that_leaves_while_a_long_text_is_redacted_leaves_an_entry(desk_with, where):
    """With what was paid for; nothing stays open."""
    redaction = SlowForLong()
    desk = desk_with(content=True)
    long = "a" * (LARGE + 1)
    desk.provider.reply = reply(long if where == "answer" else "short")
    asked = {"messages": [{"role": "user", "content": long}]} if where == "prompt" else {}
    working = asyncio.create_task(desk.answerer.chat(replace(desk.request(**asked), redaction=redaction)))
    await asyncio.to_thread(redaction.begun.wait, 10)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    redaction.gate.set()
    (call,) = desk.ledger.calls
    assert (call.status, desk.answerer.recorder.open) == ("client_closed", 0)
    assert len(desk.provider.asked) == (where == "answer")


@pytest.mark.parametrize(("size", "own_thread"), [(LARGE, False), (LARGE + 1, True)])
async def test_a_short_text_is_worked_on_at_once(size, own_thread):
    """A thread costs more than it."""
    thread = await offload(size, lambda _: threading.get_ident(), None)
    assert (thread != threading.get_ident()) == own_thread


async def test_work_that_nobody_waits_for_any_more_is_not_begun():
    """As many at once as there are threads; of those that wait, whoever went away is dropped, and others are not."""
    begun, go_on = [], threading.Event()

    def work(name):
        begun.append(name)
        go_on.wait(10)
        return name

    asked = [asyncio.create_task(offload(LARGE + 1, work, n)) for n in range(THREADS + 3)]
    await asyncio.sleep(0)
    gone = asked[THREADS : THREADS + 2]
    for task in gone:
        task.cancel()
    assert all(isinstance(end, asyncio.CancelledError) for end in await asyncio.gather(*gone, return_exceptions=True))
    go_on.set()
    assert await asyncio.gather(*asked[:THREADS], asked[-1]) == [*range(THREADS), THREADS + 2]
    assert sorted(begun) == [*range(THREADS), THREADS + 2]
