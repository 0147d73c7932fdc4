"""The rules of a notebook: one that keeps them has no breach; each rule broken is one sentence."""

import copy
from pathlib import Path

import nbformat
import pytest

from daybook.press.notebook import rules

ROOT = Path(__file__).parents[3]
PARAMETERS = 'logical_date: str = "2026-11-20"  # the last day\ndays: int = 7  # length of the window'


def markdown(source):
    return nbformat.v4.new_markdown_cell(source)


def code(source, count, *tags, out=None):
    outputs = [nbformat.v4.new_output("stream", name="stdout", text=out)] if out else []
    return nbformat.v4.new_code_cell(source, execution_count=count, outputs=outputs, metadata={"tags": list(tags)})


def sound():
    """A small notebook that keeps every rule."""
    cells = [
        markdown("# The costs\n\nWho spent what?"),
        code(PARAMETERS, 1, "parameters"),
        code("import daybook\n\nbook = daybook.open(source)", 2),
        markdown("## Who spent most?"),
        code("found = book.costs(days=days)\nfound.table", 3),
        code("print(book.enter(found.findings))", 4, "nbval-check-output", out="sha256:1\n"),
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture
def breaches(tmp_path):
    """What is said of the sound notebook once it was changed."""

    def check(change=None):
        notebook = copy.deepcopy(sound())
        if change is not None:
            change(notebook)
        path = tmp_path / "costs.ipynb"
        nbformat.write(notebook, path)
        return rules.check(path)

    return check


def test_a_sound_notebook_has_no_breach(breaches):
    """The rules can be kept."""
    assert breaches() == []


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_our_own_notebooks_keep_the_rules(path):
    """What is committed under notebooks/ has the shape that it teaches."""
    assert rules.check(path) == []


def cell(n, **changes):
    return lambda notebook: notebook.cells[n].update(changes)


def drop(n):
    return lambda notebook: notebook.cells.pop(n)


def say(n, source):
    return cell(n, source=source)


BREACHES = {
    "no title": (say(0, "The costs. Who?"), ["Its first cell has to be Markdown and begin with the title (`# …`)."]),
    "no question": (say(0, "# The costs"), ["Its first cell asks no question: say there what the notebook answers."]),
    "another kernel": (
        lambda notebook: notebook.metadata.kernelspec.update(name="julia"),
        ["Its kernel is 'julia'; it has to be python3, the one of this environment."],
    ),
    "no parameters": (
        cell(1, metadata={"tags": []}),
        ["It has 0 code cells tagged `parameters`; it has to have one."],
    ),
    "untyped": (
        say(1, 'logical_date = "2026-11-20"  # day'),
        ["The parameter logical_date has no type: write `logical_date: str = …`."],
    ),
    "uncommented": (
        say(1, 'logical_date: str = "2026-11-20"'),
        ["The parameter logical_date has no comment: say on its line what it is."],
    ),
    "of a type nobody can check": (
        say(1, 'logical_date: date = "2026-11-20"  # day'),
        ["The type date of the parameter logical_date can't be checked."],
    ),
    "about now": (
        say(1, "days: int = 7  # length"),
        ["It has no parameter `logical_date`: a report is about a date, and never about now."],
    ),
    "computed": (
        say(1, PARAMETERS + "\nend = date.today()"),
        [
            "The default of the parameter end is computed: end = date.today()."
            " Write a literal, so that it can be known without running the notebook."
        ],
    ),
    "not opened": (
        say(2, "import daybook"),
        ["The code cell after the parameters has to import what is needed and call `daybook.open(…)`."],
    ),
    "parameters late": (
        lambda notebook: notebook.cells.insert(1, notebook.cells.pop(2)),
        [
            "The cell tagged `parameters` has to be the first code cell.",
            "It was not executed from top to bottom in a fresh kernel: run all cells, then save.",
        ],
    ),
    "nothing entered": (
        say(5, "print('done')"),
        ["Its last code cell has to enter the findings (`book.enter(…)`) and print the digest."],
    ),
    "no section": (
        drop(3),
        ["It has no section (`## …`): each question gets a heading, above the cell that answers it."],
    ),
    "a question without an answer": (
        lambda notebook: notebook.cells.append(markdown("## And why?\n\nNobody knows.")),
        ["The section '## And why?' has no cell that answers it."],
    ),
    "a function": (
        say(4, "def total(x):\n    return x"),
        ["Code cell 3 defines total: definitions live in the library, where they are tested."],
    ),
    "a class": (
        say(4, "class Total:\n    pass"),
        ["Code cell 3 defines Total: definitions live in the library, where they are tested."],
    ),
    "the environment": (
        say(4, "import os\nos.environ['HOME']"),
        ["Code cell 3 imports os.", "Code cell 3 reads the environment."],
    ),
    "paths": (say(4, "from pathlib import Path"), ["Code cell 3 imports from pathlib."]),
    "files": (say(4, "open('x')"), ["Code cell 3 calls open()."]),
    "SQL": (
        say(4, 'book.sql("""select *\n    from calls""")'),
        ["Code cell 3 holds SQL: queries live in book/queries."],
    ),
    "a shell": (
        say(4, "!pip install x\nfound = 1"),
        ["Code cell 3 runs '!pip install x': no shell, pip or magic in a cell."],
    ),
    "no Python": (say(4, "found ="), ["Code cell 3 is not Python: invalid syntax."]),
    "a long cell": (
        say(4, "\n".join(f"x{n} = {n}" for n in range(11))),
        ["Code cell 3 has 11 lines of code; at most 10: move the logic into the library."],
    ),
    "not run": (
        cell(4, execution_count=None),
        ["It was not executed from top to bottom in a fresh kernel: run all cells, then save."],
    ),
    "run twice": (
        cell(5, execution_count=9),
        ["It was not executed from top to bottom in a fresh kernel: run all cells, then save."],
    ),
    "failed": (
        cell(4, outputs=[nbformat.v4.new_output("error", ename="E", evalue="e", traceback=[])]),
        ["Code cell 3 ended in an error."],
    ),
    "no contract": (
        cell(5, metadata={}),
        ["No cell is a contract: tag one small, sorted summary `nbval-check-output`, so that nbval compares it."],
    ),
    "an empty contract": (cell(5, outputs=[]), ["A cell whose output is to be compared has none."]),
    "a report": (
        cell(4, metadata={"tags": ["injected-parameters"]}),
        ["Cell 5 was put in by a run (injected-parameters); commit the source."],
    ),
}


@pytest.mark.parametrize(("change", "said"), BREACHES.values(), ids=BREACHES)
def test_each_rule_broken_is_said_once(breaches, change, said):
    """A notebook with one thing wrong is told that thing, with the cell's number and what to do, and no other."""
    assert breaches(change) == said


def test_more_than_ten_cells_are_too_many(breaches):
    """The parameters do not count; eleven others do."""

    def lengthen(notebook):
        extra = [code("found.table", 4 + n) for n in range(8)]
        notebook.cells[5:5] = extra
        notebook.cells[-1].execution_count = 12

    assert breaches(lengthen) == ["It has 11 code cells beside the parameters; at most 10 can be taken in."]


@pytest.mark.parametrize(
    "source",
    [
        "# select what to show from the table\nfound.table",
        'title = "Updates from the team"',
        "found.select('caller')",
        "\n".join(f"# {n}" for n in range(30)) + "\nfound.table",
    ],
)
def test_what_only_looks_like_a_breach_is_none(breaches, source):
    """Comments are neither SQL nor lines of code, and a sentence is no query."""
    assert breaches(say(4, source)) == []


@pytest.mark.parametrize("text", ["", "no notebook", "{}", "[]", '{"cells": [{}], "nbformat": 4}'])
def test_a_file_that_is_no_notebook_is_a_breach_and_no_traceback(tmp_path, text):
    """Whatever lies there, a sentence says that it can't be read."""
    path = tmp_path / "costs.ipynb"
    path.write_text(text)
    (said,) = rules.check(path)
    assert said.startswith("It can't be read as a notebook: ")


def test_an_empty_notebook_has_breaches_and_no_traceback(breaches):
    """No cell at all is no shape, and no reason to fall over."""
    assert len(breaches(lambda notebook: notebook.cells.clear())) >= 4
