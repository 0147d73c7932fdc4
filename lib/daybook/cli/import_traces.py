"""`daybook import`: request traces from elsewhere, into the book."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from daybook import prices, workbench
from daybook.book import traces
from daybook.cli import CommandGroup


@click.group(cls=CommandGroup, name="import")
def import_group() -> None:
    """Bring a request trace from elsewhere into the book.

    \b
    Example:
      daybook import azure-trace AzureLLMInferenceTrace_conv.csv --provider openai --model gpt-4o-mini
    """


@import_group.command("azure-trace")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", help="The model that the requests are taken to have gone to. Without it they have no price.")
@click.option("--provider", help="Its provider, as in the price book: openai, anthropic …")
@click.option("--caller", help="Who is to be named as their caller.")
@click.option("--project", help="Which project they belong to.")
@click.option("--timezone", "zone", default="UTC", show_default=True, help="Of time stamps that name no time zone.")
def azure_trace(
    file: Path, model: str | None, provider: str | None, caller: str | None, project: str | None, zone: str
) -> None:
    """Enter the requests of FILE, an Azure LLM inference trace (CSV), as calls.

    Each is priced by the rate of its own day. A row that cannot be read is named by its line, and then nothing is
    entered; importing a file twice adds nothing the second time.

    \b
    Examples:
      daybook import azure-trace AzureLLMInferenceTrace_conv.csv
      daybook import azure-trace trace.csv --provider openai --model gpt-4o-mini --caller replay
    """
    label = f"Importing {file.name}"
    with workbench.open() as bench, click.progressbar(length=1000, label=label, file=sys.stderr) as bar:

        def progress(done: int, total: int) -> None:
            bar.update(min(1000, done * 1000 // total) - bar.pos)

        done = traces.azure_trace(
            bench.book,
            file,
            model=model,
            provider=provider,
            caller=caller,
            project=project,
            zone=zone,
            progress=progress,
        )
        bar.update(1000 - bar.pos)
    click.echo(
        f"{done.rows:,} requests from {done.first:%Y-%m-%d %H:%M} to {done.last:%Y-%m-%d %H:%M} UTC;"
        f" {done.input_tokens:,} input and {done.output_tokens:,} output tokens."
    )
    was = done.rows - done.added
    click.echo(f"{done.added:,} added" + (f", {was:,} were in the book already." if was else "."))
    if done.unpriced and done.added:
        why = "no rate for that model is known for those days" if model else "name a model with --model to price them"
        click.echo(f"{done.unpriced:,} have no price: {why}.")
    rates = prices.rates(model, provider=provider, on=done.first) if model else []
    if any(rate.since is None for rate in rates if not rate.batch):
        click.echo(f"Their rate is {prices.UNDATED}.")
    click.echo(f"Look at them: daybook run traffic --date {done.last:%Y-%m-%d}")
