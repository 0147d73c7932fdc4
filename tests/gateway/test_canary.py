"""A canary of a running endpoint judges itself: what callers meet, what the event says, what a restart keeps."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import openai
import pytest

from daybook.book import Book
from daybook.cli import main
from daybook.clock import FixedClock, new_id
from daybook.experiment.judge import ACTOR
from daybook.providers.catalogue import Catalogue
from daybook.records import Call
from daybook.routing.deployments import Deployments
from daybook.stats.sequential import Share, share_difference
from tests.gateway.conftest import served, settings_in

HELLO = [{"role": "user", "content": "How are you?"}]
MODELS = """\
upstreams:
  fake: {{kind: openai, base_url: {url}, api_key_env: FAKE_KEY, attempts: 1}}
models:
  good: {{upstream: fake}}
  flaky: {{upstream: fake}}
"""


@pytest.fixture
def settings(upstream, tmp_path, monkeypatch):
    made = settings_in(tmp_path)
    made.home.mkdir(parents=True, mode=0o700)
    made.models.write_text(MODELS.format(url=upstream.url))
    monkeypatch.setenv("DAYBOOK_HOME", str(made.home))
    monkeypatch.setenv("FAKE_KEY", "sk-ours")
    return made


def serve(settings, **options):
    models = Catalogue.load(settings.models, {"FAKE_KEY": "sk-ours"}, home=settings.home)
    return served(settings, models, **options)


def now(settings):
    with Book(settings.book_url, settings.home) as book:
        return Deployments(book).get("chat")


def create(settings, *, at=None, **more):
    with Book(settings.book_url, settings.home) as book:
        known = {"strategy": "canary", "steps": (50, 100), "actor": "ada"}
        clock = FixedClock(at or datetime.now(UTC))
        return Deployments(book, clock).create("chat", {"v1": "good", "v2": "flaky"}, **(known | more))


def enter(settings, v1, v2, *, at):
    """So many good calls of each version, after `at`."""
    with Book(settings.book_url, settings.home) as book:
        for n in range(v1 + v2):
            book.append(
                Call(
                    id=new_id(), request_id=f"{at.timestamp()}-{n}", at=at + timedelta(milliseconds=n), caller=f"c{n}",
                    endpoint="/v1/chat/completions", requested_model="chat", variant="v1" if n < v1 else "v2",
                    status="ok", latency=0.9 + 0.02 * (n % 11), cost=Decimal("0.001"),
                )
            )  # fmt: skip


def test_a_candidate_that_errs_is_rolled_back_by_itself(settings, upstream):
    """One call in five fails: the endpoint takes it out, without anybody's help, and the event has the figures of the
    calls as the book has them. From then on callers get the version that stands."""
    upstream.flaked = 0
    create(settings)
    with serve(settings, watch_every=0.2) as endpoint:
        asked = failed = 0
        while now(settings).weights["v2"]:
            for _ in range(20):
                asked += 1
                try:
                    endpoint.client().chat.completions.create(model="chat", messages=HELLO)
                except openai.InternalServerError:
                    failed += 1
            assert asked < 2000
        (line,) = endpoint.until(lambda: [line for line in endpoint.log if line["event"] == "deployment"])
        raw = endpoint.client().chat.completions.with_raw_response
        endpoint.parts.deployments.refresh()
        for _ in range(20):
            assert raw.create(model="chat", messages=HELLO).headers["x-daybook-variant"] == "v1"
        changed = now(settings)
        kept = changed.figures
    assert (changed.action, changed.actor, changed.revision) == ("rolled_back", ACTOR, 2)
    assert (line["name"], line["action"], line["revision"]) == ("chat", "rolled_back", 2)
    with Book(settings.book_url, settings.home) as book:
        calls = book.rows("select * from calls order by time, id")
        (event,) = book.rows("select * from events where action = 'deployment.rolled_back'")
    seen = {version: kept["versions"][version] for version in ("v1", "v2")}
    assert 0 < seen["v2"]["failed"] <= sum(row["status"] == "error" for row in calls if row["variant"] == "v2")
    assert seen["v2"]["calls"] // 5 == seen["v2"]["failed"]
    assert seen["v1"]["failed"] == 0
    assert kept["calls"] == seen["v1"]["calls"] + seen["v2"]["calls"]
    shares = [Share(seen[version]["failed"], seen[version]["calls"]) for version in ("v1", "v2")]
    interval = share_difference([(shares[0], shares[1])], alpha=0.05 / 2 / 4)
    errors = kept["measures"]["errors"]
    assert (errors["low"], errors["high"]) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert (kept["criteria"], errors["state"], errors["low"] > 0) == (["errors"], "worse", True)
    assert (event["actor"], event["object"], event["details"]["figures"]) == (ACTOR, "chat", kept)
    assert event["details"]["before"]["percent"] == {"v1": "50", "v2": "50"}
    assert event["details"]["after"]["percent"] == {"v1": "100", "v2": "0"}


def test_a_good_candidate_is_live_in_the_end_and_a_restart_keeps_its_step(settings, upstream):
    """10 %, 50 %, then a new process, then all of them: each promotion by the endpoint, on the calls of its step."""
    began = datetime.now(UTC) - timedelta(hours=3)
    create(settings, at=began, steps=(10, 50, 100))
    enter(settings, 18_000, 2_000, at=began)
    with serve(settings, watch_every=0.2) as endpoint:
        endpoint.until(lambda: now(settings).revision == 2)
    stopped = now(settings)
    assert (stopped.weights, stopped.actor) == ({"v1": 5000, "v2": 5000}, ACTOR)
    with serve(settings, watch_every=0.2) as endpoint:
        assert endpoint.parts.watch.turn()
        assert now(settings) == stopped
        enter(settings, 100, 100, at=datetime.now(UTC))
        endpoint.until(lambda: [line for line in endpoint.log if line["event"] == "deployment"])
        assert now(settings).live == "v2"
        upstream.flaked = 0
        raw = endpoint.client().chat.completions.with_raw_response
        endpoint.parts.deployments.refresh()
        assert raw.create(model="chat", messages=HELLO).headers["x-daybook-variant"] == "v2"
    with Book(settings.book_url, settings.home) as book:
        history = Deployments(book).history("chat")
    assert [(r.action, r.weights["v2"], r.actor) for r in history] == [
        ("created", 1000, "ada"), ("promoted", 5000, ACTOR), ("promoted", 10_000, ACTOR),
    ]  # fmt: skip
    assert [None if r.figures is None else r.figures["calls"] for r in history] == [None, 20_000, 20_200]


def test_of_two_endpoints_of_one_home_one_looks(settings):
    """The other takes over when the first one has gone."""
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(serve(settings))
        assert first.parts.watch.turn()
        with serve(settings) as second:
            create(settings, at=datetime.now(UTC) - timedelta(hours=1))
            enter(settings, 3000, 3000, at=datetime.now(UTC) - timedelta(minutes=30))
            assert second.parts.watch.turn()
            assert now(settings).revision == 1
            stack.close()
            assert second.parts.watch.turn()
            assert now(settings).revision == 2


def test_a_look_that_fails_is_logged_once_and_made_again(settings):
    """A book that is no book: a warning, once; then it is there."""
    settings.home.joinpath("book.duckdb").write_bytes(b"no book" * 1000)
    with serve(settings) as endpoint:
        assert [endpoint.parts.watch.turn() for _ in range(3)] == [False] * 3
        lines = [line for line in endpoint.log if line["event"] == "canaries"]
        assert [line["level"] for line in lines] == ["warning"]
        settings.home.joinpath("book.duckdb").unlink()
        assert endpoint.parts.watch.turn()
        assert [line["state"] for line in endpoint.log if line["event"] == "canaries"][1:] == ["ok"]


def test_the_command_and_the_route_judge_and_show_the_same(settings, capsys):
    """`judge` says why it waits or what it did; `status` shows the trial without changing it; `automatic off` leaves it
    to people."""
    began = datetime.now(UTC) - timedelta(hours=3)
    create(settings, at=began, steps=(10, 50, 100), tolerance={"errors": 0.02})

    def run(*argv, code=0):
        capsys.readouterr()
        assert main(["deploy", *argv]) == code
        return capsys.readouterr().out

    assert run("judge", "chat") == "Cannot tell: no call of v2 or v1 since the trial began.\n"
    enter(settings, 9_000, 1_000, at=began)
    with serve(settings) as endpoint, endpoint.client()._client as http:
        headers = {"authorization": f"Bearer {endpoint.keys.create('root', admin=True, actor='test').secret}"}
        url = f"{endpoint.url}/ml/deploy"
        trial = http.get(f"{url}/status?name=chat", headers=headers).json()["deployments"][0]["trial"]
        assert trial == json.loads(run("status", "chat", "--json"))["trial"]
        assert (trial["action"], trial["calls"], trial["measures"]["errors"]["tolerated"]) == ("promote", 10_000, 0.02)
        assert f"{trial['sentence']} (the endpoint decides)" in run("status", "chat")
        asked = {"name": "chat", "action": "manual", "reason": "later"}
        off = http.post(f"{url}/update-traffic", json=asked, headers=headers).json()
        assert (off["action"], off["automatic"], off["percent"]) == ("manual", False, {"v1": "90", "v2": "10"})
        assert endpoint.parts.watch.turn()
        assert now(settings).revision == 2
        assert "(you decide: daybook deploy judge, promote or rollback)" in run("status", "chat")
        asked = {"name": "chat", "action": "judge"}
        judged = http.post(f"{url}/update-traffic", json=asked, headers=headers).json()
        assert (judged["action"], judged["percent"], judged["actor"]) == (
            "promoted",
            {"v1": "50", "v2": "50"},
            "key:root",
        )
        assert judged["trial"] == judged["figures"] == trial
    assert run("automatic", "chat", "on") == "chat automatic: v1 50 %, v2 50 %\n"
    waits = json.loads(run("judge", "chat", "--json"))
    assert (waits["action"], waits["changed"], waits["step_calls"]) == ("wait", None, 0)
    assert run("judge", "nobody", code=2) == ""


@pytest.mark.parametrize("tolerate", ["errors", "errors=much", "speed=0.1", "errors=2"])
def test_a_tolerance_that_cannot_be_meant_makes_nothing(settings, tolerate):
    """Exit code 2, and no deployment."""
    argv = ["deploy", "create", "chat", "v1=good", "v2=flaky", "--strategy", "canary", "--tolerate", tolerate]
    assert main(argv) == 2
    with Book(settings.book_url, settings.home) as book:
        assert Deployments(book).list() == []


def test_a_canary_can_be_left_to_people_from_the_start(settings):
    """`--manual`, and a tolerance of its own."""
    argv = ["deploy", "create", "chat", "v1=good", "v2=flaky", "--strategy", "canary", "--manual"]
    assert main([*argv, "--tolerate", "errors=0.02,cost=0.3"]) == 0
    made = now(settings)
    assert (made.automatic, made.tolerance) == (False, {"errors": 0.02, "cost": 0.3})


# ── several machines ──────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def machines(upstream, tmp_path, postgres_url):
    """The settings of two machines over one Postgres, each with a home of its own."""
    both = []
    for name in ("a", "b"):
        made = settings_in(tmp_path / name, DAYBOOK_BOOK=postgres_url)
        made.home.mkdir(parents=True, mode=0o700)
        made.models.write_text(MODELS.format(url=upstream.url))
        both.append(made)
    return both


def test_what_is_changed_on_one_machine_is_seen_on_the_other(machines):
    """Made, switched and removed on a: callers of b meet it, without anybody doing anything on b."""
    a, b = machines

    def variant(endpoint):
        raw = endpoint.client().chat.completions.with_raw_response
        try:
            return raw.create(model="chat", messages=HELLO).headers["x-daybook-variant"]
        except openai.NotFoundError:
            return "none"

    with serve(b, watch_every=0.1) as endpoint, Book(a.book_url, a.home) as book:
        assert variant(endpoint) == "none"
        deployments = Deployments(book)
        deployments.create("chat", {"v1": "good", "v2": "flaky"}, strategy="blue_green", actor="ada")
        endpoint.until(lambda: variant(endpoint) == "v1")
        deployments.create(
            "chat", {"v1": "good", "v3": "good"}, strategy="blue_green", live="v3", actor="ada", anew=True
        )
        endpoint.until(lambda: variant(endpoint) == "v3")
        deployments.remove("chat", actor="ada")
        endpoint.until(lambda: variant(endpoint) == "none")


def test_the_judges_of_two_machines_decide_once(machines):
    """Both look again and again; each step is one revision and one event."""
    a, b = machines
    began = datetime.now(UTC) - timedelta(hours=3)
    create(a, at=began, steps=(10, 50, 100))
    enter(a, 18_000, 2_000, at=began)
    with serve(a, watch_every=0.05) as first, serve(b, watch_every=0.05) as second:
        first.until(lambda: now(b).revision == 2)
        enter(b, 100, 100, at=datetime.now(UTC))
        second.until(lambda: now(a).live == "v2")
    with Book(a.book_url, a.home) as book:
        history = Deployments(book).history("chat")
        events = book.rows("select action, actor from events where object = 'chat' order by time, id")
    assert [(r.action, r.actor) for r in history] == [("created", "ada"), ("promoted", ACTOR), ("promoted", ACTOR)]
    assert [(e["action"], e["actor"]) for e in events] == [
        ("deployment.created", "ada"), ("deployment.promoted", ACTOR), ("deployment.promoted", ACTOR),
    ]  # fmt: skip
