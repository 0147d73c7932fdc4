"""How a result shows itself where it stands last in a cell: what it says, then its charts and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


def shown(prose: str, *pieces: Chart | Styler) -> str:
    """One piece of HTML: `prose` is Markdown, in which raw HTML is text."""
    import mistune

    return "".join([str(mistune.create_markdown(escape=True)(prose)), *(piece.to_html() for piece in pieces)])
