"""Deployments: names that callers use, with versions of a model behind them, changed while they are in use.

    deployments.create("summarizer", {"v1": "gpt-4o-mini", "v2": "house"}, strategy="canary", actor="ada")
    deployments.promote("summarizer", actor="ada")         1 % → 5 % → 25 % → 50 % → 100 %
    deployments.rollback("summarizer", actor="ada")        the candidate gets nothing; or back to what was live before

    ab           each version has its share            weights
    canary       the candidate's share grows           promote · rollback · automatic
    blue_green   one version is live                   switch · rollback
    shadow       one is live, one gets copies          promote · rollback

Every change is a revision in the book, the whole deployment as it is from then on, and an event with what it was
before. A revision's number is claimed by its id: of two that change one deployment at once the second is refused and
changes nothing. Running endpoints read one file in the home, which is written at every change.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC
from decimal import Decimal
from itertools import pairwise
from math import isfinite
from typing import Any, Protocol

from daybook import atomic
from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter, Superseded, UnknownModel
from daybook.ports import Books, NamedRows
from daybook.records import DeploymentRevision, Event
from daybook.routing.deployment_index import STICKY, publish
from daybook.routing.split import WHOLE, in_order, percent, read_weights
from daybook.stats.canary import MEASURES
from daybook.stats.sequential import LEAST

STRATEGIES = ("ab", "canary", "blue_green", "shadow")
STEPS = (1, 5, 25, 50, 100)
CALLS_PER_STEP = LEAST
"""Of a canary's candidate, before it goes to the next step, where nothing else is said."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_CHANGING = threading.Lock()


class DeploymentBook(Books, NamedRows, Protocol):
    """The book that deployments are in."""


