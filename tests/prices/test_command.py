"""`daybook prices`: what a person types, and what is answered."""

import json
from datetime import UTC, datetime

import pytest

from daybook.cli import main
from daybook.prices import UNDATED


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


def test_show_is_a_table_with_its_source(capsys):
    """Column under column: tiers in parentheses, `-` where there is no such rate, batch rates marked; then where the
    figures come from, and what to know of one without a first day."""
    assert said(capsys, "show", "gemini-2.5-pro", "--on", "2026-11-20").splitlines() == [
        "provider  model           from        input                      cached                     output"
        "                reasoning",
        "google    gemini-2.5-pro  undated     1.25 (2.5 over 200,000)    0.125 (0.25 over 200,000)  "
        "10 (15 over 200,000)  -",
        "google    gemini-2.5-pro  2026-10-14  0.625 (1.25 over 200,000)  0.125 (0.25 over 200,000)  "
        "5 (7.5 over 200,000)  -          batch",
        "",
        "USD per million tokens. genai-prices 0.2.3: https://ai.google.dev/gemini-api/docs/pricing",
        "",
        UNDATED,
    ]


def test_a_price_of_each_call_is_shown_beside_its_tokens(capsys):
    """It is not among the prices of a million tokens."""
    lines = said(capsys, "show", "sonar", "--provider", "perplexity").splitlines()
    assert lines[1].endswith("+ 0.012 USD per call")


@pytest.mark.parametrize("command", [["show"], ["estimate", "--input", "1", "--output", "1"]])
def test_an_unknown_model_of_a_provider_says_whose_and_when(capsys, command):
    """Each part only where it was said."""
    err = said(capsys, command[0], "no-such", *command[1:], "--provider", "openai", code=2)
    assert err.startswith("daybook: No rate for 'no-such' of openai is known")
    err = said(capsys, command[0], "no-such", *command[1:], "--on", "2026-11-20", code=2)
    assert err.startswith("daybook: No rate for 'no-such' on 2026-11-20 is known")
    assert err.endswith("Name the provider with --provider, or append a rate to overrides.yml.\n")


def test_estimate_as_json_is_all_that_is_known(capsys):
    """Without a day it is today's rate, and nothing is said of days that nobody asked about; an amount that cannot be
    known is null."""
    facts = json.loads(said(capsys, "estimate", "gpt-4o-mini", "--input", "0", "--output", "1", "--json"))
    assert facts | {"on": None} == {
        "amount": "0.0000006",
        "currency": "USD",
        "on": None,
        "rate": "openai/gpt-4o-mini input 0.15 cached 0.075 output 0.6 USD/MTok undated",
        "source": "genai-prices 0.2.3",
        "note": None,
    }
    assert facts["on"] == datetime.now(UTC).date().isoformat()
    argv = ["prices", "estimate", "gpt-4o-mini", "--input", "1", "--output", "1", "--reasoning", "2", "--json"]
    assert main(argv) == 1
    assert json.loads(capsys.readouterr().out)["amount"] is None


@pytest.mark.parametrize(
    ("options", "amount"),
    [
        (["--input", "1000000", "--output", "0"], "2.5"),
        (["--input", "200000", "--output", "0"], "0.25"),
        (["--input", "200001", "--output", "0"], "0.5000025"),
        (["--input", "200000", "--output", "0", "--batch"], "0.125"),
        (["--input", "0", "--output", "10", "--reasoning", "10"], "0.0001"),
    ],
)
def test_estimate_goes_by_its_options(capsys, options, amount):
    """Below, at and above a tier; at the batch rate; reasoning tokens are output."""
    out = said(capsys, "estimate", "gemini-2.5-pro", *options, "--on", "2026-11-20")
    assert out.splitlines()[0] == f"{amount} USD on 2026-11-20"
