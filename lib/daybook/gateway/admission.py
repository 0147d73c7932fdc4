"""Whether a request is within its limits: reserved before anybody is asked, settled by what is entered in the book.

What a call may cost is bounded from above: a token for each byte of its text, a generous number for each picture that
is only named, `max_tokens` (or a large default) for each answer, at the dearest of the models that may answer. What
fails in a way that its upstream may bill counts at that bound. So a budget is kept to the cent, whoever asks at once.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from daybook.access.allowance import Allowance, Claim, LimitReached, Reached, Remaining, WindowUncounted
from daybook.access.limits import LimitsFile, Scope, ScopeLimits
from daybook.access.window_counts import WindowCounts
from daybook.clock import Clock, new_id
from daybook.errors import BookError, JournalError, SettingsError, UnknownModel
from daybook.gateway.http.asgi import Headers
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.inference.call.request import ChatRequest
from daybook.inference.call.tokens import prompt_tokens, text_tokens
from daybook.inference.ports import Observer, Reckon
from daybook.inference.shadow import ENDPOINT as SHADOW
from daybook.ports import Ledger
from daybook.records import Call, Event, Usage
from daybook.routing.route import Copy, RouteStep
from daybook.routing.router import Router

_UTC = ZoneInfo("UTC")
_CLOSING = 5.0
"""Seconds that are waited at the end for the book."""
LONGEST_ANSWER = 32_768
"""Tokens that are taken for an answer whose length the request does not bound."""
PICTURE = 25_000
"""Tokens that are taken for a picture, a sound or a file that is not in the request itself."""
UNBOUNDED = "unbounded"
"""The type of a part that stands for what is not in the request and has no bound of its own: a conversation kept
elsewhere, what tools of the upstream's own will read."""
LONGEST_PROMPT = 1_000_000
"""Tokens that are taken for such a part: the longest context of any model on offer."""
LONGEST_SECONDS = 600
"""Seconds that are taken for a call on a machine with a price by the hour."""


