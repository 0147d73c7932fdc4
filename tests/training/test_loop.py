"""The loop of a training, on a vector that learns to be the mean of its rows."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from daybook.errors import DaybookError
from daybook.training.loop import TrainingLoop, order, prepare
from daybook.training.progress import LossPoint, TrainingProgress
from daybook.training.recipe import Recipe


class Vector:
    """A learner: two numbers, pulled towards each row by gradient descent; `scores` are its validation losses."""

    device = torch.device("cpu")

    def __init__(
        self, rows: Sequence[float], scores: Sequence[float] = (), *, scale: float = 1.0, noise: float = 0
    ) -> None:
        self.rows, self.scores, self.scale, self.noise = rows, list(scores), scale, noise
        self.weights = [torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(1))]
        groups = [{"params": self.weights[:1]}, {"params": self.weights[1:], "times": 0.5}]
        self.optimiser = torch.optim.SGD(groups, lr=1.0, momentum=0.9)
        self.lengths = [n % 7 + 1 for n in range(len(rows))]
        self.tokens = [10 + n for n in range(len(rows))]
        self.rates: list[tuple[float, float]] = []
        self.asked: list[list[list[int]]] = []

    def losses(self, batches: Sequence[Sequence[int]]) -> Iterator[Any]:
        self.asked.append([list(batch) for batch in batches])
        self.rates.append(tuple(group["lr"] for group in self.optimiser.param_groups))
        for batch in batches:
            target = sum(self.rows[n] for n in batch) / len(batch) + self.noise * torch.rand(2)
            yield self.scale * ((self.weights[0] - target) ** 2).sum() / 2 + 0 * self.weights[1].sum()

    def validate(self) -> float | None:
        return self.scores.pop(0) if self.scores else None

    def write(self, folder: Path) -> None:
        torch.save(self.weights[0].detach(), folder / "weights.pt")

    def read(self, folder: Path) -> None:
        with torch.no_grad():
            self.weights[0].copy_(torch.load(folder / "weights.pt", weights_only=True))


ROWS = [0.1 * n for n in range(10)]
DEFAULTS: dict[str, Any] = {"batch": 2, "rate": 0.1, "epochs": 2, "evaluations": 1000, "patience": 0, "warmup": 0.0}


def loop(folder: Path, learner: Vector, **choices: Any) -> TrainingLoop:
    return TrainingLoop(learner, Recipe(**DEFAULTS | choices), folder, {"data": "d"})


def weights(folder: Path) -> list[float]:
    return [float(value) for value in torch.load(folder / "weights.pt", weights_only=True)]


@pytest.mark.parametrize(
    ("choices", "steps"),
    [
        ({}, 10),
        ({"accumulate": 2}, 6),
        ({"batch": 3}, 8),
        ({"epochs": 0.5}, 2),
        ({"epochs": 0.01}, 1),
        ({"max_steps": 4}, 4),
        ({"max_steps": 11}, 10),
    ],
)
def test_a_training_has_as_many_steps_as_its_rows_batches_and_epochs_make(
    tmp_path: Path, choices: dict[str, Any], steps: int
) -> None:
    """Ten rows: five batches of two, four of three, three steps of two batches each; a fraction is rounded, one step is
    the least, `max_steps` the most. Each epoch has every row once, and each row's tokens are counted."""
    learner = Vector(ROWS)
    trained = loop(tmp_path, learner, **choices).run()
    assert (trained.steps, trained.ended, len(learner.asked)) == (steps, "all steps", steps)
    batches = [batch for step in learner.asked for batch in step]
    assert trained.tokens == sum(learner.tokens[n] for batch in batches for n in batch)
    if "epochs" not in choices and "max_steps" not in choices:
        rows = [n for batch in batches for n in batch]
        assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
        assert rows[:10] != rows[10:]


def test_the_rate_rises_and_then_falls_in_a_straight_line(tmp_path: Path) -> None:
    """Half of four steps to rise in; each group at its own share of it."""
    learner = Vector(ROWS)
    loop(tmp_path / "warm", learner, max_steps=4, warmup=0.5, rate=0.8).run()
    assert learner.rates == [pytest.approx(pair) for pair in ((0.4, 0.2), (0.8, 0.4), (0.8, 0.4), (0.4, 0.2))]
    learner = Vector(ROWS)
    loop(tmp_path / "cold", learner, max_steps=4, rate=0.3).run()
    assert [rate for rate, _ in learner.rates] == pytest.approx([0.3, 0.3, 0.2, 0.1])


