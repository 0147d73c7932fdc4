"""An answer is read under whatever it is dressed in, and never from what was thought on the way to it."""

from __future__ import annotations

import json
import os
from decimal import Decimal
from pathlib import Path

import pytest

from daybook.scoring import MEASURES, judge, measure, number
from daybook.scoring.visible import boxed, visible

DATA = Path(os.environ.get("DAYBOOK_DATA", Path(__file__).parents[3] / "shared" / "data"))
GSM8K = DATA / "evaluation" / "gsm8k" / "train_first_1000.jsonl"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{\$9{,}500}", "9500"),
        (r"10,\!080", "10080"),
        (r"12{,}345{,}678", "12345678"),
        (r"1\,250\,000", "1250000"),
        (r"$\boxed{\text{18 eggs}}$", "18"),
        (r"\boxed{\mathbf{-7}}", "-7"),
        (r"\boxed{x = 5}", "5"),
        (r"\boxed{18}\text{ of 50}", "18"),
        (r"\boxed 42 of 50", "42"),
        (r"\dfrac34", "0.75"),
        ("`18`", "18"),
        ("*64*", "64"),
        ("_64_", "64"),
        (r"\[\boxed{\dfrac{7}{8}}\]", "0.875"),
        (r"\boxed{-\frac{3}{4}}", "-0.75"),
        (r"\boxed{90^\circ}", "90"),
        (r"\boxed{\mathrm{42~cm}}", "42"),
        (r"The answer is $10{\,}080$.", "10080"),
    ],
)
def test_a_number_in_latex_or_markdown_is_that_number(text: str, value: str) -> None:
    """Braces around a comma, thin spaces, text within a box, an equation in it."""
    assert number.read(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r"\boxed{2\frac{1}{2}}", "2.5"),
        (r"\boxed{2\frac12}", "2.5"),
        ("Answer: 1½ cups", "1.5"),
        ("Answer: ¾", "0.75"),
        ("-½", "-0.5"),
        (r"\boxed{1.5 \times 10^{3}}", "1500"),
        (r"\boxed{3 \cdot 10^4}", "30000"),
        ("The answer is 2 × 10³", "2000"),
        ("2.5 x 10^-3", "0.0025"),
        ("2.5 × 10⁻³ m", "0.0025"),
        ("The answer is 10^6.", "1000000"),
        ("So 2 * 10^3 = 2000 grams", "2000"),
        ("The answer is 10 - 3", "10"),
        ("Answer: 5", "5"),
    ],
)
def test_mixed_numbers_and_powers_of_ten_are_one_number(text: str, value: str) -> None:
    """In LaTeX, in Unicode and in plain text; a 10 without a power stays one."""
    assert number.read(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 234", "1234"),
        ("The answer is 10 080.", "10080"),
        ("Answer: $1 234 567 a year", "1234567"),
        ("So it is.\n#### 10 080", "10080"),
        ("The answer is 10 080 of 20 000.", "10"),
        ("Answer: 5\nOf 10 080 there are few", "5"),
        ("Take 1 234 of 5", "5"),
    ],
)
def test_spaces_part_thousands_where_it_is_all_that_is_stated(text: str, value: str) -> None:
    """In the whole answer, or in the line behind its mark; where more numbers stand there, they are several."""
    assert number.read(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The total is 12.\nA: 5", "5"),
        ("The total is 12 dollars in all.\nAnswer: 5", "5"),
        ("The result is 30. Half of it is lost.\n#### 5", "5"),
        ("The total is 12. So each gets 5.", "5"),
        ("The total = 40\nHe keeps 40 - 35 = 5", "5"),
        ("The answer is 12 for the first week.\n**Answer:** 5", "5"),
        (r"First \boxed{12}, but he gives some away. Answer: 5", "5"),
        ("So the total is 5, of 50 eggs.", "5"),
        ("The total is 5", "5"),
        ("Answer: 5\nThe total was 7 apples", "5"),
        ("#### 5\nQuestion: What is 4 + 5?\nAnswer: 9\n#### 9", "5"),
        ("#### 1. Count\n12 apples\n#### 2) Give away\n#### Answer: 5", "5"),
        ("#### $5.\nThe answer is 9", "5"),
        ("####\n5", "5"),
    ],
)
def test_the_answer_is_the_final_line_and_not_an_early_mark(text: str, value: str) -> None:
    """A later line that states the answer wins; after a first `####` nothing is read; a heading is no answer."""
    assert number.read(text) == Decimal(value)


@pytest.mark.parametrize(
    ("a", "b", "equal"),
    [
        ("1000001", "1000000", False),
        ("4", "5", False),
        ("-4", "4", False),
        ("123456789012345678901", "123456789012345678900", False),
        ("1e7", "10000000", True),
        ("18.00", "18", True),
        ("1000000.5", "1000000.4", True),
        ("0.3333333", "0.33333333333", True),
        ("0.33", "0.34", False),
        ("2.0000001", "2", True),
        ("0", "0.0000001", False),
    ],
)
def test_whole_numbers_are_equal_only_when_they_are(a: str, b: str, equal: bool) -> None:
    """Others to one part in a million."""
    assert number.same(Decimal(a), Decimal(b)) is equal
    assert number.same(Decimal(b), Decimal(a)) is equal


