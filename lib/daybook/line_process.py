"""A child process that answers one line of JSON with one line of JSON, so that its owner never imports what it loads.

    process = LineProcess(["-m", "daybook.hf.head_child", folder], name="The head's process", log=log)
    await process.ask({"text": "hello"})              in the owner, on one event loop

    serve(load)                                       in the child; `load()` returns what answers

The child starts with the first question, says `{"ready": true}` once it has loaded, and ends when its stdin does, so it
never outlives its owner. One question is under way at a time, and whoever waited longest is next. A question whose
asker went away is answered all the same, and its answer dropped; one that takes too long ends the child: its answer
would be taken for the next one's.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from daybook import errors
from daybook.errors import DaybookError, Unavailable, UpstreamTimeout

START = 60.0
"""Seconds that the child may take to come up."""
LONGEST = 256 * 1024 * 1024
"""Bytes of one answer."""
_ENDING = 1.0
"""Seconds that the child may take to end by itself."""


class LineProcess:
    """The child, as seen from its owner. `arguments`: Python's. `patience`: seconds that one question may take."""

    def __init__(self, arguments: Sequence[str | Path], *, name: str, log: Path, patience: float = START) -> None:
        self._command = [sys.executable, "-P", *map(str, arguments)]
        self._name = name
        self._log = log
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._asked: asyncio.Future[dict[str, Any]] | None = None
        self._closed = False

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]:
        """The answer. Raises what the child raised, Unavailable where it ends instead, UpstreamTimeout where it takes
        longer than its patience."""
        await self._turn.acquire()
        asked = self._asked = asyncio.ensure_future(self._exchange(question))
        asked.add_done_callback(self._answered)
        answer = await asyncio.shield(asked)
        _raise_error(answer)
        return answer

    async def _exchange(self, question: Mapping[str, Any]) -> dict[str, Any]:
        try:
            process = await self._started()
            assert process.stdin is not None
            process.stdin.write(json.dumps(question).encode() + b"\n")
            await process.stdin.drain()
            return await self._line(process, self._patience)
        except BaseException as error:
            await self._stop()
            if isinstance(error, ConnectionError):
                raise self._ended() from None
            raise

    def _answered(self, asked: asyncio.Future[dict[str, Any]]) -> None:
        self._turn.release()
        if not asked.cancelled():
            asked.exception()  # whoever asked may be gone: then nobody else looks at it

    async def aclose(self) -> None:
        """End the child. Safe to repeat."""
        self._closed = True
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ENDING):
                    await process.wait()
        await self._stop()
        if self._asked is not None:
            await asyncio.wait([self._asked])
            await self._stop()

    def _check_open(self) -> None:
        if self._closed:
            raise Unavailable(f"{self._name} was stopped.", remedy="Start Daybook again.")

    async def _started(self) -> asyncio.subprocess.Process:
        self._check_open()
        if self.pid is None:
            self._log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with self._log.open("ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                    limit=LONGEST,
                )
            self._check_open()  # it may have been closed meanwhile, when there was nothing yet to end
            _raise_error(await self._line(self._process, START))
        assert self._process is not None
        return self._process

    async def _line(self, process: asyncio.subprocess.Process, patience: float) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(patience):
                line = await process.stdout.readline()
        except TimeoutError:
            raise UpstreamTimeout(
                f"{self._name} did not answer within {patience:g} s, and was ended.",
                remedy="Send fewer or shorter texts.",
            ) from None
        if not line.endswith(b"\n"):
            raise self._ended()
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _ended(self) -> Unavailable:
        return Unavailable(
            f"{self._name} ended instead of answering.",
            remedy=f"Ask again: it is started anew. Why it ended may stand in logs/{self._log.name} of Daybook's home.",
        )

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _raise_error(answer: Mapping[str, Any]) -> None:
    if "error" in answer:
        kind = getattr(errors, str(answer["error"]), Unavailable)
        kind = kind if isinstance(kind, type) and issubclass(kind, DaybookError) else Unavailable
        raise kind(answer["message"], remedy=answer["remedy"])


def serve(load: Callable[[], Callable[[Any], Mapping[str, Any]]]) -> None:
    """Answer the questions on stdin until it ends. What libraries print goes to stderr, the owner's log; so does where
    a question failed, never the error's words, which may be those of the question."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the owner, which then closes the pipe
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def tell(answer: Mapping[str, Any]) -> None:
        out.write(json.dumps(answer).encode() + b"\n")
        out.flush()

    try:
        handle = load()
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # noqa: T201 - the owner's log
        tell(_error("Unavailable", f"It does not load: {type(error).__name__}: {error}"[:500], "See the log."))
        return
    tell({"ready": True})
    for line in sys.stdin.buffer:
        try:
            tell(handle(json.loads(line)))
        except DaybookError as error:
            tell(_error(type(error).__name__, error.message, error.remedy))
        except MemoryError:
            tell(_error("Unavailable", "The process is out of memory.", "Send fewer or shorter texts."))
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            print(f"{type(error).__name__} at {frame.filename}:{frame.lineno}", file=sys.stderr)  # noqa: T201 - the log
            tell(_error("Unavailable", f"The question failed ({type(error).__name__}).", "See the log."))


def _error(kind: str, message: str, remedy: str) -> dict[str, str]:
    return {"error": kind, "message": message, "remedy": remedy}
