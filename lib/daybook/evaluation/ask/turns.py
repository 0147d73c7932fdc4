"""Conversations of several turns: the next question is put after the answer to the last one.

A row whose input is a list (MT-Bench's `turns`) has its first turn as input and all of them as `extra["turns"]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from daybook.datasets import Row
from daybook.inference.client.answer_cache import CachedAnswer


def turns(row: Row) -> Sequence[str]:
    """What is asked, one after another."""
    several: Sequence[str] = row.extra.get("turns") or ()
    return several if len(several) > 1 else (row.input,)


def following(asked: Mapping[str, Any], answer: CachedAnswer, question: str) -> dict[str, Any]:
    """The body that asks the next question after an answer."""
    more = [{"role": "assistant", "content": answer.text}, {"role": "user", "content": question}]
    return {**asked, "messages": [*asked["messages"], *more]}


def whole(row: Row, answers: Sequence[CachedAnswer]) -> tuple[Row, CachedAnswer | None]:
    """The row as whoever judges the last answer has to see it, with what was said before; and the last answer with
    what all of them took. None where there is none."""
    if not answers:
        return row, None
    if len(answers) == 1:
        return row, answers[0]
    before = [f"User: {q}\n\nAssistant: {answer.text}" for q, answer in zip(turns(row), answers[:-1], strict=False)]
    shown = "\n\n".join([*before, f"User: {turns(row)[len(answers) - 1]}"])
    costs = [answer.cost for answer in answers if answer.cost is not None]
    times = [answer.latency for answer in answers if answer.latency is not None]
    return replace(row, input=shown), replace(
        answers[-1],
        input_tokens=sum(answer.input_tokens or 0 for answer in answers),
        output_tokens=sum(answer.output_tokens or 0 for answer in answers),
        cost=sum(costs, Decimal(0)) if len(costs) == len(answers) else None,
        latency=sum(times) if len(times) == len(answers) else None,
        truncated=any(answer.truncated for answer in answers) or answers[-1].truncated,
    )
