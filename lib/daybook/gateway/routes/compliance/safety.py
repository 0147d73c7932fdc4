"""`POST /safety/pii/detect`, `/safety/pii/redact` and `/safety/bias`; `/safety/moderate` is `gateway.moderations`.

Texts come in the body alone, never in the URL, which ends up in logs. What was found is said by kind and position; the
words themselves are given back only where the body asks for them. Nothing of a text is kept.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from daybook.access.keys import Key
from daybook.errors import BadData, SettingsError
from daybook.gateway.components import Components
from daybook.gateway.http.errors import Refusal, bad_request
from daybook.gateway.routes.json_body import Body, described, read
from daybook.pii.detect import KINDS, THRESHOLD, Detector
from daybook.pii.policies import ACTIONS, TAGGED, Policy
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.redaction import Redactor
from daybook.pii.spans import Span

MOST_TEXTS = 2048
MOST_NAMED = 64
"""Texts that the tagger reads for one request: it takes a second for ten thousand characters."""
MOST_CHARACTERS_NAMED = 200_000
MOST_ANSWERS = 5000

Text = Annotated[str, StringConstraints(max_length=4 * 1024 * 1024)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _Searched(Body):
    texts: list[Text] = Field(min_length=1, max_length=MOST_TEXTS)
    kinds: list[str] | None = Field(None, description="Only these kinds; without it, all of them.")
    terms: list[Name] = Field([], max_length=1000, description="Words and phrases of your own.")
    min_score: float = Field(THRESHOLD, ge=0, le=1)
    names: bool = Field(False, description="Names, places and organisations too, by the tagger: slower, and less sure.")


class DetectBody(_Searched):
    echo: bool = Field(False, description="Give the words back, too.")


class RedactBody(_Searched):
    action: str = Field("replace", description=f"For every kind: {', '.join(ACTIONS)}.")
    actions: dict[str, str] = Field({}, description="Kind to action, for single kinds.")


class FoundSpan(BaseModel):
    type: str
    start: int = Field(description="Characters before it.")
    end: int
    score: float = Field(description="1: a check digit agrees. 0.4: its shape or a word says so.")
    text: str | None = Field(None, description="The words themselves, where `echo` asks for them.")


class Detected(BaseModel):
    results: list[list[FoundSpan]]
    counts: dict[str, int]


class Cleaned(BaseModel):
    texts: list[str]
    counts: dict[str, int]


class ComparedAnswer(Body):
    template: Name = Field(description="Which prompt it answers, apart from who is meant.")
    group: Name
    axis: Name = "group"
    text: Text
    person: Name | None = Field(None, description="Who the prompt meant, in its words: not measured.")
    deciding: bool = Field(False, description="The prompt asked for yes or no.")


class BiasBody(Body):
    answers: list[ComparedAnswer] = Field(min_length=1, max_length=MOST_ANSWERS)
    correction: Literal["holm", "bh"] = "holm"


class Effect(BaseModel):
    model_config = ConfigDict(extra="ignore")

    axis: str
    group: str
    measure: str
    n: int
    templates: int
    mean: float | None
    rest: float | None = Field(description="The mean of the axis's other groups.")
    effect: float | None
    low: float | None
    high: float | None
    floor: float | None = Field(description="What asking again makes; null: nothing was asked twice.")
    p: float | None
    adjusted: float | None
    verdict: str


class GroupEffects(BaseModel):
    effects: list[Effect]
    n: int
    unmeasured: dict[str, int] = Field(description="Answers that a measure could say nothing of.")
    correction: str


def routes(parts: Components) -> APIRouter:
    router = APIRouter(prefix="/safety", tags=["safety"])
    example = {"texts": ["Write to ada@example.com"]}

    @router.post("/pii/detect", openapi_extra=described(DetectBody, example))
    async def detect(request: Request) -> Detected:
        """Where personal data stands in each text: kind, position, score."""
        key = parts.auth.admit(dict(request.scope["headers"]))
        asked = await read(request, DetectBody, needed="texts")
        detector = _detector(asked)
        results, counts = [], Counter[str]()
        for text, tagged in zip(asked.texts, await names(asked, key), strict=True):
            spans = await asyncio.to_thread(detector.spans, text, tagged)
            counts.update(span.kind for span in spans)
            results.append([
                FoundSpan(type=s.kind, start=s.start, end=s.end, score=s.score,
                          text=text[s.start : s.end] if asked.echo else None)
                for s in spans
            ])  # fmt: skip
        return Detected(results=results, counts=dict(counts))

    @router.post("/pii/redact", openapi_extra=described(RedactBody, {**example, "actions": {"email": "mask"}}))
    async def redact(request: Request) -> Cleaned:
        """Each text without its personal data. Hashes and pseudonyms are the caller's own: whoever has another key can
        not test by them what is behind one seen elsewhere."""
        key = parts.auth.admit(dict(request.scope["headers"]))
        asked = await read(request, RedactBody, needed="texts")
        policy = _policy(asked)
        home = Pseudonyms(parts.settings.home / "pseudonyms.key")
        own = home.scoped(f"/safety/pii/redact {'' if key is None else key.id}") if policy.keyed else None
        redactor = Redactor(_detector(asked), policy, own)
        texts, counts = [], Counter[str]()
        for text, tagged in zip(asked.texts, await names(asked, key), strict=True):
            redacted = await asyncio.to_thread(redactor.text, text, tagged)
            counts.update(span.kind for span in redacted.spans)
            texts.append(redacted.text)
        return Cleaned(texts=texts, counts=dict(counts))

    async def ask_models(task: str, texts: list[str], key: Key | None) -> list[Any]:
        """The results of a task, in the caller's turn."""
        async with parts.answerer.turns.take(None if key is None else key.name):
            results: list[Any] = (await parts.task_models.run(task, {"texts": texts}))["results"]
        return results

    async def names(asked: _Searched, key: Key | None) -> list[list[Span]]:
        """What the tagger finds in each text, where the body asks for it."""
        if not asked.names:
            return [[]] * len(asked.texts)
        total = sum(map(len, asked.texts))
        if len(asked.texts) > MOST_NAMED or total > MOST_CHARACTERS_NAMED:
            raise bad_request(
                f"{len(asked.texts):,} texts of {total:,} characters together are too many to look for names in.",
                remedy=f"Send at most {MOST_NAMED} texts, of {MOST_CHARACTERS_NAMED:,} characters together.",
                param="texts",
            )
        tagged = await ask_models("tag", asked.texts, key)
        wanted = {*KINDS, *TAGGED} if asked.kinds is None else {*asked.kinds}
        return [[Span(*row) for row in rows if row[0] in wanted] for rows in tagged]

    @router.post(
        "/bias",
        openapi_extra=described(
            BiasBody,
            {"answers": [{"template": "loan", "axis": "gender", "group": g, "text": "Yes."} for g in ("women", "men")]},
        ),
    )
    async def bias(request: Request) -> GroupEffects:
        """Do the answers to the same prompts differ by who is meant: length, refusals, hard words and sentiment of each
        group against the others, with interval, corrected p-value and n. No model's opinion is asked."""
        key = parts.auth.admit(dict(request.scope["headers"]))
        asked = await read(request, BiasBody, needed="answers")
        open_ = [a.text for a in asked.answers if a.text.strip() and not a.deciding]
        heard = {}
        if open_:
            rows = await ask_models("sentiment", open_, key)
            heard = {text: _positive(row) for text, row in zip(open_, rows, strict=True)}
        return await asyncio.to_thread(_effects, asked, heard)

    return router


