"""Deployments as callers and operators meet them: served, split, changed by key and by command, in the book."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import httpx
import openai
import pytest

from daybook.book import Book
from daybook.cli import main
from daybook.providers.catalogue import Catalogue
from daybook.routing.split import point
from tests.gateway.conftest import served, settings_in

HELLO = [{"role": "user", "content": "How are you?"}]
MODELS = """\
upstreams:
  local: {{kind: echo}}
  own: {{kind: echo, machine: {{usd_per_hour: 0.36}}}}
  fake: {{kind: openai, base_url: {url}, api_key_env: FAKE_KEY, attempts: 1}}
models:
  good: {{upstream: fake}}
  gone: {{upstream: fake, fallback: [good]}}
  down: {{upstream: fake}}
  silent: {{upstream: fake}}
  endless: {{upstream: fake}}
  echo: {{upstream: local, target: echo}}
"""


@pytest.fixture
def endpoint(upstream, tmp_path, monkeypatch):
    settings = settings_in(tmp_path)
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=upstream.url))
    monkeypatch.setenv("DAYBOOK_HOME", str(settings.home))
    monkeypatch.setenv("FAKE_KEY", "sk-ours")
    models = Catalogue.load(settings.models, {"FAKE_KEY": "sk-ours"}, home=settings.home)
    with served(settings, models) as running:
        yield running


@pytest.fixture
def admin(endpoint):
    key = endpoint.keys.create("root", admin=True, actor="test")
    with httpx.Client(base_url=endpoint.url, headers={"authorization": f"Bearer {key.secret}"}, timeout=30) as client:
        yield client


@pytest.fixture
def deploy(capsys, endpoint):
    """Runs `daybook deploy …`, and has the endpoint see it at once; what it printed, on either output."""

    def run(*argv: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["deploy", *argv]) == code
        endpoint.parts.deployments.refresh()
        printed = capsys.readouterr()
        return printed.out + printed.err

    return run


def ask(endpoint: Any, model: str = "chat", session: str | None = None, **more: Any) -> Any:
    tags = {} if session is None else {"extra_headers": {"x-daybook-tags": f"session={session}"}}
    return endpoint.client().chat.completions.create(model=model, messages=HELLO, **tags, **more)


def variants(endpoint: Any) -> list[str | None]:
    return [row["variant"] for row in sorted(endpoint.book(), key=lambda row: row["id"])]


def test_an_ab_from_command_to_book(endpoint, deploy):
    """Made by a command while the endpoint runs, asked for by name, split by session as the hash says, entered under
    the deployment's name with its version; other weights hold from the next call on."""
    with pytest.raises(openai.NotFoundError):
        ask(endpoint)
    out = deploy("create", "chat", "v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1=60,v2=40")
    assert out == "chat created: v1 60 %, v2 40 %\n"
    sessions = [f"s{n}" for n in range(12)] * 2
    for session in sessions:
        ask(endpoint, session=session, stream=session == "s1")
    rows = sorted((row for row in endpoint.book() if row["status"] == "ok"), key=lambda row: row["id"])
    expected = ["v2" if point("chat", session) < 4000 else "v1" for session in sessions]
    assert set(expected) == {"v1", "v2"}
    assert [row["variant"] for row in rows] == expected
    assert {row["requested_model"] for row in rows} == {"chat"}
    assert {(row["variant"], row["provider"]) for row in rows} == {("v1", "fake"), ("v2", "local")}
    assert {row["endpoint"] for row in rows} == {"/v1/chat/completions"}
    labels = 'daybook_calls_total{error_kind="",model="chat",provider="local",status="ok"}'
    assert f"{labels} {expected.count('v2')}.0" in endpoint.parts.metrics.text().decode()
    assert deploy("weights", "chat", "v1=0", "v2=100", "--reason", "all of it") == "chat weights: v2 100 %\n"
    for session in sessions:
        ask(endpoint, session=session)
    assert variants(endpoint)[-len(sessions) :] == ["v2"] * len(sessions)


