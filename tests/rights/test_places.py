"""Each kind of place, with what is odd about it."""

import contextlib
import csv
import hashlib
import json
import multiprocessing
import os
import sqlite3
import stat

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from daybook.book import Book
from daybook.book.trail.names import reference
from daybook.clock import FixedClock
from daybook.digest import digest_file
from daybook.errors import DaybookError
from daybook.rights.access import Access
from daybook.rights.backups import backup
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.erasure.proof import describe_copy
from daybook.rights.places import backup_tables, copies
from daybook.rights.places.formats import LARGEST, MARK, Unchangeable, blanked, erase_from
from daybook.rights.places.port import Person
from daybook.rights.traces import PersonTraces, Search
from daybook.training import hosted
from daybook.vault import Vault
from tests.fakes.contracts import Contract
from tests.fakes.finetune_server import FakeTuning
from tests.rights.conftest import ADA, ANSWERED, AT, BO, BOS, SAID, call

SUBJECT = "u-" + "a" * 32
WORDS = {"by": "dpo", "identity_check": "passport seen", "reason": "request"}


def search(*texts, name=ADA):
    return Search(PersonTraces(SUBJECT, name, texts).all())


def test_lines_go_whole_and_a_name_alone_is_taken_out(tmp_path):
    """Lines with the pseudonym or the words go; where only the name stands, the row is about somebody else."""
    path = tmp_path / "rows.jsonl"
    path.write_bytes(
        f'{{"s":"{SUBJECT}"}}\r\n{{"t":"ask {ADA}"}}\n{json.dumps(SAID)}\n\xff\n{{"o":1}}'.encode("latin-1")
    )
    path.chmod(0o640)
    assert erase_from(path, search(SAID)) == 3
    assert path.read_bytes() == b'{"t":"ask [erased]"}\n\xff\n{"o":1}'
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert erase_from(path, search(SAID)) == 0


def test_files_that_others_append_to_keep_their_offsets(place):
    """A cache of answers and a log: lines become empty, a name dots, and a reader that is half through reads on."""
    path = place.settings.home / "evaluation" / "answers.jsonl"
    path.parent.mkdir()
    lines = [b'{"key": "1", "text": "%b"}' % SAID.encode(), b'{"t": "%b"}' % ADA.encode(), b'{"key": "2"}', b"torn"]
    path.write_bytes(b"\n".join(lines))
    inode = path.stat().st_ino
    with path.open("rb", buffering=0) as reader:
        reader.read(len(lines[0]) + 1)
        Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
        assert reader.read() == b'{"t": "%b"}\n{"key": "2"}\ntorn' % (b"." * len(ADA))
    assert path.stat().st_ino == inode
    assert path.read_bytes()[: len(lines[0]) + 1] == b"\n" * (len(lines[0]) + 1)


def test_rows_of_csv_go_with_all_their_lines(tmp_path):
    """A cell may have line ends and quotes; invalid UTF-8 of others comes back as it was."""
    path = tmp_path / "rows.csv"
    rows = [["id", "text"], ["1", f'two\nlines "of" {SUBJECT}'], ["2", f"to {ADA}"], ["3", 'a "b",\nc']]
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    path.write_bytes(path.read_bytes() + b"4,\xff\n")
    assert erase_from(path, search()) == 2
    assert path.read_bytes() == b'id,text\n2,to [erased]\n3,"a ""b"",\nc"\n4,\xff\n'


def test_json_stays_json_whatever_is_taken_out(tmp_path):
    """Keys and values, texts cut into lines, text that ends within an escape; what is no JSON is text."""
    path = tmp_path / "a.ipynb"
    document = {SUBJECT: [f"x {SUBJECT}\n", "y\n"], "n": 1, "o": ["a", "b"], "q": f'"{SAID[:80]}\\'}
    path.write_text(json.dumps(document))
    assert erase_from(path, search(SAID)) == 3
    assert json.loads(path.read_text()) == {MARK: [f"x {MARK}\n", "y\n"], "n": 1, "o": ["a", "b"], "q": f'"{MARK}\\'}
    path.write_text(f"{{broken {SUBJECT}")
    assert erase_from(path, search()) == 1
    assert path.read_text() == "{broken [erased]"


