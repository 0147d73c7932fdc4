"""Personal data in a text that was escaped for another use: found with its own ends, and nothing else for it."""

from __future__ import annotations

import pytest

from daybook.pii import KINDS, detect
from daybook.pii.detect import Detector
from daybook.pii.normal import normalise, unescaped
from daybook.pii.windows import StreamDetector, spans_of

DETECTOR = Detector(KINDS)
FOUND = (
    ("email", r'{"a": "Dear Bo,\n[anna@x.org]"}'),
    ("email", r'{"x": "a\tb\r\n[anna@x.org]\r\nnext"}'),
    ("email", r'f("\n[anna@x.org]")'),
    ("email", r'"mail\n[anna@x.org]"'),
    ("email", r"mail\[nanna@x.org]"),
    ("email", r"a\tb\r\[nanna@x.org]\r\nnext"),
    ("email", r"\\[nanna@x.org]\\n"),
    ("email", r"C:\Users\[nanna@x.org]"),
    ("email", r"DOMAIN\[tom@corp.com]"),
    ("email", r"CORP\[rita.roe@corp.com], CORP"),
    ("email", r'{"login": "CORP\\[tom@corp.com]"}'),
    ("email", r'as "CORP\[tom@corp.com]" since'),
    ("email", r'a "quoted" CORP\[tom@corp.com]'),
    ("email", '"said\\n"\nCORP\\[tom@corp.com]'),
    ("phone", r"\tel: [030 901820 17]"),
    ("secret", r"CORP\token=[s3cretPw9xA]"),
    ("email", r"to [anna\u0040x.org]"),
    ("email", r"to [anna\\u0040x.org]"),
    ("email", r"to [anna\x40x.org]"),
    ("email", r"[M\u00fcller@x.org] wrote"),
    ("email", r"[\u0061nna@x.org] wrote"),
    ("email", "mail%3D[anna%40x.org]%26b=1"),
    ("email", "email%3A[anna%40x.org]"),
    ("email", "[anna%2540x.org]"),
    ("email", "[anna=40x.org] wrote=\n"),
    ("email", "a=3Db [o.anna=40mail.example.co.uk]"),
    ("email", "Gr=C3=BC=C3=9Fe, [anna=40x.org]"),
    ("email", "=\r\n[anna=40x.org]"),
    ("email", "[anna&#64;x.org]<br>"),
    ("email", "[anna&#064;x.org]<br>"),
    ("email", "[anna&#x40;x&#46;org]"),
    ("email", "&lt;[anna&commat;x&period;org]&gt;"),
    ("phone", r"phone\n[+49 170 1234567]\n"),
    ("phone", r"tel\u003a [+49 170 1234567]"),
    ("phone", "tel=[%2B49%20170%201234567]"),
    ("phone", "Tel: [+49&nbsp;170&nbsp;1234567]"),
    ("card", r"card\n[4111 1111 1111 1111]\n"),
    ("card", r"[4111\u00a01111\u00a01111\u00a01111]"),
    ("card", "n=[4111%201111%201111%201111]"),
    ("iban", "IBAN: [DE89%203704%200044%200532%200130%2000]"),
    ("ssn", r"ssn\n[123-45-6789] ok"),
    ("ip", r"from\n[10.1.2.3]\tto"),
    ("secret", r"{\"password\": \"[s3cretPw9x]\"}"),
    ("secret", r"{\\\"password\\\": \\\"[s3cretPw9x]\\\"}"),
    ("url", r"see\n[https://x.org/a%20b/c?d=%40]"),
    ("url", r'"[https:\/\/x.org\/a]"'),
    ("url", "[https://x.org/?mail=anna%40x.org&b=1]"),
)
NOTHING = (
    "50%40 of 60", "width=40px.css", "x=40", "a=40b.min.js", "%40%40.com", "a&#64;b", r"\d{3}\n\t\w+ \"x\" \/",
    "100% 20 &amp; 30 &lt;b&gt;", r"@contextlib\n@click.option\n\n@click.command", r"\t@x.org",
    r"C:\new\table\root", "&#64;&#64;.",
    "size=40mm.de", "<td width=40em.com>", "user=40example.com&b=1", "x=20 a=40b.com c=40d.org", "price=40eur.at=",
    "id=40x.io" + " " * 76 + "=3D", "=3D" + " " * 76 + "level=40test.it is",
    r'"api_key": "db-\u2026"', r"\u12", "&#0064", "%4", "=40", "a\\", r"\ud83d\ude00@x",
)  # fmt: skip


@pytest.mark.parametrize(("kind", "marked"), FOUND)
def test_what_is_escaped_is_found_with_its_own_ends(kind: str, marked: str) -> None:
    """Line ends, quotes and slashes of JSON, code points, percent signs, entities and quoted-printable: the span covers
    the datum with its escapes and nothing before or behind it; in a stream, too."""
    text = marked.replace("[", "", 1).replace("]", "", 1)
    start, end = marked.index("["), marked.index("]") - 1
    assert [(s.kind, s.start, s.end) for s in detect(text, KINDS)] == [(kind, start, end)]
    stream = StreamDetector(DETECTOR)
    spans = [span for character in text for span in stream.feed(character)] + stream.close()
    assert [(s.kind, s.start, s.end) for s in spans] == [(kind, start, end)]