def test_the_endpoint_sees_a_change_by_itself(endpoint):
    """Made, changed and removed by a command: asked for again and again, the name comes, changes its version and goes,
    without anybody telling the endpoint. By a route it holds with the next call."""
    command = ["deploy", "create", "chat", "v1=good", "v2=echo", "--strategy", "blue_green"]
    assert main(command) == 0
    seen = endpoint.client().chat.completions.with_raw_response

    def variant() -> str | None:
        try:
            return seen.create(model="chat", messages=HELLO).headers["x-daybook-variant"]
        except openai.NotFoundError:
            return "none"

    endpoint.until(lambda: variant() == "v1")
    assert main(["deploy", "switch", "chat", "v2"]) == 0
    endpoint.until(lambda: variant() == "v2")
    key = endpoint.keys.create("root", admin=True, actor="test")
    body = {"name": "chat", "action": "switch", "version": "v1"}
    headers = {"authorization": f"Bearer {key.secret}"}
    assert httpx.post(f"{endpoint.url}/ml/deploy/update-traffic", json=body, headers=headers).status_code == 200
    assert variant() == "v1"
    assert main(["deploy", "remove", "chat"]) == 0
    endpoint.until(lambda: variant() == "none")


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_says_which_version_gave_it(endpoint, deploy, stream):
    """Whole and streamed, a fallback's too; what no deployment routed says nothing of the kind."""
    raw = endpoint.client().chat.completions.with_raw_response
    deploy("create", "chat", "v1=gone", "v10=echo", "--strategy", "blue_green")
    answer = raw.create(model="chat", messages=HELLO, stream=stream)
    answer.http_response.read() if stream else answer.parse()
    assert (answer.headers["x-daybook-variant"], answer.headers["x-daybook-model"]) == ("v1", "good")
    deploy("switch", "chat", "v10")
    answer = raw.create(model="chat", messages=HELLO, stream=stream)
    answer.http_response.read() if stream else answer.parse()
    assert answer.headers["x-daybook-variant"] == "v10"
    plain = raw.create(model="good", messages=HELLO, stream=stream)
    plain.http_response.read() if stream else plain.parse()
    assert "x-daybook-variant" not in plain.headers


def test_calls_that_say_no_session_are_split_one_by_one(endpoint, deploy):
    """By their request's id, so that the shares come out without anybody's help."""
    deploy("create", "chat", "v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1=50,v2=50")
    for _ in range(30):
        ask(endpoint)
    rows = endpoint.book()
    assert [row["variant"] for row in rows] == [
        "v2" if point("chat", row["request_id"]) < 5000 else "v1" for row in rows
    ]
    assert set(Counter(row["variant"] for row in rows)) == {"v1", "v2"}


@pytest.mark.parametrize("sticky", ["caller", "user"])
def test_a_caller_or_a_user_keeps_a_version(endpoint, deploy, sticky):
    """By the key's public id, or the request's `user`: whoever it is gets the version of the hash, every time."""
    deploy(
        "create", "chat", "v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1=50,v2=50", "--sticky", sticky
    )  # fmt: skip
    keys = [endpoint.keys.create(f"c{n}", actor="test") for n in range(6)]
    expected = []
    for n, key in enumerate(keys * 2):
        person = f"person-{n % 6}"
        endpoint.client(key.secret).chat.completions.create(model="chat", messages=HELLO, user=person)
        expected.append("v2" if point("chat", key.key.id if sticky == "caller" else person) < 5000 else "v1")
    assert variants(endpoint) == expected


