"""Multiple choice without generating: the choice that a model finds likeliest after the question.

Only models whose weights are here say how likely a text is that they are shown. Each row is entered in the book as one
call that made no tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from daybook.clock import new_id
from daybook.datasets import DataSet
from daybook.errors import BadData, BadParameter
from daybook.evaluation.ask.tasks import Contestant, Task, asked
from daybook.evaluation.figures import Item
from daybook.evaluation.report import Evaluation
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.inference.client.batch import PROJECT
from daybook.inference.client.client import Client
from daybook.ports import Ledger
from daybook.prices import reckon
from daybook.records import Call, Usage
from daybook.scoring import Score
from daybook.settings import Settings


def evaluate_by_likelihood(
    data: DataSet,
    taking_part: Sequence[Contestant],
    task: Task,
    *,
    asking: Client,
    settings: Settings,
    ledger: Ledger,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """The contestants on the rows. Raises BadData for rows without choices, BadParameter for a model that gives no
    likelihoods."""
    if without := [row.id for row in data.rows if not row.choices]:
        raise BadData(f"{len(without)} of {len(data)} rows have no choices.", remedy="Give them, or another task.")
    items: dict[str, list[Item]] = {}
    started = asking.clock.monotonic()
    spent: Decimal | None = Decimal(0)
    for contestant in taking_part:
        items[contestant.name] = []
        for row, scored in zip(data.rows, _choices(data, contestant, task, asking, settings, progress), strict=True):
            best = max(range(len(row.choices)), key=lambda i, s=scored: s[i].total)  # type: ignore[misc]  # no type for s=
            call = _entered(contestant, sum(s.tokens for s in scored), asking, settings)
            ledger.append(call)
            spent = None if call.cost is None or spent is None else spent + call.cost
            answer = CachedAnswer(
                text=row.choices[best], input_tokens=call.input_tokens, output_tokens=0, cost=call.cost
            )
            score = Score(float(row.choices[best] in row.references), row.choices[best])
            items[contestant.name].append(Item(row, answer, score))
    seconds = asking.clock.monotonic() - started
    asked_for = len(data) * len(taking_part)
    return Evaluation(data, task.name, task.scorer, items, asked=asked_for, spent=spent, seconds=seconds)


def _choices(
    data: DataSet,
    contestant: Contestant,
    task: Task,
    asking: Client,
    settings: Settings,
    progress: Callable[[int, int], None] | None,
) -> list[list[Any]]:
    from daybook.hf import likelihood
    from daybook.hf.weights import weights
    from daybook.providers.llamacpp.weights import MODEL

    if asking.catalogue.resolve(contestant.model).target != MODEL:
        raise BadParameter(
            f"{contestant.model} gives no likelihoods of texts it is shown.",
            remedy=f"Use the task multiple_choice, or the embedded {MODEL}.",
        )
    pairs = [(asked(task, contestant, row), f" {choice}") for row in data.rows for choice in row.choices]
    scored = iter(likelihood.score(pairs, folder=weights(settings.home), progress=progress))
    return [[next(scored) for _ in row.choices] for row in data.rows]


def _entered(contestant: Contestant, tokens: int, asking: Client, settings: Settings) -> Call:
    now = asking.clock.now()
    cost = reckon(Usage(input_tokens=tokens, output_tokens=0), provider="local", model=contestant.model, on=now)
    return Call(
        id=new_id(),
        request_id=new_id(),
        at=now,
        project=PROJECT,
        endpoint="library",
        requested_model=contestant.model,
        provider="local",
        served_model=contestant.model,
        input_tokens=tokens,
        output_tokens=0,
        usage_reported=True,
        cost=cost.amount,
        price_source=cost.source,
        price_rate=cost.rate,
        price_note=cost.note,
        status="ok",
        tags={"what": "log-likelihood"},
        run_id=settings.run_id,
    )
