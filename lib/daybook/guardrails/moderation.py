"""Which requests and answers are judged before they go on: `moderation.yml`, read strictly (`policy_file`).

    everyone: {request: note}
    projects:
      helpdesk: {request: block, answer: block, thresholds: {hate: 0.3}, unavailable: refuse}

`block` lets nothing through that is flagged, `note` only says so (header, event), `off` states that nothing is judged.
`thresholds`: category → score from which it flags, instead of the model card's. `unavailable` says what happens where
nobody can judge: `refuse` (fails closed: the default where something is blocked) or `allow` (fails open: the default of
`note`). What a caller can bring about is no such thing: a text that is too long to judge, or more of them than are
judged in time, is never let through where something is blocked. Callers are judged in turn, one question of each at a
time. Judged by the heads on this machine; what a person wrote is neither kept nor shown by it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from daybook.errors import ContentFlagged, DaybookError, ModerationBusy, NotModerated
from daybook.guardrails.caller_turns import CallerTurns
from daybook.guardrails.policy_file import PolicyFile
from daybook.providers.moderation import CATEGORIES, MOST_CHARACTERS

FILE = "moderation.yml"
PATIENCE = 30.0
"""Seconds that a verdict may take, with waiting for those of others."""
MOST_WAITING = 64
"""Requests of one caller that may wait for their verdicts at once."""
Action = Literal["block", "note"]
Judge = Callable[[list[str], Mapping[str, float]], Awaitable[list[dict[str, Any]]]]
"""Texts and thresholds → verdicts in OpenAI's shape. Raises DaybookError where it cannot."""
_ACTIONS = ("block", "note", "off")
_UNAVAILABLE = ("refuse", "allow")


@dataclass(frozen=True, slots=True)
class ModerationRules:
    """What is done for one caller. None: nothing."""

    request: Action | None = None
    answer: Action | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    unavailable: str | None = None

    def fails_closed(self, action: Action) -> bool:
        return (self.unavailable or ("refuse" if action == "block" else "allow")) == "refuse"


@dataclass(frozen=True, slots=True)
class ModerationVerdict:
    """What was found of a request or an answer. `categories` is empty where nothing was flagged."""

    part: str
    action: Action
    categories: tuple[str, ...] = ()
    failure: str | None = None
    """Why nobody judged, where that was allowed."""


class ModerationPolicies:
    """The policies of one home, in the file at `path`."""

    def __init__(self, path: Path, judge: Judge, *, patience: float = PATIENCE) -> None:
        self._judge = judge
        self._patience = patience
        self._turns = CallerTurns()
        self._file: PolicyFile[ModerationRules | None] = PolicyFile(path, read_scope=self._scope, rules=_rules)

    def rules(self, caller: str | None, project: str | None) -> ModerationRules | None:
        """What is done for a call of `caller` that is booked on `project`; None: nothing. Raises SettingsError."""
        return self._file.rules(caller, project)

    async def check(
        self, rules: ModerationRules, part: str, texts: list[str], *, caller: str | None = None
    ) -> ModerationVerdict | None:
        """The verdict on a part; None where nothing is judged. Raises ContentFlagged for what is blocked, NotModerated
        where nobody could judge and that is not allowed, ModerationBusy for a request of a caller with MOST_WAITING."""
        action = rules.request if part == "request" else rules.answer
        texts = [text for text in texts if text.strip()]
        if action is None or not texts:
            return None
        length = sum(map(len, texts))
        try:
            if length > MOST_CHARACTERS:
                raise NotModerated(
                    f"The {part} has {length:,} characters, and at most {MOST_CHARACTERS:,} are moderated; under this "
                    "policy nothing goes on without.",
                    remedy=f"Ask for less at once: at most {MOST_CHARACTERS:,} characters, what was said before and "
                    "tools included.",
                )
            if part == "request" and self._turns.length(caller) >= MOST_WAITING:
                raise ModerationBusy(
                    f"{MOST_WAITING:,} requests of yours wait to be moderated, and no more may.",
                    remedy="Wait for one to be answered.",
                )
            verdicts = await self._timely(part, texts, rules.thresholds, caller)
        except DaybookError as error:
            logging.getLogger(__name__).error("The %s was not moderated: %s", part, error.message)
            by_caller = isinstance(error, NotModerated) and action == "block"  # else a flood would open the door
            if not by_caller and not rules.fails_closed(action):
                return ModerationVerdict(part, action, failure=type(error).__name__)
            if isinstance(error, NotModerated):
                raise
            raise NotModerated(
                f"The {part} could not be moderated, and under this policy nothing goes on without.",
                remedy="Ask again in a moment.",
            ) from error
        flagged = sorted({name for verdict in verdicts for name, flag in verdict["categories"].items() if flag})
        if flagged and action == "block":
            raise ContentFlagged(
                f"The {part} was flagged as {', '.join(flagged)} and goes no further.",
                remedy="Say it otherwise. The policy is that of the key or its project.",
                part=part,
                categories=tuple(flagged),
            )
        return ModerationVerdict(part, action, tuple(flagged))

    async def _timely(
        self, part: str, texts: list[str], thresholds: Mapping[str, float], caller: str | None
    ) -> list[dict[str, Any]]:
        try:
            async with asyncio.timeout(self._patience), self._turns.take(caller):
                return await self._judge(texts, thresholds)
        except TimeoutError:
            raise NotModerated(
                f"The {part} was not judged within {self._patience:g} s; under this policy nothing goes on without.",
                remedy="Ask again in a moment, or for less at once.",
            ) from None

    def _scope(self, name: str, content: Any) -> dict[str, Any]:
        stated = self._file.mapping(content, name, ("request", "answer", "thresholds", "unavailable"))
        parts: dict[str, Any] = {}
        for part in ("request", "answer"):
            if part in stated:
                word = self._word(f"{part} of {name}", stated[part], _ACTIONS)
                parts[part] = None if word == "off" else word
        if "unavailable" in stated:
            parts["unavailable"] = self._word(f"unavailable of {name}", stated["unavailable"], _UNAVAILABLE)
        if "thresholds" in stated:
            what = f"the thresholds of {name}"
            limits = self._file.mapping(stated["thresholds"], what, CATEGORIES)
            parts["thresholds"] = {category: self._threshold(what, value) for category, value in limits.items()}
        return parts

    def _word(self, what: str, content: Any, known: tuple[str, ...]) -> str:
        if content not in known:
            raise self._file.refused(f"{what} says {content!r:.40}", f"Write one of {', '.join(known)}.")
        return str(content)

    def _threshold(self, what: str, content: Any) -> float:
        try:
            value = float(content)
        except (TypeError, ValueError):
            value = -1.0
        if not 0 <= value <= 1:
            raise self._file.refused(f"{what} say {content!r:.40}", "Write a number from 0 to 1.")
        return value


def _rules(parts: Mapping[str, Any]) -> ModerationRules | None:
    rules = ModerationRules(**parts)
    return rules if rules.request or rules.answer else None
