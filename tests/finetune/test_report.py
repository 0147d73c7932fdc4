"""What a fine-tuning shows: verdict, units, intervals, rows that were not used, charts by their numbers, remedies."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daybook import workbench
from daybook.book import Book
from daybook.errors import BadParameter, GateNotMet
from daybook.finetune.report import Finetuning
from daybook.finetune.tuner import Done, Tuner, prepare
from daybook.records import ModelVersion
from daybook.registry.registry import Registry
from daybook.reporting.text import plain
from daybook.settings import Settings
from daybook.training.jobs import Job
from daybook.training.recipe import Recipe
from tests.fakes.terminal import Terminal

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CURVE = [
    {"step": 0, "epoch": 0.0, "train": None, "validation": 2.0},
    {"step": 4, "epoch": 1.0, "train": 1.5, "validation": 1.25},
    {"step": 8, "epoch": 2.0, "train": 1.0, "validation": 1.5},
]


def side(value: float, low: float | None, high: float | None, **more: Any) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 24, **more}


def accuracy(verdict: str, difference: float = 0.25, low: float | None = 0.05, high: float | None = 0.45) -> Any:
    ends = {"p": 0.0312, "test": "McNemar exact", "verdict": verdict}
    return {
        "accuracy_base": side(0.5, 0.3, 0.7),
        "accuracy_tuned": side(0.75, 0.55, 0.9),
        "accuracy_difference": side(difference, low, high, **ends),
        "loss_tuned": {"value": 0.8, "n": 24},
    }


def loss(verdict: str) -> Any:
    ends = {"p": 0.0004, "test": "sign-flip permutation", "verdict": verdict}
    return {
        "loss_base": side(1.5, 1.4, 1.6),
        "loss_tuned": side(1.25, 1.2, 1.3),
        "loss_difference": side(0.25, 0.2, 0.3, **ends),
    }


@pytest.fixture
def book(home: Path) -> Iterator[Book]:
    with Book(f"duckdb:///{home / 'book.duckdb'}", home) as opened:
        yield opened


@pytest.fixture
def tuned(home: Path, tmp_path: Path, book: Book) -> Callable[..., Finetuning]:
    """A fine-tuning that is over, with these metrics."""
    path = tmp_path / "tickets.csv"
    texts = [(f"money back for {n} please", "refund") for n in range(20)] + [
        (f"where is {n}", "way") for n in range(20)
    ]
    path.write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in texts))
    tuner = Tuner(home, book)

    def make(
        metrics: Mapping[str, Any] | None,
        *,
        method: str = "head",
        held_out: int = 24,
        ended: str = "all steps",
        registered: bool = True,
        policies: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Finetuning:
        recipe = Recipe(method=method, held_out=0.3)  # type: ignore[arg-type] # one of its words
        plan = prepare(home, path, recipe, licence="own", policies=policies or {})
        if metrics is None:
            return Finetuning(tuner, plan, name="triage", actor="ada", **more)
        trained = {
            "parameters": 1540, "seconds": 2.5, "device": "cpu", "tokens": 12345, "steps": 8, "best_step": 4,
            "ended": ended, "curve": CURVE,
        }  # fmt: skip
        job = Job(
            id="ft-000000000000", state="completed", name="triage", created_at=NOW,
            spec={"rows": {"train": 56, "held_out": held_out}}, result={"training": trained, "metrics": metrics},
        )  # fmt: skip
        version: ModelVersion | None = None
        if registered:
            version = tuner.registry.register(
                "triage", method=method, provider="head", actor="ada", weights_digest="sha256:" + "a" * 64,
                metrics=metrics,
            )  # fmt: skip
        return Finetuning(tuner, plan, name="triage", actor="ada", done=Done(job, version), **more)

    return make


@pytest.mark.parametrize(
    ("metrics", "state", "text"),
    [
        (accuracy("better"), "met",
         "triage is better than before: accuracy +25.0 points (95 % interval +5.0 to +45.0), p = 0.031, on 24 held-out "
         "rows."),
        (accuracy("worse", -0.25, -0.45, -0.05), "not met",
         "triage is not better than before, but worse: accuracy -25.0 points (95 % interval -45.0 to -5.0), p = 0.031, "
         "on 24 held-out rows."),
        (accuracy("cannot tell", 0.05, None, None), "cannot tell",
         "Whether triage is better than before is open: accuracy +5.0 points, p = 0.031, on 24 held-out rows."),
        (loss("better"), "met",
         "triage is better than before: log-likelihood +0.250 nats a token (95 % interval +0.200 to +0.300), p < 0.001,"
         " on 24 held-out rows."),
        ({}, "not checked", "The training was cancelled, and nothing was compared."),
        (None, "not checked", "Nothing was trained yet."),
    ],
)  # fmt: skip
def test_the_verdict_has_four_states_and_its_figures(
    tuned: Callable[..., Finetuning], metrics: Any, state: str, text: str
) -> None:
    """Better, worse, not to be told, not compared: the state stands first, and what was judged behind it."""
    tuning = tuned(metrics)
    assert tuning.verdict == (state, text)
    if metrics is not None:
        (row,) = [row for row in tuning.findings() if row["name"] == "verdict"]
        assert (row["unit"], row["value"], row["note"]) == ("verdict", None, f"{state}: {text}")


def test_data_that_may_not_be_trained_on_is_not_met(tuned: Callable[..., Finetuning]) -> None:
    """The verdict before a training that cannot be: the gates that block, by name; training raises."""
    tuning = tuned(None, policies={"enough": "block:1000"})
    assert tuning.verdict == ("not met", "Training is blocked by enough.")
    assert "**training is blocked** by `enough`." in tuning.gates_prose
    with pytest.raises(GateNotMet, match="enough: 40 examples; at least 1000 are needed"):
        tuning.train()


def test_prose_table_and_findings_say_the_same_in_the_same_units(tuned: Callable[..., Finetuning]) -> None:
    """Accuracies in %, their difference in points, each with its interval; p and verdict in all three."""
    tuning = tuned(accuracy("better"))
    assert plain(tuning.compared_prose).replace("\u00a0", " ") == (
        "Accuracy 50.0 % before (95 % interval 30.0 % to 70.0 %), 75.0 % after (95 % interval 55.0 % to 90.0 %), on"
        " the same 24 held-out rows. It is better than it was, beyond what chance explains: accuracy +25.0 points (95 %"
        " interval +5.0 to +45.0), p = 0.031. Before means without training: the class whose name is nearest to"
        " the text."
    )
    shown = plain(tuning.table("compared").to_html())
    for cell in (
        "50.0 %",
        "30.0 % to 70.0 %",
        "75.0 %",
        "+25.0 points",
        "+5.0 points to +45.0 points",
        "0.031",
        "better",
    ):
        assert f">{cell}<" in shown
    rows = {row["name"]: row for row in tuning.findings()}
    assert (rows["accuracy_base"]["value"], rows["accuracy_base"]["unit"]) == (0.5, "share")
    assert (rows["accuracy_base"]["low"], rows["accuracy_base"]["high"], rows["accuracy_base"]["n"]) == (0.3, 0.7, 24)
    difference = rows["accuracy_difference"]
    assert [difference[key] for key in ("value", "low", "high", "unit", "n")] == [25.0, 5.0, 45.0, "points", 24]
    assert difference["note"] == "better; McNemar exact, p 0.031"
    assert (rows["loss_tuned"]["value"], rows["loss_tuned"]["unit"], rows["loss_tuned"]["low"]) == (0.8, "nats", None)


def test_the_table_of_what_was_compared_has_every_figure(tuned: Callable[..., Finetuning]) -> None:
    """Each measure before, after and their difference, with unit, interval, rows, p and verdict."""
    frame = tuned(loss("better")).compared
    assert frame["model"].tolist() == ["before", "after", "difference"]
    assert frame["unit"].tolist() == ["figure"] * 3
    assert frame["value"].tolist() == [1.5, 1.25, 0.25]
    assert frame["low"].tolist() == [1.4, 1.2, 0.2]
    assert frame["high"].tolist() == [1.6, 1.3, 0.3]
    assert frame["n"].tolist() == [24] * 3
    assert frame["verdict"].tolist() == ["", "", "better"]
    assert frame["p"].dropna().tolist() == [0.0004]


def test_a_loss_has_its_interval_in_words_too(tuned: Callable[..., Finetuning]) -> None:
    """And says what before was, by the method."""
    text = tuned(loss("cannot tell"), method="lora").compared_prose.replace("\u00a0", " ")
    assert text.startswith(
        "Loss **1.500 before (95 % interval 1.400 to 1.600), 1.250 after (95 % interval 1.200 to 1.300)**"
    )
    assert "**Whether it is better cannot be told** from so few rows: log-likelihood +0.250 nats a token" in text
    assert text.endswith("Before means the same model without the adapter.")
    assert "**It is worse than it was**" in tuned(loss("worse"), method="encoder").compared_prose
    assert "a head on the same model, frozen" in tuned(loss("worse"), method="encoder").compared_prose


def test_rows_that_were_not_used_are_said_with_the_reason(tuned: Callable[..., Finetuning]) -> None:
    """24 of 60 held-out rows were compared: in the prose, among the findings; where all were, nothing is said."""
    tuning = tuned(accuracy("better"), held_out=60)
    assert "on the same 24 held-out rows (of 60, by hash)" in plain(tuning.compared_prose).replace("\u00a0", " ")
    assert "Not used: 36 held out and not compared, by hash." in tuning.gates_prose
    (row,) = [row for row in tuning.findings() if row["name"] == "rows_not_used"]
    assert (row["value"], row["unit"], row["note"]) == (36.0, "rows", "36 held out and not compared, by hash")
    whole = tuned(accuracy("better"), held_out=24)
    assert "Not used" not in whole.gates_prose
    assert "(of " not in whole.compared_prose.split("held-out rows")[1][:6]
    assert [row for row in whole.findings() if row["name"] == "rows_not_used"] == []


def test_the_curve_is_drawn_by_its_numbers(tuned: Callable[..., Finetuning]) -> None:
    """Steps against losses, the kept one ringed; a head's by strength, on a logarithmic axis."""
    (axis,) = tuned(loss("better"), method="lora").chart_curve().axes
    lines = {line.get_label(): line for line in axis.lines}
    assert lines["held out"].get_xydata().tolist() == [[0, 2.0], [4, 1.25], [8, 1.5]]
    assert lines["trained on"].get_xydata().tolist() == [[4, 1.5], [8, 1.0]]
    ring = next(line for line in axis.lines if line.get_fillstyle() == "none")
    assert ring.get_xydata().tolist() == [[4, 1.25]]
    assert [text.get_text() for text in axis.texts] == ["kept: 1.25"]
    assert (axis.get_xlabel(), axis.get_ylabel(), axis.get_xscale()) == ("step", "loss, nats a token", "linear")
    assert axis.get_ylim() == pytest.approx((0, 2.0 * 1.15))
    (axis,) = tuned(accuracy("better")).chart_curve().axes
    assert axis.lines[-1].get_xydata().tolist() == [[1.0, 1.25]]
    assert (axis.get_ylabel(), axis.get_xscale(), axis.get_xlabel()) == (
        "loss, nats a row", "log", "strength of the head (C)",
    )  # fmt: skip
    assert tuned(accuracy("better"), method="encoder").chart_curve().axes[0].get_ylabel() == "loss, nats a row"


