"""What cannot go well is refused before it starts: one paragraph with cause and remedy, and nothing entered or left."""

import re
import shutil
import sys
from pathlib import Path

import pytest

from daybook.cli import main
from daybook.errors import (
    BadDate,
    BadParameter,
    DaybookError,
    KernelMissing,
    PressError,
    ReportUnwritable,
    UnknownNotebook,
)


@pytest.fixture
def untouched(settings, book, alive):
    """Checks that nothing was entered, published or started."""

    def check() -> None:
        assert book.rows("select count(*) as n from runs") == [{"n": 0}]
        assert book.rows("select count(*) as n from events") == [{"n": 0}]
        assert [path for path in settings.reports.rglob("*") if path.is_file() and path != settings.reports] == []
        assert not (settings.home / "press").exists()
        assert alive() == []

    return check


@pytest.fixture
def refused(run, untouched):
    """Runs what must be refused; returns what was said."""

    def start(error: type[DaybookError], word: str = "costs", **more) -> str:
        with pytest.raises(error) as caught:
            run(word, **more)
        untouched()
        assert type(caught.value) is error
        assert caught.value.remedy
        assert "\n" not in str(caught.value)
        return str(caught.value)

    return start


def test_an_unknown_notebook(notebook, refused):
    """The word, cut short, and the words there are."""
    notebook("costs", "1")
    notebook("traffic", "1")
    assert refused(UnknownNotebook, "cost") == (
        "There is no notebook 'cost'. Did you mean 'costs'? There are: costs, traffic."
    )
    assert len(refused(UnknownNotebook, "x" * 1000)) < 150
    for word in ("../costs", "costs.ipynb", "", "/etc/passwd", "costs/"):
        assert "There are: costs, traffic." in refused(UnknownNotebook, word)


def test_a_project_without_notebooks(refused, settings):
    """The folder that was looked into is named, and where to go."""
    folder = settings.root / "notebooks"
    message = f"There is no notebook 'costs'. {folder} has no .ipynb file: go to the folder of your project."
    assert refused(UnknownNotebook) == message


def test_an_unknown_parameter(notebook, refused):
    """The name, and the parameters that the notebook knows with their types, defaults and comments."""
    notebook("costs", "1")
    said = refused(BadParameter, parameters={"dayz": 3})
    assert said.startswith("The notebook costs has no parameter 'dayz'. Did you mean 'days'? It knows: logical_date: ")
    assert "days: int = 7  (length of the window)" in said


def test_an_ill_typed_parameter(notebook, refused):
    """The name, the type it is, and what was given."""
    notebook("costs", "1")
    assert "days of the notebook costs is int, not str ('3')" in refused(BadParameter, parameters={"days": "3"})
    assert "days of the notebook costs is int, not bool (True)" in refused(BadParameter, parameters={"days": True})


def test_a_notebook_without_a_parameters_cell(notebook, refused):
    """Papermill would run it with its own values; here it is refused, with how to tag the cell."""
    notebook("costs", "days = 7", parameters=None)
    assert "Tag its parameters cell" in refused(BadParameter)
    notebook("costs", "days", parameters="days = input()")
    assert "Write a literal" in refused(BadParameter)


@pytest.mark.parametrize("day", ["2026-02-30", "yesterday", "20261120", "2026-W47-5", ""])
def test_a_bad_date(notebook, refused, day):
    """What was said, and the form that is wanted."""
    notebook("costs", "1")
    assert refused(BadDate, logical_date=day) == f"{day!r} is not a date. Write it as YYYY-MM-DD, e.g. 2026-11-20."


def test_a_missing_kernel(notebook, refused):
    """The kernel's name, those there are, and what to do; nothing was waited for."""
    notebook("costs", "1", kernel="julia-1.9")
    said = refused(KernelMissing)
    assert re.search(r"asks for the kernel 'julia-1\.9', which is not installed \(there are: .*python3.*\)", said)
    assert "set the notebook's kernel to python3, which Daybook brings" in said


