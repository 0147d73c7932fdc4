"""A report as one HTML file: no script, nothing fetched, its code folded away, fit to be printed.

The page forbids itself scripts and every foreign resource (Content-Security-Policy), so neither a
widget nor a name in somebody's data can do anything in a reader's browser. The one thing that a page
can do without either, to send its reader elsewhere by a `<meta>`, is shown as text. So is raw HTML in
Markdown: prose is computed from data, and data is not ours.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import cache
from math import isnan
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from daybook.press.execution.runner import RunOutcome
from daybook.press.notebook.parameters import INJECTED, TAG, tags
from daybook.press.publishing import standing
from daybook.records import Run
from daybook.reporting.text import in_points, ratio

if TYPE_CHECKING:
    from jinja2 import Environment

_DOLLARS = frozenset({"USD", "$"})
_META = re.compile(r"<(?=meta\b)", re.IGNORECASE)
STATES = {
    "completed": "completed",
    "failed": "failed",
    "timed_out": "timed out",
    "running": "running",
    "interrupted": "interrupted",
}


def page(
    notebook: Mapping[str, Any],
    run: Run,
    findings: Sequence[Mapping[str, Any]],
    outcome: RunOutcome,
    *,
    trail: Mapping[str, Any] | None = None,
) -> str:
    """The report's page. `notebook` must be scrubbed already. `trail`: the last entry of the trail by then."""
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            run=run,
            state=state_of(run),
            title=_title(notebook, run),
            cells=list(_cells(notebook)),
            findings=findings,
            tiles=standing.headlines(run.notebook, findings),
            outcome=outcome,
            trail=trail,
            verdict=standing.verdict(findings),
            made_up=standing.made_up(run),
            as_of=standing.as_of(run),
            code_style=Markup(_code_style()),  # noqa: S704 - Pygments' own style sheet
        )
    )


def state_of(run: Run) -> str:
    """The state as people read it: a run whose press was killed is `interrupted`, not merely failed."""
    if run.state == "failed" and (run.error or "").startswith("Interrupted:"):
        return "interrupted"
    return run.state


