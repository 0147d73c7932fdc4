"""What tells of a person is found however it is written, and what tells of nobody is not."""

import base64
import gzip
import html
import json
import random
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daybook.rights.erasure.proof import limits_of
from daybook.rights.traces import PIECE, PersonTraces, Search, spellings

SUBJECT = "u-" + "a" * 32
TEXT = 'She said: "Größe 38 & <no> more",\nthen left for the harbour at nine in the evening, as every day.'


def search(text=TEXT, name="ada@example.com"):
    return Search(PersonTraces(SUBJECT, name, (text,)).all())


def kinds(data, **more):
    return {hit.trace.kind for hit in search(**more).hits(data)}


@pytest.mark.parametrize(
    "write",
    [
        str.encode, lambda text: json.dumps(text).encode(), lambda text: json.dumps(text, ensure_ascii=False).encode(),
        lambda text: json.dumps({"cells": json.dumps([{"role": "user", "content": text}])}).encode(),
        lambda text: html.escape(text).encode(), lambda text: html.escape(text, quote=False).encode(),
    ],
)  # fmt: skip
def test_a_text_is_found_as_it_is_written(write):
    """Plain, in JSON, in JSON within JSON, in HTML; and in all of them the pseudonym and the name."""
    for before in (b"", b"x", b"12345678"):
        assert kinds(before + write(f"{TEXT} {SUBJECT} ada@example.com") + b"y") == {"content", "pseudonym", "name"}


def test_any_excerpt_of_63_bytes_is_found_and_drawn_out_to_its_ends():
    """Wherever it begins; one of 62 may be missed, and nothing beside it is taken."""
    text = "".join(random.Random(1).choices("abcdefghijklmnop ", k=400))
    for start in range(0, 400 - 63):
        data = b"<<" + text[start : start + 63].encode() + b">>"
        hits = search(text).hits(data)
        assert {(hit.start, hit.end) for hit in hits} == {(2, 65)}
    assert 2 * PIECE - 1 == 63


def test_a_search_says_nothing_of_what_is_not_there():
    """Random bytes, halves of the words, and no bytes at all."""
    noise = random.Random(2)
    assert kinds(noise.randbytes(1 << 20)) == set()
    for data in (b"", b"u-", SUBJECT[:-1].encode(), SUBJECT.upper().encode(), b"ada@example.co", TEXT.encode()[:31]):
        assert kinds(data) == set()


def test_short_names_are_not_searched_for():
    """Under six characters a name is in too many words; six are enough."""
    assert kinds(b"adams", name="adams") == set()
    assert kinds(b"adamsx", name="adamsx") == {"name"}
    assert not PersonTraces(SUBJECT, "adams").searches_name
    assert PersonTraces(SUBJECT, "adamsx").searches_name


def test_what_others_said_too_tells_of_nobody():
    """Their pieces are left out, the person's own stay."""
    other = "as every day in the winter of that year, when the river froze from one bank to the other and back"
    mine = (
        f"{other}{'.' * (-len(other) % PIECE)}But I alone know where the key to the old boat house is kept these days."
    )
    traces = PersonTraces(SUBJECT, None, (mine,)).without([other])
    found = Search(traces.all())
    assert {hit.trace.kind for hit in found.hits(other.encode())} == set()
    assert {hit.trace.kind for hit in found.hits(mine.encode())} == {"content"}


@pytest.mark.parametrize("at", [(8 << 20) - 20, (8 << 20) - 1, 8 << 20, 0])
def test_a_trace_across_the_border_of_two_reads_is_found(tmp_path, at):
    """A file is read in parts; where a part ends does not matter."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * at + SUBJECT.encode() + b"x" * 100)
    assert search().in_file(path) == {"pseudonym"}


def test_what_is_packed_is_unpacked(tmp_path):
    """gzip, zip and Parquet; a packed file that is broken is searched as it lies."""
    data = f"row of {SUBJECT}".encode()
    (tmp_path / "a.gz").write_bytes(gzip.compress(data))
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner", data)
    pq.write_table(pa.table({"x": [data.decode()] * 100}), tmp_path / "a.parquet", compression="zstd")
    for name in ("a.gz", "a.zip", "a.parquet"):
        assert search().in_file(tmp_path / name) == {"pseudonym"}
        broken = tmp_path / f"broken{name[1:]}"
        broken.write_bytes(b"no " + SUBJECT.encode())
        assert search().in_file(broken) == {"pseudonym"}


def test_a_long_text_is_found_in_a_long_file():
    """Four million characters give a hundred thousand pieces; an excerpt amid 20 MB of others is found to its ends."""
    noise = base64.b64encode(random.Random(3).randbytes(3_000_000)).decode()
    hits = search(noise).hits(b"-" * 20_000_000 + noise[1000:2000].encode())
    assert {hit.trace.kind for hit in hits} == {"content"}
    assert {(hit.start, hit.end) for hit in hits} == {(20_000_000, 20_001_000)}


def test_no_text_breaks_the_search():
    """Halves of surrogate pairs, NUL, bidi and zero-width characters, and texts that only just have a piece."""
    for text in ("\ud800" * 40, "\0" * 40, "\u202e" * 40, "\u200b" * 40, "é" * 16, "a" * 32, "", "a" * 31):
        whole = PersonTraces(SUBJECT, None, (text,)).all()
        assert all(len(data) == PIECE or trace.kind == "pseudonym" for data, trace in whole.items())
        for data in spellings(text):
            Search(whole).hits(data)


def test_every_spelling_is_one_that_json_and_html_have():
    """With umlauts, a quote, a line end and a tag: as it is, in JSON of both kinds, in JSON within JSON of all four."""
    text = 'Grüße "aus" Köln\n<b>&'
    kinds = [json.dumps(text, ensure_ascii=a)[1:-1] for a in (True, False)]
    kinds += [json.dumps(once, ensure_ascii=a)[1:-1] for once in kinds for a in (True, False)]
    kinds += [text, html.escape(text), html.escape(text, quote=False)]
    assert spellings(text) == {kind.encode() for kind in kinds}


def test_a_hit_ends_where_the_bytes_do():
    """What stands at the end of the bytes is not taken for what comes before their beginning; one that overlaps itself
    is found wherever it begins."""
    text = "".join(f"{n:04d}-" for n in range(40))
    search = Search(PersonTraces("u-1", None, (text,)).all())
    part = text.encode()[64:163]
    (first, *_) = search.hits(part + text.encode()[63:64])
    assert (first.start, part[: first.end]) == (0, part)
    name = Search(PersonTraces("u-2", "aaaaaa").all())
    found = [(hit.start, hit.end) for hit in name.hits(b"aaaaaaaa") if hit.trace.kind == "name"]
    assert found == [
        (0, 6),
        (1, 7),
        (2, 8),
    ]


def test_the_first_20_000_texts_are_looked_for():
    """The next one is not, and a certificate says so."""
    last = "This is the last of very many texts that somebody said in a long life."
    for before, kinds in ((19_999, {"content"}), (20_000, set())):
        search = Search(PersonTraces("u-1", None, ("a",) * before + (last,)).all())
        assert search.kinds(last.encode()) == kinds
    assert limits_of({"texts": 20_000}) == []
    (limit,) = limits_of({"texts": 20_001})
    assert limit == "Of 20,001 texts that were said, the first 20,000 were looked for in files."
