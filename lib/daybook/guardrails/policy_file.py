"""A file of policies by key and project (`scopes_file`): what a key states goes before what its project states, and
that before what everyone does, part by part."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

from daybook.errors import SettingsError
from daybook.scopes_file import Scopes, ScopesFile

Rules = TypeVar("Rules")
Parts = Mapping[str, Any]
_MOST_CALLERS = 10_000


class PolicyFile(Generic[Rules]):
    """`read_scope`: a scope's name and what stands there → its parts, read. `rules`: the parts that hold for a caller →
    what is done. `usual`: the parts of whoever states nothing. `joined`: parts, each a tuple, that add up from scope to
    scope. Raises SettingsError where the file cannot be meant."""

    def __init__(
        self,
        path: Path,
        *,
        read_scope: Callable[[str, Any], Parts],
        rules: Callable[[Parts], Rules],
        usual: Parts | None = None,
        joined: tuple[str, ...] = (),
    ) -> None:
        self._file: ScopesFile[Parts] = ScopesFile(path, read_scope)
        self.mapping, self.refused = self._file.mapping, self._file.refused
        self._make = rules
        self._usual = usual or {}
        self._joined = joined
        self._stated: Scopes[Parts] | None = None
        self._rules: dict[tuple[str | None, str | None], Rules | SettingsError] = {}

    def rules(self, caller: str | None, project: str | None) -> Rules:
        """What is done for a call of `caller` that is booked on `project`."""
        stated = self._file.read()
        if stated is not self._stated:
            self._stated = stated
            self._rules.clear()
        whose = (caller, project)
        if whose not in self._rules:
            if len(self._rules) >= _MOST_CALLERS:
                self._rules.clear()
            parts = dict(self._usual)
            for scope in reversed(stated.of(caller, project)):
                if scope is not None:
                    joined = {part: (*parts.get(part, ()), *scope[part]) for part in self._joined if part in scope}
                    parts |= {**scope, **joined}
            try:
                self._rules[whose] = self._make(parts)
            except SettingsError as error:  # the same one until the file is another
                self._rules[whose] = error
        rules = self._rules[whose]
        if isinstance(rules, SettingsError):
            raise rules.with_traceback(None)
        return rules
