"""Registered models: which versions there are, what each one is, and where the aliases point.

    registry.register("triage", method="head", provider="head", …)  -> ModelVersion  triage:v3
    registry.resolve("triage@champion" | "triage:v2" | "triage")     -> ModelVersion
    registry.alias("triage", "champion", "v3", actor="ada")           the pointer moves; its history stays

A version is entered once and never changed. Its number is claimed by its id: two that register at once, on one machine
or on two, both enter `name:v3`, the book keeps the first, and the other takes the next number. A plain name means the
champion where there is one, else the newest version. What the endpoint serves is written to one file in the home
whenever something changes here, so that serving a model reads no database.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from daybook import atomic
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter, GateNotMet, UnknownModel
from daybook.ports import Books
from daybook.records import Event, ModelAlias, ModelVersion
from daybook.registry import promotion
from daybook.registry.rows import move_of, served_fields, version_of

CHAMPION = "champion"
SERVED = "registered.json"
"""In the home: what the endpoint reads. A copy of what the book says, made anew at every change."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_VERSION = re.compile(r"v?([1-9][0-9]{0,8})")
_CLAIMING = threading.Lock()
_ATTEMPTS = 20


@dataclass(frozen=True, slots=True)
class Mark:
    """What was later found about a version, and stays with it."""

    at: datetime
    reason: str
    actor: str


