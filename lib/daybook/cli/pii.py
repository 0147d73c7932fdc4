"""`daybook pii`: personal data found in a file, and taken out of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from daybook.errors import BadData, BadParameter
from daybook.settings import Settings, user

if TYPE_CHECKING:
    from daybook.pii.detect import Detector
    from daybook.pii.redaction import Redactor
    from daybook.pii.spans import Span

_PIECE = 1 << 16
"""Characters of a plain text that are looked at together."""
_NAMED = 5
"""Faulty lines that are named one by one."""
_KEY = "pseudonyms.key"

Command = Callable[..., Any]


@click.group()
def pii() -> None:
    """Find personal data and secrets in a text, and take them out.

    \b
    Examples:
      daybook pii detect letter.txt
      daybook pii redact letters.jsonl --jsonl > clean.jsonl
      daybook pii kinds

    Found by shape, check digit and label, without a model and without a network. Positions count
    characters; what was found is never printed.
    """


def _options(command: Command) -> Command:
    for option in reversed((
        click.argument("file", type=click.File("rb")),
        click.option("--jsonl", is_flag=True, help='A line is {"id": …, "text": …}; so is the answer to it.'),
        click.option("--kinds", metavar="A,B", help="Only these kinds; daybook pii kinds lists them."),
        click.option("--term", "terms", multiple=True, metavar="TEXT", help="A word or phrase of your own; repeat."),
        click.option("--min-score", type=click.FloatRange(0, 1), default=0.4, show_default=True,
                     help="How sure it must be: 1 a check digit agrees, 0.4 its shape or a word says so."),
    )):  # fmt: skip
        command = option(command)
    return command


@pii.command()
@_options
def detect(file: BinaryIO, kinds: str | None, terms: tuple[str, ...], min_score: float, *, jsonl: bool) -> None:
    """Where personal data stands in FILE (- for what is piped in): kind, position and score as JSON.

    \b
    Examples:
      daybook pii detect letter.txt
      daybook pii detect letters.jsonl --jsonl
      cat server.log | daybook pii detect - --kinds ip,email

    \b
    With --jsonl a line {"id": 7, "text": "…"} gives a line
      {"id": 7, "spans": [{"type": "email", "start": 3, "end": 18, "score": 1.0}]}
    """
    detector = _detector(kinds, terms, min_score)
    if jsonl:
        _lines(file, lambda text: {"spans": _plain(detector.spans(text))})
        return
    from daybook.pii.stream import StreamDetector

    stream = StreamDetector(detector)
    spans = [span for piece in _pieces(file) for span in stream.feed(piece)]
    _write(json.dumps({"spans": _plain([*spans, *stream.close()])}) + "\n")


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
    redactor = _redactor(_detector(kinds, terms, min_score), action, actions, key)
    if jsonl:
        _lines(file, lambda text: {"text": redactor.text(text).text})
        return
    from daybook.pii.stream import StreamRedactor

    stream = StreamRedactor(redactor)
    for piece in _pieces(file):
        _write(stream.feed(piece))
    _write(stream.close())


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
    with Book(settings.book_url, settings.home) as book:
        Trail(book.journal, book.home, clock=book.clock).record(
            "pii.revealed", actor=f"cli:{user()}", object=str(getattr(file, "name", "-")), reason=reason,
            details={"pseudonyms": len(policies.MARKER.findall(text))},
        )  # fmt: skip
    _write(policies.reveal(text, Pseudonyms(path)))


@pii.command()
def kinds() -> None:
    """The kinds that are looked for, one a line.

    \b
    Examples:
      daybook pii kinds
    """
    from daybook.pii import KINDS

    for kind in KINDS:
        click.echo(kind)


def _detector(kinds: str | None, terms: tuple[str, ...], min_score: float) -> Detector:
    from daybook.pii import KINDS, Detector

    named = tuple(kind.strip() for kind in kinds.split(",")) if kinds is not None else KINDS
    if unknown := [kind for kind in named if kind not in KINDS]:
        raise BadParameter(f"There is no kind {unknown[0][:40]!r}.", remedy=f"There are: {', '.join(KINDS)}.")
    return Detector(named, terms=terms, threshold=min_score)


def _redactor(detector: Detector, action: str, actions: tuple[str, ...], key: Path | None) -> Redactor:
    from daybook.pii import KINDS
    from daybook.pii.policies import Policy
    from daybook.pii.pseudonyms import Pseudonyms
    from daybook.pii.redaction import Redactor

    named = {}
    for one in actions:
        kind, _, word = one.partition("=")
        if kind not in (*KINDS, "term"):
            raise BadParameter(f"There is no kind {kind[:40]!r}.", remedy=f"There are: {', '.join(KINDS)}, term.")
        named[kind] = word
    policy = Policy(named, otherwise=action)
    path = key or (Settings.from_env().home / _KEY if policy.keyed else None)
    return Redactor(detector, policy, Pseudonyms(path) if path else None)


def _plain(spans: list[Span]) -> list[dict[str, Any]]:
    return [{"type": span.kind, "start": span.start, "end": span.end, "score": span.score} for span in spans]


def _lines(file: BinaryIO, answer: Callable[[str], dict[str, Any]]) -> None:
    """Answer each line. Raises BadData at the end where some could not be read: no answer is given to those."""
    faults: list[str] = []
    for number, line in enumerate(_watched(file, iter(file.readline, b"")), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8", "surrogateescape"))
        except RecursionError:
            faults.append(f"line {number}: nested too deep")
            continue
        except ValueError as error:
            faults.append(f"line {number}: no JSON ({getattr(error, 'msg', 'it cannot be read')})")
            continue
        if not isinstance(row, dict) or not isinstance(row.get("text"), str):
            faults.append(f'line {number}: no object with a "text" that is a string')
            continue
        _write(json.dumps({"id": row.get("id", number), **answer(row["text"])}) + "\n")
    if faults:
        more = f" and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
        raise BadData(
            f"{len(faults)} {'line was' if len(faults) == 1 else 'lines were'} left out: "
            f"{'; '.join(faults[:_NAMED])}{more}.",
            remedy='Write {"id": …, "text": "…"} a line.',
        )


def _pieces(file: BinaryIO) -> Iterator[str]:
    """The text in pieces; a byte that is no UTF-8 is one character and comes out as it went in."""
    import codecs

    decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
    for piece in _watched(file, iter(lambda: file.read(_PIECE), b"")):
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def _watched(file: BinaryIO, parts: Iterator[bytes]) -> Iterator[bytes]:
    """The parts, with a bar on a terminal: of the file's size, if it has one."""
    from daybook.reporting.progress import meter

    try:
        size = Path(file.name).stat().st_size
    except (OSError, TypeError, AttributeError):
        size = 0
    with meter("pii", unit="byte") as move:
        done = 0
        for part in parts:
            yield part
            done += len(part)
            move(done, max(size, done))


def _write(text: str) -> None:
    sys.stdout.buffer.write(text.encode("utf-8", "surrogateescape"))
    sys.stdout.buffer.flush()
