"""A streamed answer on its way to whoever asked, and what is learnt of it as it passes."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from msgspec import structs

from daybook.errors import RedactionFailed, StreamBroken
from daybook.inference.call.entry import CallEntry, CallOutcome
from daybook.inference.call.offload import offload
from daybook.inference.call.request import EventRedaction
from daybook.inference.call.tokens import answer_tokens, estimated
from daybook.inference.moderation import StreamModeration
from daybook.inference.recorder import Recorder
from daybook.providers.port import Piece, Stream
from daybook.records import Call


class CompletionStream:
    """An open streamed answer: iterate over its bytes, then `aclose` it, whatever happened.

    Before the last bytes are handed over, the call is in the journal. Iterating raises StreamBroken (or another
    ProviderError) where the upstream failed midway, and JournalFull where the call could not be entered; `aclose`
    before the end is the client going away.
    """

    def __init__(
        self, recorder: Recorder, entry: CallEntry, stream: Stream, judge: StreamModeration | None = None
    ) -> None:
        self.call: Call | None = None
        """The entry; None until the stream ended, and where it could not be entered."""
        self.limits = stream.limits
        self.fell_back = entry.fell_back
        self.variant = entry.variant
        self.cache_hit = entry.cache_hit
        self.native = entry.native
        """Whether the events are of the API that the request came in, and not chunks of a chat completion."""
        self._recorder = recorder
        self._entry = entry
        self._stream = stream
        redaction = entry.request.redaction
        self._judge = judge
        self._pieces: AsyncIterator[Piece] = stream.__aiter__()
        if judge is not None:
            self._pieces = judge.passed(self._pieces, self._see)
        if redaction is not None and redaction.redacts_answers:
            self._pieces = _redacted(self._pieces, redaction.events())
        self._outcome = CallOutcome(status="ok", http_status=200, attempts=stream.attempts)
        self._texts: dict[int, list[str]] = {}
        """What each choice said so far, where content is kept."""
        self._deltas = self._size = 0
        self._over = self._closed = False

    def __aiter__(self) -> CompletionStream:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = await self._pieces.__anext__()
            except StopAsyncIteration:
                if not self._over:
                    await self._end()
                raise
            except Exception as error:
                if self._over:
                    raise StopAsyncIteration from None
                self.call = self._recorder.fail(self._entry, error, self._settled())
                raise
            if self._judge is None:  # else it was seen as it came
                self._see(piece)
            if piece.last and not self._over:
                await self._end()
            if piece.data:
                return piece.data

    @property
    def over(self) -> bool:
        """Whether the call is entered: what was handed over last were the last bytes."""
        return self._over

    async def drain(self) -> None:
        """Read on to the upstream's end, once over, so that its connection can be used again. Never raises."""
        with contextlib.suppress(Exception):  # the answer was whole; what the connection does now is nobody's matter
            async for _ in self._pieces:
                pass

    async def aclose(self) -> None:
        """Close the upstream, and enter the call as it stands if it had not ended. Safe to repeat."""
        if self._closed:
            return
        self._closed = True
        try:
            if not self._over:
                self.call = self._recorder.abandon(self._entry, self._settled())
        finally:
            self._recorder.open -= 1
            await self._stream.aclose()

    def _see(self, piece: Piece) -> None:
        entry, outcome = self._entry, self._outcome
        if piece.deltas:
            self._deltas += piece.deltas
            self._size += len(piece.text.encode(errors="surrogatepass"))
            for _, text in piece.others:
                self._size += len(text.encode(errors="surrogatepass"))
            if entry.first_token is None:
                entry.first_token = self._recorder.clock.monotonic() - entry.request.started
            if entry.content:
                for index, text in ((0, piece.text), *piece.others):
                    self._texts.setdefault(index, []).append(text)
        if piece.usage is not None:
            outcome.usage = piece.usage
        if piece.served_model is not None:
            outcome.served_model = piece.served_model
        if piece.finish_reason is not None:
            outcome.finish_reason = piece.finish_reason
        if piece.truncated is not None:
            outcome.truncated = piece.truncated

    async def _end(self) -> None:
        """The answer is through: enter the call, before anybody is told so."""
        if self._judge is not None and (flagged := self._judge.flagged) is not None:
            self._outcome.finish_reason = "content_filter"
            self.call = self._recorder.fail(self._entry, flagged, self._settled())
            self._judge.enter_flagged(flagged)
            return
        if self._outcome.finish_reason is None and self._outcome.usage is None and self._deltas == 0:
            error = StreamBroken(
                "The upstream ended its stream without an answer.",
                remedy="Ask again; if it stays so, ask another model.",
            )
            self.call = self._recorder.fail(self._entry, error, self._settled())
            raise error
        self.call = await self._recorder.conclude(self._entry, self._settled())

    def _settled(self) -> CallOutcome:
        """The outcome as it is to be entered; from here on the stream counts as over."""
        self._over = True
        outcome = self._outcome
        outcome.usage = outcome.usage or estimated(self._entry.request.body, answer_tokens(self._deltas, self._size))
        outcome.answers = ["".join(self._texts[index]) for index in sorted(self._texts)]
        return outcome


async def _redacted(pieces: AsyncIterator[Piece], events: EventRedaction) -> AsyncIterator[Piece]:
    """The pieces as they may go out. Raises RedactionFailed instead of one that cannot be made so."""
    async for piece in pieces:
        try:
            data = await offload(len(piece.data) + events.held, events.feed, piece.data)
        except Exception as error:  # whatever it is: nothing passes
            raise withheld_answer(error) from None
        yield structs.replace(piece, data=data)


def withheld_answer(error: Exception) -> RedactionFailed:
    """What is said of it: the kind of fault, and none of the text."""
    return RedactionFailed(
        f"The answer could not be redacted ({type(error).__name__}) and is withheld.",
        remedy="Ask again; if it stays so, whoever runs this endpoint finds the request in its log.",
    )
