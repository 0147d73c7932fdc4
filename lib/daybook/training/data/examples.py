"""Training data as rows: chats in OpenAI's JSONL, or any data set whose rows become chats by a template.

    {"messages": [{"role": "user", "content": "…"}, {"role": "assistant", "content": "…"}]}

A chat file is read line by line: what is wrong with a line is a fault with the line's number and the OpenAI cookbook's
name for it, and the sound lines are kept, so that a gate can count and show. Each row carries its chat in
`extra["messages"]`; its input is what was asked last, its reference the last answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daybook.datasets import DataSet, Row, load
from daybook.datasets.files import parse
from daybook.datasets.rows import to_bytes
from daybook.errors import BadData
from daybook.ports import PersonalRows

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
KEYS = frozenset(("role", "content", "name", "function_call", "tool_calls", "tool_call_id", "refusal", "weight"))

Message = Mapping[str, Any]


class Chat(list[Message]):
    """Messages in order, and the tools that the assistant could call in them."""

    def __init__(self, messages: Iterable[Message], tools: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(messages)
        self.tools = tuple(tools)


Chats = Sequence[Sequence[Message]]


def tools_of(chat: Sequence[Message]) -> list[Any] | None:
    """The tools of a chat as a chat template takes them; None where there are none."""
    return list(chat.tools) or None if isinstance(chat, Chat) else None


def templated(chat: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages as a chat template takes them: a content that is missing is an empty text; tool calls stay."""
    return [
        {k: v for k, v in message.items() if k != "weight"} | {"content": message.get("content") or ""}
        for message in chat
    ]


@dataclass(frozen=True, slots=True)
class BadLine:
    """One thing wrong with one line. `error`: the cookbook's name of it, or not_json, encoding, duplicate_id."""

    row: int
    error: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """How a row becomes a chat: what is said to the model before and after the input."""

    system: str | None = None
    before: str = ""
    after: str = ""

    def ask(self, text: str) -> list[dict[str, str]]:
        """The messages up to where the model answers."""
        asked = [{"role": "user", "content": f"{self.before}{text}{self.after}"}]
        return asked if self.system is None else [{"role": "system", "content": self.system}, *asked]

    def to_dict(self) -> dict[str, str]:
        return {k: v for k, v in (("system", self.system), ("before", self.before), ("after", self.after)) if v}


@dataclass(frozen=True)
class Material:
    """Data to train on. `faults`: lines that are not in `data`, and why."""

    data: DataSet
    faults: tuple[BadLine, ...] = ()
    template: Template = field(default_factory=Template)
    lines: int = 0
    """Rows that were read, the faulty ones included."""

    def messages(self, row: Row) -> Chat:
        """The row as a chat that ends with the answer to learn."""
        if (chat := row.extra.get("messages")) is not None:
            return Chat(chat, row.extra.get("tools") or ())
        return Chat([*self.template.ask(row.input), {"role": "assistant", "content": row.reference or ""}])

    def part(self, data: DataSet) -> Material:
        return Material(data, (), self.template, len(data))


def read(
    source: str | Path,
    *,
    template: Template | None = None,
    columns: Mapping[str, str] | None = None,
    limit: int | None = None,
    book: PersonalRows | None = None,
) -> Material:
    """The rows of a source. Raises BadData for one that cannot be read at all, or has no row."""
    template = template or Template()
    path = Path(str(source))
    if path.suffix == ".jsonl" and path.is_file() and not columns and _is_chat(path):
        return _chats(path, template, limit)
    data = load(source, columns=columns, limit=limit, book=book)
    without = [BadLine(n, "example_missing_assistant_message", "no reference") for n, row in enumerate(data.rows, 1)
               if row.reference is None]  # fmt: skip
    kept = data if not without else DataSet(data.name, data.source, tuple(r for r in data.rows if r.reference))
    return Material(kept, tuple(without), template, len(data))


