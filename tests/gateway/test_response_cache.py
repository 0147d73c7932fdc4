"""Answers kept for who asks the very same again, over the served endpoint."""

from __future__ import annotations

import json
import sqlite3
from decimal import Decimal

import openai
import pytest

from daybook.access.keys import Keys
from daybook.pii.pseudonyms import Pseudonyms
from daybook.providers.catalogue import Catalogue
from tests.gateway.conftest import served, settings_in

HELLO = [{"role": "user", "content": "How are you?"}]
MODELS = """\
upstreams:
  local: {{kind: echo, machine: {{usd_per_hour: 100}}}}
  openai: {{base_url: {url}, attempts: 1}}
models:
  priced: {{upstream: openai, target: gpt-4o-mini}}
  other: {{upstream: openai, target: gpt-4o}}
  own: {{upstream: local, target: echo}}
  broken: {{upstream: openai, target: broken}}
  raw: {{upstream: openai, target: raw}}
"""


@pytest.fixture
def keeping(upstream, tmp_path):
    """`with keeping() as endpoint`: one that keeps answers, unless told otherwise."""

    def start(**env):
        settings = settings_in(tmp_path, **{"DAYBOOK_CACHE": 3600, **env})
        settings.home.mkdir(parents=True, mode=0o700, exist_ok=True)
        settings.models.write_text(MODELS.format(url=upstream.url))
        models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
        upstream.seen.clear()
        return served(settings, models)

    return start


def ask(endpoint, *, key=None, **options):
    """The bytes of the answer, and whether it says that it was kept."""
    options = {"model": "priced", "messages": HELLO, "temperature": 0} | options
    raw = endpoint.client(key).chat.completions.with_raw_response.create(**options)
    return raw.http_response.read(), raw.headers.get("x-daybook-cache")


@pytest.mark.parametrize("fixed", [{"temperature": 0}, {"temperature": 0.0}, {"temperature": 1, "seed": 7}])
@pytest.mark.parametrize("stream", [False, True])
def test_the_same_again_asks_nobody_costs_nothing_and_is_marked(keeping, upstream, stream, fixed):
    """Byte for byte the same answer, from one call of the upstream; the second row has 0 tokens at 0 dollars."""
    with keeping() as endpoint:
        (first, missed), (second, hit) = (ask(endpoint, stream=stream, **fixed) for _ in range(2))
        assert first == second
        assert (missed, hit) == (None, "hit")
        assert len(upstream.seen) == 1
        paid, free = endpoint.book()
    assert (paid["cache_hit"], paid["cost"], paid["input_tokens"], paid["attempts"]) == (
        False,
        Decimal("0.0000048"),
        12,
        1,
    )
    assert (free["cache_hit"], free["cost"], free["input_tokens"], free["output_tokens"]) == (True, 0, 0, 0)
    assert (free["status"], free["http_status"], free["stream"], free["attempts"]) == ("ok", 200, stream, 0)
    assert (free["served_model"], free["finish_reason"]) == (paid["served_model"], "stop")
    assert (free["price_source"], free["usage_reported"]) == ("cache", True)


@pytest.mark.parametrize(
    "options",
    [
        {"temperature": 0.1},
        {"temperature": 1},
        {"temperature": openai.NOT_GIVEN},
        {"n": 2},
        {"store": True},
    ],
)
def test_what_may_be_answered_otherwise_is_not_kept(keeping, upstream, options):
    """No fixed temperature or seed, several answers, or one that is to be stored: asked each time."""
    with keeping() as endpoint:
        assert [ask(endpoint, **options)[1] for _ in range(2)] == [None, None]
        assert len(upstream.seen) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"model": "other"},
        {"messages": [{"role": "user", "content": "How are you? "}]},
        {"max_tokens": 5},
        {"seed": 1},
        {"stream": True},
        {"user": "ada@example.com"},
        {"extra_headers": {"x-daybook-project": "lab"}},
    ],
)
def test_nothing_but_the_very_same_is_a_hit(keeping, upstream, change):
    """Another model, another prompt, another parameter, another person, another project."""
    with keeping() as endpoint:
        assert ask(endpoint)[1] is None
        assert ask(endpoint, **change)[1] is None
        assert ask(endpoint)[1] == "hit"
        assert ask(endpoint, **change)[1] == "hit"
        assert len(upstream.seen) == 2


def test_no_caller_gets_what_another_one_paid_for(keeping, upstream):
    """Two keys, also two of one name: each asks for itself."""
    with keeping() as endpoint:
        keys = Keys(endpoint.settings.home / "keys.json")
        others = [keys.create(name, actor="test").secret for name in ("bob", "ada")]
        assert [ask(endpoint, key=key)[1] for key in (None, *others)] == [None, None, None]
        assert [ask(endpoint, key=key)[1] for key in (None, *others)] == ["hit", "hit", "hit"]
        assert len(upstream.seen) == 3