@pytest.mark.parametrize("text", NOTHING)
def test_what_only_looks_escaped_is_nothing(text: str) -> None:
    """Units, shares, patterns, paths, decorators in a JSON text, halves of escapes."""
    assert detect(text, KINDS) == []


def test_a_long_log_is_read_in_pieces_as_in_one() -> None:
    """A hundred thousand characters of JSON lines pasted as text: each address once, wherever a piece ends."""
    line = r"{\"at\": \"2026-11-20\", \"to\": \"anna\u0040example.com\", \"text\": \"call\n+49 170 1234567\"}\n"
    text = line * 1200
    spans = spans_of(DETECTOR, text)
    kinds = [span.kind for span in spans]
    assert (kinds.count("email"), kinds.count("phone")) == (1200, 1200)
    assert {text[span.start : span.end] for span in spans if span.kind == "email"} == {r"anna\u0040example.com"}
    assert spans == detect(text, KINDS)


@pytest.mark.parametrize(
    ("text", "seen", "places"),
    [
        ("abc", "abc", [(0, 1), (1, 2), (2, 3)]),
        ("4\u200b1x", "41x", [(0, 1), (2, 3), (3, 4)]),
        ("a\ufe00b\ufe0fc", "abc", [(0, 1), (2, 3), (4, 5)]),
        ("a\ufdffb\ufe10", "a\ufdffb,", [(0, 1), (1, 2), (2, 3), (3, 4)]),
        ("4\u03021", "41", [(0, 1), (2, 3)]),
        ("4\u0302\u030201", "401", [(0, 1), (3, 4), (4, 5)]),
        ("\u00a01\u20112\uff13", " 1-23", [(i, i + 1) for i in range(5)]),
    ],
)
def test_what_shows_nothing_is_not_there_and_the_rest_is_where_it_was(
    text: str, seen: str, places: list[tuple[int, int]]
) -> None:
    """Zero-width signs, variation selectors at both ends of their block, marks on digits; spaces, hyphens and digits of
    other shapes are one character each."""
    read = normalise(text)
    assert read.text == seen
    assert [read.original(i, i + 1) for i in range(len(seen))] == places
    assert read.original(0, len(seen)) == (0, places[-1][1])


def test_each_character_knows_where_it_was_written() -> None:
    """Beside what looks like another letter or shows nothing, and None where nothing is escaped."""
    assert unescaped("a@b % & = \t") is None
    read = unescaped("４\\n\u200bx%40&amp;é")
    assert read is not None
    assert read.text == "4\nx@&é"
    assert [read.original(i, i + 1) for i in range(6)] == [(0, 1), (1, 3), (4, 5), (5, 8), (8, 13), (13, 14)]
    assert read.original(2, 4) == (4, 8)
    assert unescaped("a%40b", breaks_only=True) is None
    for escaped, meant in ((r"\n", "\n"), (r"\t", "\t"), (r"\r", "\r"), (r"\/", "/"), (r"\"", '"'), (r"\\n", "\n")):
        read = unescaped(f"a{escaped}b", breaks_only=True)
        assert read is not None
        assert read.text == f"a{meant}b"


TERMS = (
    r"CORP\nina", "R&amp;D", "AT&amp;T", r"\\fs\reports", "X%2FY", "a=40b.com", r"Pro\u006aekt", "Heron", r"C:\temp\x",
    "&#64;home", r"\"Heron\"", "100%25 Heron", "M\u00fcller\\nord", "Ada\u200b&nbsp;L", r"\x41nna", "R&D", "C++ team",
)  # fmt: skip
AROUND = (
    " {} ",
    "{}",
    r"\n{}\n",
    "%20{}%20",
    r"\u0020{}\u0020",
    "&nbsp;{}&lt;",
    '\\"{}\\" \\u0040',
    "\u200b{} \\n",
    "４ &amp; ({})",
)


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_found_wherever_it_stands_literally(term: str) -> None:
    """With escapes of its own or none, among escapes of others, in the whole and in a stream."""
    detector = Detector((), terms=[term])
    for around in AROUND:
        text = around.format(term)
        start = text.index(term)
        (span,) = detector.spans(text)
        assert span.kind == "term"
        assert text[span.start : span.end].strip('\\"&#;') in term, around
        assert (span.start - start, start + len(term) - span.end) < (6, 6), around
        stream = StreamDetector(detector)
        assert [span for character in text for span in stream.feed(character)] + stream.close() == [span]


def test_a_term_is_found_as_it_is_meant() -> None:
    """Escaped in the text, or only where it was stated."""
    for term, text in (("Heron", r"Her\u006fn"), ("R&D", "R&amp;D"), ("R&amp;D", "R&D"), ("X%2FY", "X/Y")):
        assert [(s.start, s.end) for s in Detector((), terms=[term]).spans(f"a {text} b")] == [(2, 2 + len(text))]
