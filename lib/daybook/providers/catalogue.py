"""Which models can be asked for, and where each one is: `models.yml`, or just the embedded model where there is none.

    upstreams:
      openai: {}                        # a name we know: kind, base_url and api_key_env follow from it
      ollama: {}
      lab:
        kind: openai                    # openai (any OpenAI-compatible API) · anthropic · ollama · local · echo
        base_url: http://10.0.0.7:8000/v1
        api_key_env: LAB_KEY            # the environment variable's name; never the key
    models:
      gpt-4o-mini: {upstream: openai}
      house: {upstream: ollama, target: "llama3.2:3b", context: 16384, aliases: [llama]}
      assistant:
        upstream: openai
        target: gpt-4o
        deadline: 60                    # seconds, with every attempt and fallback
        fallback: [house, {model: smollm2-135m-instruct, on: [timeout, unavailable]}]

Models of the registry are there by name, version and alias from the moment they are registered, unless the file gives
one of their names to another. The embedded models are there unless `local` or `hf` is stated to be something else: one
that chats, an encoder for embeddings and one that moderates; `hf/NAME` is an embedding model of tasks.yml.
`upstream/name` asks for any model of a configured upstream. With OPENAI_API_KEY or ANTHROPIC_API_KEY in the environment
`gpt-…` and `claude-…` can be asked for without a file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from daybook.errors import SettingsError, UnknownModel
from daybook.providers.llamacpp.weights import MODEL
from daybook.providers.registered.index import RegistryIndex
from daybook.providers.upstream import ENCODER, KNOWN, MODERATOR, Model, Upstream

if TYPE_CHECKING:
    from daybook.providers.registered.index import IndexEntry


_HOSTED: Mapping[str, re.Pattern[str]] = {
    "openai": re.compile(
        r"(?:(?:chat)?gpt-|o\d|codex-|computer-use-|text-embedding-|(?:omni|text)-moderation-)[\w.:-]*"
    ),
    "anthropic": re.compile(r"claude-[\w.:-]+"),
}
"""Upstreams that need nothing but a key, and the names of their models."""


class Catalogue:
    """The upstreams and models of one configuration. `models` has no aliases in it; `resolve` knows them."""

    def __init__(
        self, upstreams: Mapping[str, Upstream], models: Mapping[str, Model], *, registry: RegistryIndex | None = None
    ) -> None:
        contexts: dict[str, dict[str, int]] = {}
        for model in models.values():
            if model.context is not None:
                contexts.setdefault(model.upstream, {})[model.target] = model.context
        self.upstreams = {n: replace(u, contexts=contexts.get(n, u.contexts)) for n, u in upstreams.items()}
        self.models = dict(models)
        self._registry = registry
        self._by_name = {alias: model for model in models.values() for alias in model.aliases} | self.models

    @classmethod
    def load(cls, path: Path, env: Mapping[str, str], *, home: Path | None = None) -> Catalogue:
        """What the file at `path` says, added to the embedded model; only that where there is no file.

        `env`: where keys are looked up. `home`: default `DAYBOOK_HOME`, else the file's folder. Raises SettingsError,
        with the line, for a file that cannot be meant.
        """
        if home is None:
            home = Path(env["DAYBOOK_HOME"]).expanduser().absolute() if env.get("DAYBOOK_HOME") else path.parent
        upstreams = {name: Upstream(name=name, kind=name, home=home) for name in ("local", "hf")}
        upstreams |= dict(_hosted(env, home))
        models: dict[str, Model] = {}
        if path.exists():
            from daybook.providers.models_file import read

            stated = read(path, env, home)
            upstreams |= stated.upstreams
            models |= stated.models
        if upstreams["local"].kind == "local" and upstreams["local"].weights is None and MODEL not in models:
            models = {MODEL: Model(name=MODEL, upstream="local", target=MODEL)} | models
        for name in (ENCODER, MODERATOR):
            if upstreams["hf"].kind == "hf" and name not in models:
                models[name] = Model(name=name, upstream="hf", target=name)
        catalogue = cls(upstreams, models, registry=RegistryIndex(home))
        catalogue._check_fallbacks(path)
        return catalogue

    def _check_fallbacks(self, path: Path) -> None:
        """Raise SettingsError for a fallback that no upstream would serve: it would be missed when it is needed."""
        for model in self.models.values():
            for fallback in model.fallbacks:
                try:
                    self.resolve(fallback.model)
                except UnknownModel as error:
                    raise SettingsError(
                        f"{path}: {model.name} falls back on nothing. {error.message}", remedy=error.remedy
                    ) from None

    @property
    def listed(self) -> Mapping[str, Model]:
        """What can be asked for by name now: `models`, and the registry's."""
        return _Listed(self)

    def knows(self, name: str) -> bool:
        """Whether somebody gave a model this name: what stands behind `upstream/` is whatever a caller writes."""
        return name in self._by_name or (self._registry is not None and self._registry.find(name) is not None)

    def resolve(self, name: str) -> Model:
        """The model asked for as `name`. Raises UnknownModel, which names the known ones."""
        model = self._by_name.get(name)
        if model is not None:
            return model
        if self._registry is not None and (entry := self._registry.find(name)) is not None:
            return self._registered(name, entry)
        upstream, slash, target = name.partition("/")
        if slash and target and upstream in self.upstreams:
            context = self.upstreams[upstream].contexts.get(target)
            return Model(name=name, upstream=upstream, target=target, context=context)
        for upstream, names in _HOSTED.items():
            if names.fullmatch(name):
                if upstream in self.upstreams:
                    context = self.upstreams[upstream].contexts.get(name)
                    return Model(name=name, upstream=upstream, target=name, context=context)
                variable = KNOWN[upstream]["api_key_env"]
                raise UnknownModel(
                    f"No model is called {name[:80]!r}.",
                    remedy=f"Set {variable} in the environment and start again, or name it in models.yml.",
                )
        known = sorted([*self._by_name, *(self._registry.names() if self._registry else ())])
        shown = ", ".join(known[:20]) + (f" and {len(known) - 20} more" if len(known) > 20 else "")
        raise UnknownModel(
            f"No model is called {name[:80]!r}.",
            remedy=f"There are: {shown}; and upstream/name for any model of {', '.join(sorted(self.upstreams))}.",
        )

    def kind(self, name: str) -> str | None:
        """The kind of the upstream that serves what is asked for as `name`; None for what nobody serves."""
        try:
            return self.upstreams[self.resolve(name).upstream].kind
        except UnknownModel:
            return None

    def _registered(self, name: str, entry: IndexEntry) -> Model:
        """A model of the registry: weights of this machine, or a name of another upstream's."""
        if entry.place is None:
            if entry.provider not in self.upstreams:
                raise UnknownModel(
                    f"{entry.id} is served by {entry.provider!r}, which is not among the upstreams.",
                    remedy=f"Add it to models.yml. There are: {', '.join(sorted(self.upstreams))}.",
                )
            return Model(name=entry.id, upstream=entry.provider, target=entry.target)
        if (upstream := "registered") not in self.upstreams:
            assert self._registry is not None
            self.upstreams[upstream] = Upstream(
                name=upstream,
                kind="registered",
                home=self._registry.home,
                machine_hour=self.upstreams["local"].machine_hour if "local" in self.upstreams else None,
            )
        return Model(name=name, upstream=upstream, target=entry.id)

    def registered(self) -> dict[str, Model]:
        """The registry's models by every name they have, but those that cannot be served here."""
        names = {}
        for name in self._registry.names() if self._registry is not None else ():
            with contextlib.suppress(UnknownModel):
                names[name] = self.resolve(name)
        return names


def _hosted(env: Mapping[str, str], home: Path) -> Iterator[tuple[str, Upstream]]:
    for name in _HOSTED:
        known = KNOWN[name]
        if key := env.get(known["api_key_env"]):
            address, variable = known["base_url"], known["api_key_env"]
            yield (
                name,
                Upstream(name=name, kind=known["kind"], home=home, base_url=address, api_key_env=variable, api_key=key),
            )


class _Listed(Mapping[str, "Model"]):
    """Looks again each time: a model that was registered a moment ago is in it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def _now(self) -> dict[str, Model]:
        return self._catalogue.registered() | self._catalogue.models

    def __getitem__(self, name: str) -> Model:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())
