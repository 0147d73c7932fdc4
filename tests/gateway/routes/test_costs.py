"""`/ml/cost/*` over the served endpoint: exact money, measured recommendations, prompts that keep their meaning."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import httpx
import pytest

from daybook.clock import new_id
from daybook.gateway.routes import costs
from daybook.records import Finding


def ask(endpoint, what, body, *, key=True, **options):
    headers = {"authorization": f"Bearer {endpoint.key.secret}"} if key else {}
    return httpx.post(f"{endpoint.url}/ml/cost/{what}", headers=headers, json=body, timeout=60, **options)


MINI = {"model": "gpt-4o-mini", "provider": "openai"}


def test_a_call_is_estimated_to_the_last_digit(endpoint):
    """2,000 tokens in at 0.15 USD a million, 500 of them cached at 0.075, 300 out at 0.60: 0.0004425 USD, not a
    thousandth of it; 1,000 such calls, a thousand times that."""
    body = MINI | {"input_tokens": 2000, "cached_tokens": 500, "output_tokens": 300, "on": "2026-11-20"}
    answer = ask(endpoint, "estimate", body).json()
    assert (answer["input_usd"], answer["output_usd"], answer["total_usd"]) == ("0.0002625", "0.00018", "0.0004425")
    assert answer["tokens"] == {"input": 2000, "cached": 500, "output": 300, "estimated": False}
    assert answer["rate"].startswith("openai/gpt-4o-mini input 0.15 cached 0.075 output 0.6 USD/MTok")
    assert answer["source"].startswith("genai-prices")
    assert (answer["provider"], answer["model"], answer["on"], answer["calls"]) == (
        "openai", "gpt-4o-mini", "2026-11-20", 1
    )  # fmt: skip
    many = ask(endpoint, "estimate", body | {"calls": 1000}).json()
    assert (many["input_usd"], many["output_usd"], many["total_usd"]) == ("0.2625", "0.18", "0.4425")


def test_a_text_is_weighed_and_said_to_be(endpoint):
    """41 bytes are 11 tokens, flagged as an estimate; the batch rate is half."""
    answer = ask(endpoint, "estimate", MINI | {"text": "x" * 41, "batch": True}).json()
    assert answer["tokens"] == {"input": 11, "cached": 0, "output": 0, "estimated": True}
    assert (answer["total_usd"], answer["note"]) == ("0.000000825", "the token counts are estimates")


def test_a_model_served_here_is_priced_as_it_is_booked(endpoint):
    """The embedded echo is free by a rate that says so; what no book knows is 404, never 0 and never 200."""
    free = ask(endpoint, "estimate", {"model": "gpt-4o-mini", "input_tokens": 1_000_000}).json()
    assert (free["provider"], free["total_usd"]) == ("openai", "0.15")
    unknown = ask(endpoint, "estimate", {"model": "good", "input_tokens": 5})
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "model_not_found")
    misspelt = ask(endpoint, "estimate", {"model": "gpt-4o-mimi", "input_tokens": 5})
    assert misspelt.status_code == 404
    assert "gpt-4o-mini" in misspelt.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "model"),
        (MINI, "input_tokens"),
        (MINI | {"input_tokens": 1, "text": "a"}, "input_tokens"),
        (MINI | {"input_tokens": -1}, "input_tokens"),
        (MINI | {"input_tokens": 10**9 + 1}, "input_tokens"),
        (MINI | {"input_tokens": 1.5}, "input_tokens"),
        (MINI | {"input_tokens": "5"}, "input_tokens"),
        (MINI | {"input_tokens": 5, "cached_tokens": 6}, "cached_tokens"),
        (MINI | {"input_tokens": 5, "calls": 0}, "calls"),
        (MINI | {"input_tokens": 5, "on": "yesterday"}, "on"),
        (MINI | {"input_tokens": 5, "batches": True}, "batches"),
        ({"model": "", "input_tokens": 5}, "model"),
    ],
)
def test_what_cannot_be_estimated_is_refused_by_name(endpoint, body, param):
    """400 with the parameter; a misspelt one is refused, not overlooked."""
    answer = ask(endpoint, "estimate", body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("what", ["estimate", "recommend", "optimize"])
def test_bodies_are_json_within_a_limit_and_with_a_key(endpoint, what):
    """401, 415, 413 and 400; nothing is taken from the URL."""
    url = f"{endpoint.url}/ml/cost/{what}"
    head = {"authorization": f"Bearer {endpoint.key.secret}"}
    assert ask(endpoint, what, {}, key=False).status_code == 401
    assert httpx.post(url, headers=head, content=b"{}").status_code == 415
    long = httpx.post(url, headers=head | {"content-type": "application/json"}, content=b" " * (4 * 1024 * 1024 + 1))
    assert (long.status_code, long.json()["error"]["code"]) == (413, "body_too_large")
    assert ask(endpoint, what, [], params={"prompt": "secret"}).status_code == 400
    assert ask(endpoint, what, {}, params={"prompt": "secret", "model": "gpt-4o"}).status_code == 400


def test_the_examples_of_the_description_are_answered(endpoint):
    """Each example works as printed, but the recommendation, for which nothing was measured; each is in the OpenAPI
    document, with the shape of errors."""
    assert ask(endpoint, "estimate", costs.ESTIMATE).json()["total_usd"] == "0.00048"
    assert ask(endpoint, "optimize", costs.OPTIMIZE).json()["prompt"] == "Summarise this. It is long."
    refused = ask(endpoint, "recommend", costs.RECOMMEND)
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "nothing_measured")
    paths = httpx.get(f"{endpoint.url}/openapi.json").json()["paths"]
    for what, example in (("estimate", costs.ESTIMATE), ("recommend", costs.RECOMMEND), ("optimize", costs.OPTIMIZE)):
        route = paths[f"/ml/cost/{what}"]["post"]
        assert route["requestBody"]["content"]["application/json"]["example"] == example
        assert {"200", "400", "401", "404", "413", "415"} <= set(route["responses"])
    assert {"200", "400", "401", "503"} <= set(paths["/ml/metrics"]["get"]["responses"])
    assert "/ml/ml/metrics" not in paths
    page = httpx.get(f"{endpoint.url}/docs").text
    assert "/ml/cost/recommend" in page


ROWS = "reviews, exact, sha256:11"


def measured(endpoint, name, value, low=None, high=None, *, note=ROWS, minutes=10, run="run-1", n=200):
    at = endpoint.parts.clock.now() - timedelta(minutes=minutes)
    finding = Finding(
        id=new_id(), run_id=run, at=at, name=f"quality/{name}", value=value, unit="share", low=low, high=high,
        level=0.95, n=n, note=note,
    )  # fmt: skip
    endpoint.parts.journal.append(finding)


@pytest.fixture
def judged(fresh):
    """An endpoint whose book has an evaluation of three models that have prices, and one that has none."""
    with fresh() as endpoint:
        measured(endpoint, "openai/gpt-4o", 0.92, 0.88, 0.95)
        measured(endpoint, "openai/gpt-4o-mini?shots=3", 0.90, 0.86, 0.94)
        measured(endpoint, "openai/gpt-4.1-nano", 0.70, 0.64, 0.76)
        measured(endpoint, "good", 0.99, 0.97, 1.0)
        yield endpoint


CALLS = {"input_tokens": 1000, "output_tokens": 100, "calls": 1000}


def test_the_best_measured_model_within_the_budget_is_recommended(judged):
    """gpt-4o costs 3.50 USD, gpt-4o-mini 0.21, gpt-4.1-nano 0.14. Up to the budget, not one cent beyond it; the price
    of one is unknown, so it is not recommended, however good."""
    rich = ask(judged, "recommend", CALLS | {"max_budget": "3.50"}).json()
    assert (rich["recommended"]["model"], rich["recommended"]["total_usd"]) == ("openai/gpt-4o", "3.5")
    assert rich["cheaper"]["contestant"] == "openai/gpt-4o-mini?shots=3"
    assert (rich["cheaper"]["told_apart"], rich["cheaper"]["total_usd"]) == (False, "0.21")
    best, *others = rich["candidates"]
    assert (best["model"], best["total_usd"], best["within_budget"]) == ("good", None, None)
    assert best["reason"].startswith("What 'good' costs is not known")
    assert [(o["model"], o["told_apart"], o["within_budget"]) for o in others] == [
        ("openai/gpt-4o", False, True), ("openai/gpt-4o-mini", False, True), ("openai/gpt-4.1-nano", True, True)
    ]  # fmt: skip
    poor = ask(judged, "recommend", CALLS | {"max_budget": "3.4999"}).json()
    assert (poor["recommended"]["contestant"], poor["cheaper"]) == ("openai/gpt-4o-mini?shots=3", None)
    assert (poor["recommended"]["quality"], poor["recommended"]["low"], poor["recommended"]["high"]) == (
        0.9,
        0.86,
        0.94,
    )


def test_it_says_on_what_it_rests(judged):
    """Rows, scorer, digest, runs, time and interval."""
    advice = ask(judged, "recommend", CALLS | {"max_budget": 5}).json()
    assert (advice["rows"], advice["run_ids"]) == (ROWS, ["run-1"])
    assert advice["basis"] == (
        "openai/gpt-4o scored 92.0% (88.0% to 95.0%) on 200 rows of reviews, exact, sha256:11, the best of 4 measured "
        "there that the budget allows, at 3.5 USD. It says nothing about other tasks."
    )
    assert advice["measured_at"].startswith(f"{judged.parts.clock.now():%Y-%m-%d}")


def test_figures_of_other_rows_are_never_mixed(judged):
    """The rows measured last, or those that are named; of one contestant its newest figure."""
    measured(judged, "openai/gpt-4.1-nano", 0.99, note="sums, number, sha256:22", minutes=5, run="run-2")
    assert ask(judged, "recommend", CALLS).json()["recommended"]["model"] == "openai/gpt-4.1-nano"
    measured(judged, "openai/gpt-4o", 0.50, 0.4, 0.6, minutes=1, run="run-3")
    advice = ask(judged, "recommend", CALLS | {"data": "reviews"}).json()
    assert advice["recommended"]["model"] == "openai/gpt-4o-mini"
    assert advice["run_ids"] == ["run-1", "run-3"]
    assert advice["recommended"]["within_budget"] is None
    nowhere = ask(judged, "recommend", CALLS | {"data": "poems"})
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "nothing_measured")


def test_what_was_never_measured_is_never_recommended(judged):
    """Named among others it is listed; alone it is refused, with what was measured."""
    some = ask(judged, "recommend", CALLS | {"models": ["openai/gpt-4.1-nano", "openai/o3"]}).json()
    assert (some["recommended"]["model"], some["not_measured"]) == ("openai/gpt-4.1-nano", ["openai/o3"])
    alone = ask(judged, "recommend", CALLS | {"models": ["openai/o3"]})
    assert alone.status_code == 404
    assert "openai/gpt-4o" in alone.json()["error"]["message"]


def test_nothing_within_the_bounds_is_said_with_the_figures(judged):
    """Budget too small, or quality too high: 404 and what each would cost."""
    refused = ask(judged, "recommend", CALLS | {"max_budget": "0.01"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "nothing_within_budget")
    assert "openai/gpt-4o 92.0%, 3.5 USD" in refused.json()["error"]["message"]
    assert ask(judged, "recommend", CALLS | {"least_quality": 0.93}).status_code == 404
    assert ask(judged, "recommend", CALLS | {"least_quality": 0.92}).json()["recommended"]["model"] == "openai/gpt-4o"


@pytest.mark.parametrize("budget", [-1, "1e3", "a", True, [], "1.0000000000001", "١"])
def test_a_budget_is_digits(endpoint, budget):
    """400: nothing that a float would round, no exponent, no other script's digits."""
    answer = ask(endpoint, "recommend", CALLS | {"max_budget": budget})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "max_budget")


