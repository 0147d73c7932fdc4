"""How a result shows itself where it stands last in a cell: what it says, then its charts and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


def shown(prose: str, *pieces: Chart | Styler) -> str:
    """One piece of HTML: `prose` is Markdown, in which raw HTML is text."""
    import mistune

    body = str(mistune.create_markdown(escape=True)(prose))
    # A table that is wider than its page scrolls by itself: what is said above it stays in sight.
    return "".join([body, *(f'<div style="overflow-x:auto">{piece.to_html()}</div>' for piece in pieces)])
