"""The providers of a catalogue, each made once, when first asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from daybook.errors import SettingsError
from daybook.providers.port import Provider

Config = TypeVar("Config")


class Upstreams(Generic[Config]):
    """`upstreams[name]` is the provider of the upstream `name`, made by `make` from its configuration on first use.

    Raises SettingsError for an upstream that is not configured, and whatever `make` raises.
    """

    def __init__(self, configs: Mapping[str, Config], make: Callable[[Config], Provider]) -> None:
        self._configs = configs
        self._make = make
        self._made: dict[str, Provider] = {}

    def __getitem__(self, name: str) -> Provider:
        provider = self._made.get(name)
        if provider is None:
            if name not in self._configs:
                raise SettingsError(
                    f"No upstream is called {name!r}.",
                    remedy=f"There are: {', '.join(sorted(self._configs)) or 'none'}.",
                )
            provider = self._made[name] = self._make(self._configs[name])
        return provider

    def lend(self, name: str, provider: Provider) -> None:
        """A provider that is made already, under a name that no other has; closed with the others."""
        if name in self._configs and self._made.get(name) is not provider:
            raise SettingsError(f"An upstream is called {name!r} already.", remedy="Give it another name.")
        self._made[name] = provider

    def __iter__(self) -> Iterator[str]:
        """The names of all upstreams, made or not."""
        return iter(self._configs)

    def __len__(self) -> int:
        return len(self._configs)

    async def aclose(self) -> None:
        """Close those that were made. One that cannot be closed does not keep the others open."""
        providers, self._made = self._made, {}
        await asyncio.gather(*(provider.aclose() for provider in providers.values()), return_exceptions=True)
