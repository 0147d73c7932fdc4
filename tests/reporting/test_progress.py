"""A bar where somebody looks, and nothing anywhere else."""

from __future__ import annotations

import io
from contextlib import redirect_stderr

import pytest

from daybook.reporting.progress import meter
from tests.fakes.terminal import Terminal


def test_a_terminal_sees_what_goes_on_and_how_far_it_is(terminal: Terminal) -> None:
    """Title, how many of how many, the unit, and the figures behind it."""
    losses: dict[str, str] = {}
    with redirect_stderr(terminal.file), meter("training", unit="step", figures=losses) as move:
        losses["loss"] = "0.123"
        move(8, 8)
    text = terminal.text()
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


def test_what_nobody_asked_to_see_is_not_drawn_on_a_terminal(terminal: Terminal) -> None:
    """A run of the press has a terminal at times, and no reader."""
    with redirect_stderr(terminal.file), meter("training", shown=False) as move:
        move(1, 2)
    assert terminal.text() == ""