class Deployments:
    """The deployments of one book. `check(model)`: raises for a model that nobody serves. Methods raise what reading
    the book raises, UnknownModel for a deployment there is not, and Superseded where somebody else changed it first.

    `revision`: what the change is based on, where that was read before; `figures`: what it was decided by, kept with
    its event."""

    def __init__(
        self, book: DeploymentBook, clock: Clock | None = None, check: Callable[[str], object] | None = None
    ) -> None:
        self.book = book
        self._clock = clock or SystemClock()
        self._check = check or (lambda _model: None)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────

    def history(self, name: str) -> Sequence[DeploymentRevision]:
        """Every revision of a deployment, oldest first."""
        return self._read(" where name = :name", {"name": name})

    def get(self, name: str) -> DeploymentRevision:
        """The deployment as it is now."""
        return self._present(name)[-1]

    def list(self) -> Sequence[DeploymentRevision]:
        """All deployments as they are now, by name."""
        latest = {revision.name: revision for revision in self._read("", {})}
        return [revision for _, revision in sorted(latest.items()) if revision.action != "removed"]

    def publish(self) -> Sequence[DeploymentRevision]:
        """Write what running endpoints of this home read, and return it. Who writes last has read last: what another
        process published in the meantime is never put back."""
        home = self.book.home
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with atomic.alone(home / "deployments.lock"):
            known = self.list()
            publish(home, known)
        return known

    def _read(self, where: str, params: Mapping[str, Any]) -> Sequence[DeploymentRevision]:
        query = f"select * from deployments{where} order by name, revision, claim"  # noqa: S608 - one of two texts of ours
        first: dict[str, DeploymentRevision] = {}
        for row in self.book.rows(query, params):
            first.setdefault(row["id"], _revision_of(row))
        return tuple(first.values())

    def _present(self, name: str) -> Sequence[DeploymentRevision]:
        """The history of a deployment that was not removed."""
        history = self.history(name)
        if not history or history[-1].action == "removed":
            known = ", ".join(revision.name for revision in self.list())
            raise UnknownModel(f"No deployment is called {name[:80]!r}.", remedy=f"There are: {known or 'none yet'}.")
        return history

    # ── changing ──────────────────────────────────────────────────────────────────────────────────────

    def create(
        self,
        name: str,
        versions: Mapping[str, str],
        *,
        strategy: str,
        actor: str,
        weights: Mapping[str, object] | None = None,
        live: str | None = None,
        candidate: str | None = None,
        sticky: str = "session",
        steps: Sequence[int] = STEPS,
        budget: Decimal | None = None,
        automatic: bool | None = None,
        tolerance: Mapping[str, float] | None = None,
        calls_per_step: int | None = None,
        reason: str | None = None,
        anew: bool = False,
    ) -> DeploymentRevision:
        """Make a deployment of `versions`, each with its model; `anew`: or put this in the place of the one of that
        name. `live`: default the oldest version; `candidate`: the newest of the others. `automatic`: whether a canary
        is judged by the endpoint, which it is by default; `tolerance`: the loss that is put up with, by measure;
        `calls_per_step`: of the candidate, before it goes to the next step.

        Raises BadParameter for what cannot be meant, and what `check` raises."""
        versions = {version: versions[version] for version in in_order(versions)}
        history = self.history(name)
        there = bool(history) and history[-1].action != "removed"
        self._check_versions(name, versions, history, there=there, anew=anew)
        if strategy not in STRATEGIES:
            raise BadParameter(f"{strategy[:40]!r} is no strategy.", remedy=f"There are: {', '.join(STRATEGIES)}.")
        if sticky not in STICKY:
            raise BadParameter(f"{sticky[:40]!r} keeps no version.", remedy=f"Say one of: {', '.join(STICKY)}.")
        if budget is not None and (strategy != "shadow" or not budget.is_finite() or budget <= 0):
            raise BadParameter(f"The budget is {budget}.", remedy="It is of a shadow's copies: US dollars above 0.")
        new = DeploymentRevision(
            id="", claim="", at=self._clock.now(), name=name, revision=0, action="replaced" if there else "created",
            strategy=strategy, versions=versions, weights={}, sticky=sticky, actor=actor, reason=reason, budget=budget,
            tolerance=_check_tolerance(tolerance), calls_per_step=_check_calls(calls_per_step),
        )  # fmt: skip
        if strategy != "canary" and (automatic or tolerance or calls_per_step):
            raise BadParameter(
                f"{'An' if strategy == 'ab' else 'A'} {strategy} is not judged by itself.",
                remedy="Leave automatic, the tolerance and the calls of a step out, or say strategy canary.",
            )
        if strategy == "ab":
            if live or candidate:
                raise BadParameter("An A/B has no live version and no candidate.", remedy="Give weights.")
            return self._enter(replace(new, weights=read_weights(weights or {}, versions)), history)
        if weights:
            raise BadParameter(
                f"The weights of a {strategy} follow from what is live.", remedy="Leave them out, or say strategy ab."
            )
        live = _known(live or next(iter(versions)), versions)
        new = replace(new, live=live, weights=_all_to(live, versions))
        if strategy == "blue_green":
            if candidate:
                raise BadParameter("A blue/green has no candidate.", remedy="Switch to the version when it is time.")
            return self._enter(new, history)
        others = [version for version in versions if version != live]
        candidate = _known(candidate or (others[-1] if others else ""), versions, "candidate")
        if candidate == live:
            raise BadParameter(f"{live} is live and candidate.", remedy="A candidate is another version.")
        new = replace(new, candidate=candidate)
        if strategy == "canary":
            steps = _check_steps(steps)
            shares = _shares(live, candidate, steps[0], versions)
            new = replace(new, steps=steps, weights=shares, automatic=automatic is not False)
        return self._enter(new, history)

    def set_weights(
        self, name: str, weights: Mapping[str, object], *, actor: str, reason: str | None = None, **based: Any
    ) -> DeploymentRevision:
        """Give the versions of an A/B other shares, in percent."""
        history = self._present(name)
        now = history[-1]
        _only(now, ("ab",), "has no weights to set", "Promote, switch or roll back.")
        points = read_weights(weights, now.versions)
        return self._move(history, "weights", actor, reason, weights=points, **based)

    def promote(self, name: str, *, actor: str, reason: str | None = None, **based: Any) -> DeploymentRevision:
        """Give a canary's candidate its next share; with the last one it is live. A shadow's candidate is live at
        once."""
        history = self._present(name)
        now = history[-1]
        _only(now, ("canary", "shadow"), "has no candidate", "Set its weights, or switch it.")
        if now.candidate is None or now.live is None:
            raise BadParameter(
                f"{name} has no candidate: {now.live} is live.",
                remedy=f"Try another one: daybook deploy create {name} --anew …",
            )
        share = next((step for step in now.steps if step * 100 > now.weights[now.candidate]), 100)
        if now.strategy == "shadow" or share == 100:
            change: dict[str, Any] = {
                "live": now.candidate,
                "candidate": None,
                "weights": _all_to(now.candidate, now.versions),
            }
        else:
            change = {"weights": _shares(now.live, now.candidate, share, now.versions)}
        return self._move(history, "promoted", actor, reason, **change, **based)

    def set_automatic(
        self, name: str, *, automatic: bool, actor: str, reason: str | None = None, **based: Any
    ) -> DeploymentRevision:
        """Have a canary judged by the endpoint, or leave it to people. Where that is so already, nothing is entered."""
        history = self._present(name)
        now = history[-1]
        _only(now, ("canary",), "is not judged by itself", "Promote, switch or roll back.")
        if bool(now.automatic) is automatic:
            return now
        return self._move(history, "automatic" if automatic else "manual", actor, reason, automatic=automatic, **based)

    def switch(
        self, name: str, version: str, *, actor: str, reason: str | None = None, **based: Any
    ) -> DeploymentRevision:
        """Point a blue/green at another version. Requests in flight finish where they began. Where it points there
        already, nothing is entered."""
        history = self._present(name)
        now = history[-1]
        _only(now, ("blue_green",), "is not switched", "Set its weights, or promote its candidate.")
        if _known(version, now.versions) == now.live:
            return now
        return self._move(
            history, "switched", actor, reason, live=version, weights=_all_to(version, now.versions), **based
        )

    def rollback(self, name: str, *, actor: str, reason: str | None = None, **based: Any) -> DeploymentRevision:
        """Take a canary's candidate out; else go back to what was before, and again further back, not forth.

        Raises BadParameter where there is nothing to go back to."""
        history = self._present(name)
        now = history[-1]
        if now.strategy == "canary" and now.candidate is not None and now.live is not None:
            if not now.weights[now.candidate]:
                raise BadParameter(
                    f"{name} was rolled back already: {now.live} gets every call.",
                    remedy=f"To try {now.candidate} again: daybook deploy promote {name}.",
                )
            return self._move(history, "rolled_back", actor, reason, weights=_all_to(now.live, now.versions), **based)
        past = _before(history)
        change: dict[str, Any] = {"restores": past.restores or past.revision, "weights": past.weights}
        if past.live is not None:
            change |= {"live": past.live, "candidate": None, "weights": _all_to(past.live, now.versions)}
        return self._move(history, "rolled_back", actor, reason, **change, **based)

    def remove(self, name: str, *, actor: str, reason: str | None = None, **based: Any) -> DeploymentRevision:
        """Answer this name no more. Its history stays, and its versions keep their models should it come again."""
        return self._move(self._present(name), "removed", actor, reason, **based)

    def _move(
        self,
        history: Sequence[DeploymentRevision],
        action: str,
        actor: str,
        reason: str | None,
        *,
        revision: int | None = None,
        figures: Mapping[str, Any] | None = None,
        **change: Any,
    ) -> DeploymentRevision:
        now = history[-1]
        if revision is not None and revision != now.revision:
            raise _superseded(now)
        new = replace(now, **{"restores": None} | change, action=action, actor=actor, reason=reason, figures=figures)
        return self._enter(new, history)

    def _enter(self, new: DeploymentRevision, history: Sequence[DeploymentRevision]) -> DeploymentRevision:
        number = len(history) + 1
        new = replace(new, id=f"{new.name}:r{number}", claim=new_id(), revision=number, at=self._clock.now())
        with _CHANGING:
            self.book.append(new)
            kept = self.history(new.name)[number - 1]
        if kept.claim != new.claim:
            raise _superseded(kept)
        before = history[-1] if history and history[-1].action != "removed" else None
        details: dict[str, Any] = {
            "revision": number,
            "strategy": new.strategy,
            "before": None if before is None else _shown(before),
            "after": None if new.action == "removed" else _shown(new),
            "reason": new.reason,
        }
        if new.figures is not None:
            details["figures"] = dict(new.figures)
        self.book.append(
            Event(
                id=new_id(),
                at=new.at,
                actor=new.actor,
                action=f"deployment.{new.action}",
                object=new.name,
                details=details,
            )
        )
        self.publish()
        return kept

    def _check_versions(
        self,
        name: str,
        versions: Mapping[str, str],
        history: Sequence[DeploymentRevision],
        *,
        there: bool,
        anew: bool,
    ) -> None:
        for word, what in ((name, "a deployment"), *((version, "a version") for version in versions)):
            if not _NAME.fullmatch(word):
                raise BadParameter(
                    f"{word[:80]!r} cannot be the name of {what}.",
                    remedy="Use up to 63 letters, digits or . _ - and begin with a letter or digit.",
                )
        if len(versions) < 2:
            raise BadParameter(
                f"A deployment of {len(versions)} version{'' if len(versions) == 1 else 's'} chooses nothing.",
                remedy="Give two or more: v1=MODEL v2=MODEL.",
            )
        if there and not anew:
            raise BadParameter(f"A deployment is called {name} already.", remedy="Say --anew to put this in its place.")
        for past in history:
            for version, model in past.versions.items():
                if versions.get(version, model) != model:
                    raise BadParameter(
                        f"{version} of {name} is {model} in the calls so far, and would become {versions[version]}.",
                        remedy="Give what is new a version of its own.",
                    )
        for model in versions.values():
            self._check(model)


