"""Limits and budgets over the served endpoint: refused with the figures, settled by what is in the book."""

from __future__ import annotations

import contextlib
import threading
from decimal import Decimal

import httpx
import openai
import pytest

from daybook.access.allowance import usage_ledger
from daybook.providers.catalogue import Catalogue
from tests.fakes.redis_process import RedisProcess
from tests.gateway.conftest import served, settings_in

HELLO = [{"role": "user", "content": "How are you?"}]
MODELS = """\
upstreams:
  local: {{kind: echo, machine: {{usd_per_hour: 0.01}}}}
  openai: {{base_url: {url}, attempts: 1}}
models:
  priced: {{upstream: openai, target: gpt-4o-mini}}
  unknown: {{upstream: openai, target: nobody-knows}}
  silent: {{upstream: openai, target: silent, deadline: 0.2}}
"""
CENT = Decimal("0.0000048")
"""What each answer of the fake costs at gpt-4o-mini's rate: 12 tokens in at 0.15 and 5 out at 0.60 USD a million."""


@pytest.fixture
def limited(upstream, tmp_path):
    """`with limited(text) as endpoint`: an endpoint under these limits, its key called `ada`."""

    def start(text, **env):
        settings = settings_in(tmp_path, **env)
        settings.home.mkdir(parents=True, mode=0o700, exist_ok=True)
        settings.models.write_text(MODELS.format(url=upstream.url))
        (settings.home / "limits.yml").write_text(text)
        models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
        return served(settings, models)

    return start


def ask(endpoint, model="priced", **options):
    options = {"messages": HELLO, "max_tokens": 10} | options
    return endpoint.client().chat.completions.with_raw_response.create(model=model, **options)


def events(endpoint, action):
    from daybook.book import Book

    book = Book(endpoint.settings.book_url, endpoint.settings.home)
    try:
        return book.rows("select * from events where action = :action order by time, id", {"action": action})
    finally:
        book.close()


def test_rates_are_said_with_each_answer_and_refused_with_the_figures(limited):
    """Two requests a minute: the third is a 429 with Retry-After, entered in the book; nobody is asked for it."""
    with limited("keys: {ada: {requests_per_minute: 2, tokens_per_minute: 1000}}") as endpoint:
        headers = [ask(endpoint).headers for _ in range(2)]
        assert [h["x-ratelimit-remaining-requests"] for h in headers] == ["1", "0"]
        assert {h["x-ratelimit-limit-requests"] for h in headers} == {"2"}
        assert {h["x-ratelimit-limit-tokens"] for h in headers} == {"1000"}
        assert headers[0]["x-ratelimit-reset-requests"] == "30.000s"
        with pytest.raises(openai.RateLimitError) as caught:
            ask(endpoint)
        assert "key ada may use 2 requests a minute, and has used them." in caught.value.message
        assert caught.value.code == "rate_limit_exceeded"
        assert 1 <= int(caught.value.response.headers["retry-after"]) <= 30
        rows = endpoint.book()
        assert [(row["status"], row["http_status"]) for row in rows] == [("ok", 200), ("ok", 200), ("error", 429)]
        assert rows[2]["provider"] is None


def test_tokens_of_a_minute_are_what_was_counted(limited):
    """17 tokens an answer, streamed or not, whatever was asked for at most."""
    with limited("projects: {lab: {tokens_per_minute: 6000}}") as endpoint:
        left = []
        for stream in (False, True, False):
            raw = ask(endpoint, stream=stream, max_tokens=1000, extra_headers={"x-daybook-project": "lab"})
            if stream:
                list(raw.parse())
            left.append(int(raw.headers["x-ratelimit-remaining-tokens"]))
        assert 4980 <= left[0] <= 5000
        assert left[0] - 25 <= left[1] <= left[0] + 60
        ask(endpoint)  # of no project: not limited


@pytest.fixture
def redis(tmp_path):
    process = RedisProcess(tmp_path)
    process.start()
    yield process
    process.stop()


