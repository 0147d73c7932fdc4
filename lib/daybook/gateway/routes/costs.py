"""`/ml/cost/…`: what calls would cost, which measured model a budget allows, and a prompt made shorter.

    POST /ml/cost/estimate     tokens or text in, the price at the dated rate out
    POST /ml/cost/recommend    the best measured model within a budget, and on what that rests
    POST /ml/cost/optimize     a prompt without what nobody reads

No model is asked, and nothing of what is sent is kept. Money comes as digits in a string.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, Field, WithJsonSchema

from daybook.costs import recommendation
from daybook.costs.estimate import CostEstimate, estimate
from daybook.costs.prompt import shorten
from daybook.costs.recommendation import Candidate, NothingMeasured, NothingWithinBudget
from daybook.errors import UnknownModel
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.gateway.routes.json_body import Body, Usd, described, read
from daybook.gateway.routes.reading import from_book
from daybook.inference.call.tokens import text_tokens
from daybook.records import Usage

MOST_TOKENS = 10**9
_DIGITS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


def _money(value: Any) -> Any:
    """A number or digits in a string, exactly; no float's last bit gets into an amount."""
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not _DIGITS.fullmatch(str(value)):
        raise ValueError("an amount of US dollars is digits, like 0.25")
    return Decimal(str(value))


def _day(value: Any) -> Any:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("a day is written as 2026-11-20") from None
    return value


Budget = Annotated[Decimal, BeforeValidator(_money), WithJsonSchema({"type": "string", "examples": ["0.25"]})]
Day = Annotated[date, BeforeValidator(_day), WithJsonSchema({"type": "string", "format": "date"})]
Count = Annotated[int, Field(ge=0, le=MOST_TOKENS)]
Calls = Annotated[int, Field(ge=1, le=MOST_TOKENS)]
Name = Annotated[str, Field(min_length=1, max_length=200)]


class EstimateBody(Body):
    """The tokens of a call, counted or as a text to be estimated."""

    model: Name = Field(description="As it is asked for here, or as its provider calls it.")
    provider: Name | None = Field(None, description="Whose price; without it, whoever serves the model here.")
    input_tokens: Count | None = Field(None, description="Either this or `text`.")
    text: str | None = Field(None, description="A prompt: its tokens are estimated, four bytes each.")
    cached_tokens: Count = Field(0, description="Part of the input that is read from the upstream's cache.")
    output_tokens: Count = 0
    calls: Calls = Field(1, description="How many such calls.")
    batch: bool = Field(False, description="At the batch rate.")
    on: Day | None = Field(None, description="The day whose rate holds; without it, today (UTC).")


class TokensUsed(BaseModel):
    input: int
    cached: int
    output: int
    estimated: bool = Field(description="Whether the input was counted from a text, four bytes a token.")


class EstimateAnswer(BaseModel):
    model: str
    provider: str
    tokens: TokensUsed = Field(description="Of one call.")
    calls: int
    input_usd: Usd | None
    output_usd: Usd | None
    total_usd: Usd | None = Field(description="Null: not known; `note` says why.")
    rate: str
    source: str
    since: date | None = Field(description="First day that the rate held; null: the price book has no date for it.")
    origin: str | None
    on: date
    note: str | None


class RecommendBody(Body):
    """How many tokens the calls take, and what they may cost."""

    input_tokens: Count
    output_tokens: Count
    calls: Calls = 1
    max_budget: Budget | None = Field(None, description="US dollars for all the calls.")
    data: Name | None = Field(None, description="The evaluation's rows; without it, those that were measured last.")
    models: list[Name] = Field([], max_length=100, description="Consider these alone.")
    least_quality: Annotated[float, Field(ge=0, le=1)] | None = None


class CandidateAnswer(BaseModel):
    contestant: str
    model: str
    quality: float
    low: float | None
    high: float | None
    n: int | None
    total_usd: Usd | None
    rate: str | None
    within_budget: bool | None = Field(description="Null: its price is not known, or no budget was given.")
    told_apart: bool | None = Field(description="Whether its interval stays off the recommended one's.")
    reason: str | None = Field(description="Why it has no price.")


class RecommendAnswer(BaseModel):
    recommended: CandidateAnswer
    cheaper: CandidateAnswer | None = Field(description="The cheapest that was not told apart from it.")
    candidates: list[CandidateAnswer]
    not_measured: list[str]
    rows: str
    measured_at: datetime
    run_ids: list[str]
    basis: str


class OptimizeBody(Body):
    """A prompt, and the model whose price says what is saved."""

    prompt: Annotated[str, Field(min_length=1)]
    model: Name | None = None
    provider: Name | None = None
    calls: Calls = 1


