"""`POST /ml/embed/batch` over the served endpoint: order kept, each text's failure its own, never too many at once."""

from __future__ import annotations

from decimal import Decimal

import httpx
import pytest

from daybook.providers.catalogue import Catalogue
from tests.fakes.contracts import Contract
from tests.fakes.openai_server import FakeOpenAI
from tests.fakes.serving import error
from tests.gateway.conftest import in_a_thread, served, settings_in

MODELS = """\
upstreams:
  local: {{kind: echo}}
  openai: {{base_url: {url}/v1, attempts: 1}}
"""


class Careful(FakeOpenAI):
    """An upstream that cannot embed `bad`, and remembers how many it was asked at once."""

    now = most = 0

    async def _embeddings(self, request):
        import asyncio

        self.now += 1
        self.most = max(self.most, self.now)
        try:
            await asyncio.sleep(0)
            if "bad" in (await request.json())["input"]:
                return await self.raw(request, error(400, {"error": {"message": "no", "code": "invalid"}}))
            return await super()._embeddings(request)
        finally:
            self.now -= 1


@pytest.fixture(scope="module")
def fake():
    with in_a_thread(Careful(Contract.load("openai.openapi.yaml"))) as server:
        yield server
    assert server.problems == []


@pytest.fixture(scope="module")
def endpoint(fake, tmp_path_factory):
    settings = settings_in(tmp_path_factory.mktemp("endpoint"))
    settings.home.mkdir(parents=True, mode=0o700)
    settings.models.write_text(MODELS.format(url=fake.url))
    models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
    with served(settings, models) as running:
        yield running


def post(endpoint, body):
    headers = {"authorization": f"Bearer {endpoint.key.secret}"}
    return httpx.post(f"{endpoint.url}/ml/embed/batch", headers=headers, json=body, timeout=60)


def rows_of(endpoint, answer):
    id_ = answer.headers["x-request-id"]
    return {r["request_id"]: r for r in endpoint.book() if r["request_id"].startswith(f"{id_}.")}


SMALL = {"model": "text-embedding-3-small"}


def test_each_text_has_its_vector_or_its_error_in_order(fake, endpoint):
    """One refused upstream, one empty, one no text: the others' vectors are there, all are in the book, and the sums
    are of what was answered: 7 tokens each at 0.02 USD a million."""
    answer = post(endpoint, SMALL | {"texts": ["a", "bad", "c", "", 5, "f"], "dimensions": 2})
    body = answer.json()
    assert answer.status_code == 200
    assert [row["index"] for row in body["data"]] == [0, 1, 2, 3, 4, 5]
    assert [row["embedding"] for row in body["data"]] == [[0, 0.5], None, [0, 0.5], None, None, [0, 0.5]]
    assert [row["error"] and row["error"]["status"] for row in body["data"]] == [None, 400, None, 400, 400, None]
    assert (body["count"], body["failed"], body["model"]) == (6, 3, SMALL["model"])
    assert body["usage"] == {"prompt_tokens": 21, "total_tokens": 21}
    assert Decimal(body["cost_usd"]) == Decimal("0.00000042")
    rows = rows_of(endpoint, answer)
    assert [rows[row["request_id"]]["status"] for row in body["data"]] == [
        "ok", "error", "ok", "error", "error", "ok"
    ]  # fmt: skip
    assert {row["endpoint"] for row in rows.values()} == {"/ml/embed/batch"}
    assert {sent["dimensions"] for sent in fake.asked("/v1/embeddings")} == {2}
    assert sum(row["cost"] or 0 for row in rows.values()) == Decimal("0.00000042")
    assert any(line.get("route") == "/ml/embed/batch" for line in endpoint.log)


@pytest.mark.parametrize(("given", "most"), [({"concurrency": 1}, 1), ({}, 4), ({"concurrency": 16}, 16)])
def test_no_more_are_asked_at_once_than_was_said(fake, endpoint, given, most):
    """Four where nothing is said."""
    fake.most = 0
    answer = post(endpoint, SMALL | {"texts": ["a"] * 40} | given)
    assert (answer.json()["count"], answer.json()["failed"]) == (40, 0)
    assert 1 <= fake.most <= most


def test_where_all_fail_the_first_ones_error_is_the_answer(endpoint):
    """Unknown model: 404 and not 200 with forty errors; each is in the book."""
    answer = post(endpoint, {"model": "nobody", "texts": ["a", "b"]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert [row["status"] for row in rows_of(endpoint, answer).values()] == ["error", "error"]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"texts": ["a"]}, "model"),
        (SMALL, "texts"),
        (SMALL | {"texts": "a"}, "texts"),
        (SMALL | {"texts": []}, "texts"),
        (SMALL | {"texts": ["a"] * 2049}, "texts"),
        (SMALL | {"texts": ["a"], "concurrency": 0}, "concurrency"),
        (SMALL | {"texts": ["a"], "concurrency": 17}, "concurrency"),
        (SMALL | {"texts": ["a"], "concurrency": True}, "concurrency"),
        (SMALL | {"texts": ["a"], "dimensions": 0}, "dimensions"),
        (SMALL | {"texts": ["a"], "text": "b"}, "text"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(fake, endpoint, body, param):
    """400; nobody is asked."""
    before = len(fake.seen)
    answer = post(endpoint, body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert len(fake.seen) == before


@pytest.fixture
def limited(fake, tmp_path):
    def start(limits):
        settings = settings_in(tmp_path)
        settings.home.mkdir(parents=True, mode=0o700)
        settings.models.write_text(MODELS.format(url=fake.url))
        (settings.home / "limits.yml").write_text(f"everyone: {limits}\n")
        models = Catalogue.load(settings.models, {"OPENAI_API_KEY": "sk-1"}, home=settings.home)
        return served(settings, models)

    return start


def statuses(answer):
    return [row["error"] and row["error"]["status"] for row in answer.json()["data"]]


def test_each_text_is_a_request_within_its_limits(limited):
    """Six a minute: the batch's own and five texts; the others are told so, each by itself."""
    with limited("{requests_per_minute: 6}") as running:
        answer = post(running, SMALL | {"texts": ["a"] * 8, "concurrency": 1})
        assert statuses(answer) == [None] * 5 + [429] * 3


def test_a_budget_holds_over_the_texts_of_a_batch(limited):
    """Each text reserves at most 4e-7 USD and settles its own 1.4e-7: a millionth is enough for five, one by one; a
    batch that cannot fit at all is refused as a whole."""
    with limited("{budget: {day: 0.000001}}") as running:
        answer = post(running, SMALL | {"texts": ["a"] * 6, "concurrency": 1})
        assert statuses(answer) == [None] * 5 + [429]
        assert sum(row["cost"] or 0 for row in running.book()) == Decimal("0.0000007")
        whole = post(running, SMALL | {"texts": ["a" * 100] * 6})
        assert (whole.status_code, whole.json()["error"]["code"]) == (429, "insufficient_quota")


def test_the_example_of_the_description_is_valid(endpoint):
    """It is taken, whoever answers it."""
    document = httpx.get(f"{endpoint.url}/openapi.json").json()
    content = document["paths"]["/ml/embed/batch"]["post"]["requestBody"]["content"]["application/json"]
    assert set(content["example"]) == set(content["schema"]["required"])