def test_a_fallback_of_a_version_is_of_that_version(endpoint, deploy):
    """The attempt and the answer are rows of the version that the caller was given; the deployment fell back."""
    deploy("create", "chat", "v1=gone", "v2=echo", "--strategy", "ab", "--weights", "v1=100,v2=0")
    raw = endpoint.client().chat.completions.with_raw_response.create(model="chat", messages=HELLO)
    assert (raw.headers["x-daybook-fallback-from"], raw.headers["x-daybook-model"]) == ("chat", "good")
    rows = sorted(endpoint.book(), key=lambda row: row["id"])
    assert [(row["status"], row["variant"], row["fallback_from"], row["requested_model"]) for row in rows] == [
        ("retried", "v1", None, "chat"), ("ok", "v1", "chat", "chat"),
    ]  # fmt: skip


def test_a_deployment_may_have_the_name_of_a_model(endpoint, deploy):
    """Its callers need not change anything; a version of that name is the model itself, so nothing runs in a circle."""
    deploy("create", "good", "v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1=100,v2=0")
    ask(endpoint, "good")
    assert [(row["variant"], row["served_model"]) for row in endpoint.book()] == [("v1", "good-1")]
    assert deploy("remove", "good", "--reason", "over") == "good removed\n"
    ask(endpoint, "good")
    assert variants(endpoint) == ["v1", None]


def test_models_lists_deployments_first(endpoint, deploy):
    """One entry a name, owned by `deployment`; from the moment that it is made to the moment that it is removed."""
    deploy("create", "chat", "v1=good", "v2=echo", "--strategy", "canary")
    deploy("create", "good", "v1=good", "v2=echo", "--strategy", "canary")
    listed = [(model.id, model.owned_by) for model in endpoint.client().models.list()]
    assert listed[:2] == [("chat", "deployment"), ("good", "deployment")]
    assert [name for name, _ in listed].count("good") == 1
    assert endpoint.client().models.retrieve("chat").owned_by == "deployment"
    deploy("remove", "chat")
    with pytest.raises(openai.NotFoundError):
        endpoint.client().models.retrieve("chat")


# ── commands ──────────────────────────────────────────────────────────────────────────────────────────


def test_status_shows_the_shares_and_every_change(endpoint, deploy):
    """For people and as JSON; the list has one line a deployment."""
    assert deploy("list").startswith("No deployment yet. Make one: daybook deploy create NAME")
    deploy("create", "chat", "v1=good", "v2=echo", "--strategy", "canary", "--reason", "new model")
    deploy("promote", "chat")
    table = deploy("list").splitlines()
    assert table[0].split() == ["name", "strategy", "percent", "live", "candidate", "sticky", "revision"]
    assert table[1].split() == ["chat", "canary", "v1", "95,", "v2", "5", "v1", "v2", "session", "r2"]
    lines = deploy("status", "chat").splitlines()
    assert [line.split() for line in lines[3:6]] == [
        ["version", "model", "percent"], ["v1", "good", "95", "live"], ["v2", "echo", "5", "candidate"],
    ]  # fmt: skip
    assert lines[7] == "Cannot tell: no call of v2 or v1 since the trial began. (the endpoint decides)"
    assert lines[9].startswith("r1  ")
    assert "created: v1 99 %, v2 1 % by cli:" in lines[9]
    assert lines[9].endswith(": new model")
    assert "promoted: v1 95 %, v2 5 % by cli:" in lines[10]
    row = json.loads(deploy("status", "chat", "--json"))
    assert (row["percent"], [past["action"] for past in row["history"]]) == (
        {"v1": "95", "v2": "5"}, ["created", "promoted"],
    )  # fmt: skip
    assert [row["name"] for row in json.loads(deploy("list", "--json"))] == ["chat"]


