"""The approaches of `services.approach`, tried: each answers the same held-out rows, nothing learns from them.

Prompts go through the evaluator; the adapter is trained, written for llama.cpp and asked as a model like any other; the
head is fitted on embeddings. What was trained on the same rows by the same recipe is taken up again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from daybook.clock import new_id
from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter
from daybook.evaluating import PROJECT, Evaluator
from daybook.prices import reckon
from daybook.records import Call, Usage
from daybook.scoring import label
from daybook.services.answers import Said
from daybook.services.approach import METHODS, Approach, Learning, Trained
from daybook.services.evaluation import Evaluation, Item
from daybook.services.evaluation_tasks import TASKS, Contestant
from daybook.services.weighing import text_tokens

SHOTS = 5
LEARNT = Contestant(name="lora", model="", template="{input}", max_tokens=16)


class Approaches:
    """`model`: the one that is prompted. Only the embedded one is trained."""

    def __init__(self, evaluator: Evaluator, *, model: str, hour_price: Decimal, shots: int = SHOTS, steps: int = 60):
        self.evaluator, self.model, self.hour_price = evaluator, model, hour_price
        self.shots, self.steps = shots, steps
        self.home = evaluator.settings.home

    def run(self, train: DataSet, test: DataSet, methods: Sequence[str]) -> Approach:
        """Raises BadParameter for a method that there is not, and BadData where there is nothing to learn."""
        if unknown := [name for name in methods if name not in METHODS]:
            raise BadParameter(
                f"There is no method {str(unknown[0])[:40]!r}.", remedy=f"There are {', '.join(METHODS)}."
            )
        if not methods:
            raise BadParameter("No method was named.", remedy=f"Name some of {', '.join(METHODS)}.")
        train.need(classes=2)
        test.need(classes=2)
        items: dict[str, Sequence[Item]] = {}
        trained: dict[str, Trained] = {}
        curve: tuple[Learning, ...] = ()
        prompted = [name for name in ("zero_shot", "few_shot", "retrieved") if name in methods]
        parts = []
        if prompted:
            parts.append(self._prompted(train, test, prompted))
        if "lora" in methods:
            adapted, trained["lora"] = self._adapted(train, test)
            parts.append(adapted)
        for part in parts:
            items |= part.items
        if "head" in methods:
            items["head"], trained["head"], curve = self._headed(train, test)
        evaluation = Evaluation(
            data=test,
            task="classification",
            scorer="label",
            items={name: items[name] for name in methods},
            asked=sum(part.asked for part in parts) + len(items.get("head", ())),
            spent=None if any(p.spent is None for p in parts) else sum((p.spent for p in parts if p.spent), Decimal(0)),
            stopped=next((part.stopped for part in parts if part.stopped), None),
            seconds=sum(part.seconds for part in parts),
        )
        here = self.evaluator.asking.catalogue.resolve(self.model).upstream == "local"
        local = frozenset(name for name in methods if here or name in ("lora", "head"))
        at_once = {name: self.evaluator.limits.concurrency for name in methods if name != "head"}
        return Approach(evaluation, trained, local, self.hour_price, len(train), curve, at_once)

    # ── prompts ───────────────────────────────────────────────────────────────────────────────────────

    def _prompted(self, train: DataSet, test: DataSet, methods: Sequence[str]) -> Evaluation:
        nearest = self._nearest(train, test) if "retrieved" in methods else {}
        same = _spread(train, self.shots)

        def examples(one: Contestant, row: Row) -> Sequence[Row]:
            return nearest[row.id] if one.name == "retrieved" else same

        taking_part = [
            Contestant(name=name, model=self.model, shots=0 if name == "zero_shot" else self.shots) for name in methods
        ]
        return self.evaluator.run(
            test, taking_part, task="classification", pool=train, examples=examples, labels=train.labels
        )

    def _nearest(self, train: DataSet, test: DataSet) -> dict[str, list[Row]]:
        """The nearest rows to learn from, nearest last: what stands closest to the question weighs most."""
        known = self.evaluator.embed([row.input for row in train.rows])
        asked = self.evaluator.embed([row.input for row in test.rows])
        order = (asked @ known.T).argsort(axis=1)[:, -self.shots :]
        return {row.id: [train.rows[int(i)] for i in near] for row, near in zip(test.rows, order, strict=True)}

    # ── the adapter ───────────────────────────────────────────────────────────────────────────────────

    def _adapted(self, train: DataSet, test: DataSet) -> tuple[Evaluation, Trained]:
        from daybook.providers.local import Local, Options
        from daybook.tuning.adapter import FILE
        from daybook.tuning.recipe import Recipe

        recipe = Recipe(method="lora", epochs=8, batch=8, rate=1e-3, max_steps=self.steps, patience=0, evaluations=1)
        place = self.home / "approach" / f"lora-{recipe.digest[7:19]}-{train.digest[7:19]}"
        done = place / "done.json"
        if not done.is_file():
            self._train(train, recipe, place)
            # Last: a folder without it was left by a process that died, and its training is taken up again.
        took = Trained(**orjson.loads(done.read_bytes()))
        name = place.name
        asking = self.evaluator.asking
        asking.lend(name, Local(name, self.home, Options(adapter=place / "adapter" / FILE, model=name)))
        task = replace(TASKS["classification"], template="{input}")
        one = replace(LEARNT, model=f"{name}/{name}")
        return self.evaluator.run(test, [one], task=task, labels=train.labels), took

    def _train(self, train: DataSet, recipe: Any, place: Path) -> None:
        from daybook.tuning import adapter, base, lora

        began = time.perf_counter()
        weights = base.weights(self.home)
        chats = [
            [{"role": "user", "content": row.input}, {"role": "assistant", "content": row.reference or ""}]
            for row in train.rows
        ]
        held = chats[: max(1, len(chats) // 20)]
        identity = {"recipe": recipe.digest, "data": train.digest, "base": base.digest(weights)}
        made = lora.train(chats, held, recipe=recipe, base=weights, folder=place, identity=identity)
        adapter.to_gguf(place / lora.ADAPTER, weights)
        took = {
            "seconds": time.perf_counter() - began,
            "rows": len(train),
            "note": f"{made.steps} steps, {made.tokens:,} tokens on {made.device}",
        }
        (place / ".done.json").write_bytes(orjson.dumps(took))
        (place / ".done.json").replace(place / "done.json")

    # ── the head ──────────────────────────────────────────────────────────────────────────────────────

    def _headed(self, train: DataSet, test: DataSet) -> tuple[list[Item], Trained, tuple[Learning, ...]]:
        from daybook.tuning import embed, heads

        texts, labels = [row.input for row in train.rows], [row.reference or "" for row in train.rows]
        began = time.perf_counter()
        head = heads.fit(texts, labels, strength=10.0)
        took = Trained(seconds=time.perf_counter() - began, rows=len(train), note="logistic regression, C = 10")
        items = []
        for row in test.rows:  # one by one, as requests come
            at = time.perf_counter()
            answer = head.predict([row.input])[0]
            call = self._enter(row, embed.MODEL, time.perf_counter() - at)
            said = Said(
                text=answer, model=embed.MODEL, input_tokens=call.input_tokens, cost=call.cost, latency=call.latency
            )
            items.append(Item(row, said, label.score(answer, row.references, train.labels)))
        known = self.evaluator.embed(texts)
        asked = self.evaluator.embed([row.input for row in test.rows])
        curve = [Learning(len(train), sum(i.score.value for i in items if i.score) / len(items))]
        for share in (2, 4):
            part = [i for i, row in enumerate(train.rows) if i % share == 0]
            if len({labels[i] for i in part}) > 1:
                less = heads.fit(
                    [texts[i] for i in part], [labels[i] for i in part], strength=10.0, vectors=known[part]
                )
                right = [less.classes[i] for i in less.of(asked).argmax(1)]
                hits = sum(said in row.references for said, row in zip(right, test.rows, strict=True))
                curve.append(Learning(len(part), hits / len(test)))
        return items, took, tuple(curve)

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
            latency=latency,
            status="ok",
            tags={"what": "classifying head"},
            run_id=self.evaluator.settings.run_id,
        )
        self.evaluator.ledger.append(call)
        return call


def _spread(train: DataSet, n: int) -> list[Row]:
    """`n` rows by hash, of as many classes as there are."""
    by_class: dict[str | None, list[Row]] = {}
    for row in train.take(len(train) - 1).rows if len(train) > 1 else train.rows:
        by_class.setdefault(row.reference, []).append(row)
    turns = [rows[i] for i in range(n) for rows in by_class.values() if i < len(rows)]
    return turns[:n]
