"""Sentiment, zero-shot classes, summaries and embeddings as calls: checked, run, and in the book like any other.

Summaries are written by a chat model, unless one of `tasks.yml` is named; the others are models of this machine. An
entry says how many tokens were read and which weights read them; the texts are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any, Protocol

from daybook.errors import BadParameter
from daybook.guardrails.caller_turns import CallerTurns
from daybook.inference.call.entry import CallEntry, CallOutcome
from daybook.inference.call.identity import PendingIdentity
from daybook.inference.call.request import ChatRequest, Redaction
from daybook.inference.moderation import CallModeration
from daybook.inference.recorder import Completion, Recorder
from daybook.providers.port import Identity, Reply
from daybook.records import Usage

TASKS = ("sentiment", "classify", "summarize", "embed")
PROVIDER = "hf"
CHAT_MODEL = "smollm2-135m-instruct"
_SUMMARY = 96
"""Tokens of a summary, where its caller does not say."""
MOST_TEXTS = 2048
"""Of one request, as at OpenAI's embeddings."""
LONGEST = 100_000
"""Characters of one text."""
MOST_LABELS = 100


class Engine(Protocol):
    async def run(self, task: str, body: Mapping[str, Any], /) -> dict[str, Any]: ...


class Answering(Protocol):
    @property
    def recorder(self) -> Recorder: ...

    @property
    def turns(self) -> CallerTurns: ...

    @property
    def moderation(self) -> CallModeration | None: ...

    async def chat(self, request: ChatRequest, /) -> Completion[Reply]: ...


class Tasks:
    """`engine`: who runs the models; `answerer`: who asks chat models, and enters every call; `named`: the names in
    tasks.yml."""

    def __init__(self, engine: Engine, answerer: Answering, *, named: Callable[[], Collection[str]] = tuple) -> None:
        self._engine = engine
        self._answerer = answerer
        self._named = named

    async def run(self, task: str, request: ChatRequest) -> dict[str, Any]:
        """`results` in the order of the texts, `model`, `digest`, `usage`, and how many texts were `truncated`: read to
        the model's length and not to their end. `request.body`: `texts` (or one `text`),
        `labels` for classify, `model`. Raises BadParameter for what cannot be meant, and what the models raise."""
        body = checked(task, request.body)
        request = replace(request, body=body)
        if task == "summarize" and body.get("model") not in self._named():
            return await self._summaries(request)
        result = await self._run(task, request)
        return {
            "task": task,
            "model": result["model"],
            "digest": result["digest"],
            "results": _cleaned(task, result["results"], request.redaction),
            "usage": {"input_tokens": result["tokens"]},
            "truncated": result.get("truncated", 0),
        }

    async def _summaries(self, request: ChatRequest) -> dict[str, Any]:
        """One chat call a text, in order; each is an entry of its own."""
        body = request.body
        most = int(body.get("max_tokens") or _SUMMARY)
        results, tokens, model = [], 0, str(body.get("model") or CHAT_MODEL)
        digest = None
        for text in body["texts"]:
            prompt = f"Summarize the following text in at most three sentences.\n\n{text}"
            asked = {
                "model": model,
                "messages": [{"role": "user", "content": prompt}],
                "max_tokens": most,
                "temperature": 0,
                "seed": 1,
            }
            answered = await self._answerer.chat(replace(request, body=asked))
            results.append({"summary": answered.reply.text.strip(), "finish_reason": answered.call.finish_reason})
            tokens += answered.call.input_tokens or 0
            digest = answered.call.weights_digest
        return {
            "task": "summarize",
            "model": model,
            "digest": digest,
            "results": results,
            "usage": {"input_tokens": tokens},
            "truncated": 0,
        }

    async def _run(self, task: str, request: ChatRequest) -> dict[str, Any]:
        recorder = self._answerer.recorder
        recorder.recover(request.request_id)
        if self._answerer.moderation is not None:
            await self._answerer.moderation.judge_request(request)
        entry = CallEntry(request, recorder.clock, content=False, stream=False)
        entry.served_by = PROVIDER
        entry.hash_prompt(request.body["texts"])

        def outcome(result: dict[str, Any]) -> CallOutcome:
            entry.target = model = str(result["model"])
            entry.looking = PendingIdentity(Identity(model=model, digest=result["digest"]), None)
            usage = Usage(input_tokens=result["tokens"], output_tokens=0)
            return CallOutcome(status="ok", http_status=200, usage=usage, served_model=model)

        async def ask() -> dict[str, Any]:
            async with self._answerer.turns.take(request.caller):
                return await self._engine.run(task, request.body)

        return (await recorder.complete(entry, ask(), outcome)).reply


