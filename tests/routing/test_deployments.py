"""Deployments in the book, on DuckDB and on Postgres: what each strategy may do, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import BadParameter, Superseded, UnknownModel
from daybook.routing.deployment_index import FILE, DeploymentIndex
from daybook.routing.deployments import Deployments, to_dict

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
PAIR = {"v1": "old", "v2": "new"}


def check(model: str) -> None:
    if model == "nobody":
        raise UnknownModel(f"No model is called {model!r}.")


@pytest.fixture
def open_book(tmp_path: Path, book_url: str) -> Iterator[Callable[..., Book]]:
    opened: list[Book] = []

    def open_(home: str = "home") -> Book:
        opened.append(Book(book_url, tmp_path / home))
        return opened[-1]

    yield open_
    for book in opened:
        book.close()


@pytest.fixture
def book(open_book: Callable[..., Book]) -> Book:
    return open_book()


@pytest.fixture
def deployments(book: Book) -> Deployments:
    return Deployments(book, FixedClock(NOON), check)


def create(deployments: Deployments, strategy: str, versions: dict[str, str] | None = None, **more: Any) -> Any:
    return deployments.create("chat", PAIR if versions is None else versions, strategy=strategy, actor="ada", **more)


def shares(revision: Any) -> dict[str, int]:
    return {version: points for version, points in revision.weights.items() if points}


# ── A/B ───────────────────────────────────────────────────────────────────────────────────────────────


def test_every_fact_of_a_deployment_comes_back(deployments):
    """As it went in, in the order of the versions, from the book; shown as JSON-able values."""
    made = create(
        deployments, "shadow", {"v10": "c", "v2": "b", "v1": "a"},
        live="v2", candidate="v1", sticky="user", budget=Decimal("2.50"), reason="try it",
    )  # fmt: skip
    assert deployments.get("chat") == made
    assert deployments.list() == [made]
    assert deployments.history("chat") == (made,)
    assert to_dict(made) == json.loads(json.dumps(to_dict(made))) == {
        "name": "chat", "revision": 1, "at": "2026-11-27T12:00:00+00:00", "action": "created", "actor": "ada",
        "reason": "try it", "strategy": "shadow", "versions": {"v1": "a", "v2": "b", "v10": "c"},
        "percent": {"v1": "0", "v2": "100", "v10": "0"}, "live": "v2", "candidate": "v1", "sticky": "user",
        "steps": [], "budget": "2.5", "restores": None, "automatic": None, "tolerance": None, "calls_per_step": None,
        "figures": None,
    }  # fmt: skip
    assert list(to_dict(made)["versions"]) == ["v1", "v2", "v10"]
    assert (made.id, made.at) == ("chat:r1", NOON)


def test_an_ab_has_the_weights_that_it_is_given(deployments):
    """All versions together; what is no split changes nothing."""
    made = create(deployments, "ab", weights={"v2": 10, "v1": 90})
    assert (made.weights, made.live, made.candidate, made.sticky) == ({"v1": 9000, "v2": 1000}, None, None, "session")
    changed = deployments.set_weights("chat", {"v1": 50, "v2": 50}, actor="bob", reason="half")
    assert (changed.revision, changed.action, changed.actor, changed.reason) == (2, "weights", "bob", "half")
    assert changed.weights == {"v1": 5000, "v2": 5000}
    for weights in ({"v1": 50}, {"v1": 50, "v2": 60}):
        with pytest.raises(BadParameter):
            deployments.set_weights("chat", weights, actor="bob")
    assert deployments.get("chat") == changed


def test_an_ab_goes_back_to_the_weights_before_and_again_further_back(deployments):
    """Not forth; and then there is nothing left to go back to."""
    create(deployments, "ab", weights={"v1": 90, "v2": 10})
    for share in (80, 70):
        deployments.set_weights("chat", {"v1": share, "v2": 100 - share}, actor="ada")
    back = [deployments.rollback("chat", actor="bob", reason="errors") for _ in range(2)]
    assert [(r.weights["v1"], r.restores, r.action, r.reason) for r in back] == [
        (8000, 2, "rolled_back", "errors"), (9000, 1, "rolled_back", "errors"),
    ]  # fmt: skip
    with pytest.raises(BadParameter, match=r"nothing to go back to: v1 90 %, v2 10 % is all there was"):
        deployments.rollback("chat", actor="bob")
    deployments.set_weights("chat", {"v1": 60, "v2": 40}, actor="ada")
    again = deployments.rollback("chat", actor="bob")
    assert (again.weights["v1"], again.restores, again.revision) == (9000, 1, 7)


# ── canary ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_canary_is_promoted_step_by_step(deployments):
    """1, 5, 25, 50 %, then it is live; then there is no candidate."""
    revisions = [create(deployments, "canary")]
    revisions += [deployments.promote("chat", actor="ada") for _ in range(4)]
    assert [shares(r).get("v2") for r in revisions] == [100, 500, 2500, 5000, 10_000]
    assert [sum(r.weights.values()) for r in revisions] == [10_000] * 5
    assert [(r.live, r.candidate) for r in revisions] == [("v1", "v2")] * 4 + [("v2", None)]
    assert revisions[0].steps == (1, 5, 25, 50, 100)
    with pytest.raises(BadParameter, match="chat has no candidate: v2 is live"):
        deployments.promote("chat", actor="ada")


@pytest.mark.parametrize("steps_done", [0, 1, 2])
def test_a_canary_rolled_back_gets_nothing_and_may_begin_anew(deployments, steps_done):
    """From whichever step, at once; again is refused; promoting begins at the first step."""
    create(deployments, "canary", steps=[5, 10, 50, 100])
    for _ in range(steps_done):
        deployments.promote("chat", actor="ada")
    back = deployments.rollback("chat", actor="judge", reason="errors up")
    assert (shares(back), back.live, back.candidate, back.restores) == ({"v1": 10_000}, "v1", "v2", None)
    with pytest.raises(BadParameter, match="chat was rolled back already: v1 gets every call"):
        deployments.rollback("chat", actor="ada")
    assert shares(deployments.promote("chat", actor="ada")) == {"v1": 9500, "v2": 500}


def test_a_canary_that_went_live_can_still_be_rolled_back(deployments):
    """To what was live before; not to one of its steps."""
    create(deployments, "canary", steps=[50, 100])
    live = deployments.promote("chat", actor="ada")
    assert (live.live, live.candidate) == ("v2", None)
    back = deployments.rollback("chat", actor="ada")
    assert (shares(back), back.live, back.candidate, back.restores) == ({"v1": 10_000}, "v1", None, 1)
    with pytest.raises(BadParameter, match="nothing to go back to: v1 live is all there was"):
        deployments.rollback("chat", actor="ada")


@pytest.mark.parametrize("steps", [[], [0, 100], [1, 1, 100], [5, 1, 100], [1, 50], [1, 101], [100, 100], [100]])
def test_steps_rise_to_100(deployments, steps):
    """From 1 or more; anything else is refused with what was given."""
    with pytest.raises(BadParameter, match="do not rise from 1 or more to 100"):
        create(deployments, "canary", steps=steps)
    assert deployments.list() == []


# ── blue/green, shadow ────────────────────────────────────────────────────────────────────────────────


def test_a_blue_green_is_a_pointer_with_a_history(deployments):
    """Switch and rollback are one call each; where it points already nothing is entered."""
    versions = {"blue": "a", "green": "b", "red": "c"}
    assert create(deployments, "blue_green", versions).live == "blue"
    deployments.switch("chat", "green", actor="ada", reason="release")
    assert deployments.switch("chat", "green", actor="bob").revision == 2
    red = deployments.switch("chat", "red", actor="ada")
    assert (shares(red), red.live, red.candidate) == ({"red": 10_000}, "red", None)
    assert [deployments.rollback("chat", actor="bob").live for _ in range(2)] == ["green", "blue"]
    with pytest.raises(BadParameter, match="nothing to go back to: blue live"):
        deployments.rollback("chat", actor="bob")
    history = [(r.revision, r.action, r.live, r.restores) for r in deployments.history("chat")]
    assert history == [
        (1, "created", "blue", None), (2, "switched", "green", None), (3, "switched", "red", None),
        (4, "rolled_back", "green", 2), (5, "rolled_back", "blue", 1),
    ]  # fmt: skip
    with pytest.raises(BadParameter, match=r"There is no version 'grey'. The versions are blue, green, red"):
        deployments.switch("chat", "grey", actor="ada")


def test_a_shadow_gets_no_share_until_it_is_promoted(deployments):
    """Then it is live at once, and nothing is copied."""
    made = create(deployments, "shadow")
    assert (shares(made), made.live, made.candidate, made.budget) == ({"v1": 10_000}, "v1", "v2", None)
    live = deployments.promote("chat", actor="ada")
    assert (shares(live), live.live, live.candidate) == ({"v2": 10_000}, "v2", None)
    back = deployments.rollback("chat", actor="ada")
    assert (back.live, back.candidate, back.restores) == ("v1", None, 1)


@pytest.mark.parametrize(
    ("strategy", "acts"),
    [
        ("ab", {"promote": "chat is a ab and has no candidate", "switch": "chat is a ab and is not switched"}),
        ("canary", {"weights": "has no weights to set", "switch": "is not switched"}),
        ("blue_green", {"weights": "has no weights to set", "promote": "has no candidate"}),
        ("shadow", {"weights": "has no weights to set", "switch": "is not switched"}),
    ],
)
def test_what_a_strategy_does_not_have_is_refused(deployments, strategy, acts):
    """And nothing is entered."""
    create(deployments, strategy, **({"weights": {"v1": 50, "v2": 50}} if strategy == "ab" else {}))
    do: dict[str, Callable[[], Any]] = {
        "weights": lambda: deployments.set_weights("chat", {"v1": 50, "v2": 50}, actor="ada"),
        "promote": lambda: deployments.promote("chat", actor="ada"),
        "switch": lambda: deployments.switch("chat", "v2", actor="ada"),
    }
    for act, message in acts.items():
        with pytest.raises(BadParameter, match=message):
            do[act]()
    assert len(deployments.history("chat")) == 1


# ── what cannot be meant ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("strategy", "more", "message"),
    [
        ("blue", {}, "'blue' is no strategy. There are: ab, canary, blue_green, shadow."),
        ("ab", {}, "The weights none leave out v1, v2"),
        ("ab", {"weights": {"v1": 50, "v2": 50}, "live": "v1"}, "An A/B has no live version"),
        ("ab", {"weights": {"v1": 50, "v2": 50}, "candidate": "v1"}, "An A/B has no live version"),
        ("canary", {"weights": {"v1": 50, "v2": 50}}, "The weights of a canary follow from what is live"),
        ("canary", {"live": "v3"}, "There is no version 'v3'"),
        ("canary", {"candidate": "v3"}, "There is no candidate 'v3'"),
        ("shadow", {"live": "v2", "candidate": "v2"}, "v2 is live and candidate"),
        ("blue_green", {"candidate": "v2"}, "A blue/green has no candidate"),
        ("canary", {"sticky": "weather"}, "'weather' keeps no version. Say one of: session, caller, user, request."),
        ("canary", {"budget": Decimal(1)}, "The budget is 1. It is of a shadow's copies"),
        ("shadow", {"budget": Decimal(0)}, "The budget is 0"),
        ("shadow", {"budget": Decimal("nan")}, "The budget is NaN"),
        ("shadow", {"versions": {"v1": "old"}}, "A deployment of 1 version chooses nothing"),
        ("shadow", {"versions": {}}, "A deployment of 0 versions chooses nothing"),
        ("shadow", {"versions": {"v 1": "a", "v2": "b"}}, "'v 1' cannot be the name of a version"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_entered(deployments, strategy, more, message):
    """Each with its numbers or the words that there are."""
    with pytest.raises(BadParameter) as caught:
        create(deployments, strategy, **more)
    assert message in str(caught.value)
    assert deployments.history("chat") == ()


@pytest.mark.parametrize("name", ["", "a b", "../up", "a/b", "-a", "x" * 64, "ü"])
def test_a_name_that_cannot_be_one_is_refused(deployments, name):
    """63 letters, digits or . _ - it may have."""
    with pytest.raises(BadParameter, match="cannot be the name of a deployment"):
        deployments.create(name, PAIR, strategy="canary", actor="ada")
    assert deployments.create("x" * 63, PAIR, strategy="canary", actor="ada").revision == 1


def test_a_version_that_nobody_serves_is_refused(deployments):
    """What the catalogue says of it is what is said."""
    with pytest.raises(UnknownModel, match="No model is called 'nobody'"):
        create(deployments, "canary", {"v1": "old", "v2": "nobody"})


def test_a_version_means_one_model_for_good(deployments):
    """The book's calls name it: it may be left out and come again, not become another one, even after a removal."""
    create(deployments, "canary")
    with pytest.raises(BadParameter, match="A deployment is called chat already"):
        create(deployments, "canary", {"v1": "old", "v3": "newer"})
    made = create(deployments, "canary", {"v1": "old", "v3": "newer"}, anew=True)
    assert (made.revision, made.action, made.versions) == (2, "replaced", {"v1": "old", "v3": "newer"})
    deployments.remove("chat", actor="ada")
    with pytest.raises(BadParameter, match="v2 of chat is new in the calls so far, and would become newest"):
        create(deployments, "canary", {"v1": "old", "v2": "newest"})
    assert create(deployments, "canary").action == "created"


