"""Asking many questions: bounded, kept, within limits, and honest about what failed."""

from __future__ import annotations

import asyncio
import stat
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from daybook.errors import (
    BadParameter,
    BookUnreachable,
    DaybookError,
    ModelNotFound,
    RateLimited,
    SettingsError,
    Unauthorised,
    UnknownModel,
)
from daybook.inference.client.answer_cache import AnswerCache, CachedAnswer, key
from daybook.inference.client.batch import BatchResult, Limits, Request, ask_all


def questions(n: int) -> list[Request]:
    return [Request(f"k{i}", {"model": "m", "messages": [], "n": i}) for i in range(n)]


class Asker:
    """Answers each question with its number, at a price; counts how many it answers at once."""

    def __init__(self, *, fail: dict[int, Exception] | None = None, cost: str | None = "0.01") -> None:
        self.fail = fail or {}
        self.cost = None if cost is None else Decimal(cost)
        self.asked: list[int] = []
        self.now = self.most = 0

    async def __call__(self, question: Request) -> CachedAnswer:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        n = question.body["n"]
        self.asked.append(n)
        if n in self.fail:
            raise self.fail[n]
        return CachedAnswer(text=str(n), cost=self.cost)


async def run(asker: Asker, n: int = 20, answers: AnswerCache | None = None, **limits: Any) -> BatchResult:
    return await ask_all(
        questions(n),
        ask=asker,
        answers=answers or AnswerCache(None),
        limits=Limits(**limits),
        expect=lambda body: asker.cost,
    )


async def test_no_more_are_under_way_at_once_than_was_said() -> None:
    """Twenty questions, three at a time, each asked once."""
    asker = Asker()
    found = await run(asker, concurrency=3)
    assert asker.most == 3
    assert sorted(asker.asked) == list(range(20))
    assert (found.asked, found.spent, found.unpriced) == (20, Decimal("0.20"), 0)


async def test_what_was_answered_is_not_asked_again(tmp_path: Path) -> None:
    """A second run over more questions asks only for the new ones, from the file alone."""
    await run(Asker(), 8, AnswerCache(tmp_path / "a.jsonl"))
    again = Asker()
    found = await run(again, 10, AnswerCache(tmp_path / "a.jsonl"))
    assert sorted(again.asked) == [8, 9]
    assert len(found.answers) == 10
    assert found.asked == 2
    assert found.answers["k3"].cost == Decimal("0.01")


async def test_the_cost_limit_is_never_passed_though_many_ask_at_once() -> None:
    """Each call's most is set aside before it is made."""
    asker = Asker(cost="0.03")
    found = await run(asker, concurrency=8, cost=Decimal("0.10"))
    assert found.spent <= Decimal("0.10")
    assert found.asked == 3
    assert "cost limit" in str(found.stopped)


async def test_a_model_without_a_price_cannot_be_held_to_a_cost() -> None:
    """Refused before anything is spent."""
    asker = Asker(cost=None)
    with pytest.raises(BadParameter, match="no known price"):
        await run(asker, cost=Decimal(1))
    assert asker.asked == []


async def test_at_the_time_limit_what_had_come_is_kept() -> None:
    """A model that hangs costs the time that was given and nothing else."""

    async def hang(question: Request) -> CachedAnswer:
        if question.body["n"] == 0:
            return CachedAnswer(text="0")
        await asyncio.Event().wait()
        raise AssertionError

    answers = AnswerCache(None)
    found = await ask_all(questions(5), ask=hang, answers=answers, limits=Limits(concurrency=2, seconds=0.05))
    assert list(found.answers) == ["k0"]
    assert "time limit" in str(found.stopped)
    assert answers.get("k0") is not None


async def test_a_question_that_fails_is_an_error_of_its_own_and_asked_again() -> None:
    """The others are answered; the kind of failure is told; nothing of it is kept."""
    answers = AnswerCache(None)
    found = await run(Asker(fail={4: RateLimited("Slow down.")}), answers=answers)
    assert found.errors == {"k4": "rate_limited"}
    assert len(found.answers) == 19
    again = Asker()
    await run(again, answers=answers)
    assert again.asked == [4]


