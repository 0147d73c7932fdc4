"""What an evaluation says of answers: on real models by way of a counting endpoint, and of stored predictions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daybook import workbench
from daybook.cli import main
from daybook.datasets import DataSet, Row, load
from daybook.errors import BadData, BadParameter, DaybookError
from daybook.evaluation.ask.evaluator import Evaluator
from daybook.evaluation.ask.tasks import TASKS, Contestant, body, contestants, task_of
from daybook.evaluation.figures import Item
from daybook.evaluation.predictions import score
from daybook.evaluation.report import Evaluation
from daybook.evaluation.scorers import Scorer
from daybook.inference.client.answer_cache import CachedAnswer
from daybook.scoring import Score
from daybook.settings import Settings
from tests.fakes.counting import Counting

LINES = Callable[[str, list[dict[str, Any]]], Path]


@pytest.fixture
def lines(tmp_path: Path) -> LINES:
    def write(name: str, rows: list[dict[str, Any]]) -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return path

    return write


def stored(right: list[bool], **more: Any) -> list[dict[str, Any]]:
    return [{"id": i, "prediction": "4" if r else "5", "reference": "4", **more} for i, r in enumerate(right)]


def evaluation(*scores: list[float | None], said: str = "x") -> Evaluation:
    rows = tuple(Row(f"r{i}", f"question {i}" * (i + 1), "x" if i % 2 else "y") for i in range(len(scores[0])))
    items = {
        f"m{n}": [
            Item(row, CachedAnswer(text=said), Score(value, said)) if value is not None else Item(row, error="timeout")
            for row, value in zip(rows, column, strict=True)
        ]
        for n, column in enumerate(scores)
    }
    return Evaluation(DataSet("d", "d", rows), "short_answer", "exact", items)


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────


def test_a_winner_is_named_only_where_one_can_be_told() -> None:
    """Better by 20 of 40 with none lost: told. Better by 3: cannot tell."""
    clear = evaluation([0.0] * 20 + [1.0] * 20, [1.0] * 40)
    assert clear.winner == "m1"
    assert "**better**" in clear.difference_prose
    small = evaluation([0.0] * 3 + [1.0] * 37, [1.0] * 40)
    assert small.winner is None
    assert "cannot be told" in small.difference_prose
    worse = evaluation([1.0] * 40, [0.0] * 20 + [1.0] * 20)
    assert worse.winner == "m0"


def test_what_never_came_is_counted_and_left_out_of_the_pairs() -> None:
    """A failed call is not a wrong answer, and its row is compared for nobody."""
    found = evaluation([1.0, None, 0.0, 1.0], [1.0, 1.0, None, 0.0])
    assert found.compared["m1"].n == 2
    assert found.leaderboard.set_index("contestant")["missing"].tolist() == [1, 1]
    assert set(found.errors["kind"]) == {"timeout"}


def test_a_model_that_answers_nothing_is_wrong_and_said_to_be_silent() -> None:
    """Not an error, not a crash: a score of 0, and a sentence of its own."""
    found = evaluation([0.0] * 8, said="")
    assert found.quality("m0").value == 0
    assert "answered nothing at all" in found.error_prose


def test_groups_widen_the_interval() -> None:
    """The same scores, shared among four sources, say less."""
    alone = evaluation([1.0, 0.0] * 20, [1.0, 1.0] * 20)
    rows = tuple(replace(row, group=f"g{i // 10}") for i, row in enumerate(alone.data.rows))
    items = {n: [replace(i, row=r) for i, r in zip(column, rows, strict=True)] for n, column in alone.items.items()}
    grouped = replace(alone, data=DataSet("d", "d", rows), items=items)
    assert alone.compared["m1"].verdict == "better"
    assert grouped.compared["m1"].test == "sign-flip permutation"
    assert grouped.compared["m1"].verdict == "cannot tell"


def test_findings_name_the_rows_that_they_are_about() -> None:
    """Each carries the digest of its data, an interval and n."""
    found = evaluation([1.0, 0.0] * 10, [1.0, 1.0] * 10)
    rows = {row["name"]: row for row in found.findings()}
    assert found.data.digest in rows["quality/m0"]["note"]
    assert rows["difference/m1"]["low"] <= rows["difference/m1"]["value"] <= rows["difference/m1"]["high"]
    assert rows["difference/m1"]["n"] == 20


def test_every_table_and_chart_can_be_drawn_whatever_there_is() -> None:
    """Two, one, and none that could be scored."""
    for found in (evaluation([1.0, 0.0] * 10, [1.0] * 20), evaluation([1.0] * 3), evaluation([None] * 3, [None] * 3)):
        for name in ("leaderboard", "differences", "slices", "disagreements", "errors"):
            assert "<table" in found.table(name).to_html()
        assert found.chart().to_png()[0]
        assert found.chart_differences().to_png()[0]
        assert found.prose
    with pytest.raises(BadParameter, match="leaderboard"):
        found.table("all")


def test_slices_and_disagreements_show_where() -> None:
    """By right answer; rows that differ, both answers side by side; too small a slice says nothing."""
    found = evaluation([1.0, 0.0] * 10, [1.0, 1.0] * 10)
    by = found.slices.set_index(["slice", "contestant"])["quality"]
    assert (by["y", "m0"], by["x", "m0"], by["x", "m1"]) == (1.0, 0.0, 1.0)
    assert len(found.disagreements) == 10
    assert found.disagreements["m0"].str.startswith("✗").all()


# ── how it is asked ───────────────────────────────────────────────────────────────────────────────────


def test_what_a_row_says_cannot_change_the_question() -> None:
    """Braces of a template are filled once; those of an input stay as they are."""
    row = Row("1", "{labels} {choices} {input}", "a")
    made = body(TASKS["classification"], Contestant.of("m"), row, labels=["a", "b"])
    assert "{labels} {choices} {input}" in made["messages"][0]["content"]
    assert "a, b" in made["messages"][0]["content"]


def test_a_contestant_is_a_model_and_its_way_of_asking() -> None:
    """Parsed strictly."""
    one = Contestant.of("up/m:7b?shots=3&system=Be brief.&max_tokens=9&name=short")
    assert (one.model, one.shots, one.system, one.max_tokens, one.name) == ("up/m:7b", 3, "Be brief.", 9, "short")
    for text in ("", "?shots=1", "m?shots=x", "m?colour=red", "m?shots=-1"):
        with pytest.raises(BadParameter):
            Contestant.of(text)


@pytest.mark.parametrize(
    ("source", "name"),
    [("requests", "classification"), ("facts", "multiple_choice"), ("capitals", "short_answer"), ("functions", "code")],
)
def test_the_task_is_seen_from_the_rows(source: str, name: str) -> None:
    """`auto`: choices, classes, checks, or a short answer."""
    from daybook.datasets import load

    assert task_of("auto", load(f"builtin:{source}")).name == name


def test_a_judge_that_answers_prose_has_judged_nothing() -> None:
    """Counted as `no verdict`, and no score is made up."""
    rows = [Row("1", "q"), Row("2", "q2")]
    marker = Scorer("judge", judge=lambda asked: ["Fine.\nVerdict: 5", "It is rather good."])
    items = marker.score(rows, [CachedAnswer(text="a"), CachedAnswer(text="b")], [None, None])
    assert [item.score.value if item.score else item.error for item in items] == [1.0, "no verdict"]


def test_a_code_task_needs_its_check() -> None:
    """A row without a test is refused by its id; right code passes it, wrong code does not."""
    marker = Scorer("code")
    row = Row("1", "q", extra={"test": "assert f(2) == 4"})
    said = [CachedAnswer(text="```python\ndef f(x): return x * 2\n```"), CachedAnswer(text="def f(x): return x")]
    assert [i.score.value for i in marker.score([row, row], said, [None, None]) if i.score] == [1.0, 0.0]
    with pytest.raises(BadData, match="Row 2 has no test"):
        marker.ready([row, Row("2", "q")])


# ── on models ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def upstream() -> Iterator[Counting]:
    made = Counting(
        lambda model, text: {"good": "B", "silent": "", "prose": "Well, it depends."}.get(model, "Verdict: 4")
    )
    yield made
    made.close()


@pytest.fixture
def bench(upstream: Counting, tmp_path: Path) -> Iterator[workbench.Daybook]:
    settings = Settings.from_env({"DAYBOOK_HOME": str(tmp_path / "home")}, tmp_path)
    upstream.models_file(settings.models)
    with workbench.open(settings=settings) as made:
        yield made


def test_models_are_asked_once_and_the_calls_are_in_the_book(bench: workbench.Daybook, upstream: Counting) -> None:
    """The second time costs nothing and says the same; each call is one row under the project `evaluation`."""
    first = bench.evaluate("builtin:facts", ["up/good", "up/silent"], rows=12)
    again = bench.evaluate("builtin:facts", ["up/good", "up/silent"], rows=12)
    assert (first.asked, again.asked) == (24, 0)
    assert again.leaderboard.drop(columns="p50").equals(first.leaderboard.drop(columns="p50"))
    assert sum(upstream.answered.values()) == 24
    calls = bench.sql("select project, count(*) as n from calls group by 1")
    assert calls.to_dict("records") == [{"project": "evaluation", "n": 24}]
    assert first.quality("up/silent").value == 0


def test_free_text_is_judged_by_a_model(bench: workbench.Daybook) -> None:
    """The judge's verdict is the score; a judge that answers prose leaves every row without one."""
    data = DataSet("d", "d", tuple(Row(str(i), f"Why {i}?") for i in range(4)))
    found = bench.evaluate(data, ["up/good"], task="free_text", judge="up/judge")
    assert found.quality("up/good").value == 0.75
    unread = bench.evaluate(data, ["up/good"], task="free_text", judge="up/prose")
    assert unread.quality("up/good").value is None
    assert unread.errors["kind"].tolist() == ["no verdict"]


