"""The command line as a whole: it teaches, it is quick to help, its exit codes mean something."""

import subprocess
import sys

import click
import pytest

from daybook.cli import COMMANDS, _unforeseen, daybook, main


def every_command(group=daybook, path=()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(
    ("path", "command"), list(every_command()), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_command_says_what_it_does_and_shows_an_example(path, command):
    """`--help` teaches: a sentence, and a line that can be typed as it stands."""
    assert "Example" in (command.help or ""), f"daybook {' '.join(path)} shows no example"
    assert f"daybook {' '.join(path)}" in command.help


def test_help_loads_no_command():
    """The first page costs no database, no pandas, no Prefect."""
    heavy = ["pandas", "duckdb", "prefect", "aiohttp"]
    code = (
        f"import sys; from daybook.cli import main; main(['--help']); print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")
    assert all(name in done.stdout for name in COMMANDS)


def test_a_command_that_does_not_exist_is_a_usage_error(capsys):
    """Exit code 2, the one that was meant is named, and the help is pointed at."""
    assert main(["repots"]) == 2
    said = capsys.readouterr().err
    assert "There is no command 'repots'. Did you mean 'reports'?" in said
    assert "Try 'daybook --help'" in said


def test_an_error_is_one_paragraph_and_an_exit_code(tmp_path, capsys, monkeypatch):
    """A DaybookError becomes its message on stderr, no traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAYBOOK_BOOK", "mysql://nobody")
    assert main(["book", "info"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("daybook: DAYBOOK_BOOK begins with 'mysql'")
    assert "Traceback" not in said


def test_a_home_that_cannot_be_used_is_named(tmp_path, capsys, monkeypatch):
    """Reading, serving and making a key say which folder it is and what to do; exit code 1, or 2 for the key file."""
    monkeypatch.setenv("DAYBOOK_HOME", str(tmp_path / "file"))
    (tmp_path / "file").write_text("")
    for argv, code in ((["book", "info"], 1), (["serve", "--port", "0"], 1), (["keys", "create", "ana"], 2)):
        assert main(argv) == code
        said = capsys.readouterr().err
        assert f"{tmp_path}/file" in said
        assert "Traceback" not in said


def test_a_fault_of_ours_is_one_paragraph_too():
    """Its type and place, never its words, which may be somebody's data."""
    try:
        {}["hunter2"]
    except KeyError as error:
        said = _unforeseen(error)
    assert said.startswith("This should not have happened: KeyError at test_cli.py:")
    assert "hunter2" not in said
