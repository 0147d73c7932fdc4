"""A child answers one line with one; whatever happens to it, no question gets another one's answer."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psutil
import pytest

from daybook.errors import BadParameter, Unavailable, UnknownModel, UpstreamTimeout
from daybook.line_process import LineProcess

CHILD = """
import os, sys, time
from daybook.errors import UnknownModel
from daybook.line_process import serve

def load():
    if "broken" in sys.argv:
        raise ValueError("no such weights")
    def handle(question):
        print("a library's noise")
        if question.get("do") == "unknown":
            raise UnknownModel("There is no gpt.", remedy="Say another.")
        if question.get("do") == "raise":
            raise KeyError("secret words")
        if question.get("do") == "memory":
            raise MemoryError
        if question.get("do") == "die":
            sys.exit(3)
        if question.get("do") == "wait":
            while not os.path.exists(question["text"]):
                time.sleep(0.01)
        if question.get("do") == "hang":
            time.sleep(600)
        return {"echo": question["text"]}
    return handle

serve(load)
"""


@pytest.fixture
def child(tmp_path: Path) -> Path:
    path = tmp_path / "child.py"
    path.write_text(CHILD)
    return path


def process(child: Path, *arguments: str, patience: float = 30.0) -> LineProcess:
    log = child.parent / "logs" / "child.log"
    return LineProcess([child, *arguments], name="The child", log=log, patience=patience)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_questions_are_answered_in_turn_by_one_process(child: Path) -> None:
    """Fifty at once each get their own answer, of any length; what a library prints is none."""
    owner = process(child)
    assert owner.pid is None
    texts = [f"{n} \n ü " * (1 if n else 100_000) for n in range(50)]
    answers = await asyncio.gather(*(owner.ask({"text": text}) for text in texts))
    assert [answer["echo"] for answer in answers] == texts
    pid = owner.pid
    assert pid is not None
    await owner.aclose()
    await owner.aclose()
    assert owner.pid is None
    assert not alive(pid)
    assert (child.parent / "logs" / "child.log").read_text().startswith("a library's noise")
    with pytest.raises(Unavailable, match=r"The child was stopped\. Start"):
        await owner.ask({"text": "x"})


@pytest.mark.parametrize(
    ("do", "kind", "says"),
    [
        ("unknown", UnknownModel, r"There is no gpt\. Say another\."),
        ("raise", Unavailable, r"The question failed \(KeyError\)"),
        ("memory", Unavailable, r"out of memory"),
    ],
)
async def test_what_the_child_raises_is_raised_and_it_lives_on(child: Path, do: str, kind: type, says: str) -> None:
    """Our errors by their name and remedy, others by their type; their words are in neither answer nor log."""
    owner = process(child)
    await owner.ask({"text": "a"})
    pid = owner.pid
    with pytest.raises(kind, match=says):
        await owner.ask({"do": do})
    assert (await owner.ask({"text": "b"}), owner.pid) == ({"echo": "b"}, pid)
    await owner.aclose()
    assert "secret words" not in (child.parent / "logs" / "child.log").read_text()


@pytest.mark.parametrize("way", ["ends", "killed", "hangs"])
async def test_a_question_without_an_answer_ends_the_child(child: Path, way: str) -> None:
    """It is an error at once, and the next question has a new process and its own answer."""
    owner = process(child, patience=1.0 if way == "hangs" else 30.0)
    await owner.ask({"text": "a"})
    first = owner.pid
    assert first is not None
    if way == "hangs":
        with pytest.raises(UpstreamTimeout, match="within 1 s"):
            await owner.ask({"do": "hang"})
    else:
        question = asyncio.ensure_future(owner.ask({"do": "die" if way == "ends" else "hang"}))
        await asyncio.wait([question], timeout=0.2)
        if way == "killed":
            os.kill(first, signal.SIGKILL)
        with pytest.raises(Unavailable, match=r"The child ended instead of answering.*logs/child\.log"):
            await question
    assert owner.pid is None
    assert await owner.ask({"text": "b"}) == {"echo": "b"}
    assert owner.pid not in (None, first)
    await owner.aclose()


async def test_a_question_whose_asker_went_away_costs_nobody_the_child(child: Path) -> None:
    """Under way it is answered and the answer dropped, the next gets its own; while waiting it is never asked."""
    owner, gate = process(child), child.parent / "gate"
    await owner.ask({"text": "a"})
    first = owner.pid
    under_way = asyncio.ensure_future(owner.ask({"do": "wait", "text": str(gate)}))
    await asyncio.wait([under_way], timeout=0.2)
    waiting = asyncio.ensure_future(owner.ask({"do": "die"}))
    await asyncio.sleep(0)
    later = asyncio.ensure_future(owner.ask({"text": "b"}))
    await asyncio.sleep(0)
    for question in (under_way, waiting):
        question.cancel()
        with pytest.raises(asyncio.CancelledError):
            await question
    gate.touch()
    assert await later == {"echo": "b"}
    assert owner.pid == first
    await owner.aclose()


async def test_closing_ends_a_question_that_is_under_way(child: Path) -> None:
    """Also one that nobody waits for any more; nothing is left running."""
    owner = process(child)
    await owner.ask({"text": "a"})
    questions = [asyncio.ensure_future(owner.ask({"do": "hang"})) for _ in range(2)]
    await asyncio.wait(questions, timeout=0.2)
    questions[0].cancel()
    await owner.aclose()
    assert owner.pid is None
    with pytest.raises(Unavailable, match="was stopped"):
        await questions[1]


async def test_closing_leaves_no_child_however_early_it_comes(child: Path) -> None:
    """While the first question's child is being started, asked for by somebody who is gone or by one who waits."""
    for turns in range(5):
        for leaves in (True, False):
            owner = process(child)
            asking = asyncio.ensure_future(owner.ask({"text": "a"}))
            for _ in range(turns):
                await asyncio.sleep(0)
            if leaves:
                asking.cancel()
            await owner.aclose()
            assert owner.pid is None
            (outcome,) = await asyncio.gather(asking, return_exceptions=True)
            assert isinstance(outcome, asyncio.CancelledError if leaves else Unavailable)
    commands = [each.cmdline() for each in psutil.Process().children()]
    assert [command for command in commands if str(child) in command] == []


async def test_a_child_that_does_not_load_says_why(child: Path) -> None:
    """With the error's words; nothing is left running."""
    owner = process(child, "broken")
    with pytest.raises(Unavailable, match="It does not load: ValueError: no such weights"):
        await owner.ask({"text": "a"})
    assert owner.pid is None
    await owner.aclose()


async def test_an_error_that_nobody_knows_is_unavailable(tmp_path: Path) -> None:
    """A child's answer names a class; only ours are raised."""
    script = tmp_path / "child.py"
    script.write_text(
        "import sys\nprint('{\"ready\": true}', flush=True)\nfor line in sys.stdin:\n"
        '    print(\'{"error": "\' + line.strip()[1:-1] + \'", "message": "m", "remedy": "r"}\', flush=True)\n'
    )
    owner = LineProcess([script], name="The child", log=tmp_path / "log")
    for name, kind in (("SystemExit", Unavailable), ("os", Unavailable), ("BadParameter", BadParameter)):
        with pytest.raises(kind):
            await owner.ask(name)  # type: ignore[arg-type]  # the child takes the bare name
    await owner.aclose()