def test_a_conversation_goes_on_after_its_answer(bench: workbench.Daybook, upstream: Counting, tmp_path: Path) -> None:
    """MT-Bench's rows: the second turn is put after the answer to the first, the judge sees both, and what both took is
    counted; the category slices and is no reference."""
    path = tmp_path / "turns.jsonl"
    rows = [{"question_id": i, "category": "abc"[i % 3], "turns": [f"First {i}?", f"Second {i}?"]} for i in range(15)]
    rows[3] |= {"reference": ["One.", "Two."]}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = bench.evaluate(path, ["up/good"], judge="up/judge")
    assert (found.task, found.asked, found.quality("up/good").value) == ("free_text", 45, 0.75)
    assert upstream.answered[("good", "Second 3?")] == 1
    judged = [text for model, text in upstream.answered if model == "judge"]
    assert len(judged) == 15
    assert all("First" in text and "Assistant: B" in text and "Second" in text for text in judged)
    assert sum("One.\n\nTwo." in text for text in judged) == 1
    assert found.data.rows[0].input == "First 0?"
    assert "category: a" in set(found.slices["slice"])
    assert bench.evaluate(path, ["up/good"], judge="up/judge").asked == 0


def test_what_cannot_be_scored_is_refused_before_it_is_paid_for(
    bench: workbench.Daybook, upstream: Counting, tmp_path: Path
) -> None:
    """No judge, a judge that there is not, a number task whose right answers are none, code without checks."""
    data = DataSet("d", "d", tuple(Row(str(i), f"Why {i}?", "because") for i in range(4)))
    for more, says in (
        ({"task": "free_text"}, "Nobody was named"),
        ({"task": "free_text", "judge": "nobody"}, "No model is called 'nobody'"),
        ({"task": "number"}, "4 of 4 references hold nothing"),
        ({"task": "code"}, "has no test"),
    ):
        with pytest.raises(DaybookError, match=says):
            bench.evaluate(data, ["up/good"], **more)
    assert upstream.asked == 0