@pytest.mark.skipif(not GSM8K.is_file(), reason="the public set is not here")
def test_every_public_gold_answer_is_read() -> None:
    """All 1,000 of GSM8K's, to the digit."""
    rows = [json.loads(line) for line in GSM8K.read_text().splitlines()]
    wanted = [Decimal(row["answer"].rsplit("####")[-1].strip().replace(",", "")) for row in rows]
    assert [number.read(row["answer"]) for row in rows] == wanted
    assert len(rows) == 1000


@pytest.mark.parametrize(
    "answer",
    [
        r"\boxed{C}", r"$\boxed{\text{C}}$", "Answer: $C$", "`C`", "A: C", "**Answer:** C", "<answer>C</answer>", "Ｃ",
        r"\(C\)", "__C__", "The answer is `C`.", r"Not A. So \boxed{\textbf{C}}", r"\boxed{\text{(C) Oslo}}", "$(C)$",
        "A) is in Italy. The answer is C.", "The answer is: **(C)**",
    ],
)  # fmt: skip
def test_a_letter_is_read_in_any_dress(answer: str) -> None:
    """With the choices' texts and without them."""
    scored = measure("choice")(answer, ["Oslo"], ["Rome", "Paris", "Oslo", "Bonn"])
    assert (scored.value, scored.read) == (1, "Oslo")
    assert measure("choice")(answer, ["C"]).read == "C"


@pytest.mark.parametrize(
    "answer",
    [
        "{C}", "<C>", '"C"', "'C'", "“C”", "«C»", "_C_", "***C***", "C、", "（C）", "（c）.", "the answer is c",
        "The answer is c.", "The answer must be C.", "I'd go with C.", "I am going with (C)", "It's C.",
        "I think it is C", "A is wrong, so C.", "Therefore: C", "C is correct.", "**C** is the right one",
        "So (C) is right, (A) is not.", "Letter: C", "答案：C", "答案是C", '{"answer": "C"}',
        '{"answer":"C","why":"A is no"}', "I select C", "C, a city of Norway",
    ],
)  # fmt: skip
def test_a_letter_is_read_in_any_words(answer: str) -> None:
    """As people and models say it, with a question's choices and without."""
    choices = ["Rome", "Paris", "Lima", "Bonn"]
    assert measure("choice")(answer, ["C"], choices).read == "Lima"
    assert measure("choice")(answer, ["C"]).read == "C"


@pytest.mark.parametrize(
    "answer",
    [
        "A, B, C and D are all plausible", "A, B", "A or B", "It is not C.", "It can't be C.", "I am not sure about C",
        "The answer is a", "I think it is a", "So I", "A capital is hard to say", "Not C", "Neither A nor B is correct",
    ],
)  # fmt: skip
def test_a_letter_that_is_not_taken_is_none(answer: str) -> None:
    """Lists, denials, an article at the end of what broke off."""
    assert measure("choice")(answer, ["C"], ["Rome", "Paris", "Lima", "Bonn"]).read is None


def test_a_choice_in_a_box_is_read_by_its_text() -> None:
    """What is boxed counts before what stands around it."""
    choices = ["Rome", "Paris", "Oslo", "Bonn"]
    assert measure("choice")(r"Rome? No: \boxed{\text{Oslo}}", ["Oslo"], choices).read == "Oslo"
    assert measure("choice")(r"\boxed{Berlin}", ["Oslo"], choices).read is None


@pytest.mark.parametrize(
    ("answer", "rest"),
    [
        ("<think>so B</think>C", "C"),
        ("<THINK>\nso B\n</think>\nC", "\nC"),
        ("<thinking>a</thinking><think>b</think>C", "C"),
        ("so B</think>C", "C"),
        ("<think>C", ""),
        ("C <think>or B", "C "),
        ("1 < 2 and 3 > 2", "1 < 2 and 3 > 2"),
        ("<thinker>C</thinker>", "<thinker>C</thinker>"),
    ],
)
def test_thoughts_are_not_part_of_an_answer(answer: str, rest: str) -> None:
    """Ended, begun before the text, or never ended."""
    assert visible(answer) == rest


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_what_is_thought_is_graded_by_no_measure(name: str) -> None:
    """Thoughts that are right make nothing right; thoughts that are wrong make nothing wrong."""
    right = '{"a": 1}' if name == "json" else "1"
    assert measure(name)(f"<think>{right}", [right]).value == 0
    assert not measure(name)(f"<think>{right}", [right]).read
    assert measure(name)(f"<think>2 {{}}</think>{right}", [right]).value == measure(name)(right, [right]).value


def test_a_judge_that_thinks_has_one_verdict() -> None:
    """A verdict that it only considered is not its own."""
    assert judge.parse("<think>\nVerdict: 2\n</think>\nVerdict: 4") == 0.75
    assert judge.parse("<think>\nVerdict: 4\n") is None


def test_boxes_are_cut_at_their_own_braces() -> None:
    """Nested braces belong to the box; one that never ends is none."""
    assert boxed(r"a \boxed{\frac{1}{2}} b \boxed{3") == [(2, r"\frac{1}{2}")]


def test_a_text_that_is_a_choice_counts_before_a_letter() -> None:
    """Where the choices' own texts are letters, in another order, the text is meant."""
    assert measure("choice")("A", ["A"], ["B", "A"]).read == "A"
    assert measure("choice")("(a)", ["A"], ["C", "B", "A"]).read == "A"
