"""A small working day of real traffic: who asks what, and the sending of it.

Three callers in two projects: a support desk asking short things, streamed; an analyst handing over
long texts to shorten; a nightly batch that sorts messages. And the calls that go wrong on any real
day: a model that does not exist, a body that is not a conversation, a prompt longer than the model
can read, a key that nobody issued, a reader who hangs up.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from openai import APIError, AsyncOpenAI

MODEL = "smollm2-135m-instruct"
CALLERS = {"support-desk": "helpdesk", "night-batch": "helpdesk", "analyst": "research"}
"""Caller → the project its calls are booked on."""

Outcome = Literal["ok", "error", "hung up"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCall:
    """One call to make, and how it ought to end."""

    caller: str
    messages: Any
    max_tokens: int
    stream: bool = False
    model: str = MODEL
    expect: Outcome = "ok"
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SentCalls:
    """What came of the calls: how many ended how, and those that ended otherwise than they ought to."""

    outcomes: Mapping[str, int]
    surprises: Sequence[str]

    @property
    def total(self) -> int:
        return sum(self.outcomes.values())


QUESTIONS = (
    "How do I reset my password?", "Where can I see my invoices?", "My parcel has not arrived. What can I do?",
    "Can I change my delivery address after ordering?", "Which payment methods do you accept?",
    "How long does a refund take?", "Is there a student discount?", "How do I cancel my subscription?",
    "The app closes when I open it. What should I try?", "Do you ship to Norway?", "How do I add a second user?",
    "What is the difference between the two plans?", "Can I get a printed invoice?", "How do I export my data?",
    "Why was my card declined?", "How do I turn off notifications?", "Is my data stored in Europe?",
    "Can I pause my account over the summer?", "Where is the setting for dark mode?", "How do I reach a person?",
)  # fmt: skip

NOTES = (
    "The lighthouse at the northern point was built of granite in four summers. Ships had been lost there in most"
    " winters, and the harbour towns paid for it together. Its first lamp burned rape oil and could be seen for"
    " eleven miles; the electric one that followed is seen for twenty-six.",
    "The committee compared three ways of heating the school. Gas was cheapest to install and dearest to run. The"
    " heat pump cost most at first and least after nine years. Wood pellets lay between them, but nobody could say"
    " who would carry the pellets.",
    "Bread dough that rests overnight in the cold rises slowly. Its flavour comes from acids that quick dough has no"
    " time to make. The baker shapes it in the morning, lets it warm for an hour and bakes it in a hot oven with"
    " steam for the first ten minutes.",
    "The survey asked 412 residents about the new bus line. 288 had used it at least once. Of those, 201 would use it"
    " again, most for the way to work. The most frequent complaint, in 67 answers, was that the last bus leaves at"
    " half past eight.",
)

MESSAGES = (
    "I was charged twice this month.", "Please send me the brochure.", "The screen stays black after the update.",
    "I would like to buy ten licences.", "My invoice shows the wrong address.", "How heavy is the parcel?",
    "The login page says error 500.", "Do you have a partner programme?", "I want my money back.",
    "The battery is empty after an hour.", "Could we talk about a bigger plan?", "The price changed overnight.",
    "The file will not open.", "Is there a trial version?", "The voucher code is refused.",
    "The printer is not found.", "We need an offer for a school.", "The direct debit failed.",
    "The sound crackles.", "What does the annual plan cost?",
)  # fmt: skip


CALLS = 66
"""What a day has."""


def planned_calls() -> list[PlannedCall]:
    """The day's CALLS, mixed as they would come in: 60 that ought to be answered and 6 that ought not to."""
    short = [
        PlannedCall(
            caller="support-desk",
            messages=[{"role": "user", "content": f"{question} Answer in one sentence."}],
            max_tokens=32,
            stream=True,
            tags={"channel": "chat"},
        )
        for question in QUESTIONS
    ]
    long = [
        PlannedCall(
            caller="analyst",
            messages=[
                {"role": "system", "content": "You shorten notes. Keep every number."},
                {
                    "role": "user",
                    "content": f"Note {i + 1}. " + " ".join(NOTES[j % 4] for j in range(i, i + 1 + i % 4)),
                },
                {"role": "user", "content": "Give me the note in one sentence."},
            ],
            max_tokens=40,
            stream=i % 2 == 0,
        )
        for i in range(20)
    ]
    batch = [
        PlannedCall(
            caller="night-batch",
            messages=[{"role": "user", "content": f"One word, billing, technical or sales: {message}"}],
            max_tokens=6,
            tags={"job": "triage"},
        )
        for message in MESSAGES
    ]
    mixed = [planned for three in zip(short, long, batch, strict=True) for planned in three]
    for position, planned in zip((9, 20, 31, 42, 53, 60), going_wrong(), strict=True):
        mixed.insert(position, planned)
    return mixed