def test_examples_are_never_rows_that_are_asked_about(bench: workbench.Daybook, upstream: Counting) -> None:
    """Half of the data, by hash, gives the examples; the other half is asked about."""
    found = bench.evaluate("builtin:capitals", ["up/good?shots=2", "up/good"], task="short_answer")
    whole = len(load("builtin:capitals"))
    assert len(found.data) < 30
    assert (found.wanted, found.unused) == (None, {"kept for examples": whole - len(found.data)})
    some = bench.evaluate("builtin:capitals", ["up/good?shots=2"], task="short_answer", rows=10)
    assert (some.wanted, len(some.data)) == (10, 10)
    assert some.unused == found.unused | {"beyond those asked for": len(found.data) - 10}
    all_of_it = bench.evaluate("builtin:facts", ["up/good"], rows=1000)
    assert (all_of_it.wanted, all_of_it.unused) == (1000, {})
    with pytest.raises(BadData, match="asked about as well"):
        Evaluator._disjoint(found.data, found.data)


def test_a_model_that_is_not_there_is_a_usage_error(bench: workbench.Daybook) -> None:
    """Before anything is asked."""
    with pytest.raises(DaybookError, match="No model is called 'nobody'"):
        bench.evaluate("builtin:facts", ["up/good", "nobody"])