def test_one_that_is_not_there_is_named_with_those_that_are(deployments):
    """Before it was made and after it was removed; its history stays."""
    with pytest.raises(UnknownModel, match=r"No deployment is called 'chat'. There are: none yet."):
        deployments.get("chat")
    create(deployments, "canary")
    deployments.create("search", PAIR, strategy="canary", actor="ada")
    gone = deployments.remove("chat", actor="bob", reason="over")
    assert (gone.action, gone.revision, gone.reason) == ("removed", 2, "over")
    for act in (deployments.get, lambda name: deployments.promote(name, actor="ada")):
        with pytest.raises(UnknownModel, match=r"No deployment is called 'chat'. There are: search."):
            act("chat")
    assert [revision.name for revision in deployments.list()] == ["search"]
    assert len(deployments.history("chat")) == 2


def test_what_was_before_a_removal_is_not_gone_back_to(deployments):
    """A name that comes again begins anew."""
    create(deployments, "blue_green", live="v2")
    deployments.remove("chat", actor="ada")
    create(deployments, "blue_green", live="v1")
    with pytest.raises(BadParameter, match="nothing to go back to"):
        deployments.rollback("chat", actor="ada")


def test_a_rollback_passes_over_versions_that_are_no_longer_there(deployments):
    """Of a deployment that was put in another's place."""
    create(deployments, "blue_green", {"v1": "a", "v2": "b"})
    deployments.switch("chat", "v2", actor="ada")
    create(deployments, "blue_green", {"v1": "a", "v3": "c"}, live="v3", anew=True)
    back = deployments.rollback("chat", actor="ada")
    assert (back.live, back.weights, back.restores) == ("v1", {"v1": 10_000, "v3": 0}, 1)


