"""What is quoted of an upstream's error: never a key, never what the caller sent."""

import pytest

from daybook.providers.http.quote import LIMIT, context_figures, looks_like_key, quote


def sent(*texts):
    return {"messages": [{"role": "user", "content": text} for text in texts]}


@pytest.mark.parametrize(
    ("message", "quoted"),
    [
        ("Slow down.", "Slow down"),
        ("two  words\n and a \t line", "two words and a line"),
        ('say "please"', "say 'please'"),
        (None, ""),
        (5, ""),
        ("", ""),
        ("x " * LIMIT, ("x " * LIMIT)[:LIMIT].rstrip()),
        ("Incorrect: sk-ab***yz", "Incorrect: …"),
        ("word " + "a" * 31, "word " + "a" * 31),
        ("word " + "a" * 32, "word …"),
    ],
)
def test_a_message_is_quoted_on_one_line_up_to_the_limit(message, quoted):
    """Without its last stop; what is no text is quoted as nothing."""
    assert quote(message, None, None) == quoted


@pytest.mark.parametrize(
    ("texts", "message", "quoted"),
    [
        (["abc"], "bad abc here", "bad … here"),
        (["ab"], "bad ab here", "bad ab here"),
        (["v" * LIMIT], "v" * LIMIT, "…"),
        (["my very secret thing"], "not:very secret th", "not:…"),
        (["0123456789ab-more"], "x 0123456789ab y", "x … y"),
        (["0123456789a- and more"], "x 0123456789a y", "x 0123456789a y"),
        (["two lines\nof mine"], "it said two lines of mine, no", "it said …, no"),
        (["user"], "the user is wrong", "the user is wrong"),
    ],
)
def test_the_callers_text_is_cut_out(texts, message, quoted):
    """Whole from three characters on, in part from twelve on, at the end too; the words of the format are nobody's."""
    assert quote(message, sent(*texts), None) == quoted


def test_what_else_was_sent_is_cut_out_and_our_key_whatever_it_looks_like():
    """Tools, user, metadata and stops are the caller's; names of parameters are not."""
    body = {"user": "ada@example.org", "tools": [{"function": {"description": "find the grey cat"}}], "seed": 5}
    assert quote("ada@example.org may not find the grey cat; seed", body, None) == "… may not …; seed"
    assert quote("the password hunter2 is wrong", None, "hunter2") == "the password … is wrong"


@pytest.mark.parametrize(
    ("text", "is_key"),
    [("sk-0123456", True), ("sk-01234", False), ("a" * 32, True), ("a" * 31, False), ("unsupported_parameter", False)],
)
def test_what_looks_like_a_key(text, is_key):
    """A known beginning with six characters after it, or 32 in a row."""
    assert looks_like_key(text) is is_key


@pytest.mark.parametrize(
    ("payload", "figures"),
    [
        ({"n_prompt_tokens": 9, "n_ctx": 8}, (9, 8)),
        ({"n_prompt_tokens": 9, "n_ctx": "8"}, None),
        ({"n_prompt_tokens": "9", "n_ctx": 8}, None),
        ({"message": "request (9 tokens) exceeds the available context size (8 tokens)"}, (9, 8)),
        ({"message": "prompt is too long: 9 tokens > 8 maximum"}, (9, 8)),
        ({"message": "maximum context length is 8 tokens. However, you requested 9 tokens"}, (9, 8)),
        ({"message": "too long"}, None),
        ({"message": 5}, None),
        ({}, None),
    ],
)
def test_the_figures_of_a_context_are_read_where_both_are_there(payload, figures):
    """(asked for, fits), in fields or in the sentences of llama.cpp, Anthropic and OpenAI."""
    assert context_figures(payload) == figures