class OptimizeAnswer(BaseModel):
    prompt: str
    changes: dict[str, int] = Field(description="What was taken out, how often; empty: nothing could be, safely.")
    tokens_before: int = Field(description="Estimated, four bytes a token.")
    tokens_after: int
    tokens_saved: int = Field(description="Of one call.")
    usd_saved: Usd | None = Field(description="For all the calls; null: no model was named.")
    rate: str | None
    source: str | None


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/ml/cost", tags=["costs"])

    def priced(model: str, usage: Usage, *, provider: str | None, calls: int, on: date, batch: bool = False) -> Any:
        """At the price that a call to `model` is booked at here."""
        house, name = (provider, model) if provider else parts.address(model)
        upstream = parts.catalogue.upstreams.get(house or "")
        if upstream is not None and upstream.machine_hour is not None:
            raise UnknownModel(
                f"{model[:80]!r} runs on own hardware and costs {upstream.machine_hour} USD an hour of its time.",
                remedy="How long a call takes is not known before it is made; GET /ml/metrics has what calls cost.",
            )
        return estimate(usage, model=name, provider=house, on=on, calls=calls, batch=batch)

    def today() -> date:
        return parts.clock.now().astimezone(UTC).date()

    @router.post("/estimate", openapi_extra=described(EstimateBody, ESTIMATE))
    async def estimate_cost(request: Request) -> EstimateAnswer:
        """What calls would cost at the rate of a day, with the rate's source. 404 where no rate is known."""
        body = await read(request, EstimateBody, needed="model, and input_tokens or text")
        if (body.input_tokens is None) == (body.text is None):
            raise bad_request("Give either input_tokens or text.", remedy="One of the two.", param="input_tokens")
        counted = body.input_tokens if body.text is None else text_tokens(body.text)
        assert counted is not None
        if body.cached_tokens > counted:
            raise bad_request(
                f"{body.cached_tokens:,} cached tokens cannot be part of {counted:,}.",
                remedy="Cached tokens are part of the input.",
                param="cached_tokens",
            )
        usage = Usage(
            input_tokens=counted,
            cached_tokens=body.cached_tokens,
            output_tokens=body.output_tokens,
            reported=body.text is None,
        )
        day = body.on or today()
        cost = priced(body.model, usage, provider=body.provider, calls=body.calls, on=day, batch=body.batch)
        tokens = TokensUsed(
            input=counted,
            cached=body.cached_tokens,
            output=body.output_tokens,
            estimated=body.text is not None,
        )
        return EstimateAnswer(tokens=tokens, calls=body.calls, on=day, **_money_of(cost))

    @router.post("/recommend", openapi_extra=described(RecommendBody, RECOMMEND))
    async def recommend_model(request: Request) -> RecommendAnswer:
        """The best model that an evaluation measured and the budget allows. 404 where none was measured."""
        body = await read(request, RecommendBody, needed="input_tokens and output_tokens")
        usage = Usage(input_tokens=body.input_tokens, output_tokens=body.output_tokens)
        day = today()
        try:
            advice = await from_book(
                parts,
                lambda book: recommendation.recommend(
                    book,
                    price=lambda model: priced(model, usage, provider=None, calls=body.calls, on=day),
                    max_budget=body.max_budget,
                    data=body.data,
                    models=body.models,
                    least_quality=body.least_quality,
                ),
            )
        except (NothingMeasured, NothingWithinBudget) as error:
            code = "nothing_measured" if isinstance(error, NothingMeasured) else "nothing_within_budget"
            raise Refusal(404, code, error.message, remedy=error.remedy) from error
        return RecommendAnswer(
            recommended=_candidate(advice.recommended),
            cheaper=None if advice.cheaper is None else _candidate(advice.cheaper),
            candidates=[_candidate(candidate) for candidate in advice.candidates],
            not_measured=list(advice.not_measured),
            rows=advice.rows,
            measured_at=advice.measured_at,
            run_ids=list(advice.run_ids),
            basis=advice.basis,
        )

    @router.post("/optimize", openapi_extra=described(OptimizeBody, OPTIMIZE))
    async def optimize_prompt(request: Request) -> OptimizeAnswer:
        """The prompt without spaces and politeness that change nothing: code, quotations, numbers, negations and
        words that mean something stay as they are. No model is asked."""
        body = await read(request, OptimizeBody, needed="prompt")
        shorter = shorten(body.prompt)
        before, after = text_tokens(body.prompt), text_tokens(shorter.prompt)
        cost = None
        if body.model is not None:
            saved = Usage(input_tokens=before - after, output_tokens=0, reported=False)
            cost = priced(body.model, saved, provider=body.provider, calls=body.calls, on=today())
        return OptimizeAnswer(
            prompt=shorter.prompt,
            changes=shorter.changes,
            tokens_before=before,
            tokens_after=after,
            tokens_saved=before - after,
            usd_saved=None if cost is None else cost.input_usd,
            rate=None if cost is None else cost.rate,
            source=None if cost is None else cost.source,
        )

    return router


ESTIMATE = {"model": "gpt-4o-mini", "provider": "openai", "input_tokens": 2000, "output_tokens": 300}
RECOMMEND = {"input_tokens": 800, "output_tokens": 200, "calls": 10_000, "max_budget": "5.00"}
OPTIMIZE = {
    "prompt": "Please summarise this.  It is long.",
    "model": "gpt-4o-mini",
    "provider": "openai",
    "calls": 1_000_000,
}


def _money_of(cost: CostEstimate) -> dict[str, Any]:
    names = ("model", "provider", "input_usd", "output_usd", "total_usd", "rate", "source", "since", "origin", "note")
    return {name: getattr(cost, name) for name in names}


def _candidate(candidate: Candidate) -> CandidateAnswer:
    return CandidateAnswer(
        contestant=candidate.contestant,
        model=candidate.model,
        quality=candidate.quality,
        low=candidate.low,
        high=candidate.high,
        n=candidate.n,
        total_usd=candidate.usd,
        rate=None if candidate.cost is None else candidate.cost.rate,
        within_budget=candidate.within_budget,
        told_apart=candidate.told_apart,
        reason=candidate.reason,
    )