# ── what is kept, and who sees it ─────────────────────────────────────────────────────────────────────


def test_every_change_is_an_event_with_its_figures(deployments, book):
    """Who, what it was before and is after, why, and by which figures it was decided."""
    create(deployments, "canary")
    deployments.promote("chat", actor="judge", reason="better", figures={"n": 400})
    deployments.remove("chat", actor="ada")
    rows = book.rows("select * from events order by time, id")
    assert [(row["actor"], row["action"], row["object"]) for row in rows] == [
        ("ada", "deployment.created", "chat"), ("judge", "deployment.promoted", "chat"),
        ("ada", "deployment.removed", "chat"),
    ]  # fmt: skip
    at = [
        {"versions": PAIR, "percent": {"v1": str(100 - share), "v2": str(share)}, "live": "v1", "candidate": "v2"}
        for share in (1, 5)
    ]
    plain = {"strategy": "canary", "reason": None}
    assert [row["details"] for row in rows] == [
        plain | {"revision": 1, "before": None, "after": at[0]},
        plain | {"revision": 2, "before": at[0], "after": at[1], "reason": "better", "figures": {"n": 400}},
        plain | {"revision": 3, "before": at[1], "after": None},
    ]
    assert {row["time"] for row in rows} == {NOON}


def test_of_two_that_change_it_at_once_the_second_is_refused(open_book):
    """From two homes over one book, or the same one: nothing of the second's is in force, and it says who was first."""
    first, second = (Deployments(open_book(home)) for home in ("home", "home"))
    create(first, "canary")
    looked_at = second.get("chat").revision
    first.promote("chat", actor="ada", revision=looked_at)
    with pytest.raises(Superseded, match="chat was changed in the meantime: revision 2 is promoted by ada"):
        second.promote("chat", actor="bob", revision=looked_at)
    assert shares(first.get("chat")) == {"v1": 9500, "v2": 500}


