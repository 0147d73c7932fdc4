"""Texts in base64: what is written in them is found, and what is no text stays alone."""

from __future__ import annotations

import base64
import hashlib
import random
from itertools import pairwise

import pytest

from daybook.pii import KINDS, SHAPES, Detector, detect
from daybook.pii.detectors.encoded import LEAST, MOST, OVERLAP, encoded_texts
from daybook.pii.redaction import Redactor
from daybook.pii.spans import Span
from daybook.pii.windows import StreamDetector, spans_of

DETECTOR = Detector(KINDS, terms=["Heron"])
SHAPES_ALONE = Detector(SHAPES)
MAIL = "anna@example.com"
SAID = (
    ("email", "Write to anna@example.com, please."),
    ("email", '{"user": {"mail": "anna@example.com", "n": 7}}'),
    ("email", "Grüße aus Zürich von anna@example.com"),
    ("email", "anna\\u0040example.com is it"),
    ("phone", "call me: +49 170 1234567 today"),
    ("card", "card 4111 1111 1111 1111 until 12/29"),
    ("iban", "IBAN DE89 3704 0044 0532 0130 00"),
    ("secret", "password = s3cretPw9x until May"),
    ("term", "the project is called Heron, I hear"),
)
AROUND = ("{}", "see {} there", "data:text/plain;base64,{}", "body={}&n=1", '{{"body": "{}"}}', "Zoë: {}.", "{}\r\n--b")


@pytest.mark.parametrize(("kind", "text"), SAID)
def test_what_is_written_in_base64_is_found_as_the_whole_run(kind: str, text: str) -> None:
    """With its padding or without, in the alphabet of addresses too, wherever it stands, and in a stream."""
    plain = base64.b64encode(text.encode()).decode()
    urlsafe = base64.urlsafe_b64encode(text.encode()).decode()
    for written in {plain, plain.rstrip("="), urlsafe, urlsafe.rstrip("=")}:
        for around in AROUND:
            whole = around.format(written)
            start = whole.index(written)
            spans = DETECTOR.spans(whole)
            assert [(s.kind, s.start, s.end) for s in spans] == [(kind, start, start + len(written))], whole
        stream = StreamDetector(DETECTOR)
        assert [span for character in whole for span in stream.feed(character)] + stream.close() == spans


def test_the_surest_kind_of_several_is_what_the_run_is_called() -> None:
    """Its score, too; kinds that are not asked for, are too unsure or tell of nobody are no reason."""
    run = base64.b64encode(b"card 4111 1111 1111 1111, or 10.1.2.3, https://example.org/x 2026-11-20").decode()
    assert [(s.kind, s.score) for s in detect(run, KINDS)] == [("card", 1.0)]
    assert [(s.kind, s.score) for s in detect(run, ("ip",))] == [("ip", 0.6)]
    assert Detector(("ip",), threshold=0.7).spans(run) == []
    assert detect(run, ("url", "date")) == []
    assert detect(run, SHAPES) == detect(run, KINDS)
    assert Redactor(Detector()).text(f"a {run} b").text == "a [card] b"


def test_what_is_no_text_stays_alone() -> None:
    """Hashes, GUIDs, tokens, keys, pictures, names in code and paths, and texts that tell of nobody."""
    dice = random.Random(1)
    noise = [base64.b64encode(dice.randbytes(n)).decode() for n in (18, 32, 33, 48, 64, 300, 3000) for _ in range(20)]
    picture = b"\x89PNG\r\n\x1a\n" + b"anna@example.com" * 3
    texts = [
        *noise,
        hashlib.sha256(b"a").hexdigest(),
        "550e8400-e29b-41d4-a716-446655440000",
        "data:image/png;base64," + base64.b64encode(picture).decode(),
        "thisIsAVeryLongIdentifierOfAMethodInSomeCode",
        "/usr/local/lib/python3/site-packages/daybook/pii/detectors",
        base64.b64encode(b"Nothing of anybody is said here, in many words.").decode(),
        base64.b64encode(b"anna@example.com\x00\x01\x02\x03\x04\x05\x06").decode(),
        base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg' width='40'/>").decode(),
    ]
    for text in texts:
        assert detect(f"see {text} there", (*SHAPES, "url")) == [], text


@pytest.mark.parametrize("text", ["a@example.com 1234", "x" * 17 + "é", "x" * 18 + "éé"])
def test_a_run_is_read_from_its_least_length_on(text: str) -> None:
    """At the least length it is read, one shorter it is not; half a character at its end is left out."""
    run = base64.b64encode(text.encode()).decode().rstrip("=")
    cut = run[: max(LEAST, len(run) - 1)]
    (read,) = encoded_texts(f" {cut} ")
    assert (read.start, read.end) == (1, 1 + len(cut))
    assert text.startswith(read.text)
    assert len(text) - len(read.text) <= 1
    assert list(encoded_texts(run[: LEAST - 1])) == []


def test_half_a_character_at_the_end_is_left_out_and_other_bytes_are_no_text() -> None:
    """One to three bytes of a character of four; the same number of bytes that are none, and four before the end."""
    for kept in (1, 2, 3):
        data = b"x" * 26 + "😀".encode()[:kept]
        assert [read.text for read in encoded_texts(base64.b64encode(data).decode())] == ["x" * 26]
    for data in (b"x" * 26 + b"\xffabc", b"x" * 26 + b"\xffabcd", b"\xff" + b"x" * 26, b"x" * 20 + b"\xff" + b"x" * 9):
        assert list(encoded_texts(base64.b64encode(data).decode())) == [], data