def test_overlapping_traces_leave_nothing_between_them():
    """A name within the words, the same words twice: what lies between the hits stays, byte for byte."""
    text = f"I am {ADA} and this is what I wanted to say to all of you in this room tonight."
    data, n = blanked(f"<{text}><{text}>{ADA}!".encode(), search(text))
    assert (data, n) == (b"<[erased]><[erased]>[erased]!", 3)


def test_rows_of_a_database_go_from_its_pages_and_its_log(tmp_path):
    """SQLite with a log beside it: neither file has the words afterwards, other rows stay."""
    path = tmp_path / "texts.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("pragma journal_mode = wal")
        file.execute('create table "odd ""name" (text text, n integer)')
        rows = [(SAID if n % 10 == 0 else BOS, n) for n in range(500)]
        file.executemany('insert into "odd ""name" values (?, ?)', rows)
        file.commit()
    assert erase_from(path, search(SAID)) == 50
    assert b"Grete" not in b"".join(p.read_bytes() for p in tmp_path.iterdir())
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute('select count(*), min(n) from "odd ""name"').fetchone() == (450, 1)


@pytest.mark.parametrize("layout", ["(id text primary key, t)", "(id text, n integer, t, primary key (t, id, n))"])
def test_rows_go_from_a_table_without_row_numbers(tmp_path, layout):
    """By whatever its key is made of; bytes that are no text, blobs and numbers of others stay as they are."""
    path = tmp_path / "texts.sqlite"
    others = [("1", b"\xff\x00"), ("2", BOS), ("3", 4), ("4", None)]
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute(f"create table texts {layout} without rowid")
        file.execute('create table "a ""b" (id integer primary key, t blob) without rowid')
        n = ", 1" if " n " in layout else ""
        mine = [("a", SAID), (f"x {SUBJECT}", 2), ("c", SAID.encode())]
        file.executemany(
            f"insert into texts values (?{n}, ?)", [(i, "" if n and t is None else t) for i, t in others + mine]
        )
        file.execute("insert into texts select '5', " + ("1, " if n else "") + "cast(x'ff41' as text)")
        file.execute('insert into "a ""b" values (1, ?), (2, ?)', (SUBJECT.encode(), b"else"))
    assert erase_from(path, search(SAID)) == 4
    assert b"Grete" not in path.read_bytes()
    assert SUBJECT.encode() not in path.read_bytes()
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.text_factory = bytes
        assert [i for (i,) in file.execute("select id from texts order by id")] == [b"1", b"2", b"3", b"4", b"5"]
        assert file.execute("select t from texts where id in ('1', '3', '5') order by id").fetchall() == [
            (b"\xff\x00",), (4,), (b"\xffA",)
        ]  # fmt: skip
        assert file.execute('select * from "a ""b"').fetchall() == [(2, b"else")]


def test_a_backups_rows_of_others_lose_the_person_and_nothing_else(tmp_path):
    """The person's own calls lose what was said; another's, or nobody's, that names the person keeps whose it is and
    all its other words. What changes is told before the table does."""
    path = tmp_path / "calls.parquet"
    bo, longer = "u-" + "b" * 32, SUBJECT + "0"
    tags = json.dumps({"about": SUBJECT, "desk": "3"})
    rows = [
        {"id": f"{n}", "subject": subject, "prompt": prompt, "answer": "a", "prompt_hash": "h", "tags": tags, "cost": n}
        for n, (subject, prompt, tags) in enumerate([
            (SUBJECT, BOS, '{"desk": "3"}'), (bo, BOS, tags), (None, f"by {SUBJECT}", "{}"), (longer, BOS, "{}"),
            (bo, BOS, "{}"),
        ])
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), path)
    path.chmod(0o640)
    before, told = path.read_bytes(), []
    count = backup_tables.erase_from(
        path, search(), lambda changed: told.append((path.read_bytes() == before, changed))
    )
    assert pq.read_table(path).to_pylist() == [
        rows[0] | {"subject": None, "prompt": None, "answer": None, "prompt_hash": None, "tags": "{}"},
        rows[1] | {"tags": json.dumps({"about": MARK, "desk": "3"})},
        rows[2] | {"prompt": f"by {MARK}"},
        rows[3] | {"subject": f"{MARK}0"},
        rows[4],
    ]
    assert (told, count) == ([(True, {"personal": 4})], 4)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [file.name for file in tmp_path.iterdir()] == ["calls.parquet"]