class Racing(Deployments):
    """Reads the history, and then somebody else is quicker."""

    def _present(self, name: str) -> Any:
        history = super()._present(name)
        Deployments(self.book, self._clock).promote(name, actor="quick")
        return history


def test_a_number_that_somebody_else_claimed_is_not_had(deployments, book):
    """Whoever entered it first has it; the other's entry has no effect and no event."""
    create(deployments, "canary")
    with pytest.raises(Superseded, match="revision 2 is promoted by quick"):
        Racing(book, FixedClock(NOON)).promote("chat", actor="slow")
    assert [revision.actor for revision in deployments.history("chat")] == ["ada", "quick"]
    assert [row["actor"] for row in book.rows("select actor from events order by id")] == ["ada", "quick"]


def test_a_change_is_seen_through_the_file_at_once(deployments, book):
    """By an index that was open before; a removal too; and a file of nonsense leaves what was read."""
    index = DeploymentIndex(book.home)
    assert (index.find("chat"), index.names()) == (None, [])
    create(deployments, "canary")
    deployments.create("beta", PAIR, strategy="shadow", budget=Decimal("2.50"), sticky="user", actor="ada")
    assert index.names() == ["beta", "chat"]
    chat, beta = index.find("chat"), index.find("beta")
    assert (chat.name, chat.versions, chat.sticky, chat.copied_to, chat.budget) == ("chat", PAIR, "session", None, None)
    assert (beta.copied_to, beta.budget, beta.sticky) == ("v2", Decimal("2.50"), "user")
    deployments.remove("chat", actor="ada")
    assert index.names() == ["beta"]
    (book.home / FILE).write_text("{")
    assert index.names() == ["beta"]
    deployments.publish()
    (book.home / FILE).unlink()
    assert index.names() == []


def test_an_index_that_is_kept_looks_when_it_is_told_to(deployments, book):
    """A look-up asks the memory alone; a refresh sees the change, and so does whoever asks for the names."""
    create(deployments, "blue_green")
    index = DeploymentIndex(book.home, kept=True)
    assert index.find("chat").assign(_Request()) == "v1"
    deployments.switch("chat", "v2", actor="ada")
    assert index.find("chat").assign(_Request()) == "v1"
    index.refresh()
    assert index.find("chat").assign(_Request()) == "v2"
    deployments.remove("chat", actor="ada")
    assert index.find("chat") is not None
    assert index.names() == []
    assert index.find("chat") is None


@dataclass(frozen=True)
class _Request:
    request_id: str = "r"
    caller: str | None = None
    key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)


def test_the_file_is_not_written_where_it_says_the_same(deployments, book):
    """Who looks at its identity is not made to read it again."""
    create(deployments, "canary")
    before = (book.home / FILE).stat()
    deployments.publish()
    after = (book.home / FILE).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert after.st_mode & 0o777 == 0o600