def test_a_text_is_what_can_be_printed_in_nine_of_ten_characters() -> None:
    """At the limit it is read, one character below it is not; tabs and the ends of lines are printed."""
    for end, texts in ((b"\x01\x02\x03", 1), (b"\x01\x02\x03\x04", 0), (b"\t\r\n\t", 1)):
        data = (
            b"Ada, Bo and Cleo wrote it.."[: 30 - len(end)] + end
            if len(end) == 3
            else b"Ada, Bo and Cleo wrote it." + end
        )
        assert len(list(encoded_texts(base64.b64encode(data).decode()))) == texts, end


def test_a_run_longer_than_is_read_at_once_is_read_in_parts() -> None:
    """Three hundred kilobytes with an address here and there, in one text and in a stream: what tells of somebody goes,
    each part that does, and nothing outside the run."""
    text = "".join(f"line {n} of a long letter that goes on and on\n" for n in range(5000))
    said = text[:5000] + " anna@example.com " + text[5000:120_000] + " +49 170 1234567 " + text[120_000:]
    run = base64.b64encode(said.encode()).decode()
    for spans in (DETECTOR.spans(f"see {run} there"), spans_of(DETECTOR, f"see {run} there")):
        assert [span.kind for span in spans] == ["email", "phone"]
        for span, at in zip(spans, (5001, 120_019), strict=True):
            assert 4 <= span.start < 4 + at * 4 // 3 < span.end <= 4 + len(run)
            assert span.end - span.start <= MOST


@pytest.mark.parametrize("code", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("letter", "xж")
def test_what_stands_across_two_parts_of_a_long_run_is_found(letter: str, code: str) -> None:
    """Wherever the address lies to the end of a part and the beginning of the next: all of it is covered, in one text,
    and in one that is looked at in pieces."""
    before = MOST // 4 * 3
    following = (MOST - OVERLAP) // 4 * 3
    for cut in (before, following, following + before):
        for off in (-len(MAIL.encode(code)), -7, -1, 0, 1):
            filled = letter.encode(code)
            length = (cut + off) // len(filled) * len(filled)
            head = filled * (length // len(filled) - 1) + " ".encode(code)
            data = head + MAIL.encode(code) + f" {letter * 9000}".encode(code)
            run = base64.b64encode(data).decode()
            first, last = 4 + len(head) * 4 // 3, 4 + (len(head) + len(MAIL.encode(code))) * 4 // 3
            assert covered(SHAPES_ALONE.spans(f"see {run}"), first, last), (cut, off)


@pytest.mark.parametrize("letter", "xж")
def test_a_long_run_is_read_wherever_a_piece_of_the_text_begins(letter: str) -> None:
    """Ninety thousand characters are looked at in pieces, which begin within one of its four characters and within a
    letter: an address is found wherever it is, and so it is where the text comes in small pieces."""
    for at in (20_000, 37_001, 42_000, 47_003):
        head = f"{letter * (at // len(letter.encode()))} ".encode()
        run = base64.b64encode(head + MAIL.encode() + f" {letter * 70_000}".encode()).decode()[:90_000]
        first, last = 4 + len(head) * 4 // 3, 4 + (len(head) + len(MAIL)) * 4 // 3
        assert covered(spans_of(SHAPES_ALONE, f"see {run}"), first, last), at
    stream = StreamDetector(SHAPES_ALONE)
    pieces = [f"see {run}"[n : n + 4999] for n in range(0, len(run) + 4, 4999)]
    assert covered([*(span for piece in pieces for span in stream.feed(piece)), *stream.close()], first, last)


def test_a_text_may_begin_within_a_run_and_within_a_letter() -> None:
    """Where it is a piece of a longer one, and only there; it is found from its beginning on."""
    run = base64.b64encode(f"Ж {MAIL} and more".encode()[1:]).decode()
    assert [(s.kind, s.start, s.end) for s in detect(f"{run} and on")] == [("email", 0, len(run))]
    assert detect(f" {run} and on") == []


def covered(spans: list[Span], first: int, last: int) -> bool:
    """Whether every character of it is within a span, and none of them overlap."""
    assert all(a.end <= b.start for a, b in pairwise(spans))
    return all(any(span.start <= at < span.end for span in spans) for at in range(first, last))


@pytest.mark.parametrize(
    "text",
    ["anna@example.com", "Write to anna@example.com", "Пишите: anna@example.com, Анна", "写信 anna@example.com 给"],
)
def test_utf_16_is_read_in_both_orders_with_a_mark_and_without(text: str) -> None:
    """At any of the three places in a run's four characters, with its padding and without, as the whole run."""
    for code in ("utf-16-le", "utf-16-be"):
        for mark in ("", "\ufeff"):
            run = base64.b64encode((mark + text).encode(code)).decode()
            for written in {run, run.rstrip("="), run.translate(str.maketrans("+/", "-_"))}:
                for piece in range(1 if mark else 4):  # a piece of a text may begin anywhere
                    part = written[piece:]
                    assert [(s.kind, s.start, s.end) for s in detect(f"see {part}.")] == [("email", 4, 4 + len(part))]


def test_what_is_half_a_character_or_no_text_in_utf_16_stays_alone() -> None:
    """A run that begins with the end of a character is no text; nor are bytes in which a few are like UTF-16."""
    noise = random.Random(2).randbytes(60)
    texts = [b"\xa4" + MAIL.encode() * 2, noise + MAIL.encode("utf-16-le") + noise, bytes(24), b"\x00\x01" * 20]
    for text in texts:
        assert detect(f"see {base64.b64encode(text).decode()}") == []
