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
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar, cast

from daybook.clock import Clock, SystemClock
from daybook.errors import BadRequest, DaybookError, ProviderError, UpstreamTimeout
from daybook.guardrails.caller_turns import CallerTurns
from daybook.guardrails.moderation import ModerationPolicies
from daybook.inference.call.entry import CallEntry, CallOutcome, FellBack
from daybook.inference.call.identity import PendingIdentity
from daybook.inference.call.machine_time import MachineTime
from daybook.inference.call.offload import offload
from daybook.inference.call.request import ChatRequest, Redaction
from daybook.inference.call.tokens import estimated, text_tokens
from daybook.inference.moderation import CallModeration
from daybook.inference.ports import Observer, Providers, Reckon
from daybook.inference.recorder import Completion, Recorder
from daybook.inference.response_cache import CachedAsking, ResponseCache, key_of
from daybook.inference.shadow import CopyOrder, Shadow
from daybook.inference.stream import CompletionStream, withheld_answer
from daybook.ports import Ledger
from daybook.providers.embedding import Embedder, EmbeddingReply
from daybook.providers.moderation import ModerationReply, Moderator
from daybook.providers.port import NoteAttempt, Provider, Reply, SharedProcess, Stream
from daybook.providers.responder import Responder
from daybook.records import Call
from daybook.routing.route import Copy, Route, RouteStep, failure_kind
from daybook.routing.router import FindDeployment, ModelCatalogue, Router

