"""The rules of a notebook, as a function: `check(path)` gives one message for each breach.

    1 title and the question it answers         4 … question (a heading), one service call, table or
    2 `parameters`: typed, each with a comment      chart, and what it says, in prose computed from the run
    3 imports and `daybook.open(…)`             n enter the findings and print the digest

At most ten code cells of about eight lines. Logic lives in the library, where it is tested: no `def`,
no SQL, no `os.environ`, no paths, no shell in a cell. What is committed has been executed, in order and
without an error, and at least one small cell has its output compared by nbval.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from daybook.errors import BadParameter
from daybook.press.notebook import notebooks
from daybook.press.notebook.digests import ADDED
from daybook.press.notebook.parameters import TAG, declared, tags

CELLS = 10
"""Code cells, the parameters not counted."""
LINES = 10
"""Lines of code in one cell: eight, and two for grace. Parameters are no code: each has its line."""
CHECKED = "nbval-check-output"
_SQL = re.compile(r"\b(select\b.+\bfrom|insert\s+into|update\b.+\bset|delete\s+from|create\s+table)\b", re.I | re.S)
_MODULES = {"os", "sys", "subprocess", "pathlib", "shutil", "sqlite3", "duckdb", "sqlalchemy", "importlib"}
_CALLS = {"open", "exec", "eval", "__import__", "input", "breakpoint"}
_KINDS = {"str", "int", "float", "bool", "list", "dict", "None", "Literal"}


def check(path: Path) -> list[str]:
    """Every breach of the rules in the notebook, each as a sentence that names the cell; [] if none."""
    try:
        notebook = notebooks.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"It can't be read as a notebook: {str(error)[:200]}."]
    return [*_whole(notebook), *_opening(notebook), *_cells(notebook), *_closing(notebook), *_executed(notebook)]


def _code(notebook: Mapping[str, Any]) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def _own(notebook: Mapping[str, Any]) -> list[Any]:
    return [cell for cell in _code(notebook) if TAG not in tags(cell)]


def _whole(notebook: Mapping[str, Any]) -> Iterator[str]:
    name = notebook["metadata"].get("kernelspec", {}).get("name")
    if name != "python3":
        yield f"Its kernel is {name!r}; it has to be python3, the one of this environment."
    if len(_own(notebook)) > CELLS:
        yield f"It has {len(_own(notebook))} code cells beside the parameters; at most {CELLS} can be taken in."
    for n, cell in enumerate(notebook["cells"], start=1):
        if ADDED & set(tags(cell)):
            yield f"Cell {n} was put in by a run ({', '.join(sorted(ADDED & set(tags(cell))))}); commit the source."


def _opening(notebook: Mapping[str, Any]) -> Iterator[str]:
    cells = notebook["cells"]
    first = cells[0] if cells else None
    if first is None or first["cell_type"] != "markdown" or not first["source"].lstrip().startswith("# "):
        yield "Its first cell has to be Markdown and begin with the title (`# …`)."
    elif "?" not in first["source"]:
        yield "Its first cell asks no question: say there what the notebook answers."
    tagged = [cell for cell in _code(notebook) if TAG in tags(cell)]
    if len(tagged) != 1:
        yield f"It has {len(tagged)} code cells tagged `{TAG}`; it has to have one."
        return
    if _code(notebook)[0] is not tagged[0]:
        yield f"The cell tagged `{TAG}` has to be the first code cell."
    yield from _parameters(tagged[0]["source"])
    after = _own(notebook)[0]["source"] if _own(notebook) else ""
    if "daybook.open(" not in after:
        yield "The code cell after the parameters has to import what is needed and call `daybook.open(…)`."


def _parameters(source: str) -> Iterator[str]:
    try:
        known = declared(source)
    except BadParameter as error:
        yield str(error)
        return
    if "logical_date" not in known:
        yield "It has no parameter `logical_date`: a report is about a date, and never about now."
    for parameter in known.values():
        if not parameter.typed:
            yield f"The parameter {parameter.name} has no type: write `{parameter.name}: {parameter.type} = …`."
        elif not set(re.findall(r"[A-Za-z_]+", re.sub(r"Literal\[[^]]*\]", "Literal", parameter.type))) <= _KINDS:
            yield f"The type {parameter.type} of the parameter {parameter.name} can't be checked."
        if not parameter.comment:
            yield f"The parameter {parameter.name} has no comment: say on its line what it is."


def _cells(notebook: Mapping[str, Any]) -> Iterator[str]:
    for n, cell in enumerate(_code(notebook), start=1):
        source = cell["source"]
        lines = [line for line in source.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        if len(lines) > LINES and TAG not in tags(cell):
            yield f"Code cell {n} has {len(lines)} lines of code; at most {LINES}: move the logic into the library."
        magics = [line.strip() for line in source.splitlines() if line.lstrip().startswith(("!", "%"))]
        if magics:
            yield f"Code cell {n} runs {magics[0]!r}: no shell, pip or magic in a cell."
        try:
            tree = ast.parse("\n".join(line for line in source.splitlines() if line.strip() not in magics))
        except SyntaxError as error:
            yield f"Code cell {n} is not Python: {error.msg}."
            continue
        for breach in dict.fromkeys(_breaches(tree)):
            yield f"Code cell {n} {breach}."


def _breaches(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield f"defines {name}: definitions live in the library, where they are tested"
            case ast.Import(names=names):
                yield from (f"imports {a.name}" for a in names if a.name.partition(".")[0] in _MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in _MODULES:
                yield f"imports from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
                yield f"calls {name}()"
            case ast.Attribute(attr="environ") | ast.Attribute(attr="getenv"):
                yield "reads the environment"
            case ast.Constant(value=str(text)) if _SQL.search(text):
                yield "holds SQL: queries live in book/queries"


def _closing(notebook: Mapping[str, Any]) -> Iterator[str]:
    own = _own(notebook)
    last = own[-1]["source"] if own else ""
    if ".enter(" not in last:
        yield "Its last code cell has to enter the findings (`book.enter(…)`) and print the digest."
    headings = [c for c in notebook["cells"] if c["cell_type"] == "markdown" and re.search(r"^## ", c["source"], re.M)]
    if not headings:
        yield "It has no section (`## …`): each question gets a heading, above the cell that answers it."
    for cell, following in pairwise([*notebook["cells"], None]):
        if cell in headings and (following is None or following in headings):
            yield f"The section {cell['source'].splitlines()[0]!r} has no cell that answers it."


def _executed(notebook: Mapping[str, Any]) -> Iterator[str]:
    code = [cell for cell in _code(notebook) if cell["source"].strip()]
    counts = [cell.get("execution_count") for cell in code]
    if counts != list(range(1, len(code) + 1)):
        yield "It was not executed from top to bottom in a fresh kernel: run all cells, then save."
    for n, cell in enumerate(code, start=1):
        if any(output["output_type"] == "error" for output in cell.get("outputs", [])):
            yield f"Code cell {n} ended in an error."
    checked = [c for c in code if CHECKED in tags(c) or "NBVAL_CHECK_OUTPUT" in c["source"]]
    if not checked:
        yield f"No cell is a contract: tag one small, sorted summary `{CHECKED}`, so that nbval compares it."
    elif not all(cell.get("outputs") for cell in checked):
        yield "A cell whose output is to be compared has none."
