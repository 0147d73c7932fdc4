"""Hosted trainings: gated like any other, sent only when told to, registered once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daybook.book import Book
from daybook.errors import BadData, BadParameter
from daybook.finetune.hosted import Hosting
from daybook.finetune.tuner import Tuner, prepare
from daybook.training import hosted
from daybook.training.recipe import Recipe
from tests.fakes.contracts import Contract
from tests.fakes.finetune_server import FakeTuning

HEAD = Recipe(method="head", held_out=0.3)


@pytest.fixture
def fake() -> Iterator[FakeTuning]:
    with FakeTuning(Contract.load("openai.openapi.yaml")) as running:
        yield running
    assert running.problems == []


def test_a_hosted_training_ends_in_the_registry(home: Path, fake: FakeTuning, tmp_path: Path) -> None:
    """Nothing is sent before it is told to go; each step may be another process's; success is one version, served by
    the upstream's name for it, with its price estimate, data digest and job on record."""
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as book:
        tuner = Tuner(home, book)
        plan = prepare(home, "builtin:requests", HEAD)

        def hosting() -> Hosting:
            return Hosting(tuner, hosted.client(key="sk-good", base_url=fake.url))

        job = hosting().prepare(plan, name="triage", model="gpt-4o-mini-2024-07-18", actor="ada")
        assert fake.requests == []
        assert float(job.spec["estimate"]["cost"]) > 0
        for refused in (lambda: tuner.cancel(job.id, actor="ada"), lambda: tuner.run(job.id)):
            with pytest.raises(BadParameter, match="runs at an upstream"):
                refused()
        while (job := hosting().go(job.id)).state not in ("completed", "failed"):
            assert job.state == "prepared"
        assert hosting().go(job.id).state == "completed"
        (version,) = tuner.registry.versions("triage")
        assert (version.method, version.provider, version.target) == ("hosted", "openai", "ft:gpt-4o-mini:x")
        assert (version.data_digest, version.tags["job"]) == (plan.checked.digest, job.id)
        small = tmp_path / "small.csv"
        small.write_text(
            "text,label\n" + "".join(f"thing {n * 131} number {n * 17},{'ab'[n % 2]}\n" for n in range(10))
        )
        few = prepare(home, small, Recipe(method="head", held_out=0.8), licence="own")
        with pytest.raises(BadData, match=r"takes no fewer than 10"):
            hosting().prepare(few, name="triage", model="gpt-4o-mini-2024-07-18", actor="ada")
