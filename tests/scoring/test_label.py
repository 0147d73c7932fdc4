"""An answer names a label by itself, not by repeating the question."""

import pytest

from daybook.scoring import label

LABELS = ("refund status", "track_delivery")
QUESTION = "What is my refund status today?"


@pytest.mark.parametrize("answer", [QUESTION, f"  {QUESTION.upper()}\n", "What is my\nrefund  status today?"])
def test_an_answer_that_merely_repeats_the_question_gets_no_credit(answer):
    """In whatever case and spacing: the label stood in the question."""
    own = label.own_words(answer, QUESTION, LABELS)
    assert label.score(own, ["refund status"], LABELS).value == 0.0


@pytest.mark.parametrize("answer", [f"{QUESTION} refund status", "refund status", "It is about refund status."])
def test_an_answer_beyond_the_question_keeps_its_credit(answer):
    """Also where it begins with the question."""
    own = label.own_words(answer, QUESTION, LABELS)
    assert label.score(own, ["refund status"], LABELS).value == 1.0


def test_a_question_that_is_a_label_may_be_answered_by_it():
    """Nothing would be left of it."""
    assert label.own_words("Track delivery", "track delivery", LABELS) == "Track delivery"
