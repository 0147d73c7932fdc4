"""Hugging Face models in a process of their own, so that whoever asks never imports torch nor waits on it.

One process for all tasks, started with the first question; each model in it is loaded once. Many texts are several
questions, so that another caller's few are answered in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daybook.line_process import LineProcess

PATIENCE = 300.0
"""Seconds that one question may take, the first of a model with its loading."""
AT_A_TIME = 64
"""Texts of one question."""


class TaskModels:
    """The process, as seen from the one that owns it. Used from one event loop."""

    def __init__(self, home: Path, *, patience: float = PATIENCE) -> None:
        self._process = LineProcess(
            ["-m", "daybook.hf.tasks_child", home], name="The models' process", log=home / "logs" / "tasks.log",
            patience=patience,
        )  # fmt: skip

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._process.pid

    async def run(self, task: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`results` in the order of the texts, `model`, `digest`, `tokens`, `truncated`. Raises what the task raises,
        Unavailable where the process ends instead, UpstreamTimeout where 64 texts take longer than its patience."""
        texts = body["texts"]
        # Like lengths together: a batch is padded to its longest text.
        ordered = sorted(range(len(texts)), key=lambda at: len(texts[at]))
        results: dict[int, Any] = {}
        payload: dict[str, Any] = {}
        total = {"tokens": 0, "truncated": 0}
        for start in range(0, len(ordered), AT_A_TIME):
            part = ordered[start : start + AT_A_TIME]
            payload = await self._process.ask({"task": task, "body": {**body, "texts": [texts[at] for at in part]}})
            results |= dict(zip(part, payload["results"], strict=True))
            total = {name: total[name] + payload[name] for name in total}
        return {**payload, **total, "results": [results[at] for at in range(len(texts))]}

    async def aclose(self) -> None:
        """End the process. Safe to repeat."""
        await self._process.aclose()
