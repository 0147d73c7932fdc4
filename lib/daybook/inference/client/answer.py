"""One answer as a person reads it: the words, and under them what they took."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from daybook.inference.recorder import Completion
    from daybook.providers.port import Reply


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said, and what saying it took. Shows itself in a notebook."""

    text: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    cost: Decimal | None
    """US dollars; None where the model has no known price."""
    latency: float | None
    """Seconds."""
    finish_reason: str | None
    call_id: str

    @classmethod
    def of(cls, answered: Completion[Reply]) -> Answer:
        call = answered.call
        return cls(
            text=answered.reply.text,
            model=call.served_model or call.requested_model or "unknown",
            input_tokens=call.input_tokens,
            output_tokens=call.output_tokens,
            cost=call.cost,
            latency=call.latency,
            finish_reason=call.finish_reason,
            call_id=call.id,
        )

    def __str__(self) -> str:
        return self.text

    @property
    def facts(self) -> str:
        """The model, tokens, cost and time, in one line."""
        cost = "unpriced" if self.cost is None else f"${self.cost.normalize():f}"
        took = "" if self.latency is None else f" · {self.latency:.2f} s"
        cut = " · cut off at max_tokens" if self.finish_reason == "length" else ""
        tokens = f"{_count(self.input_tokens)} in, {_count(self.output_tokens)} out"
        return f"{self.model} · {tokens} · {cost}{took}{cut}"

    def to_json(self) -> str:
        """All of it as one JSON object; the cost is a string, so that no digit is lost."""
        return orjson.dumps(asdict(self), default=str).decode()

    def _repr_html_(self) -> str:
        paragraphs = "".join(f"<p>{html.escape(p)}</p>" for p in self.text.split("\n\n") if p.strip())
        return (
            f'<div style="border-left:3px solid #4477aa;padding:0 1em;max-width:44em">{paragraphs}'
            f'<p style="opacity:.65;font-size:85%">{html.escape(self.facts)}</p></div>'
        )


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else f"{tokens:,}"
