"""A file of policies by key and project, read strictly and again as soon as it was replaced.

    everyone: {…}
    keys: {support-desk: {…}}
    projects: {helpdesk: {…}}

What a key states goes before what its project states, and that before what everyone does, part by part. A running
endpoint reads the file again with the first request after it was replaced. A file that cannot be meant lets nothing
through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from daybook import atomic
from daybook.errors import SettingsError

if TYPE_CHECKING:
    from yaml.nodes import Node

Rules = TypeVar("Rules")
Parts = Mapping[str, Any]
_MOST_CALLERS = 10_000


@dataclass(frozen=True, slots=True)
class _Stated:
    everyone: Parts = field(default_factory=dict)
    keys: Mapping[str, Parts] = field(default_factory=dict)
    projects: Mapping[str, Parts] = field(default_factory=dict)


class PolicyFile(Generic[Rules]):
    """`read_scope`: a scope's name and what stands there → its parts, read; raises `refused`. `rules`: the parts that
    hold for a caller → what is done. `usual`: the parts of whoever states nothing. `joined`: parts, each a tuple, that
    add up from scope to scope. Raises SettingsError where the file
    cannot be meant."""

    def __init__(
        self,
        path: Path,
        *,
        read_scope: Callable[[str, Any], Parts],
        rules: Callable[[Parts], Rules],
        usual: Parts | None = None,
        joined: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self._read_scope = read_scope
        self._make = rules
        self._usual = usual or {}
        self._joined = joined
        self._seen: tuple[int, ...] | None = None
        self._stated = _Stated()
        self._rules: dict[tuple[str | None, str | None], Rules] = {}

    def rules(self, caller: str | None, project: str | None) -> Rules:
        """What is done for a call of `caller` that is booked on `project`. One `stat` where the file is the same."""
        self._refresh()
        whose = (caller, project)
        if whose not in self._rules:
            if len(self._rules) >= _MOST_CALLERS:
                self._rules.clear()
            stated = self._stated
            parts = dict(self._usual)
            for scope in (stated.everyone, stated.projects.get(project or "", {}), stated.keys.get(caller or "", {})):
                joined = {part: (*parts.get(part, ()), *scope[part]) for part in self._joined if part in scope}
                parts |= {**scope, **joined}
            self._rules[whose] = self._make(parts)
        return self._rules[whose]

    def _refresh(self) -> None:
        try:
            seen = atomic.identity(self.path)
        except OSError as error:
            raise SettingsError(
                f"{self.path} cannot be read ({type(error).__name__}).", remedy="Make it readable."
            ) from error
        if seen != self._seen:
            self._stated = _Stated() if seen is None else self._read()
            self._seen = seen
            self._rules.clear()

    def _read(self) -> _Stated:
        import yaml

        try:
            root = yaml.compose(self.path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
            content = {} if root is None else self._content(root)
        except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
            raise SettingsError(
                f"{self.path} cannot be read ({type(error).__name__}).", remedy="Correct it."
            ) from error
        parts = self.mapping(content, "the file", ("everyone", "keys", "projects"))
        return _Stated(
            self._read_scope("everyone", parts.get("everyone", {})),
            self._scopes(parts.get("keys", {}), "keys"),
            self._scopes(parts.get("projects", {}), "projects"),
        )

    def _content(self, node: Node) -> Any:
        """A node as texts, lists and mappings. Raises SettingsError for a key that is there twice: the later one would
        silently take the earlier one's place."""
        from yaml.nodes import SequenceNode

        if isinstance(node.value, str):
            return node.value
        if isinstance(node, SequenceNode):
            return [self._content(item) for item in node.value]
        mapping: dict[Any, Any] = {}
        for key, value in node.value:
            if not isinstance(key.value, str):
                raise self.refused(f"a key in line {key.start_mark.line + 1} is no word", "Write name: {…}.")
            if key.value in mapping:
                raise self.refused(
                    f"{key.value[:40]!r} is stated twice in one place, again in line {key.start_mark.line + 1}",
                    "Put both into one.",
                )
            mapping[key.value] = self._content(value)
        return mapping

    def _scopes(self, content: Any, what: str) -> dict[str, Parts]:
        return {name: self._read_scope(name, scope) for name, scope in self.mapping(content, what).items()}

    def mapping(self, content: Any, what: str, known: tuple[str, ...] | None = None) -> dict[str, Any]:
        """The content as a mapping of names, all of them `known`."""
        if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
            raise self.refused(f"{what} is not a mapping", "Write name: {…} on each line.")
        if known is not None and (strange := sorted(set(content) - set(known))):
            raise self.refused(f"{strange[0][:40]!r} is not known in {what}", f"Known there: {', '.join(known)}.")
        return content

    def refused(self, what: str, remedy: str) -> SettingsError:
        return SettingsError(f"{self.path}: {what}.", remedy=remedy)