async def test_nothing_but_failures_is_a_failure() -> None:
    """After ten of them the run gives up, with the last one's message; a model that is not there ends it at once."""
    broken = Asker(fail={n: RateLimited("Slow down.") for n in range(100)})
    with pytest.raises(DaybookError, match=r"first 10 of 100 questions failed.*Slow down"):
        await run(broken, 100, concurrency=1)
    assert len(broken.asked) == 10
    with pytest.raises(UnknownModel):
        await run(Asker(fail={0: UnknownModel("No such model.")}), concurrency=1)


async def test_equal_questions_are_asked_once() -> None:
    """Two contestants who ask the same of the same model pay once."""
    asker = Asker()
    found = await ask_all(questions(3) * 2, ask=asker, answers=AnswerCache(None), limits=Limits())
    assert sorted(asker.asked) == [0, 1, 2]
    assert found.asked == 3


def test_a_torn_line_loses_itself_only(tmp_path: Path) -> None:
    """A kill in the middle of a write: the answers before are there, and the next one is whole."""
    path = tmp_path / "a.jsonl"
    answers = AnswerCache(path)
    answers.put("a", CachedAnswer(text="one"))
    with path.open("ab") as file:
        file.write(b'{"key": "b", "te')
    answers = AnswerCache(path)
    assert answers.get("b") is None
    answers.put("c", CachedAnswer(text="three"))
    fresh = AnswerCache(path)
    assert [one.text for name in "ac" if (one := fresh.get(name))] == ["one", "three"]
    assert fresh.get("b") is None
    assert fresh.torn == 1


def test_an_answer_of_another_process_is_seen(tmp_path: Path) -> None:
    """Two that are open on one file know of each other's answers, and keep one line for both."""
    one, other = AnswerCache(tmp_path / "a.jsonl"), AnswerCache(tmp_path / "a.jsonl")
    assert other.get("a") is None
    one.put("a", CachedAnswer(text="yes", cost=Decimal("0.5")))
    assert other.get("a") == CachedAnswer(text="yes", cost=Decimal("0.5"))
    other.put("a", CachedAnswer(text="no"))
    assert (tmp_path / "a.jsonl").read_bytes().count(b"\n") == 1


def test_a_place_that_takes_nothing_is_said(tmp_path: Path) -> None:
    """With its name, the reason and what to do."""
    (tmp_path / "file").touch()
    with pytest.raises(DaybookError, match=r"could not be kept"):
        AnswerCache(tmp_path / "file" / "a.jsonl").put("a", CachedAnswer(text="x"))


def test_other_weights_are_another_question() -> None:
    """A tag that moved is asked anew; so is another sample."""
    body = {"model": "m", "messages": []}
    assert len({key(body), key(body, "sha256:1"), key(body, "sha256:2"), key(body, "sha256:1", 1)}) == 4
    assert key(body, "x") == key(dict(reversed(body.items())), "x")


async def test_a_second_round_has_what_the_first_left_of_the_limits() -> None:
    """A judge, or a second turn, spends from the same purse, and what stops it is told as the limit that was stated."""
    asker, stated = Asker(cost="0.03"), Limits(cost=Decimal("0.10"), seconds=60)
    took = BatchResult()
    took.add(await run(asker, 2, cost=Decimal("0.10")))
    left = stated.less(took)
    assert left.cost == Decimal("0.04")
    found = await ask_all(
        questions(9), ask=asker, answers=AnswerCache(None), limits=left, expect=lambda body: Decimal("0.03")
    )
    took.add(found)
    assert (found.asked, took.asked, took.spent) == (1, 3, Decimal("0.09"))
    assert took.stopped == "the cost limit of $0.10"
    assert stated.less(took).less(took).seconds is not None