@dataclass(slots=True)
class _Open:
    scopes: Sequence[Scope]
    claim: Claim
    calls: bool = False
    """Whether it may be several calls."""
    cost: Decimal = Decimal(0)
    tokens: int = 0
    uncertain: bool = False
    """Whether an upstream may bill what nobody counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission(Observer):
    """Admits requests within `limits.yml`, and settles them as their calls are entered. Used from one event loop."""

    file: LimitsFile
    allowance: Allowance
    router: Router
    reckon: Reckon
    machine_rate: Callable[[str], Decimal | None]
    journal: Ledger
    clock: Clock
    windows: WindowCounts
    trouble: Callable[[str, Exception], None]
    """Told of what could not be settled: the reservation then stays, and counts as spent once the process has ended."""
    _open: dict[str, _Open] = field(default_factory=dict)
    _settling: set[asyncio.Task[None]] = field(default_factory=set)
    """What waits for the book, to be settled in a window that has just begun."""

    async def admit(self, request: ChatRequest, *, calls: bool = False) -> Headers:
        """Headers that say what is left. `calls`: the request may be several calls, and is settled when it is released.
        Raises a 429 or 413 Refusal with the figures, 503 where it cannot be known."""
        at = request.at
        try:
            scopes = self.file.scopes(request.caller, request.project)
            if not scopes:
                return []
            zone = self.file.zone
            _check_size(request.body, scopes)
            claim = self._claim(request, scopes)
            left = await self._reserve(request.request_id, scopes, claim, at, zone)
        except LimitReached as error:
            raise _refusal(error) from None
        except (SettingsError, BookError) as error:
            raise _unreadable() from error
        except asyncio.CancelledError:
            self._settle(request.request_id, _Open(scopes, Claim(amount=None)))  # it may have been reserved
            raise
        self._open[request.request_id] = _Open(scopes, claim, calls=calls)
        return _headers(left)

    async def extend(self, request: ChatRequest) -> None:
        """What is sent on is another body than was admitted: let it hold what this one may use more. Raises as
        `admit`."""
        entry = self._open.get(request.request_id)
        if entry is None:
            return
        try:
            claim, first = self._claim(request, entry.scopes), entry.claim
            amount = max(Decimal(0), (claim.amount or Decimal(0)) - (first.amount or Decimal(0)))
            more = Claim(amount=amount, tokens=max(0, claim.tokens - first.tokens))
            if more.amount or more.tokens:
                at, zone = request.at, self.file.zone
                await self.allowance.reserve_more(request.request_id, entry.scopes, more, at=at, zone=zone)
                entry.claim = Claim(amount=(first.amount or Decimal(0)) + amount, tokens=first.tokens + more.tokens)
        except LimitReached as error:
            raise _refusal(error) from None
        except (SettingsError, BookError) as error:
            raise _unreadable() from error

    async def _reserve(
        self, request_id: str, scopes: Sequence[Scope], claim: Claim, at: datetime, zone: ZoneInfo
    ) -> list[Remaining]:
        await self.windows.begin(scopes, at, zone)
        try:
            return await self.allowance.reserve_soon(request_id, scopes, claim, at=at, zone=zone)
        except WindowUncounted:  # a Redis that was emptied since
            await self.windows.begin(scopes, at, zone)
            return await self.allowance.reserve_soon(request_id, scopes, claim, at=at, zone=zone)

    async def aclose(self) -> None:
        """Settle what still can be, and put the ledger away."""
        self.allowance.flush()
        if self._settling:
            await asyncio.wait(self._settling, timeout=_CLOSING)
        for task in list(self._settling):
            task.cancel()
        await asyncio.gather(*self._settling, return_exceptions=True)
        await self.windows.aclose()
        self.allowance.close()

    def release(self, request_id: str) -> None:
        """The request is over. Whatever it had reserved and was not settled is free again."""
        if (entry := self._open.pop(request_id, None)) is not None:
            self._settle(request_id, entry)

    # ── told of what is entered ───────────────────────────────────────────────────────────────────────

    def entered(self, call: Call) -> None:
        entry = self._open.get(call.request_id)
        if entry is None or call.endpoint == SHADOW:
            return
        entry.tokens += (call.input_tokens or 0) + (call.output_tokens or 0)
        if call.cost is not None:
            entry.cost += call.cost
        elif call.provider is not None and (call.status == "client_closed" or call.price_note is not None):
            entry.uncertain = entry.uncertain or call.status != "ok"
        if call.status != "retried" and not entry.calls:
            del self._open[call.request_id]
            self._settle(call.request_id, entry)

    def withheld(self, error: JournalError, call: Call | None = None) -> None:
        if call is not None:
            self.entered(call)

    def _settle(self, request_id: str, entry: _Open) -> None:
        cost = max(entry.cost, entry.claim.amount or entry.cost) if entry.uncertain else entry.cost
        tokens = max(entry.tokens, entry.claim.tokens) if entry.uncertain else entry.tokens

        self._settle_soon(request_id, entry.scopes, cost, tokens, self.file.zone, part="limits")

    def _settle_soon(
        self, request_id: str, scopes: Sequence[Scope], cost: Decimal, tokens: int, zone: ZoneInfo, *, part: str
    ) -> None:
        """Settle it at the end of this turn; where a window has just begun, once the book has been asked."""
        at = self.clock.now()

        def settle(tell: Callable[[list[Reached] | Exception], None]) -> None:
            self.allowance.settle_soon(request_id, scopes, cost=cost, tokens=tokens, at=at, zone=zone, tell=tell)

        def first(outcome: list[Reached] | Exception) -> None:
            if isinstance(outcome, WindowUncounted):
                task = asyncio.get_running_loop().create_task(count())
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
            else:
                last(outcome)

        async def count() -> None:
            try:
                await self.windows.begin(scopes, at, zone)
            except Exception as error:
                self.trouble(part, error)
            else:
                settle(last)

        def last(outcome: list[Reached] | Exception) -> None:
            if isinstance(outcome, Exception):
                self.trouble(part, outcome)
                return
            for share in outcome:
                try:
                    self._tell(share, request_id)
                except Exception as error:  # a journal that is full: the call is settled all the same
                    self.trouble(part, error)

        settle(first)

    def _tell(self, reached: Reached, request_id: str) -> None:
        """Enter that a share of a budget was reached: whoever delivers alerts reads it there."""
        details = {
            "window": reached.window,
            "percent": reached.share,
            "spent": f"{reached.spent:f}",
            "budget": f"{reached.budget:f}",
        }
        self.journal.append(
            Event(
                id=new_id(),
                at=self.clock.now(),
                actor="endpoint",
                action="budget.reached",
                object=reached.scope,
                request_id=request_id,
                details=details,
            )
        )

    # ── the copies to a shadow ────────────────────────────────────────────────────────────────────────

    async def reserve(self, request: ChatRequest, copy: Copy) -> bool:
        """Whether a copy is within its deployment's budget of the UTC day: one without a known price is not."""
        most, unpriced = self._most_of(request, (copy.step,))
        if unpriced is not None:
            return False
        scopes = (_of(copy),)
        try:
            await self._reserve(f"{SHADOW} {request.request_id}", scopes, Claim(amount=most), request.at, _UTC)
        except LimitReached:
            return False
        except BookError as error:
            self.trouble("shadow", error)
            return False
        return True

    def settle(self, request: ChatRequest, copy: Copy, call: Call | None, *, billable: bool) -> None:
        cost = None if call is None else call.cost
        if cost is None:
            cost = self._most_of(request, (copy.step,))[0] if billable else Decimal(0)
        self._settle_soon(f"{SHADOW} {request.request_id}", (_of(copy),), cost, 0, _UTC, part="shadow")

    # ── what a call may use ───────────────────────────────────────────────────────────────────────────

    def _claim(self, request: ChatRequest, scopes: Iterable[Scope]) -> Claim:
        body = request.body
        limits = [scope.limits for scope in scopes]
        amount, unpriced = Decimal(0), None
        if any(each.budget for each in limits):
            amount, unpriced = self._most(request)
        tokens = _expected_tokens(body) if any(each.tokens_per_minute for each in limits) else 0
        if unpriced is not None:
            return Claim(amount=None, tokens=tokens, unpriced=unpriced)
        return Claim(amount=amount, tokens=tokens)

    def _most(self, request: ChatRequest) -> tuple[Decimal, str | None]:
        """US dollars that the call costs at most, and which of the models that may answer has no price."""
        if not isinstance(request.body.get("model"), str):
            return Decimal(0), None  # a task's own model, on this machine
        try:
            steps = self.router.route(request).steps
        except UnknownModel:
            return Decimal(0), None  # nobody will be asked
        return self._most_of(request, steps)

    def _most_of(self, request: ChatRequest, steps: Iterable[RouteStep]) -> tuple[Decimal, str | None]:
        body = request.body
        usage = Usage(input_tokens=_most_input(body), output_tokens=_most_output(body))
        most = Decimal(0)
        for step in steps:
            rate = self.machine_rate(step.upstream)
            if rate is not None:
                most = max(most, rate * LONGEST_SECONDS / 3600)
                continue
            cost = self.reckon(usage, provider=step.upstream, model=step.target, on=request.at)
            if cost.amount is None:
                return most, f"{step.upstream}/{step.target}"
            most = max(most, cost.amount)
        return most, None


