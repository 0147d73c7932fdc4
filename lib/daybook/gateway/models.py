"""`/v1/models`: what can be asked for, in OpenAI's shape.

The deployments first, then the catalogue's models; then what each upstream says it serves now, as `upstream/name`.
Upstreams are asked at most once a minute and given two seconds; one that does not answer leaves its models out, not
the list.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from daybook.clock import Clock
from daybook.inference.ports import Providers
from daybook.routing.router import ModelCatalogue, RoutedModel

DEPLOYMENT = "deployment"
"""Who owns a name that is a deployment."""


class Models:
    """The list. `named`: the catalogue's models by name; `deployments`: the names of those there are now;
    `upstreams`: all that are configured."""

    def __init__(
        self,
        *,
        catalogue: ModelCatalogue,
        named: Mapping[str, RoutedModel],
        deployments: Callable[[], Sequence[str]] = tuple,
        upstreams: tuple[str, ...],
        providers: Providers,
        clock: Clock,
        lifetime: float = 60.0,
        patience: float = 2.0,
    ) -> None:
        self._catalogue = catalogue
        self._named = named
        self._deployments = deployments
        self._upstreams = upstreams
        self._providers = providers
        self._clock = clock
        self._lifetime = lifetime
        self._patience = patience
        self._since = int(clock.now().timestamp())
        self._served: tuple[float, list[tuple[str, str]]] | None = None
        self._asking = asyncio.Lock()

    async def all(self) -> list[dict[str, Any]]:
        """Every name that can be asked for, the deployments first."""
        deployments = self._deployments()
        entries = [self._entry(name, DEPLOYMENT) for name in deployments]
        entries += [self._entry(n, model.upstream) for n, model in self._named.items() if n not in deployments]
        known = {(model.upstream, model.target) for model in self._named.values()}
        served = [pair for pair in await self._serving() if pair not in known]
        return entries + [self._entry(f"{upstream}/{name}", upstream) for upstream, name in served]

    async def get(self, name: str) -> dict[str, Any]:
        """One model. Raises UnknownModel for a name that the catalogue cannot resolve."""
        if name in self._deployments():
            return self._entry(name, DEPLOYMENT)
        return self._entry(name, self._catalogue.resolve(name).upstream)

    def _entry(self, name: str, owner: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self._since, "owned_by": owner}

    async def _serving(self) -> list[tuple[str, str]]:
        async with self._asking:
            now = self._clock.monotonic()
            if self._served is None or self._served[0] <= now:
                lists = await asyncio.gather(*(self._ask(name) for name in self._upstreams))
                self._served = (now + self._lifetime, [pair for pairs in lists for pair in pairs])
            return self._served[1]

    async def _ask(self, upstream: str) -> list[tuple[str, str]]:
        try:
            async with asyncio.timeout(self._patience):
                return [(upstream, name) for name in await self._providers[upstream].models()]
        except Exception:  # whatever keeps one upstream from answering, the others' models are listed
            return []
