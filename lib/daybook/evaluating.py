"""Evaluations on real models: rows, contestants and a task in, an `Evaluation` out.

Every question goes through the answerer, so each answer that is paid for is in the book, under the run's id, with the
project `evaluation`. What was answered before, by the same weights to the same question, is not asked again.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from daybook.asking import Asking
from daybook.clock import new_id
from daybook.datasets import DataSet, Row
from daybook.errors import BadData, BadParameter
from daybook.prices import reckon
from daybook.records import Call, Usage
from daybook.scoring import Score
from daybook.scoring.judge import RUBRIC
from daybook.services.answer import Ledger
from daybook.services.answers import Answers, Said, key, said_by
from daybook.services.evaluation import Evaluation, Item
from daybook.services.evaluation_run import Gathered, Limits, Question, gather
from daybook.services.evaluation_tasks import Contestant, Task, asked, body, contestants, scored_by, task_of
from daybook.services.marking import Marker
from daybook.settings import Settings

PROJECT = "evaluation"
AT_A_TIME = 16
"""Rows that one contestant is asked before the next one is: what its questions begin with stays read in the model, and
a run that is stopped has asked all of them about nearly the same rows."""
Progress = Callable[[int, int], None]
Examples = Callable[[Contestant, Row], Sequence[Row]]


class Evaluator:
    """Asks contestants about rows and scores what they say.

    Answers and embeddings are kept under the settings' home. `dask`: a scheduler's address, whose workers ask instead
    of this process; they have to see the same home.
    """

    def __init__(
        self,
        asking: Asking,
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
        self.answers = Answers(None) if fresh else Answers.of(settings.home)

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
        data.need(references=chosen.references, classes=chosen.classes)
        known = data.labels if labels is None else tuple(labels)
        if part is not None:
            data = data.part(f"part {part[0]} of {part[1]}", data.rows[part[0] - 1 :: part[1]])
        if chosen.scorer == "likelihood":
            return self._likely(data, taking_part, chosen)
        if any(one.shots for one in taking_part) and pool is None:
            raise BadParameter("Examples are asked for and there is nothing to take them from.", remedy="Give pool=….")
        self._disjoint(data, pool)
        choose = examples or _first(pool)
        bodies = {
            (one.name, row.id): body(chosen, one, row, labels=known, examples=choose(one, row) if one.shots else ())
            for start in range(0, len(data), AT_A_TIME)
            for one in taking_part
            for row in data.rows[start : start + AT_A_TIME]
        }
        keys, found = self._asked(bodies)
        judging = Gathered()

        def judged(conversations: Sequence[Sequence[Mapping[str, str]]]) -> list[str | None]:
            if judge is None:
                raise BadParameter("Nobody was named to judge.", remedy="Name a model: judge=….")
            wanted = {
                ("judge", str(i)): {"model": judge, "messages": list(one), "max_tokens": 200, "temperature": 0.0}
                for i, one in enumerate(conversations)
            }
            named, replies = self._asked(wanted)
            _add(judging, replies)
            return [s.text if (s := replies.said.get(named[place])) else None for place in wanted]

        marker = Marker(chosen.scorer, labels=known, embed=self.embed, judge=judged, rubric=rubric)
        items = {}
        for one in taking_part:
            names = [keys[(one.name, row.id)] for row in data.rows]
            failed = [found.errors.get(name) for name in names]
            items[one.name] = marker.mark(data.rows, [found.said.get(name) for name in names], failed)
        _add(found, judging)
        return Evaluation(
            data=data,
            task=chosen.name,
            scorer=chosen.scorer,
            items=items,
            asked=found.asked,
            spent=None if found.unpriced else found.spent,
            stopped=found.stopped,
            seconds=found.seconds,
        )

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────

    def _asked(
        self, bodies: Mapping[tuple[str, str], Mapping[str, Any]]
    ) -> tuple[dict[tuple[str, str], str], Gathered]:
        """The key of each question, and what came of all of them."""

        async def identities() -> dict[str, str | None]:
            names = sorted({str(one["model"]) for one in bodies.values()})
            known = await asyncio.gather(*(self.asking.identity(name) for name in names))
            return {n: None if i is None else i.digest or i.version for n, i in zip(names, known, strict=True)}

        digests = self.asking.run(identities())
        keys = {place: key(one, digests[str(one["model"])]) for place, one in bodies.items()}
        questions = [Question(keys[place], one) for place, one in bodies.items()]
        if self.dask is not None:
            from daybook.spreading import spread

            found = spread(
                self.dask,
                questions,
                settings=self.settings,
                asking=self.asking,
                answers=self.answers,
                limits=self.limits,
                project=PROJECT,
                progress=self.progress,
            )
            return keys, found
        running = gather(
            questions,
            ask=self._ask,
            answers=self.answers,
            limits=self.limits,
            expect=self.asking.most,
            progress=self.progress,
        )
        return keys, self.asking.run(running)

    async def _ask(self, question: Question) -> Said:
        return said_by(await self.asking.ask(question.body, project=PROJECT, run_id=self.settings.run_id))

    def embed(self, texts: Sequence[str]) -> Any:
        from daybook.tuning.embed import embed

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

    # ── log-likelihood ────────────────────────────────────────────────────────────────────────────────

    def _likely(self, data: DataSet, taking_part: Sequence[Contestant], task: Task) -> Evaluation:
        """Multiple choice without generating: the choice that the model finds likeliest after the question. Each row
        is entered as one call that made no tokens."""
        if without := [row.id for row in data.rows if not row.choices]:
            raise BadData(f"{len(without)} of {len(data)} rows have no choices.", remedy="Give them, or another task.")
        items: dict[str, list[Item]] = {}
        started = self.asking.clock.monotonic()
        spent: Decimal | None = Decimal(0)
        for one in taking_part:
            items[one.name] = []
            for row, scored in zip(data.rows, self._choices(data, one, task), strict=True):
                best = max(range(len(row.choices)), key=lambda i, s=scored: s[i].total)  # type: ignore[misc]
                call = self._enter(one, sum(s.tokens for s in scored))
                spent = None if call.cost is None or spent is None else spent + call.cost
                answer = Said(text=row.choices[best], input_tokens=call.input_tokens, output_tokens=0, cost=call.cost)
                score = Score(float(row.choices[best] in row.references), row.choices[best])
                items[one.name].append(Item(row, answer, score))
        seconds = self.asking.clock.monotonic() - started
        asked_for = len(data) * len(taking_part)
        return Evaluation(data, task.name, task.scorer, items, asked=asked_for, spent=spent, seconds=seconds)

    def _choices(self, data: DataSet, one: Contestant, task: Task) -> list[list[Any]]:
        from daybook.tuning import base, likelihood

        if self.asking.catalogue.resolve(one.model).target != base.MODEL:
            raise BadParameter(
                f"{one.model} gives no likelihoods of texts it is shown.",
                remedy=f"Use the task multiple_choice, or the embedded {base.MODEL}.",
            )
        pairs = [(asked(task, one, row), f" {choice}") for row in data.rows for choice in row.choices]
        scored = iter(likelihood.score(pairs, folder=base.weights(self.settings.home), progress=self.progress))
        return [[next(scored) for _ in row.choices] for row in data.rows]

    def _enter(self, one: Contestant, tokens: int) -> Call:
        usage = Usage(input_tokens=tokens, output_tokens=0)
        now = self.asking.clock.now()
        cost = reckon(usage, provider="local", model=one.model, on=now)
        call = Call(
            id=new_id(),
            request_id=new_id(),
            at=now,
            project=PROJECT,
            endpoint="library",
            requested_model=one.model,
            provider="local",
            served_model=one.model,
            input_tokens=tokens,
            output_tokens=0,
            usage_reported=True,
            cost=cost.amount,
            price_source=cost.source,
            price_rate=cost.rate,
            status="ok",
            tags={"what": "log-likelihood"},
            run_id=self.settings.run_id,
        )
        self.ledger.append(call)
        return call


def _first(pool: DataSet | None) -> Examples:
    """The same examples for every row: those that come first by hash, of as many classes as there are."""

    def choose(one: Contestant, row: Row) -> Sequence[Row]:
        assert pool is not None
        shuffled = pool.take(len(pool) - 1).rows if len(pool) > 1 else pool.rows
        seen: dict[str | None, int] = {}
        ranked = []
        for at, candidate in enumerate(shuffled):
            seen[candidate.reference] = seen.get(candidate.reference, 0) + 1
            ranked.append((seen[candidate.reference], at, candidate))
        return [candidate for _, _, candidate in sorted(ranked, key=lambda r: r[:2])[: one.shots]]

    return choose


def _add(to: Gathered, more: Gathered) -> None:
    to.asked += more.asked
    to.spent += more.spent
    to.unpriced += more.unpriced
    to.seconds += more.seconds
    to.stopped = to.stopped or more.stopped


@contextmanager
def meter(what: str, *, shown: bool) -> Iterator[Progress]:
    """A progress bar: on a terminal, and in a notebook that somebody looks at; otherwise nothing is drawn."""
    from tqdm.auto import tqdm

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    watched = shown and (sys.stderr.isatty() or shell is not None)
    with tqdm(total=0, desc=what, unit="answer", disable=not watched, leave=False) as bar:

        def move(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield move
