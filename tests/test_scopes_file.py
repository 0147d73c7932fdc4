"""What a file states of everyone, keys and projects: read strictly, as texts, and again once it is another file."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from pathlib import Path

import pytest

from daybook.errors import SettingsError
from daybook.scopes_file import Scopes, ScopesFile


@pytest.fixture
def file(tmp_path):
    def make(text, **members):
        (tmp_path / "a.yml").write_text(text)
        return ScopesFile(tmp_path / "a.yml", lambda name, content: (name, content), members=members)

    return make


def test_each_scope_is_read_under_its_name_with_the_texts_that_stand_there(file):
    """No digit is lost and no word means something else; members beside the scopes are read by their own readers."""
    text = "zone: off\neveryone: {a: 1.50}\nkeys: {no: [yes, 0x1F], '': ~}\nprojects: {no: {b: {c: 2026-01-01}}}"
    read = file(text, zone=str.upper, other=str).read()
    assert read == Scopes(
        everyone=("everyone", {"a": "1.50"}),
        keys={"no": ("key no", ["yes", "0x1F"]), "": ("key ", "~")},
        projects={"no": ("project no", {"b": {"c": "2026-01-01"}})},
        members={"zone": "OFF"},
    )
    assert read.of("no", "no") == (("key no", ["yes", "0x1F"]), read.projects["no"], read.everyone)
    assert read.of(None, "x") == (("key ", "~"), None, read.everyone)
    assert read.all() == [*read.keys.values(), *read.projects.values(), read.everyone]
    assert file("keys: {a: 1}").read().all() == [("key a", "1")]


def test_it_is_read_again_once_it_is_another_file(file, tmp_path):
    """The same object until then; a broken one stays refused until it is mended."""
    one = file("everyone: a")
    first = one.read()
    assert one.read() is first
    (tmp_path / "b.yml").write_text("everyone: b")
    (tmp_path / "b.yml").replace(tmp_path / "a.yml")
    assert one.read().everyone == ("everyone", "b")
    (tmp_path / "a.yml").write_text("nobody: b, and longer than before")
    for _ in range(2):
        with pytest.raises(SettingsError):
            one.read()
    (tmp_path / "a.yml").write_text("{}")
    assert one.read() == Scopes()
    assert file("").read() == Scopes()


@pytest.mark.parametrize("left", [None, "", " \n\n", "# everyone: a\n"])
@pytest.mark.parametrize("before", ["everyone: a", "keys: {ada: a}", "zone: a", "everyone: [", "nobody: a"])
def test_what_was_stated_holds_until_it_is_taken_back(file, tmp_path, before, left):
    """A file that is gone or says nothing is refused as long as it stays so, whatever was there, also what could not be
    meant; `{}` takes it back, and then it may go."""
    path = tmp_path / "a.yml"
    one = file(before, zone=str)
    with contextlib.suppress(SettingsError):
        one.read()
    if left is None:
        path.unlink()
    else:
        path.write_text(left)
    for _ in range(2):
        with pytest.raises(SettingsError) as refused:
            one.read()
        assert f"stated something, and is {'gone' if left is None else 'empty'} now" in str(refused.value)
        assert "write {} into it" in str(refused.value.remedy)
    path.write_text("everyone: b")
    assert one.read().everyone == ("everyone", "b")
    path.write_text("{}")
    assert one.read() == Scopes()
    path.unlink()
    assert one.read() == Scopes()
    assert file(left or "").read() == Scopes()


def test_a_file_that_is_written_while_it_is_read_is_not_meant_yet(tmp_path):
    """It is read again, and only then holds."""
    path = tmp_path / "a.yml"
    path.write_text("everyone: a")

    class Changing(type(path)):
        def open(self, *args, **kwargs):
            return _Written(super().open(*args, **kwargs), self)

    one = ScopesFile(Changing(path), lambda name, content: content)
    with pytest.raises(SettingsError, match="is being written"):
        one.read()
    assert one.read().everyone == "b, longer"


class _Written:
    """A file that somebody writes before it was read to its end, the first time."""

    def __init__(self, file, path):
        self._file, self._path = file, path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def fileno(self):
        return self._file.fileno()

    def read(self):
        data = self._file.read()
        if data == b"everyone: a":
            Path(self._path).write_text("everyone: b, longer")
        return data


async def test_requests_of_one_turn_look_once(file, tmp_path):
    """The next turn looks again, also at what could not be meant."""
    one = file("everyone: a")
    assert one.read().everyone == ("everyone", "a")
    (tmp_path / "a.yml").write_text("everyone: longer")
    assert one.read().everyone == ("everyone", "a")
    await asyncio.sleep(0)
    assert one.read().everyone == ("everyone", "longer")
    await asyncio.sleep(0)
    (tmp_path / "a.yml").write_text("nobody: a")
    with pytest.raises(SettingsError):
        one.read()
    (tmp_path / "a.yml").write_text("{}")
    with pytest.raises(SettingsError):
        one.read()
    await asyncio.sleep(0)
    assert one.read() == Scopes()


def refusal_of(one):
    with pytest.raises(SettingsError) as caught:
        one.read()
    return caught.value


@pytest.mark.parametrize("broken", ["nobody: a", "everyone: [", "", "keys: 5"])
def test_one_refusal_lasts_as_long_as_the_file(file, tmp_path, broken):
    """The same error, which does not grow, until the file is another; then another one, though it says the same."""
    path = tmp_path / "a.yml"
    one = file("everyone: a")
    one.read()
    path.write_text(broken)
    first = refusal_of(one)
    for _ in range(3):
        assert refusal_of(one) is first
    frames = [frame.f_code.co_name for frame, _ in traceback.walk_tb(first.__traceback__)]
    assert frames == ["refusal_of", "read"]
    path.write_text(broken + " ")
    second = refusal_of(one)
    assert second is not first
    assert second.message == first.message
    path.write_text("everyone: b")
    assert one.read().everyone == ("everyone", "b")
    path.write_text(broken)
    assert refusal_of(one) not in (first, second)


def test_what_cannot_be_read_is_tried_each_time_and_refused_with_one_error(file, tmp_path):
    """A folder in its place, for instance: it may pass while nobody changes the file."""
    path = tmp_path / "a.yml"
    one = file("everyone: a")
    path.unlink()
    path.mkdir()
    first = refusal_of(one)
    assert (first.message, first.remedy) == (f"{path} cannot be read (IsADirectoryError).", "Make it readable.")
    assert refusal_of(one) is first
    path.rmdir()
    path.write_text("everyone: b")
    assert one.read().everyone == ("everyone", "b")
    path.unlink()
    path.mkdir()
    assert refusal_of(one) is not first


def test_what_a_reader_breaks_on_is_never_what_stood_there_before(file, tmp_path):
    """A fault of our own, met again each time, and not the file of before."""
    one = file("zone: a", zone=lambda content: {"a": 1}[content])
    assert one.read().members == {"zone": 1}
    (tmp_path / "a.yml").write_text("zone: bb")
    for _ in range(2):
        with pytest.raises(KeyError):
            one.read()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("everyone: [", "a.yml, line 1: it cannot be read (ParserError)"),
        ("a: 1\n b: 2\n", "a.yml, line 2: it cannot be read (ScannerError)"),
        ("everyone: " + "[" * 3000, "it cannot be read"),
        ("- a", "a.yml: the file is not a mapping"),
        ("keys: a", "keys is not a mapping"),
        ("projects: [a]", "projects is not a mapping"),
        ("everybody: a", "'everybody' is not known in the file"),
        ("keys: {a: 1, b: {c: 1, c: 2}}", "'c' is stated twice in one place, again in line 1"),
        ("everyone: a\nkeys: {}\neveryone: b", "'everyone' is stated twice in one place, again in line 3"),
        ("keys: [{a: 1, a: 2}]", "'a' is stated twice"),
        ("keys:\n  ? [a]\n  : b", "a key in line 2 is no word"),
    ],
)
def test_what_cannot_be_meant_is_refused(file, text, says):
    """With the file, the line where it is known, and a remedy."""
    with pytest.raises(SettingsError) as caught:
        file(text).read()
    assert says in str(caught.value)
    assert caught.value.remedy


def test_bytes_that_are_no_text_and_a_barred_way_are_refused(tmp_path):
    """Nothing goes by what is not there to be read."""
    (tmp_path / "a.yml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(SettingsError, match=r"a\.yml: it cannot be read \(UnicodeDecodeError\)"):
        ScopesFile(tmp_path / "a.yml", lambda name, content: content).read()
    with pytest.raises(SettingsError, match="cannot be read"):
        ScopesFile(tmp_path / "a.yml" / "b.yml", lambda name, content: content).read()


def test_a_mapping_has_only_the_names_that_are_known(file):
    """Any, where none are given."""
    one = file("")
    assert one.mapping({"x": 1}, "it") == {"x": 1}
    assert one.mapping({"a": 1}, "it", ("a", "b")) == {"a": 1}
    with pytest.raises(SettingsError, match=r"a\.yml: 'c' is not known in it\. Known there: a, b\."):
        one.mapping({"a": 1, "d": 2, "c": 3}, "it", ("a", "b"))
