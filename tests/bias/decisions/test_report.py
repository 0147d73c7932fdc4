"""`daybook bias decisions`: any table by its columns' names; each fault with its numbers; gates end with 3."""

from __future__ import annotations

import json

import pytest

from daybook import cli
from daybook.bias.decisions.report import audit_decisions

HEAD = "id,sex,granted,repaid\n"
ROWS = "".join(
    f"{i},{'w' if i % 2 else 'm'},{'yes' if i % 5 < (2 if i % 2 else 4) else 'no'},yes\n" for i in range(200)
)


@pytest.fixture
def asked(tmp_path, capsys):
    """Runs the command on a file with this content: (exit code, stdout, stderr)."""

    def ask(content: str | bytes, *more: str, name: str = "loans.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        given = ["--prediction", "granted", "--group", "sex", "--favourable", "yes"]
        code = cli.main(["bias", "decisions", str(path), *given, *more])
        said = capsys.readouterr()
        return code, said.out, said.err

    return ask


def test_rates_ratio_and_gate(asked):
    """The ratio is printed and as JSON; a gate that it misses is exit code 3 with the figures, one it keeps is 0."""
    code, out, err = asked(HEAD + ROWS, "--json")
    told = json.loads(out)
    assert code == 0
    ratio = next(row for row in told["gaps"] if row["measure"] == "ratio")
    assert (ratio["value"], ratio["worst"], told["n"]) == (0.5, "w", 200)
    code, out, err = asked(HEAD + ROWS, "--min-ratio", "0.8")
    assert code == 3
    assert "ratio at least 0.8: it is 0.5" in err
    assert "w is favoured 0.500 times as often as m" in out
    assert asked(HEAD + ROWS, "--min-ratio", "0.3")[0] == 0


def test_a_gate_that_only_the_value_meets_says_so(asked):
    """Met by the value but not by its interval: exit code 0, and a warning."""
    code, _, err = asked(HEAD + ROWS, "--min-ratio", "0.45")
    assert code == 0
    assert "met by 0.5, but its interval reaches 0." in err


def test_what_cannot_be_measured_does_not_pass(asked):
    """A gate on groups that are too small is not met."""
    code, _, err = asked(HEAD + "1,m,yes,yes\n2,w,yes,yes\n", "--min-ratio", "0.8")
    assert code == 3
    assert "it could not be measured" in err


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        (HEAD, "has no rows"),
        ("id,gender,granted\n1,m,yes\n", "no column 'sex'. It has: id, gender, granted"),
        (HEAD + "1,m,yes,yes\n2,w,no,no,what\n", "Row #3: Expected 4 columns, got 5."),
        (HEAD.encode() + b"1,m,yes,yes\n2,\xe9,no,no\n", "the first line 3 (byte 0xe9)"),
        (HEAD + "1,,yes,yes\n2,NaN,no,no\n", "None of the 2 rows has all of"),
        (HEAD + "1,m,no,yes\n2,w,no,no\n", "None of the 2 values of 'granted' is 'yes'. There are: 'no'"),
    ],
    ids=["empty", "header-only", "missing-column", "ragged", "latin-1", "nothing-known", "never-favoured"],
)
def test_bad_tables_are_refused_with_numbers(asked, content, says):
    """Exit code 2 and one paragraph that says where."""
    code, out, err = asked(content)
    assert (code, out) == (2, "")
    assert says in err


def test_all_identical_decisions_are_no_bias(asked):
    """Everybody favoured: the ratio is 1, and no group differs."""
    code, out, _ = asked(HEAD + ROWS.replace(",no,", ",yes,"))
    assert code == 0
    assert "1.000 times as often" in out
    assert "No group differs" in out


def test_few_rows_never_show_that_no_group_differs(asked):
    """Half of 40 against half of 40: the same rate, and an interval that leaves room for twenty points."""
    rows = "".join(f"{i},{sex},{'yes' if i % 2 else 'no'},yes\n" for sex in "mw" for i in range(40))
    code, out, _ = asked(HEAD + rows)
    assert code == 0
    assert "No group differs" not in out
    assert "Whether any group differs from w cannot be told" in out


def test_it_shows_itself(tmp_path):
    """Prose, chart and findings tell the same ratio, with n."""
    path = tmp_path / "loans.csv"
    path.write_text(HEAD + ROWS)
    found = audit_decisions(path, group=["sex"], prediction="granted", truth="repaid", favourable="yes")
    assert "0.500 times as often" in found.prose
    assert "200 rows, 95 % intervals" in found.chart().alt
    named = {row["name"]: row for row in found.findings()}
    assert named["decisions/sex/ratio"]["value"] == 0.5
    assert named["decisions/sex/ratio"]["n"] == 200


def test_a_spreadsheets_semicolons_are_read(asked):
    """The separator is what parts the header."""
    code, out, _ = asked((HEAD + ROWS).replace(",", ";"), "--json")
    assert (code, json.loads(out)["n"]) == (0, 200)


def test_each_groups_verdict_is_a_finding(tmp_path):
    """What a promotion can be held against: gaps and groups, with interval, n and verdict."""
    path = tmp_path / "loans.csv"
    path.write_text(HEAD + ROWS)
    found = audit_decisions(path, group=["sex"], prediction="granted", favourable="yes")
    named = {row["name"]: row for row in found.findings()}
    assert "decisions/sex/against the most favoured/m" not in named  # it is what is compared with
    woman = named["decisions/sex/against the most favoured/w"]
    assert (woman["note"], woman["value"], woman["unit"]) == ("less often favoured", -40.0, "points")
    assert woman["low"] < -40 < woman["high"] < 0
    assert named["decisions/sex/ratio"]["unit"] == "ratio"
