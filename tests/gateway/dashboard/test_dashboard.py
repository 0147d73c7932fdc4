"""`/` for a browser: signing in, what is shown to whom, and the page in a real browser."""

from __future__ import annotations

import dataclasses
import http.client
import json
import os
import subprocess
import sys
import urllib.parse
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openai
import pytest

from daybook.book import Book
from daybook.records import Call, Run
from daybook.routing.deployments import Deployments
from tests.fakes.browser import CHROMIUM, browser
from tests.gateway.conftest import catalogue_over, served, settings_in

HELLO = [{"role": "user", "content": "How are you?"}]
PARTS = ("hour", "day", "today", "deployments", "alerts", "reports")
LIMITS = """\
everyone: {budget: {day: 10}}
keys:
  ada: {budget: {day: 0.5, month: 2}}
  other: {budget: {day: 1}}
"""


@pytest.fixture(scope="module")
def endpoint(upstream, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    (settings.home / "limits.yml").write_text(LIMITS)
    with served(settings, catalogue_over(upstream.url, settings.home)) as running:
        yield running


@pytest.fixture(scope="module")
def admin(endpoint):
    return endpoint.keys.create("ops", admin=True, actor="test")


def ask(endpoint, path, *, method="GET", accept="text/html", cookie=None, body=None, key=None):
    """(status, headers, body) of a request that follows nothing."""
    where = urllib.parse.urlsplit(endpoint.url)
    connection = http.client.HTTPConnection(where.hostname, where.port, timeout=20)
    headers = {"accept": accept} | ({"cookie": cookie} if cookie else {})
    headers |= {"authorization": f"Bearer {key}"} if key else {}
    headers |= {"content-type": "application/x-www-form-urlencoded"} if body is not None else {}
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    data = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, data


def keep(name, picture):
    """What the page looked like, for people."""
    assert picture.startswith(b"\x89PNG")
    if folder := os.environ.get("DAYBOOK_PICTURES"):
        (Path(folder) / name).write_bytes(picture)


def sign_in(endpoint, secret):
    status, headers, _ = ask(endpoint, "/sign-in", method="POST", body=urllib.parse.urlencode({"key": secret}))
    assert (status, headers["location"]) == (303, "/")
    return headers["set-cookie"]


def figures(endpoint, cookie):
    status, _, data = ask(endpoint, "/dashboard.json", cookie=cookie)
    assert status == 200
    return json.loads(data)


def test_who_has_not_signed_in_gets_the_sign_in_page(endpoint):
    """A browser, and with a cookie that nobody gave; a program gets what it always got, and figures need a key."""
    for cookie in (None, "daybook_session=", "daybook_session=x", "daybook_session=../keys"):
        status, headers, page = ask(endpoint, "/", cookie=cookie)
        assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert 'action="/sign-in"' in page
        assert "dashboard.js" not in page
        assert ask(endpoint, "/dashboard.json", cookie=cookie)[0] == 401
    status, _, data = ask(endpoint, "/", accept="application/json")
    assert json.loads(data) == {
        "name": "Daybook", "openai_base_url": "/v1", "docs": "/docs", "health": "/health/ready"
    }  # fmt: skip


def test_a_key_opens_a_session_that_does_not_hold_it(endpoint):
    """The cookie is for this host alone, no script reads it, no other site sends it; it ends within 12 hours."""
    cookie = sign_in(endpoint, endpoint.key.secret)
    value, *flags = cookie.split("; ")
    assert flags == ["Max-Age=43200", "Path=/", "HttpOnly", "SameSite=Strict"]
    assert endpoint.key.secret not in cookie
    assert len(value) > len("daybook_session=") + 40
    status, _, page = ask(endpoint, "/", cookie=value)
    assert (status, 'src="/dashboard.js"' in page) == (200, True)
    kept = "".join(path.read_text() for path in (endpoint.settings.home / "sessions").iterdir())
    assert endpoint.key.secret not in kept
    assert value.partition("=")[2] not in kept
    assert figures(endpoint, value)["viewer"] == {"name": "ada", "admin": False}


@pytest.mark.parametrize("form", ["", "key=", "key=db-nobody", "other=1", "key=%ff%00", "key=a&key=b", "[]"])
def test_what_is_no_key_opens_nothing(endpoint, form):
    """401, the page says so and repeats nothing, and no cookie is set."""
    status, headers, page = ask(endpoint, "/sign-in", method="POST", body=form)
    assert (status, headers["set-cookie"]) == (401, None)
    assert "not valid here" in page
    assert "nobody" not in page


def test_a_form_has_room_for_a_key_and_no_more(endpoint):
    """4,096 bytes are read, 4,097 are not."""
    assert ask(endpoint, "/sign-in", method="POST", body="key=" + "a" * 4092)[0] == 401
    assert ask(endpoint, "/sign-in", method="POST", body="key=" + "a" * 4093)[0] == 413


def test_signing_out_ends_the_session_everywhere(endpoint):
    """The cookie goes, and a copy of it opens nothing."""
    cookie = sign_in(endpoint, endpoint.key.secret).partition(";")[0]
    status, headers, _ = ask(endpoint, "/sign-out", method="POST", cookie=cookie, body="")
    assert (status, headers["location"]) == (303, "/")
    assert headers["set-cookie"] == "daybook_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict"
    assert ask(endpoint, "/dashboard.json", cookie=cookie)[0] == 401


def test_a_revoked_key_ends_its_sessions(endpoint):
    """At the next look."""
    issued = endpoint.keys.create("short", actor="test")
    cookie = sign_in(endpoint, issued.secret).partition(";")[0]
    assert figures(endpoint, cookie)["viewer"] == {"name": "short", "admin": False}
    endpoint.keys.revoke(issued.key.id, actor="test")
    assert ask(endpoint, "/dashboard.json", cookie=cookie)[0] == 401
    assert 'action="/sign-in"' in ask(endpoint, "/", cookie=cookie)[2]


@pytest.mark.parametrize("path", ["/", "/dashboard.css", "/dashboard.js"])
def test_the_page_may_ask_nobody_else(endpoint, path):
    """Its own script and style, no inline ones, no frame around it."""
    headers = ask(endpoint, path)[1]
    assert headers["content-security-policy"] == (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")


def test_a_key_sees_its_own_money_and_an_admin_everybodys(endpoint, admin):
    """Budgets and spending by whose they are; reports are for admins; a program's key works as a cookie does."""
    own = figures(endpoint, sign_in(endpoint, endpoint.key.secret).partition(";")[0])
    assert [(row["scope"], row["window"], row["budget_usd"]) for row in own["budgets"]] == [
        ("key ada", "day", "0.5"), ("key ada", "month", "2"),
    ]  # fmt: skip
    assert (own["today"]["of"], own["reports"]) == ("key ada", None)
    everything = json.loads(ask(endpoint, "/dashboard.json", key=admin.secret)[2])
    assert [row["scope"] for row in everything["budgets"]] == ["key ada", "key ada", "key other", "everyone"]
    assert (everything["today"]["of"], everything["reports"]) == ("everyone", [])
    assert everything["viewer"] == {"name": "ops", "admin": True}


@pytest.fixture
def day(fresh, tmp_path):
    """An endpoint with a day's work in the book: three answers, a failure, a deployment, a report."""
    with fresh(env={"DAYBOOK_BOOK": f"duckdb:///{tmp_path}/book.duckdb"}) as endpoint:
        (endpoint.settings.home / "limits.yml").write_text("everyone: {budget: {day: 10}, unpriced: allow}\n")
        client = endpoint.client()
        for _ in range(3):
            client.chat.completions.create(model="good", messages=HELLO)
        with pytest.raises(openai.APIStatusError):
            client.chat.completions.create(model="refuses", messages=HELLO)
        endpoint.book()
        now = datetime.now(UTC)
        with Book(endpoint.settings.book_url, endpoint.settings.home) as book:
            book.append(
                Run(id="r1", notebook="costs", logical_date=date(2026, 11, 20), state="completed", started_at=now,
                    seconds=1.0, parameters={}, window_start=now - timedelta(days=1), window_end=now,
                    source_digest="sha256:00")
            )  # fmt: skip
            deployments = Deployments(book, endpoint.parts.clock, check=endpoint.parts.catalogue.resolve)
            versions = {"v1": "good", "v2": "raw"}
            deployments.create("helper", strategy="ab", versions=versions, weights={"v1": 50, "v2": 50}, actor="test")
        yield endpoint


def test_the_figures_are_the_books(day):
    """Requests, failures and latency of the last hour; calls without a price have no cost, and it is not 0."""
    admin = day.keys.create("ops", admin=True, actor="test")
    state = json.loads(ask(day, "/dashboard.json", key=admin.secret)[2])
    for window in ("hour", "day"):
        assert (state[window]["requests"], state[window]["failed"], state[window]["success"]["value"]) == (4, 1, 0.75)
        assert 0 < state[window]["p50"] <= state[window]["p95"] < 60
    assert (state["today"]["calls"], state["today"]["unpriced"], state["today"]["cost_usd"]) == (4, 4, None)
    assert (state["open_calls"], state["health"]["status"]) == (0, "ready")
    assert state["health"]["upstreams"]["fake"]["state"] == "ok"
    (deployment,) = state["deployments"]
    assert (deployment["name"], deployment["strategy"], deployment["percent"]) == (
        "helper", "ab", {"v1": "50", "v2": "50"}
    )  # fmt: skip
    (report,) = state["reports"]
    assert (report["notebook"], report["logical_date"], report["state"]) == ("costs", "2026-11-20", "completed")
    assert state["alerts"] == []


def test_nothing_spent_is_0_and_known(fresh):
    """A day without a call cost nothing."""
    with fresh() as endpoint:
        state = json.loads(ask(endpoint, "/dashboard.json", key=endpoint.key.secret)[2])
    assert (state["today"]["calls"], state["today"]["cost_usd"]) == (0, "0")
    assert (state["hour"]["requests"], state["hour"]["p95"]) == (0, None)


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
async def test_in_a_browser_one_signs_in_sees_the_figures_and_signs_out(day, tmp_path):
    """With keyboard and button, on a desk and on a phone, light and dark; nothing is wider than the screen, no other
    host is asked, and the console has nothing to complain of. DAYBOOK_PICTURES: where to keep what it looked like."""
    admin = day.keys.create("ops", admin=True, actor="test")
    async with browser(tmp_path / "profile") as page:
        await page.open(day.url)
        await page.until("document.querySelector('#key') && true")
        await page.run(f"document.querySelector('#key').value = '{admin.secret}'")
        await page.run("document.querySelector('form').requestSubmit()")
        await page.until("document.body && document.body.dataset.shown")
        text = await page.run("document.body.innerText")
        assert await page.run("location.pathname + location.search") == "/"
        for shown in ("ops (admin)", "ready", "4", "25.0 % in 24 h", "unknown", "helper (A/B)", "v1 50 % · v2 50 %",
                      "costs, 2026-11-20", "everyone, today", "$0 of $10.00"):  # fmt: skip
            assert shown in text
        assert await page.run("document.querySelector('#spent').textContent") == "unknown"
        for width in (1280, 390):
            for dark in (False, True):
                await page.show(width=width, dark=dark)
                assert await page.run("document.documentElement.scrollWidth") <= width
                keep(f"dashboard-{width}-{'dark' if dark else 'light'}.png", await page.picture())
        await page.run("document.querySelector('#leave').requestSubmit()")
        await page.until("document.querySelector('#key') && true")
        keep("sign-in-390-dark.png", await page.picture())
        hosts = {urllib.parse.urlsplit(url).netloc for url in page.requests if not url.startswith("data:")}
        assert hosts - {""} == {urllib.parse.urlsplit(day.url).netloc}
        assert not any(admin.secret in url for url in page.requests)
        assert page.faults == []


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine")
async def test_the_page_of_all_routes_fits_a_phone(endpoint, tmp_path):
    """Nothing of `/docs` is wider than the screen."""
    async with browser(tmp_path / "profile") as page:
        await page.show(width=390)
        await page.open(f"{endpoint.url}/docs")
        await page.until("document.querySelectorAll('h2').length > 20")
        keep("docs-390.png", await page.picture())
        assert await page.run("document.documentElement.scrollWidth") == 390


def test_while_the_book_cannot_be_read_its_parts_are_unknown(day):
    """A foreign program holds it: what the endpoint knows is shown, the rest is null; then all is there."""
    path = day.settings.book_url.removeprefix("duckdb:///")
    day.parts.open_book = lambda: Book(day.settings.book_url, day.settings.home, patience=0.2)
    program = f"import duckdb, sys; c = duckdb.connect({path!r}); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        state = json.loads(ask(day, "/dashboard.json", key=day.key.secret)[2])
        holder.stdin.close()
    assert {name: state[name] for name in PARTS} == dict.fromkeys(PARTS)
    assert (state["open_calls"], state["health"]["upstreams"]["fake"]["state"]) == (0, "ok")
    assert json.loads(ask(day, "/dashboard.json", key=day.key.secret)[2])["hour"]["requests"] == 4


def test_an_hour_is_an_hour_and_a_day_is_a_day(day):
    """A call of 90 minutes ago is one of the day's alone."""
    with Book(day.settings.book_url, day.settings.home) as book:
        (row,) = book.rows("select * from calls where status = 'ok' order by time limit 1")
        names = {field.name for field in dataclasses.fields(Call)} & set(row)
        at = row["time"] - timedelta(minutes=90)
        book.append(Call(**{name: row[name] for name in names} | {"id": "older", "at": at}))
    state = json.loads(ask(day, "/dashboard.json", key=day.key.secret)[2])
    assert (state["hour"]["requests"], state["day"]["requests"]) == (4, 5)