class Registry:
    """The models of one book. Methods raise what reading the book raises."""

    def __init__(self, book: Books, clock: Clock | None = None) -> None:
        self._book = book
        self._clock = clock or SystemClock()

    # ── entering ──────────────────────────────────────────────────────────────────────────────────────

    def register(
        self,
        name: str,
        *,
        method: str,
        provider: str,
        actor: str,
        target: str | None = None,
        before: Callable[[int], object] | None = None,
        **facts: Any,
    ) -> ModelVersion:
        """Enter the next version of `name`. `facts`: the other fields of ModelVersion. `target`: the provider's name of
        it; default the version's own. `before(version)`: done before the number is claimed, e.g. to move weights.

        Raises BadParameter for a name that cannot be one.
        """
        check_name(name)
        unknown = set(facts) - {field.name for field in fields(ModelVersion)}
        if unknown:
            raise BadParameter(f"A model has no {sorted(unknown)[0]!r}.", remedy="See daybook.records.ModelVersion.")
        facts["subjects"] = tuple(sorted(set(facts.get("subjects") or ())))
        with _CLAIMING:
            for _ in range(_ATTEMPTS):
                number = max((known.version for known in self.versions(name)), default=0) + 1
                if before is not None:
                    before(number)
                model = ModelVersion(
                    id=f"{name}:v{number}",
                    claim=new_id(),
                    at=self._clock.now(),
                    name=name,
                    version=number,
                    method=method,
                    provider=provider,
                    target=target or f"{name}:v{number}",
                    actor=actor,
                    **facts,
                )
                self._book.append(model)
                kept = next(known for known in self.versions(name) if known.version == number)
                if kept.claim == model.claim:
                    self._did("model.registered", model.id, actor, {"digest": model.weights_digest, "method": method})
                    self.publish()
                    return kept
        raise BadParameter(
            f"{_ATTEMPTS} numbers of {name} in a row were taken by others while this one was being registered.",
            remedy="Try again.",
        )

    def alias(
        self,
        name: str,
        alias: str,
        version: int | str | None,
        *,
        actor: str,
        reason: str | None = None,
        require: Sequence[str] = (),
        surely: bool = False,
    ) -> ModelAlias:
        """Point `alias` at a version; None takes it away. Where it points there already, nothing is entered.

        `require`: what runs must have found before it moves, as `registry.promotion` reads it; `surely`: with the whole
        interval. Raises UnknownModel for a version there is not, BadParameter for an alias that cannot be one or a
        requirement that cannot be meant, GateNotMet for one that is not met: the alias then stays where it is."""
        check_name(alias, what="an alias")
        if _VERSION.fullmatch(alias):
            raise BadParameter(f"The alias {alias!r} looks like a version.", remedy="Choose another word.")
        history = self.history(name, alias)
        now = history[-1].version if history else None
        model = None if version is None else self.version(name, version)
        number = None if model is None else model.version
        if model is None and now is None:
            raise UnknownModel(f"{name} has no alias {alias!r}.", remedy=self._aliases_told(name))
        evidence = [] if model is None else promotion.check_evidence(self._book.rows, model, require, surely=surely)
        asked: dict[str, Any] = {"alias": alias, "version": number, "previous": now, "reason": reason}
        if evidence:
            asked["required"] = [requirement.to_dict() for requirement in evidence]
        if failed := [requirement.failed for requirement in evidence if requirement.failed]:
            self._did("model.alias_refused", name, actor, asked)
            raise GateNotMet(
                f"{name}@{alias} was not moved to v{number}: {len(failed)} of {len(evidence)} requirements are not met."
                f" {'; '.join(failed)}.",
                remedy="It still points nowhere." if now is None else f"It still points at v{now}.",
            )
        if history and number == now:
            return history[-1]
        moved = ModelAlias(
            id=new_id(),
            at=self._clock.now(),
            model=name,
            alias=alias,
            version=number,
            previous=now,
            actor=actor,
            reason=reason,
        )
        self._book.append(moved)
        self._did("model.alias", name, actor, asked)
        self.publish()
        return moved

    def rollback(self, name: str, alias: str = CHAMPION, *, actor: str, reason: str | None = None) -> ModelAlias:
        """Point `alias` where it pointed before its latest move; again goes one further back, not forth.

        Raises BadParameter where there is nothing to go back to."""
        history = self.history(name, alias)
        path: list[int] = []
        for move in history:  # the versions it stood on, with what was rolled back taken off again
            if len(path) > 1 and move.version == path[-2] and (move.reason or "").startswith("rollback"):
                path.pop()
            elif move.version is not None:
                path.append(move.version)
        if len(path) < 2:
            raise BadParameter(
                f"{name}@{alias} has moved {len(history)} time{'' if len(history) == 1 else 's'}: there is nothing to "
                "go back to.",
                remedy=f"Point it somewhere: daybook models alias {name} {alias} vN.",
            )
        message = "rollback" if not reason else f"rollback: {reason}"
        return self.alias(name, alias, path[-2], actor=actor, reason=message)

    def mark(self, name: str, version: int | str, reason: str, *, actor: str) -> None:
        """Note something about a version that stays with it, e.g. that a person it was trained on was erased."""
        model = self.version(name, version)
        self._did("model.marked", model.id, actor, {"reason": reason})

    def _did(self, action: str, what: str, actor: str, details: Mapping[str, Any]) -> None:
        self._book.append(
            Event(id=new_id(), at=self._clock.now(), actor=actor, action=action, object=what, details=details)
        )

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────

    def versions(self, name: str | None = None) -> Sequence[ModelVersion]:
        """All versions, of one model or of all, by name and then as versions: v2 before v10."""
        where = "" if name is None else "where name = :name "
        rows = self._book.rows(
            f"select * from models {where}order by name, version, claim",  # noqa: S608 - one of two texts of ours
            {} if name is None else {"name": name},
        )
        first: dict[str, ModelVersion] = {}
        for row in rows:
            first.setdefault(row["id"], version_of(row))
        return list(first.values())

    def names(self) -> Sequence[str]:
        return sorted({version.name for version in self.versions()})

    def version(self, name: str, version: int | str) -> ModelVersion:
        """One version, as `3`, `v3` or an alias. Raises UnknownModel, which names those there are."""
        known = self.versions(name)
        if not known:
            raise UnknownModel(
                f"No model is registered as {name[:80]!r}.",
                remedy=f"There are: {', '.join(self.names()) or 'none yet'}.",
            )
        match = _VERSION.fullmatch(str(version))
        number = int(match[1]) if match else self.aliases(name).get(str(version))
        for model in known:
            if model.version == number:
                return model
        if match is None:
            raise UnknownModel(f"{name} has no alias {str(version)[:60]!r}.", remedy=self._aliases_told(name))
        message = ", ".join(f"v{model.version}" for model in known[-10:])
        raise UnknownModel(f"{name} has no version {str(version)[:20]!r}.", remedy=f"It has {message}.")

    def resolve(self, reference: str) -> ModelVersion:
        """`name:v2`, `name@champion`, or `name`: the champion where there is one, else the newest version.

        Raises UnknownModel."""
        name, at, alias = reference.partition("@")
        if at:
            return self.version(name, alias)
        name, colon, number = reference.rpartition(":")
        if colon and _VERSION.fullmatch(number):
            return self.version(name, number)
        champion = self.aliases(reference).get(CHAMPION)
        known = self.versions(reference)
        return self.version(reference, champion if champion or not known else known[-1].version)  # type: ignore[arg-type] # 0 of none raises

    def aliases(self, name: str) -> dict[str, int]:
        """Where each alias of a model points now."""
        return {move.alias: move.version for move in self._latest(name) if move.version is not None}

    def history(self, name: str, alias: str | None = None) -> Sequence[ModelAlias]:
        """Every move of a model's aliases, oldest first."""
        rows = self._book.rows("select * from model_aliases where model = :name order by time, id", {"name": name})
        moves = [move_of(row) for row in rows]
        return [move for move in moves if alias in (None, move.alias)]

    def marks(self, name: str, version: int | str) -> Sequence[Mark]:
        """What was noted about a version, oldest first."""
        model = self.version(name, version)
        rows = self._book.rows(
            "select * from events where action = 'model.marked' and object = :id order by time, id", {"id": model.id}
        )
        return [Mark(row["time"], str((row["details"] or {}).get("reason")), row["actor"]) for row in rows]

    def _latest(self, name: str | None = None) -> Iterable[ModelAlias]:
        where = "" if name is None else " where model = :name"
        rows = self._book.rows(
            f"select * from model_aliases{where} order by time, id",  # noqa: S608 - one of two texts of ours
            {} if name is None else {"name": name},
        )
        return {(row["model"], row["alias"]): move_of(row) for row in rows}.values()

    def _aliases_told(self, name: str) -> str:
        known = self.aliases(name)
        return f"It has {', '.join(f'{a} → v{v}' for a, v in sorted(known.items())) or 'no alias yet'}."

    # ── serving ───────────────────────────────────────────────────────────────────────────────────────

    def publish(self) -> Path:
        """Write what the endpoint serves: every name, version and alias, and where its weights are."""
        moves: dict[str, dict[str, int]] = {}
        for move in self._latest():
            if move.version is not None:
                moves.setdefault(move.model, {})[move.alias] = move.version
        served = []
        for version in self.versions():
            pointing = [alias for alias, to in moves.get(version.name, {}).items() if to == version.version]
            served.append({**served_fields(version), "aliases": sorted(pointing)})
        path = self._book.home / SERVED
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        atomic.replace(path, orjson.dumps({"version": 1, "models": served}, option=orjson.OPT_INDENT_2))
        return path


def check_name(name: str, *, what: str = "a model") -> None:
    """Raises BadParameter for what cannot be the name of a model or an alias."""
    if not _NAME.fullmatch(name):
        raise BadParameter(
            f"{name[:80]!r} cannot be the name of {what}.",
            remedy="Use up to 63 lower-case letters, digits or . _ - and begin with a letter or digit.",
        )
