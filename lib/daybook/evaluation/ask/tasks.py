"""What is asked of a model about a row: the kinds of task, and those who take part.

A task says how a row becomes a conversation and which scorer reads the answer. A contestant is a model with its way of
asking: `smollm2-135m-instruct`, or the same with `?shots=3&max_tokens=8&system=…&name=…&template=…` behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from string import ascii_uppercase
from typing import Any
from urllib.parse import parse_qsl

from daybook.datasets import DataSet, Row
from daybook.errors import BadParameter


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    name: str
    template: str
    """`{input}`, `{choices}` (lettered, a line each) and `{labels}` are put in; other braces stay."""
    scorer: str
    """A name of `scoring.MEASURES`, or `judge`, `code`, `similarity`, `likelihood`."""
    max_tokens: int
    again: str = "{input}"
    """How the question is put where examples went before it: what was said with the first is not said again."""
    classes: int = 0
    """Distinct references that there have to be."""
    references: bool = True


TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        Task(
            name="classification",
            template="Which of these fits the text best: {labels}?\n\nText: {input}\n\nAnswer with one of them only.",
            again="Text: {input}",
            scorer="label",
            max_tokens=16,
            classes=2,
        ),
        Task(
            name="multiple_choice",
            template="{input}\n{choices}\nAnswer with the letter of the right choice only.",
            again="{input}\n{choices}",
            scorer="choice",
            max_tokens=16,
            classes=2,
        ),
        Task(name="likelihood", template="{input}\nAnswer:", scorer="likelihood", max_tokens=0),
        Task(name="short_answer", template="{input}\nAnswer in a few words.", scorer="contains", max_tokens=32),
        Task(
            name="number",
            template="{input}\nReason in short steps and end with: The answer is N.",
            scorer="number",
            max_tokens=192,
        ),
        Task(name="extraction", template="{input}\nAnswer with one JSON object only.", scorer="json", max_tokens=256),
        Task(name="free_text", template="{input}", scorer="judge", max_tokens=256, references=False),
        Task(
            name="code",
            template="{input}\nAnswer with the code only, in one Python block.",
            scorer="code",
            max_tokens=256,
            references=False,
        ),
    )
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    name: str
    model: str
    system: str | None = None
    template: str | None = None
    """None: the task's."""
    shots: int = 0
    """Examples that go before the question, answered."""
    max_tokens: int | None = None
    temperature: float = 0.0
    seed: int | None = None

    @classmethod
    def of(cls, text: str) -> Contestant:
        """`model`, or `model?shots=3&system=Be brief.`. Raises BadParameter."""
        model, _, asked = text.partition("?")
        given = dict(parse_qsl(asked, keep_blank_values=True))
        kinds: Mapping[str, Any] = {"name": str, "system": str, "template": str} | {
            "shots": int,
            "max_tokens": int,
            "seed": int,
            "temperature": float,
        }
        if not model.strip() or (asked and not given):
            raise BadParameter(f"{text[:80]!r} names no model.", remedy="Write model or model?shots=3.")
        if unknown := sorted(set(given) - set(kinds)):
            raise BadParameter(f"A contestant has no {unknown[0]!r}.", remedy=f"It has {', '.join(sorted(kinds))}.")
        try:
            values = {name: kinds[name](value) for name, value in given.items()}
        except ValueError:
            raise BadParameter(f"{text[:80]!r} holds a figure that is none.", remedy="Write shots=3.") from None
        contestant = cls(**{"name": text, "model": model.strip(), **values})
        if contestant.shots < 0 or (contestant.max_tokens or 1) < 1 or contestant.temperature < 0:
            raise BadParameter(f"{text[:80]!r} holds a figure out of range.", remedy="Use none below 0.")
        return contestant


def contestants(given: Sequence[str | Contestant]) -> list[Contestant]:
    """Those who take part, each under a name of its own. Raises BadParameter."""
    taking_part = [
        contestant if isinstance(contestant, Contestant) else Contestant.of(contestant) for contestant in given
    ]
    if not taking_part:
        raise BadParameter("No model takes part.", remedy="Name one or more.")
    for contestant in taking_part:
        if contestant.template is not None and "{input}" not in contestant.template:
            raise BadParameter(
                f"The template of {contestant.name[:80]!r} has no {{input}}: it would ask every row the same.",
                remedy="Write {input} where the row's question belongs.",
            )
    names = [contestant.name for contestant in taking_part]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadParameter(f"{twice[0]!r} takes part twice.", remedy="Give each a name: model?name=first.")
    return taking_part


def task_of(name: str, data: DataSet) -> Task:
    """The task of that name; `auto` looks at the rows. Raises BadParameter."""
    if name == "auto":
        some = data.rows[0] if data.rows else None
        if some is not None and "test" in some.extra:
            name = "code"
        elif some is not None and some.choices:
            name = "multiple_choice"
        elif some is not None and ("turns" in some.extra or any(row.reference is None for row in data.rows)):
            name = "free_text"
        elif 2 <= len(data.labels) <= max(2, len(data) // 3):
            name = "classification"
        else:
            name = "short_answer"
    if name not in TASKS:
        raise BadParameter(f"There is no task {name[:40]!r}.", remedy=f"There are auto, {', '.join(TASKS)}.")
    return TASKS[name]


def scored_by(task: Task, scorer: str | None) -> Task:
    return task if scorer is None else replace(task, scorer=scorer)


def body(
    task: Task, contestant: Contestant, row: Row, *, labels: Sequence[str] = (), examples: Sequence[Row] = ()
) -> dict[str, Any]:
    """The chat-completions body that asks `contestant` about `row`."""
    messages: list[dict[str, str]] = []
    if contestant.system:
        messages.append({"role": "system", "content": contestant.system})
    for at, example in enumerate(examples):
        messages.append({"role": "user", "content": asked(task, contestant, example, labels, again=at > 0)})
        messages.append({"role": "assistant", "content": answered(example, task)})
    messages.append({"role": "user", "content": asked(task, contestant, row, labels, again=bool(examples))})
    request: dict[str, Any] = {
        "model": contestant.model,
        "messages": messages,
        "max_tokens": contestant.max_tokens or task.max_tokens,
    }
    request["temperature"] = contestant.temperature
    if contestant.seed is not None:
        request["seed"] = contestant.seed
    return request


def asked(task: Task, contestant: Contestant, row: Row, labels: Sequence[str] = (), *, again: bool = False) -> str:
    """The question as it is put. What the row says is put in last, so that braces in it mean nothing."""
    lettered = "\n".join(f"{letter}. {choice}" for letter, choice in zip(ascii_uppercase, row.choices, strict=False))
    text = (
        (contestant.template or (task.again if again else task.template))
        .replace("{labels}", ", ".join(labels))
        .replace("{choices}", lettered)
    )
    return row.input.join(text.split("{input}"))


def answered(row: Row, task: Task) -> str:
    """The right answer as an example gives it."""
    if task.name == "multiple_choice" and row.reference in row.choices:
        return ascii_uppercase[row.choices.index(row.reference)]
    return row.reference or ""
