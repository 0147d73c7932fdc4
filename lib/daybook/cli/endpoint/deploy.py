"""`daybook deploy`: names that callers use, the versions behind them, and how the calls are split."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

import click
import orjson

from daybook import workbench
from daybook.cli import CommandGroup
from daybook.reporting.text import aligned
from daybook.routing.deployments import CALLS_PER_STEP
from daybook.settings import user

if TYPE_CHECKING:
    from daybook.records import DeploymentRevision
    from daybook.routing.deployments import Deployments

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON.")
_WHY = click.option("--reason", help="Why; it is kept with the change.")
_NAME = click.argument("name")


@click.group(cls=CommandGroup)
def deploy() -> None:
    """Deployments: a name that callers use, versions of a model behind it, changed while calls come in.

    Callers ask for the name as they would for a model. A version is any model that can be asked for: of models.yml, of
    the registry (triage:v3, triage@champion), or upstream/name. Every change is a revision in the book and an event; a
    running endpoint notices within a tenth of a second. Calls have the version in the column variant.

    \b
    ab          each version has its share             create, weights
    canary      1, 5, 25, 50, 100 % to the candidate   create, promote, rollback, judge, automatic
    blue_green  one version is live                    create, switch, rollback
    shadow      one is live, one gets copies           create, promote, rollback

    \b
    Examples:
      daybook deploy create summarizer v1=gpt-4o-mini v2=house --strategy ab --weights v1=90,v2=10
      daybook deploy weights summarizer v1=50 v2=50
      daybook deploy create triage v1=triage:v1 v2=triage:v2 --strategy canary
      daybook deploy promote triage
      daybook deploy status triage
    """


@deploy.command()
@_NAME
@click.argument("versions", nargs=-1, required=True, metavar="VERSION=MODEL…")
@click.option("--strategy", required=True, help="ab, canary, blue_green or shadow.")
@click.option("--weights", help="Percent of each version, for ab: v1=90,v2=10. They sum to 100.")
@click.option("--live", help="The version that callers get. Default: the oldest.")
@click.option("--candidate", help="The version on trial, of a canary or shadow. Default: the newest of the others.")
@click.option(
    "--sticky",
    default="session",
    show_default=True,
    help="What keeps its version: session (tag `session` of the call), caller (its key), user, or request (nothing).",
)
@click.option("--steps", default="1,5,25,50,100", show_default=True, help="Percent that a canary's candidate gets.")
@click.option("--budget", help="US dollars a UTC day for the copies of a shadow.")
@click.option("--manual", is_flag=True, help="A canary that the endpoint leaves to you.")
@click.option(
    "--tolerate",
    help="The loss that is put up with in a canary, as shares: errors=0.01,latency=0.1,cost=0.1,score=0.05 (defaults).",
)
@click.option(
    "--calls-per-step",
    type=click.IntRange(min=CALLS_PER_STEP),
    help=f"Calls of a canary's candidate before it goes to the next step.  [default: {CALLS_PER_STEP}]",
)
@click.option("--anew", is_flag=True, help="Put this in the place of the deployment of that name.")
@_WHY
@_JSON
def create(
    name: str,
    versions: tuple[str, ...],
    strategy: str,
    weights: str | None,
    live: str | None,
    candidate: str | None,
    sticky: str,
    steps: str,
    budget: str | None,
    manual: bool,
    tolerate: str | None,
    calls_per_step: int | None,
    anew: bool,
    reason: str | None,
    as_json: bool,
) -> int:
    """Make the deployment NAME of two or more versions, each VERSION=MODEL.

    A version keeps its model for good: v2 in the book means one model. Versions are ordered as versions, v2 before v10.

    \b
    Examples:
      daybook deploy create summarizer v1=gpt-4o-mini v2=house --strategy ab --weights v1=90,v2=10
      daybook deploy create triage v1=triage:v1 v2=triage:v2 --strategy canary --steps 5,50,100 --calls-per-step 2000
      daybook deploy create chat blue=gpt-4o green=claude-sonnet-4-5 --strategy blue_green --live blue
      daybook deploy create search v1=house v2=lab/new --strategy shadow --budget 2.50
    """
    with _open() as deployments:
        changed = deployments.create(
            name,
            _pairs(versions, "VERSION=MODEL"),
            strategy=strategy,
            weights=None if weights is None else _pairs(weights.split(","), "VERSION=PERCENT"),
            live=live,
            candidate=candidate,
            sticky=sticky,
            steps=_whole(steps),
            budget=_dollars(budget),
            automatic=False if manual else None,
            tolerance=None if tolerate is None else _shares(_pairs(tolerate.split(","), "MEASURE=SHARE")),
            calls_per_step=calls_per_step,
            anew=anew,
            actor=f"cli:{user()}",
            reason=reason,
        )
    return _echo(changed, as_json)


@deploy.command("list")
@_JSON
def list_(as_json: bool) -> int:
    """All deployments as they are now.

    \b
    Example:
      daybook deploy list --json
    """
    with _open() as deployments:
        known = deployments.list()
        deployments.publish()
    if as_json:
        click.echo(orjson.dumps([_row(revision) for revision in known], option=orjson.OPT_INDENT_2))
    elif not known:
        click.echo("No deployment yet. Make one: daybook deploy create NAME v1=MODEL v2=MODEL --strategy ab")
    else:
        click.echo(_table(known))
    return 0


@deploy.command()
@_NAME
@_JSON
def status(name: str, as_json: bool) -> int:
    """One deployment: its versions and shares, how a canary's trial stands, and every change so far.

    What is shown of a trial is what the endpoint decides by; looking changes nothing. `*` marks what the endpoint
    decided.

    \b
    Example:
      daybook deploy status summarizer
    """
    from daybook.experiment.judge import ACTOR, assess, figures

    with _open() as deployments:
        now, history = deployments.get(name), deployments.history(name)
        judgement = assess(deployments.book, history)
    if as_json:
        row = _row(now) | {
            "history": [_row(revision) for revision in history],
            "trial": None if judgement is None else figures(judgement),
        }
        click.echo(orjson.dumps(row, option=orjson.OPT_INDENT_2))
        return 0
    click.echo(_table([now]))
    click.echo()
    rows = [("version", "model", "percent", "")]
    shown = _row(now)
    for version, model in now.versions.items():
        part = "live" if version == now.live else "candidate" if version == now.candidate else ""
        rows.append((version, model, shown["percent"][version], part))
    click.echo(aligned(rows))
    click.echo()
    if judgement is not None:
        who = "the endpoint decides" if now.automatic else "you decide: daybook deploy judge, promote or rollback"
        click.echo(f"{judgement.sentence} ({who})")
        click.echo()
    for revision in history:
        why = "" if revision.reason is None else f": {revision.reason}"
        mark = "*" if revision.actor == ACTOR else " "
        click.echo(
            f"r{revision.revision}{mark} {revision.at:%Y-%m-%d %H:%M}  {_sentence(revision)} by {revision.actor}{why}"
        )
    return 0


@deploy.command()
@_NAME
@_JSON
def judge(name: str, as_json: bool) -> int:
    """Judge a canary by its calls so far: promote its candidate a step, roll it back, or wait.

    The endpoint does the same by itself every few seconds unless the canary is manual. Looking more often makes no
    decision worse.

    \b
    Example:
      daybook deploy judge triage
    """
    from daybook.experiment.judge import figures
    from daybook.experiment.judge import judge as judge_

    with _open() as deployments:
        judgement = judge_(deployments, name, actor=f"cli:{user()}")
    if as_json:
        changed = None if judgement.changed is None else _row(judgement.changed)
        click.echo(orjson.dumps(figures(judgement) | {"changed": changed}, option=orjson.OPT_INDENT_2))
        return 0
    click.echo(judgement.sentence)
    if judgement.changed is not None:
        click.echo(_told(judgement.changed))
    return 0


@deploy.command()
@_NAME
@click.argument("state", type=click.Choice(["on", "off"]))
@_WHY
@_JSON
def automatic(name: str, state: str, reason: str | None, as_json: bool) -> int:
    """Have the endpoint judge a canary (on), or leave it to you (off).

    \b
    Example:
      daybook deploy automatic triage off --reason "over the holidays"
    """
    with _open() as deployments:
        changed = deployments.set_automatic(name, automatic=state == "on", actor=f"cli:{user()}", reason=reason)
    return _echo(changed, as_json)


@deploy.command()
@_NAME
@click.argument("weights_", nargs=-1, required=True, metavar="VERSION=PERCENT…")
@_WHY
@_JSON
def weights(name: str, weights_: tuple[str, ...], reason: str | None, as_json: bool) -> int:
    """Give the versions of an A/B other shares; one for each version, 100 together.

    \b
    Example:
      daybook deploy weights summarizer v1=50 v2=50
    """
    with _open() as deployments:
        shares = _pairs(weights_, "VERSION=PERCENT")
        changed = deployments.set_weights(name, shares, actor=f"cli:{user()}", reason=reason)
    return _echo(changed, as_json)


@deploy.command()
@_NAME
@_WHY
@_JSON
def promote(name: str, reason: str | None, as_json: bool) -> int:
    """Give a canary's candidate its next share; make a shadow's candidate live.

    \b
    Example:
      daybook deploy promote triage --reason "no errors in 2,000 calls"
    """
    with _open() as deployments:
        changed = deployments.promote(name, actor=f"cli:{user()}", reason=reason)
    return _echo(changed, as_json)


@deploy.command()
@_NAME
@_WHY
@_JSON
def rollback(name: str, reason: str | None, as_json: bool) -> int:
    """Take a canary's candidate out; otherwise go back to what was before, and again further back.

    \b
    Example:
      daybook deploy rollback triage --reason "errors up"
    """
    with _open() as deployments:
        changed = deployments.rollback(name, actor=f"cli:{user()}", reason=reason)
    return _echo(changed, as_json)


@deploy.command()
@_NAME
@click.argument("version")
@_WHY
@_JSON
def switch(name: str, version: str, reason: str | None, as_json: bool) -> int:
    """Point a blue/green at VERSION. Requests in flight finish where they began.

    \b
    Example:
      daybook deploy switch chat green
    """
    with _open() as deployments:
        changed = deployments.switch(name, version, actor=f"cli:{user()}", reason=reason)
    return _echo(changed, as_json)


@deploy.command()
@_NAME
@_WHY
@_JSON
def remove(name: str, reason: str | None, as_json: bool) -> int:
    """Answer NAME no more. Its history stays in the book.

    \b
    Example:
      daybook deploy remove summarizer
    """
    with _open() as deployments:
        changed = deployments.remove(name, actor=f"cli:{user()}", reason=reason)
    return _echo(changed, as_json)


@contextlib.contextmanager
def _open() -> Iterator[Deployments]:
    from daybook.providers.catalogue import Catalogue
    from daybook.routing.deployments import Deployments

    with workbench.open() as book:
        catalogue = Catalogue.load(book.settings.models, os.environ, home=book.settings.home)
        yield Deployments(book.book, check=catalogue.resolve)


def _echo(changed: DeploymentRevision, as_json: bool) -> int:
    click.echo(orjson.dumps(_row(changed), option=orjson.OPT_INDENT_2) if as_json else _told(changed))
    return 0


def _told(revision: DeploymentRevision) -> str:
    return f"{revision.name} {_sentence(revision)}"


def _sentence(revision: DeploymentRevision) -> str:
    """What a revision did, and what holds from then on."""
    if revision.action == "removed":
        return "removed"
    shares = ", ".join(f"{version} {share} %" for version, share in _row(revision)["percent"].items() if share != "0")
    copies = f", copies to {revision.candidate}" if revision.strategy == "shadow" and revision.candidate else ""
    return f"{revision.action.replace('_', ' ')}: {shares}{copies}"


def _row(revision: DeploymentRevision) -> dict[str, Any]:
    from daybook.routing.deployments import to_dict

    return to_dict(revision)


def _table(revisions: Sequence[DeploymentRevision]) -> str:
    rows = [("name", "strategy", "percent", "live", "candidate", "sticky", "revision")]
    for revision in revisions:
        shares = ", ".join(f"{version} {share}" for version, share in _row(revision)["percent"].items())
        live, candidate = revision.live or "", revision.candidate or ""
        rows.append(
            (revision.name, revision.strategy, shares, live, candidate, revision.sticky, f"r{revision.revision}")
        )
    return aligned(rows)


def _pairs(given: Sequence[str], form: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise click.UsageError(f"{text!r} is not {form}.")
        if name.strip() in pairs:
            raise click.UsageError(f"{name.strip()} is given twice.")
        pairs[name.strip()] = value.strip()
    return pairs


def _shares(pairs: Mapping[str, str]) -> dict[str, float]:
    try:
        return {measure: float(share) for measure, share in pairs.items()}
    except ValueError:
        raise click.UsageError(f"{', '.join(pairs.values())} are not all shares: say errors=0.01.") from None


def _whole(steps: str) -> list[int]:
    try:
        return [int(step) for step in steps.split(",")]
    except ValueError:
        raise click.UsageError(f"The steps {steps!r} are not whole numbers: say 1,5,25,50,100.") from None


def _dollars(amount: str | None) -> Decimal | None:
    try:
        return None if amount is None else Decimal(amount)
    except InvalidOperation:
        raise click.UsageError(f"The budget {amount!r} is no amount: say 2.50.") from None