def to_dict(revision: DeploymentRevision) -> dict[str, Any]:
    """A deployment as JSON-able values, for people and scripts."""
    return {
        "name": revision.name,
        "revision": revision.revision,
        "at": revision.at.isoformat(),
        "action": revision.action,
        "actor": revision.actor,
        "reason": revision.reason,
        "strategy": revision.strategy,
        **_shown(revision),
        "sticky": revision.sticky,
        "steps": list(revision.steps),
        "budget": None if revision.budget is None else f"{revision.budget.normalize():f}",
        "restores": revision.restores,
        "automatic": revision.automatic,
        "tolerance": revision.tolerance,
        "calls_per_step": revision.calls_per_step,
        "figures": revision.figures,
    }


def find_trial(history: Sequence[DeploymentRevision]) -> Sequence[DeploymentRevision]:
    """The revisions of the trial that a canary's candidate is on now, oldest first; empty: it is on none. A trial
    begins when the candidate gets its first calls, also where it had some before and was rolled back."""
    trial: list[DeploymentRevision] = []
    for revision in reversed(history):
        pair = (revision.live, revision.candidate)
        if revision.strategy != "canary" or pair != (history[-1].live, history[-1].candidate):
            break
        if revision.action == "removed" or not revision.weights.get(revision.candidate or "", 0):
            break
        trial.append(revision)
        if revision.action in ("created", "replaced"):
            break
    return trial[::-1]