def test_before_and_after_are_drawn_with_their_intervals(tuned: Callable[..., Finetuning]) -> None:
    """After below, before above; accuracy from 0 to 100 %; one without an interval is a dot."""
    (axis,) = tuned(accuracy("better")).chart_compared().axes
    assert [line.get_xydata().tolist() for line in axis.lines] == [
        [[0.55, 0], [0.9, 0]], [[0.75, 0]], [[0.3, 1], [0.7, 1]], [[0.5, 1]],
    ]  # fmt: skip
    assert [label.get_text() for label in axis.get_yticklabels()] == ["after", "before"]
    assert (axis.get_xlim(), axis.get_xlabel()) == ((0, 1), "accuracy")
    assert [text.get_text() for text in axis.texts] == ["75.0 %", "50.0 %"]
    dots = accuracy("better") | {"accuracy_base": side(0.5, None, None)}
    (axis,) = tuned(dots).chart_compared().axes
    assert [len(line.get_xydata()) for line in axis.lines] == [2, 1, 1]
    (axis,) = tuned(loss("better"), method="lora").chart_compared().axes
    assert [text.get_text() for text in axis.texts] == ["1.25", "1.5"]
    assert (axis.get_xlim()[0], axis.get_xlim()[1] > 1.6) == (0, True)


