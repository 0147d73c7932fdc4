"""A bar where somebody looks, and nothing anywhere else."""

from __future__ import annotations

import io
import os
from contextlib import redirect_stderr

import pytest

from daybook.reporting.progress import meter


def test_a_terminal_sees_what_goes_on_and_how_far_it_is(terminal: tuple[int, io.TextIOWrapper]) -> None:
    """Title, how many of how many, the unit, and the figures behind it."""
    shown, file = terminal
    losses: dict[str, str] = {}
    with redirect_stderr(file), meter("training", unit="step", figures=losses) as move:
        losses["loss"] = "0.123"
        move(8, 8)
    print("end", file=file, flush=True)
    text = os.read(shown, 65536).decode()
    assert "training" in text
    assert "8/8" in text
    assert " step/s" in text
    assert "loss=0.123" in text


@pytest.mark.parametrize("shown", [True, False])
def test_nothing_is_drawn_into_a_pipe(*, shown: bool) -> None:
    """Logs stay free of it, whatever was asked for."""
    drawn = io.StringIO()
    with redirect_stderr(drawn), meter("training", shown=shown) as move:
        for done in range(5):
            move(done, 4)
    assert drawn.getvalue() == ""


def test_what_nobody_asked_to_see_is_not_drawn_on_a_terminal(terminal: tuple[int, io.TextIOWrapper]) -> None:
    """A run of the press has a terminal at times, and no reader."""
    shown, file = terminal
    with redirect_stderr(file), meter("training", shown=False) as move:
        move(1, 2)
    print("end", file=file, flush=True)
    assert os.read(shown, 65536).decode().strip() == "end"