def test_a_redis_that_is_gone_is_a_503_until_it_is_back(limited, redis):
    """Nobody asks the upstream meanwhile; who has no limits is served, and the reason is in the log."""
    with limited("keys: {ada: {parallel: 5}}", DAYBOOK_REDIS=redis.url) as endpoint:
        ask(endpoint)
        redis.stop()
        with pytest.raises(openai.InternalServerError) as caught:
            ask(endpoint)
        assert (caught.value.status_code, caught.value.code) == (503, "limits_unreadable")
        assert [line["message"] for line in endpoint.log if "redis.sock cannot be used" in line.get("message", "")]
        other = endpoint.keys.create("bob", actor="test").secret
        endpoint.client(other).chat.completions.create(model="priced", messages=HELLO)
        redis.start()
        ask(endpoint)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_parallel_calls_of_a_budget_cannot_overrun_it(limited, redis, stream, shared):
    """200 threads, each with one answer; the budget is for a few at their most: what was spent is what the book
    says, at or under the budget, and not a call more was let in than it holds."""
    env = {"DAYBOOK_REDIS": redis.url} if shared else {}
    with limited("keys: {ada: {budget: {day: 0.00048}}}", **env) as endpoint:
        answered, turned_away = [], []
        client = endpoint.client().with_options(timeout=300)

        def one() -> None:
            with contextlib.suppress(openai.RateLimitError):
                answer = client.chat.completions.create(model="priced", messages=HELLO, max_tokens=10, stream=stream)
                if stream:
                    list(answer)
                answered.append(answer)
                return
            turned_away.append(1)

        threads = [threading.Thread(target=one) for _ in range(200)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(300)
        assert len(answered) + len(turned_away) == 200
        spent = sum(row["cost"] for row in endpoint.book() if row["status"] == "ok")
        assert spent == len(answered) * CENT
        assert spent <= Decimal("0.00048")
        assert turned_away
        scope = endpoint.parts.admission.file.all()[0]
        allowance = endpoint.parts.admission.allowance
        zone = endpoint.parts.admission.file.zone
        with contextlib.closing(type(allowance)(usage_ledger(endpoint.settings))) as ledger:
            assert ledger.spent(scope, "day", at=endpoint.parts.clock.now(), zone=zone) == (spent, 0)


def test_a_budget_says_what_is_spent_and_does_not_ask_to_be_tried_again(limited):
    """429 with the figures; `insufficient_quota`, and x-should-retry: false, so that no client hammers."""
    with limited("everyone: {budget: {month: 0.00001}}") as endpoint:
        with pytest.raises(openai.RateLimitError) as caught:
            ask(endpoint)
        assert (caught.value.code, caught.value.type) == ("insufficient_quota", "rate_limit_error")
        assert "The month's budget of everyone is 0.00001 USD: 0.000000 are spent" in caught.value.message
        assert caught.value.response.headers["x-should-retry"] == "false"


def test_what_has_no_price_is_refused_under_a_budget(limited):
    """Own hardware with a price by the hour has one: its reservation is for ten minutes."""
    with limited("keys: {ada: {budget: {day: 1}}}") as endpoint:
        with pytest.raises(openai.RateLimitError, match="cannot hold for openai/nobody-knows"):
            ask(endpoint, "unknown")
        assert ask(endpoint, "local/echo").status_code == 200


def test_what_may_be_billed_counts_at_its_most(limited):
    """A call that ran into its deadline: its cost is not known, so its reservation stays spent."""
    text = "keys: {ada: {budget: {day: 1}, unpriced: allow, tokens_per_minute: 100000}}"
    with limited(text) as endpoint:
        with pytest.raises(openai.APIStatusError):
            ask(endpoint, "silent", max_tokens=50_000)
        raw = ask(endpoint)
        assert int(raw.headers["x-ratelimit-remaining-tokens"]) < 95_000  # 50,000 and what a minute gave back


def test_a_budget_begins_with_what_the_book_has_of_its_window(limited):
    """Limits that come later count what was spent before, and say at which shares they stand."""
    with limited("everyone: {parallel: 5}") as endpoint:
        for _ in range(3):
            ask(endpoint)
        (endpoint.settings.home / "limits.yml").write_text("keys: {ada: {budget: {day: 0.00006}}}")
        with pytest.raises(openai.RateLimitError, match=r"0\.000014 are spent"):
            ask(endpoint, max_tokens=100)
        assert events(endpoint, "budget.reached") == []
        ask(endpoint, max_tokens=1, messages=[{"role": "user", "content": "?"}])
        (endpoint.settings.home / "limits.yml").write_text("keys: {ada: {budget: {day: 0.00003, week: 1}}}")
        ask(endpoint, max_tokens=1, messages=[{"role": "user", "content": "?"}])
        told = events(endpoint, "budget.reached")
        assert [(event["object"], event["details"]["percent"], event["details"]["window"]) for event in told] == [
            ("key ada", 80, "day")
        ]
        assert (told[0]["details"]["spent"], told[0]["details"]["budget"]) == ("0.000024", "0.00003")


@pytest.mark.parametrize("text", ["keys: 5", "keys: {ada: {parallel: 0}}"])
def test_limits_that_cannot_be_read_let_nobody_in(limited, text):
    """503, and the log says why; once mended the next request passes."""
    with limited(text) as endpoint:
        with pytest.raises(openai.InternalServerError, match="cannot be known now") as caught:
            ask(endpoint)
        assert caught.value.status_code == 503
        assert any("limits.yml" in line.get("message", "") for line in endpoint.log)
        (endpoint.settings.home / "limits.yml").write_text("{}")
        assert ask(endpoint).status_code == 200


def test_embeddings_and_tasks_are_under_the_same_limits(limited):
    """One key, one minute."""
    with limited("keys: {ada: {requests_per_minute: 2}}") as endpoint:
        client = endpoint.client()
        ask(endpoint)
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="local/echo", input="a")
        with pytest.raises(openai.RateLimitError):
            client.embeddings.create(model="local/echo", input="a")
        with pytest.raises(openai.RateLimitError):
            client.post("../ml/hf/embed", body={"text": "a"}, cast_to=object)


