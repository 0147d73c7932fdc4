"""A classifying head in a process of its own, so that the endpoint never imports torch.

One line of JSON a question, one a reply, in order; the process starts with the first question and ends when its stdin
does. It dies with its owner, because the pipe does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import Unavailable

_CHILD = Path(__file__).parents[2] / "hf" / "head_child.py"
START = 60.0
"""Seconds that loading may take."""


class HeadProcess:
    def __init__(self, folder: Path, *, home: Path) -> None:
        self.folder = folder
        self._home = home
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def classify(self, text: str) -> dict[str, Any]:
        """`label`, its `probability`, and the `tokens` read. Raises Unavailable, with the reason."""
        async with self._turn:
            process = await self._started()
            assert process.stdin is not None
            try:
                process.stdin.write(orjson.dumps({"text": text}) + b"\n")
                await process.stdin.drain()
                return await self._line(process)
            except BaseException:
                # Whatever came between leaves an answer in the pipe that nobody asked for: start over.
                await self._stop()
                raise

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def _started(self) -> asyncio.subprocess.Process:
        if self.pid is None:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", str(_CHILD), str(self.folder), str(self._home),
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
            await self._line(self._process)
        assert self._process is not None
        return self._process

    async def _line(self, process: asyncio.subprocess.Process) -> dict[str, Any]:
        assert process.stdout is not None
        try:
            async with asyncio.timeout(START):
                told = await process.stdout.readline()
        except TimeoutError:
            told = b""
        if not told:
            await self._stop()
            raise Unavailable(f"The process of the head in {self.folder} ended.", remedy="Ask again.")
        found: dict[str, Any] = orjson.loads(told)
        if "error" in found:
            raise Unavailable(f"The head cannot answer: {found['error']}", remedy="See daybook models show.")
        return found

    async def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def aclose(self) -> None:
        """Safe to repeat."""
        process = self._process
        if process is not None and process.returncode is None and process.stdin is not None:
            process.stdin.close()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await process.wait()
        await self._stop()
