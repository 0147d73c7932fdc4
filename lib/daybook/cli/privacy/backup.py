"""`daybook backup` and `daybook restore`: the book as files, and back."""

from __future__ import annotations

from pathlib import Path

import click

from daybook.errors import BadParameter
from daybook.reporting.text import count
from daybook.settings import Settings, user

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("folder", type=_PATH)
@click.option("--keys", type=_PATH, help="Where the keys go: another folder, kept in another place.")
@click.option("--rehearse", is_flag=True, help="Restore it into a scratch folder, count and verify it.")
@click.option("--deleted", is_flag=True, help="Only enter that the backup, or the keys, in FOLDER are deleted.")
@click.option("--reason", metavar="TEXT", help="Of --deleted: why, and who saw that they are gone.")
def backup(folder: Path, keys: Path | None, rehearse: bool, deleted: bool, reason: str | None) -> None:
    """Back up the book to a new FOLDER, all of one moment whatever is written meanwhile, and the keys apart.

    A backup that you delete is listed by every erasure as out of its reach, until you enter that it is deleted. The
    trail has who said so, and so have the certificates.

    \b
    Examples:
      daybook backup /backups/2026-11-20 --keys /safe/2026-11-20 --rehearse
      daybook backup /backups/2026-11-20 --deleted --reason "over 90 days old"
      daybook backup /safe/2026-11-20 --deleted --reason "over 90 days old"
    """
    if deleted:
        _enter_deleted(folder, reason or "")
        return
    if keys is None:
        raise BadParameter("Where the keys go is not said.", remedy="Name another place: --keys FOLDER.")
    from daybook.book import Book
    from daybook.rights.backups.backup import make
    from daybook.rights.backups.rehearsal import rehearse as rehearse_backup
    from daybook.vault import Vault

    settings = Settings.from_env()
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        manifest = make(settings, book, Vault.of(settings), folder, keys=keys, by=f"cli:{user()}")
    click.echo(f"Backed up: {manifest}; the keys: {keys}")
    if rehearse:
        rows = rehearse_backup(folder, keys=keys)
        click.echo(f"Rehearsed: {count(sum(rows.values()), 'row')} came back, and the trail's chain is whole.")


def _enter_deleted(folder: Path, reason: str) -> None:
    from daybook.book import Book
    from daybook.rights.backups.deletion import confirm_deleted

    settings = Settings.from_env()
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        days = confirm_deleted(settings, book, folder, by=f"cli:{user()}", reason=reason)
    click.echo(f"Entered as deleted: what stood in {folder}, made on {', '.join(days)}.")


@click.command()
@click.argument("folder", type=_PATH)
@click.option("--keys", type=_PATH, help="The folder of the keys, for a home that has none.")
def restore(folder: Path, keys: Path | None) -> None:
    """Fill an empty book from the backup in FOLDER. Who was erased since is erased again, in the backup too.

    One that was interrupted goes on: give the same command again. Until it is over nobody reads the book.

    \b
    Examples:
      daybook restore /backups/2026-11-20 --keys /safe/2026-11-20
    """
    from daybook.book import Book
    from daybook.rights.backups.restore import restore as restore_backup
    from daybook.vault import Vault

    settings = Settings.from_env()
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        done = restore_backup(
            settings, book, Vault.of(settings), folder, keys=keys, by=f"cli:{user()}",
            tell=lambda step: click.echo(f"{step} …", err=True),
        )  # fmt: skip
    click.echo(f"Restored {count(sum(done.rows.values()), 'row')}; {count(done.erased_again, 'person', 'persons')} "
               "who had been erased since erased again.")  # fmt: skip
    if done.sealed_anew:
        click.echo(f"What was said in {count(done.sealed_anew, 'call')} was sealed anew: its keys were rotated since.")
    if done.without_key:
        click.echo(
            f"What was said in {count(done.without_key, 'call')} cannot be read here: it is sealed under keys that "
            "this home has not got. To read it, restore the backup into a home that has no keys (another DAYBOOK_HOME) "
            "with --keys and the folder of the keys that were backed up with it.",
            err=True,
        )
    for path in done.still_holding:
        click.echo(f"The backup {path} cannot be written to: if some of them are in it, they still are.", err=True)
