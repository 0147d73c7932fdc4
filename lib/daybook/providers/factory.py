"""The kinds of upstream, each by a factory that imports its room only when called."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

from daybook.errors import Unauthorised

if TYPE_CHECKING:
    from daybook.providers.http.client import Address, HttpUpstream
    from daybook.providers.port import Provider
    from daybook.providers.upstream import Upstream


def _openai(config: Upstream) -> Provider:
    from daybook.providers.openai import OpenAI

    return OpenAI(
        _wire(config),
        contexts=config.contexts,
        stream_usage=config.stream_usage,
        speaks_responses=config.speaks_responses,
    )


def _anthropic(config: Upstream) -> Provider:
    from daybook.providers.anthropic.provider import VERSION, Anthropic

    return Anthropic(_wire(config, key="x-api-key", headers={"anthropic-version": VERSION}), contexts=config.contexts)


def _ollama(config: Upstream) -> Provider:
    from daybook.providers.ollama.provider import Ollama

    return Ollama(_wire(config), contexts=config.contexts, context=config.context)


def _local(config: Upstream) -> Provider:
    from daybook.providers.llamacpp.provider import Local, Options

    defaults = Options()
    options = Options(
        weights=config.weights,
        model=defaults.model if config.weights is None else config.weights.stem.lower(),
        context=config.context or defaults.context,
        slots=config.slots or defaults.slots,
        threads=config.threads,
    )
    return Local(config.name, config.home, options)


def _echo(config: Upstream) -> Provider:
    from daybook.providers.echo import Echo

    return Echo(config.name)


def _hf(config: Upstream) -> Provider:
    from daybook.providers.hf.process import TaskModels
    from daybook.providers.hf.provider import HuggingFace

    return HuggingFace(config.name, config.home, TaskModels(config.home))


def _registered(config: Upstream) -> Provider:
    from daybook.providers.registered.provider import Registered

    return Registered(config.home, name=config.name)


def _wire(config: Upstream, *, key: str = "Authorization", headers: Mapping[str, str] | None = None) -> HttpUpstream:
    """`key`: the header that carries the key. `headers`: what every request says besides."""
    from daybook.providers.http.client import Address, HttpUpstream, Retry, Timeouts

    address: Address | Callable[[], Awaitable[Address]]
    if config.api_key:
        value = f"Bearer {config.api_key}" if key == "Authorization" else config.api_key
        address = Address(config.base_url, {key: value, **(headers or {})}, config.api_key)
    elif config.api_key_env:
        address = _without_key(config)
    else:
        address = Address(config.base_url, headers or {})
    defaults = Timeouts()
    return HttpUpstream(
        config.name,
        address,
        key_env=config.api_key_env,
        timeouts=Timeouts(
            connect=config.connect_timeout or defaults.connect, idle=config.idle_timeout or defaults.idle
        ),
        retry=Retry(attempts=config.attempts or Retry().attempts),
    )


def _without_key(config: Upstream) -> Callable[[], Awaitable[Address]]:
    """An upstream whose key is not in the environment: every call says so, and nothing is sent."""

    async def refuse() -> Address:
        raise Unauthorised(
            f"The upstream {config.name!r} needs a key, and {config.api_key_env} is not set.",
            remedy=f"Set {config.api_key_env} in the environment and start again.",
        )

    return refuse


FACTORIES: Mapping[str, Callable[[Upstream], Provider]] = {
    "anthropic": _anthropic,
    "echo": _echo,
    "hf": _hf,
    "local": _local,
    "ollama": _ollama,
    "openai": _openai,
    "registered": _registered,
}
