"""BBQ-shaped questions, audited: asked of a live model or taken from stored predictions, scored.

questions = read_questions(Path("Age.jsonl"))
stored = read_predictions(Path("answers.jsonl"), questions)
found = audit_questions(questions, stored.answers, model="…", source="Age.jsonl")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from daybook.bias.pairs.report import Likelihoods
from daybook.bias.questions.formats import parse, prompt
from daybook.bias.questions.metrics import Question, Questions, measure
from daybook.reporting.charts.forest import ForestPanel, Point, forest
from daybook.reporting.findings import finding
from daybook.reporting.gates import Measured
from daybook.reporting.result import Result, Table
from daybook.reporting.tables import Column, TableRow, to_records
from daybook.reporting.text import between, code, count, percent, score, unbroken

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart

CONDITIONS = {"ambig": "ambiguous", "disambig": "disambiguated"}


def ask(questions: Sequence[Question], model: Callable[[Sequence[str]], Sequence[str]]) -> dict[str, int | None]:
    """Answers of a live model, asked for a letter."""
    answers = model([prompt(question) for question in questions])
    return {q.id: parse(text, q) for q, text in zip(questions, answers, strict=True)}


def answer_by_likelihood(questions: Sequence[Question], likelihoods: Likelihoods) -> dict[str, int | None]:
    """The answer that a model finds likeliest after the question: nothing to parse, and every model answers."""
    asked = [(f"{q.context}\n\nQ: {q.question}\nA:", f" {answer}") for q in questions for answer in q.answers]
    totals = [scored.total for scored in likelihoods(asked)]
    return {q.id: max(range(3), key=lambda k, i=i: totals[3 * i + k]) for i, q in enumerate(questions)}  # type: ignore[misc] # mypy does not infer a lambda with a default


def audit_questions(
    questions: Sequence[Question],
    answers: Mapping[str, int | None],
    *,
    model: str,
    source: str,
    known: bool = True,
    of: int | None = None,
    strange: int = 0,
) -> QuestionAudit:
    """`known`: whether `model` is a model's name, not that of a file of its answers. `of`: how many questions the file
    has; `strange`: stored answers that belong to none of them."""
    return QuestionAudit(
        figures=measure(questions, answers),
        model=model,
        source=source,
        known=known,
        of=len(questions) if of is None else of,
        unanswered=len(questions) - sum(question.id in answers for question in questions),
        strange=strange,
    )


@dataclass(frozen=True)
class QuestionAudit(Result):
    figures: Questions
    model: str
    source: str
    known: bool
    of: int
    """Questions that the file has."""
    unanswered: int
    """Questions that were wanted and have no stored answer."""
    strange: int
    """Stored answers that belong to no question."""

    subject_word = "bias-questions"

    @property
    def subject(self) -> str | None:
        """The model that this is about; None where it is not known."""
        return self.model if self.known else None

    def measured(self) -> dict[str, Measured]:
        """What a gate can be put on: accuracy and size of the bias score, by condition."""
        values: dict[str, Measured] = {}
        for row in self._all():
            named = CONDITIONS[row["condition"]]
            values[f"{named} accuracy"] = Measured(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
            if row["condition"] == "ambig" and row["bias"] is None and row["accuracy"] == 1:
                # never more than 1 − accuracy, whichever way: a model that always says "unknown" is not biased here
                values[f"{named} bias"] = Measured(0.0, 0.0, 1 - row["accuracy_low"])
                continue
            size = None if row["bias"] is None else abs(row["bias"])
            ends = [abs(row[end]) for end in ("bias_low", "bias_high") if row[end] is not None]
            through = len(ends) == 2 and row["bias_low"] <= 0 <= row["bias_high"]
            values[f"{named} bias"] = Measured(
                size, (0.0 if through else min(ends)) if ends else None, max(ends) if ends else None
            )
        return values

    def _all(self) -> Iterator[TableRow]:
        yield from (row for row in to_records(self.figures.scores) if row["category"] == "all")

    @property
    def tables(self) -> Mapping[str, Table]:
        return {
            "scores": Table(
                "Accuracy and bias score, −1 against the stereotype to +1 with it",
                [
                    Column("category", "category"),
                    Column("condition", "context"),
                    Column("verdict", "verdict"),
                    Column("n", "questions", "count"),
                    Column("accuracy", "right", "percent", "accuracy_low", "accuracy_high"),
                    Column("bias", "bias score", "score", "bias_low", "bias_high"),
                    Column("named", "name somebody", "count"),
                    Column("unanswered", "no answer", "count"),
                ],
                self.figures.scores.assign(condition=self.figures.scores["condition"].map(CONDITIONS)),
            )
        }

    def chart(self) -> Chart:
        rows = [row for row in to_records(self.figures.scores) if row["bias"] is not None]
        points = [
            Point(
                f"{row['category']}, {CONDITIONS[row['condition']]}",
                row["bias"],
                row["bias_low"],
                row["bias_high"],
                f"{score(row['bias'])}  n = {row['n']:,}  {row['verdict']}",
                sure=row["verdict"].endswith("the stereotype"),
            )
            for row in rows
        ]
        return forest(
            "Wrong answers: with the stereotype, or against it?",
            [ForestPanel("", "bias score: −1 against the stereotype, +1 with it", points)],
            subtitle=f"{self.model}, {count(self.figures.n, 'question')} of {self.source}, 95 % intervals",
            empty="No answer names anybody.",
        )

    @property
    def prose(self) -> str:
        text = f"{code(self.model)} answered {count(self.figures.n, 'question')} of {code(self.source)}."
        for row in self._all():
            right = "“unknown” is right" if row["condition"] == "ambig" else "the context tells"
            text += (
                f" Where {right}, it is right in {percent(row['accuracy'])}"
                f"{between(row['accuracy_low'], row['accuracy_high'], percent)};"
            )
            if row["bias"] is None:
                text += " it never names anybody, so there is no bias score."
            else:
                ends = between(row["bias_low"], row["bias_high"], score)
                text += f" bias score {score(row['bias'])}{ends}: {row['verdict']}."
        if self.figures.unanswered:
            unread = count(self.figures.unanswered, "answer")
            text += f" {unread} could not be read as one of the three, and count as wrong."
        if self.figures.untold:
            text += f" {count(self.figures.untold, 'row')} do not tell which answer follows the stereotype."
        unused = self.of - self.figures.n
        if unused:
            text += f" Not used: {count(unused)} of {count(self.of, 'question')}"
            text += (
                f"; {count(self.unanswered)} of them for want of a stored answer."
                if self.unanswered
                else ", drawn by chance."
            )
        if self.strange:
            text += f" {count(self.strange, 'stored answer')} belong to no question."
        return unbroken(text)

    def cover(self) -> Sequence[Chart | Styler]:
        return self.chart(), self.table("scores")

    def findings(self) -> list[TableRow]:
        findings = [
            finding("questions/n", self.figures.n, "questions", n=self.figures.n),
            finding("questions/unanswered", self.figures.unanswered, "questions", n=self.figures.n),
        ]
        for row in to_records(self.figures.scores):
            named = f"questions/{row['category']}/{CONDITIONS[row['condition']]}"
            n = row["n"]
            findings.append(
                finding(f"{named}/accuracy", row["accuracy"], "share", row["accuracy_low"], row["accuracy_high"], n=n)
            )
            findings.append(
                finding(f"{named}/bias", row["bias"], "", row["bias_low"], row["bias_high"], n=n, note=row["verdict"])
            )
        return findings

    def to_dict(self) -> dict[str, Any]:
        figures = self.figures
        return {
            "model": self.model,
            "source": self.source,
            "of": self.of,
            "n": figures.n,
            "strange": self.strange,
            "unanswered": figures.unanswered,
            "untold": figures.untold,
            "scores": to_records(figures.scores),
        }
