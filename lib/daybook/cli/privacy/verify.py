"""`daybook verify REPORT`: whether a published report is still what was published."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
import orjson

from daybook.settings import Settings

_COLOURS = {"proven": "green", "changed": "red", "cannot tell": "yellow"}


@click.command()
@click.argument("reports", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="REPORT…")
@click.option("--signer", "signers", multiple=True, metavar="HEX", help="A public key to trust, and no others; repeat.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
def verify(reports: tuple[Path, ...], signers: tuple[str, ...], *, as_json: bool) -> int:
    """Whether REPORT (.ipynb, .html or .json) is what was published; exit code 3 where that is not proven.

    \b
    Examples:
      daybook verify reports/costs/2026-11-20/0199aa.ipynb
      daybook verify reports/costs/2026-11-20/*.json
      daybook verify 0199aa.html --signer 1dbee3bab2e72edd2fe4909b4d98c1e9b3fb9cf46302e4bb249eec4eec087b88

    Each part is proven, changed (and where) or cannot be told (and why). On another machine name the
    public key of the home that signed it: daybook audit seal prints it.
    """
    from daybook.book import Book
    from daybook.press.verification import verify as verify_report

    settings = Settings.from_env()
    trusted = frozenset(key.lower() for key in signers) or None
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        done = [verify_report(path, settings=settings, book=book, trusted=trusted) for path in reports]
    if as_json:
        plain = [asdict(verification) | {"state": verification.state} for verification in done]
        click.echo(orjson.dumps(plain, default=str).decode())
    else:
        for verification in done:
            click.echo(f"{verification.path}: {verification.state}")
            for check in verification.checks:
                state = click.style(f"{check.state:<12}", fg=_COLOURS[check.state])
                click.echo(f"  {state} {check.part}: {check.words}")
    return 0 if all(verification.state == "proven" for verification in done) else 3
