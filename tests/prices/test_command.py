"""`daybook prices`: what a person types, and what is answered."""

import json

import pytest

from daybook.cli import main


def said(capsys, *argv, code=0):
    assert main(["prices", *argv]) == code
    out = capsys.readouterr()
    return out.out if code == 0 else out.err


def test_estimate_says_amount_rate_day_and_source(capsys):
    """2,000 x 0.15 + 300 x 0.60 = 480 millionths."""
    out = said(capsys, "estimate", "gpt-4o-mini", "--input", "2000", "--output", "300", "--on", "2026-11-20")
    assert out.splitlines() == [
        "0.00048 USD on 2026-11-20",
        "  rate    openai/gpt-4o-mini input 0.15 cached 0.075 output 0.6 USD/MTok undated",
        "  source  genai-prices 0.2.3",
        "  note    undated: the price book has no first day for this rate; it is taken to hold on every day before the "
        "next one's, whether or not the model was sold then",
    ]


def test_a_day_before_the_first_rate_is_told_from_when_there_is_one(capsys):
    """And the name that was asked for is not among the similar ones."""
    said_ = said(capsys, "show", "smollm2-135m-instruct", "--on", "2020-01-01", code=2)
    assert "Rates for it are on record from 2024-11-01." in said_
    assert "Similar names" not in said_


def test_estimate_as_json_keeps_every_digit(capsys):
    """The amount is text: 1,500 x 0.15 + 500 x 0.075 + 300 x 0.60 = 442.5 millionths."""
    argv = ["estimate", "gpt-4o-mini", "--input", "2000", "--cached", "500", "--output", "300", "--on", "2026-11-20"]
    facts = json.loads(said(capsys, *argv, "--json"))
    assert facts["amount"] == "0.0004425"
    assert facts["currency"] == "USD"
    assert facts["source"] == "genai-prices 0.2.3"


def test_a_free_model_is_zero_not_unpriced(capsys):
    """The embedded model."""
    out = said(capsys, "estimate", "smollm2-135m-instruct", "--input", "10", "--output", "10", "--on", "2026-11-20")
    assert out.startswith("0 USD on 2026-11-20")


def test_show_has_the_history(capsys):
    """Each rate with its first day."""
    lines = said(capsys, "show", "deepseek-v4-flash").splitlines()
    assert lines[0].split() == ["provider", "model", "from", "input", "cached", "output", "reasoning"]
    assert [line.split()[2:4] for line in lines[1:4]] == [
        ["undated", "0.14"],
        ["2026-08-17", "0.22"],
        ["2026-09-10", "0.15"],
    ]


def test_show_on_a_day_as_json(capsys):
    """Only what held; tiers as a mapping from threshold to price."""
    shown = json.loads(said(capsys, "show", "gemini-2.5-pro", "--on", "2026-11-20", "--json"))
    assert [rate["batch"] for rate in shown] == [False, True]
    assert shown[0]["input"] == {"0": "1.25", "200000": "2.5"}
    assert shown[0]["unit"] == "USD per million tokens"


@pytest.mark.parametrize("command", [["show"], ["estimate", "--input", "1", "--output", "1"]])
def test_an_unknown_model_is_a_usage_error_with_similar_names(capsys, command):
    """Exit code 2; the message says what is known."""
    err = said(capsys, command[0], "gpt-4o-mimi", *command[1:], "--on", "2026-11-20", code=2)
    assert "'gpt-4o-mimi'" in err
    assert "gpt-4o-mini" in err
    assert "Traceback" not in err


def test_a_date_that_is_none_is_a_usage_error(capsys):
    """Exit code 2 and the right form."""
    err = said(capsys, "show", "gpt-4o-mini", "--on", "yesterday", code=2)
    assert err == "daybook: 'yesterday' is not a date. Write it as 2026-11-20.\n"


def test_impossible_counts_are_unpriced_with_the_reason(capsys):
    """More cached than input tokens: exit code 1."""
    assert main(["prices", "estimate", "gpt-4o-mini", "--input", "1", "--cached", "2", "--output", "1"]) == 1
    assert "2 cached tokens cannot be part of 1 input tokens" in capsys.readouterr().out


def test_there_is_nothing_to_seal_in_a_clean_checkout(capsys):
    """Every shipped entry is sealed already, and sealing again writes nothing."""
    assert said(capsys, "seal") == "Nothing new to seal.\n"