@pytest.mark.parametrize(
    ("commands", "says"),
    [
        ("", "No version is the champion yet: `daybook models alias triage champion v1`."),
        ("DAYBOOK_BOOK=duckdb:///b ", "yet: `DAYBOOK_BOOK=duckdb:///b daybook models alias triage champion v1`."),
        (None, "the book is a made-up one and goes with this run; to serve the model, train it on a book of your own."),
    ],
)
def test_the_way_to_a_champion_fits_the_book(tuned: Callable[..., Finetuning], commands: str | None, says: str) -> None:
    """A command for the book that the version is in; none where the book is made up, and nothing is served from it."""
    tuning = tuned(accuracy("better"), commands=commands)
    assert tuning.registered_prose.endswith(says)
    assert ("the endpoint serves it as `triage:v1`" in tuning.registered_prose) == (commands is not None)
    assert "Registered as **triage:v1**, weights `sha256:aaaaaaaaaaaa…`" in tuning.registered_prose


def test_a_champion_that_is_there_is_named_and_nothing_is_advised(tuned: Callable[..., Finetuning], book: Book) -> None:
    """Also where another version is it."""
    tuning = tuned(accuracy("better"))
    Registry(book).alias("triage", "champion", 1, actor="ada")
    assert tuning.registered_prose.endswith(". The champion is v1.")
    assert tuned(accuracy("better"), registered=False).registered_prose == "Nothing was registered."
    assert tuning.versions.to_dict("records") == [
        {"version": "v1", "method": "head", "registered": tuning.done.model.at, "measure": "accuracy 75.0 %",  # type: ignore[union-attr] # it is registered
         "aliases": "champion", "digest": "sha256:aaaaaaaaaaaa…"},
    ]  # fmt: skip


