"""What is to be trained, and how: every choice that changes the result, checked before anything starts."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

import orjson

from daybook.digest import digest_bytes
from daybook.errors import BadParameter
from daybook.providers.llamacpp.weights import MODEL

Method = Literal["lora", "head", "encoder"]
METHODS: tuple[Method, ...] = ("lora", "head", "encoder")
ENCODER = "all-minilm-l6-v2"

_OWN: dict[str, dict[str, Any]] = {
    "lora": {"base": MODEL, "batch": 8, "rate": 5e-4},
    "head": {"base": ENCODER, "batch": 32, "rate": 1e-4},
    "encoder": {"base": ENCODER, "batch": 32, "rate": 1e-4},
}
"""What a method takes where the recipe does not say."""
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (0.01, 1000),
    "batch": (1, 4096),
    "accumulate": (1, 1024),
    "rate": (1e-8, 1.0),
    "rank": (1, 512),
    "alpha": (1, 4096),
    "dropout": (0, 0.9),
    "warmup": (0, 0.9),
    "patience": (0, 1000),
    "evaluations": (1, 1000),
    "max_length": (8, 1_000_000),
    "held_out": (0.01, 0.9),
    "strength": (1e-6, 1e6),
    "checkpoints": (1, 1000),
}


_WHOLE = (
    "seed", "batch", "accumulate", "rank", "alpha", "patience", "evaluations", "checkpoints", "max_length", "max_steps",
    "threads",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """`lora`: low-rank adapters on a causal model. `head`: logistic regression on frozen embeddings. `encoder`: the
    embedding model itself, trained with a linear head."""

    method: Method = "lora"
    base: str = ""
    """The embedded models by name, or a folder of weights; "" is the method's own."""
    seed: int = 0
    epochs: float = 3
    batch: int = 0
    """Rows of a batch; 0 is the method's own."""
    accumulate: int = 1
    """Batches whose gradients make one step."""
    rate: float = 0.0
    """Of AdamW, at its highest; 0 is the method's own."""
    rank: int = 8
    alpha: int = 16
    dropout: float = 0.0
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    warmup: float = 0.05
    """Share of the steps in which the rate rises; after them it falls to 0 in a straight line."""
    patience: int = 3
    """Evaluations without a better validation loss after which training stops; 0: never before the end."""
    evaluations: int = 8
    """Validation losses measured over the whole training."""
    checkpoints: int = 8
    """Times that the state is kept, so that a killed training goes on from there."""
    max_steps: int | None = None
    max_length: int = 1024
    held_out: float = 0.15
    """Share of the rows, by the hash of their ids, that validate and compare and are never trained on."""
    strength: float = 10.0
    """Of `head`: scikit-learn's C; larger trusts the rows more."""
    threads: int | None = None
    merge: bool = False
    """Of `lora`: also write the base with the adapter merged in, as plain weights."""

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise BadParameter(f"There is no method {str(self.method)[:40]!r}.", remedy=f"Use {', '.join(METHODS)}.")
        for name, own in _OWN[self.method].items():
            if not getattr(self, name):
                object.__setattr__(self, name, own)
        for name, (low, high) in _RANGES.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
                raise BadParameter(f"{name} is {value!r}.", remedy=f"Give a number from {low:g} to {high:g}.")
        for name in _WHOLE:
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
                raise BadParameter(f"{name} is {value!r}.", remedy="Give a whole number.")
        if self.max_steps is not None and self.max_steps < 1:
            raise BadParameter(f"max_steps is {self.max_steps}.", remedy="Give at least 1, or none.")
        object.__setattr__(self, "targets", tuple(self.targets))

    @classmethod
    def of(cls, given: dict[str, Any]) -> Recipe:
        """Raises BadParameter for a choice that there is not."""
        known = set(cls.__dataclass_fields__)
        if unknown := sorted(set(given) - known):
            raise BadParameter(f"A recipe has no {unknown[0][:40]!r}.", remedy=f"It has {', '.join(sorted(known))}.")
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def digest(self) -> str:
        """Of everything that changes the result; `threads` and how often the state is kept do not."""
        kept = {k: v for k, v in self.to_dict().items() if k not in {"threads", "checkpoints", "merge"}}
        return digest_bytes(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS))
