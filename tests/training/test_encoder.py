"""The embedding model itself, trained to classify."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daybook.errors import BadData
from daybook.hf import head as heads
from daybook.training import encoder
from daybook.training.progress import Trained
from daybook.training.recipe import Recipe

RECIPE = Recipe(method="encoder", epochs=2, batch=4, rate=1e-4, threads=1, evaluations=3, checkpoints=8, patience=0)
THINGS = ("tent", "lamp", "chair", "clock", "radio", "shelf")
TEXTS = [f"{said} {thing}" for thing in THINGS for said in ("return my", "where is my")]
LABELS = ["refund", "delivery"] * 6


def train(folder: Path, **more: Any) -> Trained:
    return encoder.train(
        TEXTS[:8], LABELS[:8], (TEXTS[8:], LABELS[8:]), recipe=RECIPE, folder=folder, identity={"data": "d"}, **more
    )


def test_it_learns_and_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    """The held-out loss falls; a training stopped after three steps and taken up again ends with the same head and
    encoder as one that was not; what is saved answers."""
    whole = train(tmp_path / "whole")
    assert whole.curve[-1].validation < whole.curve[0].validation
    stopped = train(tmp_path / "cut", stop=iter([False, False, False, True]).__next__)
    assert (stopped.ended, stopped.steps, (tmp_path / "cut" / "head").exists()) == ("cancelled", 3, False)
    resumed = train(tmp_path / "cut")
    assert resumed.resumed_at == 3
    one, other = heads.load(tmp_path / "whole" / "head"), heads.load(tmp_path / "cut" / "head")
    assert (one.encoder_digest, one.digest) == (other.encoder_digest, other.digest)
    assert np.allclose(one.probabilities(TEXTS).sum(axis=1), 1)


def test_it_begins_as_the_head_and_is_no_less_likely(tmp_path: Path) -> None:
    """The first loss of the curve is the frozen head's own; what is kept is at least as likely on the held-out rows,
    and where nothing is better, it is the head. A head of other classes is refused."""
    head = heads.fit(TEXTS[:8], LABELS[:8], strength=10)
    truth = [head.classes.index(label) for label in LABELS[8:]]
    own = -np.log(head.probabilities(TEXTS[8:])[range(4), truth]).mean()
    begun = train(tmp_path / "begun", start=head)
    assert begun.curve[0].validation == pytest.approx(own, abs=1e-4)
    made = heads.load(tmp_path / "begun" / "head")
    assert -np.log(made.probabilities(TEXTS[8:])[range(4), truth]).mean() <= own + 1e-4
    spoilt = Recipe(**RECIPE.to_dict() | {"rate": 0.5, "epochs": 1})
    kept = encoder.train(
        TEXTS[:8], LABELS[:8], (TEXTS[8:], LABELS[8:]), recipe=spoilt, folder=tmp_path / "kept", identity={}, start=head
    )
    same = heads.load(tmp_path / "kept" / "head")
    assert kept.best_step == 0
    assert np.allclose(same.probabilities(TEXTS), head.probabilities(TEXTS), atol=1e-4)
    three = heads.fit(["a", "b", "c"], ["x", "y", "z"])
    with pytest.raises(BadData, match="has 3 classes, the rows 2"):
        train(tmp_path / "other", start=three)


def test_one_class_and_unknown_classes_are_refused(tmp_path: Path) -> None:
    """There is nothing to learn, or nothing to judge by: said with the classes."""
    for labels, held, told in ((["a"] * 8, ["a"] * 4, "one class"), (LABELS[:8], ["other"] * 4, "not in training")):
        with pytest.raises(BadData, match=told):
            encoder.train(TEXTS[:8], labels, (TEXTS[8:], held), recipe=RECIPE, folder=tmp_path, identity={})
