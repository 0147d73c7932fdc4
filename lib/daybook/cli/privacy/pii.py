"""`daybook pii`: personal data found in a file, and taken out of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from daybook.cli.privacy.text_file import answer_lines, pieces_of, write
from daybook.errors import BadParameter
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.hf.tagger import TaggedNames
    from daybook.pii.detect import Detector
    from daybook.pii.redaction import Redactor
    from daybook.pii.spans import Span

_KEY = "pseudonyms.key"
_BATCH = 64
"""Lines in which names are looked for together."""

Command = Callable[..., Any]


@click.group()
def pii() -> None:
    """Find personal data and secrets in a text, and take them out.

    \b
    Examples:
      daybook pii detect letter.txt
      daybook pii redact letters.jsonl --jsonl > clean.jsonl
      daybook pii kinds

    Found by shape, check digit and label, without a model and without a network; with --names by a model
    of this machine, too. Positions count characters; what was found is never printed.
    """


def _options(command: Command) -> Command:
    for option in reversed((
        click.argument("file", type=click.File("rb")),
        click.option("--jsonl", is_flag=True, help='A line is {"id": …, "text": …}; so is the answer to it.'),
        click.option("--kinds", metavar="A,B", help="Only these kinds; daybook pii kinds lists them."),
        click.option("--term", "terms", multiple=True, metavar="TEXT", help="A word or phrase of your own; repeat."),
        click.option("--min-score", type=click.FloatRange(0, 1), default=0.4, show_default=True,
                     help="How sure it must be: 1 a check digit agrees, 0.4 its shape or a word says so."),
        click.option("--names", is_flag=True, help="Names, places, organisations too, by a model."),
    )):  # fmt: skip
        command = option(command)
    return command


@pii.command()
@_options
def detect(
    file: BinaryIO, kinds: str | None, terms: tuple[str, ...], min_score: float, *, names: bool, jsonl: bool
) -> None:
    """Where personal data stands in FILE (- for what is piped in): kind, position and score as JSON.

    \b
    Examples:
      daybook pii detect letter.txt --names
      daybook pii detect letters.jsonl --jsonl
      cat server.log | daybook pii detect - --kinds ip,email

    \b
    With --jsonl a line {"id": 7, "text": "…"} gives a line
      {"id": 7, "spans": [{"type": "email", "start": 3, "end": 18, "score": 1.0}]}
    """
    detector = _detector(kinds, terms, min_score, names=names, jsonl=jsonl)
    if jsonl:
        found = _names_in_all(kinds, names=names)
        answer_lines(
            file,
            lambda texts: [{"spans": _plain(detector.spans(*known))} for known in found(texts)],
            title="pii",
            batch=_BATCH if names else 1,
        )
        return
    from daybook.pii.windows import StreamDetector

    stream = StreamDetector(detector)
    spans = [span for piece in pieces_of(file, title="pii") for span in stream.feed(piece)]
    write(json.dumps({"spans": _plain([*spans, *stream.close()])}) + "\n")


@pii.command()
@_options
@click.option("--action", default="replace", show_default=True, metavar="ACTION",
              help="mask, replace, pseudonym, hash or drop: for every kind.")  # fmt: skip
@click.option("--policy", "actions", multiple=True, metavar="KIND=ACTION", help="For one kind; repeat.")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The key of pseudonyms and hashes; the home's where none is named.")  # fmt: skip
def redact(
    file: BinaryIO,
    kinds: str | None,
    terms: tuple[str, ...],
    min_score: float,
    action: str,
    actions: tuple[str, ...],
    key: Path | None,
    *,
    names: bool,
    jsonl: bool,
) -> None:
    """FILE (- for what is piped in) without its personal data.

    \b
    Examples:
      daybook pii redact letter.txt
      daybook pii redact letters.jsonl --jsonl --action mask --policy email=pseudonym --policy card=drop
      daybook pii redact letter.txt --term "Project Heron" > clean.txt

    \b
    mask        a dot for each character
    replace     the kind in brackets: [email]
    pseudonym   [email:…], always the same for the same datum; daybook pii reveal reads it back
    hash        [email#…], always the same for the same datum; nobody reads it back
    drop        empty brackets
    """
    redactor = _redactor(_detector(kinds, terms, min_score, names=names, jsonl=jsonl), action, actions, key)
    if jsonl:
        found = _names_in_all(kinds, names=names)
        answer_lines(
            file,
            lambda texts: [{"text": redactor.text(*known).text} for known in found(texts)],
            title="pii",
            batch=_BATCH if names else 1,
        )
        return
    from daybook.pii.stream import StreamRedactor

    stream = StreamRedactor(redactor)
    for piece in pieces_of(file, title="pii"):
        write(stream.feed(piece))
    write(stream.close())


@pii.command()
@click.argument("file", type=click.File("rb"))
@click.option("--reason", required=True, help="Why the data are read; it is entered in the trail.")
@click.option("--key", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="The key that made the pseudonyms; the home's where none is named.")  # fmt: skip
def reveal(file: BinaryIO, reason: str, key: Path | None) -> None:
    """FILE (- for what is piped in) with the data in place of the pseudonyms that the key made.

    \b
    Examples:
      daybook pii reveal clean.txt --reason "request of 3 March"

    Who read it, when and why is entered in the trail before anything is printed.
    """
    from daybook.audit.trail import Trail
    from daybook.book import Book
    from daybook.pii import policies
    from daybook.pii.pseudonyms import Pseudonyms

    settings = Settings.from_env()
    path = key or settings.home / _KEY
    if not path.is_file():
        raise BadParameter(f"There is no key in {path}.", remedy="Name the file of the key that made the pseudonyms.")
    text = file.read().decode("utf-8", "surrogateescape")
    with Book(settings.book_url, settings.home, vault=settings.vault) as book:
        Trail(book.journal, book.home, clock=book.clock).record(
            "pii.revealed", actor=f"cli:{user()}", object=str(getattr(file, "name", "-")), reason=reason,
            details={"pseudonyms": len(policies.MARKER.findall(text))},
        )  # fmt: skip
    write(policies.reveal(text, Pseudonyms(path)))


@pii.command()
def kinds() -> None:
    """The kinds that are looked for, one a line.

    \b
    Examples:
      daybook pii kinds
    """
    from daybook.pii import KINDS
    from daybook.pii.policies import TAGGED

    for kind in KINDS:
        click.echo(kind)
    for kind in TAGGED:
        click.echo(f"{kind} (with --names)")


def _detector(kinds: str | None, terms: tuple[str, ...], min_score: float, *, names: bool, jsonl: bool) -> Detector:
    """Names in lines are found by the batch, and given to it."""
    from daybook.pii import KINDS, Detector
    from daybook.pii.policies import TAGGED

    known = (*KINDS, *TAGGED) if names else KINDS
    named = tuple(kind.strip() for kind in kinds.split(",")) if kinds is not None else known
    if unknown := [kind for kind in named if kind not in known]:
        remedy = f"There are: {', '.join(known)}."
        if unknown[0] in TAGGED:
            remedy = "Say --names, too: the model is not asked without."
        raise BadParameter(f"There is no kind {unknown[0][:40]!r}.", remedy=remedy)
    recognizers = [] if jsonl or not names else [_names(kinds)]
    return Detector(named, terms=terms, recognizers=recognizers, threshold=min_score)


def _names(kinds: str | None) -> TaggedNames:
    from daybook.hf.tagger import TaggedNames

    return TaggedNames() if kinds is None else TaggedNames([kind.strip() for kind in kinds.split(",")])


def _names_in_all(kinds: str | None, *, names: bool) -> Callable[[list[str]], list[tuple[str, list[Span]]]]:
    """Each of many texts with the names in it, found together; without, where none are looked for."""
    if not names:
        return lambda texts: [(text, []) for text in texts]
    tagged = _names(kinds)
    return lambda texts: list(zip(texts, tagged.find_all(texts), strict=True))


def _redactor(detector: Detector, action: str, actions: tuple[str, ...], key: Path | None) -> Redactor:
    from daybook.pii import KINDS
    from daybook.pii.policies import TAGGED, Policy
    from daybook.pii.pseudonyms import Pseudonyms
    from daybook.pii.redaction import Redactor

    named = {}
    for one in actions:
        kind, _, word = one.partition("=")
        if kind not in (*KINDS, *TAGGED, "term"):
            there = ", ".join((*KINDS, *TAGGED, "term"))
            raise BadParameter(f"There is no kind {kind[:40]!r}.", remedy=f"There are: {there}.")
        named[kind] = word
    policy = Policy(named, otherwise=action)
    path = key or (Settings.from_env().home / _KEY if policy.keyed else None)
    return Redactor(detector, policy, Pseudonyms(path) if path else None)


def _plain(spans: list[Span]) -> list[dict[str, Any]]:
    return [{"type": span.kind, "start": span.start, "end": span.end, "score": span.score} for span in spans]