def test_a_kernel_of_another_environment(notebook, refused, tmp_path, monkeypatch):
    """A kernel whose program is gone, and a python3 that is another Python's, are refused with the command that
    installs ours."""
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    notebook("costs", "1")
    for program, said in (
        ("/gone/bin/python", r"would start '/gone/bin/python', which is not there"),
        (shutil.which("true"), r"belongs to another environment: .*true, not "),
    ):
        spec.write_text(f'{{"argv": ["{program}", "-m", "ipykernel"], "display_name": "P", "language": "python"}}')
        found = refused(KernelMissing)
        assert re.search(said, found)
        assert found.endswith(f"Install it: {sys.executable} -m ipykernel install --sys-prefix")


def test_a_report_folder_that_cannot_be_written(notebook, run, settings, book, alive):
    """With a file in its place: the folder, the cause, and that nothing was run; the file is as it was."""
    notebook("costs", "1")
    in_the_way = settings.reports / "costs"
    in_the_way.parent.mkdir()
    in_the_way.write_text("in the way")
    with pytest.raises(ReportUnwritable) as caught:
        run("costs")
    assert re.fullmatch(
        rf"The report folder {in_the_way}/2026-11-20 can't be written: .+\. Nothing was run\."
        r" Make the folder writable, or name another one in DAYBOOK_REPORTS\.",
        str(caught.value),
    )
    assert in_the_way.read_text() == "in the way"
    assert book.rows("select count(*) as n from runs") == [{"n": 0}]
    assert alive() == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "dear diary", '{"cells": [{}], "nbformat": 4}'])
def test_a_notebook_that_cannot_be_read(notebook, refused, text):
    """A damaged file is named with what is wrong with it, whatever is in it."""
    path: Path = notebook("costs", "1")
    path.write_text(text)
    said = refused(PressError)
    assert said.startswith(f"The notebook {path} can't be read: ")
    assert said.endswith("Mend it, or take it from version control.")


COMMANDS = {
    "unknown notebook": (["cost"], 2, "Did you mean 'costs'? There are: costs, julia, plain."),
    "unknown parameter": (["costs", "-p", "dayz=3"], 2, "has no parameter 'dayz'. Did you mean 'days'? It knows: "),
    "ill-typed parameter": (["costs", "-p", "days=three"], 2, "Its default is 7."),
    "no parameter": (["costs", "-p", "days"], 2, "Write -p name=value."),
    "unknown source": (["costs", "--source", "sample"], 2, "has no parameter 'source'. It knows: "),
    "two dates": (["costs", "--date", "2026-11-20", "-p", "logical_date=2026-11-19"], 2, "Say the date once."),
    "no days": (["costs", "-p", "days=0"], 2, "Give a whole number from 1 to 3660."),
    "a day to come": (["costs", "--date", "9999-01-01"], 2, "A report is about days that have come."),
    "bad date": (["costs", "--date", "2026-11-31"], 2, "Write it as YYYY-MM-DD, e.g. 2026-11-20."),
    "no parameters cell": (["plain"], 2, "Tag its parameters cell"),
    "missing kernel": (["julia"], 1, "Install that kernel, or set the notebook's kernel to python3"),
    "unwritable": (["costs", "--date", "2026-11-20"], 1, "or name another one in DAYBOOK_REPORTS."),
}


@pytest.mark.parametrize(("argv", "code", "remedy"), COMMANDS.values(), ids=COMMANDS)
def test_on_the_command_line(notebook, untouched, settings, capsys, monkeypatch, argv, code, remedy):
    """One paragraph on stderr, nothing on stdout, exit code 2 for what was asked wrongly and 1 for what failed."""
    notebook("costs", "1")
    notebook("plain", "1", parameters=None)
    notebook("julia", "1", kernel="julia")
    if argv == COMMANDS["unwritable"][0]:
        settings.reports.write_text("in the way")
    monkeypatch.chdir(settings.root)
    monkeypatch.setenv("DAYBOOK_HOME", str(settings.home))
    for name in ("DAYBOOK_BOOK", "DAYBOOK_REPORTS"):
        monkeypatch.delenv(name, raising=False)
    assert main(["run", *argv]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("daybook: ")
    assert said.err.count("\n") == 1
    assert remedy in said.err
    untouched()