def _cleaned(task: str, results: list[Any], redaction: Redaction | None) -> list[Any]:
    """The results as they may go out: a summary is the only one that says what its text said."""
    if task != "summarize" or redaction is None or not redaction.redacts_answers:
        return results
    return [result | {"summary": redaction.answer_text(result["summary"])} for result in results]


def as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """What summaries may use at most, as one chat call with an answer for each text. The body need not be checked."""
    texts = body.get("texts")
    return {
        **body,
        "model": body.get("model") or CHAT_MODEL,
        "messages": [],
        "max_tokens": body.get("max_tokens") or _SUMMARY,
        "n": len(texts) if isinstance(texts, list) else 1,
    }


def checked(task: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The body with `texts`, and nothing that is not known. Raises BadParameter that names the field."""
    if task not in TASKS:
        raise BadParameter(f"No task is called {task[:40]!r}.", remedy=f"There are {', '.join(TASKS)}.")
    known = {"text", "texts", "model", "labels", "hypothesis", "max_tokens"}
    if strange := sorted(set(body) - known):
        raise BadParameter(f"{strange[0][:40]!r} is no field.", remedy=f"There are {', '.join(sorted(known))}.")
    if ("text" in body) == ("texts" in body):
        raise BadParameter(
            f"`text` and `texts` are {'both' if 'text' in body else 'neither'} there.",
            remedy='Send {"texts": ["…"]}, or {"text": "…"} for one.',
        )
    texts = body["texts"] if "texts" in body else [body["text"]]
    if not isinstance(texts, list):
        raise BadParameter(f"`texts` is {_kind(texts)}, not a list.", remedy='Send {"texts": ["…"]}.')
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise BadParameter(f"`texts` has {len(texts):,} texts.", remedy=f"Send 1 to {MOST_TEXTS:,} at a time.")
    for n, text in enumerate(texts):
        if fault := _fault(text):
            which = "`text`" if "text" in body else f"Text {n + 1} of {len(texts):,}"
            raise BadParameter(f"{which} {fault}.", remedy=f"Send text of 1 to {LONGEST:,} characters.")
    kept: dict[str, Any] = {"texts": texts}
    for name, kind in (("model", str), ("hypothesis", str), ("max_tokens", int)):
        if (value := body.get(name)) is not None:
            if not isinstance(value, kind) or isinstance(value, bool):
                raise BadParameter(f"`{name}` has the wrong type.", remedy=f"It is {kind.__name__}.")
            kept[name] = value
    if not 1 <= kept.get("max_tokens", 1) <= 2048:
        raise BadParameter(f"`max_tokens` is {kept['max_tokens']}.", remedy="Say 1 to 2048.")
    if task == "classify":
        labels = body.get("labels")
        fine = isinstance(labels, list) and all(isinstance(x, str) and x.strip() for x in labels)
        if not fine or not 2 <= len(set(labels or ())) <= MOST_LABELS or len(set(labels or ())) != len(labels or ()):
            raise BadParameter(
                "`labels` is not a list of 2 to 100 different texts.", remedy='Send "labels": ["a", "b"].'
            )
        kept["labels"] = labels
        if "{}" not in kept.get("hypothesis", "{}"):
            raise BadParameter("`hypothesis` has no {}, where the label goes.", remedy="Say This text is about {}.")
    return kept


def _fault(text: object) -> str | None:
    """Why this is no text to read; None where it is one."""
    if not isinstance(text, str):
        return f"is {_kind(text)}, not text"
    if not text.strip():
        return "is empty"
    if len(text) > LONGEST:
        return f"has {len(text):,} characters"
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return f"has half a character at {error.start + 1:,}"
    return None


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")
