"""Models asked and measured over one book: a question, an evaluation, a judge held against people, approaches.

What answers is built when it is first asked for; each measurement has limits of its own.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from daybook.clock import Clock
from daybook.inference.answer import Answer
from daybook.settings import Settings

if TYPE_CHECKING:
    from daybook.approach.report import Approach
    from daybook.book import Book
    from daybook.datasets import DataSet
    from daybook.evaluation.calibration import Calibration
    from daybook.evaluation.report import Evaluation
    from daybook.evaluation.tasks import Contestant
    from daybook.inference.client import Client

EMBEDDED = "smollm2-135m-instruct"


class Measuring:
    """The half of a `workbench.Daybook` that asks and measures."""

    def __init__(self, settings: Settings, book: Book, *, clock: Clock, source: str) -> None:
        self.settings = settings
        self.book = book
        self.clock = clock
        self.source = source

    @cached_property
    def _asking(self) -> Client:
        from daybook.inference.client import Client

        asking = Client(self.settings, self.book.journal, clock=self.clock)
        atexit.register(asking.close)
        return asking

    def ask(
        self,
        prompt: str,
        *,
        model: str = EMBEDDED,
        system: str | None = None,
        max_tokens: int = 128,
        temperature: float | None = None,
        seed: int | None = None,
        project: str | None = None,
    ) -> Answer:
        """Ask a model one question; the call is journaled and priced like any other.

        The first question to the embedded model starts it (about a second). Raises UnknownModel, or
        the ProviderError that the model's upstream caused.
        """
        messages = [{"role": "user", "content": prompt}]
        if system is not None:
            messages.insert(0, {"role": "system", "content": system})
        chosen = {"max_tokens": max_tokens, "temperature": temperature, "seed": seed}
        body = {"model": model, "messages": messages} | {k: v for k, v in chosen.items() if v is not None}
        return Answer.of(self._asking.chat(body, project=project, run_id=self.settings.run_id))

    def dataset(
        self,
        source: str | Path | DataSet,
        *,
        columns: Mapping[str, str] | None = None,
        rows: int | None = None,
    ) -> DataSet:
        """Rows of a file, `hf:owner/name@commit#split`, `book:days=30` or `builtin:requests`; `rows` of them, chosen by
        hash."""
        from daybook.datasets import DataSet, load

        found = source if isinstance(source, DataSet) else load(source, columns=columns, book=self.book)
        return found.take(rows)

    def evaluate(
        self,
        data: str | Path | DataSet,
        models: Sequence[str | Contestant],
        *,
        task: str = "auto",
        rows: int | None = None,
        columns: Mapping[str, str] | None = None,
        scorer: str | None = None,
        judge: str | None = None,
        rubric: str | None = None,
        concurrency: int = 4,
        cost_limit: float | str | None = None,
        time_limit: float | None = None,
        dask: str | None = None,
        fresh: bool = False,
        part: tuple[int, int] | None = None,
    ) -> Evaluation:
        """Which of the models (`name`, or `name?shots=3`) is better on these rows. Where examples are asked for, they
        are taken from one half of the data, by hash, and the other half is asked about. `judge`: the model that marks
        free text by the `rubric`.

        Answers are kept: the same again costs nothing, unless `fresh`. Limits: US dollars and seconds. `part`: only
        the i-th of n parts of the rows, for one of several who ask at once.
        """
        from daybook.evaluation.evaluator import Evaluator, meter
        from daybook.evaluation.tasks import contestants
        from daybook.inference.batch import Limits
        from daybook.scoring.judge import RUBRIC

        found, pool = self.dataset(data, columns=columns), None
        taking_part = contestants(models)
        if any(one.shots for one in taking_part):
            pool, found = found.split(0.5)
        limits = Limits(
            concurrency=concurrency,
            cost=None if cost_limit is None else Decimal(str(cost_limit)),
            seconds=time_limit,
        )
        with meter("evaluation", shown=self.settings.run_id is None) as progress:
            asker = Evaluator(
                self._asking, self.settings, self.book.journal, limits=limits, dask=dask, progress=progress, fresh=fresh
            )
            return asker.run(
                found.take(rows),
                taking_part,
                task=task,
                scorer=scorer,
                judge=judge,
                rubric=rubric or RUBRIC,
                pool=pool,
                part=part,
            )

    def calibrate(
        self,
        path: str | Path,
        *,
        judge: str | None = None,
        rubric: str | None = None,
        cost_limit: float | str | None = None,
    ) -> Calibration:
        """Whether a judge agrees with people: kappa with its interval. The file has a column `human` and the judge's
        `verdict`; with `judge`, that model is asked now, about `input` and `prediction`."""
        from daybook.evaluation import calibration
        from daybook.evaluation.evaluator import Evaluator, meter
        from daybook.inference.batch import BatchResult, Limits
        from daybook.scoring.judge import RUBRIC

        if judge is None:
            return calibration.read(Path(path))
        limits = Limits(cost=None if cost_limit is None else Decimal(str(cost_limit)))
        with meter("calibration", shown=self.settings.run_id is None) as progress:
            asker = Evaluator(self._asking, self.settings, self.book.journal, limits=limits, progress=progress)
            ask = asker.judge(judge, BatchResult())
            return calibration.read(Path(path), ask=ask, name=judge, rubric=rubric or RUBRIC)

    def approach(
        self,
        data: str | Path | DataSet,
        *,
        test: str | Path | DataSet | None = None,
        methods: Sequence[str] = ("zero_shot", "few_shot", "retrieved", "lora", "head"),
        model: str = EMBEDDED,
        classes: int | Sequence[str] | None = None,
        rows: int | None = 150,
        train_rows: int | None = None,
        shots: int = 5,
        steps: int = 60,
        hour_price: float | str = "0.10",
        concurrency: int = 2,
        time_limit: float | None = 540,
    ) -> Approach:
        """Prompt, examples, retrieval or training: which one for these labelled rows.

        `test`: the held-out rows, `rows` of them; without it a part of the data, by hash. `classes`: only rows with
        these right answers, or with the most frequent ones, how many. `steps`: of the adapter's training. `hour_price`:
        US dollars for an hour of this machine. `time_limit`: seconds for the whole run; the training gets fewer steps
        and fewer rows are compared where it is short. None: no limit.
        """
        from daybook.approach.rows import halves, of_classes
        from daybook.approach.runner import ApproachRunner
        from daybook.evaluation.evaluator import Evaluator, meter
        from daybook.inference.batch import Limits

        learn = self.dataset(data)
        asked = None if test is None else self.dataset(test)
        if classes is not None:
            learn, asked = of_classes(learn, asked, classes)
        notes: list[str] = []
        if asked is None:
            learn, asked = halves(learn, notes)
        with meter("approach", shown=self.settings.run_id is None) as progress:
            limits = Limits(concurrency=concurrency)
            evaluator = Evaluator(self._asking, self.settings, self.book.journal, limits=limits, progress=progress)
            tried = ApproachRunner(
                evaluator,
                model=model,
                hour_price=Decimal(str(hour_price)),
                shots=shots,
                steps=steps,
                time_limit=time_limit,
            )
            return tried.run(learn.take(train_rows), asked.take(rows), list(methods), notes=notes)