def _of(copy: Copy) -> Scope:
    return Scope(f"{SHADOW} {copy.deployment}", ScopeLimits(budget={"day": copy.budget or Decimal(0)}))


_PROMPTS = ("messages", "input", "texts", "text")


def _prompts(body: Mapping[str, Any]) -> dict[str, Any]:
    """All that a prompt may stand in, whichever of them the model reads: what it does not read is sent on, too."""
    return {name: body[name] for name in _PROMPTS if isinstance(body.get(name), str | list)}


def _most_input(body: Mapping[str, Any]) -> int:
    """A token is at least a byte; what is only named (a picture's address, a file's id) may be many."""
    prompts = _prompts(body).values()
    given = [*prompts, body.get("tools"), body.get("functions"), body.get("response_format")]
    try:
        size = len(orjson.dumps(given))
    except TypeError:  # an integer over 64 bits, or more lists in one another than it writes
        try:
            size = len(json.dumps(given, ensure_ascii=False).encode())
        except RecursionError:
            raise bad_request("The request is nested too deeply to be counted.", remedy="Send flatter JSON.") from None
    return size + sum(map(_named, prompts))


def _named(messages: Any) -> int:
    """Tokens that are taken for what is only named."""
    if not isinstance(messages, list):
        return 0
    contents = (message.get("content") for message in messages if isinstance(message, dict))
    parts = (part for content in contents if isinstance(content, list) for part in content)
    kinds = (part.get("type") for part in parts if isinstance(part, dict))
    return sum(LONGEST_PROMPT if kind == UNBOUNDED else PICTURE for kind in kinds if kind != "text")


