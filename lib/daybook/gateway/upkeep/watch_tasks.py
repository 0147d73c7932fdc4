"""What is done at each regular look at the book."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from daybook.alerts.rules import raise_alerts
from daybook.book import Book
from daybook.clock import Clock
from daybook.experiment.judge import judge_all
from daybook.gateway.logs import Log
from daybook.gateway.upkeep.book_watch import EVERY, BookWatch
from daybook.routing.deployments import Deployments


def watch_book(
    open_book: Callable[[], Book], *, home: Path, clock: Clock, log: Log, interval: float = EVERY
) -> BookWatch:
    """The look of one home, not yet begun."""
    tasks = {
        "canaries": partial(_judge_canaries, clock=clock, log=log),
        "alerts": partial(_raise_alerts, clock=clock, log=log),
    }
    return BookWatch(tasks, open_book, home=home, log=log, interval=interval)


def _raise_alerts(book: Book, *, clock: Clock, log: Log) -> None:
    for event in raise_alerts(book, clock):
        log.line("alert", level="warning", condition=event.details["condition"])


def _judge_canaries(book: Book, *, clock: Clock, log: Log) -> None:
    """Publish the deployments as the book has them now, whoever changed them, and judge those that are on trial."""
    deployments = Deployments(book, clock)
    for judgement in judge_all(deployments, deployments.publish()):
        revision = judgement.changed
        assert revision is not None
        log.line("deployment", name=revision.name, action=revision.action, revision=revision.revision)