Answer = TypeVar("Answer")
FindRedaction = Callable[[str | None, str | None], Redaction | None]
"""What is taken out for a caller's name and a project."""
Ask = Callable[[Provider, CallEntry, NoteAttempt], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A request that may be answered: its entry, not yet addressed, and who may answer."""

    entry: CallEntry
    route: Route


class Answerer:
    """Asks models and enters what came of it.

    `pseudonym` turns the request's `user` into what the book may keep; without it no subject is kept and no `user`
    is sent on. `machine_rate` of an upstream: US dollars an hour of the machine it runs on. `deployment`: the
    deployment of a name. `knows`: see `Recorder`. `cache`: answers that are kept, where any are. Safe to use from one
    event loop.
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
        machine_rate: Callable[[str], Decimal | None] = lambda _upstream: None,
        deployment: FindDeployment = lambda _name: None,
        knows: Callable[[str], bool] = lambda _name: False,
        cache: ResponseCache | None = None,
        redaction: FindRedaction = lambda _caller, _project: None,
        moderation: ModerationPolicies | None = None,
    ) -> None:
        self.catalogue = catalogue
        self.providers = providers
        self.clock = clock or SystemClock()
        self.recorder = Recorder(
            journal=journal, reckon=reckon, clock=self.clock, observer=observer or Observer(), knows=knows
        )
        self.router = Router(catalogue, self.clock, deployment)
        self.machines = MachineTime(machine_rate, self.clock)
        self.turns = CallerTurns()
        """At the models of this machine that share a process."""
        self.shadow = Shadow(self.clock, self.recorder.observer.copied)
        self.cache = cache
        self._cached = None if cache is None else CachedAsking(cache, self.recorder.observer.fault)
        self.redaction = redaction
        self.moderation = None if moderation is None else CallModeration(moderation, self.recorder, journal, self.clock)
        self._content = content
        self._pseudonym = pseudonym

    async def chat(self, request: ChatRequest) -> Completion[Reply]:
        """A whole answer. Raises what the provider raised, UnknownModel, or JournalFull; each failed call is entered.
        Cancelling is the client going away: the upstream is cancelled and the call entered as client_closed."""
        rules = None if self.moderation is None else await self.moderation.judge_request(request)
        ask = _chat if self._cached is None or request.redaction is not None else self._cached_chat
        entry, (reply, outcome) = await self._ask(request, ask, stream=False)
        try:
            if self.moderation is not None and rules is not None and rules.answer is not None:
                await self.moderation.judge_reply(rules, entry, reply, outcome)
            if request.redaction is not None and request.redaction.redacts_answers:
                reply = await self._redacted(entry, reply, outcome, request.redaction)
            return Completion(reply, await self.recorder.conclude(entry, outcome), entry.fell_back, entry.native)
        finally:
            self.recorder.open -= 1

    async def stream(self, request: ChatRequest) -> CompletionStream:
        """A streamed answer, its first chunk already read: a refusal is raised here, before anything is committed."""
        rules = None if self.moderation is None else await self.moderation.judge_request(request)
        judge = None
        if self.moderation is not None and rules is not None and rules.answer is not None:
            judge = self.moderation.judge_stream(rules, request)
            request = replace(request, chunks_only=True)
        ask = _stream if self._cached is None or request.redaction is not None else self._cached_stream
        entry, stream = await self._ask(request, ask, stream=True)
        return CompletionStream(self.recorder, entry, stream, judge)

    async def _redacted(self, entry: CallEntry, reply: Reply, outcome: CallOutcome, redaction: Redaction) -> Reply:
        """The reply as it may go out. Raises RedactionFailed, with the call entered as failed: it was paid for. Where
        the client goes away meanwhile, it is entered too."""
        try:
            return await offload(len(reply.data), partial(_without, redaction), reply)
        except asyncio.CancelledError:
            self.recorder.abandon(entry, outcome)
            raise
        except Exception as error:
            failure = withheld_answer(error)
            self.recorder.fail(entry, failure, outcome)
            raise failure from None

    async def embed(self, request: ChatRequest) -> Completion[EmbeddingReply]:
        """Embeddings of the request's `input`. Raises as `chat`, and BadRequest where the model makes none."""
        if self.moderation is not None:
            await self.moderation.judge_request(request)
        ask = _embed if self._cached is None or request.redaction is not None else self._cached_embed
        entry, (reply, outcome) = await self._ask(request, self._in_turn(ask), stream=False, prompt="input")
        try:
            return Completion(reply, await self.recorder.conclude(entry, outcome), entry.fell_back)
        finally:
            self.recorder.open -= 1

    async def moderate(self, request: ChatRequest) -> Completion[ModerationReply]:
        """Verdicts on the request's `input`, which no policy judges: it is there to be judged. Raises as `chat`, and
        BadRequest where the model gives none."""
        entry, (reply, outcome) = await self._ask(request, self._in_turn(_moderate), stream=False, prompt="input")
        try:
            return Completion(reply, await self.recorder.conclude(entry, outcome), entry.fell_back)
        finally:
            self.recorder.open -= 1

    def refuse(self, request: ChatRequest, error: DaybookError) -> None:
        """Enter a call that was refused before any model was asked. Never raises."""
        self.recorder.fail(CallEntry(request, self.clock, content=False), error)

    # ── the steps ─────────────────────────────────────────────────────────────────────────────────────

    async def _ask(
        self, request: ChatRequest, ask: Ask[Answer], *, stream: bool, prompt: str = "messages"
    ) -> tuple[CallEntry, Answer]:
        """The first answer of the models that may give one, and the entry about it. On return the call counts as
        open. Raises what the last one raised; whoever was asked is entered."""
        begun = self._begin(request, stream=stream, prompt=prompt)
        if (copy := begun.route.copy) is not None:
            make = partial(self._copy, ask=_chat if stream else ask, prompt=prompt)
            begun.entry.copied = partial(self.shadow.offer, CopyOrder(request, copy, make))
        entry, route, recorder, router = begun.entry, begun.route, self.recorder, self.router
        ends = None if route.deadline is None else asyncio.get_running_loop().time() + route.deadline
        step = router.first(route)
        recorder.open += 1
        try:
            while True:
                try:
                    await entry.keep_prompt()
                    self._address(entry, route, step)
                    answer = await self._attempt(entry, route, ends, ask)
                except asyncio.CancelledError:
                    router.released(route, step)
                    recorder.abandon(entry, CallOutcome(status="client_closed"))
                    raise
                except ProviderError as error:
                    follower = router.follower(
                        route, step, error, late=isinstance(error, _DeadlinePassed) or _over(ends)
                    )
                    if follower is None:
                        recorder.fail(entry, error)
                        raise
                    recorder.retry(entry, error)
                    recorder.observer.fell_back(request.request_id, step, follower, failure_kind(error))
                    step = follower
                except Exception as error:
                    router.released(route, step)
                    recorder.fail(entry, error)
                    raise
                else:
                    router.answered(route, step)
                    return entry, answer
        except BaseException:
            recorder.open -= 1
            raise

    async def _copy(self, request: ChatRequest, copy: Copy, *, ask: Ask[Any], prompt: str) -> Call:
        """The entry about a copy that the candidate answered. Raises what it raised; it is entered all the same."""
        entry = self._entry(request, stream=False)
        entry.hash_prompt(request.body[prompt])
        await entry.keep_prompt()
        entry.variant, entry.subject = copy.variant, self._subject(request)
        self._address(entry, Route((copy.step,)), copy.step)
        answering = ask(entry.provider, entry, partial(self._note, entry))
        return (await self.recorder.complete(entry, answering, lambda answered: answered[1])).call

    async def _attempt(
        self,
        entry: CallEntry,
        route: Route,
        ends: float | None,
        ask: Ask[Answer],
    ) -> Answer:
        """One step's answer. Raises what the provider raises, and UpstreamTimeout at the route's deadline."""
        note = partial(self._note, entry)
        if ends is None:
            return await ask(entry.provider, entry, note)
        try:
            async with asyncio.timeout_at(ends):
                return await ask(entry.provider, entry, note)
        except TimeoutError:
            error = _DeadlinePassed(
                f"No answer within the {route.deadline:g} s of {route.steps[0].name}'s deadline.",
                remedy="Ask for a shorter answer, or raise deadline in models.yml.",
            )
            error.final = error.billable = True
            raise error from None

    def _in_turn(self, ask: Ask[Answer]) -> Ask[Answer]:
        """The same, in the caller's turn where the models share a process: who asks much waits for itself."""

        async def asked(provider: Provider, entry: CallEntry, note: NoteAttempt) -> Answer:
            if not isinstance(provider, SharedProcess):
                return await ask(provider, entry, note)
            async with self.turns.take(entry.request.caller):
                return await ask(provider, entry, note)

        return asked

    def _note(self, entry: CallEntry, error: ProviderError, seconds: float) -> None:
        self.recorder.retry(entry, error, seconds=seconds)

    def _begin(self, request: ChatRequest, *, stream: bool, prompt: str) -> _Begun:
        """Everything before a model is asked. Raises, with the failed call entered, what is wrong already.
        `prompt`: the member of the body that holds it."""
        self.recorder.recover(request.request_id)
        entry = self._entry(request, stream=stream)
        try:
            try:
                entry.hash_prompt(request.body[prompt])
            except RecursionError as error:
                raise BadRequest("The messages are nested too deeply.", remedy="Send flatter ones.") from error
            except (TypeError, ValueError) as error:
                raise BadRequest(
                    f"The messages cannot be written as JSON ({type(error).__name__}).",
                    remedy="Send plain Unicode text.",
                ) from error
            route = self.router.route(request)
            entry.variant = route.variant
            entry.subject = self._subject(request)
            for step in route.steps:
                self.providers[step.upstream]
            if request.native is not None and request.native.untranslatable is not None:
                route = self._with_native_fallbacks(route)
        except Exception as error:
            self.recorder.fail(entry, error)
            raise
        return _Begun(entry, route)

    def _entry(self, request: ChatRequest, *, stream: bool) -> CallEntry:
        """A new entry. Raises SettingsError where content is kept and it cannot be known how."""
        redaction = request.redaction
        if self._content and redaction is None:
            redaction = self.redaction(request.caller, request.project)
        return CallEntry(request, self.clock, content=self._content, stream=stream, redaction=redaction)

    def _with_native_fallbacks(self, route: Route) -> Route:
        """The route without the fallbacks that could only refuse the request: the failure before them says more."""
        later = (step for step in route.steps[1:] if _speaks_responses(self.providers[step.upstream]))
        return replace(route, steps=(route.steps[0], *later))

    def _address(self, entry: CallEntry, route: Route, step: RouteStep) -> None:
        provider = self.providers[step.upstream]
        try:
            entry.address(provider, step.target)
        except DaybookError as error:  # asked in words that have no others for this provider
            raise BadRequest(error.message, remedy=error.remedy, attempts=0) from error
        entry.fell_back = None if step is route.steps[0] else FellBack(route.steps[0].name, step.name)
        entry.looking = self.recorder.identities.begin(provider, step.target)
        entry.share = self.machines.begin(step.upstream)

    # ── kept answers ──────────────────────────────────────────────────────────────────────────────────

    async def _cached_chat(self, provider: Provider, entry: CallEntry, note: NoteAttempt) -> tuple[Reply, CallOutcome]:
        key = key_of(entry, await self.recorder.identities.settle(entry.looking))
        if key is None or self._cached is None:
            return await _chat(provider, entry, note)
        reply = await self._cached.chat(entry, key, lambda: provider.chat(entry.body, note))
        return reply, _outcome(entry.request, reply)

    async def _cached_stream(self, provider: Provider, entry: CallEntry, note: NoteAttempt) -> Stream:
        key = key_of(entry, await self.recorder.identities.settle(entry.looking))
        if key is None or self._cached is None:
            return await _stream(provider, entry, note)
        return await self._cached.stream(entry, key, lambda: provider.stream(entry.body, note))

    async def _cached_embed(
        self, provider: Provider, entry: CallEntry, note: NoteAttempt
    ) -> tuple[EmbeddingReply, CallOutcome]:
        """Models of this machine say with their first answer which weights they are: nothing is kept before."""
        identity = await self.recorder.identities.settle(entry.looking)
        key = key_of(entry, identity)
        unknown = identity is None or (isinstance(provider, SharedProcess) and identity.digest is None)
        if key is None or unknown or self._cached is None or not isinstance(provider, Embedder):
            return await _embed(provider, entry, note)
        reply = await self._cached.embed(entry, key, lambda: provider.embed(entry.body, note))
        return reply, _embedded(entry, reply)

    def _subject(self, request: ChatRequest) -> str | None:
        person = request.body.get("safety_identifier") or request.body.get("user")
        return self._pseudonym(person) if self._pseudonym and isinstance(person, str) else None