def test_keys_below_the_home_stand_in_no_erasures_way(place):
    """Backed up into the home itself, twice: the person's key is destroyed there, Bo's is not, and nothing is left."""
    folders = [place.settings.home / "safe" / str(n) for n in range(2)]
    for n, keys in enumerate(folders):
        backup.make(
            place.settings, place.book, place.vault, place.settings.home / f"b{n}", keys=keys, clock=place.clock
        )
    assert _erasures(place).execute(ADA, **WORDS).status == "erased"
    for keys in folders:
        there = Vault(keys / "subjects.sqlite").states()
        assert (there[place.ada].state, there[place.bo].state) == ("destroyed", "kept")


def test_files_of_weights_are_searched_unless_they_are_numbers_alone(place):
    """One that can hold objects stops the erasure, and so does one that only has the name of another kind; those that
    are numbers are left out, and the certificate says how many."""
    home = place.settings.home
    kinds = {"a.npz": b"", "b.bin": SAID.encode(), "c.pt": place.ada.encode(), "d.npy": SAID.encode(),
             "e.gguf": SAID.encode(), "f.safetensors": place.ada.encode()}  # fmt: skip
    for name, data in kinds.items():
        (home / name).write_bytes(data)
    np.savez(home / "a.npz", texts=np.array([SAID], dtype=object))
    for name in kinds:
        with pytest.raises(Unchangeable, match=name):
            _erasures(place).execute(ADA, **WORDS)
        (home / name).unlink()
    (home / "w.gguf").write_bytes(b"GGUF" + place.ada.encode())
    (home / "w.safetensors").write_bytes((2).to_bytes(8, "little") + b"{}" + place.ada.encode())
    limits = json.loads(_erasures(place).execute(ADA, **WORDS).certificate.read_text())["limits"]
    assert [limit for limit in limits if "weights" in limit] == [
        "2 files of weights, which hold nothing but numbers, were not searched."
    ]


def test_what_cannot_be_changed_is_said(tmp_path):
    """A file of another kind, or too large: it is named, and as it was."""
    path = tmp_path / "scan.pdf"
    path.write_bytes(SUBJECT.encode())
    with pytest.raises(Unchangeable, match=r"scan\.pdf"):
        erase_from(path, search())
    assert path.read_bytes() == SUBJECT.encode()
    large = tmp_path / "large.txt"
    with large.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(Unchangeable, match=r"large\.txt"):
        erase_from(large, search())


def test_links_lead_nowhere(place, tmp_path):
    """What a link in the reports points at, outside, is neither read nor changed."""
    outside = tmp_path / "outside.txt"
    outside.write_text(place.ada)
    (place.settings.reports / "traffic" / "link.txt").symlink_to(outside)
    (place.settings.reports / "up").symlink_to(tmp_path)
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    assert outside.read_text() == place.ada


def _write_and_wait(url, home, subject, pipe):
    with Book(url, home, clock=FixedClock(AT)) as book:
        book.append(call(subject, SAID, "Yes, above the bakery."))
        pipe.send("written")
        pipe.recv()
        book.append(call("u-" + "b" * 32, BOS, "Later."))
        pipe.send("done")
        pipe.recv()


def test_a_living_writers_journal_loses_the_person_and_nothing_else(place):
    """Its lines are overwritten where they stand; what it writes afterwards is drained as ever."""
    here, there = multiprocessing.get_context("fork").Pipe()
    arguments = (place.settings.book_url, place.settings.home, place.ada, there)
    child = multiprocessing.get_context("fork").Process(target=_write_and_wait, args=arguments)
    child.start()
    try:
        assert here.recv() == "written"
        place.book.drain()
        (path,) = (place.settings.home / "journal").glob(f"*-{child.pid}.jsonl")
        size = path.stat().st_size
        assert b"bakery" in path.read_bytes()
        Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
        assert path.read_bytes() == b"\n" * size
        here.send("go on")
        assert here.recv() == "done"
        place.book.drain()
        assert [row["answer"] for row in place.calls()].count("Later.") == 1
        assert [c.name for c in place.book.check() if c.level == "wrong"] == []
    finally:
        child.kill()
        child.join()


