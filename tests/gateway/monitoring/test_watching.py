"""Health, metrics, and the other routes that are not for callers."""

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import openai
import pytest
from prometheus_client.parser import text_string_to_metric_families

HELLO = [{"role": "user", "content": "How are you?"}]
HOLD = """
import sys, duckdb
while True:
    try:
        connection = duckdb.connect(sys.argv[1])
        break
    except duckdb.IOException:
        pass  # a drain has it just now
print("held", flush=True)
sys.stdin.read()
"""


def get(endpoint, path, **headers):
    request = urllib.request.Request(endpoint.url + path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@pytest.mark.parametrize("path", ["/health/live", "/health/ready"])
def test_head_is_answered_with_a_head_and_the_connection_goes_on(endpoint, path):
    """Load balancers ask so: no body, the length that a GET has, and the next request on the same connection."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(endpoint.url).netloc, timeout=10)
    answers = []
    for method in ("HEAD", "HEAD", "GET"):
        connection.request(method, path)
        answer = connection.getresponse()
        answers.append((answer.status, answer.headers["content-type"], len(answer.read())))
    connection.close()
    assert [(status, kind) for status, kind, _ in answers] == [(200, "application/json")] * 3
    assert [size > 0 for _, _, size in answers] == [False, False, True]


def ready(endpoint):
    status, body = get(endpoint, "/health/ready")
    return status, json.loads(body)


def samples(endpoint):
    """(name, labels) → value of everything at /metrics."""
    text = get(endpoint, "/metrics")[1].decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(endpoint, name, **labels):
    wanted = set(labels.items())
    return sum(value for (n, given), value in samples(endpoint).items() if n == name and wanted <= set(given))


# ── health ────────────────────────────────────────────────────────────────────────────────────────────


def test_live_says_only_that_the_process_answers(endpoint):
    """200 whatever the state of the parts."""
    assert get(endpoint, "/health/live") == (200, b'{"status":"alive"}')


def test_ready_names_each_part_with_its_state(endpoint):
    """Journal, book and each upstream; no path, no URL."""
    status, body = ready(endpoint)
    assert (status, body["status"]) == (200, "ready")
    assert body["checks"]["journal"]["state"] == "ok"
    assert body["checks"]["upstreams"]["fake"]["state"] == "ok"
    assert str(endpoint.settings.home) not in str(body)
    assert "http" not in str(body)


def test_with_no_upstream_left_the_endpoint_is_unusable(fresh):
    """503, and the upstream is named as unavailable; the process still answers."""
    with fresh(upstream_url="http://127.0.0.1:9/v1") as endpoint:
        status, body = ready(endpoint)
        assert (status, body["status"]) == (503, "unusable")
        assert body["checks"]["upstreams"]["fake"]["state"] == "unavailable"
        assert get(endpoint, "/health/live")[0] == 200


@pytest.mark.slow
def test_a_book_held_by_a_foreign_process_stops_nothing(fresh):
    """Another program holds the database file: calls are answered and entered, readiness says locked and stays 200;
    when the file is let go, the entries go into the book."""
    with fresh(drain_every=0.05) as endpoint:
        client = endpoint.client()
        client.chat.completions.create(model="good", messages=HELLO)
        endpoint.until(lambda: ready(endpoint)[1]["checks"]["book"]["moved"] >= 1)
        file = endpoint.settings.book_url.removeprefix("duckdb:///")
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            assert holder.stdout.readline() == "held\n"
            client.chat.completions.create(model="good", messages=HELLO)
            endpoint.until(lambda: ready(endpoint)[1]["checks"]["book"]["state"] == "locked", 30)
            status, body = ready(endpoint)
            assert (status, body["status"]) == (200, "degraded")
            client.chat.completions.create(model="good", messages=HELLO)
        finally:
            holder.stdin.close()
            holder.wait(10)
        endpoint.until(lambda: ready(endpoint)[1]["checks"]["book"]["moved"] >= 3, 60)
        assert len(endpoint.book()) == 3


# ── metrics ───────────────────────────────────────────────────────────────────────────────────────────


def test_calls_tokens_and_refusals_are_counted(endpoint):
    """One answered call adds one call, its tokens, one request; a refused one adds its error kind."""
    client = endpoint.client()
    before = samples(endpoint)
    client.chat.completions.create(model="good", messages=HELLO)
    list(client.chat.completions.create(model="good", messages=HELLO, stream=True))
    with pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="down", messages=HELLO)

    def more(name, **labels):
        wanted = set(labels.items())
        now = total(endpoint, name, **labels)
        return now - sum(v for (n, given), v in before.items() if n == name and wanted <= set(given))

    assert more("daybook_calls_total", model="good", status="ok") == 2
    assert more("daybook_calls_total", model="down", error_kind="unavailable") == 1
    assert more("daybook_tokens_total", model="good", type="input", counted="reported") == 24
    assert more("daybook_tokens_total", model="good", type="output", counted="reported") == 10
    assert more("daybook_call_seconds_count", model="good") == 2
    assert more("daybook_first_token_seconds_count", model="good") == 1
    assert more("daybook_unpriced_calls_total", model="good") == 2
    assert more("daybook_requests_total", route="/v1/chat/completions", status="503") == 1
    assert more("daybook_calls_open") == 0


def test_labels_are_bounded_whatever_callers_ask_for(endpoint):
    """A thousand random names, callers' texts and paths make no new series: they are one model called unknown."""
    client = endpoint.client()
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model="first", messages=HELLO)
    get(endpoint, "/first")
    samples(endpoint)  # a reading is a request too, and counted after it was answered
    before = set(samples(endpoint))
    with client.with_options(max_retries=0) as one:
        for i in range(1000):
            with pytest.raises(openai.NotFoundError):
                one.chat.completions.create(model=f"random-{i}", messages=HELLO, user=f"u{i}", metadata={f"k{i}": "v"})
    for i in range(50):
        get(endpoint, f"/random/{i}")
    assert set(samples(endpoint)) == before
    assert total(endpoint, "daybook_calls_total", model="unknown") >= 1001
    assert b"random" not in get(endpoint, "/metrics")[1]


def test_a_histogram_reaches_ten_minutes(endpoint):
    """Local models are slow; a histogram that ends at 10 s would show nothing of them."""
    endpoint.client().chat.completions.create(model="good", messages=HELLO)
    bounds = {dict(given)["le"] for (name, given) in samples(endpoint) if name == "daybook_call_seconds_bucket"}
    assert "600.0" in bounds


# ── who may look ──────────────────────────────────────────────────────────────────────────────────────


def test_on_an_address_others_can_reach_metrics_need_a_key(fresh):
    """Health stays open: a load balancer has no key."""
    with fresh(exposed=True) as endpoint:
        assert get(endpoint, "/metrics")[0] == 401
        assert get(endpoint, "/metrics", authorization=f"Bearer {endpoint.key.secret}")[0] == 200
        assert get(endpoint, "/health/live")[0] == 200


def test_the_description_has_the_hot_path_though_no_framework_serves_it(endpoint):
    """/openapi.json describes chat completions with their errors."""
    document = json.loads(get(endpoint, "/openapi.json")[1])
    chat = document["paths"]["/v1/chat/completions"]["post"]
    assert {"200", "400", "401", "404", "429", "507"} <= set(chat["responses"])
    assert "/v1/models" in document["paths"]


def test_the_front_page_points_on(endpoint):
    """JSON to programs, a page to browsers."""
    assert b'"openai_base_url":"/v1"' in get(endpoint, "/")[1]
    assert b"<h1" in get(endpoint, "/", accept="text/html")[1]
