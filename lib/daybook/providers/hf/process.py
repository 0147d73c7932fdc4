"""Hugging Face models in a process of their own, so that whoever asks never imports torch nor waits on it.

One process for all tasks, started with the first question; each model in it is loaded once. One line of JSON a
question, one a reply. Many texts are several questions, so that another caller's few are answered in between. It ends
with its owner, because the pipe does; a question that was given up on ends it too, since its answer would be taken for
the next one's.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from daybook import errors
from daybook.errors import DaybookError, Unavailable, UpstreamTimeout

_CHILD = Path(__file__).parents[2] / "hf" / "tasks_child.py"
START = 60.0
"""Seconds that the process may take to come up."""
PATIENCE = 300.0
"""Seconds that one question may take, the first of a model with its loading."""
AT_A_TIME = 64
"""Texts of one question."""
LONGEST = 256 * 1024 * 1024
"""Bytes of one reply."""


class TaskModels:
    """The process, as seen from the one that owns it. Used from one event loop."""

    def __init__(self, home: Path, *, patience: float = PATIENCE) -> None:
        self._home = home
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()
        self._closed = False

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def run(self, task: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`results` in the order of the texts, `model`, `digest`, `tokens`, `truncated`. Raises what the task raises,
        Unavailable where the process ends instead, UpstreamTimeout where 64 texts take longer than its patience."""
        texts = body["texts"]
        # Like lengths together: a batch is padded to its longest text.
        ordered = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        found: dict[int, Any] = {}
        told: dict[str, Any] = {}
        total = {"tokens": 0, "truncated": 0}
        for start in range(0, len(ordered), AT_A_TIME):
            part = ordered[start : start + AT_A_TIME]
            told = await self._ask(task, {**body, "texts": [texts[at] for at in part]})
            found |= dict(zip(part, told["results"], strict=True))
            total = {name: total[name] + told[name] for name in total}
        return {**told, **total, "results": [found[at] for at in range(len(texts))]}

    async def _ask(self, task: str, body: Mapping[str, Any]) -> dict[str, Any]:
        async with self._turn:
            process = await self._started()
            assert process.stdin is not None
            try:
                process.stdin.write(orjson.dumps({"task": task, "body": body}) + b"\n")
                await process.stdin.drain()
                told = await self._line(process, self._patience)
            except BaseException as error:
                await self._stop()
                if isinstance(error, ConnectionError):
                    raise Unavailable("The models' process ended.", remedy="Ask again.") from None
                raise
        if "error" in told:
            kind = getattr(errors, str(told["error"]), Unavailable)
            kind = kind if isinstance(kind, type) and issubclass(kind, DaybookError) else Unavailable
            raise kind(told["message"], remedy=told["remedy"])
        return told

    async def _started(self) -> asyncio.subprocess.Process:
        if self._closed:
            raise Unavailable("The models were stopped.", remedy="Start Daybook again.")
        if self.pid is None:
            log = self._home / "logs" / "tasks.log"
            log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with log.open("ab") as errors_to:
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable, "-P", str(_CHILD), str(self._home),
                    stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=errors_to,
                    start_new_session=True, limit=LONGEST,
                )  # fmt: skip
            await self._line(self._process, START)
        assert self._process is not None
        return self._process

    async def _line(self, process: asyncio.subprocess.Process, patience: float) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(patience):
                told = await process.stdout.readline()
        except TimeoutError:
            await self._stop()
            raise UpstreamTimeout(
                f"The models' process did not answer within {patience:g} s, and was ended.",
                remedy="Send fewer or shorter texts.",
            ) from None
        if not told:
            await self._stop()
            raise Unavailable(
                "The models' process ended instead of answering.",
                remedy="Ask again: it is started anew. Why it ended may stand in logs/tasks.log of Daybook's home.",
            )
        found: dict[str, Any] = orjson.loads(told)
        return found

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def aclose(self) -> None:
        """End the process. Safe to repeat."""
        self._closed = True
        await self._stop()