def test_a_step_adds_its_batches_and_goes_no_further_than_a_norm_of_one(tmp_path: Path) -> None:
    """Two batches of one step: their gradients and losses add up; a gradient of 1,000 is cut to 1."""
    learner, seen = Vector([1.0, 1.0]), []
    loop(tmp_path / "two", learner, batch=1, accumulate=2, epochs=1, rate=0.1).run(tell=seen.append)
    assert learner.weights[0].tolist() == pytest.approx([0.1 * 2 / math.hypot(2, 2)] * 2)
    assert seen[0].loss == pytest.approx(2.0)
    learner = Vector([1.0], scale=1000.0)
    loop(tmp_path / "cut", learner, batch=1, epochs=1, rate=0.1).run()
    assert learner.weights[0].tolist() == pytest.approx([0.1 / math.sqrt(2)] * 2)
    learner = Vector([0.1])
    loop(tmp_path / "small", learner, batch=1, epochs=1, rate=0.1).run()
    assert learner.weights[0].tolist() == pytest.approx([0.01, 0.01])


def test_the_curve_is_measured_at_the_start_and_as_often_as_asked(tmp_path: Path) -> None:
    """Before the first step, every `steps // evaluations`, and at the end; the best weights are those of the lowest."""
    learner, seen = Vector(ROWS, [3.0, 1.0, 2.0, 1.5]), []
    trained = loop(tmp_path, learner, epochs=1, evaluations=2).run(
        tell=lambda p: seen.append((p, learner.weights[0].tolist()))
    )
    losses = {p.step: p.loss for p, _ in seen}
    assert trained.curve == (
        LossPoint(step=0, epoch=0.0, train=None, validation=3.0),
        LossPoint(step=2, epoch=0.4, train=losses[2], validation=1.0),
        LossPoint(step=4, epoch=0.8, train=losses[4], validation=2.0),
        LossPoint(step=5, epoch=1.0, train=losses[5], validation=1.5),
    )
    assert trained.best_step == 2
    assert weights(tmp_path / ".best") == pytest.approx(seen[1][1])
    assert (trained.device, trained.parameters, trained.resumed_at) == ("cpu", 3, None)


@pytest.mark.parametrize(("patience", "steps", "ended"), [(0, 5, "all steps"), (1, 2, "early"), (2, 3, "early")])
def test_it_stops_after_as_many_worse_evaluations_as_it_has_patience(
    tmp_path: Path, patience: int, steps: int, ended: str
) -> None:
    """Counted from the best one on; 0 never stops. An equal loss is as good, and later."""
    trained = loop(tmp_path, Vector(ROWS, [2.0, 1.0, 1.1, 1.2, 1.3, 1.4]), epochs=1, patience=patience).run()
    assert (trained.steps, trained.ended, trained.best_step) == (steps, ended, 1)
    equal = loop(tmp_path / "equal", Vector(ROWS, [1.0] * 6), epochs=1, patience=1).run()
    assert (equal.ended, equal.best_step) == ("all steps", 5)


def test_without_held_out_rows_the_last_weights_are_the_best(tmp_path: Path) -> None:
    """No curve, and nothing to stop early for."""
    learner = Vector(ROWS)
    trained = loop(tmp_path, learner, patience=1).run()
    assert (trained.curve, trained.best_step, trained.ended) == ((), 0, "all steps")
    assert weights(tmp_path / ".best") == learner.weights[0].tolist()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_training(tmp_path: Path, value: float) -> None:
    """Of a step or of the held-out rows; it says at which step, and what the rate is."""
    with pytest.raises(DaybookError, match=rf"The loss at step 1 is {value}, no number.*now 0\.1"):
        loop(tmp_path / "loss", Vector([value, value]), batch=1).run()
    with pytest.raises(DaybookError, match=rf"The validation loss at step 2 is {value}, no number"):
        loop(tmp_path / "held", Vector(ROWS, [1.0, value])).run()