def _revision_of(row: Mapping[str, Any]) -> DeploymentRevision:
    values = {name: row[name] for name in DeploymentRevision.__slots__ if name in row}
    values |= {"at": row["time"].astimezone(UTC), "steps": tuple(row["steps"] or ())}
    order = in_order(row["versions"])  # Postgres keeps no order of keys
    values["versions"] = {version: row["versions"][version] for version in order}
    values["weights"] = {version: int(row["weights"][version]) for version in order}
    for name in ("revision", "restores"):
        values[name] = None if row[name] is None else int(row[name])
    return DeploymentRevision(**values)


def _shown(revision: DeploymentRevision) -> dict[str, Any]:
    """What an event says of a deployment."""
    return {
        "versions": dict(revision.versions),
        "percent": {version: percent(points) for version, points in revision.weights.items()},
        "live": revision.live,
        "candidate": revision.candidate,
    }


def _before(history: Sequence[DeploymentRevision]) -> DeploymentRevision:
    """The latest revision that was another one than now, and was not itself gone back from."""
    now = history[-1]
    for past in reversed(history[: (now.restores or now.revision) - 1]):
        if past.action == "removed":
            break
        same = past.weights == now.weights if now.live is None else past.live == now.live
        known = set(past.weights) == set(now.versions) if now.live is None else past.live in now.versions
        if known and not same:
            return past
    raise BadParameter(
        f"{now.name} has nothing to go back to: {_state(now)} is all there was.",
        remedy="See its history: daybook deploy status " + now.name,
    )


