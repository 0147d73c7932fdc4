"""The approaches of this room, tried: each answers the same held-out rows, nothing learns from them.

The head is fitted on embeddings, the adapter is trained (`adapter`) and asked as a model like any other, and with the
prompts it goes through the evaluator. A run has a time: training gets a part of it, and when it is over the rows that
every method has answered are those that are compared. They were asked in an order by hash, so they are a fair sample.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from daybook.approach.adapter import Adapter, adapt
from daybook.approach.figures import METHODS, Learning, TrainedMethod
from daybook.approach.report import Approach
from daybook.approach.rows import apart, halves, of_classes, one_of_each_class, reached
from daybook.clock import new_id
from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter
from daybook.evaluation.ask.evaluator import Evaluator
from daybook.evaluation.ask.tasks import Contestant
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.inference.call.tokens import text_tokens
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.inference.client.batch import PROJECT, Limits
from daybook.inference.client.client import Client
from daybook.ports import Ledger
from daybook.prices import reckon
from daybook.providers.llamacpp.provider import Local, Options
from daybook.records import Call, Usage
from daybook.reporting.progress import meter
from daybook.reporting.text import count, seconds
from daybook.scoring import Score
from daybook.settings import Settings

SHOTS = 5
STEPS = 60
TRAINING = 0.4
"""Share of what time is left that the adapter's training may take."""
ASKING = 0.2
"""Share of the whole time that is left for asking, however long the training took."""
TIMED = 256
"""Rows whose embedding is timed; what all of them take is reckoned from these, since some may be kept already."""


