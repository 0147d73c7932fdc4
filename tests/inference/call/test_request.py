"""What the book keeps of a request's parameters."""

import pytest

from daybook import errors
from daybook.inference.call.request import error_kind, parameters


@pytest.mark.parametrize(
    ("body", "kept"),
    [
        ({"temperature": 0.5, "top_p": "hot", "store": False}, {"temperature": 0.5, "store": False}),
        ({"reasoning_effort": "x" * 32}, {"reasoning_effort": "x" * 32}),
        ({"reasoning_effort": "x" * 33}, {}),
        ({"tool_choice": {"type": "function"}, "verbosity": ["low"]}, {}),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, {"response_format": "json_schema"}),
        ({"response_format": {"type": "y" * 32}}, {"response_format": "y" * 32}),
        ({"response_format": {"type": "y" * 33}}, {}),
        ({"response_format": {"type": "ada@example.com"}, "service_tier": "ada@example.com"}, {}),
        ({"tool_choice": "4111111111111111", "verbosity": "say it", "reasoning_effort": "_low"}, {}),
        (
            {"service_tier": "standard_only", "tool_choice": "some-tool"},
            {"service_tier": "standard_only", "tool_choice": "some-tool"},
        ),
        ({"response_format": {"type": 5}}, {}),
        ({"response_format": "json"}, {}),
        ({"tools": [{}, {}]}, {"tools": 2}),
        ({"tools": {"a": 1}}, {}),
        ({"options": {"num_ctx": 4096, "seed": "x", "stop": "secret", "min_p": 0.1}}, {"num_ctx": 4096, "min_p": 0.1}),
        ({"options": ["num_ctx"]}, {}),
        ({"other": {"num_ctx": 4096}}, {}),
        ({"messages": [], "user": "ada", "stop": "secret", "logit_bias": {"5": 1}}, {}),
    ],
)
def test_figures_and_short_words_are_kept_and_nothing_else(body, kept):
    """Numbers and switches as sent, words of a list up to 32 characters, how many tools; never text of the caller's."""
    assert parameters(body) == kept


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.RateLimited("x"), "rate_limited"),
        (errors.Conflict("x"), "conflict"),
        (errors.UnknownModel("x"), "model_not_found"),
        (errors.BadParameter("x"), "bad_request"),
        (errors.JournalFull("x"), "journal_full"),
        (errors.SettingsError("x"), "settings_error"),
        (KeyError("x"), "fault"),
    ],
)
def test_the_book_has_one_word_for_each_failure(error, kind):
    """A provider's kind, or the error's name in words; `fault` for what nobody foresaw."""
    assert error_kind(error) == kind
