"""`models.yml`, read strictly: an unknown key, a wrong type or a name that leads nowhere is refused with its line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import yaml

from daybook.errors import SettingsError
from daybook.providers.upstream import KINDS, KNOWN, Fallback, Model, Upstream

_HTTP = frozenset(("kind", "base_url", "api_key_env", "connect_timeout", "idle_timeout", "attempts", "machine"))
_KEYS: Mapping[str, frozenset[str]] = {
    "openai": _HTTP | {"stream_usage", "responses"},
    "anthropic": _HTTP,
    "ollama": _HTTP | {"context"},
    "local": frozenset(("kind", "weights", "context", "slots", "threads", "machine")),
    "hf": frozenset(("kind", "machine")),
    "echo": frozenset(("kind", "machine")),
}
_MODEL_KEYS = frozenset(("upstream", "target", "context", "aliases", "fallback", "deadline"))
_NAME = re.compile(r"[A-Za-z0-9][\w.:+-]{0,63}")
_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.:+/@-]{0,127}")
_AMOUNT = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,9})?")
_ENV = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Stated:
    upstreams: Mapping[str, Upstream]
    models: Mapping[str, Model]


def read(path: Path, env: Mapping[str, str], home: Path) -> Stated:
    """The upstreams and models that the file at `path` states. Raises SettingsError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{path} cannot be read ({type(error).__name__}).", remedy="Make it readable, as UTF-8 text."
        ) from error
    return _ModelsFile(path, text).stated(env, home)