def test_each_strategy_has_its_commands(endpoint, deploy):
    """What each prints; a shadow says where the copies go."""
    assert deploy("create", "a", "v1=good", "v2=echo", "--strategy", "blue_green") == "a created: v1 100 %\n"
    assert deploy("switch", "a", "v2") == "a switched: v2 100 %\n"
    assert deploy("rollback", "a") == "a rolled back: v1 100 %\n"
    out = deploy("create", "b", "v1=good", "v2=echo", "--strategy", "shadow", "--budget", "2.5")
    assert out == "b created: v1 100 %, copies to v2\n"
    assert json.loads(deploy("promote", "b", "--json"))["live"] == "v2"
    deploy("create", "c", "v1=good", "v2=echo", "--strategy", "canary", "--steps", "10,100", "--live", "v2")
    assert deploy("status", "c").splitlines()[4].split() == ["v1", "good", "10", "candidate"]
    out = deploy("create", "c", "v1=good", "v3=echo", "--strategy", "canary", "--candidate", "v1", "--live", "v3",
                 "--anew")  # fmt: skip
    assert out == "c replaced: v1 1 %, v3 99 %\n"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1=60,v2=60"], "sum to 120, not to 100"),
        (["v1=good", "v2=nobody", "--strategy", "canary"], "No model is called 'nobody'"),
        (["v1=good", "v2", "--strategy", "canary"], "'v2' is not VERSION=MODEL."),
        (["v1=good", "v1=echo", "--strategy", "canary"], "v1 is given twice."),
        (["v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1"], "'v1' is not VERSION=PERCENT."),
        (["v1=good", "v2=echo", "--strategy", "canary", "--steps", "a"], "The steps 'a' are not whole numbers"),
        (["v1=good", "v2=echo", "--strategy", "shadow", "--budget", "much"], "The budget 'much' is no amount"),
    ],
)
def test_a_command_that_cannot_be_meant_makes_nothing(endpoint, deploy, argv, message):
    """Exit code 2, the numbers, and no deployment."""
    assert message in deploy("create", "chat", *argv, code=2)
    assert json.loads(deploy("list", "--json")) == []


# ── routes ────────────────────────────────────────────────────────────────────────────────────────────


def test_every_key_may_look_and_an_admin_key_may_change(endpoint, admin, deploy):
    """No key: 401; a key without the right: 403; who changed it is in the history by the key's name."""
    deploy("create", "chat", "v1=good", "v2=echo", "--strategy", "ab", "--weights", "v1=90,v2=10")
    plain = {"authorization": f"Bearer {endpoint.key.secret}"}
    change = {"name": "chat", "action": "weights", "weights": {"v1": 50, "v2": 50.0}, "reason": "half"}
    assert httpx.get(f"{endpoint.url}/ml/deploy/status").status_code == 401
    (row,) = httpx.get(f"{endpoint.url}/ml/deploy/status", headers=plain).json()["deployments"]
    assert (row["name"], row["percent"]) == ("chat", {"v1": "90", "v2": "10"})
    assert "history" not in row
    refused = httpx.post(f"{endpoint.url}/ml/deploy/update-traffic", json=change, headers=plain)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "admin_key_needed")
    changed = admin.post("/ml/deploy/update-traffic", json=change)
    assert (changed.status_code, changed.json()["percent"]) == (200, {"v1": "50", "v2": "50"})
    (row,) = admin.get("/ml/deploy/status?name=chat").json()["deployments"]
    assert [(past["action"], past["reason"]) for past in row["history"]] == [("created", None), ("weights", "half")]
    assert row["history"][1]["actor"] == "key:root"


