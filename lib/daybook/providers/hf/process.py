"""Hugging Face models in a process of their own, so that whoever asks never imports torch nor waits on it.

One process for all tasks, started with the first question; each model in it is loaded once. Much text is several
questions, a long text several pieces where it is read to its end, and whoever waited longest is next: so another
caller's few are answered in between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from daybook.line_process import LineProcess

PATIENCE = 300.0
"""Seconds that one question may take, the first of a model with its loading."""
AT_A_TIME = 64
"""Texts of one question."""
CHARACTERS_AT_A_TIME = 250_000
"""Of one question of a task that reads each text's beginning."""
PIECE = 8_000
"""Characters of a text that are read together, and of one question, by a task that reads texts to their end: about a
second of one core."""
_BREAK = re.compile(r"\n|[.!?]\s|\s")


class ModelProcess(Protocol):
    """Who runs the models."""

    @property
    def pid(self) -> int | None: ...

    async def ask(self, question: Mapping[str, Any]) -> dict[str, Any]: ...
    async def aclose(self) -> None: ...


class TaskModels:
    """The process, as seen from the one that owns it. Used from one event loop."""

    def __init__(self, home: Path, *, patience: float = PATIENCE, process: ModelProcess | None = None) -> None:
        self._process = process or LineProcess(
            ["-m", "daybook.hf.tasks_child", home], name="The models' process", log=home / "logs" / "tasks.log",
            patience=patience,
        )  # fmt: skip

    @property
    def pid(self) -> int | None:
        """None while there is no process."""
        return self._process.pid

    async def run(self, task: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """`results` in the order of the texts, `model`, `digest`, `tokens`, `truncated`. Raises what the task raises,
        Unavailable where the process ends instead, UpstreamTimeout where a question takes longer than its patience."""
        join = _JOINED.get(task)
        pieces = [
            (at, start, piece)
            for at, text in enumerate(body["texts"])
            for start, piece in ([(0, text)] if join is None else cut(text))
        ]
        # Like lengths together: a batch is padded to its longest text.
        ordered = sorted(range(len(pieces)), key=lambda n: len(pieces[n][2]))
        results: dict[int, Any] = {}
        payload: dict[str, Any] = {}
        total = {"tokens": 0, "truncated": 0}
        for part in _questions(
            ordered, [len(text) for *_, text in pieces], CHARACTERS_AT_A_TIME if join is None else PIECE
        ):
            texts = [pieces[n][2] for n in part]
            payload = await self._process.ask({"task": task, "body": {**body, "texts": texts}})
            results |= dict(zip(part, payload["results"], strict=True))
            total = {name: total[name] + payload[name] for name in total}
        answers: list[Any] = [None] * len(body["texts"])
        for n, (at, start, _) in enumerate(pieces):
            answers[at] = results[n] if join is None else join(answers[at], results[n], start)
        return {**payload, **total, "results": answers}

    async def aclose(self) -> None:
        """End the process. Safe to repeat."""
        await self._process.aclose()


def cut(text: str, most: int = PIECE) -> Iterator[tuple[int, str]]:
    """The text in pieces of at most so many characters, each with its place: cut after a line, else a sentence, else a
    word, of the second half of a piece."""
    start = 0
    while len(text) - start > most:
        breaks = list(_BREAK.finditer(text, start + most // 2, start + most))
        best = max(breaks, key=lambda mark: (mark[0] == "\n", len(mark[0]), mark.end()), default=None)
        end = start + most if best is None else best.end()
        yield start, text[start:end]
        start = end
    yield start, text[start:]


def _questions(ordered: list[int], lengths: list[int], most: int) -> Iterator[list[int]]:
    """Which texts are asked about together: at most AT_A_TIME, of `most` characters unless it is one."""
    part: list[int] = []
    size = 0
    for n in ordered:
        if part and (len(part) == AT_A_TIME or size + lengths[n] > most):
            yield part
            part, size = [], 0
        part.append(n)
        size += lengths[n]
    if part:
        yield part


def _worst(earlier: dict[str, Any] | None, verdict: dict[str, Any], start: int) -> dict[str, Any]:
    """The verdict on a text of which both are on pieces: what is flagged in one is flagged in it."""
    if earlier is None:
        return verdict
    categories = {name: flag or earlier["categories"][name] for name, flag in verdict["categories"].items()}
    scores = {name: max(score, earlier["category_scores"][name]) for name, score in verdict["category_scores"].items()}
    return {
        "flagged": verdict["flagged"] or earlier["flagged"],
        "categories": categories,
        "category_scores": scores,
    }


def _spans(earlier: list[Any] | None, spans: list[Any], start: int) -> list[Any]:
    """The spans of a text, in its own positions."""
    return [*(earlier or ()), *([kind, begin + start, end + start, score] for kind, begin, end, score in spans)]


_JOINED: Mapping[str, Callable[[Any, Any, int], Any]] = {"moderate": _worst, "tag": _spans}
"""Tasks that read a text to its end → how the results of its pieces become one."""
