"""The file of kept answers: how long, how much, and whose."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from daybook.clock import FixedClock
from daybook.errors import BookUnreachable
from daybook.inference.response_cache import CachedAsking, KeptAnswer, ResponseCache
from daybook.providers.port import Piece
from daybook.records import Usage

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def clock():
    return FixedClock(NOON)


@pytest.fixture
def cache(tmp_path, clock):
    made = ResponseCache(tmp_path / "home" / "answers.sqlite", seconds=60, room=1000, clock=clock)
    yield made
    made.close()


def answer(size=10, text="", model="m-1", reason="stop"):
    return KeptAnswer(data=b"x" * size, text=text, served_model=model, finish_reason=reason)


def test_an_answer_is_kept_to_the_end_of_its_time(cache, clock):
    """To the last moment before it, with all that is known of it; not at it."""
    kept = answer(text="Grüße 東京", model=None, reason="length")
    cache.keep("a", kept, None)
    clock.at = NOON + timedelta(seconds=59, microseconds=999_000)
    assert cache.find("a") == kept
    clock.at = NOON + timedelta(seconds=60)
    assert cache.find("a") is None


def test_a_later_answer_takes_the_place_of_an_earlier_one(cache, clock):
    """And its time begins anew; its room is counted once."""
    for second in range(0, 600, 30):
        clock.at = NOON + timedelta(seconds=second)
        cache.keep("a", answer(900, model=str(second)), None)
    clock.at += timedelta(seconds=59)
    assert cache.find("a").served_model == "570"


def test_the_oldest_go_when_the_room_is_used_up(cache, clock):
    """Ten of 100 bytes fit in 1,000; the eleventh makes room to nine tenths, from the oldest on."""
    for i in range(10):
        clock.at = NOON + timedelta(seconds=i)
        cache.keep(f"k{i}", answer(100), None)
    assert all(cache.find(f"k{i}") for i in range(10))
    clock.at = NOON + timedelta(seconds=10)
    cache.keep("k10", answer(100), None)
    assert [i for i in range(11) if cache.find(f"k{i}")] == list(range(2, 11))


def test_what_is_over_goes_before_what_is_not(cache, clock):
    """Room is made of those that nobody will get any more, and no other is touched."""
    cache.keep("old", answer(500), None)
    clock.at = NOON + timedelta(seconds=60)
    cache.keep("new", answer(400), None)
    cache.keep("newest", answer(400), None)
    assert [bool(cache.find(key)) for key in ("old", "new", "newest")] == [False, True, True]


def test_one_that_would_fill_it_is_not_kept(cache, tmp_path, clock):
    """Over the room of all, or over a mebibyte; one of just that size is. Its text counts in bytes of UTF-8."""
    cache.keep("a", answer(1001), None)
    cache.keep("b", answer(998, text="東"), None)
    cache.keep("c", answer(997, text="東"), None)
    assert [bool(cache.find(key)) for key in "abc"] == [False, False, True]
    large = ResponseCache(tmp_path / "large.sqlite", seconds=60, room=10_000_000, clock=clock)
    large.keep("a", answer(1_048_577), None)
    large.keep("b", answer(1_048_576), None)
    assert [bool(large.find(key)) for key in "ab"] == [False, True]
    large.close()


def test_what_is_kept_of_a_person_is_erased(cache):
    """Of that person, counted; others stay, and so does what is of nobody. `clear` takes the rest."""
    for key, subject in (("a", "s1"), ("b", "s1"), ("c", "s2"), ("d", None)):
        cache.keep(key, answer(), subject)
    assert (cache.erase("s1"), cache.erase("s1"), cache.erase("s9")) == (2, 0, 0)
    assert [bool(cache.find(key)) for key in "abcd"] == [False, False, True, True]
    assert (cache.clear(), cache.clear()) == (2, 0)
    assert cache.find("c") is None


@pytest.mark.parametrize("erase", [lambda cache: cache.erase("s1"), lambda cache: cache.clear()])
def test_what_was_erased_is_in_no_file(cache, tmp_path, clock, erase):
    """Not one byte of it, while the file is open and used by two, whose log is emptied; nor once it is closed."""
    other = ResponseCache(tmp_path / "home" / "answers.sqlite", seconds=60, room=10**6, clock=clock)
    cache.keep("a", answer(text="the secret of Ada"), "s1")
    assert other.find("a").text == "the secret of Ada"
    assert erase(cache) == 1
    for done in (lambda: None, cache.close, other.close):
        done()
        written = {path.name: path.read_bytes() for path in (tmp_path / "home").iterdir()}
        assert "answers.sqlite" in written
        assert [name for name, data in written.items() if b"secret of Ada" in data] == []


def test_what_was_erased_is_in_no_page_that_was_divided(tmp_path, clock):
    """Of these rows a page that was divided keeps copies in its unused part, which deleting does not reach."""
    path, rng = tmp_path / "answers.sqlite", random.Random(277)
    cache = ResponseCache(path, seconds=60, room=10**7, clock=clock)
    people = []
    for _ in range(40):
        people.append(rng.choice(("Ada", "Bob")))
        key = f"{rng.getrandbits(64):x}"
        data = rng.randbytes(rng.choice([5, 50, 300, 900, 3000]))
        text = f"the secret of {people[-1]}"
        kept = KeptAnswer(data=data, text=text, served_model=None, finish_reason="stop")
        cache.keep(key, kept, people[-1])
    assert cache.erase("Ada") == people.count("Ada")
    assert (b"secret of Ada" in path.read_bytes(), b"secret of Bob" in path.read_bytes()) == (False, True)
    cache.close()


@pytest.mark.parametrize("how", ["replaced", "over", "oldest"])
def test_what_makes_room_for_others_leaves_nothing_behind(cache, tmp_path, clock, how):
    """An answer that another took the place of, one whose time is over and the oldest: none is in the closed file."""
    cache.keep("a", answer(500, text="the secret of Ada"), None)
    clock.at = NOON + timedelta(seconds=60 if how == "over" else 1)
    cache.keep("a" if how == "replaced" else "b", answer(900), None)
    cache.close()
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["answers.sqlite"]
    assert b"secret of Ada" not in (tmp_path / "home" / "answers.sqlite").read_bytes()


def test_two_processes_share_the_file(cache, tmp_path, clock):
    """What one keeps the other finds, and both count its room."""
    other = ResponseCache(tmp_path / "home" / "answers.sqlite", seconds=60, room=1000, clock=clock)
    cache.keep("a", answer(600), None)
    assert other.find("a") == answer(600)
    clock.at = NOON + timedelta(seconds=1)
    other.keep("b", answer(600), None)
    assert cache.find("a") is None
    assert cache.find("b") == answer(600)
    other.close()


async def test_a_kept_stream_is_one_last_piece(cache):
    """Whoever sends it knows that its call must be entered before: nothing comes after it."""
    cache.keep("a", answer(text="Well.", reason="length"), None)
    request = SimpleNamespace(no_cache=False)
    entry = SimpleNamespace(request=request, cache_hit=False)

    async def nobody():
        raise AssertionError

    stream = await CachedAsking(cache, lambda *_: None).stream(entry, "a", nobody)
    pieces = [piece async for piece in stream]
    assert pieces == [
        Piece(
            data=b"x" * 10, last=True, text="Well.", deltas=1, usage=Usage(input_tokens=0, output_tokens=0),
            served_model="m-1", finish_reason="length",
        )
    ]  # fmt: skip
    assert (entry.cache_hit, stream.attempts, stream.limits) == (True, 0, ())
    await stream.aclose()


@pytest.mark.parametrize("content", [b"no database" * 500, None])
def test_a_file_that_cannot_be_used_says_so(tmp_path, clock, content):
    """No database, or a folder in its place: its name, and that it may be removed."""
    path = tmp_path / "answers.sqlite"
    path.mkdir() if content is None else path.write_bytes(content)
    cache = ResponseCache(path, seconds=60, room=1000, clock=clock)
    for use in (lambda: cache.find("a"), lambda: cache.keep("a", answer(), None), lambda: cache.erase("s")):
        with pytest.raises(BookUnreachable, match=r"answers\.sqlite") as caught:
            use()
        assert "remove the file" in caught.value.remedy
