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
from daybook.providers.hf.process import TaskModels, cut


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


class Counting:
    """Answers each text with its length, and flags what has `harm` in it; a question waits for the gate."""

    pid = None

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.turn = asyncio.Lock()
        self.gate = asyncio.Event()
        self.gate.set()

    async def ask(self, question):
        async with self.turn:
            texts = question["body"]["texts"]
            self.asked.append(texts)
            await self.gate.wait()
            rows = {
                "embed": lambda text: len(text),
                "moderate": lambda text: {
                    "flagged": "harm" in text,
                    "categories": {"violence": "harm" in text},
                    "category_scores": {"violence": text.count("harm") / 10},
                },
                "tag": lambda text: [["person", at, at + 3, 0.9] for at in [text.find("Ada")] if at >= 0],
            }
            results = [rows[question["task"]](text) for text in texts]
            return {"results": results, "model": "m", "digest": "d", "tokens": len(texts), "truncated": 0}


@pytest.fixture
def counting(tmp_path):
    process = Counting()
    return process, TaskModels(tmp_path, process=process)


async def test_much_text_is_several_questions_each_of_a_bounded_size(counting):
    """At most 64 texts and 250,000 characters, one text at least; the results are in the texts' order."""
    process, models = counting
    lengths = [100_000, 3, 100_000, 300_000, *range(1, 130)]
    answer = await models.run("embed", {"texts": ["x" * n for n in lengths]})
    assert answer["results"] == lengths
    assert (answer["tokens"], answer["truncated"], answer["model"], answer["digest"]) == (133, 0, "m", "d")
    assert all(len(texts) <= 64 for texts in process.asked)
    assert all(sum(map(len, texts)) <= 250_000 for texts in process.asked if len(texts) > 1)
    assert [len(texts) for texts in process.asked] == [64, 64, 4, 1]
    for total, questions in ((250_000, 1), (250_001, 2)):
        process.asked.clear()
        await models.run("embed", {"texts": ["x" * 100_000, "x" * (total - 100_000)]})
        assert len(process.asked) == questions
    assert await models.run("embed", {"texts": []}) == {"results": [], "tokens": 0, "truncated": 0}


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("x" * 8_000, []),
        ("x" * 8_001, [8_000]),
        ("a. " * 3_000, [7_998]),
        ("word " * 2_000, [8_000]),
        ("a. " * 2_000 + "\n" + "a. " * 2_000, [6_001]),
        ("x " + "y" * 9_000, [8_000]),
    ],
)
async def test_a_long_text_that_is_read_to_its_end_is_read_in_pieces(counting, text, ends):
    """Cut after a line, else a sentence, else a word; nothing is lost."""
    process, models = counting
    starts = [0, *ends]
    pieces = [text[start:end] for start, end in zip(starts, [*ends, None], strict=True)]
    assert list(cut(text)) == list(zip(starts, pieces, strict=True))
    await models.run("moderate", {"texts": [text], "thresholds": {}})
    assert sorted(process.asked) == sorted([piece] for piece in pieces)


async def test_the_pieces_of_a_text_have_one_result(counting):
    """What is flagged in one is flagged in the text, by its highest score; spans are in the text's own positions."""
    _, models = counting
    long = "x" * 8_000 + "harm harm" + "y" * 8_000 + "harm"
    answer = await models.run("moderate", {"texts": ["fine", long], "thresholds": {}})
    assert answer["results"] == [
        {"flagged": False, "categories": {"violence": False}, "category_scores": {"violence": 0.0}},
        {"flagged": True, "categories": {"violence": True}, "category_scores": {"violence": 0.2}},
    ]
    text = "Ada " + "x" * 7_000 + "\n" + "z" * 2_000 + " Ada"
    answer = await models.run("tag", {"texts": [text, "Ada"]})
    assert answer["results"] == [[["person", 0, 3, 0.9], ["person", 9_006, 9_009, 0.9]], [["person", 0, 3, 0.9]]]


async def test_others_are_answered_between_the_pieces_of_a_long_text(counting):
    """Whoever waited longest is next."""
    process, models = counting
    process.gate.clear()
    long = asyncio.ensure_future(models.run("moderate", {"texts": ["x" * 80_000], "thresholds": {}}))
    await asyncio.sleep(0)
    short = asyncio.ensure_future(models.run("moderate", {"texts": ["short"], "thresholds": {}}))
    await asyncio.sleep(0)
    process.gate.set()
    await asyncio.gather(short, long)
    assert process.asked.index(["short"]) == 1
    assert len(process.asked) == 11


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
