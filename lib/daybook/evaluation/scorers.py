"""From answers to scores, whatever the scorer needs: the texts alone, embeddings, a judge, a sandbox."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daybook.datasets import Row
from daybook.errors import BadData, BadParameter
from daybook.evaluation.figures import Item
from daybook.evaluation.sandbox.run import Bounds, code_of, run
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.pii import excerpt
from daybook.scoring import MEASURES, Score, json_fields, label, measure, number
from daybook.scoring.judge import RUBRIC, messages, parse
from daybook.scoring.text import similarity
from daybook.scoring.visible import visible

SCORERS = (*MEASURES, "similarity", "judge", "code")

Embed = Callable[[Sequence[str]], Any]
Judge = Callable[[Sequence[Sequence[Mapping[str, str]]]], Sequence[str | None]]
"""Conversations → the judge's replies, None where there was none."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """Scores answers. `labels`: what can be answered, where the rows do not say. `embed` and `judge` only where the
    scorer asks for them."""

    scorer: str
    labels: Sequence[str] = ()
    embed: Embed | None = None
    judge: Judge | None = None
    rubric: str = RUBRIC
    bounds: Bounds | None = None

    def score(
        self, rows: Sequence[Row], answers: Sequence[CachedAnswer | None], errors: Sequence[str | None]
    ) -> list[Item]:
        """An item for each row; `errors` say why an answer is None."""
        there = [i for i, answer in enumerate(answers) if answer is not None]
        texts = [visible(answer.text) for answer in answers if answer is not None]
        scores = dict(zip(there, self._scores([rows[i] for i in there], texts), strict=True))
        items = []
        for i, (row, answer, error) in enumerate(zip(rows, answers, errors, strict=True)):
            score = scores.get(i)
            why = error or ("not asked" if answer is None else "no verdict" if score is None else None)
            items.append(Item(row, answer, score, why))
        return items

    def ready(self, rows: Sequence[Row]) -> None:
        """Raises BadData or BadParameter where these rows cannot be scored, whatever will be answered."""
        if self.scorer == "similarity" and self.embed is None:
            raise BadParameter("Similarity needs embeddings.", remedy="Hand in what embeds.")
        if self.scorer == "judge" and self.judge is None:
            raise BadParameter("Nobody was named to judge.", remedy="Name a model: judge=….")
        if self.scorer == "code" and (untested := [row.id for row in rows if not _test(row)]):
            raise BadData(
                f"Row {untested[0]} has no test, as {len(untested)} of {len(rows)} have none.",
                remedy="A code task needs a column `test` with assertions.",
            )
        read = {"number": number.read, "json": json_fields.read}.get(self.scorer)
        if read and (
            bad := [row for row in rows if not any(read(reference) is not None for reference in row.references)]
        ):
            raise BadData(
                f"{len(bad)} of {len(rows)} references hold nothing that {self.scorer} reads: row {bad[0].id} has "
                f"{excerpt(bad[0].reference or '', 60)!r}.",
                remedy="Mend them, or take another scorer.",
            )

    def _scores(self, rows: Sequence[Row], texts: Sequence[str]) -> Sequence[Score | None]:
        self.ready(rows)
        if self.scorer == "similarity" and self.embed is not None:
            return similarity.scores(texts, [row.references for row in rows], self.embed)
        if self.scorer == "judge" and self.judge is not None:
            return self._judged(rows, texts, self.judge)
        if self.scorer == "code":
            return [self._checked(row, text) for row, text in zip(rows, texts, strict=True)]
        score = measure(self.scorer)
        labels = self.labels if self.scorer == "label" else ()
        if self.scorer == "label":
            texts = [label.own_words(text, row.input, labels) for row, text in zip(rows, texts, strict=True)]
        return [score(text, row.references, row.choices or labels) for row, text in zip(rows, texts, strict=True)]

    def _judged(self, rows: Sequence[Row], texts: Sequence[str], judge: Judge) -> list[Score | None]:
        asked = [messages(self.rubric, row.input, text, row.reference) for row, text in zip(rows, texts, strict=True)]
        verdicts = [None if reply is None else parse(reply) for reply in judge(asked)]
        return [None if value is None else Score(value, f"{value:.2f}") for value in verdicts]

    def _checked(self, row: Row, text: str) -> Score:
        outcome = run(f"{code_of(text)}\n\n{_test(row)}", self.bounds)
        return Score(float(outcome.passed), None if outcome.ending == "no code" else outcome.ending)


def _test(row: Row) -> str:
    test = row.extra.get("test")
    return test if isinstance(test, str) and test.strip() else ""
