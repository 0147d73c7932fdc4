"""What training data has to pass before anything is trained on it: each gate with a count, examples and a policy.

    format          lines that are no chat, by the OpenAI cookbook's error names
    roles           who speaks when: system first, then user and assistant in turn, the assistant last
    enough          at least so many examples
    length          examples longer than the model reads, which would be cut
    duplicates      the same chat again                          near_duplicates   nearly the same
    contradictions  the same question with different answers
    leakage         a question of an evaluation set              near_leakage      nearly one
    personal_data   e-mail addresses, cards, phone numbers, secrets …
    licence         whether the source may be trained on, and the rows' people agreed
    balance         how the answers are spread, where they are classes

A gate that blocks and is not met stops the training; one that warns is shown. Policies and limits can be set for each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from daybook.datasets import DataSet
from daybook.errors import BadParameter, GateNotMet
from daybook.training.data import checks
from daybook.training.data.examples import Material
from daybook.training.data.tokens import Counter as TokenCounter
from daybook.training.data.tokens import Counts, guess

Policy = Literal["block", "warn"]

POLICIES: Mapping[str, tuple[Policy, float]] = {
    "format": ("block", 0),
    "roles": ("block", 0),
    "enough": ("block", 10),
    "length": ("block", 0),
    "duplicates": ("warn", 0.01),
    "near_duplicates": ("warn", 0.1),
    "contradictions": ("warn", 0),
    "leakage": ("block", 0),
    "near_leakage": ("warn", 0),
    "personal_data": ("block", 0),
    "licence": ("block", 0),
    "balance": ("warn", 20),
}
"""gate → what it does where it is not met, and its limit: a share of the rows (of the evaluation rows for leakage), the
fewest examples for `enough`, the largest class over the smallest for `balance`."""


@dataclass(frozen=True, slots=True)
class DataCheck:
    """`found` of `of` rows. `met`: None where it was not checked, which does not block and is never said to be met.
    `examples`: where, with the rows' numbers; never the personal data itself."""

    name: str
    found: int
    of: int
    policy: Policy
    limit: float
    met: bool | None
    message: str
    examples: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def blocks(self) -> bool:
        return self.policy == "block" and self.met is False

    def to_dict(self) -> dict[str, Any]:
        row = asdict(self)
        return {"told" if key == "message" else key: value for key, value in row.items()} | {"blocks": self.blocks}


@dataclass(frozen=True, slots=True)
class DataChecks:
    """All gates of one data set, and how many tokens it is."""

    gates: tuple[DataCheck, ...]
    tokens: Counts
    rows: int
    source: str
    digest: str

    @property
    def met(self) -> bool:
        return not any(gate.blocks for gate in self.gates)

    @property
    def not_met(self) -> tuple[DataCheck, ...]:
        return tuple(gate for gate in self.gates if gate.met is False)

    @property
    def not_checked(self) -> tuple[DataCheck, ...]:
        return tuple(gate for gate in self.gates if gate.met is None)

    def __getitem__(self, name: str) -> DataCheck:
        return next(gate for gate in self.gates if gate.name == name)

    def require(self) -> DataChecks:
        """Itself, if nothing blocks. Raises GateNotMet with every gate that does."""
        if closed := [gate for gate in self.gates if gate.blocks]:
            message = "; ".join(f"{gate.name}: {gate.message}" for gate in closed)
            accepted = json.dumps({gate.name: "warn" for gate in closed})
            options = " ".join(f"--policy {gate.name}=warn" for gate in closed)
            raise GateNotMet(
                f"{len(closed)} of {len(self.gates)} gates are not met. {message}.",
                remedy=f"Mend the data, or accept it: policies={accepted} (on the command line: {options}).",
            )
        return self


def policies(given: Mapping[str, str]) -> dict[str, tuple[Policy, float]]:
    """POLICIES with what was given: `warn`, `block`, or either with a limit, `warn:0.05`. Raises BadParameter."""
    chosen = dict(POLICIES)
    for name, text in given.items():
        policy, _, limit = text.partition(":")
        if name not in POLICIES or policy not in ("block", "warn"):
            raise BadParameter(
                f"{name[:40]}={text[:40]} is no policy.", remedy=f"Gates: {', '.join(POLICIES)}; each block or warn."
            )
        try:
            chosen[name] = ("block" if policy == "block" else "warn", float(limit) if limit else POLICIES[name][1])
        except ValueError as error:
            raise BadParameter(
                f"The limit {limit[:20]!r} of {name} is no number.", remedy="Write warn:0.05."
            ) from error
    return chosen


def check(
    material: Material,
    *,
    against: Sequence[DataSet] = (),
    licence: str | None = None,
    context: int = 8192,
    count: TokenCounter | None = None,
    classifier: bool = False,
    given: Mapping[str, str] | None = None,
    progress: Callable[[str], None] | None = None,
) -> DataChecks:
    """Every gate over the material. `against`: evaluation sets that must not be in it. `count`: tokens of a chat; a
    guess without one. `classifier`: the answers have to be classes. `given`: policies, as `policies` takes them."""
    chosen = policies(given or {})
    rows = material.data.rows
    chats = [material.messages(row) for row in rows]
    lengths = [(count or guess)(chat) for chat in chats]
    answers = [guess([m for m in chat if m.get("role") == "assistant"]) for chat in chats]
    parts: list[tuple[str, Callable[[], checks.Found]]] = [
        ("format", lambda: checks.format(material)),
        ("roles", lambda: checks.roles(rows, chats)),
        ("enough", lambda: checks.enough(rows, chosen["enough"][1])),
        ("length", lambda: checks.length(rows, lengths, context)),
        ("duplicates", lambda: checks.duplicates(rows, chats)),
        ("near_duplicates", lambda: checks.near_duplicate_rows(rows)),
        ("contradictions", lambda: checks.contradictions(rows)),
        ("leakage", lambda: checks.leakage(rows, against)),
        ("near_leakage", lambda: checks.near_leakage(rows, against)),
        ("personal_data", lambda: checks.personal_data(rows, chats)),
        ("licence", lambda: checks.licence(material.data, licence)),
        ("balance", lambda: checks.balance(rows, classifier=classifier)),
    ]
    gates = []
    for name, look in parts:
        if progress is not None:
            progress(name)
        gates.append(_gate(name, look(), *chosen[name]))
    counts = Counts.of(lengths, answers, counted=count is not None)
    return DataChecks(tuple(gates), counts, len(rows), material.data.source, material.data.digest)


def _gate(name: str, seen: checks.Found, policy: Policy, limit: float) -> DataCheck:
    met: bool | None
    if not seen.checked:
        met = None
    elif seen.met is not None:
        met = seen.met
    elif name == "balance":
        met = seen.details.get("ratio", 0) <= limit
    else:
        met = seen.found <= limit * seen.of
    policy = "warn" if seen.warn else "block" if seen.block else policy
    return DataCheck(name, seen.found, seen.of, policy, limit, met, seen.message, seen.examples, seen.details)
