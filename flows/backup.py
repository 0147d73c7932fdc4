"""Backs the book up, restores the backup into a scratch folder, and checks what came back."""

from prefect import flow, get_run_logger

from daybook.rights.upkeep import keep_backup


@flow
def backup(folder: str = "", keys: str = "") -> None:
    """Back up and rehearse the restoring: rows are counted and the trail's chain is verified.

    `folder`, `keys`: where backups and their keys go, each into a new folder by date: two places.
    """
    log = get_run_logger()
    for line in keep_backup(folder, keys):
        log.info(line)


if __name__ == "__main__":
    backup()