def _most_output(body: Mapping[str, Any]) -> int:
    if "messages" not in body:
        return 0
    asked = [body.get(name) for name in ("max_completion_tokens", "max_tokens")]
    stated = [n for n in asked if isinstance(n, int) and n > 0]
    return (max(stated) if stated else LONGEST_ANSWER) * _choices(body)


def _choices(body: Mapping[str, Any]) -> int:
    choices = body.get("n")
    return choices if isinstance(choices, int) and choices > 0 else 1


def _check_size(body: Mapping[str, Any], scopes: Iterable[Scope]) -> None:
    """Raise a 413 Refusal, with the figures, for a request that is larger than one of the scopes may send."""
    for scope in scopes:
        most = scope.limits.messages_per_request
        count = sum(len(prompt) if isinstance(prompt, list) else 1 for prompt in _prompts(body).values())
        if most is not None and count > most:
            raise Refusal(
                413,
                "too_many_messages",
                f"{scope.name} may send {most:,} messages in one request, and this one has {count:,}.",
                remedy="Leave out or summarise the oldest, or send less at once.",
            )
        most = scope.limits.tokens_per_request
        if most is not None and (total := _expected_tokens(body)) > most:
            into, asked = _expected_input(body), _asked(body)
            raise Refusal(
                413,
                "too_many_tokens",
                f"{scope.name} may use {most:,} tokens in one request, and this one needs up to {total:,}: about "
                f"{into:,} of its texts, and {asked:,} that it asks for.",
                remedy="Send less at once, or lower max_tokens.",
            )


def _expected_tokens(body: Mapping[str, Any]) -> int:
    """Tokens that are taken from a minute's until the call has counted its own: the prompt's, and those asked for."""
    return _expected_input(body) + _asked(body)


def _asked(body: Mapping[str, Any]) -> int:
    asked = [body.get(name) for name in ("max_completion_tokens", "max_tokens")]
    return max((n for n in asked if isinstance(n, int) and n > 0), default=0) * _choices(body)


def _expected_input(body: Mapping[str, Any]) -> int:
    prompts = _prompts(body)
    total = 0
    if (messages := prompts.pop("messages", None)) is not None:
        total += _message_tokens(messages)
    return total + sum(map(_text_tokens, prompts.values()))


def _message_tokens(messages: Any) -> int:
    try:
        tokens = prompt_tokens(messages)
    except (TypeError, AttributeError):  # no messages: of another API, which reads something else
        tokens = None
    return _text_tokens(messages) if tokens is None else tokens


def _text_tokens(prompt: Any) -> int:
    """Those of its texts; a token is one, and so is what only names something, such as a picture."""
    total, places = 0, [prompt]
    while places:
        item = places.pop()
        if isinstance(item, str):
            total += text_tokens(item)
        elif isinstance(item, list):
            places += item
        elif isinstance(item, dict) and ("content" in item or "text" in item):
            places += [item.get("content"), item.get("text")]
        elif item is not None:
            total += 1
    return total


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────


def _headers(left: Iterable[Remaining]) -> Headers:
    """OpenAI's `x-ratelimit-*`, of the tightest limit of each kind."""
    tightest: dict[str, Remaining] = {}
    for rate in left:
        if rate.kind not in tightest or rate.left < tightest[rate.kind].left:
            tightest[rate.kind] = rate
    headers: Headers = []
    for kind, rate in tightest.items():
        for what, value in (("limit", f"{rate.limit}"), ("remaining", f"{rate.left}"), ("reset", f"{rate.reset:.3f}s")):
            headers.append((f"x-ratelimit-{what}-{kind}".encode(), value.encode()))
    return headers


def _unreadable() -> Refusal:
    return Refusal(
        503,
        "limits_unreadable",
        "Whether this is within its limits cannot be known now.",
        remedy="Whoever runs this endpoint finds why in its log.",
    )


def _refusal(error: LimitReached) -> Refusal:
    code = "insufficient_quota" if error.limit == "budget" else "rate_limit_exceeded"
    headers: Headers = []
    if error.retry_after is not None:
        headers.append((b"retry-after", str(max(1, -int(-error.retry_after // 1))).encode()))
    if error.retry_after is None or error.limit == "budget":
        headers.append((b"x-should-retry", b"false"))
    return Refusal(429, code, error.message, remedy=error.remedy, headers=headers)
