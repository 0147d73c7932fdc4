"""A registered model is served by a running endpoint at once, by name, version and alias."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest

from daybook.book import Book
from daybook.hf import head as heads
from daybook.providers.catalogue import Catalogue
from daybook.providers.registered.index import FILE, RegistryIndex
from daybook.registry.registry import Registry


@pytest.mark.slow
def test_a_head_is_served_from_the_moment_it_is_registered(fresh: Callable[..., Any]) -> None:
    """Unknown before; after registering, its label is the answer, whole and streamed; an alias that moves is followed;
    every call names the version and its digest, and costs nothing."""
    with fresh() as endpoint:
        serve(endpoint, endpoint.client().with_options(timeout=90), endpoint.settings.home)


def serve(endpoint: Any, client: openai.OpenAI, home: Path) -> None:
    with pytest.raises(openai.NotFoundError):
        ask(client, "triage")
    head = heads.fit(["money back please", "where is my parcel"] * 4, ["refund", "parcel"] * 4)
    head.save(home / "models" / "registered" / "triage" / "a")
    other = heads.fit(["money back please", "where is my parcel"] * 4, ["yes", "no"] * 4)
    other.save(home / "models" / "registered" / "triage" / "b")
    with Book(endpoint.settings.book_url, home) as book:
        registry = Registry(book)
        for place, made in (("a", head), ("b", other)):
            registry.register(
                "triage", method="head", provider="head", actor="test", weights_digest=made.digest,
                place=f"models/registered/triage/{place}",
            )  # fmt: skip
        registry.alias("triage", "champion", 1, actor="test")
        assert ask(client, "triage") == ask(client, "triage@champion") == "parcel"
        assert ask(client, "triage:v2") == "no"
        stream = client.chat.completions.create(
            model="triage", messages=[{"role": "user", "content": "my money"}], stream=True
        )
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == "refund"
        registry.alias("triage", "champion", 2, actor="test")
        assert ask(client, "triage") == "no"
        assert {"triage", "triage:v1", "triage@champion"} <= {model.id for model in client.models.list()}
        rows = book.rows("select served_model, weights_digest, cost, status from calls where status = 'ok' order by id")
        assert [row["served_model"] for row in rows] == [f"triage:v{n}" for n in (1, 1, 2, 1, 2)]
        assert {row["weights_digest"] for row in rows} == {head.digest, other.digest}
        assert {row["cost"] for row in rows} == {0}


def ask(client: openai.OpenAI, model: str) -> str:
    messages: Any = [{"role": "user", "content": "where is the parcel"}]
    return str(client.chat.completions.create(model=model, messages=messages).choices[0].message.content)


def test_a_shelf_that_cannot_be_read_keeps_what_it_knew(tmp_path: Path) -> None:
    """Half a file, or none: the names from before still hold, or there are none; nothing is raised."""
    registry = RegistryIndex(tmp_path)
    assert registry.names() == []
    with Book(f"duckdb:///{tmp_path / 'book.duckdb'}", tmp_path) as book:
        Registry(book).register("triage", method="head", provider="head", actor="test", place="m")
    assert registry.names() == ["triage", "triage:v1"]
    assert [Catalogue({}, {}, registry=registry).knows(name) for name in ("triage:v1", "triage:v9")] == [True, False]
    (tmp_path / FILE).write_bytes(b'{"models": [')
    assert registry.names() == ["triage", "triage:v1"]
    (tmp_path / FILE).unlink()
    assert registry.names() == []
