"""A YAML file that states something for everyone, by key and by project: read strictly, and again once it was replaced.

    everyone: {…}
    keys: {support-desk: {…}}
    projects: {helpdesk: {…}}

Whoever uses it looks with every request; that is one `stat` where the file is the same, and one for all requests that
are served in the same turn of the event loop: what is written is in force for every request that comes after it. A file
that cannot be meant is read once, too, and raises the same SettingsError until it is another: nothing goes by what was
there before. All scalars are read as the texts that stand there, so that no digit is lost and `off` is a word.

One that stated something and is gone or empty now cannot be meant:
whoever writes a file in place empties it first, and meanwhile nobody may be served as if nothing were stated. `{}`
takes back what was stated.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
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
        self._binding = False
        """Whether it says something, or did when it was last seen."""
        self._looked = False
        """Whether it was looked at in this turn of the event loop."""
        self._stated: Scopes[S] = Scopes()
        self._refusal: SettingsError | None = None
        """Why it cannot be meant."""

    def read(self) -> Scopes[S]:
        """What it states now: the same object as long as the file is the same. Raises SettingsError: that, too, is the
        same object until then."""
        if not self._looked:
            self._refusal = self._look()
            with contextlib.suppress(RuntimeError):  # no loop runs: it is looked at each time
                asyncio.get_running_loop().call_soon(self._forget)
                self._looked = True
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)  # else it grows with each time that it is raised
        return self._stated

    def _forget(self) -> None:
        self._looked = False

    def _look(self) -> SettingsError | None:
        """Read it where it is another file. Returns why it cannot be meant."""
        try:
            seen = atomic.identity(self._path)
            if seen == self._seen:
                return self._refusal
            seen, text = (None, b"") if seen is None else self._text()
        except FileNotFoundError:  # it went away between the two
            seen, text = None, b""
        except OSError as error:  # which may pass while the file is the same
            return self._unread(f"{self._path} cannot be read ({type(error).__name__}).", "Make it readable.")
        if text is None:
            return self._unread(f"{self._path} is being written.", "Ask again in a moment.")
        refusal: SettingsError | None = None
        try:
            self._state(text, gone=seen is None)
        except SettingsError as error:
            refusal = error
        self._seen = seen
        return refusal

    def _unread(self, what: str, remedy: str) -> SettingsError:
        """Why it could not be read, to be tried again: the same error as the last time, where it is the same."""
        self._seen = ()
        last = self._refusal
        return last if last is not None and last.message == what else SettingsError(what, remedy=remedy)

    def _state(self, text: bytes, *, gone: bool) -> None:
        said = self._binding
        self._binding = said or bool(text.strip())  # where it is refused below, too
        root = self._root(text)
        if said and root is None:
            raise SettingsError(
                f"{self._path} stated something, and is {'gone' if gone else 'empty'} now.",
                remedy="Put it back; where nothing is to be stated any more, write {} into it, or restart without it.",
            )
        self._stated = Scopes() if root is None else self._scopes_of(root)
        self._binding = self._stated != Scopes()

    def _text(self) -> tuple[atomic.Identity, bytes | None]:
        """Which file stands there and what it says; None where somebody writes it meanwhile."""
        with self._path.open("rb") as file:
            seen = atomic.identity_of(os.fstat(file.fileno()))
            text = file.read()
            if atomic.identity_of(os.fstat(file.fileno())) != seen:
                return seen, None
        return seen, text

    def mapping(self, content: Any, what: str, known: Collection[str] | None = None) -> dict[str, Any]:
        """The content as a mapping of names, all of them `known`."""
        if not isinstance(content, dict):
            raise self.refused(f"{what} is not a mapping", "Write name: {…} on each line.")
        if known is not None and (strange := sorted(content.keys() - set(known))):
            raise self.refused(f"{strange[0][:40]!r} is not known in {what}", f"Known there: {', '.join(known)}.")
        return content

    def refused(self, what: str, remedy: str) -> SettingsError:
        return SettingsError(f"{self._path}: {what}.", remedy=remedy)

    def _root(self, text: bytes) -> Node | None:
        """None: nothing stands there."""
        import yaml

        try:
            root: Node | None = yaml.compose(text.decode(), Loader=yaml.BaseLoader)
        except (UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            mark = getattr(error, "problem_mark", None)
            where = "" if mark is None else f", line {mark.line + 1}"
            raise SettingsError(
                f"{self._path}{where}: it cannot be read ({type(error).__name__}).", remedy="Correct it."
            ) from error
        return root

    def _scopes_of(self, root: Node) -> Scopes[S]:
        try:
            content = self._content(root)
        except RecursionError as error:
            raise self.refused("it cannot be read (RecursionError)", "Write fewer lists in one another.") from error
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
