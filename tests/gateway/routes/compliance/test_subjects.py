"""`/compliance/subjects/…`: a person's rights over HTTP, and who may ask for them."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
import pytest

from daybook.pii.pseudonyms import Pseudonyms
from tests.rights.conftest import call

ADA = "ada@example.com"
PATH = "/compliance/subjects/"
ASKED = {"identity_check": "passport", "reason": "letter of 3 March"}


@pytest.fixture
def persons() -> tuple[str, str]:
    """Two that no other test knows."""
    return f"ada@{uuid4().hex}.example", f"bo@{uuid4().hex}.example"


@pytest.fixture
def officer(endpoint: Any, persons: tuple[str, str]) -> httpx.Client:
    """A privacy key of an endpoint that has calls of one person in one project and of the other in another."""
    ada, bo = persons
    names = Pseudonyms(endpoint.settings.home / "pseudonyms.key")
    for _ in range(2):
        endpoint.parts.journal.append(call(names.of(ada), "Where is my flat?", "On Linden Row.", project="north"))
        endpoint.parts.journal.append(call(names.of(bo), "Where is mine?", "In the south.", project="south"))
    return client(endpoint, None)


def client(endpoint: Any, project: str | None) -> httpx.Client:
    secret = endpoint.keys.create("officer", project, privacy=True, actor="test").secret
    return httpx.Client(base_url=endpoint.url + PATH, headers={"authorization": f"Bearer {secret}"}, timeout=30)


def test_a_person_is_exported_restricted_and_erased(
    endpoint: Any, officer: httpx.Client, persons: tuple[str, str]
) -> None:
    """In pages; the erasure first as a plan, then for good with its certificate, and then nothing is held. Each is in
    the trail with the key, and nothing of it in the log."""
    ada, bo = persons
    first = officer.post("export", json={"subject": ada, "limit": 1, **ASKED}).json()
    second = officer.post("export", json={"subject": ada, "limit": 1, "after": first["next"], **ASKED}).json()
    assert [len(page["calls"]) for page in (first, second)] == [1, 1]
    assert ("held" in first, "held" in second, second["next"]) == (True, False, None)
    word = {"subject": ada, "purpose": "training", "given": False, "source": "form"}
    assert officer.post("consent", json=word).json()["consents"]["training"]["given"] is False
    for restricted in (True, False):
        body = {"subject": ada, "restricted": restricted, "reason": "disputed"}
        assert bool(officer.post("restrict", json=body).json()["restriction"]) is restricted
    plan = officer.post("erase", json={"subject": ada, **ASKED}).json()
    assert plan["status"] == "can be erased"
    done = officer.post("erase", json={"subject": ada, "dry_run": False, **ASKED}).json()
    assert (done["status"], done["certificate"]["by"]) == ("erased", "key:officer")
    again = officer.post("erase", json={"subject": ada, "dry_run": False, **ASKED}).json()
    assert again == {"status": "nothing held", "certificate": None}
    with endpoint.parts.open_book() as book:
        actions = {row["action"] for row in book.rows("select action from events where actor = 'key:officer'")}
        bos = Pseudonyms(endpoint.settings.home / "pseudonyms.key").of(bo)
        left = book.rows("select count(*) as n from calls where subject = :s", {"s": bos})[0]["n"]
    assert {"subject.exported", "subject.consent_withdrawn", "subject.restricted", "subject.erased"} <= actions
    assert left == 2
    assert "ada@" not in str(endpoint.log)


def test_another_tenants_person_is_refused_like_an_unknown_one(
    endpoint: Any, officer: httpx.Client, persons: tuple[str, str]
) -> None:
    """By name and by pseudonym, on every route, in the same words; nothing is done."""
    north = client(endpoint, "north")
    ada, theirs = persons
    bo = Pseudonyms(endpoint.settings.home / "pseudonyms.key").of(theirs)
    bodies = {
        "export": ASKED, "erase": {"dry_run": False, **ASKED},
        "consent": {"purpose": "training", "given": False, "source": "x"},
        "restrict": {"restricted": True, "reason": "x"},
    }  # fmt: skip
    for route, body in bodies.items():
        answers = [north.post(route, json={"subject": who, **body}) for who in (theirs, bo, "nobody@example.com")]
        assert {answer.status_code for answer in answers} == {404}
        errors = [{k: v for k, v in answer.json()["error"].items() if k != "request_id"} for answer in answers]
        assert errors[0] == errors[1] == errors[2]
        assert errors[0]["code"] == "subject_not_found"
    with endpoint.parts.open_book() as book:
        refused = book.rows("select outcome, subject from events where action = 'subject.refused'")
    assert len(refused) >= 12
    assert {row["outcome"] for row in refused} == {"refused"}
    assert north.post("export", json={"subject": ada, **ASKED}).status_code == 200
    assert officer.post("export", json={"subject": theirs, **ASKED}).json()["restriction"] is None
    with endpoint.parts.open_book() as book:
        book.append(call(bo, "Also", "here", project="north"))
        assert north.post("export", json={"subject": theirs, **ASKED}).status_code == 404
        assert book.rows("select count(*) as n from calls where subject = :s", {"s": bo})[0]["n"] == 3


def test_only_a_privacy_key_is_let_in(endpoint: Any, officer: httpx.Client) -> None:
    """No key, a forged or cut one, an ordinary and an admin key: nothing is handed out or done."""
    admin = endpoint.keys.create("root", admin=True, actor="test").secret
    good = officer.headers["authorization"].removeprefix("Bearer ")
    for secret, status in ((None, 401), (good[:-1], 401), (good[:-1] + "x", 401), ("db-" + "0" * 43, 401),
                           (endpoint.key.secret, 403), (admin, 403)):  # fmt: skip
        headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
        for route in ("export", "erase", "consent", "restrict"):
            answer = httpx.post(endpoint.url + PATH + route, json={"subject": ADA, **ASKED}, headers=headers)
            assert answer.status_code in (status, 400) and "held" not in answer.json()  # noqa: PT018 - one matter
        answer = httpx.post(endpoint.url + PATH + "export", json={"subject": ADA, **ASKED}, headers=headers)
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("export", {}), ("export", {"subject": "", **ASKED}), ("export", {"subject": "x" * 1001, **ASKED}),
        ("export", {"subject": ADA, "identity_check": "x"}), ("export", {"subject": ADA, "limit": 501, **ASKED}),
        ("erase", {"subject": ADA, "dry_run": False, "reason": "x"}), ("erase", {"subject": [ADA], **ASKED}),
        ("consent", {"subject": ADA, "purpose": "marketing", "given": True, "source": "x"}),
        ("restrict", {"subject": ADA, "restricted": True}), ("export", []),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(officer: httpx.Client, route: str, body: Any) -> None:
    """400, and nothing of what was sent."""
    answer = officer.post(route, json=body)
    assert answer.status_code == 400
    assert "ada@" not in answer.text
