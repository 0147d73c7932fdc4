"""What a client is told of a field that cannot be translated."""

from __future__ import annotations

from daybook.errors import BadRequest


def malformed(name: str, remedy: str) -> BadRequest:
    """A 400 that names the field."""
    error = BadRequest(f"{name} cannot be meant.", remedy=remedy)
    error.param = name
    return error