async def test_what_came_of_it_is_counted_from_nought() -> None:
    """Answers kept, calls, money, time and progress: nothing is counted that did not happen."""
    seen: list[tuple[int, int]] = []
    asker = Asker(fail={1: RateLimited("Slow.")}, cost=None)
    answers = AnswerCache(None)
    answers.put("k2", CachedAnswer(text="known"))
    found = await ask_all(
        questions(3),
        ask=asker,
        answers=answers,
        limits=Limits(),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (found.asked, found.spent, found.unpriced, found.stopped) == (1, Decimal(0), 1, None)
    assert (sorted(found.answers), found.errors) == (["k0", "k2"], {"k1": "rate_limited"})
    assert 0 <= found.seconds < 60
    assert (seen[0], seen[-1]) == ((1, 3), (3, 3))
    assert BatchResult().seconds == 0
    assert Limits().concurrency == 4


async def test_a_stated_time_limit_is_what_stopped_it() -> None:
    """Where only a part of it was left, the whole is named."""

    async def hang(question: Request) -> CachedAnswer:
        await asyncio.Event().wait()
        raise AssertionError

    limits = Limits(seconds=0.01, stated=(None, 60))
    found = await ask_all(questions(1), ask=hang, answers=AnswerCache(None), limits=limits)
    assert found.stopped == "the time limit of 60 s"


def test_answers_lie_in_a_folder_of_their_owner(tmp_path: Path) -> None:
    """Made when the first answer is kept; file and folder are readable by their owner alone."""
    path = tmp_path / "new" / "answers.jsonl"
    AnswerCache(path).put("a", CachedAnswer(text="x"))
    assert [stat.S_IMODE(one.stat().st_mode) for one in (path.parent, path)] == [0o700, 0o600]


@pytest.mark.parametrize(
    "limits",
    [{"concurrency": 0}, {"concurrency": -1}, {"cost": Decimal("-0.01")}, {"seconds": -1.0}, {"seconds": 0.0}],
)
def test_a_limit_that_cannot_be_kept_is_refused(limits: dict[str, Any]) -> None:
    """With the figures that were given."""
    with pytest.raises(BadParameter) as refused:
        Limits(**limits)
    assert str(next(iter(limits.values()))) in refused.value.message
    assert refused.value.remedy == "Give 1 or more at a time, and limits above 0."


def test_the_smallest_limits_are_limits() -> None:
    """One at a time, no money at all, a millisecond."""
    limits = Limits(concurrency=1, cost=Decimal(0), seconds=0.001)
    assert (limits.concurrency, limits.cost, limits.seconds, limits.stated) == (1, 0, 0.001, None)


@pytest.mark.parametrize(
    ("cost", "seconds", "left"),
    [
        (Decimal("0.03"), 12.5, (Decimal("0.07"), 47.5)),
        (Decimal("0.10"), 60.0, (Decimal(0), 0.001)),
        (Decimal("0.11"), 99.0, (Decimal(0), 0.001)),
    ],
)
def test_what_is_left_of_the_limits_is_never_below_nothing(
    cost: Decimal, seconds: float, left: tuple[Decimal, float]
) -> None:
    """What was taken is taken off; a moment stays, in which what was kept is found; what was stated is remembered."""
    taken = BatchResult(spent=cost, seconds=seconds)
    limits = Limits(concurrency=3, cost=Decimal("0.10"), seconds=60).less(taken)
    assert (limits.cost, limits.seconds) == left
    assert (limits.stated, limits.concurrency) == ((Decimal("0.10"), 60), 3)
    assert (Limits().less(taken).cost, Limits().less(taken).seconds) == (None, None)


async def test_the_rounds_of_a_run_add_up() -> None:
    """Each figure; the first reason to stop is the run's."""
    total = BatchResult(asked=1, spent=Decimal(1), unpriced=1, seconds=1.0)
    for n, stopped in ((2, None), (3, "first"), (4, "second")):
        total.add(BatchResult(asked=n, spent=Decimal(n), unpriced=n, seconds=float(n), stopped=stopped))
    assert (total.asked, total.spent, total.unpriced, total.seconds, total.stopped) == (10, 10, 10, 10.0, "first")


@pytest.mark.parametrize(("limit", "asked"), [("0.08", 2), ("0.09", 3), ("0.10", 3), ("0.12", 4)])
async def test_a_cost_limit_may_be_used_up_and_not_passed(limit: str, asked: int) -> None:
    """Three calls of three cents cost nine: exactly the limit is within it."""
    batch = await run(Asker(cost="0.03"), 9, concurrency=1, cost=Decimal(limit))
    assert (batch.asked, batch.stopped) == (asked, f"the cost limit of ${limit}")


async def test_what_a_call_did_not_use_of_its_reserve_is_there_for_the_next() -> None:
    """Five cents are set aside for each call, and each costs one: six fit into ten cents, not two."""
    asker = Asker(cost="0.01")
    limits = Limits(concurrency=1, cost=Decimal("0.10"))
    batch = await ask_all(
        questions(20), ask=asker, answers=AnswerCache(None), limits=limits, expect=lambda body: Decimal("0.05")
    )
    assert (batch.asked, batch.spent) == (6, Decimal("0.06"))


async def test_a_failed_call_gives_its_reserve_back() -> None:
    """It cost nothing that is known."""
    asker = Asker(cost="0.05", fail={1: RateLimited("Slow.")})
    batch = await run(asker, 9, concurrency=1, cost=Decimal("0.10"))
    assert (asker.asked, batch.asked) == ([0, 1, 2], 2)


@pytest.mark.parametrize(
    "error",
    [UnknownModel("m"), ModelNotFound("m"), Unauthorised("m"), SettingsError("m"), BookUnreachable("m")],
    ids=lambda error: type(error).__name__,
)
async def test_what_no_other_question_would_change_ends_the_run(error: DaybookError) -> None:
    """At once, whatever was answered before, and nobody is left waiting."""
    waiting = asyncio.Event()

    async def ask(question: Request) -> CachedAnswer:
        if question.body["n"] == 1:
            try:
                await asyncio.Event().wait()
            finally:
                waiting.set()
        if question.body["n"] == 2:
            raise error
        return CachedAnswer(text="0")

    with pytest.raises(type(error)):
        await ask_all(questions(20), ask=ask, answers=AnswerCache(None), limits=Limits(concurrency=2))
    assert waiting.is_set()


@pytest.mark.parametrize(("n", "gives_up"), [(1, 1), (9, 9), (10, 10), (11, 10)])
async def test_a_run_of_failures_gives_up_after_ten_or_all(n: int, gives_up: int) -> None:
    """With how many failed of how many, and what to do where the failure itself does not say."""
    asker = Asker(fail={i: RateLimited("Slow.") for i in range(n)})
    with pytest.raises(DaybookError) as failed:
        await run(asker, n, concurrency=1)
    assert failed.value.message == f"The first {gives_up} of {n} questions failed; the last: Slow."
    assert failed.value.remedy == "See that the model answers: daybook ask."
    assert len(asker.asked) == gives_up
    with pytest.raises(DaybookError) as failed:
        await run(Asker(fail={0: RateLimited("Slow.", remedy="Wait.")}), 1)
    assert failed.value.remedy == "Wait."


async def test_where_one_was_answered_failures_are_counted_to_the_end() -> None:
    """Each under its kind, or its name where it has none."""
    fail: dict[int, Exception] = {n: RateLimited("Slow.") for n in range(1, 15)}
    batch = await run(Asker(fail=fail | {15: DaybookError("Odd.")}), 16, concurrency=1)
    assert list(batch.answers) == ["k0"]
    assert batch.errors == {f"k{n}": "rate_limited" for n in range(1, 15)} | {"k15": "DaybookError"}
