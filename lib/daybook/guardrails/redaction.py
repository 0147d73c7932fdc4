"""Which personal data leave a request, an answer and what is kept of both: `redaction.yml`, read strictly.

    everyone: {log: replace}
    keys:
      support-desk: {request: {email: pseudonym, card: drop}, answer: replace}
    projects:
      helpdesk: {request: replace, answer: mask, log: replace, terms: [Project Heron]}

A word is what is done with every kind of `STANDARD`; a mapping names kinds one by one, and leaves the others. What a
key states goes before what its project states, and that before what everyone does, part by part (`policy_file`); terms
add up, and are looked for wherever anything is; `off` states that nothing is done. A file that cannot be meant, and a
text that cannot be redacted, let nothing through.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson

from daybook.errors import BadRequest
from daybook.guardrails.chat_events import CHOICE, ChatEvents
from daybook.guardrails.policy_file import PolicyFile
from daybook.guardrails.texts import HEAD, has_tokens
from daybook.pii import KINDS, Detector
from daybook.pii.policies import ACTIONS, Policy
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.redaction import Redactor

STANDARD = tuple(kind for kind in KINDS if kind not in ("address", "age", "date", "postcode", "title", "url"))
"""The kinds that a word stands for. An address is left to who names it: for its sake an answer is held back longer."""
FILE = "redaction.yml"
PARTS = ("request", "answer", "log")
_Actions = str | tuple[tuple[str, str], ...] | None
"""What is done: one word for all, or kind by kind; None: nothing."""
_OURS = frozenset(("model", "user", "safety_identifier"))
"""Members of a request that no upstream is shown as they are, or that are no text."""
_OUR_METADATA = "user_id"
"""The Messages API says there who asks; it becomes a pseudonym."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What is done for one caller. None: nothing."""

    request: Redactor | None = None
    answers: Redactor | None = None
    log: Redactor | None = None

    @property
    def redacts_answers(self) -> bool:
        return self.answers is not None

    def clean_request(self, data: bytes) -> bytes:
        """A request's body without what its policy takes out; one that is no object stays: nobody is sent it. Raises
        BadRequest for tokens instead of texts."""
        if self.request is None:
            return data
        body = _parsed(data)
        if not isinstance(body, dict):
            return data
        if has_tokens(body):
            raise BadRequest(
                "Under this key's policy personal data are taken out, and `input` has tokens in place of text.",
                remedy="Send the text itself.",
                attempts=0,
            )
        bare = {name: None if name in _OURS else value for name, value in body.items()}
        metadata = body.get("metadata")
        who = metadata.get(_OUR_METADATA) if isinstance(metadata, dict) else None
        if isinstance(metadata, dict) and isinstance(who, str):
            bare["metadata"] = {name: value for name, value in metadata.items() if name != _OUR_METADATA}
        clean = self.request.tree(bare) | {name: body[name] for name in _OURS & body.keys()}
        if isinstance(who, str):
            clean["metadata"][_OUR_METADATA] = who
        return _written(clean)

    def answer(self, data: bytes) -> bytes:
        """A whole chat completion without it. Its tokens' probabilities spell the answer, and nobody hears what
        it says: so they go."""
        if self.answers is None:
            return data
        body = _parsed(data)
        choices = []
        for choice in body.pop("choices"):
            choice.pop("logprobs", None)
            choice["message"].pop("audio", None)
            choices.append(self._but(CHOICE, choice))
        return _written(self._but(HEAD, body) | {"choices": choices})

    def _but(self, kept: frozenset[str], members: dict[str, Any]) -> dict[str, Any]:
        """The members of an answer as they may go out; those that are `kept` are no text."""
        assert self.answers is not None
        clean = self.answers.tree({name: value for name, value in members.items() if name not in kept})
        return {name: value for name, value in members.items() if name in kept} | dict(clean)

    def answer_text(self, text: str) -> str:
        return text if self.answers is None else self.answers.text(text).text

    def events(self) -> ChatEvents:
        """What does the same to the chunks of one stream."""
        assert self.answers is not None
        return ChatEvents(self.answers)

    def kept_prompt(self, prompt: Any) -> Any:
        """Messages or texts as the book may keep them."""
        return prompt if self.log is None else self.log.tree(prompt)

    def kept_answer(self, text: str) -> str:
        return text if self.log is None else self.log.text(text).text

    def kept_words(self, words: Any) -> Any:
        """What a request says beside its prompt, as the book may keep it."""
        return self.kept_prompt(words if self.request is None else self.request.tree(words))