def test_how_it_went_is_said_by_how_it_ended(tuned: Callable[..., Finetuning]) -> None:
    """Early stops say why; a head has no steps to keep."""
    early = tuned(loss("better"), method="lora", ended="early").training_prose.replace("\u00a0", " ")
    assert early == (
        "1,540 numbers were trained in 2.5 s on cpu, 12,345 tokens in 8 steps. It stopped early: the held-out loss no "
        "longer fell. The state of step 4 was kept."
    )
    assert "stopped early" not in tuned(loss("better"), method="lora").training_prose
    assert tuned(accuracy("better")).training_prose.endswith(
        "tenth of the strength asked for, at it, and at ten times."
    )


def test_it_shows_itself(tuned: Callable[..., Finetuning]) -> None:
    """Before the training: gates and estimate. After it: the verdict's figures, the chart and the table."""
    before = tuned(None)
    assert before._repr_markdown_() == f"{before.gates_prose}\n\n{before.estimate_prose}"
    assert before._repr_html_() is None
    with pytest.raises(BadParameter, match="Nothing was trained yet"):
        before.findings()
    after = tuned(accuracy("better"))
    assert after._repr_markdown_().startswith("Accuracy **50.0")
    assert after._repr_markdown_() == "\n\n".join(
        [after.compared_prose, after.registered_prose, after.gates_prose, after.training_prose]
    )
    page = str(after._repr_html_())
    assert "finetune-compared" in page
    assert "<img" in page or "<svg" in page
    cancelled = tuned({}, registered=False)
    assert cancelled._repr_html_() is None
    assert cancelled.compared_prose == "Nothing was compared: the training was cancelled."
    with pytest.raises(BadParameter, match="There are gates, compared, versions"):
        after.table("nothing")