class _ModelsFile:
    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        try:
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            self._refuse(
                None if mark is None else mark.line + 1,
                f"it is not YAML ({getattr(error, 'problem', None) or 'unreadable'})",
                "Correct the line; indent with spaces.",
            )

    def stated(self, env: Mapping[str, str], home: Path) -> Stated:
        upstreams: dict[str, Upstream] = {}
        models: dict[str, Model] = {}
        if self._root is None:
            return Stated(upstreams, models)
        parts = {"upstreams": None, "models": None} | dict(
            self._fields(self._root, {"upstreams", "models"}, "the file")
        )
        for key, node in self._entries(parts["upstreams"]):
            upstreams[key.value] = self._upstream(key, node, env, home)
        taken = {"local": 0, "hf": 0} | dict.fromkeys(upstreams, 0)
        names: dict[str, int] = {}
        for key, node in self._entries(parts["models"]):
            model = self._model(key, node, taken)
            for name in (model.name, *model.aliases):
                if name in names:
                    self._refuse(self._line(key), f"the name {name!r} is used twice", "Give each model its own names.")
                names[name] = self._line(key)
            models[model.name] = model
        return Stated(upstreams, models)

    # ── the two kinds of entry ────────────────────────────────────────────────────────────────────────

    def _upstream(self, key: yaml.ScalarNode, node: yaml.Node, env: Mapping[str, str], home: Path) -> Upstream:
        name = self._name(key, _NAME, "an upstream")
        fields = dict(self._fields(node, frozenset[str]().union(*_KEYS.values()), f"upstream {name}"))
        given = (
            dict(KNOWN.get(name, {}))
            if "kind" not in fields or _plain(fields["kind"]) == KNOWN.get(name, {}).get("kind")
            else {}
        )
        kind = self._text(fields["kind"], "kind") if "kind" in fields else given.get("kind")
        if kind is None or kind not in _KEYS:
            text = "has no kind" if kind is None else f"is of kind {kind!r}, which there is not"
            self._refuse(self._line(key), f"upstream {name} {text}", f"Write kind: one of {', '.join(sorted(_KEYS))}.")
        for field in fields:
            if field not in _KEYS[kind]:
                self._refuse(
                    self._line(fields[field]),
                    f"{field!r} means nothing for an upstream of kind {kind}",
                    f"Known there: {', '.join(sorted(_KEYS[kind]))}.",
                )
        base_url = self._url(fields["base_url"]) if "base_url" in fields else given.get("base_url", "")
        if not base_url and "base_url" in _KEYS[kind]:
            self._refuse(self._line(key), f"upstream {name} has no base_url", "Write base_url: https://host/v1")
        key_env = self._env(fields["api_key_env"]) if "api_key_env" in fields else given.get("api_key_env")
        return Upstream(
            name=name,
            kind=kind,
            home=home,
            base_url=base_url,
            api_key_env=key_env,
            api_key=(env.get(key_env) or None) if key_env else None,
            connect_timeout=self._number(fields, "connect_timeout", 0.01, 3600),
            idle_timeout=self._number(fields, "idle_timeout", 0.01, 86400),
            attempts=self._whole(fields, "attempts", 1, 10),
            stream_usage=self._switch(fields, "stream_usage", default=True),
            responses=self._switch(fields, "responses", default=False) if "responses" in fields else None,
            weights=self._file(fields, "weights"),
            context=self._whole(fields, "context", 16, 100_000_000),
            slots=self._whole(fields, "slots", 1, 256),
            threads=self._whole(fields, "threads", 1, 1024),
            machine_hour=self._machine_hour(fields.get("machine")),
        )

    def _model(self, key: yaml.ScalarNode, node: yaml.Node, upstreams: Mapping[str, int]) -> Model:
        name = self._name(key, _MODEL_NAME, "a model")
        fields = dict(self._fields(node, _MODEL_KEYS, f"model {name}"))
        if "upstream" not in fields:
            self._refuse(
                self._line(key), f"model {name} has no upstream", f"Write upstream: one of {_list(upstreams)}."
            )
        upstream = self._text(fields["upstream"], "upstream")
        if upstream not in upstreams:
            self._refuse(
                self._line(fields["upstream"]),
                f"model {name} is at the upstream {upstream!r}, which is not stated",
                f"Add it under upstreams, or use one of {_list(upstreams)}.",
            )
        aliases: list[str] = []
        if "aliases" in fields:
            listed = fields["aliases"]
            if not isinstance(listed, yaml.SequenceNode):
                self._refuse(self._line(listed), "aliases is not a list", "Write aliases: [one, two]")
            aliases = [self._name(item, _MODEL_NAME, "an alias") for item in listed.value]
        return Model(
            name=name,
            upstream=upstream,
            target=self._text(fields["target"], "target") if "target" in fields else name,
            aliases=tuple(aliases),
            context=self._whole(fields, "context", 16, 100_000_000),
            fallbacks=self._fallbacks(name, fields.get("fallback")),
            deadline=self._number(fields, "deadline", 0.01, 86400),
        )

    def _fallbacks(self, name: str, node: yaml.Node | None) -> tuple[Fallback, ...]:
        """`fallback: [other, {model: another, on: [timeout]}]`. Whether each leads somewhere is seen later."""
        if node is None:
            return ()
        if not isinstance(node, yaml.SequenceNode) or not node.value:
            self._refuse(self._line(node), "fallback is not a list of models", "Write fallback: [other, {model: …}]")
        fallbacks: list[Fallback] = []
        for item in node.value:
            if isinstance(item, yaml.ScalarNode):
                fallback = Fallback(self._name(item, _MODEL_NAME, "a model"))
            else:
                fields = dict(self._fields(item, {"model", "on"}, f"a fallback of {name}"))
                if "model" not in fields:
                    self._refuse(self._line(item), "a fallback has no model", "Write {model: other, on: [timeout]}")
                model = self._name(fields["model"], _MODEL_NAME, "a model")
                fallback = Fallback(model, self._kinds(fields["on"])) if "on" in fields else Fallback(model)
            if fallback.model in (name, *(known.model for known in fallbacks)):
                self._refuse(self._line(item), f"{name} falls back on {fallback.model!r} twice", "Leave one out.")
            fallbacks.append(fallback)
        return tuple(fallbacks)

    def _kinds(self, node: yaml.Node) -> frozenset[str]:
        words = [_plain(item) for item in node.value] if isinstance(node, yaml.SequenceNode) else []
        if not words or (strange := [word for word in words if word not in KINDS]):
            text = f"knows no failure called {strange[0]!r}" if words else "is not a list of failures"
            self._refuse(self._line(node), f"on {text}", f"Known there: {_list(KINDS)}.")
        return frozenset(words)

    def _machine_hour(self, node: yaml.Node | None) -> Decimal | None:
        """`machine: {usd_per_hour: 0.10}`, to the digit."""
        if node is None:
            return None
        fields = dict(self._fields(node, {"usd_per_hour"}, "machine"))
        rate = fields.get("usd_per_hour")
        text = rate.value if isinstance(rate, yaml.ScalarNode) else ""
        if not _AMOUNT.fullmatch(text) or Decimal(text) > 10_000:
            self._refuse(
                self._line(node), "machine has no usd_per_hour from 0 to 10,000", "Write machine: {usd_per_hour: 0.10}"
            )
        return Decimal(text)

    # ── values ────────────────────────────────────────────────────────────────────────────────────────

    def _entries(self, node: yaml.Node | None) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        if node is None or _is_null(node):
            return
        if not isinstance(node, yaml.MappingNode):
            self._refuse(self._line(node), "a mapping of names is expected here", "Write name: {…} on each line.")
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(self._line(key), "a name is not a plain word", "Write a plain word before the colon.")
            if key.value in seen:
                self._refuse(self._line(key), f"{key.value!r} is there twice", "Leave one of them out.")
            seen.add(key.value)
            yield key, value

    def _fields(self, node: yaml.Node, known: frozenset[str] | set[str], where: str) -> Iterator[tuple[str, yaml.Node]]:
        for key, value in self._entries(node):
            if key.value == "api_key":
                self._refuse(
                    self._line(key),
                    "a key stands in the file",
                    "Put it in an environment variable, and write that variable's name: api_key_env: NAME",
                )
            if key.value not in known:
                self._refuse(
                    self._line(key), f"{key.value[:40]!r} is not known in {where}", f"Known there: {_list(known)}."
                )
            yield key.value, value

    def _name(self, node: yaml.Node, shape: re.Pattern[str], what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or not shape.fullmatch(node.value):
            text = node.value[:40] if isinstance(node, yaml.ScalarNode) else "this"
            self._refuse(
                self._line(node), f"{text!r} cannot be the name of {what}", "Use letters, digits and . _ : + -"
            )
        return str(node.value)

    def _text(self, node: yaml.Node, key: str) -> str:
        value = _plain(node)
        if not isinstance(value, str) or not value:
            self._refuse(self._line(node), f"{key} is not a text", f'Write {key}: "…"')
        if "${" in value:
            self._refuse(
                self._line(node), f"{key} holds ${{…}}, which is not filled in here", "Write the value itself."
            )
        return value

    def _env(self, node: yaml.Node) -> str:
        value = self._text(node, "api_key_env")
        if not _ENV.fullmatch(value):  # not shown: it may be the key
            self._refuse(
                self._line(node),
                "api_key_env is not the name of an environment variable",
                "Write the variable's name, such as OPENAI_API_KEY; never the key itself.",
            )
        return value

    def _url(self, node: yaml.Node) -> str:
        value = self._text(node, "base_url")
        try:
            parts = urlsplit(value)
            host, _ = parts.hostname, parts.port
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            self._refuse(self._line(node), "base_url is not an address", "Write base_url: https://host/v1")
        if parts.username or parts.password or parts.query or parts.fragment:  # not shown: it holds a password
            self._refuse(
                self._line(node),
                "base_url holds a user, a password or a query",
                "Write the plain address, and give the key through api_key_env.",
            )
        return value.rstrip("/")

    def _number(self, fields: Mapping[str, yaml.Node], key: str, low: float, high: float) -> float | None:
        if key not in fields:
            return None
        value = _plain(fields[key])
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
            self._refuse(self._line(fields[key]), f"{key} is not a number from {low:g} to {high:g}", "Correct it.")
        return float(value)

    def _whole(self, fields: Mapping[str, yaml.Node], key: str, low: int, high: int) -> int | None:
        if key not in fields:
            return None
        value = _plain(fields[key])
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            self._refuse(
                self._line(fields[key]), f"{key} is not a whole number from {low:,} to {high:,}", "Correct it."
            )
        return value

    def _switch(self, fields: Mapping[str, yaml.Node], key: str, *, default: bool) -> bool:
        if key not in fields:
            return default
        value = _plain(fields[key])
        if not isinstance(value, bool):
            self._refuse(self._line(fields[key]), f"{key} is neither true nor false", "Write true or false.")
        return value

    def _file(self, fields: Mapping[str, yaml.Node], key: str) -> Path | None:
        if key not in fields:
            return None
        path = Path(self._text(fields[key], key)).expanduser()
        return path if path.is_absolute() else self._path.parent / path

    def _line(self, node: yaml.Node) -> int:
        return int(node.start_mark.line) + 1

    def _refuse(self, line: int | None, what: str, remedy: str) -> NoReturn:
        where = f"{self._path}, line {line}" if line is not None else str(self._path)
        raise SettingsError(f"{where}: {what}.", remedy=remedy)


def _plain(node: yaml.Node) -> Any:
    """The value of a scalar as YAML means it; None for a list or mapping."""
    if not isinstance(node, yaml.ScalarNode):
        return None
    return yaml.SafeLoader("").construct_object(node)


def _is_null(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _list(names: Mapping[str, int] | frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names))