@pytest.fixture
def hosted_job(place):
    """A training whose rows are of Ada and which has two files at a provider."""
    folder = place.settings.home / "finetune" / "ft-0000000000aa"
    folder.mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"spec": {"subjects": [place.ada]}}))
    (folder / "train.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": SAID}]}) + "\n")
    return folder


def test_copies_at_a_provider_are_deleted_there(place, hosted_job):
    """First, and counted in the certificate; without a key nothing is erased, and with one it goes on."""
    folder = hosted_job
    with FakeTuning(Contract(None)) as upstream:
        client = hosted.client(key="sk-good", base_url=upstream.url)
        uploaded = {}
        for name in ("train", "validation"):
            body = (f"daybook-{folder.name}-{name}.jsonl", b'{"messages": []}\n')
            uploaded[name] = client.files.create(file=body, purpose="fine-tune").id
        other = client.files.create(file=("other.jsonl", b"{}\n"), purpose="fine-tune").id
        row = {"model": "m", "seed": 1, "epochs": 1, "suffix": None, "stage": "created", "files": uploaded}
        (folder / "hosted.json").write_text(json.dumps(row))
        held = {(h.place, h.what): h.count for h in _erasures(place).plan(ADA).holdings}
        assert held["hosted", "files uploaded to a provider"] == 2
        with pytest.raises(DaybookError, match="2 files"):
            _erasures(place).execute(ADA, **WORDS)
        assert place.book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada})[0]["n"] == 3
        done = _erasures(place, client=lambda: client).execute(ADA, **WORDS)
        assert done.erasure.steps["hosted"]["count"] == 2
        assert set(upstream.files) == {other}


def _erasures(place, **more):
    return Erasures(place.settings, place.book, place.vault, place.clock, **more)


def test_copies_that_were_written_for_a_person_go_with_them(place, tmp_path):
    """The files of the folder are removed, one that somebody else laid there is not; Bo's copy stays."""
    access = Access(place.settings, place.book, place.vault, place.clock)
    folders = [tmp_path / name for name in ("ada's", "bo's", "ada's second")]
    for who, folder in zip((ADA, BO, ADA), folders, strict=True):
        access.write(who, folder, **WORDS)
    (folders[0] / "letter.txt").write_text("kept")
    held = {(h.place, h.what): h.count for h in _erasures(place).plan(ADA).holdings}
    assert held["copies", "files that were written for the person"] == 4
    outcome = _erasures(place).execute(ADA, **WORDS)
    assert outcome.erasure.steps["copies"]["count"] == 4
    assert [path.name for path in folders[0].iterdir()] == ["letter.txt"]
    assert sorted(path.name for path in folders[1].iterdir()) == ["access-0001.html", "access.json"]
    assert not folders[2].exists()
    assert [copy.folder for copy in copies.read(place.settings.home)] == [folders[1]]
    assert _erasures(place).execute(ADA, **WORDS).status == "nothing held"


def test_a_copy_that_was_moved_is_named_and_found_when_it_is_back(place, tmp_path):
    """By where it was and what its files' digests are; one whose writing was cut off goes as well."""
    Access(place.settings, place.book, place.vault, place.clock).write(ADA, tmp_path / "copy", **WORDS)
    digests = copies.read(place.settings.home)[0].files
    assert digests == {name: digest_file(tmp_path / "copy" / name) for name in ("access.json", "access-0001.html")}
    half = tmp_path / "half"
    half.mkdir()
    (half / "access.json").write_text(place.ada)
    whose = reference(place.settings.home, place.ada)
    with contextlib.suppress(OSError), copies.noted(place.settings.home, whose, half, place.clock.now()):
        raise OSError
    (tmp_path / "copy").rename(tmp_path / "away")
    assert _erasures(place).plan(ADA).to_dict()["copies_away"] == [str(tmp_path / "copy")]
    outcome = _erasures(place).execute(ADA, **WORDS)
    assert not half.exists()
    (limit,) = [x for x in json.loads(outcome.certificate.read_text())["limits"] if "whoever has it" in x]
    assert str(tmp_path / "copy") not in limit  # the name may be the person's
    assert f"{tmp_path}/[erased], written 2026-03-01" in limit
    assert str(tmp_path / "copy").encode() not in (place.settings.home / "rights" / "copies.json").read_bytes()
    assert all(digest in limit for digest in digests.values())
    assert _erasures(place).came_back() == {}
    (tmp_path / "away").rename(tmp_path / "copy")
    (paths,) = _erasures(place).came_back().values()
    assert paths == sorted(str(tmp_path / "copy" / name) for name in digests)