def test_every_change_of_traffic_can_be_made_over_http(endpoint, admin, deploy):
    """Promote, roll back and switch; a revision that is no longer the newest is a 409 that changes nothing."""
    deploy("create", "c", "v1=good", "v2=echo", "--strategy", "canary")
    deploy("create", "b", "v1=good", "v2=echo", "--strategy", "blue_green")

    def change(status: int = 200, **body: Any) -> Any:
        answer = admin.post("/ml/deploy/update-traffic", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    assert change(name="c", action="promote", revision=1)["percent"] == {"v1": "95", "v2": "5"}
    assert "changed in the meantime" in change(409, name="c", action="promote", revision=1)["error"]["message"]
    assert change(name="c", action="rollback", reason="bad")["percent"] == {"v1": "100", "v2": "0"}
    assert change(name="b", action="switch", version="v2")["live"] == "v2"
    assert change(name="b", action="rollback")["live"] == "v1"
    assert change(404, name="d", action="promote")["error"]["message"].startswith("No deployment is called 'd'")
    assert change(400, name="b", action="promote")["error"]["message"].startswith("b is a blue_green")
    assert admin.get("/ml/deploy/status?name=d").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"action": "promote"}, "name"),
        ({"name": "c"}, "action"),
        ({"name": "c", "action": "remove"}, "action"),
        ({"name": "c", "action": "weights"}, "weights"),
        ({"name": "c", "action": "weights", "weights": []}, "weights"),
        ({"name": "c", "action": "switch"}, "version"),
        ({"name": "c", "action": "promote", "version": "v2"}, "version"),
        ({"name": "c", "action": "switch", "version": "v2", "weights": {"v1": 1}}, "weights"),
        ({"name": "c", "action": "promote", "revision": True}, "revision"),
        ({"name": 3, "action": "promote"}, "name"),
        ({"name": "c", "action": "promote", "force": True}, "force"),
    ],
)
def test_a_change_that_cannot_be_meant_names_its_field(endpoint, admin, body, param):
    """400, before the book is opened."""
    refused = admin.post("/ml/deploy/update-traffic", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)


def test_the_routes_are_described_and_counted_as_themselves(endpoint, admin):
    """In the OpenAPI page with an example and their errors; in the metrics under their own route."""
    paths = admin.get("/openapi.json").json()["paths"]
    status, update = paths["/ml/deploy/status"]["get"], paths["/ml/deploy/update-traffic"]["post"]
    assert set(status["responses"]) == {"200", "401", "403", "404", "503"}
    assert set(update["responses"]) == {"200", "400", "401", "403", "404", "409", "413", "503", "507"}
    assert update["requestBody"]["content"]["application/json"]["example"]["action"] == "weights"
    admin.get("/ml/deploy/status")
    assert 'daybook_requests_total{route="/ml/deploy/status",status="200"}' in admin.get("/metrics").text
    assert admin.post("/ml/deploy/update-traffic", content=b"x" * 65_537).status_code == 413


# ── in flight, and in the shadow ──────────────────────────────────────────────────────────────────────


def copies(endpoint: Any) -> list[dict[str, Any]]:
    return [row for row in endpoint.book() if row["endpoint"] == "shadow"]


def outcomes(endpoint: Any, outcome: str) -> float:
    name = f'daybook_shadow_copies_total{{model="chat",outcome="{outcome}"}} '
    lines = [line for line in endpoint.parts.metrics.text().decode().splitlines() if line.startswith(name)]
    return float(lines[0].removeprefix(name)) if lines else 0.0


def test_a_stream_under_way_finishes_where_it_began(endpoint, deploy):
    """A switch while it is being read changes the next call, not this one."""
    deploy("create", "chat", "v1=endless", "v2=echo", "--strategy", "blue_green")
    stream = ask(endpoint, stream=True)
    chunks = iter(stream)
    for _ in range(3):
        next(chunks)
    deploy("switch", "chat", "v2")
    assert ask(endpoint).choices[0].message.content == "How are you?"
    assert "on" in "".join(next(chunks).choices[0].delta.content or "" for _ in range(5))
    stream.close()
    endpoint.until(lambda: len(endpoint.book()) == 2)
    assert sorted(variants(endpoint)) == ["v1", "v2"]