def _without(redaction: Redaction, reply: Reply) -> Reply:
    """The reply without what a policy takes out."""
    text, *others = [redaction.answer_text(answer) for answer in (reply.text, *reply.others)]
    return replace(reply, data=redaction.answer(reply.data), text=text, others=tuple(others))


class _DeadlinePassed(UpstreamTimeout):
    """The route's, not an upstream's: nobody else has time to answer. The clock alone does not say it: the timer of an
    event loop may ring a millisecond early."""


async def _chat(provider: Provider, entry: CallEntry, note: NoteAttempt) -> tuple[Reply, CallOutcome]:
    responder = _responder(provider, entry)
    if responder is None:
        reply = await provider.chat(entry.body, note)
    else:
        reply = await responder.respond(entry.native_body(), note)
    return reply, _outcome(entry.request, reply)


async def _embed(provider: Provider, entry: CallEntry, note: NoteAttempt) -> tuple[EmbeddingReply, CallOutcome]:
    if not isinstance(provider, Embedder):
        raise BadRequest(f"{provider.name} makes no embeddings.", remedy="Ask another model for them.", attempts=0)
    reply = await provider.embed(entry.body, note)
    return reply, _embedded(entry, reply)


def _embedded(entry: CallEntry, reply: EmbeddingReply) -> CallOutcome:
    if reply.identity is not None:
        entry.looking.drop()
        entry.looking = PendingIdentity(reply.identity, None)
    usage = reply.usage and replace(reply.usage, output_tokens=reply.usage.output_tokens or 0)
    return CallOutcome(
        status="ok",
        http_status=200,
        usage=usage,
        served_model=reply.served_model,
        truncated=reply.truncated,
        attempts=reply.attempts,
    )


