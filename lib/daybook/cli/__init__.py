"""The command line: one command a file, loaded only when it is asked for.

`main` assembles and is the only place that turns an error into a message and an exit code:
0 done, 1 it failed, 2 it was asked for wrongly, 3 a stated gate is not met, 130 interrupted.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any, TextIO

import click

from daybook.errors import BookHeld, DaybookError, meant
from daybook.settings import Settings, new_home, unclaimed

# command → where it is, and its line in `daybook --help`, which must not import it
COMMANDS = {
    "alerts": (
        "daybook.cli.endpoint.alerts:alerts",
        "What to look at: budgets, spending, errors, calls without a price.",
    ),
    "approach": ("daybook.cli.approach:approach", "Prompt, examples, retrieval or training: measured on your rows."),
    "ask": ("daybook.cli.ask:ask", "Ask the embedded model (or another) one question; the call is logged."),
    "audit": ("daybook.cli.privacy.audit:audit", "The trail: seal it, verify it, take it out, look up who did what."),
    "backup": ("daybook.cli.privacy.backup:backup", "Back up the book to a folder, and the keys to another one."),
    "bias": ("daybook.cli.bias.group:bias", "Do groups get different answers: decisions, pairs, questions, prompts."),
    "book": ("daybook.cli.book:book", "Look into the book: info, sql, drain, export, check."),
    "day": ("daybook.cli.day:day", "The main job: a small working day, served, logged, priced and reported."),
    "deploy": (
        "daybook.cli.endpoint.deploy:deploy",
        "Deployments: A/B, canary, blue/green, shadow; changed while in use.",
    ),
    "evaluate": ("daybook.cli.evaluation:evaluate", "Score and compare models or stored predictions."),
    "finetune": (
        "daybook.cli.finetune.group:finetune",
        "Train on your data: check, estimate, train, status, cancel.",
    ),
    "import": ("daybook.cli.import_traces:import_group", "Bring a request trace from elsewhere into the book."),
    "keys": ("daybook.cli.endpoint.keys:keys", "API keys of the endpoint: create, list, rotate, revoke."),
    "cache": ("daybook.cli.endpoint.cache:cache", "Erase answers that the endpoint keeps."),
    "limits": (
        "daybook.cli.endpoint.limits:limits",
        "What keys and projects may use and spend, and what is used of it.",
    ),
    "models": ("daybook.cli.models:models", "Registered models: list, show, alias, rollback."),
    "moderate": (
        "daybook.cli.privacy.moderate:moderate",
        "Is a text hateful, threatening, harmful? Judged locally.",
    ),
    "pii": ("daybook.cli.privacy.pii:pii", "Personal data in a file: found, or taken out by a policy."),
    "prices": ("daybook.cli.prices:prices", "Which rate held on which day; what a call would cost."),
    "providers": (
        "daybook.cli.endpoint.providers:providers",
        "Where models answer: check each upstream, its models, its key.",
    ),
    "reports": ("daybook.cli.run:reports", "The reports so far, newest first."),
    "restore": (
        "daybook.cli.privacy.backup:restore",
        "Fill an empty book from a backup; erased stays erased.",
    ),
    "retention": ("daybook.cli.privacy.retention:retention", "What is due to go by its age, and letting it go."),
    "run": ("daybook.cli.run:run", "Run one notebook for one date and publish its report."),
    "schedule": ("daybook.cli.schedule:schedule", "Prefect server, worker and deployments, until Ctrl-C."),
    "subject": ("daybook.cli.privacy.subject:subject", "The rights of a person: export, erase, restrict, consent."),
    "serve": ("daybook.cli.endpoint.serve:serve", "Serve the OpenAI-compatible endpoint."),
    "verify": ("daybook.cli.privacy.verify:verify", "Whether a published report is still what was published."),
}


BOOKLESS = ("moderate", "pii", "prices", "providers")
"""Commands that need no book."""

NOTEBOOKS = ("traffic", "costs", "evaluation", "evidence", "privacy")
"""Words of notebooks that no command has."""


class CommandGroup(click.Group):
    """A group that says which commands it has where it is asked for another."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        names = self.list_commands(ctx)
        if cmd_name not in names:
            example = f"{ctx.command_path} {names[0]} --help"
            hint = f"{meant(cmd_name, names)}There are: {', '.join(names)}; see {example}"
            ctx.fail(f"{ctx.command_path} has no command {cmd_name[:60]!r}. {hint}")
        return super().get_command(ctx, cmd_name)


class Lazy(click.Group):
    """A group that knows its commands' names and first lines without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            hint = f"It is a notebook: daybook run {cmd_name}" if cmd_name in NOTEBOOKS else meant(cmd_name, COMMANDS)
            ctx.fail(f"There is no command {cmd_name!r}. {hint}".rstrip())
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        helps = {"-h", "--help"} & set(rest) or (isinstance(command, click.Group) and not rest)
        if not ctx.resilient_parsing and not helps and name not in BOOKLESS:
            _confirm_new_home()
        return name, command, rest

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="daybook")
def daybook() -> None:
    """LLM operations, written up every day.

    Every model call goes into one book; notebooks read the book and become dated reports.

    \b
    Start here:
      daybook ask "How many days are in a week?"    one real answer, no key, no server
      daybook book sql "select count(*) from calls"
      daybook serve                                 an endpoint any OpenAI client can use
      daybook run costs --date 2026-11-20           one report

    Where things are kept is said by environment variables: DAYBOOK_HOME (journal, book, keys;
    default .daybook/ of the project), DAYBOOK_BOOK (duckdb:///… or postgresql://…),
    DAYBOOK_MODELS (models.yml), DAYBOOK_REPORTS, DAYBOOK_PAGES (who may read reports: owner,
    group or all), DAYBOOK_REPORTS_URL (where they are served), DAYBOOK_CONTENT (1: keep prompts
    and answers).
    """


def _confirm_new_home() -> None:
    """Ask before a book is begun where no project is. Raises SettingsError where nobody can be asked or says no."""
    Settings.from_env()  # a setting that cannot be meant is said first
    if (home := new_home()) is None:
        return
    error = unclaimed(home)
    if sys.stdin.isatty():
        click.echo(error.args[0], err=True)
        if click.confirm("Begin it?", err=True):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            return
    raise error


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", BookHeld)
        warnings.showwarning = _show_warning
        return _run(argv)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """One of ours as a sentence, any other as Python shows it."""
    text = f"daybook: {message}\n"
    if not issubclass(category, BookHeld):
        text = warnings.formatwarning(message, category, filename, lineno, line)
    click.echo(text, file=file, err=True, nl=False)


def _run(argv: list[str] | None) -> int:
    try:
        result: Any = daybook.main(args=argv, prog_name="daybook", standalone_mode=False)
    except DaybookError as error:
        click.echo(f"daybook: {error}", err=True)
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("daybook: interrupted.", err=True)
        return 130
    except BrokenPipeError:  # `daybook … | head`: the reader has what it wanted
        sys.stderr.close()
        return 0
    except Exception as error:
        if "DAYBOOK_TRACEBACK" in os.environ:
            raise
        click.echo(f"daybook: {_unforeseen(error)}", err=True)
        return 1
    return result if isinstance(result, int) else 0


def _unforeseen(error: Exception) -> str:
    """A fault that is ours, in one paragraph: its type and place, and not its words, which may be somebody's data."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}. Check that it is there and yours, on a disk with room."
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"This should not have happened: {type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}. "
        "Nothing acknowledged is lost. With DAYBOOK_TRACEBACK=1 in the environment the same command shows where it "
        "came from; please report that."
    )
