"""A YAML file that states something for everyone, by key and by project: read strictly, and again once it was replaced.

    everyone: {…}
    keys: {support-desk: {…}}
    projects: {helpdesk: {…}}

Whoever uses it looks with every request; that is one `stat` where the file is the same, and one for all requests that
are served in the same turn of the event loop. All scalars are read as the
texts that stand there, so that no digit is lost and `off` is a word. A file that cannot be meant raises SettingsError
until it is mended: nothing goes by what was there before.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from daybook import atomic
from daybook.errors import SettingsError

if TYPE_CHECKING:
    from yaml.nodes import Node

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Scopes(Generic[S]):
    """What the file states; `members`: what stands beside the three."""

    everyone: S | None = None
    keys: Mapping[str, S] = field(default_factory=dict)
    projects: Mapping[str, S] = field(default_factory=dict)
    members: Mapping[str, Any] = field(default_factory=dict)

    def of(self, caller: str | None, project: str | None) -> tuple[S | None, S | None, S | None]:
        """What is stated of a key, of its project and of everyone; None: nothing."""
        return self.keys.get(caller or ""), self.projects.get(project or ""), self.everyone

    def all(self) -> list[S]:
        every = [*self.keys.values(), *self.projects.values()]
        return every if self.everyone is None else [*every, self.everyone]


class ScopesFile(Generic[S]):
    """`read_scope`: a scope's name (`key support-desk`) and what stands there → what it states; raises `refused`.
    `members`: the names that may stand beside the three, each with what reads it."""

    def __init__(
        self,
        path: Path,
        read_scope: Callable[[str, Any], S],
        *,
        members: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self._path = path
        self._read_scope = read_scope
        self._members = members or {}
        self._seen: tuple[int, ...] | None = ()
        self._looked = False
        """Whether it was looked at in this turn of the event loop, and could be read."""
        self._stated: Scopes[S] = Scopes()

    def read(self) -> Scopes[S]:
        """What it states now: the same object as long as the file is the same. Raises SettingsError."""
        if not self._looked:
            self._look()
            with contextlib.suppress(RuntimeError):  # no loop runs: it is looked at each time
                asyncio.get_running_loop().call_soon(self._forget)
                self._looked = True
        return self._stated

    def _forget(self) -> None:
        self._looked = False

    def _look(self) -> None:
        try:
            seen = atomic.identity(self._path)
        except OSError as error:
            raise SettingsError(
                f"{self._path} cannot be read ({type(error).__name__}).", remedy="Make it readable."
            ) from error
        if seen != self._seen:
            self._stated = Scopes() if seen is None else self._read()
            self._seen = seen

    def mapping(self, content: Any, what: str, known: Collection[str] | None = None) -> dict[str, Any]:
        """The content as a mapping of names, all of them `known`."""
        if not isinstance(content, dict):
            raise self.refused(f"{what} is not a mapping", "Write name: {…} on each line.")
        if known is not None and (strange := sorted(content.keys() - set(known))):
            raise self.refused(f"{strange[0][:40]!r} is not known in {what}", f"Known there: {', '.join(known)}.")
        return content

    def refused(self, what: str, remedy: str) -> SettingsError:
        return SettingsError(f"{self._path}: {what}.", remedy=remedy)

    def _read(self) -> Scopes[S]:
        import yaml

        try:
            root = yaml.compose(self._path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
            content = {} if root is None else self._content(root)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = "" if mark is None else f", line {mark.line + 1}"
            raise SettingsError(
                f"{self._path}{where}: it cannot be read ({type(error).__name__}).", remedy="Correct it."
            ) from error
        parts = self.mapping(content, "the file", (*self._members, "everyone", "keys", "projects"))
        return Scopes(
            self._read_scope("everyone", parts["everyone"]) if "everyone" in parts else None,
            self._scopes("key", parts.get("keys", {})),
            self._scopes("project", parts.get("projects", {})),
            {name: read(parts[name]) for name, read in self._members.items() if name in parts},
        )

    def _scopes(self, kind: str, content: Any) -> dict[str, S]:
        named = self.mapping(content, f"{kind}s")
        return {name: self._read_scope(f"{kind} {name}", scope) for name, scope in named.items()}

    def _content(self, node: Node) -> Any:
        """A node as texts, lists and mappings. Raises SettingsError for a key that is there twice: the later one would
        silently take the earlier one's place."""
        from yaml.nodes import SequenceNode

        if isinstance(node.value, str):
            return node.value
        if isinstance(node, SequenceNode):
            return [self._content(item) for item in node.value]
        mapping: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key.value, str):
                raise self.refused(f"a key in line {line} is no word", "Write name: {…}.")
            if key.value in mapping:
                raise self.refused(
                    f"{key.value[:40]!r} is stated twice in one place, again in line {line}", "Put both into one."
                )
            mapping[key.value] = self._content(value)
        return mapping