def _state(revision: DeploymentRevision) -> str:
    if revision.live is not None:
        return f"{revision.live} live"
    return ", ".join(f"{version} {percent(points)} %" for version, points in revision.weights.items())


def _superseded(by: DeploymentRevision) -> Superseded:
    return Superseded(
        f"{by.name} was changed in the meantime: revision {by.revision} is {by.action} by {by.actor}.",
        remedy="Look at it again: daybook deploy status " + by.name,
    )


def _only(now: DeploymentRevision, strategies: Sequence[str], what: str, remedy: str) -> None:
    if now.strategy not in strategies:
        raise BadParameter(f"{now.name} is a {now.strategy} and {what}.", remedy=remedy)


def _known(version: str, versions: Mapping[str, str], what: str = "version") -> str:
    if version not in versions:
        raise BadParameter(f"There is no {what} {version[:60]!r}.", remedy=f"The versions are {', '.join(versions)}.")
    return version


def _check_steps(steps: Sequence[int]) -> tuple[int, ...]:
    rising = all(low < high for low, high in pairwise(steps))
    if len(steps) < 2 or not rising or steps[0] < 1 or steps[-1] != 100:
        raise BadParameter(
            f"The steps {','.join(map(str, steps)) or '(none)'} do not rise from 1 or more to 100.",
            remedy=f"Say {','.join(map(str, STEPS))}, or others in percent.",
        )
    return tuple(steps)


def _check_tolerance(tolerance: Mapping[str, float] | None) -> Mapping[str, float] | None:
    for measure, loss in (tolerance or {}).items():
        if measure not in MEASURES:
            raise BadParameter(
                f"{measure[:40]!r} is no measure.", remedy=f"A loss is put up with in: {', '.join(MEASURES)}."
            )
        if not isinstance(loss, int | float) or isinstance(loss, bool) or not isfinite(loss) or not 0 < loss <= 1:
            raise BadParameter(
                f"The tolerated loss in {measure} is {loss!r}.",
                remedy="Say a share above 0 and up to 1: errors 0.01 is a point, latency 0.1 a tenth of it.",
            )
    return dict(tolerance) if tolerance else None


def _check_calls(calls: int | None) -> int | None:
    if calls is not None and calls < CALLS_PER_STEP:
        raise BadParameter(
            f"A step of {calls:,} calls of the candidate is too short to judge it.",
            remedy=f"Say {CALLS_PER_STEP} or more; the fewer, the less of what only a larger share breaks is seen.",
        )
    return calls


def _shares(live: str, candidate: str, share: int, versions: Mapping[str, str]) -> dict[str, int]:
    return _all_to(live, versions) | {live: WHOLE - share * 100, candidate: share * 100}


def _all_to(live: str, versions: Mapping[str, str]) -> dict[str, int]:
    return {version: WHOLE if version == live else 0 for version in versions}
