"""Models asked from synchronous code: each question a call in the book, whoever asks and from whichever thread."""

from __future__ import annotations

import asyncio
import getpass
import threading
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from daybook.clock import FixedClock
from daybook.errors import SettingsError, Unavailable, UnknownModel
from daybook.inference.client.answer import Answer
from daybook.inference.client.client import Client
from daybook.providers.echo import Echo, Turn
from daybook.providers.port import Identity
from daybook.records import Usage
from daybook.settings import Settings
from tests.inference.conftest import NOON, Ledger

USER = [{"role": "user", "content": "How are you?"}]


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def client(home: Path, tmp_path: Path, ledger: Ledger):
    """One over an empty home, at noon; `up/…` is answered by a script that a test lends."""
    client = Client(Settings.from_env({"DAYBOOK_HOME": str(home)}, cwd=tmp_path), ledger, clock=FixedClock(NOON))
    yield client
    client.close()


def test_an_answer_is_given_with_what_it_took(client, ledger):
    """Every figure is the entry's own, and what was not asked for is not sent."""
    usage = Usage(input_tokens=12, output_tokens=3, cost=Decimal("0.0250"))
    echo = Echo("up", script=Turn("Fine.", usage=usage, model="m-2026", finish_reason="length"))
    client.lend("up", echo)
    answer = client.answer("How are you?", model="up/m", project="p", run_id="r")
    (call,) = ledger.calls
    assert answer == Answer(
        text="Fine.",
        model="m-2026",
        input_tokens=12,
        output_tokens=3,
        cost=Decimal("0.0250"),
        latency=0.0,
        finish_reason="length",
        call_id=call.id,
    )
    assert echo.asked == [{"model": "m", "messages": USER, "max_tokens": 128}]
    assert (call.caller, call.endpoint, call.project, call.run_id) == (getpass.getuser(), "library", "p", "r")
    assert (call.at, call.tags, call.requested_model, call.provider) == (NOON, {}, "up/m", "up")


def test_what_is_asked_for_is_sent(client):
    """The system's message first; a temperature of 0 and a seed of 0 are values."""
    client.lend("up", echo := Echo("up"))
    client.answer("How are you?", model="up/m", system="Be brief.", max_tokens=5, temperature=0, seed=0)
    assert echo.asked == [
        {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, *USER],
            "max_tokens": 5,
            "temperature": 0,
            "seed": 0,
        }
    ]


def test_a_coroutine_asks_with_tags_of_its_own(client, ledger):
    """They are the entry's; `chat` has none."""
    client.lend("up", Echo("up"))
    body = {"model": "up/m", "messages": USER}
    client.run(client.ask(body, project="p", run_id="r", tags={"shot": "3"}))
    client.chat(body)
    assert [(call.tags, call.project, call.run_id) for call in ledger.calls] == [
        ({"shot": "3"}, "p", "r"),
        ({}, None, None),
    ]


def test_a_failure_is_raised_where_it_was_asked(client, ledger):
    """As what it is, with its entry."""
    client.lend("up", Echo("up", script=Turn(error=Unavailable("No."))))
    with pytest.raises(Unavailable, match="No"):
        client.answer("How are you?", model="up/m")
    with pytest.raises(UnknownModel):
        client.answer("How are you?", model="nobody")
    assert [(call.status, call.error_kind) for call in ledger.calls] == [
        ("error", "unavailable"), ("error", "model_not_found"),
    ]  # fmt: skip


def test_who_waits_in_one_thread_does_not_keep_another(client):
    """Two calls that only end when both are under way."""
    both = threading.Barrier(2)
    gate = asyncio.Event()

    async def met(_: int) -> None:
        gate.set() if len(echo.asked) == 2 else await gate.wait()

    client.lend("up", echo := Echo("up", script=Turn("Met.", gate=met)))
    texts: list[str] = []

    def ask() -> None:
        both.wait(timeout=10)
        texts.append(client.answer("x", model="up/m").text)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert texts == ["Met.", "Met."]