async def _moderate(provider: Provider, entry: CallEntry, note: NoteAttempt) -> tuple[ModerationReply, CallOutcome]:
    """OpenAI counts no tokens of a moderation: they are not known."""
    if not isinstance(provider, Moderator):
        raise BadRequest(
            f"{provider.name} moderates nothing.", remedy="Ask minilm-moderation or omni-moderation-latest.", attempts=0
        )
    reply = await provider.moderate(entry.body, note)
    if reply.identity is not None:
        entry.looking.drop()
        entry.looking = PendingIdentity(reply.identity, None)
    return reply, CallOutcome(
        status="ok",
        http_status=200,
        usage=reply.usage,
        served_model=reply.served_model,
        truncated=reply.truncated,
        attempts=reply.attempts,
    )


def _stream(provider: Provider, entry: CallEntry, note: NoteAttempt) -> Awaitable[Stream]:
    responder = _responder(provider, entry)
    if responder is None:
        return provider.stream(entry.body, note)
    return responder.stream_response(entry.native_body(), note)


def _responder(provider: Provider, entry: CallEntry) -> Responder | None:
    """The provider, where it takes the request in the API that it came in. Raises why the request cannot be translated,
    where it would have to be."""
    request = entry.request
    native, redaction = request.native, request.redaction
    if native is None:
        return None
    as_chunks = request.chunks_only or (redaction is not None and redaction.redacts_answers)
    if _speaks_responses(provider) and not as_chunks:
        entry.native = True
        return cast("Responder", provider)
    if native.untranslatable is not None:
        raise native.untranslatable
    return None


def _speaks_responses(provider: Provider) -> bool:
    return isinstance(provider, Responder) and provider.speaks_responses


def _over(ends: float | None) -> bool:
    return ends is not None and asyncio.get_running_loop().time() >= ends


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
