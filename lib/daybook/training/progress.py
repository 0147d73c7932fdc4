"""How a training goes: what it tells as it runs, and what it leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPoint:
    """One measurement of the validation loss: mean negative log-likelihood of an answer's token."""

    step: int
    epoch: float
    train: float | None
    validation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingProgress:
    step: int
    steps: int
    loss: float | None = None
    tokens: int = 0
    seconds: float = 0.0
    eta: float | None = None
    """Seconds that the remaining steps will take at the pace so far."""
    curve: tuple[LossPoint, ...] = ()

    @property
    def losses(self) -> dict[str, str]:
        """The latest ones, as a progress bar shows them."""
        latest = {"loss": self.loss, "held-out": self.curve[-1].validation if self.curve else None}
        return {name: f"{value:.3f}" for name, value in latest.items() if value is not None}

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


Tell = Callable[[TrainingProgress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """What came of it. `ended`: `all steps`, `early` (the validation loss no longer fell) or `cancelled`."""

    ended: str
    steps: int
    best_step: int
    curve: tuple[LossPoint, ...]
    tokens: int
    seconds: float
    device: str
    parameters: int
    """Numbers that were trained."""
    resumed_at: int | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def rate(self) -> float | None:
        """Tokens a second."""
        return self.tokens / self.seconds if self.seconds else None
