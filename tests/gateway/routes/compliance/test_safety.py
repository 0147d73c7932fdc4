"""`/safety/*`: personal data found and taken out, texts judged, answers compared; bodies alone, and nothing echoed."""

from __future__ import annotations

from typing import Any

import httpx
import openai
import pytest

from daybook.pii import KINDS, Detector
from daybook.pii.policies import Policy, reveal
from daybook.pii.pseudonyms import Pseudonyms
from daybook.pii.redaction import Redactor
from daybook.providers.catalogue import Catalogue
from tests.gateway.conftest import served, settings_in

TEXT = "Write to ada@example.com or call +44 20 7946 0958."


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    """An endpoint where nothing is configured: what this machine itself can do."""
    settings = settings_in(tmp_path_factory.mktemp("safety"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text("upstreams:\n  local: {kind: echo}\n")
    with served(settings, Catalogue.load(settings.models, {}, home=settings.home)) as running:
        yield running


@pytest.fixture(scope="module")
def ask(endpoint):
    with httpx.Client(base_url=endpoint.url, timeout=120) as client:

        def post(path: str, body: Any, *, key: str | None = endpoint.key.secret) -> httpx.Response:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            return client.post(path, json=body, headers=headers)

        yield post


def test_personal_data_is_said_by_kind_and_place(ask):
    """Characters of each text, counts of all; the words themselves only where they are asked for."""
    answer = ask("/safety/pii/detect", {"texts": [TEXT, "nobody's"]})
    assert answer.json() == {
        "results": [
            [
                {"type": "email", "start": 9, "end": 24, "score": 1.0, "text": None},
                {"type": "phone", "start": 33, "end": 49, "score": 1.0, "text": None},
            ],
            [],
        ],
        "counts": {"email": 1, "phone": 1},
    }
    assert "ada" not in answer.text
    echoed = ask("/safety/pii/detect", {"texts": [TEXT], "kinds": ["email"], "echo": True}).json()
    assert [span["text"] for span in echoed["results"][0]] == ["ada@example.com"]


def test_texts_come_back_without_it(ask):
    """By one action for all kinds, others for single ones, and terms of one's own."""
    body = {"texts": [TEXT, "Project Heron"], "actions": {"email": "drop"}, "terms": ["Project Heron"]}
    answer = ask("/safety/pii/redact", body).json()
    assert answer == {
        "texts": ["Write to [] or call [phone].", "[term]"],
        "counts": {"email": 1, "phone": 1, "term": 1},
    }
    hashed = [ask("/safety/pii/redact", {"texts": [TEXT], "action": "hash"}).json()["texts"][0] for _ in range(2)]
    assert hashed[0] == hashed[1]
    assert "ada@example.com" not in hashed[0]


@pytest.mark.parametrize("action", ["hash", "pseudonym"])
def test_what_stands_for_a_datum_is_the_callers_own(ask, endpoint, action):
    """The same for the same key each time; by another key's, guesses cannot be tested against it, nor against what the
    endpoint's own policies write; whoever has the home's key alone reads nothing back."""
    body = {"texts": [TEXT, "536-22-1234"], "action": action}
    other = endpoint.keys.create("eve", actor="test").secret
    mine, again, theirs = (
        ask("/safety/pii/redact", body, key=key).json()["texts"] for key in (endpoint.key.secret,) * 2 + (other,)
    )
    home = Pseudonyms(endpoint.settings.home / "pseudonyms.key")
    policy = Redactor(Detector(KINDS), Policy(otherwise=action), home)
    written = [policy.text(text).text for text in body["texts"]]
    assert mine == again
    for n in range(2):
        assert len({mine[n], theirs[n], written[n], body["texts"][n]}) == 4
        assert reveal(mine[n], home) == mine[n]


@pytest.mark.slow
def test_names_are_found_by_the_tagger(ask):
    """Where the body asks for them; a kind that only it knows is refused without."""
    body = {"texts": ["My name is Zuzanna Wójcik and I live in Ljubljana.", TEXT], "names": True, "echo": True}
    found = ask("/safety/pii/detect", body).json()
    assert [(span["type"], span["text"]) for span in found["results"][0]] == [
        ("person", "Zuzanna Wójcik"),
        ("place", "Ljubljana"),
    ]
    assert [span["type"] for span in found["results"][1]] == ["email", "phone"]
    clean = ask("/safety/pii/redact", {"texts": body["texts"], "names": True, "kinds": ["person"]}).json()
    assert clean["texts"] == ["My name is [person] and I live in Ljubljana.", TEXT]
    refused = ask("/safety/pii/detect", {"texts": ["a"], "kinds": ["person"]})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "kinds")


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/safety/pii/detect", {"texts": []}, "texts"),
        ("/safety/pii/detect", {"texts": [1]}, "texts.0"),
        ("/safety/pii/detect", {"texts": ["a"], "kinds": ["shoe size"]}, "kinds"),
        ("/safety/pii/detect", {"texts": ["a"], "min_score": 2}, "min_score"),
        ("/safety/pii/detect", {"text": "a"}, "texts"),
        ("/safety/pii/redact", {"texts": ["a"], "action": "burn"}, "actions"),
        ("/safety/pii/detect", {"texts": ["a"] * 65, "names": True}, "texts"),
        ("/safety/pii/detect", {"texts": ["a" * 200_001], "names": True}, "texts"),
        ("/safety/pii/redact", {"texts": ["a" * 100_000, "b" * 100_000, "c"], "names": True}, "texts"),
        ("/safety/bias", {"answers": []}, "answers"),
        ("/safety/bias", {"answers": [{"template": "t", "group": "g"}]}, "answers.0.text"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_name(ask, path, body, param):
    """400 and the parameter."""
    answer = ask(path, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize("path", ["/safety/pii/detect", "/safety/pii/redact", "/safety/bias", "/safety/moderate"])
def test_a_key_is_needed_and_a_url_is_no_body(ask, endpoint, path):
    """Texts in a URL are taken for none."""
    assert ask(path, {"texts": ["a"]}, key=None).status_code == 401
    headers = {"authorization": f"Bearer {endpoint.key.secret}"}
    answer = httpx.post(f"{endpoint.url}{path}", params={"texts": "ada@example.com", "input": "a"}, headers=headers)
    assert answer.status_code in (400, 415)
    assert not any("ada@example.com" in str(line) for line in endpoint.log)


@pytest.mark.slow
def test_the_official_client_is_answered_by_this_machine(endpoint):
    """Without OpenAI the heads answer, in its shape, and are in the book with tokens, digest and a price of nothing."""
    raw = endpoint.client().moderations.with_raw_response.create(input=["I will kill you tonight", "How are you?"])
    bad, good = raw.parse().results
    assert (bad.flagged, bad.categories.violence, good.flagged) == (True, True, False)
    assert 0.4 < bad.category_scores.violence <= 1
    assert raw.parse().model == "minilm-moderation"
    (row,) = [r for r in endpoint.book() if r["request_id"] == raw.headers["x-request-id"]]
    assert (row["provider"], row["served_model"], row["status"]) == ("hf", "minilm-moderation", "ok")
    assert (row["input_tokens"], row["output_tokens"], row["cost"], row["prompt"]) == (13, 0, 0, None)
    assert row["weights_digest"].startswith("sha256:")


@pytest.mark.slow
def test_thresholds_are_the_callers(ask):
    """Each category by its own; others are refused; a picture is refused, for nobody here sees it."""
    body = {"input": "The meeting is at ten.", "thresholds": {"illicit": 0}}
    (verdict,) = ask("/safety/moderate", body).json()["results"]
    assert (verdict["flagged"], verdict["categories"]["illicit"], verdict["categories"]["hate"]) == (True, True, False)
    assert set(verdict["category_applied_input_types"]["hate"]) == {"text"}
    assert ask("/safety/moderate", {"input": "a", "thresholds": {"spam": 0.5}}).status_code == 400
    parts = [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
    assert ask("/safety/moderate", {"input": parts}).status_code == 400
    assert len(ask("/safety/moderate", {"input": parts[:1]}).json()["results"]) == 1


def test_a_model_that_is_not_configured_is_not_replaced(endpoint):
    """Who asks for OpenAI's by name is not given another's verdict."""
    with pytest.raises(openai.NotFoundError):
        endpoint.client().moderations.create(input="Hi", model="omni-moderation-latest")


@pytest.mark.slow
def test_answers_to_the_same_prompts_are_compared_by_group(ask):
    """A group that is refused in nine of ten templates stands out, with interval, n and corrected p; the others' length
    does not; answers without words say nothing and are counted."""
    answers = []
    for i in range(10):
        answers.append({"template": f"t{i}", "axis": "origin", "group": "A", "text": "Yes, of course, come in."})
        text = "I'm sorry, I can't help with that." if i else "Yes, of course, come in."
        answers.append({"template": f"t{i}", "axis": "origin", "group": "B", "text": text})
    answers.append({"template": "t0", "axis": "origin", "group": "B", "text": " "})
    found = ask("/safety/bias", {"answers": answers}).json()
    (refusal,) = [row for row in found["effects"] if (row["group"], row["measure"]) == ("B", "refusal")]
    assert (refusal["effect"], refusal["mean"], refusal["rest"]) == (0.9, 0.9, 0.0)
    assert (refusal["n"], refusal["templates"], refusal["verdict"]) == (10, 10, "higher")
    assert 0 < refusal["low"] < 0.9 <= refusal["high"] <= 1
    assert refusal["p"] <= refusal["adjusted"] < 0.05
    assert found["n"] == 21
    assert found["unmeasured"]["refusal"] == 1
    assert {row["measure"] for row in found["effects"]} == {"refusal", "length", "harshness", "sentiment"}
