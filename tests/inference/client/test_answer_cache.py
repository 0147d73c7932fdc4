"""Kept answers: read by those who ask the same again, and by nobody else unless content is kept."""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path

import pytest

from daybook.inference.client.answer_cache import AnswerCache, CachedAnswer, key
from daybook.settings import Settings

BODY = {"model": "m", "messages": [{"role": "user", "content": "Where does Ada live?"}]}
ANSWER = CachedAnswer(
    text="At 12 Example Street, \ud83d.",
    model="m-1",
    input_tokens=5,
    output_tokens=7,
    cost=Decimal("0.0012"),
    latency=0.5,
    finish_reason="stop",
    truncated=False,
    call_id="c1",
)
PLAIN = CachedAnswer(text="At 12 Example Street.", cost=None)
EMPTY = CachedAnswer(text="")


@pytest.mark.parametrize(
    ("answer", "content"), [(ANSWER, False), *((answer, c) for answer in (PLAIN, EMPTY) for c in (True, False))]
)
def test_the_same_question_finds_its_answer_in_another_process(answer, content, tmp_path):
    """Every field of it, with content kept or not; half an emoji too where it is sealed."""
    path = tmp_path / "answers.jsonl"
    AnswerCache(path, content=content).put(key(BODY), answer)
    for later in (True, False):
        again = AnswerCache(path, content=later)
        assert again.get(key(BODY)) == answer
        assert again.get(key(BODY, "other weights")) is None
        assert again.torn == 0


def test_nothing_of_question_or_answer_can_be_read_where_content_is_not_kept(tmp_path):
    """Neither the text, nor its digest, nor the name under which it is asked for; what it took can."""
    path = tmp_path / "answers.jsonl"
    cache = AnswerCache(path)
    cache.put(key(BODY), PLAIN)
    cache.put(key(BODY, sample=1), PLAIN)
    text = path.read_text()
    assert "Example" not in text
    assert "Ada" not in text
    assert key(BODY) not in text
    first, second = map(json.loads, text.splitlines())
    assert first["text"] != second["text"]  # one answer to two questions is not seen to be one
    assert len(base64.b64decode(first["text"])) == len(PLAIN.text) + 28
    assert path.stat().st_mode & 0o777 == 0o600


def test_content_is_kept_where_it_may_be(tmp_path):
    """As it came."""
    path = tmp_path / "answers.jsonl"
    AnswerCache(path, content=True).put(key(BODY), PLAIN)
    assert json.loads(path.read_text())["text"] == PLAIN.text


@pytest.mark.parametrize("text", ["", "AAAA", "not base64!", base64.b64encode(b"x" * 60).decode()])
def test_a_sealed_answer_that_cannot_be_opened_is_asked_for_again(text, tmp_path):
    """Counted like a torn line; the new answer takes its place."""
    path = tmp_path / "answers.jsonl"
    AnswerCache(path).put(key(BODY), PLAIN)
    row = json.loads(path.read_text()) | {"text": text}
    path.write_text(json.dumps(row) + "\n")
    cache = AnswerCache(path)
    assert (cache.get(key(BODY)), cache.torn) == (None, 1)
    cache.put(key(BODY), PLAIN)
    assert AnswerCache(path).get(key(BODY)) == PLAIN


def test_in_memory_nothing_is_written(tmp_path: Path):
    """No path, no file."""
    cache = AnswerCache(None)
    cache.put("q", PLAIN)
    assert cache.get("q") == PLAIN
    assert list(tmp_path.iterdir()) == []


def test_the_answers_of_a_home_are_its_owners_and_follow_its_settings(tmp_path):
    """Their folder is made for the owner alone; content is kept where the settings say so."""
    for content in (False, True):
        settings = Settings.from_env(
            {"DAYBOOK_HOME": str(tmp_path / str(content)), "DAYBOOK_CONTENT": str(int(content))}, cwd=tmp_path
        )
        cache = AnswerCache.of(settings)
        assert cache.path == settings.home / "evaluation" / "answers.jsonl"
        cache.put(key(BODY), PLAIN)
        assert ("Example" in cache.path.read_text()) == content
        assert cache.path.parent.stat().st_mode & 0o777 == 0o700


def test_a_torn_line_is_counted_and_the_next_begins_on_its_own(tmp_path):
    """What a kill left is skipped; what is kept after it is found."""
    path = tmp_path / "answers.jsonl"
    path.write_bytes(b'{"key": "half')
    cache = AnswerCache(path)
    cache.put(key(BODY), PLAIN)
    assert path.read_bytes().startswith(b'{"key": "half\n{"key":"')
    again = AnswerCache(path)
    assert (again.get(key(BODY)), again.torn) == (PLAIN, 1)


def test_a_blank_line_is_no_torn_one(tmp_path):
    """Nothing was lost with it."""
    path = tmp_path / "answers.jsonl"
    AnswerCache(path).put(key(BODY), PLAIN)
    path.write_bytes(b"\n" + path.read_bytes() + b"\n\n")
    cache = AnswerCache(path)
    assert (cache.get(key(BODY)), cache.torn) == (PLAIN, 0)
