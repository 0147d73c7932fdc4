"""One inference, from request to the entry about it: the only way a model is asked.

    resolve the model → ask its provider → measure → reckon the cost → append to the journal → hand over the answer

The order is the law: an answer is acknowledged (its last bytes handed over) only once the journal has it. So a whole
answer that cannot be entered is withheld, and a stream that cannot be entered ends without its `[DONE]`. While the
journal is full no upstream is asked at all: nobody pays for an answer that would be withheld. What was paid for and
withheld is entered, as such, as soon as there is room.

What is entered is what is known. Tokens are the upstream's count where it gave one; otherwise an estimate, flagged;
otherwise None. The cost is None wherever the rate or the tokens are unknown. Prompts and answers are kept only where
content is switched on; otherwise the prompt's digest is.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadRequest, DaybookError, JournalError
from daybook.inference.entry import CallEntry, CallOutcome, ChatRequest, error_kind
from daybook.inference.ports import ModelCatalogue, Observer, Providers, Reckon
from daybook.inference.stream import CompletionStream
from daybook.inference.tokens import estimated, text_tokens
from daybook.inference.upstreams import Identities
from daybook.ports import Ledger
from daybook.providers.port import Reply
from daybook.records import Call, Cost, Event

__all__ = ["Answerer", "ChatRequest", "Completion", "CompletionStream", "Ledger"]


@dataclass(frozen=True, slots=True)
class Completion:
    reply: Reply
    call: Call


class Answerer:
    """Asks models and enters what came of it.

    `pseudonym` turns the request's `user` into what the book may keep; without it no subject is kept and no `user`
    is sent on. Safe to use from one event loop.
    """

    def __init__(
        self,
        *,
        catalogue: ModelCatalogue,
        providers: Providers,
        journal: Ledger,
        reckon: Reckon,
        clock: Clock | None = None,
        content: bool = False,
        pseudonym: Callable[[str], str] | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.providers = providers
        self.clock = clock or SystemClock()
        self.stopping = False
        """Set when the process is going down: what is cut off from now on was not the client's doing."""
        self.open = 0
        """Calls being answered now."""
        self._journal = journal
        self._reckon = reckon
        self._content = content
        self._pseudonym = pseudonym
        self._observer = observer or Observer()
        self._identities = Identities(self.clock)
        self._withheld = 0
        self._waiting: deque[Call] = deque(maxlen=_MOST_WAITING)

    async def chat(self, request: ChatRequest) -> Completion:
        """A whole answer. Raises what the provider raised, UnknownModel, or JournalFull; each failed call is entered.
        Cancelling is the client going away: the upstream is cancelled and the call entered as client_closed."""
        draft = self._begin(request, stream=False)
        self.open += 1
        try:
            try:
                reply = await draft.provider.chat(draft.body)
            except asyncio.CancelledError:
                self.abandon(draft, CallOutcome(status="client_closed"))
                raise
            except Exception as error:
                self.fail(draft, error)
                raise
            usage = reply.usage or estimated(request.body, text_tokens(reply.text) if reply.text else None)
            outcome = CallOutcome(
                status="ok",
                http_status=200,
                usage=usage,
                served_model=reply.served_model,
                finish_reason=reply.finish_reason,
                truncated=reply.truncated,
                attempts=reply.attempts,
                answer=reply.text,
            )
            return Completion(reply, await self.conclude(draft, outcome))
        finally:
            self.open -= 1

    async def stream(self, request: ChatRequest) -> CompletionStream:
        """A streamed answer, its first chunk already read: a refusal is raised here, before anything is committed."""
        draft = self._begin(request, stream=True)
        self.open += 1
        try:
            return CompletionStream(self, draft, await draft.provider.stream(draft.body))
        except asyncio.CancelledError:
            self.open -= 1
            self.abandon(draft, CallOutcome(status="client_closed"))
            raise
        except Exception as error:
            self.open -= 1
            self.fail(draft, error)
            raise

    def refuse(self, request: ChatRequest, error: DaybookError) -> None:
        """Enter a call that was refused before any model was asked. Never raises."""
        self.fail(CallEntry(request, self.clock, content=False), error)

    # ── the steps ─────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, request: ChatRequest, *, stream: bool) -> CallEntry:
        """Everything before the model is asked. Raises, with the failed call entered, what is wrong already now."""
        self.recover(request.request_id)
        draft = CallEntry(request, self.clock, content=self._content, stream=stream)
        try:
            try:
                draft.weigh()
            except (TypeError, ValueError) as error:
                raise BadRequest(
                    f"The messages cannot be written as JSON ({type(error).__name__}).",
                    remedy="Send plain Unicode text.",
                ) from error
            model = self.catalogue.resolve(request.body["model"])
            draft.subject = self._subject(request)
            draft.address(self.providers[model.upstream], model.target)
        except Exception as error:
            self.fail(draft, error)
            raise
        draft.looking = self._identities.begin(draft.provider, model.target)
        return draft

    def recover(self, request_id: str | None = None) -> None:
        """Raise JournalFull while the journal is known to have no room, before anybody is paid.

        With room again, the calls that had been withheld are entered first: they were paid for."""
        if not self._withheld:
            return
        try:
            while self._waiting:
                self._journal.append(self._waiting[0])
                self._observer.entered(self._waiting.popleft())
            details = {"withheld": self._withheld}
            at, id_ = self.clock.now(), new_id()
            self._journal.append(
                Event(
                    id=id_, at=at, actor="endpoint", action="journal.recovered", request_id=request_id, details=details
                )
            )
        except JournalError as error:
            if request_id is not None:
                self._withheld += 1
                self._observer.withheld(error)
            raise
        self._withheld = 0

    async def conclude(self, draft: CallEntry, outcome: CallOutcome) -> Call:
        """Enter a call that was answered. Raises JournalFull. A client who goes away just now is entered too."""
        try:
            identity = await self._identities.settle(draft.looking)
        except asyncio.CancelledError:
            self.abandon(draft, outcome)
            raise
        return self.enter(draft.call(outcome, identity, self._cost(draft, outcome)))

    def enter(self, call: Call) -> Call:
        """Append to the journal, then tell the observer. Raises JournalFull; the call waits to be entered as what it
        then is, an answer that was withheld."""
        try:
            self._journal.append(call)
        except JournalError as error:
            self._withheld += 1
            if call.status == "ok":
                seen = 200 if call.stream else error.http_status
                call = replace(call, status="error", error_kind=error_kind(error), http_status=seen)
            self._waiting.append(call)
            self._observer.withheld(error)
            raise
        self._observer.entered(call)
        return call

    def fail(self, draft: CallEntry, error: Exception, outcome: CallOutcome | None = None) -> Call | None:
        """Enter a call that failed. A full journal does not hide the failure from the caller; it is counted."""
        draft.looking.drop()
        attempts = getattr(error, "attempts", 1)
        status = error.http_status if isinstance(error, DaybookError) else 500
        outcome = outcome or CallOutcome(status="error", http_status=status, attempts=attempts)
        outcome.status = "error"
        outcome.error_kind = error_kind(error)
        return self._enter_anyway(draft, outcome)

    def abandon(self, draft: CallEntry, outcome: CallOutcome) -> Call | None:
        """Enter a call that was cut off, with what was seen of it: by the client, or by our own going down."""
        outcome.status = "error" if self.stopping else "client_closed"
        outcome.error_kind = "shutdown" if self.stopping else None
        call = self._enter_anyway(draft, outcome)
        draft.looking.drop()
        return call

    def _enter_anyway(self, draft: CallEntry, outcome: CallOutcome) -> Call | None:
        call = draft.call(outcome, draft.looking.now(), self._cost(draft, outcome))
        try:
            return self.enter(call)
        except JournalError:
            return None

    def _subject(self, request: ChatRequest) -> str | None:
        person = request.body.get("safety_identifier") or request.body.get("user")
        return self._pseudonym(person) if self._pseudonym and isinstance(person, str) else None

    def _cost(self, draft: CallEntry, outcome: CallOutcome) -> Cost | None:
        """What the call cost, by the model that answered or, where that has no rate, by the one asked for."""
        if outcome.usage is None or draft.target is None:
            return None
        try:
            cost = self._rate(draft, outcome, outcome.served_model or draft.target)
            if cost.amount is None and outcome.served_model not in (None, draft.target):
                cost = self._rate(draft, outcome, draft.target)
        except Exception as error:  # a fault in reckoning makes the call unpriced, not failed
            self._observer.fault("reckon", error)
            return None
        return cost

    def _rate(self, draft: CallEntry, outcome: CallOutcome, model: str) -> Cost:
        assert outcome.usage is not None
        return self._reckon(outcome.usage, provider=draft.provider.name, model=model, on=draft.request.at)


_MOST_WAITING = 1024
"""Withheld calls kept to be entered later; the oldest go first. Requests are refused from the first one on, so only
those under way at that moment come to wait."""
