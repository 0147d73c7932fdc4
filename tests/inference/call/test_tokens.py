"""Estimated tokens, by the rule of four bytes."""

import pytest

from daybook.inference.call.tokens import answer_tokens, estimated, prompt_tokens


@pytest.mark.parametrize(
    ("messages", "tokens"),
    [
        ([], 3),
        ([{"role": "user", "content": ""}], 7),
        ([{"role": "user", "content": "abcd"}], 8),
        ([{"role": "user", "content": "abcde"}], 9),
        ([{"role": "user", "content": [{"type": "text", "text": "abcd"}, {"type": "text", "text": "é"}]}], 9),
        (
            [{"role": "assistant", "content": None, "tool_calls": [{"function": {"name": "four", "arguments": "{}"}}]}],
            9,
        ),
        ([{"role": "assistant", "tool_calls": [{"id": "1"}, {"function": None}]}], 7),
        ([{"role": "user", "content": [{"type": "image_url"}]}], None),
        ([{"role": "user", "content": [5]}], None),
        (["x"], None),
        (5, None),
    ],
)
def test_a_prompt_is_its_texts_its_calls_and_a_frame_a_message(messages, tokens):
    """Three for the whole, four a message, a token for four bytes begun; what is no text makes it unknown."""
    assert prompt_tokens(messages) == tokens


@pytest.mark.parametrize(
    ("deltas", "size", "tokens"),
    [(0, 0, None), (0, 9, 3), (3, 0, 3), (3, 24, 3), (3, 25, 7), (1, 8, 1), (1, 9, 3), (10, 40, 10)],
)
def test_a_stream_counts_its_deltas_unless_they_are_sentences(deltas, size, tokens):
    """Past eight bytes a delta the bytes count; where nothing came it is not known."""
    assert answer_tokens(deltas, size) == tokens


def test_an_estimate_says_so_and_never_raises():
    """What cannot be read is not known; the answer's count stays."""
    usage = estimated({"messages": [{"role": "user", "content": "abcd"}]}, 5)
    assert (usage.input_tokens, usage.output_tokens, usage.reported) == (8, 5, False)
    for body in ({}, {"messages": [{"tool_calls": 5}]}, {"messages": [{"content": 5}]}):
        assert (estimated(body, 5).input_tokens, estimated(body, 5).output_tokens) == (None, 5)
