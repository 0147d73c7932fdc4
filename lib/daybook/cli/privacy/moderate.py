"""`daybook moderate`: texts judged on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from daybook.cli.privacy.text_file import answer_lines, pieces_of, write
from daybook.errors import BadParameter

if TYPE_CHECKING:
    from collections.abc import Mapping

_BATCH = 32


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--jsonl", is_flag=True, help='A line is {"id": …, "text": …}; so is the answer to it.')
@click.option("--threshold", "limits", multiple=True, metavar="CATEGORY=SCORE",
              help="From which score a category flags a text; repeat.")  # fmt: skip
def moderate(file: BinaryIO, limits: tuple[str, ...], *, jsonl: bool) -> None:
    """Whether FILE (- for what is piped in) hates, threatens, insults, or asks for harm.

    \b
    Examples:
      daybook moderate letter.txt
      daybook moderate answers.jsonl --jsonl
      daybook moderate answers.jsonl --jsonl --threshold hate=0.2

    \b
    With --jsonl a line {"id": 7, "text": "…"} gives a line
      {"id": 7, "flagged": false, "categories": {"hate": false, …}, "scores": {"hate": 0.02, …}}

    Judged by small heads on the embedded encoder, without a network: a first line, no judge. Their card,
    lib/daybook/hf/moderation.json, says how often they are wrong.
    """
    thresholds = _thresholds(limits)
    from daybook.hf import moderation

    thresholds = moderation.checked(thresholds)

    def verdicts(texts: list[str]) -> list[dict[str, Any]]:
        return [_plain(verdict) for verdict in moderation.moderate(texts, thresholds)]

    if jsonl:
        answer_lines(file, verdicts, title="moderate", batch=_BATCH)
        return
    (verdict,) = verdicts(["".join(pieces_of(file, title="moderate"))])
    write(json.dumps(verdict) + "\n")


def _plain(verdict: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "flagged": verdict["flagged"],
        "categories": verdict["categories"],
        "scores": verdict["category_scores"],
    }


def _thresholds(limits: tuple[str, ...]) -> dict[str, float]:
    thresholds = {}
    for limit in limits:
        category, sign, score = limit.partition("=")
        try:
            thresholds[category] = float(score)
        except ValueError:
            sign = ""
        if not sign:
            raise BadParameter(f"--threshold {limit[:60]!r} is no CATEGORY=SCORE.", remedy="Say hate=0.3, for example.")
    return thresholds
