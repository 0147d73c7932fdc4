"""Requests and answers of calls, judged by the policies of a home, and what is entered of the verdicts.

A whole answer is judged before any of it is given. A stream is judged piecewise: pieces are held back until a sentence
has ended, or `WINDOW` characters came, and go on once these were judged, together with what stood before them. One that
is flagged ends the stream with the reason `content_filter`; what was given by then was judged, and stays.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from daybook.clock import Clock, new_id
from daybook.errors import BadRequest, ContentFlagged, DaybookError, NotModerated
from daybook.guardrails.moderation import ModerationPolicies, ModerationRules, ModerationVerdict
from daybook.guardrails.streamed_answer import StreamedAnswer
from daybook.guardrails.texts import answer_texts, has_tokens, request_texts
from daybook.inference.call.entry import CallEntry, CallOutcome
from daybook.inference.call.request import ChatRequest
from daybook.inference.recorder import Recorder
from daybook.ports import Ledger
from daybook.providers.port import Piece, Reply
from daybook.records import Event, Outcome


class CallModeration:
    """Judges what calls ask and answer, by `policies`; enters what came of it in `journal`."""

    def __init__(self, policies: ModerationPolicies, recorder: Recorder, journal: Ledger, clock: Clock) -> None:
        self._policies = policies
        self._recorder = recorder
        self._journal = journal
        self._clock = clock

    async def judge_request(self, request: ChatRequest) -> ModerationRules | None:
        """What a policy says of this call, once its request is through. Raises ContentFlagged, NotModerated, and
        BadRequest for tokens, which nobody can judge; the refused call is entered."""
        try:
            rules = self._policies.rules(request.caller, request.project)
            if rules is None:
                return None
            if rules.request is not None:
                _require_text(request)
            verdict = await self._policies.check(rules, "request", _request_texts(request), caller=request.caller)
        except asyncio.CancelledError:
            entry = CallEntry(request, self._clock, content=False)
            self._recorder.abandon(entry, CallOutcome(status="client_closed"))
            raise
        except Exception as error:
            failure = not_moderated("request", error)
            self._recorder.fail(CallEntry(request, self._clock, content=False), failure)
            self.enter_flagged(request, failure)
            raise failure from failure.__cause__
        self._enter_verdict(request, verdict)
        return rules

    async def judge_reply(self, rules: ModerationRules, entry: CallEntry, reply: Reply, outcome: CallOutcome) -> None:
        """Raises ContentFlagged or NotModerated, with the call entered as failed: it was paid for. Where the client
        goes away meanwhile, it is entered too."""
        try:
            texts = dict.fromkeys([reply.text, *reply.others, *answer_texts(reply.data)])
            verdict = await self._policies.check(rules, "answer", list(texts), caller=entry.request.caller)
            self._enter_verdict(entry.request, verdict)
        except asyncio.CancelledError:
            self._recorder.abandon(entry, outcome)
            raise
        except Exception as error:
            failure = not_moderated("answer", error)
            self._recorder.fail(entry, failure, outcome)
            self.enter_flagged(entry.request, failure)
            raise failure from failure.__cause__

    def judge_stream(self, rules: ModerationRules, request: ChatRequest) -> StreamModeration:
        """What judges one streamed answer."""
        noted: set[str] = set()
        failed = False

        async def judge(texts: list[str]) -> None:
            nonlocal failed
            if failed:  # nobody could judge, and that is allowed: whoever waits is not kept for each sentence again
                return
            try:
                verdict = await self._policies.check(rules, "answer", texts, caller=request.caller)
            except Exception as error:
                failure = not_moderated("answer", error)
                raise failure from failure.__cause__
            failed = verdict is not None and verdict.failure is not None
            if verdict is not None and (failed or not noted.issuperset(verdict.categories)):
                self._enter_verdict(request, verdict)
                noted.update(verdict.categories)

        return StreamModeration(judge, lambda error: self.enter_flagged(request, error))

    def enter_flagged(self, request: ChatRequest, error: Exception) -> None:
        if isinstance(error, ContentFlagged):
            self._enter(request, "blocked", "refused", part=error.part, categories=list(error.categories))

    def _enter_verdict(self, request: ChatRequest, verdict: ModerationVerdict | None) -> None:
        if verdict is not None and verdict.failure is not None:
            self._enter(request, "skipped", "done", part=verdict.part, failure=verdict.failure)
        elif verdict is not None and verdict.categories:
            self._enter(request, "noted", "done", part=verdict.part, categories=list(verdict.categories))

    def _enter(self, request: ChatRequest, word: str, outcome: Outcome, **details: Any) -> None:
        """An event without a word of what was said."""
        self._journal.append(
            Event(
                id=new_id(),
                at=self._clock.now(),
                actor=f"key:{request.caller}" if request.caller else "endpoint",
                action=f"moderation.{word}",
                object=self._recorder.kept_model(request),
                request_id=request.request_id,
                outcome=outcome,
                details=details,
            )
        )


class StreamModeration:
    """Judges the pieces of one stream. `judge` raises ContentFlagged for texts that go no further, and NotModerated
    where nobody can judge and that is not allowed; `enter_flagged` is told of the former once the call is entered."""

    def __init__(
        self, judge: Callable[[list[str]], Awaitable[None]], enter_flagged: Callable[[ContentFlagged], None]
    ) -> None:
        self.flagged: ContentFlagged | None = None
        """Why the stream ended before its time."""
        self.enter_flagged = enter_flagged
        self._judge = judge

    async def passed(self, pieces: AsyncIterator[Piece], see: Callable[[Piece], None]) -> AsyncIterator[Piece]:
        """The pieces that may go on; `see` is told of each as it comes. In place of the first one that may not comes
        the end of the stream."""
        answer = StreamedAnswer()
        held: list[Piece] = []
        try:
            async for piece in pieces:
                see(piece)
                if not _add(answer, piece) and not piece.last:
                    yield piece  # it keeps the connection open, and need not wait
                    continue
                held.append(piece)
                if texts := answer.due(closing=piece.last):
                    await self._judge(texts)
                elif answer.waiting:
                    continue
                answer.pass_on()
                for passing in held:
                    yield passing
                held = []
            if texts := answer.due(closing=True):  # a stream without its last piece
                await self._judge(texts)
            for passing in held:
                yield passing
        except ContentFlagged as flagged:
            self.flagged = flagged
            yield Piece(data=answer.ending("content_filter"), last=True)


def _add(answer: StreamedAnswer, piece: Piece) -> bool:
    """Whether it says anything."""
    try:
        return answer.add(piece.data)
    except Exception as error:  # whatever it is: what cannot be read was not judged
        raise not_moderated("answer", error) from error


def not_moderated(part: str, error: Exception) -> DaybookError:
    """What whoever asks is told of it: of a fault its kind, and nothing of the text."""
    if isinstance(error, DaybookError):
        return error
    failure = NotModerated(
        f"The {part} could not be moderated ({type(error).__name__}), and goes no further.",
        remedy="Ask again; if it stays so, whoever runs this endpoint finds the request in its log.",
    )
    failure.__cause__ = error
    return failure


def _require_text(request: ChatRequest) -> None:
    if has_tokens(request.body):
        raise BadRequest(
            "Under this key's policy requests are judged, and `input` has tokens in place of text.",
            remedy="Send the text itself.",
            attempts=0,
        )


def _request_texts(request: ChatRequest) -> list[str]:
    native: Mapping[str, Any] | None = None if request.native is None else request.native.body
    return request_texts(request.body, native)
