"""A remedy that is printed works where it is printed: taken out of the message and done, in Python and in a shell."""

from __future__ import annotations

import ast
import re
import shlex

import pandas as pd
import pytest
from click.testing import CliRunner

from daybook.bias.counterfactual.prompts import Group, expand
from daybook.bias.counterfactual.report import audit_counterfactual
from daybook.bias.decisions.metrics import measure
from daybook.cli import daybook
from daybook.errors import DaybookError

TABLE = pd.DataFrame(
    {
        "sex": ["m", "w"] * 60,
        "age": [20 + i % 40 for i in range(120)],
        "flag": [0] * 95 + [2.5] * 25,
        "granted": ["yes", "no", "no"] * 40,
        "score": [i / 120 for i in range(120)],
        "repaid": [1, 0] * 60,
    }
)
ASKED = {"group": ["sex"], "prediction": "granted", "favourable": "yes"}
WRONG = {
    "no group": ({"group": []}, "group"),
    "nothing favourable": ({"favourable": None}, "favourable"),
    "a score": ({"favourable": None, "prediction": "score"}, "threshold"),
    "many ages": ({"group": ["age"]}, "bands"),
    "values too much alike": ({"group": ["flag"], "bands": {"flag": 4}}, "bands"),
    "the truth's word": (
        {"prediction": "score", "favourable": None, "threshold": 0.5, "truth": "granted"},
        "truth_favourable",
    ),
}
"""What is asked wrongly, and the parameter that the message says."""


def options(asked: dict) -> list[str]:
    """The same as it is typed."""
    words = []
    for name, value in asked.items():
        if name == "bands":
            words += [f"--bands={column}={how}" for column, how in value.items()]
        elif value is not None:
            words.append(f"--{name.replace('_', '-')}={','.join(value) if isinstance(value, list) else value}")
    return words


@pytest.mark.parametrize(("wrong", "name"), WRONG.values(), ids=WRONG)
def test_what_a_message_about_decisions_says_to_write_works(wrong, name, tmp_path):
    """As it is written in Python and as it is typed, instead of or beside what was asked: the audit is made."""
    with pytest.raises(DaybookError) as refused:
        measure(TABLE, **ASKED | wrong)
    python, _, shell = refused.value.remedy.partition("(on the command line: ")
    written = re.search(rf'{name}=({{.*?}}|\[.*?\]|"[^"]*"|[\d.]*\d)', python)[1]
    assert measure(TABLE, **ASKED | wrong | {name: ast.literal_eval(written)}).n == 120
    typed = re.search(rf"--{name.replace('_', '-')} \S*\w", shell)[0].split()
    file = tmp_path / "t.csv"
    TABLE.to_csv(file, index=False)
    kept = {key: value for key, value in (ASKED | wrong).items() if key != name}
    run = CliRunner().invoke(daybook, ["bias", "decisions", str(file), *options(kept), *typed])
    assert run.exit_code == 0, run.output


@pytest.mark.parametrize("value", ["yes", "no"])
def test_a_value_that_is_not_there_names_those_that_are_and_what_says_it(value):
    """For the decision and for the truth, each by its own parameter; a datum among them is masked."""
    with pytest.raises(DaybookError) as refused:
        measure(TABLE, **ASKED | {"favourable": "granted"})
    assert refused.value.remedy == (
        "There are: 'no', 'yes'. Say the one that is meant: favourable (on the command line: --favourable)."
    )
    assert measure(TABLE, **ASKED | {"favourable": value}).n == 120
    with pytest.raises(DaybookError) as refused:
        measure(TABLE, **ASKED | {"truth": "repaid", "truth_favourable": "paid"})
    assert refused.value.remedy == (
        "There are: '0', '1'. Say the one that is meant: truth_favourable (on the command line: --truth-favourable)."
    )
    people = TABLE.assign(granted=["ada@example.com"] * 120)
    with pytest.raises(DaybookError) as refused:
        measure(people, **ASKED)
    assert "There are: '[email]'." in refused.value.remedy


def test_a_column_of_one_number_has_no_bands():
    """There is nowhere to cut, and the message does not say where."""
    with pytest.raises(DaybookError) as refused:
        measure(TABLE.assign(flag=7), **ASKED | {"group": ["flag"], "bands": {"flag": 2}})
    assert refused.value.remedy == "All are 7: name other groups."


@pytest.mark.parametrize("model", ["m", "my model", "$(touch x)"])
def test_a_model_that_says_nothing_can_be_asked_as_it_is_printed(model):
    """The words of a shell are a command of this program, and the model is one of them, however it is called."""
    asked = expand(["{person} rang."], {"a": {"b": Group(noun=("b",)), "c": Group(noun=("c",))}})
    with pytest.raises(DaybookError) as refused:
        audit_counterfactual(asked, [None] * len(asked), deciding=[False] * len(asked), model=model)
    words = shlex.split(refused.value.remedy.removeprefix("Try it: "))
    assert (words[0], words[-2:]) == ("daybook", ["--model", model])
    command = daybook.get_command(None, words[1])
    assert command.make_context(words[1], words[2:]).params["model"] == model
