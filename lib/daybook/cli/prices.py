"""`daybook prices`: which rate held on which day, what a call would cost, and sealing new rates of our own."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

import click

from daybook.cli import CommandGroup
from daybook.clock import SystemClock
from daybook.errors import BadDate, UnknownModel
from daybook.prices import UNDATED, Rate, overrides, rates, reckon, similar
from daybook.prices.rate import Step, plain
from daybook.records import Usage
from daybook.reporting.text import aligned


class Day(click.ParamType[date]):
    name = "date"

    def convert(self, value: str | date, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            raise BadDate(f"{value!r} is not a date.", remedy="Write it as 2026-11-20.") from error


DAY = Day()


@click.group(cls=CommandGroup)
def prices() -> None:
    """Which rate held on which day; what a call would cost by it.

    \b
    Examples:
      daybook prices show gpt-4o-mini --on 2026-11-20
      daybook prices estimate gpt-4o-mini --input 2000 --output 300
    """


@prices.command()
@click.argument("model")
@click.option("--provider", help="Where the model's name does not tell: openai, anthropic, groq, local …")
@click.option("--on", type=DAY, metavar="DATE", help="Only what held on this UTC day. Without it: the whole history.")
@click.option("--json", "as_json", is_flag=True, help="Print the rates as JSON; prices are strings.")
def show(model: str, provider: str | None, on: date | None, as_json: bool) -> None:
    """Show the rates known for MODEL, oldest first, in US dollars per million tokens.

    A price in parentheses is a tier: past that many input tokens every token of the call costs it.

    \b
    Examples:
      daybook prices show gpt-4o-mini
      daybook prices show claude-sonnet-4-5 --on 2026-11-20
      daybook prices show llama-3.3-70b-versatile --provider groq --json
    """
    published = rates(model, provider=provider, on=on)
    if not published:
        raise _unknown(model, provider, on)
    if as_json:
        click.echo(json.dumps([_as_json(rate) for rate in published], indent=2))
        return
    head = ("provider", "model", "from", "input", "cached", "output", "reasoning", "")
    rows = [
        (
            rate.provider,
            rate.model,
            rate.since.isoformat() if rate.since else "undated",
            _cell(rate.input),
            _cell(rate.cached),
            _cell(rate.output),
            _cell(rate.reasoning),
            "; ".join(filter(None, ("batch" if rate.batch else "", _request(rate), rate.note))),
        )
        for rate in published
    ]
    click.echo(aligned([head, *rows]))
    for source in dict.fromkeys(f"{rate.source}: {rate.origin}" if rate.origin else rate.source for rate in published):
        click.echo(f"\nUSD per million tokens. {source}")
    if any(rate.since is None for rate in published):
        click.echo(f"\n{UNDATED}")


@prices.command()
@click.argument("model")
@click.option(
    "--input", "input_tokens", type=click.IntRange(min=0), required=True, help="Input tokens, cached ones too."
)
@click.option("--output", "output_tokens", type=click.IntRange(min=0), required=True, help="Output tokens.")
@click.option("--cached", type=click.IntRange(min=0), default=0, help="How many of the input tokens were cached.")
@click.option(
    "--reasoning", type=click.IntRange(min=0), default=0, help="How many of the output tokens were reasoning."
)
@click.option("--provider", help="Where the model's name does not tell.")
@click.option("--on", type=DAY, metavar="DATE", help="The UTC day whose rate is meant. Default: today.")
@click.option("--batch", is_flag=True, help="At the batch rate.")
@click.option("--json", "as_json", is_flag=True, help="Print as JSON; the amount is a string.")
def estimate(
    model: str,
    input_tokens: int,
    output_tokens: int,
    cached: int,
    reasoning: int,
    provider: str | None,
    on: date | None,
    batch: bool,
    as_json: bool,
) -> None:
    """Say what one call to MODEL with these tokens costs, and by which rate.

    \b
    Examples:
      daybook prices estimate gpt-4o-mini --input 2000 --output 300
      daybook prices estimate claude-sonnet-4-5 --input 2000 --cached 500 --output 300 --on 2026-11-20 --json
    """
    usage = Usage(
        input_tokens=input_tokens, output_tokens=output_tokens, cached_tokens=cached, reasoning_tokens=reasoning
    )
    day = on or SystemClock().now().date()
    cost = reckon(usage, provider=provider, model=model, on=day, batch=batch)
    if on is not None and cost.amount is not None and cost.rate is not None and cost.rate.endswith("undated"):
        cost = replace(cost, note="; ".join(filter(None, (cost.note, UNDATED))))
    if cost.amount is None and cost.rate is None:
        raise _unknown(model, provider, on, cost.note)
    if as_json:
        amount = None if cost.amount is None else plain(cost.amount)
        facts = {"amount": amount, "currency": "USD", "on": day.isoformat()}
        click.echo(json.dumps(facts | {"rate": cost.rate, "source": cost.source, "note": cost.note}, indent=2))
    else:
        click.echo("unpriced" if cost.amount is None else f"{plain(cost.amount)} USD on {day}")
        click.echo(
            f"  rate    {cost.rate}\n  source  {cost.source}" + (f"\n  note    {cost.note}" if cost.note else "")
        )
    if cost.amount is None:
        click.get_current_context().exit(1)


@prices.command()
def seal() -> None:
    """Seal the entries newly appended to overrides.yml, so that a later edit of them is refused.

    \b
    Example:
      daybook prices seal
    """
    new = overrides.seal()
    click.echo("Nothing new to seal." if new == 0 else f"Sealed {new} new entr{'y' if new == 1 else 'ies'}.")


def _unknown(model: str, provider: str | None, on: date | None, note: str | None = None) -> UnknownModel:
    whose = f" of {provider}" if provider else ""
    when = f" on {on}" if on else ""
    others = [rate.since for rate in rates(model, provider=provider) if rate.since is not None]
    near = [name for name in similar(model) if name != model.lower()]
    hint = f"Similar names: {', '.join(near)}. " if near else ""
    if on is not None and others:
        hint = f"Rates for it are on record from {min(others)}. "
    return UnknownModel(
        f"No rate for {model!r}{whose}{when} is known" + (f": {note}." if note else "."),
        remedy=f"{hint}Name the provider with --provider, or append a rate to overrides.yml.",
    )


def _as_json(rate: Rate) -> dict[str, object]:
    def steps(value: tuple[Step, ...] | None) -> object:
        if value is None:
            return None
        return plain(value[0].price) if len(value) == 1 else {str(max(over, 0)): plain(p) for over, p in value}

    return {
        "provider": rate.provider,
        "model": rate.model,
        "from": rate.since.isoformat() if rate.since else None,
        "batch": rate.batch,
        "unit": "USD per million tokens",
        "input": steps(rate.input),
        "cached": steps(rate.cached),
        "output": steps(rate.output),
        "reasoning": steps(rate.reasoning),
        "request": plain(rate.request),
        "source": rate.source,
        "origin": rate.origin,
        "note": rate.note,
    }


def _cell(steps: tuple[Step, ...] | None) -> str:
    if steps is None:
        return "-"
    tiers = "".join(f" ({plain(price)} over {over:,})" for over, price in steps[1:])
    return plain(steps[0].price) + tiers


def _request(rate: Rate) -> str:
    return f"+ {plain(rate.request)} USD per call" if rate.request else ""