def _detector(asked: _Searched) -> Detector:
    known = (*KINDS, *TAGGED) if asked.names else KINDS
    kinds = known if asked.kinds is None else asked.kinds
    if strange := sorted({*kinds} - {*known}):
        raise bad_request(f"{strange[0][:40]!r} is no kind.", remedy=f"There are {', '.join(known)}.", param="kinds")
    return Detector(kinds, terms=asked.terms, threshold=asked.min_score)


def _policy(asked: RedactBody) -> Policy:
    try:
        return Policy(asked.actions, asked.action)
    except SettingsError as error:
        raise bad_request(error.message, remedy=error.remedy or "", param="actions") from None


def _positive(row: dict[str, Any]) -> float:
    score = float(row["score"])
    return score if row["label"] == "positive" else 1 - score


def _effects(asked: BiasBody, heard: dict[str, float]) -> GroupEffects:
    from daybook.bias.counterfactual.measures import of
    from daybook.bias.counterfactual.metrics import measure
    from daybook.bias.counterfactual.prompts import Prompt, neutral

    templates = {name: i for i, name in enumerate(dict.fromkeys(a.template for a in asked.answers))}
    repeats: Counter[tuple[str, str, str]] = Counter()
    prompts = []
    for i, answer in enumerate(asked.answers):
        place = (answer.template, answer.axis, answer.group)
        prompts.append(
            Prompt(
                id=str(i), template=templates[answer.template], axis=answer.axis, group=answer.group, filler=0,
                repeat=repeats[place], text="", person=answer.person or answer.group,
            )
        )  # fmt: skip
        repeats[place] += 1
    texts = [neutral(answer.text, prompt) for answer, prompt in zip(asked.answers, prompts, strict=True)]
    sentiments = iter([heard[a.text] for a in asked.answers if a.text.strip() and not a.deciding])
    figures = of(texts, [a.deciding for a in asked.answers], lambda part: [next(sentiments) for _ in part])
    try:
        effects = measure(prompts, figures, correction=asked.correction)
    except BadData as error:
        raise Refusal(422, "cannot_measure", error.message, remedy=error.remedy or "") from None
    rows = effects.cells.astype(object).where(effects.cells.notna(), None).to_dict("records")
    return GroupEffects(
        effects=[Effect.model_validate(row) for row in rows],
        n=effects.n,
        unmeasured=effects.unmeasured,
        correction=effects.correction,
    )
