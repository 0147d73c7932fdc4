"""`daybook subject`: the rights of a person whose data is held."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook.cli import CommandGroup
from daybook.errors import BadParameter
from daybook.reporting.text import count
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.rights.access import Access
    from daybook.rights.erasure.erasures import Erasures
    from daybook.rights.erasure.plan import ErasurePlan
    from daybook.rights.standing import Standing, Standings


@click.group(cls=CommandGroup)
def subject() -> None:
    """What a person may ask for: what is held on them, erased, corrected, restricted.

    PERSON is named as requests name them in `user`, or by the pseudonym u-… that the book has; `-` reads the name from
    standard input, so that no other process sees it. Every command is in the trail.

    \b
    Examples:
      daybook subject export ada@example.com --to ada/ --verified "passport seen" --reason "letter of 3 March"
      daybook subject erase ada@example.com                  what would be erased; nothing is
      daybook subject erase ada@example.com --execute --verified "passport seen" --reason "letter of 3 March"
    """


_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")


def _asked(*, required: bool) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options of what is done because the person asks."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        reason = click.option("--reason", metavar="TEXT", required=required, help="Which request this answers.")
        verified = click.option(
            "--verified", metavar="TEXT", required=required, help="How it was made sure that the person asks."
        )
        return verified(reason(command))

    return add


def _named(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return sys.stdin.readline().rstrip("\n") if value == "-" else value


def _person(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.argument("person", callback=_named)(command)


@subject.command()
@_person
@click.option("--to", "folder", type=click.Path(path_type=Path), required=True, help="A new folder to write to.")
@_asked(required=True)
def export(person: str, folder: Path, verified: str, reason: str) -> None:
    """Write everything that is held on PERSON: access.json, and pages to read.

    \b
    Examples:
      daybook subject export ada@example.com --to ada/ --verified "passport seen" --reason "letter of 3 March"
    """
    with _rights() as rights:
        paths = rights.access.write(person, folder, by=f"cli:{user()}", identity_check=verified, reason=reason)
    click.echo(f"{paths[0]} and {count(len(paths) - 1, 'page')} to read: {paths[1]}")


@subject.command()
@_person
@click.option("--execute", is_flag=True, help="Erase. Without it, only what would be erased is said.")
@_asked(required=False)
@_json
def erase(person: str, execute: bool, verified: str | None, reason: str | None, as_json: bool) -> None:
    """Say what would be erased of PERSON; with --execute, erase it everywhere and prove it.

    One that was interrupted goes on where it was: give the same command again. The certificate is kept under
    rights/certificates of the home.

    \b
    Examples:
      daybook subject erase ada@example.com
      daybook subject erase ada@example.com --execute --verified "passport seen" --reason "letter of 3 March"
    """
    with _rights() as rights:
        if not execute:
            plan = rights.erasures.plan(person, by=f"cli:{user()}")
            click.echo(orjson.dumps(plan.to_dict(), option=orjson.OPT_INDENT_2) if as_json else _plan(plan))
            return
        outcome = rights.erasures.execute(
            person, by=f"cli:{user()}", identity_check=verified or "", reason=reason or ""
        )
    if as_json:
        document = {"status": outcome.status, "certificate": outcome.certificate and str(outcome.certificate)}
        click.echo(orjson.dumps(document))
        return
    if outcome.certificate is None:
        click.echo("Nothing is held on this person.")
        return
    click.echo(f"{outcome.status.capitalize()}. The certificate is {outcome.certificate}")


@subject.command()
@_json
def erasures(as_json: bool) -> None:
    """List the erasures so far, those that are not done included. They name nobody.

    \b
    Examples:
      daybook subject erasures
    """
    with _rights() as rights:
        done = rights.erasures.all()
    if as_json:
        rows = [{"id": e.id, "subject": e.reference, "asked_at": e.asked_at, "done": e.done,
                 "steps": list(e.steps), "failed": e.failed} for e in done]  # fmt: skip
        click.echo(orjson.dumps(rows, option=orjson.OPT_INDENT_2))
        return
    for e in done:
        state = (
            "done" if e.done else f"stopped after {list(e.steps)[-1] if e.steps else 'nothing'}: {e.failed or 'killed'}"
        )
        click.echo(f"{e.id}  {e.reference}  {e.asked_at[:16].replace('T', ' ')}  {state}")
    if not done:
        click.echo("None yet.")


@subject.command()
def check() -> int:
    """Look whether anything came back of those who were erased. Exit code 3 where something did.

    Their keys are destroyed in folders of backed-up keys that were not there when they were erased.

    \b
    Examples:
      daybook subject check
    """
    from daybook.rights.erasure.afterwards import sentence
    from daybook.rights.people import erased

    with _rights() as rights:
        back = rights.erasures.came_back()
        known = len(erased(rights.erasures.vault))
        away = rights.erasures.destroy_backed_up_keys()
    for reference, places in back.items():
        click.echo(f"{reference}: {'; '.join(places)}")
    for path in away:
        click.echo(f"The keys that were backed up to {path} cannot be reached: some of theirs may be there.", err=True)
    click.echo(sentence(known, len(back)))
    return 3 if back else 0


@subject.command()
@_person
@click.argument("purpose")
@click.option("--given/--withdrawn", required=True, help="Whether the person agrees.")
@click.option("--source", metavar="TEXT", required=True, help="Where they said so.")
def consent(person: str, purpose: str, given: bool, source: str) -> None:
    """Enter that PERSON agrees to PURPOSE (training, evaluation, analytics), or no more.

    \b
    Examples:
      daybook subject consent ada@example.com training --withdrawn --source "e-mail of 3 March"
    """
    with _rights() as rights:
        _print_standing(rights.standings.consent(person, purpose, given=given, source=source, by=f"cli:{user()}"))


def _add_switch(name: str, *, end: tuple[str, str], example: str, help: str) -> None:
    """Add a command that restricts or holds, and ends that with a flag. `end`: the flag, which is the name of what it
    does, and its help."""
    flag, flag_help = end

    @subject.command(name, help=f"{help}\n\n\b\nExamples:\n  daybook subject {name} ada@example.com {example}")
    @_person
    @click.option(f"--{flag}", "ends", is_flag=True, help=flag_help)
    @click.option("--reason", metavar="TEXT", required=True, help="Why: the request, the law, the dispute.")
    def command(person: str, ends: bool, reason: str) -> None:
        with _rights() as rights:
            change = getattr(rights.standings, flag if ends else name)
            _print_standing(change(person, reason=reason, by=f"cli:{user()}"))


_add_switch(
    "restrict",
    end=("lift", "Let the data be used again."),
    example='--reason "accuracy disputed, letter of 3 March"',
    help="Keep PERSON's data and use it for nothing: not to train, not to evaluate.",
)
_add_switch(
    "hold", end=("release", "End the hold."), example='--reason "case 12/2026"', help="Forbid that PERSON is erased."
)


@subject.command()
@_person
@click.option("--statement", metavar="TEXT", required=True, help="What the person says is right.")
@click.option("--call", metavar="ID", help="The call that it is about.")
def rectify(person: str, statement: str, call: str | None) -> None:
    """Enter what PERSON says is right, beside what is held.

    \b
    Examples:
      daybook subject rectify ada@example.com --statement "I moved in 2024; the address is out of date"
    """
    with _rights() as rights:
        _print_standing(rights.standings.rectify(person, statement=statement, call=call, by=f"cli:{user()}"))


@subject.command()
@click.argument("person", required=False, callback=_named)
@click.option("--day", metavar="DATE", help="The key of calls about nobody of that UTC day, YYYY-MM-DD.")
@click.option("--reason", metavar="TEXT", required=True, help="Why: a copy of the keys was lost, a policy.")
def rotate(person: str | None, day: str | None, reason: str) -> None:
    """Give PERSON, or a day, another key, and seal what was said anew under it.

    \b
    Examples:
      daybook subject rotate ada@example.com --reason "a copy of the keys was lost"
      daybook subject rotate --day 2026-03-01 --reason "a copy of the keys was lost"
    """
    from daybook.book.content import owner_of
    from daybook.rights.people import identify
    from daybook.rights.rotation import rotate as rotate_key

    if (person is None) == (day is None):
        raise BadParameter("Whose key is not said.", remedy="Name a person, or a day: --day 2026-03-01.")
    with _rights() as rights:
        settings, book, vault = rights.erasures.settings, rights.erasures.book, rights.erasures.vault
        owner = owner_of(None, str(day)) if person is None else identify(settings.home, person).subject
        done = rotate_key(settings, book, vault, owner, by=f"cli:{user()}", reason=reason)
    click.echo(f"Sealed anew: {count(done.calls, 'call')}. Backups of before are opened by the keys that were backed "
               "up with them: make a new one.")  # fmt: skip
    if done.unopened:
        click.echo(f"What was said in {count(done.unopened, 'call')} cannot be opened with the keys of this home: it "
                   "stays as it is.", err=True)  # fmt: skip
    if done.entries:
        click.echo(f"{count(done.entries, 'entry', 'entries')} of the trail cannot be sealed anew, because they are "
                   "chained: the key before is kept for them, sealed under the new one.")  # fmt: skip


@subject.command("map")
def print_map() -> None:
    """Print which columns and files can tell of a person, how long, and what an erasure does to each.

    \b
    Examples:
      daybook subject map > data-map.md
    """
    from daybook.rights.data_map import markdown

    click.echo(markdown(), nl=False)


class _Rights:
    """What the commands are given."""

    def __init__(self, access: Access, erasures: Erasures, standings: Standings) -> None:
        self.access = access
        self.erasures = erasures
        self.standings = standings


@contextmanager
def _rights() -> Iterator[_Rights]:
    from daybook.book import Book
    from daybook.rights.access import Access
    from daybook.rights.erasure.erasures import Erasures
    from daybook.rights.standing import Standings
    from daybook.vault import Vault

    settings = Settings.from_env()
    vault = Vault.of(settings)
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        erasures = Erasures(
            settings, book, vault, client=_client if os.environ.get("OPENAI_API_KEY") else None, tell=_tell
        )
        yield _Rights(Access(settings, book, vault), erasures, Standings(book, erasures.trail))
    vault.close()


def _client() -> Any:
    from daybook.training import hosted

    return hosted.client(key=os.environ["OPENAI_API_KEY"], base_url=os.environ.get("OPENAI_BASE_URL"))


def _tell(step: str) -> None:
    click.echo(f"{step} …", err=True)


def _plan(plan: ErasurePlan) -> str:
    if plan.empty:
        return "Nothing is held on this person."
    words = {"erase": "erased", "keep": "kept", "mark": "marked"}
    lines = [
        f"{h.count:>8,}  {h.place}: {h.what}  [{words[h.action]}{': ' + h.why if h.why else ''}]" for h in plan.holdings
    ]
    lines += [f"          backup not there now, done when it is restored: {path}" for path in plan.unreachable]
    lines += [f"          copy written for them, moved since, not erased: {path}" for path in plan.copies_away]
    if plan.hold:
        lines.append(f"Legal hold since {plan.hold['since'][:10]}: {plan.hold['reason']}. It cannot be erased.")
    else:
        lines.append("Nothing was erased. To do it: --execute --verified … --reason …")
    return "\n".join(lines)


def _print_standing(standing: Standing) -> None:
    for purpose, word in standing.consents.items():
        click.echo(f"{purpose}: {'given' if word['given'] else 'withdrawn'} ({word['source']})")
    if standing.restriction:
        click.echo(f"restricted since {standing.restriction['since'][:10]}: {standing.restriction['reason']}")
    if standing.hold:
        click.echo(f"on legal hold since {standing.hold['since'][:10]}: {standing.hold['reason']}")
    for correction in standing.corrections:
        click.echo(f"correction of {correction['at'][:10]}: {correction['statement']}")
    if not (standing.consents or standing.restriction or standing.hold or standing.corrections):
        click.echo("Nothing is entered.")
