"""What the prose of an audit says of a table: each sentence where it belongs, and not where it does not."""

from __future__ import annotations

import pandas as pd
import pytest

from daybook.bias.decisions.report import DecisionAudit, audit_decisions


def prose(rates: dict[str, tuple[int, int]], **more: object) -> str:
    rows = [(group, word) for group, (yes, no) in rates.items() for word in ["yes"] * yes + ["no"] * no]
    return text(pd.DataFrame(rows, columns=["sex", "granted"]), **more)


def text(frame: pd.DataFrame, **more: object) -> str:
    audit: DecisionAudit = audit_decisions(frame, group=["sex"], prediction="granted", **{"favourable": "yes"} | more)
    return audit.prose.replace("\u00a0", " ")


def test_spellings_that_were_read_alike_are_said():
    """Several of them; one alone goes without saying."""
    frame = pd.DataFrame({"sex": ["m", "w"] * 40, "granted": ["yes", "no", "Yes", "no"] * 20})
    assert "80 decisions of `the table`, favourable: `yes`. `Yes` and `yes` were read alike." in text(frame)
    assert "read alike" not in text(frame.replace("Yes", "yes"))


def test_one_group_has_nobody_to_be_compared_with():
    """One that is large enough, or none."""
    assert "- By `sex` nothing can be compared.\n" in prose({"m": (40, 60), "w": (3, 4)})
    assert "- By `sex` nothing can be compared.\n" in prose({"m": (4, 6), "w": (3, 4)})


def test_two_groups_in_full():
    """The whole of it, to the last sentence."""
    assert prose({"m": (120, 80), "w": (60, 140)}) == (
        "400 decisions of `the table`, favourable: `yes`.\n\n"
        "- By `sex`, `w` is favoured 0.500 times as often as `m`, the most favoured with 60.0 % (95 % interval 0.392 to"
        " 0.633): below four fifths of it. Less often than `m`, and more than noise: `w` by -30.0 points (95 % interval"
        " -38.8 points to -20.4 points, p < 0.001).\n\n"
        "Each attribute is a family of its own: its p-values are corrected (Holm) for all pairs of its groups, whatever"
        " else is asked. Without the truth nothing is said about errors: a different rate may have a reason that is not"
        " here."
    )


def test_groups_below_four_fifths_are_named_lowest_first():
    """Two or more; the first six of them, and how many more."""
    three = prose({"a": (60, 40), "b": (45, 55), "c": (30, 70), "d": (50, 50)})
    assert "Below it are 2 of 4 groups: `c`, `b`. The extremes of 4 groups are partly chance" in three
    assert "Less often than `a`, and more than noise: `c` by -30.0 points" in three
    many = prose({"a": (60, 40)} | {f"g{n}": (20 + n, 80 - n) for n in range(8)})
    assert "Below it are 8 of 9 groups: `g0`, `g1`, `g2`, `g3`, `g4`, `g5` and 2 more." in many
    assert many.count(" points (95 % interval") == 6
    assert many.split("(Holm)")[0].rstrip().endswith("its p-values are corrected")
    assert ") and 2 more." in many


@pytest.mark.parametrize(("n", "said"), [(6, ""), (7, " and 1 more")])
def test_small_groups_are_named_up_to_six(n, said):
    """With their sizes; the rest is counted."""
    small = {f"s{i}": (2, 3) for i in range(n)}
    named = ", ".join(f"`s{i}` (5)" for i in range(6))
    found = prose({"a": (60, 40), "b": (45, 55)} | small)
    assert f"Fewer than 30 rows, so shown and not compared: {named}{said}. Without" in found


def test_errors_are_told_apart_where_the_truth_is_known():
    """Equalised odds with its interval and what chance makes; without errors on both sides there is none."""
    frame = pd.DataFrame(
        {
            "sex": ["m"] * 100 + ["w"] * 100,
            "truth": (["yes"] * 50 + ["no"] * 50) * 2,
            "granted": ["yes"] * 45 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 40 + ["yes"] * 30 + ["no"] * 70,
        }
    )
    found = text(frame, truth="truth")
    assert "Error rates differ by up to +30.0 points (95 % interval" in found
    assert ", equalised odds; chance alone makes +" in found
    assert "Without the truth" not in found
    one_sided = text(frame.assign(truth=["yes"] * 200), truth="truth")
    assert "Error rates differ" not in one_sided
    assert "Error rates differ" not in text(frame)


def test_chance_is_said_of_three_groups_and_more():
    """Of two it goes without saying."""
    assert "partly chance" not in prose({"a": (60, 40), "b": (45, 55)})
    assert (
        "The extremes of 3 groups are partly chance: were all treated alike, one table in twenty would show 0."
        in prose({"a": (60, 40), "b": (45, 55), "c": (50, 50)})
    )
