"""Models, wherever they run, behind one shape (`port`): made by name, and only when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daybook.errors import SettingsError

if TYPE_CHECKING:
    from daybook.providers.port import Provider
    from daybook.providers.upstream import Upstream

__all__ = ["make"]


def make(config: Upstream) -> Provider:
    """The provider of an upstream, not yet connected to anything. Raises SettingsError for a kind there is not."""
    from daybook.providers import factory

    make_provider = factory.FACTORIES.get(config.kind)
    if make_provider is None:
        raise SettingsError(
            f"The upstream {config.name!r} is of kind {config.kind!r}, which there is not.",
            remedy=f"Use one of: {', '.join(sorted(factory.FACTORIES))}.",
        )
    return make_provider(config)
