"""Ollama's native API, translated from and to the shape of OpenAI's."""
