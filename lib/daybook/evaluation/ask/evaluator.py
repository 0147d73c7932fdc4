"""Evaluations on real models: rows, contestants and a task in, an `Evaluation` out.

Every question goes through the answerer, so each answer that is paid for is in the book, under the run's id, with the
project `evaluation`. What was answered before, by the same weights to the same question, is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from daybook.datasets import DataSet, Row
from daybook.errors import BadData, BadParameter
from daybook.evaluation import calibration
from daybook.evaluation.ask.likelihood import evaluate_by_likelihood
from daybook.evaluation.ask.tasks import Contestant, Task, body, contestants, scored_by, task_of
from daybook.evaluation.ask.turns import following, turns, whole
from daybook.evaluation.calibration import Calibration
from daybook.evaluation.report import Evaluation
from daybook.evaluation.scorers import Judge, Scorer
from daybook.inference.client.answer_cache import AnswerCache, CachedAnswer, key
from daybook.inference.client.batch import PROJECT, BatchResult, Limits, Request, ask_all
from daybook.inference.client.client import Client
from daybook.ports import Ledger
from daybook.reporting.progress import Progress, meter
from daybook.scoring.judge import RUBRIC
from daybook.settings import Settings

AT_A_TIME = 16
"""Rows that one contestant is asked before the next one is: what its questions begin with stays read in the model, and
a run that is stopped has asked all of them about nearly the same rows."""
Pair = tuple[str, str]
"""A contestant's name and a row's id."""
Examples = Callable[[Contestant, Row], Sequence[Row]]


class Evaluator:
    """Asks contestants about rows and scores what they say.

    Answers and embeddings are kept under the settings' home. `dask`: a scheduler's address, whose workers ask instead
    of this process; they have to see the same home.
    """

    def __init__(
        self,
        asking: Client,
        settings: Settings,
        ledger: Ledger,
        *,
        limits: Limits | None = None,
        dask: str | None = None,
        progress: Progress | None = None,
        fresh: bool = False,
    ) -> None:
        self.asking, self.settings, self.ledger = asking, settings, ledger
        self.limits, self.dask, self.progress = limits or Limits(), dask, progress
        self.answers = AnswerCache(None) if fresh else AnswerCache.of(settings)

    def run(
        self,
        data: DataSet,
        models: Sequence[str | Contestant],
        *,
        task: str | Task = "auto",
        scorer: str | None = None,
        judge: str | None = None,
        rubric: str = RUBRIC,
        pool: DataSet | None = None,
        examples: Examples | None = None,
        labels: Sequence[str] | None = None,
        part: tuple[int, int] | None = None,
    ) -> Evaluation:
        """The contestants on the rows. `pool`: rows that examples are taken from, never those that are asked about;
        `examples`: which of them, where not the first ones by hash. Raises BadData, BadParameter, and what the models
        raise where they answer nothing at all."""
        taking_part = contestants(models)
        chosen = scored_by(task if isinstance(task, Task) else task_of(task, data), scorer)
        data.require(references=chosen.references, classes=chosen.classes)
        known = data.labels if labels is None else tuple(labels)
        if part is not None:
            data = data.part(f"part {part[0]} of {part[1]}", data.rows[part[0] - 1 :: part[1]])
        if chosen.scorer == "likelihood":
            return evaluate_by_likelihood(
                data,
                taking_part,
                chosen,
                asking=self.asking,
                settings=self.settings,
                ledger=self.ledger,
                progress=self.progress,
            )
        if any(contestant.shots for contestant in taking_part) and pool is None:
            raise BadParameter("Examples are asked for and there is nothing to take them from.", remedy="Give pool=….")
        self._disjoint(data, pool)
        took = BatchResult()
        judged = None if judge is None else self.judge(judge, took)
        marker = Scorer(chosen.scorer, labels=known, embed=self.embed, judge=judged, rubric=rubric)
        marker.ready(data.rows)
        choose = examples or _first(pool)
        bodies = {
            (contestant.name, row.id): body(
                chosen, contestant, row, labels=known, examples=choose(contestant, row) if contestant.shots else ()
            )
            for start in range(0, len(data), AT_A_TIME)
            for contestant in taking_part
            for row in data.rows[start : start + AT_A_TIME]
        }
        answers, failed = self._conversed(bodies, {row.id: row for row in data.rows}, took)
        items = {}
        for contestant in taking_part:
            pairs = [(contestant.name, row.id) for row in data.rows]
            turns = [whole(row, answers[at]) for row, at in zip(data.rows, pairs, strict=True)]
            marked = marker.score(
                [row for row, _ in turns], [last for _, last in turns], [failed.get(at) for at in pairs]
            )
            items[contestant.name] = [replace(item, row=row) for item, row in zip(marked, data.rows, strict=True)]
        return Evaluation(
            data=data,
            task=chosen.name,
            scorer=chosen.scorer,
            items=items,
            asked=took.asked,
            spent=None if took.unpriced else took.spent,
            stopped=took.stopped,
            seconds=took.seconds,
        )

    def judge(self, model: str, took: BatchResult) -> Judge:
        """Conversations → that model's replies. What they take is added to `took`, which the limits are held to. Raises
        UnknownModel."""
        self.asking.catalogue.resolve(model)

        def ask(conversations: Sequence[Sequence[Mapping[str, str]]]) -> list[str | None]:
            wanted = {
                ("judge", str(i)): {"model": model, "messages": list(messages), "max_tokens": 200, "temperature": 0.0}
                for i, messages in enumerate(conversations)
            }
            keys, batch = self._asked(wanted, took)
            return [reply.text if (reply := batch.answers.get(keys[pair])) else None for pair in wanted]

        return ask

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────

    def _conversed(
        self, bodies: Mapping[Pair, Mapping[str, Any]], rows: Mapping[str, Row], took: BatchResult
    ) -> tuple[dict[Pair, list[CachedAnswer]], dict[Pair, str]]:
        """What was said to each turn of each conversation, and why one failed. One that broke off was not answered."""
        answers: dict[Pair, list[CachedAnswer]] = {pair: [] for pair in bodies}
        failed: dict[Pair, str] = {}
        waiting: Mapping[Pair, Mapping[str, Any]] = bodies
        while waiting:
            keys, batch = self._asked(waiting, took)
            more: dict[Pair, Mapping[str, Any]] = {}
            for pair, asked_for in waiting.items():
                if (reply := batch.answers.get(keys[pair])) is None:
                    answers[pair] = []
                    failed |= {pair: batch.errors[keys[pair]]} if keys[pair] in batch.errors else {}
                    continue
                answers[pair].append(reply)
                if rest := turns(rows[pair[1]])[len(answers[pair]) :]:
                    more[pair] = following(asked_for, reply, rest[0])
            waiting = more
        return answers, failed

    def _asked(
        self, bodies: Mapping[Pair, Mapping[str, Any]], took: BatchResult
    ) -> tuple[dict[Pair, str], BatchResult]:
        """The key of each question, and what came of all of them; what that took is added to `took`, and what was taken
        before leaves so much less of the limits."""

        async def identities() -> dict[str, str | None]:
            names = sorted({str(request["model"]) for request in bodies.values()})
            known = await asyncio.gather(*(self.asking.identity(name) for name in names))
            return {n: None if i is None else i.digest or i.version for n, i in zip(names, known, strict=True)}

        digests = self.asking.run(identities())
        keys = {pair: key(request, digests[str(request["model"])]) for pair, request in bodies.items()}
        questions = [Request(keys[pair], request) for pair, request in bodies.items()]
        limits = self.limits.less(took)
        if self.dask is not None:
            from daybook.inference.client.dask import ask_on_dask

            batch = ask_on_dask(
                self.dask,
                questions,
                settings=self.settings,
                asking=self.asking,
                answers=self.answers,
                limits=limits,
                project=PROJECT,
                progress=self.progress,
            )
        else:
            batch = self.asking.run(
                ask_all(
                    questions,
                    ask=self._ask,
                    answers=self.answers,
                    limits=limits,
                    expect=self.asking.most,
                    progress=self.progress,
                )
            )
        took.add(batch)
        return keys, batch

    async def _ask(self, question: Request) -> CachedAnswer:
        return CachedAnswer.of(await self.asking.ask(question.body, project=PROJECT, run_id=self.settings.run_id))

    def embed(self, texts: Sequence[str]) -> Any:
        from daybook.hf.embeddings import embed

        return embed(list(texts), cache=self.settings.home / "embeddings.sqlite")

    @staticmethod
    def _disjoint(data: DataSet, pool: DataSet | None) -> None:
        if pool is None:
            return
        inputs = {row.input for row in data.rows}
        if shared := sum(row.input in inputs for row in pool.rows):
            raise BadData(
                f"{shared} of {len(pool)} rows that examples are taken from are asked about as well.",
                remedy="Split the rows first: train, test = data.split().",
            )


def _first(pool: DataSet | None) -> Examples:
    """The same examples for every row: those that come first by hash, of as many classes as there are."""

    def choose(contestant: Contestant, row: Row) -> Sequence[Row]:
        assert pool is not None
        shuffled = pool.take(len(pool) - 1).rows if len(pool) > 1 else pool.rows
        seen: dict[str | None, int] = {}
        ranked = []
        for at, candidate in enumerate(shuffled):
            seen[candidate.reference] = seen.get(candidate.reference, 0) + 1
            ranked.append((seen[candidate.reference], at, candidate))
        return [candidate for _, _, candidate in sorted(ranked, key=lambda r: r[:2])[: contestant.shots]]

    return choose


def evaluate(
    client: Client,
    settings: Settings,
    ledger: Ledger,
    data: DataSet,
    models: Sequence[str | Contestant],
    *,
    task: str = "auto",
    rows: int | None = None,
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
    """Which of the models is better on these rows. Where examples are asked for, they are taken from one half of the
    data, by hash, and the other half is asked about. `judge`: the model that marks free text by the `rubric`. Limits:
    US dollars and seconds. `part`: only the i-th of n parts of the rows, for one of several who ask at once."""
    taking_part, pool = contestants(models), None
    unused: dict[str, int] = {}
    if any(contestant.shots for contestant in taking_part):
        pool, data = data.split(0.5)
        unused["kept for examples"] = len(pool)
    if rows is not None and rows < len(data):
        unused["beyond those asked for"] = len(data) - rows
    limits = Limits(concurrency=concurrency, cost=_dollars(cost_limit), seconds=time_limit)
    with meter("evaluation", shown=settings.run_id is None) as progress:
        evaluator = Evaluator(client, settings, ledger, limits=limits, dask=dask, progress=progress, fresh=fresh)
        evaluation = evaluator.run(
            data.take(rows),
            taking_part,
            task=task,
            scorer=scorer,
            judge=judge,
            rubric=rubric or RUBRIC,
            pool=pool,
            part=part,
        )
    return replace(evaluation, wanted=rows, unused=unused)


def calibrate(
    client: Callable[[], Client],
    settings: Settings,
    ledger: Ledger,
    path: Path,
    *,
    judge: str | None = None,
    rubric: str | None = None,
    cost_limit: float | str | None = None,
) -> Calibration:
    """Whether a judge agrees with people; without `judge`, by the verdicts in the file, and nobody is asked."""
    if judge is None:
        return calibration.read(path)
    with meter("calibration", shown=settings.run_id is None) as progress:
        limits = Limits(cost=_dollars(cost_limit))
        evaluator = Evaluator(client(), settings, ledger, limits=limits, progress=progress)
        ask = evaluator.judge(judge, BatchResult())
        return calibration.read(path, ask=ask, name=judge, rubric=rubric or RUBRIC)


def _dollars(amount: float | str | None) -> Decimal | None:
    return None if amount is None else Decimal(str(amount))