class ApproachRunner:
    """`model`: the one that is prompted. Only the embedded one is trained. `time_limit`: seconds for all of it."""

    def __init__(
        self,
        evaluator: Evaluator,
        *,
        model: str,
        hour_price: Decimal,
        shots: int = SHOTS,
        steps: int = STEPS,
        time_limit: float | None = None,
    ) -> None:
        if not (hour_price.is_finite() and 0 <= hour_price <= 1_000_000):
            raise BadParameter(f"An hour of this machine costs {hour_price}.", remedy="Say US dollars, such as 0.10.")
        if time_limit is not None and not time_limit > 0:
            raise BadParameter(f"The time limit is {time_limit:g} s.", remedy="Give seconds above 0, or no limit.")
        self.evaluator, self.model, self.hour_price = evaluator, model, hour_price
        self.shots, self.steps = shots, steps
        self.time_limit = None if time_limit == float("inf") else time_limit
        self.home = evaluator.settings.home
        self.began = time.monotonic()

    def run(self, train: DataSet, test: DataSet, methods: Sequence[str], *, notes: Sequence[str] = ()) -> Approach:
        """`notes`: what is to be told of the rows. Raises BadParameter for a method that there is not and a time in
        which nothing is answered, BadData where there is nothing to learn or to ask."""
        if unknown := [name for name in methods if name not in METHODS]:
            raise BadParameter(
                f"There is no method {str(unknown[0])[:40]!r}.", remedy=f"There are {', '.join(METHODS)}."
            )
        if not methods:
            raise BadParameter("No method was named.", remedy=f"Name some of {', '.join(METHODS)}.")
        remarks = list(notes)
        train, test = apart(train, test, remarks)
        trained: dict[str, TrainedMethod] = {}
        headed: list[Item] = []
        curve: tuple[Learning, ...] = ()
        if "head" in methods:
            headed, trained["head"], curve = self._headed(train, test)
        taking_part = [self._prompt(name) for name in ("zero_shot", "few_shot", "retrieved") if name in methods]
        if "lora" in methods and (adapter := self._adapted(train, remarks)) is not None:
            trained["lora"] = adapter.took
            taking_part.append(self._lent(adapter))
        evaluation = self._asked(train, test, taking_part, headed)
        if evaluation.stopped:
            evaluation = reached(replace(evaluation, stopped=f"the time limit of {self.time_limit:g} s"), remarks)
        here = self.evaluator.asking.catalogue.resolve(self.model).upstream == "local"
        local = frozenset(name for name in evaluation.names if here or name in ("lora", "head"))
        at_once = {name: self.evaluator.limits.concurrency for name in evaluation.names if name != "head"}
        ordered = {name: evaluation.items[name] for name in methods if name in evaluation.items}
        return Approach(
            replace(evaluation, items=ordered),
            trained,
            local,
            self.hour_price,
            len(train),
            curve,
            at_once,
            tuple(remarks),
        )

    # ── time ──────────────────────────────────────────────────────────────────────────────────────────

    @property
    def left(self) -> float | None:
        """Seconds; None where there is no limit."""
        return None if self.time_limit is None else self.began + self.time_limit - time.monotonic()

    # ── asking ────────────────────────────────────────────────────────────────────────────────────────

    def _prompt(self, name: str) -> Contestant:
        return Contestant(name=name, model=self.model, shots=0 if name == "zero_shot" else self.shots)

    def _asked(
        self, train: DataSet, test: DataSet, taking_part: Sequence[Contestant], headed: list[Item]
    ) -> Evaluation:
        if not taking_part:
            if not headed:
                raise BadParameter(
                    f"The time limit of {self.time_limit:g} s leaves none of the methods.", remedy="Give more time."
                )
            return Evaluation(test, "classification", "label", {"head": headed}, asked=len(headed), spent=Decimal(0))
        retrieved = any(contestant.name == "retrieved" for contestant in taking_part)
        nearest = self._nearest(train, test) if retrieved else {}
        same = one_of_each_class(train, self.shots)

        def examples(contestant: Contestant, row: Row) -> Sequence[Row]:
            return nearest[row.id] if contestant.name == "retrieved" else same

        if self.left is not None and self.time_limit is not None:
            limits = replace(self.evaluator.limits, seconds=max(self.left, ASKING * self.time_limit))
            self.evaluator.limits = limits
        # A label that is longer than a task's usual answer must fit.
        room = max(16, max(len(label) for label in train.labels) // 2 + 4)
        evaluation = self.evaluator.run(
            test,
            [replace(contestant, max_tokens=room) for contestant in taking_part],
            task="classification",
            pool=train,
            examples=examples,
            labels=train.labels,
        )
        return replace(evaluation, items={**evaluation.items, **({"head": headed} if headed else {})})

    def _nearest(self, train: DataSet, test: DataSet) -> dict[str, list[Row]]:
        """The nearest rows to learn from, nearest last: what stands closest to the question weighs most."""
        known = self.evaluator.embed([row.input for row in train.rows])
        asked = self.evaluator.embed([row.input for row in test.rows])
        order = (asked @ known.T).argsort(axis=1)[:, -self.shots :]
        return {row.id: [train.rows[int(i)] for i in near] for row, near in zip(test.rows, order, strict=True)}

    # ── the adapter ───────────────────────────────────────────────────────────────────────────────────

    def _adapted(self, train: DataSet, notes: list[str]) -> Adapter | None:
        room = None if self.left is None else TRAINING * self.left
        adapter = adapt(train, home=self.home, steps=self.steps, seconds=room, tell=self.evaluator.progress)
        if adapter is None:
            notes.append(f"The adapter was left out: {seconds(room or 0.0)} were not enough to train it.")
        elif adapter.steps < self.steps:
            notes.append(
                f"The adapter was trained for {adapter.steps} of {self.steps} steps: no more fit into its time."
            )
        return adapter

    def _lent(self, adapter: Adapter) -> Contestant:
        options = Options(adapter=adapter.file, model=adapter.name)
        self.evaluator.asking.lend(adapter.name, Local(adapter.name, self.home, options))
        return Contestant(name="lora", model=f"{adapter.name}/{adapter.name}", template="{input}")

    # ── the head ──────────────────────────────────────────────────────────────────────────────────────

    def _headed(self, train: DataSet, test: DataSet) -> tuple[list[Item], TrainedMethod, tuple[Learning, ...]]:
        from daybook.hf import embeddings
        from daybook.hf.head import fit

        texts, labels = [row.input for row in train.rows], [row.reference or "" for row in train.rows]
        known = self.evaluator.embed(texts)
        some = [row.input for row in train.take(TIMED).rows]
        began = time.perf_counter()
        embeddings.embed(some)
        embedding = (time.perf_counter() - began) / len(some) * len(texts)
        began = time.perf_counter()
        head = fit(texts, labels, strength=10.0, vectors=known)
        took = embedding + time.perf_counter() - began
        items = []
        for row in test.rows:  # one by one, as requests come
            at = time.perf_counter()
            label = head.predict([row.input])[0]
            call = self._enter(row, embeddings.MODEL, time.perf_counter() - at)
            answer = CachedAnswer(
                text=label,
                model=embeddings.MODEL,
                input_tokens=call.input_tokens,
                cost=call.cost,
                latency=call.latency,
            )
            items.append(Item(row, answer, Score(float(label in row.references), label)))
        asked = self.evaluator.embed([row.input for row in test.rows])
        curve = [Learning(len(train), sum(i.score.value for i in items if i.score) / len(items))]
        for share in (2, 4):
            part = [i for i, row in enumerate(train.rows) if i % share == 0]
            if len({labels[i] for i in part}) > 1:
                less = fit([texts[i] for i in part], [labels[i] for i in part], strength=10.0, vectors=known[part])
                right = [less.classes[i] for i in less.of(asked).argmax(1)]
                hits = sum(label in row.references for label, row in zip(right, test.rows, strict=True))
                curve.append(Learning(len(part), hits / len(test)))
        trained = TrainedMethod(seconds=took, rows=len(train), note="logistic regression, C = 10")
        return items, trained, tuple(curve)

    def _enter(self, row: Row, model: str, latency: float) -> Call:
        usage = Usage(input_tokens=text_tokens(row.input), output_tokens=0, reported=False)
        now = self.evaluator.asking.clock.now()
        cost = reckon(usage, provider="local", model=model, on=now)
        call = Call(
            id=new_id(),
            request_id=new_id(),
            at=now,
            project=PROJECT,
            endpoint="library",
            requested_model=model,
            provider="local",
            served_model=model,
            input_tokens=usage.input_tokens,
            output_tokens=0,
            usage_reported=False,
            cost=cost.amount,
            price_source=cost.source,
            price_rate=cost.rate,
            price_note=cost.note,
            latency=latency,
            status="ok",
            tags={"what": "classifying head"},
            run_id=self.evaluator.settings.run_id,
        )
        self.evaluator.ledger.append(call)
        return call


def compare(
    client: Client,
    settings: Settings,
    ledger: Ledger,
    learn: DataSet,
    held: DataSet | None,
    *,
    model: str,
    methods: Sequence[str] = ("zero_shot", "few_shot", "retrieved", "lora", "head"),
    classes: int | Sequence[str] | None = None,
    rows: int | None = 150,
    train_rows: int | None = None,
    shots: int = SHOTS,
    steps: int = STEPS,
    hour_price: float | str = "0.10",
    concurrency: int = 2,
    time_limit: float | None = 540,
) -> Approach:
    """The methods on `rows` of the held-out rows; without such, on a part of the data, by hash. `classes`: only rows
    with these right answers, or with the most frequent ones, how many. `steps`: of the adapter's training.
    `hour_price`: US dollars for an hour of this machine. `time_limit`: seconds for the whole run; the training gets
    fewer steps and fewer rows are compared where it is short. None: no limit."""
    if classes is not None:
        learn, held = of_classes(learn, held, classes)
    notes: list[str] = []
    if held is None:
        learn, held = halves(learn, notes)
    train, test = learn.take(train_rows), held.take(rows)
    left_out = {"held out": len(held) - len(test), "to learn from": len(learn) - len(train)}
    for which, part, whole, wanted in (("held-out", test, held, rows), ("training", train, learn, train_rows)):
        if len(part) < len(whole):
            notes.append(f"{len(part):,} of {count(len(whole), f'{which} row')} were taken, by hash.")
        elif wanted is not None and wanted > len(whole):
            notes.append(f"{count(wanted, f'{which} row')} were asked for; there are {len(whole):,}.")
    with meter("approach", shown=settings.run_id is None) as progress:
        evaluator = Evaluator(client, settings, ledger, limits=Limits(concurrency=concurrency), progress=progress)
        runner = ApproachRunner(
            evaluator,
            model=model,
            hour_price=Decimal(str(hour_price)),
            shots=shots,
            steps=steps,
            time_limit=time_limit,
        )
        approach = runner.run(train, test, list(methods), notes=notes)
    return replace(approach, unused={which: n for which, n in left_out.items() if n})
