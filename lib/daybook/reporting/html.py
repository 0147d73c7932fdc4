"""How a reading shows itself where it stands last in a cell: what it says, one chart, one table."""

from __future__ import annotations

import html
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from daybook.reporting.charts.style import Chart


def shown(prose: str, chart: Chart, table: Styler) -> str:
    """One piece of HTML: `prose` is Markdown, in which raw HTML is text."""
    import mistune

    png, metadata = chart._repr_png_()
    picture = f'<img alt="{html.escape(metadata["alt"])}" src="data:image/png;base64,{b64encode(png).decode()}">'
    return f"{mistune.create_markdown(escape=True)(prose)}<p>{picture}</p>{table.to_html()}"
