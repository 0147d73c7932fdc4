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
from collections.abc import Callable
from functools import partial

from daybook.clock import Clock, SystemClock
from daybook.errors import BadRequest, DaybookError
from daybook.inference.entry import CallEntry, CallOutcome
from daybook.inference.ports import ModelCatalogue, Observer, Providers, Reckon
from daybook.inference.recorder import Completion, Recorder
from daybook.inference.request import ChatRequest
from daybook.inference.stream import CompletionStream
from daybook.inference.tokens import estimated, text_tokens
from daybook.ports import Ledger
from daybook.providers.port import Reply


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
        self.recorder = Recorder(journal=journal, reckon=reckon, clock=self.clock, observer=observer or Observer())
        self._content = content
        self._pseudonym = pseudonym

    async def chat(self, request: ChatRequest) -> Completion[Reply]:
        """A whole answer. Raises what the provider raised, UnknownModel, or JournalFull; each failed call is entered.
        Cancelling is the client going away: the upstream is cancelled and the call entered as client_closed."""
        entry = self._begin(request, stream=False)
        return await self.recorder.complete(entry, entry.provider.chat(entry.body), partial(_outcome, request))

    async def stream(self, request: ChatRequest) -> CompletionStream:
        """A streamed answer, its first chunk already read: a refusal is raised here, before anything is committed."""
        recorder, entry = self.recorder, self._begin(request, stream=True)
        recorder.open += 1
        try:
            return CompletionStream(recorder, entry, await entry.provider.stream(entry.body))
        except asyncio.CancelledError:
            recorder.open -= 1
            recorder.abandon(entry, CallOutcome(status="client_closed"))
            raise
        except Exception as error:
            recorder.open -= 1
            recorder.fail(entry, error)
            raise

    def refuse(self, request: ChatRequest, error: DaybookError) -> None:
        """Enter a call that was refused before any model was asked. Never raises."""
        self.recorder.fail(CallEntry(request, self.clock, content=False), error)

    # ── the steps ─────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, request: ChatRequest, *, stream: bool) -> CallEntry:
        """Everything before the model is asked. Raises, with the failed call entered, what is wrong already now."""
        self.recorder.recover(request.request_id)
        entry = CallEntry(request, self.clock, content=self._content, stream=stream)
        try:
            try:
                entry.hash_prompt(request.body["messages"])
            except RecursionError as error:
                raise BadRequest("The messages are nested too deeply.", remedy="Send flatter ones.") from error
            except (TypeError, ValueError) as error:
                raise BadRequest(
                    f"The messages cannot be written as JSON ({type(error).__name__}).",
                    remedy="Send plain Unicode text.",
                ) from error
            model = self.catalogue.resolve(request.body["model"])
            entry.subject = self._subject(request)
            entry.address(self.providers[model.upstream], model.target)
        except Exception as error:
            self.recorder.fail(entry, error)
            raise
        entry.looking = self.recorder.identities.begin(entry.provider, model.target)
        return entry

    def _subject(self, request: ChatRequest) -> str | None:
        person = request.body.get("safety_identifier") or request.body.get("user")
        return self._pseudonym(person) if self._pseudonym and isinstance(person, str) else None


def _outcome(request: ChatRequest, reply: Reply) -> CallOutcome:
    texts = (reply.text, *reply.others)
    size = sum(map(text_tokens, texts))
    return CallOutcome(
        status="ok",
        http_status=200,
        usage=reply.usage or estimated(request.body, size or None),
        served_model=reply.served_model,
        finish_reason=reply.finish_reason,
        truncated=reply.truncated,
        attempts=reply.attempts,
        answers=texts,
    )