@pytest.mark.parametrize("stream", [False, True])
def test_a_shadow_gets_a_copy_that_nobody_sees(endpoint, deploy, stream):
    """Its row has the request's id, the candidate's version and no caller; it is no traffic in any figure."""
    deploy("create", "chat", "v1=echo", "v2=good", "--strategy", "shadow")
    answer = ask(endpoint, stream=stream, **({"stream_options": {"include_usage": True}} if stream else {}))
    text = (
        "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)
        if stream
        else answer.choices[0].message.content
    )
    assert text == "How are you?"
    endpoint.until(lambda: outcomes(endpoint, "answered") == 1)
    (copy,) = copies(endpoint)
    (call,) = (row for row in endpoint.book() if row["endpoint"] != "shadow")
    assert (copy["request_id"], copy["prompt_hash"]) == (call["request_id"], call["prompt_hash"])
    facts = ("variant", "requested_model", "served_model", "status", "stream", "caller", "key_id", "input_tokens")
    assert [copy[name] for name in facts] == ["v2", "chat", "good-1", "ok", False, None, None, 12]
    assert (call["variant"], call["caller"]) == ("v1", "ada")
    text = endpoint.parts.metrics.text().decode()
    assert 'daybook_calls_total{error_kind="",model="chat",provider="fake",status="shadow"} 1.0' in text
    assert 'daybook_call_seconds_count{model="chat",stream="no"} 1.0' in text or stream
    book = Book(endpoint.settings.book_url, endpoint.settings.home)
    window = {"start": datetime(2020, 1, 1, tzinfo=UTC), "end": datetime(2100, 1, 1, tzinfo=UTC)}
    try:
        assert list(book.query("traffic_calls", **window)["calls"]) == [1]
        assert set(book.query("traffic_measured", **window)["n"]) == {1}
    finally:
        book.close()


def test_what_a_candidate_does_is_no_matter_of_the_callers(endpoint, deploy):
    """One that hangs delays nobody; once the queue is full copies are dropped, and counted."""
    deploy("create", "chat", "v1=echo", "v2=silent", "--strategy", "shadow")
    for _ in range(70):
        assert ask(endpoint).choices[0].message.content == "How are you?"
    assert outcomes(endpoint, "dropped") == 70 - 2 - 64
    assert outcomes(endpoint, "answered") == 0
    assert len([row for row in endpoint.book() if row["status"] == "ok"]) == 70


def test_a_copy_that_fails_is_a_row_and_a_count(endpoint, deploy):
    """`gone` has a fallback for callers; a copy is of the candidate alone. What was not answered is not copied."""
    deploy("create", "chat", "v1=echo", "v2=gone", "--strategy", "shadow")
    ask(endpoint)
    endpoint.until(lambda: outcomes(endpoint, "failed") == 1)
    assert [(row["status"], row["error_kind"], row["variant"]) for row in copies(endpoint)] == [
        ("error", "model_not_found", "v2")
    ]
    deploy("create", "chat", "v1=echo", "v3=down", "--strategy", "shadow", "--live", "v3", "--anew")
    with pytest.raises(openai.InternalServerError):
        ask(endpoint)
    assert len(copies(endpoint)) == 1
    assert [outcomes(endpoint, outcome) for outcome in ("answered", "failed", "dropped")] == [0, 1, 0]


@pytest.mark.parametrize(
    ("candidate", "budget", "became"),
    [
        ("own/m", "0.06", ["answered", "over_budget"]),
        ("own/m", "0.059999", ["over_budget", "over_budget"]),
        ("own/m", "1", ["answered", "answered"]),
        ("good", "2.50", ["over_budget", "over_budget"]),
    ],
)
def test_copies_keep_to_their_own_budget(endpoint, deploy, candidate, budget, became):
    """What one may cost at most must fit: ten minutes of a machine at 0.36 USD/h are 0.06 USD, so after the first there
    is no room for a second. One whose price is not known never fits."""
    deploy("create", "chat", "v1=echo", f"v2={candidate}", "--strategy", "shadow", "--budget", budget)
    for n in range(2):
        ask(endpoint)
        endpoint.until(lambda n=n: outcomes(endpoint, "answered") + outcomes(endpoint, "over_budget") == n + 1, 20)
    assert {outcome: outcomes(endpoint, outcome) for outcome in ("answered", "over_budget")} == {
        outcome: became.count(outcome) for outcome in ("answered", "over_budget")
    }
    assert len(copies(endpoint)) == became.count("answered")
