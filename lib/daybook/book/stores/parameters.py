"""Parameters of a query: `:name` in the text, a value beside it, never one inside the other.

What looks like a parameter inside a string, a quoted name, a comment or a cast (`::`) is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from daybook.errors import BadParameter

_TOKENS = re.compile(
    r"""(?P<kept> [eE]'(?:[^'\\]|\\.|'')*' | '(?:[^']|'')*' | "(?:[^"]|"")*" | --[^\n]* | /\*.*?\*/
        | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$ | :: )
      | (?<![\w\])]):(?P<name>[A-Za-z_]\w*)
      | (?P<percent>%)""",
    re.DOTALL | re.VERBOSE,
)

_ONLY_READ = "`daybook book info` lists the tables; the book is only read, so nothing can be changed by a query."
_EXPLAIN = re.compile(
    r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*explain\s+(?:analyze\s+)?(?:\([^)]*\)\s*)?", re.DOTALL | re.IGNORECASE
)
_COPY = re.compile(r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*copy\b", re.DOTALL | re.IGNORECASE)


def for_duckdb(query: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The query with `$name`, and the parameters that it names. Raises BadParameter for one not given."""
    return _rewrite(query, params, lambda name: f"${name}", str)


def for_postgres(query: str, params: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The query with `%(name)s`, and the parameters that it names. Raises BadParameter for one not given."""
    return _rewrite(query, params, lambda name: f"%({name})s", lambda kept: kept.replace("%", "%%"))


def _rewrite(
    query: str, params: Mapping[str, Any], mark: Callable[[str], str], keep: Callable[[str], str]
) -> tuple[str, dict[str, Any]]:
    used: dict[str, Any] = {}

    def replace(match: re.Match[str]) -> str:
        name = match["name"]
        if name is None:
            return keep(match[0])
        if name not in params:
            given = ", ".join(sorted(params)) or "none"
            raise BadParameter(
                f"The query names the parameter :{name}, which was not given (given: {given}).",
                remedy=f"Give it: -p {name}=… on the command line, {name}=… in Python.",
            )
        used[name] = params[name]
        return mark(name)

    return _TOKENS.sub(replace, query), used


def is_copy(query: str) -> bool:
    """Whether it is a COPY, which Postgres runs in a transaction that only reads, `to program` and all."""
    return _COPY.match(query) is not None


def explained(query: str) -> str:
    """What an EXPLAIN is about, which DuckDB runs where it says ANALYZE; nothing where that cannot be told."""
    begins = _EXPLAIN.match(query)
    return query[begins.end() :] if begins else ""


def no_rows() -> BadParameter:
    """What was asked was no question: nothing at all, or a command."""
    return BadParameter("The query gives no rows.", remedy="Ask with select …; the book is only read.")


def several() -> BadParameter:
    return BadParameter("There is more than one query in this.", remedy="Ask them one at a time.")


def command(kind: str) -> BadParameter:
    """What was asked would do something."""
    return BadParameter(f"The book refused the query: it is read-only, and {kind} is no question.", remedy=_ONLY_READ)


def refused(error: Exception) -> BadParameter:
    """The database's own words about a query that it did not run."""
    answer = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
    return BadParameter(f"The book refused the query: {answer.rstrip('.')}.", remedy=_ONLY_READ)
