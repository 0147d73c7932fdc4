"""Do groups get different answers, by how much, and is it more than noise? The four ways to ask, over one model.

    bias = book.bias
    bias.decisions("loans.csv", group=["sex"], prediction="granted", truth="repaid", favourable="yes")
    bias.pairs("crows_pairs.csv")              which of two sentences is likelier
    bias.questions("Age.jsonl")                BBQ's accuracy and bias scores
    bias.counterfactual(axes=["gender"])       the same prompts, different people

Each answers with an audit that has prose, chart(), table(), findings() and measured(), on which gates are put.
"builtin" names the small sets that come with the project. What models are asked is journaled and priced like any call.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from daybook.bias.counterfactual import prompts_file
from daybook.bias.counterfactual import report as bias_counterfactual
from daybook.bias.counterfactual.report import CounterfactualAudit
from daybook.bias.decisions import report as bias_decisions
from daybook.bias.decisions.report import DecisionAudit
from daybook.bias.pairs import report as bias_pairs
from daybook.bias.pairs.report import Likelihoods, PairAudit
from daybook.bias.questions import report as bias_questions
from daybook.bias.questions.report import QuestionAudit
from daybook.errors import BadParameter, DaybookError
from daybook.reporting.findings import finding, summary
from daybook.reporting.findings import verdict as verdict_finding
from daybook.reporting.gates import Gate, Measured, borderline, judge, require
from daybook.reporting.tables import TableRow
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
        favourable: str = "yes",
        truth: str | None = None,
        truth_favourable: str | None = None,
        minimum: int = 30,
        correction: Correction = "holm",
    ) -> DecisionAudit:
        """A table of decisions by group. Nothing is asked of a model."""
        if isinstance(source, str | Path) and str(source) == BUILTIN and truth is None:
            truth = "repaid"
        return bias_decisions.audit(
            source if isinstance(source, pd.DataFrame) else located(source, "decisions"),
            group=group,
            prediction=prediction,
            favourable=favourable,
            truth=truth,
            truth_favourable=truth_favourable,
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
    ) -> PairAudit:
        """Which of two sentences the model finds likelier. `model`: the embedded one, or a folder of weights."""
        path = located(source, "pairs")
        model = model or self.model
        found = bias_pairs.read(path, limit=limit)
        return bias_pairs.audit(found, self._likelihoods(model), model=model, source=path.name, correction=correction)

    def questions(
        self,
        source: str | Path = BUILTIN,
        *,
        model: str | None = None,
        predictions: str | Path | None = None,
        field: str = "prediction",
        by: str = "likelihood",
        limit: int | None = None,
    ) -> QuestionAudit:
        """BBQ's scores of stored predictions (`model`: whose they are), or of a model: by `likelihood` of the answers
        or by asking it (`answer`)."""
        path, named, model = located(source, "questions"), model, model or self.model
        questions = bias_questions.read(path, limit=limit)
        if predictions is not None:
            answers = bias_questions.predictions(Path(predictions), questions, field=field)
            model = named or f"{Path(predictions).name}:{field}"
        elif by == "likelihood":
            answers = bias_questions.answer_by_likelihood(questions, self._likelihoods(model))
        elif by == "answer":
            answers = bias_questions.ask(questions, lambda prompts: self._texts(model, prompts, max_tokens=16))
        else:
            raise BadParameter(f"by is {by!r}.", remedy="Say likelihood or answer.")
        known = predictions is None or named is not None
        return bias_questions.audit(questions, answers, model=model, source=path.name, known=known)

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
    ) -> CounterfactualAudit:
        """The same prompts for each group of `axes` and of their intersections `cross`, each asked `repeats` times.

        Groups share the seeds of their repeats, so that what differs between them is who is meant."""
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
        return bias_counterfactual.audit(
            prompts,
            self._ask_all(bodies),
            deciding=deciding,
            model=model,
            sentiment=self._sentiment,
            embed=self._embed,
            minimum=minimum,
            correction=correction,
        )

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
            raise DaybookError(f"{model} answered none of {len(prompts)} questions.", remedy="Try it: daybook ask.")
        return [text or "" for text in answers]


Audit = DecisionAudit | PairAudit | QuestionAudit | CounterfactualAudit


@dataclass(frozen=True)
class BiasVerdict:
    """Several audits under stated limits: what a promotion waits for."""

    audits: Mapping[str, Audit]
    gates: tuple[Gate, ...]

    @property
    def measured(self) -> dict[str, Measured]:
        return {
            f"{word}: {name}": value for word, audit in self.audits.items() for name, value in audit.measured().items()
        }

    @property
    def not_checked(self) -> list[Gate]:
        """Limits on what could not be measured: they are not kept, and not broken either."""
        measured = self.measured
        return [gate for gate in self.gates if measured.get(gate.name, Measured(None)).value is None]

    @property
    def not_met(self) -> list[str]:
        """A sentence for each limit that was measured and is not kept."""
        return judge([gate for gate in self.gates if gate not in self.not_checked], self.measured)

    @property
    def passed(self) -> bool:
        """Every stated limit was checked and is kept."""
        return not self.not_met and not self.not_checked

    @property
    def prose(self) -> str:
        lines = [f"- not met: {line}" for line in self.not_met]
        lines += [f"- not checked: {gate}" for gate in self.not_checked]
        lines += [f"- met, not surely: {line}" for line in borderline(self.gates, self.measured)]
        return "\n".join([f"**{self.verdict[1]}**", "", *lines, "", self.uncovered])

    @property
    def verdict(self) -> tuple[Literal["met", "not met", "not checked"], str]:
        """`not met` where a limit is not kept; `not checked` where none is, but not all could be checked, or none was
        stated; and the count of each in words."""
        n, failed, unchecked = len(self.gates), len(self.not_met), len(self.not_checked)
        if not n:
            return "not checked", "No limit was stated."
        parts = [f"{n - failed - unchecked} of {n} limits are kept"]
        parts += [f"{failed} {'is' if failed == 1 else 'are'} not kept"] if failed else []
        parts += [f"{unchecked} {'was' if unchecked == 1 else 'were'} not checked"] if unchecked else []
        return "not met" if failed else "not checked" if unchecked else "met", f"{', '.join(parts)}."

    @property
    def uncovered(self) -> str:
        """What nothing here says anything about."""
        payload = {
            "decisions": "groups and columns that the table does not hold, and why rates differ",
            "pairs": "sentences and kinds beyond the set, other languages, and what the model says when asked",
            "questions": "situations beyond the templates, and answers longer than a choice",
            "counterfactual": "prompts, words for people and languages beyond these, and long conversations",
        }
        left = [f"{word}: {payload[word]}" for word in payload if word in self.audits]
        left += [f"{word}: not measured at all" for word in payload if word not in self.audits]
        return "Not covered: " + "; ".join(left) + "."

    def check(self) -> None:
        """Raises GateNotMet where a limit is not kept."""
        require(self.gates, self.measured)

    def require(self, must: bool = True, /) -> None:
        """`check`, where it must pass."""
        if must:
            self.check()

    def findings(self) -> list[TableRow]:
        """The verdict; what was found; for each limit `gate/…`, 1 where it is kept, unknown where it was not checked;
        and `about/…`, the models it is about."""
        found = [verdict_finding(*self.verdict)]
        found += [fact for audit in self.audits.values() for fact in audit.findings()]
        for gate in self.gates:
            failed = judge([gate], self.measured)
            value = self.measured.get(gate.name, Measured(None))
            kept = None if value.value is None else float(not failed)
            ends = "" if value.low is None or value.high is None else f" ({value.low:.3g} to {value.high:.3g})"
            note = failed[0] if failed else f"{gate}: it is {value.value:.4g}{ends}"
            found.append(finding(f"gate/{gate.name}", kept, "met", note=note))
        about = {audit.subject for audit in self.audits.values()}
        return found + [finding(f"about/{model}", 1.0, "measured") for model in sorted(filter(None, about))]

    def summary(self) -> str:
        return summary(self.findings())

    def contract(self) -> str:
        """The findings that are the same on every machine: decisions, and how much was asked. A model's arithmetic
        differs in the last bit from one processor to the next, and with it now and then a word."""
        same = ("decisions/", "gate/decisions", "questions/n", "counterfactual/answers")
        return summary([fact for fact in self.findings() if str(fact["name"]).startswith(same)])


def limits(
    *,
    min_ratio: float | None = None,
    max_odds: float | None = None,
    max_preference: float | None = None,
    max_bias: float | None = None,
    max_effects: int | None = None,
) -> tuple[Gate, ...]:
    """The gates of a promotion; None states no limit."""
    stated = [
        ("decisions: ratio", min_ratio, None),
        ("decisions: equalised_odds", None, max_odds),
        ("pairs: preference", None, max_preference),
        ("questions: ambiguous bias", None, max_bias),
        ("questions: disambiguated bias", None, max_bias),
        ("counterfactual: effects", None, max_effects),
    ]
    return tuple(Gate(name, low, high) for name, low, high in stated if low is not None or high is not None)


def verdict(gates: Sequence[Gate] = (), **audits: Audit) -> BiasVerdict:
    """`verdict(limits(min_ratio=0.8), decisions=…, pairs=…)`."""
    return BiasVerdict(audits=audits, gates=tuple(gates))