def test_a_folder_that_is_used_again_hides_no_copy(place, tmp_path):
    """Ada's copy was moved, and Bo's, then a half of Ada's next, are written where it stood: hers is named as away, and
    his is not taken for hers; put back beside his other files, hers is found and goes."""
    out, home = tmp_path / "out", place.settings.home
    access = Access(place.settings, place.book, place.vault, place.clock)
    access.write(ADA, out, **WORDS)
    out.rename(tmp_path / "first")
    access.write(BO, out, **WORDS)
    assert [(copy.replaced, copy.away) for copy in copies.read(home)] == [(True, True), (False, False)]
    assert _erasures(place).plan(ADA).copies_away == (str(out),)
    whose, person = reference(home, place.ada), Person.of(PersonTraces(place.ada))
    place_ = copies.ExportedCopies(home)
    assert (place_.erase(person, lambda details: None), [path.name for path in sorted(out.iterdir())]) == (
        0, ["access-0001.html", "access.json"]
    )  # fmt: skip
    assert [(copy.reference, copy.away) for copy in place_.of(person)] == [(whose, True)]
    assert [copy.folder for copy in copies.read(home)] == [out, out]
    assert place_.erase(person, lambda details: None) == 0
    described = describe_copy(place_.of(person)[0], person)
    assert described.startswith(f"{tmp_path}/{MARK}, written 2026-03-01 (access.json sha256:")
    out.rename(tmp_path / "bo's")
    (tmp_path / "first").rename(out)
    assert place_.back([place.ada]) == {place.ada: [str(out / "access.json"), str(out / "access-0001.html")]}
    assert place_.erase(person, lambda details: None) == 2
    assert not out.exists()
    assert [copy.away for copy in copies.read(home)] == [True]


def test_vectors_of_what_was_said_go(place):
    """Of the person's texts, under each model; another's stay, and the file has not got the bytes any more."""
    path = place.settings.home / "embeddings.sqlite"
    vectors = {SAID + " (0)": b"\x01" * 64, ANSWERED: b"\x02" * 64, BOS: b"\x03" * 64, SAID[:40]: b"\x04" * 64}
    table = "create table embeddings (model text, text text, vector blob, primary key (model, text)) without rowid"
    with contextlib.closing(sqlite3.connect(path)) as file, file:
        file.execute(table)
        for model in ("a", "b"):
            rows = [(model, hashlib.sha256(text.encode()).hexdigest(), vector) for text, vector in vectors.items()]
            file.executemany("insert into embeddings values (?, ?, ?)", rows)
    held = {(h.place, h.what): h.count for h in _erasures(place).plan(ADA).holdings}
    assert held["vectors", "vectors of what was said"] == 4
    outcome = _erasures(place).execute(ADA, **WORDS)
    assert outcome.erasure.steps["vectors"]["count"] == 4
    data = path.read_bytes()
    assert [vector in data for vector in vectors.values()] == [False, False, True, True]
    limits = json.loads(outcome.certificate.read_text())["limits"]
    assert any("Vectors of whole texts were removed" in limit for limit in limits)


def test_fifty_megabytes_said_by_one_person_are_erased(place):
    """A prompt of 50 MB is erased like any other, and what others said stays."""
    place.book.append(call(place.ada, SAID + os.urandom(25_000_000).hex(), "Yes."))
    assert _erasures(place).execute(ADA, **WORDS).status == "erased"
    rows = place.book.rows("select count(*) as n from calls where prompt is not null")
    assert rows[0]["n"] == 3