def test_a_lent_provider_stays_the_one_it_was(client):
    """The second of a name is not taken; one of the catalogue's own cannot be lent away."""
    client.lend("up", Echo("up", script=Turn("first")))
    client.lend("up", Echo("up", script=Turn("second")))
    assert client.answer("x", model="up/m").text == "first"
    with pytest.raises(SettingsError, match="No upstream is called 'other'"):
        client.upstreams["other"]


def test_an_identity_is_what_the_upstream_says(client):
    """None where it cannot be known; a model that nobody serves is an error."""

    class Shy(Echo):
        async def identify(self, model: str) -> Identity:
            raise Unavailable("Not now.")

    client.lend("up", Echo("up", identity=Identity(model="m", digest="sha256:1")))
    client.lend("shy", Shy("shy"))
    assert client.run(client.identity("up/m")) == Identity(model="m", digest="sha256:1")
    assert client.run(client.identity("shy/m")) is None
    with pytest.raises(UnknownModel):
        client.run(client.identity("nobody"))


def test_the_most_that_a_call_may_cost_is_its_prompt_and_all_that_it_may_answer(client):
    """By the estimate of the prompt; without a known price there is none."""
    client.lend("openai-like", Echo("openai"))
    # 12 letters are 3 tokens, 4 for the message and 3 for all: 10 × 0.15 + 1,000 × 0.60 millionths
    body = {"model": "openai-like/gpt-4o-mini", "messages": USER, "max_tokens": 1000}
    assert client.most(body) == Decimal("0.0006015")
    assert client.most(body | {"model": "openai-like/no-such"}) is None
    assert client.most({"model": "openai-like/gpt-4o-mini", "messages": USER}) is None


def test_closing_closes_what_was_lent(client):
    """And may be repeated."""
    client.lend("up", echo := Echo("up"))
    client.close()
    assert echo.closed
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "daybook-asking" and thread.is_alive()]


ANSWER = Answer(
    text="One <b>.\n\n\n\nTwo.",
    model="m",
    input_tokens=1234,
    output_tokens=5,
    cost=Decimal("0.0100"),
    latency=1.234,
    finish_reason="stop",
    call_id="c1",
)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "m · 1,234 in, 5 out · $0.01 · 1.23 s"),
        ({"cost": None, "latency": None}, "m · 1,234 in, 5 out · unpriced"),
        ({"cost": Decimal(0), "input_tokens": None, "output_tokens": 0}, "m · ? in, 0 out · $0 · 1.23 s"),
        ({"cost": Decimal("1E+2")}, "m · 1,234 in, 5 out · $100 · 1.23 s"),
        ({"finish_reason": "length"}, "m · 1,234 in, 5 out · $0.01 · 1.23 s · cut off at max_tokens"),
    ],
)
def test_an_answer_says_what_it_took_in_one_line(changes, line):
    """What is not known is said to be so, and never 0."""
    from dataclasses import replace

    assert replace(ANSWER, **changes).facts == line


def test_an_answer_shows_itself():
    """In a notebook as paragraphs, escaped, with the line under them; as text it is the words; as JSON all of it."""
    assert ANSWER._repr_html_() == (
        '<div style="border-left:3px solid #4477aa;padding:0 1em;max-width:44em"><p>One &lt;b&gt;.</p><p>Two.</p>'
        '<p style="opacity:.65;font-size:85%">m · 1,234 in, 5 out · $0.01 · 1.23 s</p></div>'
    )
    assert str(ANSWER) == ANSWER.text
    assert orjson.loads(ANSWER.to_json()) == {
        "text": ANSWER.text,
        "model": "m",
        "input_tokens": 1234,
        "output_tokens": 5,
        "cost": "0.0100",
        "latency": 1.234,
        "finish_reason": "stop",
        "call_id": "c1",
    }
