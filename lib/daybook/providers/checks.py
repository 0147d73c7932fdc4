"""Whether each upstream answers, which models it has, and what is missing where it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from daybook.errors import ProviderError, SettingsError
from daybook.providers.port import Provider
from daybook.providers.upstream import Upstream


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamCheck:
    """`models`: None where the upstream does not list them. `problem`: why it does not answer, and what to do."""

    name: str
    kind: str
    base_url: str
    models: tuple[str, ...] | None = None
    problem: str | None = None

    @property
    def answers(self) -> bool:
        return self.problem is None

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        models = None if self.models is None else list(self.models)
        return {
            "name": self.name,
            "kind": self.kind,
            "base_url": self.base_url or None,
            "answers": self.answers,
            "models": models,
            "problem": self.problem,
        }


async def check(upstreams: Iterable[Upstream], make: Callable[[Upstream], Provider]) -> list[UpstreamCheck]:
    """All of them at once, in their order. Asks no model anything, and starts none but the embedded one."""
    return list(await asyncio.gather(*(_check(upstream, make) for upstream in upstreams)))


async def _check(upstream: Upstream, make: Callable[[Upstream], Provider]) -> UpstreamCheck:
    checked = UpstreamCheck(name=upstream.name, kind=upstream.kind, base_url=upstream.base_url)
    try:
        provider = make(upstream)
    except (ProviderError, SettingsError) as error:
        return replace(checked, problem=str(error))
    try:
        await provider.probe()
        try:
            return replace(checked, models=tuple(await provider.models()))
        except ProviderError:
            return checked  # not every upstream lists its models
    except ProviderError as error:
        return replace(checked, problem=str(error))
    finally:
        await provider.aclose()