class RedactionPolicies:
    """The policies of one home, in the file at `path`; `key`: of pseudonyms and hashes. `content`: whether prompts and
    answers are kept: they are redacted first, unless the file states `log: off`.

    Raises SettingsError where the file cannot be meant.
    """

    def __init__(self, path: Path, key: Pseudonyms, *, content: bool = False) -> None:
        self._key = key
        self._redactor = lru_cache(maxsize=256)(self._make)
        self._file: PolicyFile[Rules | None] = PolicyFile(
            path,
            read_scope=self._scope,
            rules=self._rules,
            usual={"log": "replace"} if content else {},
            joined=("terms",),
        )

    def rules(self, caller: str | None, project: str | None) -> Rules | None:
        """What is done for a call of `caller` that is booked on `project`; None: nothing."""
        return self._file.rules(caller, project)

    def _scope(self, name: str, content: Any) -> dict[str, _Actions | tuple[str, ...]]:
        stated = self._file.mapping(content, name, (*PARTS, "terms"))
        terms = stated.get("terms", [])
        if not isinstance(terms, list) or not all(isinstance(term, str) and term.strip() for term in terms):
            raise self._file.refused(f"the terms of {name} are no list of words", "Write [Project Heron, …].")
        parts = {part: self._actions(f"{part} of {name}", stated[part]) for part in PARTS if part in stated}
        return {**parts, "terms": tuple(terms)} if terms else {**parts}

    def _actions(self, what: str, content: Any) -> _Actions:
        if content == "off":
            return None
        if isinstance(content, str):
            self._action(what, content)
            return content
        actions = self._file.mapping(content, what, (*KINDS, "term"))
        for action in actions.values():
            self._action(what, action)
        if not actions:
            raise self._file.refused(f"{what} names no kind", "Write a kind and what is done with it, or off.")
        return tuple(actions.items())

    def _rules(self, parts: Mapping[str, Any]) -> Rules | None:
        """Whoever states terms adds to those of the wider scopes."""
        terms = parts.get("terms", ())
        if terms and not any(part in parts for part in PARTS):
            raise self._file.refused(
                f"the term {terms[0][:40]!r} is stated where nothing says what is redacted",
                f"State one of {', '.join(PARTS)} there or for everyone.",
            )
        found = [None if (actions := parts.get(part)) is None else self._redactor(actions, terms) for part in PARTS]
        return Rules(*found) if any(found) else None

    def _make(self, actions: str | tuple[tuple[str, str], ...], terms: tuple[str, ...]) -> Redactor:
        if isinstance(actions, str):
            return Redactor(Detector(STANDARD, terms=terms), Policy(otherwise=actions), self._key)
        kinds = [kind for kind, _ in actions if kind != "term"]
        return Redactor(Detector(kinds, terms=terms), Policy(dict(actions)), self._key)

    def _action(self, what: str, action: Any) -> None:
        if not isinstance(action, str) or action not in ACTIONS:
            raise self._file.refused(f"{what} says {action!r:.40}", f"Write one of {', '.join(ACTIONS)}, off.")


def _parsed(data: bytes) -> Any:
    """The JSON, or None for what is none. An integer keeps all its digits, however many. Raises for what others can
    read and this cannot, such as a thousand lists in one another: it would go on as it is."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        if _is_json(data):
            raise
        return None


def _is_json(data: bytes) -> bool:
    """Whether the parser that reads a request takes it."""
    try:
        orjson.loads(data)
    except orjson.JSONDecodeError:
        return False
    return True


def _written(body: Any) -> bytes:
    try:
        return orjson.dumps(body)
    except TypeError:
        return json.dumps(body).encode()
