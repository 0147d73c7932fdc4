"""A classifying head in a process of its own, so that the endpoint never imports torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from daybook.line_process import LineProcess


class HeadProcess:
    def __init__(self, folder: Path, *, home: Path) -> None:
        self._process = LineProcess(
            ["-m", "daybook.hf.head_child", folder, home], name="The head's process", log=home / "logs" / "head.log"
        )

    async def classify(self, text: str) -> dict[str, Any]:
        """`label`, its `probability`, and the `tokens` read. Raises Unavailable, with the reason."""
        return await self._process.ask({"text": text})

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def aclose(self) -> None:
        """Safe to repeat."""
        await self._process.aclose()
