"""How many tokens a prompt or an answer is, where nobody counted: an estimate, always flagged as one.

Four bytes of UTF-8 are taken for a token, the rule of thumb that OpenAI publishes for English; each message costs
four more for its frame. Languages written in other scripts take more bytes a character and more tokens, so the error
partly cancels. What cannot be weighed (a picture, a sound, a file) makes the whole unknown: None, never a small number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daybook.records import Usage

BYTES_PER_TOKEN = 4
_FRAME = 4


def prompt_tokens(messages: Sequence[Mapping[str, Any]]) -> int | None:
    """Estimated tokens of chat-completions messages; None where a part is not text."""
    total = 3
    for message in messages if isinstance(messages, (list, tuple)) else (None,):
        if not isinstance(message, Mapping):
            return None
        content = message.get("content")
        total += _FRAME
        for part in (content,) if isinstance(content, str) else () if content is None else content:
            text = part.get("text") if isinstance(part, Mapping) else part
            if not isinstance(text, str):
                return None
            total += text_tokens(text)
        for call in message.get("tool_calls") or ():
            function = call.get("function") or {}
            total += text_tokens(str(function.get("name", ""))) + text_tokens(str(function.get("arguments", "")))
    return total


def answer_tokens(deltas: int, size: int) -> int | None:
    """Estimated tokens of a streamed answer of which `deltas` pieces and `size` bytes of text were seen.

    A delta is one token with most upstreams. Some send whole sentences at once; there the text is weighed instead.
    None where nothing was seen: what the upstream had made by then is not known.
    """
    if deltas == 0 and size == 0:
        return None
    if size > 2 * BYTES_PER_TOKEN * deltas:
        return -(-size // BYTES_PER_TOKEN)
    return deltas


def text_tokens(text: str) -> int:
    """Estimated tokens of a text, rounded up."""
    return -(-len(text.encode(errors="surrogatepass")) // BYTES_PER_TOKEN)


def estimated(body: Mapping[str, Any], output_tokens: int | None) -> Usage:
    """The usage of a call that nobody reported one for. Never raises: messages that nobody can read are unknown."""
    try:
        given = prompt_tokens(body["messages"])
    except (AttributeError, KeyError, TypeError, RecursionError):
        given = None
    return Usage(input_tokens=given, output_tokens=output_tokens, reported=False)
