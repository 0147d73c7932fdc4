"""Tasks from synchronous code: `book.tasks.sentiment([…])` and the like, in the book as any call is.

book.tasks.sentiment(["What a joy.", "Dull."])              a DataFrame: text, label, score
book.tasks.classify(["My card is lost."], ["card", "loan"])
book.tasks.summarize([long])                                the same, with `summary`
book.tasks.embed(["a", "b"])                                an array, a row for each text
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from daybook.inference.client.client import Client
from daybook.inference.tasks.tasks import MOST_TEXTS, Tasks
from daybook.providers.hf.process import TaskModels

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


class TasksClient:
    """`asking`: called with the first task; `models`: whose process starts with it; `named`: the names in tasks.yml."""

    def __init__(
        self,
        asking: Callable[[], Client],
        models: TaskModels,
        *,
        named: Callable[[], Collection[str]],
        run_id: str | None,
    ) -> None:
        self._asking = asking
        self._models = models
        self._named = named
        self._run_id = run_id

    def sentiment(self, texts: Sequence[str], *, model: str | None = None) -> pd.DataFrame:
        return self._frame("sentiment", texts, model=model)

    def classify(
        self, texts: Sequence[str], labels: Sequence[str], *, hypothesis: str | None = None, model: str | None = None
    ) -> pd.DataFrame:
        """Zero-shot: which label is nearest. A score is no probability of being right."""
        return self._frame("classify", texts, labels=list(labels), hypothesis=hypothesis, model=model)

    def summarize(self, texts: Sequence[str], *, max_tokens: int = 96, model: str | None = None) -> pd.DataFrame:
        return self._frame("summarize", texts, max_tokens=max_tokens, model=model)

    def embed(self, texts: Sequence[str], *, model: str | None = None) -> np.ndarray:
        import numpy as np

        return np.asarray(self._run("embed", texts, model=model), dtype=np.float32)

    def _frame(self, task: str, texts: Sequence[str], **more: Any) -> pd.DataFrame:
        import pandas as pd

        frame = pd.DataFrame(self._run(task, texts, **more))
        frame.insert(0, "text", list(texts))
        return frame

    def _run(self, task: str, texts: Sequence[str], **more: Any) -> list[Any]:
        """The results in the order of the texts; as many calls as it takes, each an entry."""
        every = list(texts)
        parts = [every[start : start + MOST_TEXTS] for start in range(0, max(1, len(every)), MOST_TEXTS)]
        return [result for part in parts for result in self._call(task, part, **more)["results"]]

    def _call(self, task: str, texts: list[str], **more: Any) -> dict[str, Any]:
        asking = self._asking()
        tasks = Tasks(self._models, asking.answerer, named=self._named)
        body = {"texts": texts} | {name: value for name, value in more.items() if value is not None}
        return asking.run(tasks.run(task, asking.request(body, run_id=self._run_id)))

    def close(self) -> None:
        """End the models' process. Safe to repeat."""
        if self._models.pid is not None:
            self._asking().run(self._models.aclose())
