"""Lets go what is due by retention.yml, a legal hold excepted, and looks whether anybody who was erased came back."""

from prefect import flow, get_run_logger

from daybook.rights.upkeep import keep_retention


@flow
def retention() -> None:
    """Apply the limits of retention.yml; without the file nothing goes. Fails where an erased person is found again."""
    log = get_run_logger()
    for line in keep_retention():
        log.info(line)


if __name__ == "__main__":
    retention()
