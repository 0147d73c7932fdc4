"""Do groups get different answers, by how much, and is it more than noise? The four ways to ask, over one model.

    bias = book.bias
    bias.decisions("loans.csv", group=["sex"], prediction="granted", truth="repaid", favourable="yes")
    bias.pairs("crows_pairs.csv")              which of two sentences is likelier
    bias.questions("Age.jsonl")                BBQ's accuracy and bias scores
    bias.counterfactual(axes=["gender"])       the same prompts, different people

    bias.verdict(decisions=…, pairs=…, min_ratio=0.8)      all of them under stated limits

Each answers with an audit that has prose, chart(), table(), findings() and measured(), on which limits are put.
"builtin" names the small sets that come with the project; an empty name skips the audit. What models are asked is
journaled and priced like any call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from daybook.bias.counterfactual import prompts_file
from daybook.bias.counterfactual.report import CounterfactualAudit, audit_counterfactual, try_out
from daybook.bias.decisions.columns import Bands
from daybook.bias.decisions.report import DecisionAudit, audit_decisions
from daybook.bias.pairs.formats import read_pairs
from daybook.bias.pairs.report import Likelihoods, PairAudit, audit_pairs
from daybook.bias.questions.formats import read_predictions, read_questions, sample
from daybook.bias.questions.report import QuestionAudit, answer_by_likelihood, ask, audit_questions
from daybook.bias.verdict import Audit, BiasVerdict, Skipped, judged, limits
from daybook.errors import BadParameter, DaybookError
from daybook.stats.multiple import Correction

if TYPE_CHECKING:
    import numpy as np

BUILTIN = "builtin"
_SETS = Path(__file__).with_name("sets")
_FILES = {
    "decisions": "decisions.csv",
    "pairs": "pairs.csv",
    "questions": "questions.jsonl",
    "prompts": "prompts.yml",
}

AskAll = Callable[[Sequence[Mapping[str, Any]]], Sequence[str | None]]
"""Chat bodies → answers in order; None for one that failed."""


def located(source: str | Path, kind: str) -> Path:
    """The file that `source` names."""
    return _SETS / _FILES[kind] if str(source) == BUILTIN else Path(source)


class Bias:
    """`ask_all`, `likelihoods`, `sentiment`, `embed`: what models are needed for; asked only when needed."""

    def __init__(
        self,
        *,
        model: str,
        ask_all: AskAll,
        likelihoods: Callable[[str], Likelihoods],
        sentiment: Callable[[Sequence[str]], np.ndarray] | None = None,
        embed: Callable[[Sequence[str]], np.ndarray] | None = None,
    ) -> None:
        self.model = model
        self._ask_all = ask_all
        self._likelihoods = likelihoods
        self._sentiment = sentiment
        self._embed = embed

    def decisions(
        self,
        source: str | Path | pd.DataFrame = BUILTIN,
        *,
        group: Sequence[str] = ("sex", "age"),
        prediction: str = "granted",
        favourable: str | None = None,
        threshold: float | None = None,
        truth: str | None = None,
        truth_favourable: str | None = None,
        bands: Bands | None = None,
        minimum: int = 30,
        correction: Correction = "holm",
    ) -> DecisionAudit | Skipped:
        """A table of decisions by group. Nothing is asked of a model.

        `favourable`: the decision that a person wants ("yes" unless there is a threshold); `threshold`: from where on a
        score is favourable; `truth`: what should have been decided; `bands`: {"age": 4} or {"age": [30, 60]}."""
        if isinstance(source, str | Path):
            if not str(source):
                return Skipped("decisions")
            truth = truth or ("repaid" if str(source) == BUILTIN else None)
            source = located(source, "decisions")
        return audit_decisions(
            source,
            group=group,
            prediction=prediction,
            favourable=favourable or ("yes" if threshold is None else None),
            threshold=threshold,
            truth=truth or None,
            truth_favourable=truth_favourable or None,
            bands=bands,
            minimum=minimum,
            correction=correction,
        )

    def pairs(
        self,
        source: str | Path = BUILTIN,
        *,
        model: str | None = None,
        limit: int | None = None,
        correction: Correction = "holm",
    ) -> PairAudit | Skipped:
        """Which of two sentences the model finds likelier. `model`: the embedded one, or a folder of weights."""
        if not str(source):
            return Skipped("pairs")
        path = located(source, "pairs")
        model = model or self.model
        pairs = read_pairs(path)
        return audit_pairs(
            pairs[:limit],
            self._likelihoods(model),
            model=model,
            source=path.name,
            of=len(pairs),
            correction=correction,
        )

    def questions(
        self,
        source: str | Path = BUILTIN,
        *,
        model: str | None = None,
        predictions: str | Path | None = None,
        field: str = "prediction",
        by: str = "likelihood",
        limit: int | None = None,
    ) -> QuestionAudit | Skipped:
        """BBQ's scores of stored predictions (`model`: whose they are), or of a model: by `likelihood` of the answers
        or by asking it (`answer`)."""
        if not str(source):
            return Skipped("questions")
        path, named, model = located(source, "questions"), model, model or self.model
        known = read_questions(path)
        questions = sample(known, limit)
        strange = 0
        if predictions:
            stored = read_predictions(Path(predictions), known, field=field)
            answers, strange = stored.answers, stored.strange
            model = named or f"{Path(predictions).name}:{field}"
        elif by == "likelihood":
            answers = answer_by_likelihood(questions, self._likelihoods(model))
        elif by == "answer":
            answers = ask(questions, lambda prompts: self._texts(model, prompts, max_tokens=16))
        else:
            raise BadParameter(f"by is {by!r}.", remedy="Say likelihood or answer.")
        return audit_questions(
            questions,
            answers,
            model=model,
            source=path.name,
            known=not predictions or named is not None,
            of=len(known),
            strange=strange,
        )

    def counterfactual(
        self,
        source: str | Path = BUILTIN,
        *,
        axes: Sequence[str] = ("gender",),
        cross: Sequence[Sequence[str]] = (),
        repeats: int = 2,
        fillers: int = 1,
        model: str | None = None,
        temperature: float = 0.7,
        max_tokens: int = 24,
        templates: int | None = None,
        outcomes: bool = True,
        minimum: int = 10,
        correction: Correction = "holm",
    ) -> CounterfactualAudit | Skipped:
        """The same prompts for each group of `axes` and of their intersections `cross`, each asked `repeats` times.

        Groups share the seeds of their repeats, so that what differs between them is who is meant."""
        if not str(source) or not axes:
            return Skipped("counterfactual")
        plan = prompts_file.read(located(source, "prompts"), axes_of=located(BUILTIN, "prompts"))
        if templates is not None or not outcomes:
            kept = plan.outcomes if outcomes else ()
            plan = prompts_file.PromptPlan(plan.templates[:templates], kept[:templates], plan.axes)
        model = model or self.model
        crossed = [tuple(names) for names in cross]
        prompts = prompts_file.expand(plan, axes=axes, cross=crossed, repeats=repeats, fillers=fillers)
        deciding = [prompt.template >= len(plan.templates) for prompt in prompts]
        bodies = [
            {
                "model": model,
                "messages": [{"role": "user", "content": prompt.text}],
                "max_tokens": 4 if decides else max_tokens,
                "temperature": temperature,
                "seed": 1000 * prompt.template + prompt.repeat,
            }
            for prompt, decides in zip(prompts, deciding, strict=True)
        ]
        return audit_counterfactual(
            prompts,
            self._ask_all(bodies),
            deciding=deciding,
            model=model,
            sentiment=self._sentiment,
            embed=self._embed,
            minimum=minimum,
            correction=correction,
        )

    def verdict(
        self,
        *,
        min_ratio: float | None = None,
        max_odds: float | None = None,
        max_preference: float | None = None,
        max_bias: float | None = None,
        max_effects: int | None = None,
        **audits: Audit,
    ) -> BiasVerdict:
        """The audits (`decisions=`, `pairs=`, `questions=`, `counterfactual=`) under stated limits."""
        stated = limits(
            min_ratio=min_ratio,
            max_odds=max_odds,
            max_preference=max_preference,
            max_bias=max_bias,
            max_effects=max_effects,
        )
        return judged(stated, **audits)

    def _texts(self, model: str, prompts: Sequence[str], *, max_tokens: int) -> list[str]:
        bodies = [
            {
                "model": model,
                "messages": [{"role": "user", "content": prompt}],
                "max_tokens": max_tokens,
                "temperature": 0,
                "seed": 1,
            }
            for prompt in prompts
        ]
        answers = self._ask_all(bodies)
        if not any(answers):
            raise DaybookError(
                f"{model} answered none of {len(prompts)} questions.", remedy=f"Try it: {try_out(model)}"
            )
        return [text or "" for text in answers]