def test_what_is_saved_is_said_in_tokens_and_money(endpoint):
    """2 tokens of 9 at 0.15 USD a million, a million times: 0.30 USD; without a model no money is said."""
    body = {"prompt": "Please summarise this.  It is long."}
    saved = ask(endpoint, "optimize", body | MINI | {"calls": 1_000_000}).json()
    assert (saved["tokens_before"], saved["tokens_after"], saved["tokens_saved"]) == (9, 7, 2)
    assert Decimal(saved["usd_saved"]) == Decimal("0.3")
    assert saved["changes"] == {"polite words": 1, "doubled spaces": 1}
    assert saved["source"].startswith("genai-prices")
    unpriced = ask(endpoint, "optimize", body).json()
    assert (unpriced["usd_saved"], unpriced["rate"], unpriced["source"]) == (None, None, None)
    nothing = ask(endpoint, "optimize", {"prompt": "No."} | MINI).json()
    assert (nothing["prompt"], nothing["changes"], nothing["usd_saved"]) == ("No.", {}, "0")


def test_intervals_that_touch_are_not_told_apart(fresh):
    """At the border, not just below it; without an interval it is not known."""
    with fresh() as endpoint:
        measured(endpoint, "openai/gpt-4o", 0.9, 0.8, 0.95)
        measured(endpoint, "openai/gpt-4o-mini", 0.7, 0.6, 0.8)
        measured(endpoint, "openai/gpt-4.1", 0.7, 0.6, 0.79)
        measured(endpoint, "openai/gpt-4.1-nano", 0.6)
        rows = ask(endpoint, "recommend", CALLS).json()["candidates"]
    assert {row["model"]: row["told_apart"] for row in rows} == {
        "openai/gpt-4o": False, "openai/gpt-4o-mini": False, "openai/gpt-4.1": True, "openai/gpt-4.1-nano": None
    }  # fmt: skip
