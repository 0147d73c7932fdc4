"""`daybook cache`: what is erased is counted, and nobody else's."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from click.testing import CliRunner

from daybook.cli.endpoint.cache import cache
from daybook.clock import FixedClock
from daybook.inference.response_cache import FILE, KeptAnswer, ResponseCache
from daybook.pii.pseudonyms import Pseudonyms


@pytest.fixture
def kept(tmp_path):
    """Answers of two persons and of nobody, in a home."""
    clock = FixedClock(datetime(2026, 11, 27, tzinfo=UTC))
    store = ResponseCache(tmp_path / FILE, seconds=60, room=10_000, clock=clock)
    of = Pseudonyms(tmp_path / "pseudonyms.key").of
    answer = KeptAnswer(data=b"x", text="x", served_model=None, finish_reason="stop")
    for key, subject in (("a", of("ada")), ("b", of("ada")), ("c", of("bob")), ("d", None)):
        store.keep(key, answer, subject)
    yield store
    store.close()


def run(home, *words):
    result = CliRunner().invoke(cache, words, env={"DAYBOOK_HOME": str(home)})
    assert result.exit_code == 0, result.output
    return result.output


def test_a_person_is_erased(kept, tmp_path):
    """Ada's two answers; Bob's and nobody's stay."""
    assert run(tmp_path, "erase", "ada") == "2 answers erased.\n"
    assert run(tmp_path, "erase", "ada") == "0 answers erased.\n"
    assert [bool(kept.find(key)) for key in "abcd"] == [False, False, True, True]
    assert run(tmp_path, "erase", "bob") == "1 answer erased.\n"


def test_all_are_erased(kept, tmp_path):
    """Whosever they are."""
    assert run(tmp_path, "clear") == "4 answers erased.\n"
    assert not any(kept.find(key) for key in "abcd")


@pytest.mark.parametrize("words", [("erase", "ada"), ("clear",)])
def test_where_none_were_kept_none_are_erased_and_no_file_is_made(tmp_path, words):
    """A home that keeps no answers stays as it was."""
    assert run(tmp_path, *words) == "0 answers erased.\n"
    assert list(tmp_path.iterdir()) == []
