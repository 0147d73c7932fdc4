"""The command line as a whole: it teaches, it is quick to help, its exit codes mean something."""

import os
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


@pytest.mark.parametrize("word", ["traffic", "costs", "evaluation"])
def test_a_notebook_that_is_no_command_says_how_it_is_run(word, capsys):
    """One word a subject: who types it as a command reads the command that runs it."""
    assert main([word]) == 2
    assert f"There is no command {word!r}. It is a notebook: daybook run {word}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["evaluate", "rows.csv"],
            "daybook evaluate has no command 'rows.csv'. There are: calibrate, compare, power, run, score; "
            "see daybook evaluate calibrate --help",
        ),
        (["keys", "revok", "k1"], "daybook keys has no command 'revok'. Did you mean 'revoke'? There are: "),
        (["finetune", "hosted", "nothing"], "daybook finetune hosted has no command 'nothing'. There are: "),
    ],
)
def test_a_group_names_its_commands(words, expected, capsys):
    """A command that a group does not have is a usage error which lists those it has."""
    assert main(words) == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize("prompt", ["", " ", "\n\t"])
def test_an_empty_question_is_not_asked(prompt, capsys):
    """A question without a word is refused before a model starts."""
    assert main(["ask", prompt]) == 2
    assert capsys.readouterr().err == 'daybook: The question is empty. Write it in quotes: daybook ask "…".\n'


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


ASKING = [["book", "info"], ["ask", "hi"], ["keys", "create", "ana"], ["serve", "--port", "0"], ["reports"]]


def daybook_in(folder, *arguments, **more):
    env = {name: value for name, value in os.environ.items() if not name.startswith("DAYBOOK_")}
    command = [sys.executable, "-m", "daybook", *arguments]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60, **more)


@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_command_in_the_wrong_folder_begins_no_second_book(tmp_path, arguments):
    """Where nobody can be asked it is a usage error that names the book and the way out; nothing is made."""
    done = daybook_in(tmp_path, *arguments, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert done.stdout == ""
    assert f"belongs to no project of Daybook's, so this would begin a new book in {tmp_path}/.daybook." in done.stderr
    assert f"DAYBOOK_HOME={tmp_path}/.daybook" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("answer", "code", "begun"), [("y", 0, True), ("n", 2, False), ("", 2, False)])
def test_whoever_sits_there_is_asked(tmp_path, answer, code, begun):
    """Yes begins it, and the next command asks no more; no, or nothing, does not."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer.encode() + b"\n")
        done = daybook_in(tmp_path, "keys", "create", "ana", stdin=theirs)
        assert done.returncode == code
        assert "Begin it? [y/N]" in done.stderr
        assert (tmp_path / ".daybook").is_dir() is begun
        if begun:
            assert "ana" in daybook_in(tmp_path, "keys", "list", stdin=subprocess.DEVNULL).stdout
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    "arguments", [["book", "--help"], ["keys"], ["ask", "-h"], ["prices", "show", "gpt-4o-mini"], ["--version"]]
)
def test_help_and_prices_need_no_book(tmp_path, arguments):
    """They are shown anywhere, and make nothing."""
    done = daybook_in(tmp_path, *arguments, stdin=subprocess.DEVNULL)
    assert "belongs to no project" not in done.stderr
    assert done.stdout or done.stderr
    assert list(tmp_path.iterdir()) == []