# ── stored predictions ────────────────────────────────────────────────────────────────────────────────


def test_stored_predictions_are_scored_as_json(lines: LINES, capsys: pytest.CaptureFixture[str]) -> None:
    """Mean, interval, standard error, what could not be read; each row where asked for."""
    rows = [
        {"id": "a", "prediction": "… #### 18", "reference": "18"},
        {"id": "b", "prediction": "no idea", "reference": "7"},
        {"id": "c", "prediction": None, "reference": "7"},
        {"id": "d", "prediction": "$1,000.", "reference": 1000},
    ]
    path = lines("p.jsonl", rows)
    assert main(["evaluate", "score", str(path), "--scorer", "number", "--json", "--items"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["n"], told["mean"], told["empty"], told["unread"]) == (4, 0.5, 1, 2)
    assert told["low"] < 0.5 < told["high"]
    assert [item["score"] for item in told["items"]] == [1, 0, 0, 1]


def test_a_gate_that_is_not_met_exits_with_3(lines: LINES, capsys: pytest.CaptureFixture[str]) -> None:
    """And says by how much; one that is met exits with 0."""
    good, bad = lines("good.jsonl", stored([True] * 40)), lines("bad.jsonl", stored([True, False] * 20))
    assert main(["evaluate", "score", str(bad), "--at-least", "0.6"]) == 3
    assert "is 0.5000 on 40 rows; the gate is 0.6" in capsys.readouterr().err
    assert main(["evaluate", "score", str(good), "--at-least", "0.6"]) == 0
    assert main(["evaluate", "compare", str(bad), str(good), "--must", "better"]) == 0
    assert main(["evaluate", "compare", str(good), str(bad), "--must", "not-worse"]) == 3
    assert main(["evaluate", "compare", str(good), str(good), "--must", "better"]) == 3


def test_two_files_are_paired_by_id_not_by_place(lines: LINES, capsys: pytest.CaptureFixture[str]) -> None:
    """The order does not matter; rows that only one has are left out and counted; the verdict is in the JSON."""
    a, b = stored([False] * 15 + [True] * 25), stored([True] * 42)
    assert main(["evaluate", "compare", str(lines("a.jsonl", a)), str(lines("b.jsonl", b[::-1])), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["n"], told["difference"], told["left_out"]) == ("better", 40, 15 / 40, {"b": 2})
    assert told["p"] < 0.001
    assert (told["won"], told["lost"], told["sources"]) == (15, 0, 40)


@pytest.mark.parametrize(
    ("rows", "scorer", "says"),
    [
        ([{"id": 1, "reference": "x"}], "exact", "no column prediction"),
        ([{"id": 1, "prediction": "x"}], "exact", "no column reference"),
        ([{"prediction": "x", "reference": "x"}], "exact", "no column id"),
        ([{"id": 1, "prediction": "x", "reference": None}], "exact", "has no reference: line 1"),
        ([{"id": 1, "prediction": "x", "reference": "x"}] * 2, "exact", "is that of row 1 too"),
        ([{"id": 1, "score": "high"}], "score", "no number between 0 and 1: row 1"),
        (
            [{"id": 1, "prediction": "5", "reference": "five"}],
            "number",
            "1 of 1 references hold nothing that number reads",
        ),
        ([{"id": 1, "prediction": "5", "reference": ""}], "number", "has an empty reference: line 1"),
        ([], "exact", "no rows"),
        ([{"id": 1, "prediction": "x", "reference": "x"}], "best", "There is no scorer"),
    ],
)
def test_predictions_that_cannot_be_meant_are_refused(
    lines: LINES, capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], scorer: str, says: str
) -> None:
    """Exit code 2, the numbers, no traceback."""
    assert main(["evaluate", "score", str(lines("p.jsonl", rows)), "--scorer", scorer]) == 2
    said = capsys.readouterr().err
    assert says in said
    assert "Traceback" not in said


def test_an_answer_is_found_whatever_type_it_has(lines: LINES) -> None:
    """Objects are compared as JSON, several references as any of them, and ids as text: 7, 7.0 and "7" are one."""
    rows: list[dict[str, Any]] = [
        {"id": 7, "prediction": {"a": 1}, "reference": {"a": 1.0}},
        {"id": "x", "prediction": '{"a": 2}', "reference": [{"a": 3}, {"a": 2}]},
    ]
    moved = [{**rows[0], "id": 7.0}, {**rows[1], "prediction": None}]
    found = score([lines("a.jsonl", rows), lines("b.jsonl", moved)], scorer="json").evaluation
    assert [item.score.value for item in found.items["a"] if item.score] == [1, 1]
    assert [item.score.value for item in found.items["b"] if item.score] == [1, 0]


def test_where_nothing_is_right_silence_is(lines: LINES) -> None:
    """SQuAD 2.0's questions without an answer: the empty prediction is right, and any other is wrong."""
    rows = [
        {"id": 1, "prediction": "", "reference": ""},
        {"id": 2, "prediction": "Paris", "reference": []},
        {"id": 3, "prediction": "", "reference": "Paris"},
    ]
    for scorer in ("exact", "normalised", "f1"):
        found = score([lines("p.jsonl", rows)], scorer=scorer).evaluation
        assert [item.score.value for item in found.items["p"] if item.score] == [1, 0, 0], scorer


def test_a_source_that_all_rows_share_groups_nothing(lines: LINES) -> None:
    """`"source": "gsm8k"` on every row says where the file is from; two sources do group."""
    one = score([lines("p.jsonl", stored([True, False] * 10, source="gsm8k"))], scorer="exact").evaluation
    assert one.data.groups is None
    assert one.quality("p").low is not None
    two = [{**row, "source": f"s{i % 2}"} for i, row in enumerate(stored([True, False] * 10))]
    assert score([lines("q.jsonl", two)], scorer="exact").evaluation.data.groups is not None


def test_files_about_different_rows_are_not_compared(lines: LINES) -> None:
    """Another reference under the same id, or no id in common."""
    a = lines("a.jsonl", stored([True] * 3))
    with pytest.raises(BadData, match="another reference"):
        score([a, lines("b.jsonl", [{**row, "reference": "9"} for row in stored([True] * 3)])], scorer="exact")
    with pytest.raises(BadData, match="No id is in all"):
        score([a, lines("c.jsonl", [{**row, "id": f"x{row['id']}"} for row in stored([True] * 3)])], scorer="exact")


def test_power_is_told_before_anything_is_spent(capsys: pytest.CaptureFixture[str]) -> None:
    """400 rows show 6.4 points with 80 %, where a fifth of the rows are discordant."""
    assert main(["evaluate", "power", "400"]) == 0
    assert "6.4 points with 80 %" in capsys.readouterr().out
    assert main(["evaluate", "power", "400", "--difference", "0.05", "--discordant", "0.12", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["power"] == pytest.approx(0.80, abs=0.01)


@pytest.mark.parametrize("template", ["Say yes or no.", "{labels}", "{ input }", ""])
def test_a_template_without_the_question_is_refused(template):
    """It would ask every row the same, and score that."""
    with pytest.raises(BadParameter, match=r"has no \{input\}"):
        contestants([Contestant(name="a", model="m", template=template)])
    assert len(contestants([Contestant(name="a", model="m", template=template + "{input}")])) == 1
