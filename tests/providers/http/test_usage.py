"""What an answer reports of its tokens, in the shapes that upstreams have for it."""

import json
from decimal import Decimal

import pytest

from daybook.providers.http.usage import reported_usage, usage_of, wire_usage
from daybook.records import MOST_COUNT, Usage


def reported(answer):
    data = json.dumps(answer).encode() if not isinstance(answer, bytes) else answer
    return reported_usage(json.loads(data), data)


def test_thoughts_beside_the_output_are_output():
    """20 + 198 of a total of 623: the model thought 405 tokens, and says so nowhere else."""
    usage = usage_of({"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623})
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (20, 603, 405)
    assert usage.remark.startswith("405 of the output tokens")
    assert usage.problem is None


@pytest.mark.parametrize(
    ("counts", "output", "problem"),
    [
        ({"total_tokens": 30}, 10, None),
        ({"total_tokens": 29}, 10, "the counts do not add up: 20 input and 10 output tokens are not 29"),
        ({"total_tokens": 35, "completion_tokens_details": {"reasoning_tokens": 5}}, 15, None),
        ({"total_tokens": 36, "completion_tokens_details": {"reasoning_tokens": 5}}, 10, "the counts do not add up"),
        ({"total_tokens": 35, "prompt_tokens_details": {"cached_tokens": 5}}, 10, "the counts do not add up"),
        (
            {"total_tokens": 35, "prompt_tokens_details": {"cached_tokens": 3, "cache_write_tokens": 2}},
            10,
            "the counts do not add up",
        ),
        ({"total_tokens": None}, 10, None),
        ({"total_tokens": "35"}, 10, None),
    ],
)
def test_counts_that_do_not_add_up_are_kept_and_not_priced(counts, output, problem):
    """As they came, with the reason; what is known to be output is added to it."""
    usage = usage_of({"prompt_tokens": 20, "completion_tokens": 10, **counts})
    assert (usage.input_tokens, usage.output_tokens) == (20, output)
    assert (usage.problem is None) == (problem is None)
    assert problem is None or usage.problem.startswith(problem)


def test_every_class_is_read():
    """Cache, audio, images, video, by the names that OpenAI, OpenRouter and LiteLLM have for them."""
    before = {"cached_tokens": 1, "cache_write_tokens": 2, "audio_tokens": 3, "image_tokens": 4, "video_tokens": 5}
    after = {"reasoning_tokens": 6, "audio_tokens": 7, "image_tokens": 8}
    usage = {"prompt_tokens": 90, "completion_tokens": 80, "prompt_tokens_details": before}
    assert usage_of({**usage, "completion_tokens_details": after}) == Usage(
        input_tokens=90,
        output_tokens=80,
        cached_tokens=1,
        cache_write_tokens=2,
        input_audio_tokens=3,
        input_image_tokens=4,
        input_video_tokens=5,
        reasoning_tokens=6,
        output_audio_tokens=7,
        output_image_tokens=8,
    )
    assert usage_of({**usage, "prompt_tokens_details": {"cache_creation_tokens": 9}}).cache_write_tokens == 9


@pytest.mark.parametrize(
    ("reported", "read"),
    [
        ({"cache_creation": {"ephemeral_1h_input_tokens": 7}}, {"cache_write_1h_tokens": 7}),
        (
            {"prompt_tokens_details": {"cache_creation_token_details": {"ephemeral_1h_input_tokens": 7}}},
            {"cache_write_1h_tokens": 7},
        ),
        (
            {"prompt_tokens_details": {"cached_tokens_details": {"audio_tokens": 1, "image_tokens": 2}}},
            {"cached_audio_tokens": 1, "cached_image_tokens": 2},
        ),
        ({"server_tool_use": {"web_search_requests": 3}}, {"web_searches": 3}),
        ({"num_search_queries": 4}, {"web_searches": 4}),
        ({"num_search_queries": "4", "server_tool_use": 5, "cache_creation": None, "prompt_tokens_details": []}, {}),
    ],
)
def test_what_is_counted_beside_the_tokens_is_read(reported, read):
    """Cache writes of an hour, kinds of cached tokens, web searches, where upstreams put them; no count is None."""
    assert usage_of({"prompt_tokens": 90, "completion_tokens": 8, **reported}) == Usage(
        input_tokens=90, output_tokens=8, **read
    )


@pytest.mark.parametrize(
    ("reported", "cached"),
    [
        ({"prompt_cache_hit_tokens": 7}, 7),
        ({"prompt_cache_hit_tokens": 0}, 0),
        ({"prompt_cache_hit_tokens": None}, None),
        ({"prompt_cache_hit_tokens": 7, "prompt_tokens_details": {"cached_tokens": 5}}, 5),
        ({"prompt_cache_hit_tokens": 7, "prompt_tokens_details": {"cached_tokens": 0}}, 0),
        ({"prompt_cache_hit_tokens": 7, "prompt_tokens_details": {"cached_tokens": None}}, 7),
    ],
)
def test_cached_tokens_have_two_names(reported, cached):
    """DeepSeek's counts where OpenAI's is not there; none is None, and nought is nought."""
    usage = usage_of({"prompt_tokens": 90, "completion_tokens": 8, **reported})
    assert (usage.cached_tokens, usage.input_tokens, usage.output_tokens) == (cached, 90, 8)


@pytest.mark.parametrize(
    ("count", "read"), [(0, 0), (MOST_COUNT, MOST_COUNT), (MOST_COUNT + 1, None), (-1, None), (True, None), (1.0, None)]
)
def test_a_count_is_an_integer_that_the_book_can_keep(count, read):
    """From nought to 2**63 - 1; what is none is not known, and loses no other."""
    usage = usage_of({"prompt_tokens": count, "completion_tokens": 4})
    assert (usage.input_tokens, usage.output_tokens) == (read, 4)
    assert usage_of({"prompt_tokens": 5, "completion_tokens": count}).output_tokens == read


COUNTS = {"prompt_tokens": 3, "completion_tokens": 4}


@pytest.mark.parametrize(
    "answer",
    [
        {"usage": COUNTS},
        {"choices": [{"index": 0, "usage": COUNTS}]},
        {"usage": None, "choices": [None, {"usage": COUNTS}]},
        {"x_groq": {"usage": COUNTS}},
    ],
)
def test_usage_is_found_where_upstreams_put_it(answer):
    """In the answer, in a choice (Moonshot), beside it (Groq): reported, not estimated."""
    assert reported(answer) == Usage(input_tokens=3, output_tokens=4)


@pytest.mark.parametrize("apart", [1, 2])
def test_a_single_thought_beside_the_output_is_output(apart):
    """From one token on."""
    usage = usage_of({"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30 + apart})
    assert (usage.output_tokens, usage.reasoning_tokens, usage.problem) == (10 + apart, apart, None)


def test_an_amount_in_a_choice_is_the_upstreams_own():
    """As Decimal from the text; what stands beside it is no choice."""
    data = b'{"choices":[null,5,{"usage":{"prompt_tokens":3,"completion_tokens":4,"cost":0.10}}]}'
    assert str(reported(data).cost) == "0.10"
    both = b'{"usage":{"prompt_tokens":3,"cost":0.2},"choices":[{"usage":{"prompt_tokens":3,"cost":0.3}}]}'
    assert str(reported(both).cost) == "0.2"


@pytest.mark.parametrize("answer", [{}, {"usage": 5}, {"usage": "x"}, {"usage": []}, {"choices": 5}, {"x_groq": 5}])
def test_what_is_no_usage_is_none(answer):
    """None, never 0, and nothing raises."""
    assert reported(answer) is None


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("0.1", "0.1"),
        ("0.000012345678901234567890", "0.000012345678901234567890"),
        ("1e-7", "1e-7"),
        ("0", "0"),
        ("0.0", "0"),
        ("3", "3"),
        ("null", None),
        ("-1", None),
        ('"0.5"', None),
        ("true", None),
        ("NaN", None),
        ("1e12", None),
        ("999999999999", "999999999999"),
    ],
)
def test_the_upstreams_own_figure_is_read_digit_by_digit(text, cost):
    """A Decimal of the text; 0 is 0; what is no amount is left to the price book."""
    usage = reported(b'{"usage":{"prompt_tokens":3,"completion_tokens":4,"cost":%b}}' % text.encode())
    assert usage.cost == (None if cost is None else Decimal(cost))
    assert usage.input_tokens == 3


@pytest.mark.parametrize(
    ("count", "kept"), [(MOST_COUNT, MOST_COUNT), (2**63, None), (2**64, None), (-1, None), (1.5, None)]
)
def test_absurd_counts_are_unknown(count, kept):
    """What the book has no room for never costs a call its row."""
    assert reported({"usage": {"prompt_tokens": count, "completion_tokens": 4}}).input_tokens == kept


@pytest.mark.parametrize(("tier", "kept"), [("flex", "flex"), ("", None), (None, None), (5, None)])
def test_the_tier_is_the_one_served(tier, kept):
    """The answer's word, where it is one."""
    assert reported({"usage": COUNTS, "service_tier": tier}).tier == kept


@pytest.mark.parametrize(
    ("usage", "details"),
    [
        (Usage(), {}),
        (Usage(input_tokens=7, output_tokens=3), {}),
        (Usage(input_tokens=7, cached_tokens=0), {"prompt_tokens_details": {"cached_tokens": 0}}),
        (
            Usage(input_tokens=7, output_tokens=3, cached_tokens=2, cache_write_tokens=4, reasoning_tokens=1),
            {
                "prompt_tokens_details": {"cached_tokens": 2, "cache_write_tokens": 4},
                "completion_tokens_details": {"reasoning_tokens": 1},
            },
        ),
    ],
)
def test_counts_are_written_as_openai_writes_them(usage, details):
    """With their sum; a detail that is not known is left out, one that is nought is there."""
    into, out = usage.input_tokens or 0, usage.output_tokens or 0
    counts = {"prompt_tokens": into, "completion_tokens": out, "total_tokens": into + out}
    assert wire_usage(usage) == counts | details