def test_the_summary_has_two_digits_and_the_state(tuned: Callable[..., Finetuning]) -> None:
    """What the machine decides is rounded away; tokens are left out."""
    lines = tuned(accuracy("better", 0.2512, 0.0512, 0.4512)).summary().splitlines()
    words = {line.split()[0]: line.split()[1:] for line in lines}
    assert words["accuracy_difference"] == ["25", "points"]
    assert words["accuracy_tuned"] == ["0.75", "share"]
    assert words["verdict"] == ["met"]
    assert words["examples"] == ["40", "rows"]
    assert "tokens" not in words


@pytest.mark.parametrize("run_id", [None, "run-1"])
def test_a_terminal_sees_the_training_unless_the_press_runs_it(
    tuned: Callable[..., Finetuning], terminal: Terminal, run_id: str | None
) -> None:
    """How many of how many; a run of the press draws nothing, wherever its output goes."""
    with redirect_stderr(terminal.file):
        done = tuned(None, run_id=run_id).train()
    text = terminal.text()
    assert done.model is not None
    assert done.model.run_id == run_id
    assert ("training" in text, "/s" in text) == (run_id is None, run_id is None)
    if run_id is None:
        assert "100%" in text
        assert re.search(r"(\d+)/\1 \[", text)


def test_a_notebook_trains_with_a_bar_only_where_somebody_looks(tmp_path: Path) -> None:
    """Into a pipe nothing is drawn, and the model is there; twice is once; the book says which remedy is printed."""
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, tmp_path)
    with workbench.open(settings=settings) as book, redirect_stderr(io.StringIO()) as drawn:
        tuning = book.finetuning("builtin:requests", name="requests", recipe={"method": "head", "held_out": 0.3})
        steps: list[int] = []
        done = tuning.train(tell=lambda progress: steps.append(progress.step))
        assert tuning.train() is done
    assert drawn.getvalue() == ""
    assert steps == sorted(steps) != []
    assert done.model is not None
    assert tuning.commands == ""


def test_each_gate_stands_in_the_table_with_its_state(tuned: Callable[..., Finetuning]) -> None:
    """Met, blocking, to be seen, not checked: with how many of how many and what was found."""
    tuning = tuned(None, policies={"enough": "block:1000", "balance": "warn:0.5"})
    rows = {row["gate"]: row for row in tuning.gates.to_dict("records")}
    assert len(rows) == 12
    states = {name: rows[name]["state"] for name in ("format", "enough", "balance", "leakage")}
    assert states == {"format": "met", "enough": "blocks", "balance": "see", "leakage": "not checked"}
    assert (rows["enough"]["found"], rows["enough"]["message"]) == (40, "40 examples; at least 1000 are needed")
    assert rows["format"]["of"] == 40
    assert ">blocks<" in tuning.table("gates").to_html()


def test_the_gates_are_counted_in_words(tuned: Callable[..., Finetuning]) -> None:
    """Met, not checked and to be seen apart; nothing that was not checked is said to be met."""
    tuning = tuned(None, policies={"balance": "warn:0.5"})
    rows = tuning.gates["state"].tolist()
    assert rows.count("see") >= 1
    text = tuning.gates_prose
    assert f": {rows.count('met')} of 12 gates are met, and nothing blocks. Not checked: `leakage` and" in text
    assert " To be seen: `balance`, " in text
    assert "estimated at four characters a token" in tuning.estimate_prose
