"""Anthropic's Messages API: chat completions in its words, and its answers in OpenAI's."""