def going_wrong() -> list[PlannedCall]:
    hello = [{"role": "user", "content": "Hello?"}]
    return [
        PlannedCall(caller="analyst", messages=hello, max_tokens=8, model="gpt-17", expect="error"),
        PlannedCall(caller="night-batch", messages="not a list of messages", max_tokens=8, expect="error"),
        PlannedCall(
            caller="analyst", messages=[{"role": "user", "content": "word " * 9_000}], max_tokens=8, expect="error"
        ),
        PlannedCall(caller="nobody", messages=hello, max_tokens=8, expect="error"),
        PlannedCall(
            caller="support-desk",
            messages=[{"role": "user", "content": "Tell me the whole story of the sea, from the beginning."}],
            max_tokens=400,
            stream=True,
            expect="hung up",
        ),
        PlannedCall(caller="support-desk", messages=hello, max_tokens=-5, expect="error"),
    ]


async def send(
    url: str, keys: Mapping[str, str], day: Sequence[PlannedCall], *, at_once: int = 4, tick: Callable[[], None]
) -> SentCalls:
    """Send the calls through the endpoint at `url` with the official client, `at_once` at a time.

    `keys`: caller → secret; a caller without one sends a key that nobody issued. `tick` is called
    after each. A call that ends otherwise than it ought to is listed, not raised.
    """
    clients = {
        caller: AsyncOpenAI(base_url=f"{url}/v1", api_key=keys.get(caller, "db-nobody-issued-this"), max_retries=0)
        for caller in {planned.caller for planned in day}
    }
    gate = asyncio.Semaphore(at_once)
    outcomes: Counter[str] = Counter()
    surprises: list[str] = []

    async def one(planned: PlannedCall) -> None:
        async with gate:
            try:
                outcome = await _send(clients[planned.caller], planned)
                text = ""
            except APIError as error:
                outcome, text = "error", f": {error.message}"
        outcomes[outcome] += 1
        if outcome != planned.expect:
            surprises.append(f"a call of {planned.caller} ended as {outcome!r}, not {planned.expect!r}{text}")
        tick()

    try:
        await asyncio.gather(*(one(planned) for planned in day))
    finally:
        await asyncio.gather(*(client.close() for client in clients.values()))
    return SentCalls(outcomes=dict(outcomes), surprises=surprises)


async def _send(client: AsyncOpenAI, planned: PlannedCall) -> Outcome:
    headers = {"x-daybook-tags": ",".join(f"{name}={value}" for name, value in planned.tags.items())}
    if not planned.stream:
        await client.chat.completions.create(
            model=planned.model, messages=planned.messages, max_tokens=planned.max_tokens, extra_headers=headers
        )
        return "ok"
    stream = await client.chat.completions.create(
        model=planned.model,
        messages=planned.messages,
        max_tokens=planned.max_tokens,
        stream=True,
        extra_headers=headers,
    )
    seen = 0
    async with stream:
        async for _chunk in stream:
            seen += 1
            if planned.expect == "hung up" and seen == 6:
                return "hung up"
    return "ok"