def _is_chat(path: Path) -> bool:
    """Whether any of the first lines has messages, or none of them can be read."""
    with path.open("rb") as file:
        head = [line for _, line in zip(range(50), file, strict=False) if line.strip()]
    parsed = [_parsed(line) for line in head]
    known = [record for record in parsed if isinstance(record, dict)]
    return any("messages" in record for record in known) or not known


def _parsed(line: bytes) -> Any:
    try:
        return parse(line.decode("utf-8-sig"))
    except ValueError:
        return None


def _chats(path: Path, template: Template, limit: int | None) -> Material:
    faults: list[BadLine] = []
    rows: list[Row] = []
    seen: dict[str, int] = {}
    ids: dict[str, int] = {}
    lines = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            if limit is not None and lines >= limit:
                break
            lines += 1
            wrong, record = _line(line)
            if wrong:
                faults += [BadLine(number, error, detail) for error, detail in wrong]
                continue
            identity = hashlib.sha256(to_bytes(record["messages"])).hexdigest()[:16]
            seen[identity] = seen.get(identity, 0) + 1
            chat = record["messages"]
            given = record.get("id")
            if given is not None and (there := ids.setdefault(str(given), number)) != number:
                faults.append(BadLine(number, "duplicate_id", f"that of row {there} too"))
                continue
            rows.append(
                Row(
                    id=str(given) if given is not None else identity + ("" if seen[identity] == 1 else f"-{number}"),
                    input=next((str(m["content"]) for m in reversed(chat[:-1]) if m.get("role") == "user"), ""),
                    reference=chat[-1].get("content") or None,  # only a tool call: no text to learn
                    group=str(record["group"]) if record.get("group") is not None else None,
                    extra={"messages": chat, "line": number}
                    | {k: v for k, v in record.items() if k not in {"messages", "id", "group"}},
                )
            )
    if not lines:
        raise BadData(f"{path} has no row.", remedy="Give it one chat a line, as JSON.")
    return Material(DataSet(path.stem, str(path), tuple(rows)), tuple(faults), template, lines)


def _line(line: bytes) -> tuple[list[tuple[str, str]], dict[str, Any]]:
    """What is wrong with a line, and its record where nothing is."""
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [("encoding", f"byte {error.start + 1} is not UTF-8")], {}
    try:
        record = parse(text)
    except (ValueError, RecursionError) as error:
        return [("not_json", str(error)[:80])], {}
    if not isinstance(record, dict):
        return [("data_type", f"a {type(record).__name__}, not an object")], {}
    tools = record.get("tools")
    if tools is not None and not (isinstance(tools, list) and all(isinstance(tool, dict) for tool in tools)):
        return [("data_type", "tools is no list of objects")], {}
    messages = record.get("messages")
    if not isinstance(messages, list) or not messages:
        return [("missing_messages_list", "")], {}
    wrong = list(dict.fromkeys(fault for message in messages for fault in _message(message)))
    if not any(isinstance(m, dict) and m.get("role") == "assistant" for m in messages):
        wrong.append(("example_missing_assistant_message", ""))
    return wrong, record


def _message(message: Any) -> Sequence[tuple[str, str]]:
    if not isinstance(message, dict):
        return [("message_missing_key", "a message is not an object")]
    faults = []
    called = message.get("function_call") or message.get("tool_calls")
    if "role" not in message or ("content" not in message and not called):
        faults.append(("message_missing_key", "role" if "role" not in message else "content"))
    if unknown := sorted(set(message) - KEYS):
        faults.append(("message_unrecognized_key", str(unknown[0])[:40]))
    if message.get("role") not in ROLES:
        faults.append(("unrecognized_role", str(message.get("role"))[:40]))
    if "weight" in message and (isinstance(message["weight"], bool) or message["weight"] not in (0, 1)):
        faults.append(("data_type", f"a weight of {message['weight']!r}, not 0 or 1"[:80]))
    content = message.get("content")
    if (not content and not called) or (content is not None and not isinstance(content, str)):
        faults.append(("missing_content", "empty" if not content else f"a {type(content).__name__}, not text"))
    return faults