@pytest.mark.parametrize("at", [3, 5, 7])
def test_a_stopped_training_goes_on_as_if_it_had_not_been(tmp_path: Path, at: int) -> None:
    """Same weights, curve, tokens and best step, in the middle of an epoch and between two, with what the optimiser and
    the random numbers remember; where it went on from is said, and its time is added up."""
    scores = [5.0, 2.0, 4.0, 3.0, 3.5, 4.5, 4.0, 3.9, 3.8, 3.7, 3.6]
    prepare(Recipe(seed=5))
    whole = Vector(ROWS, scores, noise=0.1)
    expected = loop(tmp_path / "whole", whole).run()
    prepare(Recipe(seed=5))
    stops = iter([*[False] * at, True])
    first = loop(tmp_path / "parts", Vector(ROWS, scores, noise=0.1)).run(stop=lambda: next(stops))
    assert (first.ended, first.steps, first.curve) == ("cancelled", at, expected.curve[: at + 1])
    prepare(Recipe(seed=6))
    last = Vector(ROWS, scores[at + 1 :], noise=0.1)
    second = loop(tmp_path / "parts", last).run()
    assert (second.ended, second.steps, second.resumed_at) == ("all steps", 10, at)
    assert (second.curve, second.tokens, second.best_step) == (expected.curve, expected.tokens, expected.best_step)
    assert second.seconds > first.seconds > 0
    assert last.weights[0].tolist() == whole.weights[0].tolist()
    assert weights(tmp_path / "parts" / ".best") == weights(tmp_path / "whole" / ".best")
    again = loop(tmp_path / "parts", Vector(ROWS)).run()
    assert (again.ended, again.steps, again.resumed_at, again.curve) == ("all steps", 10, 10, expected.curve)


def test_the_seed_and_the_threads_are_the_recipes() -> None:
    """The number of threads stays as it is where the recipe says none."""
    before = torch.get_num_threads()
    try:
        assert prepare(Recipe(seed=7, threads=before + 1)) is torch
        assert (torch.initial_seed(), torch.get_num_threads()) == (7, before + 1)
        prepare(Recipe(seed=8))
        assert (torch.initial_seed(), torch.get_num_threads()) == (8, before + 1)
    finally:
        torch.set_num_threads(before)


def test_the_state_is_kept_as_often_as_asked(tmp_path: Path) -> None:
    """Every `steps // checkpoints` and at the end; one at a time."""
    kept: list[list[str]] = []

    def look(_: TrainingProgress) -> None:
        kept.append(sorted(path.name for path in (tmp_path / "checkpoints").glob("*")))

    loop(tmp_path, Vector(ROWS), epochs=1, checkpoints=2).run(tell=look)
    assert kept == [[], ["step-0000002"], ["step-0000002"], ["step-0000004"], ["step-0000005"]]


def test_progress_says_how_far_it_is_and_how_long_it_will_take(tmp_path: Path) -> None:
    """After each step; what remains takes as long as what was done, step by step."""
    seen: list[TrainingProgress] = []
    loop(tmp_path, Vector(ROWS, [1.0] * 9), epochs=1).run(tell=seen.append)
    assert [(p.step, p.steps, len(p.curve)) for p in seen] == [(n, 5, n + 1) for n in range(1, 6)]
    assert [p.tokens for p in seen] == sorted(p.tokens for p in seen)
    for p in seen:
        assert p.eta == pytest.approx(p.seconds / p.step * (5 - p.step))
    assert seen[-1].eta == 0


def test_batches_hold_rows_of_one_length_and_depend_on_seed_and_epoch_alone() -> None:
    """Every row once; within sixteen batches sorted by length; another seed or epoch is another order."""
    lengths = [(n * 37) % 101 for n in range(70)]
    batches = list(order(lengths, 2, seed=3, epoch=1))
    assert sorted(n for batch in batches for n in batch) == list(range(70))
    assert [len(batch) for batch in batches] == [2] * 35
    spread = sorted(abs(lengths[a] - lengths[b]) for a, b in batches)
    assert spread[len(spread) // 2] <= 4  # of random pairs it would be about 30
    assert batches == list(order(lengths, 2, seed=3, epoch=1))
    assert batches != list(order(lengths, 2, seed=4, epoch=1))
    assert batches != list(order(lengths, 2, seed=3, epoch=2))
    inside = list(order(lengths[:32], 2, seed=0, epoch=0))
    whole = sorted(lengths[:32])
    assert sorted(sorted(lengths[n] for n in batch) for batch in inside) == [whole[i : i + 2] for i in range(0, 32, 2)]
    assert [len(batch) for batch in order(lengths[:5], 2, seed=0, epoch=0) if len(batch) == 1] == [1]