@cache
def environment() -> Environment:
    """Templates of the press, escaping everything that is not known to be markup."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("daybook.press.publishing", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "seconds": seconds,
        "number": number,
        "interval": interval,
        "moment": moment,
        "figure": figure,
    }
    templates.globals["states"] = STATES
    return templates


def seconds(value: float | None) -> str:
    if value is None:
        return "–"
    if value < 60:
        return f"{value:.1f} s"
    return f"{int(value // 60)} min {int(value % 60):02d} s"


def number(value: float | None, unit: str = "") -> str:
    """A figure with its unit: two decimals, three significant digits below 1, none where whole; None is `unknown`."""
    if value is None or isnan(value):
        return "unknown"
    return _with_unit(_digits(value, unit), unit)


def figure(finding: Mapping[str, Any]) -> str:
    """The value with its unit; where there is none, what the finding says instead: a name, or why it is not known."""
    if finding["value"] is None and finding.get("note"):
        return str(finding["note"])
    return number(finding["value"], str(finding.get("unit") or ""))


def interval(finding: Mapping[str, Any]) -> str:
    """`3.1 to 4.7 s (95 %)`, `at least 3.1 s (95 %)` where one end is not known, or nothing where the finding is no
    estimate."""
    low, high, level = finding.get("low"), finding.get("high"), finding.get("level")
    unit = str(finding.get("unit") or "")
    if low is None and high is None:
        return ""
    if high is None:
        text = f"at least {number(low, unit)}"
    elif low is None:
        text = f"at most {number(high, unit)}"
    elif unit in _DOLLARS:
        text = f"{number(low, unit)} to {number(high, unit)}"
    else:
        text = _with_unit(f"{_digits(low, unit)} to {_digits(high, unit)}", unit)
    return text if level is None else f"{text} ({100 * level:g} %)"


def _digits(value: float, unit: str) -> str:
    """The figure alone; a share is shown in percent."""
    if unit == "ratio":
        return ratio(value)  # as in prose and tables
    if unit == "points":
        return in_points(value / 100).removeprefix("+")
    share = unit == "share"
    value = round(100 * value, 10) if share else value  # 0.07 is 7 %, not 7.000000000000001
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    if abs(value) >= 1:
        return f"{value:,.1f}" if share else f"{value:,.2f}"
    return f"{Decimal(f'{value:.3g}'):f}"  # never 1.2e-05


def _with_unit(text: str, unit: str) -> str:
    if unit in _DOLLARS:
        return f"-${text[1:]}" if text.startswith("-") else f"${text}"
    if unit == "share":
        return f"{text} %"
    short = {"seconds": "s", "second": "s"}.get(unit, unit)
    return f"{text} {short}" if short not in {"", "1", "count", "ratio"} else text


def moment(value: datetime | None) -> str:
    return "–" if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def _title(notebook: Mapping[str, Any], run: Run) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and cell["source"].lstrip().startswith("# "):
            return str(cell["source"].lstrip().splitlines()[0].removeprefix("# ").strip())
    return run.notebook


def _cells(notebook: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield {"kind": "failure" if "daybook-failure" in tags(cell) else "prose", "html": markdown(cell["source"])}
        elif cell["cell_type"] == "code" and cell["source"].strip():
            metadata = cell["metadata"].get("papermill", {})
            outputs = [shown for output in cell.get("outputs", []) if (shown := _output(output)) is not None]
            yield {
                "kind": "code",
                "label": _label(cell),
                "count": cell.get("execution_count"),
                "seconds": metadata.get("duration"),
                "status": metadata.get("status", ""),
                "html": _highlighted(cell["source"]),
                "outputs": outputs,
                "failed": metadata.get("status") == "failed",
            }


def _label(cell: Mapping[str, Any]) -> str:
    marks = tags(cell)
    if INJECTED in marks:
        return "Parameters of this run"
    return "Parameters: the defaults" if TAG in marks else "Code"


def _output(output: Mapping[str, Any]) -> dict[str, Any] | None:
    kind = output["output_type"]
    if kind == "stream":
        return {"kind": output["name"], "html": _ansi(output["text"])} if output["text"].strip() else None
    if kind == "error":
        trace = "\n".join(output.get("traceback") or [])
        return {"kind": "error", "html": _ansi(trace or f"{output['ename']}: {output['evalue']}")}
    data = output.get("data", {})
    for form in ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain"):
        if form in data:
            alt = output.get("metadata", {}).get(form, {}).get("alt") or "Chart"
            return {"kind": form.partition("/")[0], "html": _shown(form, data[form], alt)}
    return None


def _shown(form: str, value: str, alt: str) -> Markup:
    match form:
        case "text/html":
            return Markup(_META.sub("&lt;", value))  # noqa: S704 - a table made by the notebook; the page's policy keeps it from acting
        case "image/svg+xml":
            return _image(form, base64.b64encode(value.encode()).decode(), alt)
        case "image/png" | "image/jpeg":
            return _image(form, value, alt)
        case "text/markdown":
            return markdown(value)
    return Markup("<pre>{}</pre>").format(value)


def _image(form: str, value: str, alt: str) -> Markup:
    return Markup('<img alt="{}" src="data:{};base64,{}">').format(alt, form, value.replace("\n", ""))


def markdown(source: str) -> Markup:
    """Markdown to HTML. Raw HTML in it is shown, not obeyed; a `$` is a dollar, not mathematics."""
    import mistune

    html = mistune.create_markdown(escape=True, plugins=["table", "strikethrough", "footnotes", "url"])(source)
    return Markup(html)  # noqa: S704 - mistune has escaped what was raw


def _ansi(text: str) -> Markup:
    from nbconvert.filters import ansi2html

    coloured: str = ansi2html(text)  # type: ignore[no-untyped-call]  # has no types
    return Markup("<pre>{}</pre>").format(Markup(coloured))  # noqa: S704 - ansi2html escapes what it colours


def _highlighted(source: str) -> Markup:
    from pygments import highlight  # type: ignore[import-untyped]  # has no types
    from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]  # has no types
    from pygments.lexers import PythonLexer  # type: ignore[import-untyped]  # has no types

    return Markup(highlight(source, PythonLexer(), HtmlFormatter(cssclass="source")))  # noqa: S704 - Pygments escapes


@cache
def _code_style() -> str:
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="default", cssclass="source").get_style_defs(".source")
    dark = HtmlFormatter(style="github-dark", cssclass="source").get_style_defs(".source")
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"
