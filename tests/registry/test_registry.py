"""The registry of models, on DuckDB and on Postgres."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from daybook.book import Book
from daybook.errors import BadParameter, UnknownModel
from daybook.records import ModelVersion
from daybook.registry.registry import SERVED, Registry
from daybook.registry.rows import to_dict


@pytest.fixture
def open_book(tmp_path: Path, book_url: str) -> Iterator[Callable[[str], Book]]:
    opened: list[Book] = []

    def open_(home: str = "home") -> Book:
        opened.append(Book(book_url, tmp_path / home))
        return opened[-1]

    yield open_
    for book in opened:
        book.close()


@pytest.fixture
def registry(open_book: Callable[..., Book]) -> Registry:
    return Registry(open_book())


def enter(registry: Registry, name: str = "triage", **more: Any) -> ModelVersion:
    return registry.register(name, method="head", provider="head", actor="ada", **more)


def test_every_field_of_a_version_comes_back_and_is_shown(registry: Registry) -> None:
    """As it went in, from the book; shown as JSON-able values, without what tells two claims apart. What was not said
    is empty and not missing."""
    facts: dict[str, Any] = {
        "target": "t", "base": "b", "base_digest": "sha256:b", "weights_digest": "sha256:w", "place": "models/t",
        "template": {"system": "s"}, "parameters": {"lr": 0.5}, "metrics": {"accuracy": {"value": 0.5, "n": 4}},
        "data_source": "rows.csv", "data_digest": "sha256:d", "tags": {"team": "ops"}, "subjects": ("s2", "s1"),
        "run_id": "run-1",
    }  # fmt: skip
    entered = enter(registry, **facts)
    (model,) = registry.versions()
    assert model == entered
    for name, value in facts.items():
        assert getattr(model, name) == (("s1", "s2") if name == "subjects" else value)
    shown = to_dict(model)
    assert json.loads(json.dumps(shown)) == shown
    assert "claim" not in shown
    assert (shown["at"], shown["subjects"]) == (model.at.isoformat(), ["s1", "s2"])
    assert {name: shown[name] for name in facts} == facts | {"subjects": ["s1", "s2"]}
    bare = enter(registry, "bare")
    assert (bare.template, bare.parameters, bare.metrics, bare.tags, bare.subjects) == ({}, {}, {}, {}, ())
    assert registry.version("bare", 1) == bare


def test_versions_are_ordered_as_versions(registry: Registry) -> None:
    """v2 comes before v10, the newest is v10, and every fact comes back as it went in."""
    for n in range(10):
        enter(registry, metrics={"accuracy": n / 10}, tags={"team": "ops"}, template={"before": "Q: "}, place=f"m/{n}")
    assert [one.version for one in registry.versions("triage")] == list(range(1, 11))
    newest = registry.resolve("triage")
    assert (newest.id, newest.metrics, newest.tags, newest.template) == (
        "triage:v10", {"accuracy": 0.9}, {"team": "ops"}, {"before": "Q: "},
    )  # fmt: skip
    assert registry.resolve("triage:v2").place == "m/1"


def test_an_alias_is_a_pointer_with_a_history(registry: Registry) -> None:
    """Moving it enters who, why and from where; the plain name follows the champion; nothing is removed."""
    for _ in range(3):
        enter(registry)
    registry.alias("triage", "champion", 1, actor="ada")
    registry.alias("triage", "champion", "v3", actor="bob", reason="better by 4 points")
    registry.alias("triage", "champion", "v3", actor="bob")  # it points there already
    assert registry.resolve("triage").version == registry.resolve("triage@champion").version == 3
    moves = [(move.version, move.previous, move.actor, move.reason) for move in registry.history("triage")]
    assert moves == [(1, None, "ada", None), (3, 1, "bob", "better by 4 points")]
    registry.alias("triage", "champion", None, actor="ada")
    assert registry.aliases("triage") == {}
    assert len(registry.history("triage", "champion")) == 3


def test_a_rollback_goes_back_and_again_further_back(registry: Registry) -> None:
    """v1, v2, v3, then back to v2, then to v1, then there is nothing left to go back to; six moves are on record."""
    for n in (1, 2, 3):
        enter(registry)
        registry.alias("triage", "champion", n, actor="ada")
    assert registry.rollback("triage", actor="bob", reason="errors up").version == 2
    assert registry.rollback("triage", actor="bob").version == 1
    with pytest.raises(BadParameter, match="nothing to go back to"):
        registry.rollback("triage", actor="bob")
    assert [move.version for move in registry.history("triage")] == [1, 2, 3, 2, 1]
    assert registry.history("triage")[3].reason == "rollback: errors up"


def test_what_is_not_there_is_named_with_what_is(registry: Registry) -> None:
    """Unknown names, versions and aliases, and names that cannot be, are refused with the way out."""
    enter(registry)
    for reference, told in {"other": "triage", "triage:v7": "v1", "triage@best": "no alias yet"}.items():
        with pytest.raises(UnknownModel, match=told):
            registry.resolve(reference)
    for name in ("", "Upper", "a b", "../up", "a:v1", "x" * 64):
        with pytest.raises(BadParameter, match="cannot be the name"):
            enter(registry, name)
    with pytest.raises(BadParameter, match="looks like a version"):
        registry.alias("triage", "v2", 1, actor="ada")
    with pytest.raises(UnknownModel, match="no version"):
        registry.alias("triage", "champion", 9, actor="ada")
    assert registry.history("triage") == []


def test_two_that_register_at_once_get_two_numbers(registry: Registry, open_book: Callable[[str], Book]) -> None:
    """Whoever enters a number first has it, also from a home of its own; nothing is overwritten."""
    homes = [registry, Registry(open_book("other-1")), Registry(open_book("other-2"))]
    failed: list[BaseException] = []

    def go(one: Registry, n: int) -> None:
        try:
            for m in range(3):
                enter(one, tags={"by": f"{n}-{m}"})
        except BaseException as error:
            failed.append(error)

    threads = [Thread(target=go, args=(one, n)) for n, one in enumerate(homes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    known = registry.versions("triage")
    assert [one.version for one in known] == list(range(1, 10))
    assert {one.tags["by"] for one in known} == {f"{n}-{m}" for n in range(3) for m in range(3)}


def test_a_claim_from_elsewhere_is_respected(registry: Registry, open_book: Callable[[str], Book]) -> None:
    """A number that another machine enters between our look and our entry is theirs; ours is the next."""
    other = Registry(open_book("other"))
    taken: list[ModelVersion] = []

    def meanwhile(version: int) -> None:
        if version == 1:
            taken.append(other._book.rows("select 1 as n") and _raw(other))

    def _raw(one: Registry) -> ModelVersion:
        made = ModelVersion(
            id="triage:v1", claim="theirs", at=one._clock.now(), name="triage", version=1, method="head",
            provider="head", target="triage:v1", actor="other",
        )  # fmt: skip
        one._book.append(made)
        one._book.rows("select 1 as n")
        return made

    ours = enter(registry, before=meanwhile)
    assert ours.id == "triage:v2"
    assert registry.resolve("triage:v1").claim == "theirs"


def test_a_persons_models_name_them_and_can_be_marked(registry: Registry) -> None:
    """The persons a version was trained on are listed on it; a mark stays with it and leaves the rest alone."""
    enter(registry, subjects=("s2", "s1", "s2"))
    enter(registry)
    assert {version.id: version.subjects for version in registry.versions()} == {
        "triage:v1": ("s1", "s2"),
        "triage:v2": (),
    }
    registry.mark("triage", 1, "subject s1 was erased", actor="privacy")
    assert [mark.reason for mark in registry.marks("triage", "v1")] == ["subject s1 was erased"]
    assert registry.marks("triage", 2) == []


def test_what_is_served_is_written_at_every_change(registry: Registry, tmp_path: Path) -> None:
    """The endpoint's file names each version with its aliases, whole at any moment."""
    enter(registry, place="models/triage/v1")
    enter(registry)
    registry.alias("triage", "champion", 1, actor="ada")
    told = json.loads((tmp_path / "home" / SERVED).read_bytes())
    assert [(one["id"], one["aliases"], one["place"]) for one in told["models"]] == [
        ("triage:v1", ["champion"], "models/triage/v1"),
        ("triage:v2", [], None),
    ]
