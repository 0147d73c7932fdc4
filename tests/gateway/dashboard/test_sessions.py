"""Sessions: worth what their token is, for as long as they last, in every process."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from daybook.gateway.dashboard.sessions import Sessions

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    def __init__(self):
        self.at = NOW

    def now(self):
        return self.at

    def monotonic(self):
        return self.at.timestamp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(tmp_path, clock):
    return Sessions(tmp_path / "home" / "sessions", clock)


def test_a_session_is_its_keys_and_known_to_every_process(sessions, tmp_path, clock):
    """Two sessions of two keys; another reader of the same folder knows them; nobody else may read it."""
    first, second = sessions.begin("k1"), sessions.begin("k2")
    assert first != second
    other = Sessions(tmp_path / "home" / "sessions", clock)
    assert (other.key_id(first), other.key_id(second)) == ("k1", "k2")
    folder = tmp_path / "home" / "sessions"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_a_session_lasts_twelve_hours(sessions, clock):
    """To the microsecond before, and not at the hour itself; the next one to begin removes it."""
    token = sessions.begin("k1")
    clock.at = NOW + timedelta(hours=12) - timedelta(microseconds=1)
    assert sessions.key_id(token) == "k1"
    clock.at = NOW + timedelta(hours=12)
    assert sessions.key_id(token) is None
    sessions.begin("k2")
    clock.at = NOW
    assert sessions.key_id(token) is None


def test_ending_one_leaves_the_others(sessions):
    """Also one that is none."""
    first, second = sessions.begin("k1"), sessions.begin("k1")
    sessions.end(first)
    sessions.end(first)
    sessions.end("none")
    assert (sessions.key_id(first), sessions.key_id(second)) == (None, "k1")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"key": "k1"}',
        '{"key": "k1", "ends": 5}',
        '{"key": "k1", "ends": "never"}',
        '{"ends": "2026-11-21T00:00:00+00:00"}',
    ],
)
def test_a_file_that_is_no_session_opens_nothing(sessions, tmp_path, content):
    """And does not keep others from signing in; it is removed."""
    token = sessions.begin("k1")
    (path,) = (tmp_path / "home" / "sessions").iterdir()
    assert set(json.loads(path.read_text())) == {"key", "ends"}
    path.write_text(content)
    assert sessions.key_id(token) is None
    assert sessions.key_id(sessions.begin("k2")) == "k2"
    assert not path.exists()
