"""The models' process: real encoder, real head, one load; what it refuses, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import time

import numpy as np
import pytest

from daybook.errors import BadParameter, SettingsError, Unavailable, UnknownModel, UpstreamTimeout
from daybook.providers.hf.models_file import named_models
from daybook.providers.hf.process import TaskModels


def texts(*said: str) -> dict[str, object]:
    return {"texts": list(said)}


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """One process for the module, and a loop to ask it from."""
    loop = asyncio.new_event_loop()
    models = TaskModels(tmp_path_factory.mktemp("home"))
    yield lambda task, body: loop.run_until_complete(models.run(task, body)), models
    loop.run_until_complete(models.aclose())
    loop.close()


@pytest.mark.slow
def test_tasks_by_real_models(real):
    """Sentiment, the nearest label and embeddings, in the texts' order, with tokens and digest; one process for all."""
    run, models = real
    found = run("sentiment", texts("A wonderful, warm film.", "Dull, tedious and far too long.", "I love it."))
    assert [row["label"] for row in found["results"]] == ["positive", "negative", "positive"]
    assert found["tokens"] > 15
    assert found["digest"].startswith("sha256:")
    first = models.pid
    told = run("classify", texts("I lost my bank card.", "The goalkeeper saved it.") | {"labels": ["sport", "money"]})
    assert [row["label"] for row in told["results"]] == ["money", "sport"]
    assert sum(told["results"][0]["scores"]) == pytest.approx(1)
    vectors = np.array(run("embed", texts("a cat", "the tax office opens at nine", "a cat"))["results"])
    assert vectors.shape == (3, 384)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-4)
    assert vectors[0] == pytest.approx(vectors[2])
    assert models.pid == first


@pytest.mark.slow
def test_many_texts_are_answered_in_their_order_and_what_was_not_read_is_counted(real):
    """Two questions' worth of mixed length: each gets its own vector; one is longer than the encoder reads."""
    run, _ = real
    many = [("word " * (n % 7) + f"number {n}").strip() for n in range(70)] + ["long " * 300]
    found = run("embed", {"texts": many})
    assert (len(found["results"]), found["truncated"]) == (71, 1)
    for at in (0, 33, 69):
        alone = run("embed", texts(many[at]))
        assert found["results"][at] == pytest.approx(alone["results"][0], abs=1e-5)
    assert found["tokens"] < 71 * 20 + 256


@pytest.mark.slow
def test_what_the_models_refuse_is_refused_with_its_name(real):
    """A model that nobody named is UnknownModel across the border of the process; the process lives on."""
    run, models = real
    with pytest.raises(UnknownModel, match=r"No model for sentiment is called 'gpt'\. There are: all-minilm-l6-v2"):
        run("sentiment", texts("x") | {"model": "gpt"})
    with pytest.raises(BadParameter, match="does not summarize"):
        run("summarize", texts("x"))
    assert models.pid is not None


@pytest.mark.slow
def test_a_process_that_was_killed_is_started_again(real):
    """A killed process is an error or a new process, never a wrong answer."""
    run, models = real
    run("sentiment", texts("Fine."))
    os.kill(models.pid, signal.SIGKILL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            found = run("sentiment", texts("Truly awful."))
            break
        except Unavailable:
            continue
    assert found["results"][0]["label"] == "negative"


async def test_an_answer_that_takes_too_long_ends_the_process(tmp_path):
    """Past its patience the process is ended, so that no later question gets this one's answer."""
    models = TaskModels(tmp_path, patience=0.01)
    with pytest.raises(UpstreamTimeout, match=r"within 0.01 s"):
        await models.run("sentiment", texts("x"))
    assert models.pid is None
    await models.aclose()
    with pytest.raises(Unavailable, match="was stopped"):
        await models.run("sentiment", texts("x"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("mine: {task: sentiment, model: some/where}", "mine has no pinned revision"),
        ("mine: {task: sentiment, model: some/where, revision: main}", "mine has no pinned revision"),
        ("mine: {task: dance, model: some/where}", "mine is not a task's model"),
        ("- a\n- b", "it is not a task's model"),
        ("a: [", "cannot be read"),
    ],
)
def test_models_have_to_be_pinned(tmp_path, content, says):
    """A branch can change under you: a model of the hub needs its commit."""
    (tmp_path / "tasks.yml").write_text(content)
    with pytest.raises(SettingsError, match=says):
        named_models(tmp_path)


def test_a_pinned_model_and_a_folder_are_taken(tmp_path):
    """40 digits, or a folder of this machine; no file is no models."""
    assert named_models(tmp_path) == {}
    (tmp_path / "tasks.yml").write_text(
        f"hub: {{task: classify, model: a/b, revision: {'0a' * 20}}}\nhere: {{task: embed, model: {tmp_path}}}\n"
    )
    assert set(named_models(tmp_path)) == {"hub", "here"}