def test_a_tasks_texts_are_counted_however_they_are_sent(limited):
    """`text` or `texts`, and an answer of each that is summarized; under a budget the task's own model costs nothing,
    and a body that cannot be meant is a 400 all the same."""
    with limited("keys: {ada: {tokens_per_request: 200}}") as endpoint:
        headers = {"authorization": f"Bearer {endpoint.key.secret}"}

        def post(task, **body):
            return httpx.post(f"{endpoint.url}/ml/hf/{task}", json=body, headers=headers).status_code

        long = "word " * 200
        assert [post("embed", text=long), post("embed", texts=[long]), post("embed", texts=["a", long])] == [413] * 3
        assert post("summarize", model="priced", texts=["a"] * 3) == 413
        assert post("summarize", model="priced", texts=["a"] * 2) == 200
        assert post("summarize", model="priced", text="a", max_tokens=300) == 413
        (endpoint.settings.home / "limits.yml").write_text("keys: {ada: {budget: {day: 0.00002}}}")
        assert post("summarize", model="priced", texts=["a"]) == 429
        for body in ({}, {"text": "a", "model": 5}, {"text": "a", "model": "priced"}, {"texts": {"a": 1}}):
            assert post("classify", **body) == 400


def test_who_leaves_frees_the_place(limited, upstream):
    """A client that hangs up on an open stream: its place of one is free for the next."""
    with limited("keys: {ada: {parallel: 1}}") as endpoint:
        stream = endpoint.client().chat.completions.create(model="openai/endless", messages=HELLO, stream=True)
        next(iter(stream))
        with pytest.raises(openai.RateLimitError, match="has 1 calls open"):
            ask(endpoint)
        stream.close()
        endpoint.until(lambda: endpoint.parts.answerer.recorder.open == 0)
        assert ask(endpoint).status_code == 200


def test_what_a_policy_makes_longer_is_within_the_budget_too(limited, upstream, tmp_path):
    """Pseudonyms take more room than what they stand for: refused where the body that would go out may cost too much,
    though the one that came would not; nobody is asked, and nothing stays held."""
    with limited("keys: {ada: {budget: {day: 0.001}}}") as endpoint:
        policy = endpoint.settings.home / "redaction.yml"
        people = [{"role": "user", "content": " ".join(f"a{n}@b.co" for n in range(300))}]
        asked = len(upstream.seen)
        policy.write_text("everyone: {request: pseudonym}")
        with pytest.raises(openai.RateLimitError) as caught:
            ask(endpoint, messages=people)
        assert caught.value.code == "insufficient_quota"
        assert len(upstream.seen) == asked
        assert ask(endpoint, messages=[{"role": "user", "content": "Write to a@b.co"}]).status_code == 200
        policy.write_text("{}")
        assert ask(endpoint, messages=people).status_code == 200
        assert [row["error_kind"] for row in endpoint.book()] == ["insufficient_quota", None, None]
        allowance, file = endpoint.parts.admission.allowance, endpoint.parts.admission.file
        with contextlib.closing(type(allowance)(usage_ledger(endpoint.settings))) as ledger:
            used = ledger.spent(file.all()[0], "day", at=endpoint.parts.clock.now(), zone=file.zone)
        assert used == (2 * CENT, 0)