def test_none_is_kept_where_nobody_said_so(keeping, upstream):
    """Without the setting there is no file, and each is asked."""
    with keeping(DAYBOOK_CACHE=0) as endpoint:
        assert [ask(endpoint)[1] for _ in range(2)] == [None, None]
        assert not (endpoint.settings.home / "answers.sqlite").exists()
        assert len(upstream.seen) == 2


def test_a_stream_that_broke_is_not_kept(keeping, upstream):
    """What came of it is an answer to nobody."""
    with keeping() as endpoint:
        for _ in range(2):
            stream = endpoint.client().chat.completions.create(
                model="broken", messages=HELLO, temperature=0, stream=True
            )
            with pytest.raises(openai.APIError):
                list(stream)
        assert len(upstream.seen) == 2
        assert [row["cache_hit"] for row in endpoint.book()] == [False, False]


def test_a_hit_on_own_hardware_costs_none_of_its_time(keeping):
    """100 USD an hour: the first has its share, the second none."""
    with keeping() as endpoint:
        assert [ask(endpoint, model="own")[1] for _ in range(2)] == [None, "hit"]
        paid, free = endpoint.book()
    assert paid["cost"] > 0
    assert free["cost"] == 0


def test_what_is_kept_of_a_person_is_erased_and_the_prompt_never_was_there(keeping, upstream):
    """By the pseudonym; the file names no prompt, is its owner's alone, and what others asked stays."""
    with keeping() as endpoint:
        ask(endpoint, user="ada@example.com")
        ask(endpoint)
        file = endpoint.settings.home / "answers.sqlite"
        assert file.stat().st_mode & 0o777 == 0o600
        assert b"How are you" not in file.read_bytes() + (file.parent / "answers.sqlite-wal").read_bytes()
        pseudonym = Pseudonyms(endpoint.settings.home / "pseudonyms.key").of("ada@example.com")
        from daybook.inference.wiring import response_cache

        cache = response_cache(endpoint.settings, endpoint.parts.clock)
        assert cache.erase(pseudonym) == 1
        cache.close()
        assert ask(endpoint, user="ada@example.com")[1] is None
        assert ask(endpoint)[1] == "hit"
        assert len(upstream.seen) == 3


def test_a_cache_that_cannot_be_used_is_a_miss(keeping, upstream):
    """No database there: calls are answered; that none is found there and none kept are faults, counted and logged."""
    with keeping() as endpoint:
        (endpoint.settings.home / "answers.sqlite").write_bytes(b"no database at all" * 100)
        assert [ask(endpoint)[1] for _ in range(2)] == [None, None]
        assert b'daybook_faults_total{part="cache"} 4.0\n' in endpoint.parts.metrics.text()
        faults = [line for line in endpoint.log if line["event"] == "fault"]
        assert [(line["part"], line["error"]) for line in faults] == [("cache", "BookUnreachable")] * 4
        assert [row["status"] for row in endpoint.book()] == ["ok", "ok"]


def test_answers_hold_their_kept_form_across_processes(keeping, upstream):
    """A second endpoint of the same home finds what the first one kept."""
    with keeping() as endpoint:
        first, _ = ask(endpoint)
        secret = endpoint.key.secret
    with keeping() as endpoint:
        assert ask(endpoint, key=secret) == (first, "hit")
        assert upstream.seen == []
    with sqlite3.connect(endpoint.settings.home / "answers.sqlite") as file:
        ((answer,),) = file.execute("select answer from answers").fetchall()
    assert sorted(json.loads(answer)) == ["finish_reason", "served_model", "text"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("control", "became", "then"),
    [
        ("no-cache", None, "new"),
        ("max-age=0, No-Cache", None, "new"),
        ("no-store", None, "old"),
        ("no-store, no-cache", None, "old"),
        ("max-age=0", "hit", "old"),
        ("no-cached", "hit", "old"),
    ],
)
def test_a_request_may_ask_for_a_fresh_answer(keeping, upstream, stream, control, became, then):
    """It then takes the kept one's place, unless it is not to be stored."""

    def answering(word):
        choice = {"index": 0, "finish_reason": "stop"}
        choice |= {"delta": {"content": word}} if stream else {"message": {"role": "assistant", "content": word}}
        data = json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        upstream.raw = b"data: " + data + b"\n\ndata: [DONE]\n\n" if stream else data

    with keeping() as endpoint:
        answering("old")
        ask(endpoint, model="raw", stream=stream)
        answering("new")
        data, hit = ask(endpoint, model="raw", stream=stream, extra_headers={"cache-control": control})
        assert (hit, b"new" in data) == (became, became is None)
        data, hit = ask(endpoint, model="raw", stream=stream)
        assert (hit, then.encode() in data) == ("hit", True)
