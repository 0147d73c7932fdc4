"""Fine-tuning at OpenAI, or anybody who speaks its API: a machine of states that can be stopped and taken up anywhere.

    written → uploaded → created → (running …) → succeeded | failed | cancelled

Each step is written down when it is done. One that was done and not written down, because the process died in between,
is found again: an uploaded file by its name, a created job by its metadata. So nothing is uploaded or paid for twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson
import yaml

from daybook import atomic
from daybook.datasets.rows import to_bytes
from daybook.errors import BadParameter, ProviderError, Unauthorised, Unavailable
from daybook.extras import require
from daybook.training.data.examples import Chats, tools_of

OVER = frozenset(("succeeded", "failed", "cancelled"))
PREFIX = "daybook-"
"""Of the names of all files that are uploaded from here: so they can be listed and deleted."""
UNKNOWN_CONTEXT = 16_384
"""Tokens of an example that a model takes of which hosted.yml says nothing: the least of any that can be tuned."""
_STATE = "hosted.json"
_PURPOSE = "fine-tune"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How far it is. `status`: the upstream's word for its job."""

    model: str
    seed: int
    epochs: int | None
    suffix: str | None
    stage: str = "written"
    files: Mapping[str, str] = field(default_factory=dict)
    """train, validation → the id of the uploaded file."""
    job: str | None = None
    status: str | None = None
    result: str | None = None
    """The name of the tuned model."""
    trained_tokens: int | None = None
    error: str | None = None

    @property
    def over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True, slots=True)
class Tariff:
    """What is known of a model that can be tuned. `training`: US dollars a million tokens."""

    training: Decimal | None
    context: int | None
    fewest: int
    source: str
    last_jobs: date
    """After it, nobody can start a new job."""
    retires: date | None = None
    """From it on, neither the model nor what was tuned on it answers; None: not known."""

    def notice(self, today: date) -> str | None:
        """What whoever is about to pay should know; None where there is nothing."""
        parts = []
        if today > self.last_jobs:
            parts.append(f"no new job can be started since {self.last_jobs}")
        elif self.retires is None or today < self.retires:
            parts.append(f"new jobs can be started until {self.last_jobs}, by who has tuned before")
        if self.retires is not None:
            verb = "was shut down" if today >= self.retires else "is shut down, with every model tuned on it,"
            parts.append(f"the model {verb} on {self.retires}")
        return "; ".join(parts) or None


def tariff(model: str) -> Tariff:
    payload = yaml.safe_load((files("daybook.training") / "hosted.yml").read_text(encoding="utf-8"))
    row = payload["models"].get(model)
    if row is None:
        return Tariff(None, None, 10, "not in hosted.yml", payload["last_jobs"])
    source = f"{payload['source']} as of {payload['as_of']}"
    return Tariff(Decimal(row["training"]), row["context"], row["fewest"], source, payload["last_jobs"], row["retires"])


def price(model: str, tokens: int, epochs: int) -> Decimal | None:
    """US dollars; None where the rate is not known."""
    known = tariff(model).training
    return None if known is None else (known * tokens * epochs / 1_000_000).quantize(Decimal("0.0001"))


def default_epochs(examples: int) -> int:
    """As the OpenAI cookbook reckons them: 3, more for few examples and fewer for many."""
    epochs = 3
    if examples * epochs < 100:
        epochs = min(25, 100 // max(1, examples))
    elif examples * epochs > 25_000:
        epochs = max(1, 25_000 // examples)
    return epochs


class Hosted:
    """One hosted training, with its files and state in `folder`. `id_` names it at the upstream too."""

    def __init__(self, folder: Path, id_: str, client: Any) -> None:
        self.folder = folder
        self.id = id_
        self._client = client

    # ── the machine ───────────────────────────────────────────────────────────────────────────────────

    def write(self, train: Chats, held: Chats, state: State) -> State:
        """Write the files that would be uploaded; nothing is sent."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, chats in (("train", train), ("validation", held)):
            with (self.folder / f"{name}.jsonl").open("wb") as file:
                for chat in chats:
                    body = {"messages": [dict(message) for message in chat]}
                    if tools := tools_of(chat):
                        body["tools"] = tools
                    file.write(to_bytes(body, sort=False) + b"\n")
        return self._keep(state)

    @property
    def state(self) -> State:
        """Raises BadParameter where nothing was written yet."""
        try:
            return State(**orjson.loads((self.folder / _STATE).read_bytes()))
        except (OSError, ValueError, TypeError) as error:
            raise BadParameter(f"{self.id} has no hosted training.", remedy="Prepare one first.") from error

    def request(self) -> dict[str, Any]:
        """The body that would create the job: what a dry run shows."""
        state = self.state
        hyper = {} if state.epochs is None else {"hyperparameters": {"n_epochs": state.epochs}}
        body = {
            "model": state.model,
            "training_file": state.files.get("train", "(uploaded first)"),
            "validation_file": state.files.get("validation", "(uploaded first)"),
            "seed": state.seed,
            "method": {"type": "supervised", "supervised": hyper},
            "metadata": {"daybook": self.id},
        }
        return body | ({"suffix": state.suffix} if state.suffix else {})

    def advance(self) -> State:
        """Do the next step, whichever it is; at the end, nothing. Raises ProviderError."""
        state = self.state
        if state.stage == "written":
            return self._keep(replace(state, stage="uploaded", files=self._uploaded(dict(state.files))))
        if state.stage == "uploaded":
            job = _translated(self._created)
            return self._keep(replace(state, stage="created", job=job.id, status=job.status))
        if not state.over:
            return self._keep(self._looked(state))
        return state

    def cancel(self) -> State:
        """Cancel it at the upstream, where there is a job; here, otherwise."""
        state = self.state
        if state.over:
            raise BadParameter(f"The training {self.id} is {state.status}.", remedy="There is nothing to cancel.")
        if state.job is None:
            return self._keep(replace(state, stage="created", status="cancelled"))
        _translated(lambda: self._client.fine_tuning.jobs.cancel(state.job))
        return self._keep(self._looked(state))

    def events(self) -> list[dict[str, Any]]:
        """Everything that the upstream said about the job, oldest first, over all pages."""
        job = self.state.job
        if job is None:
            return []
        events = _translated(lambda: list(self._client.fine_tuning.jobs.list_events(job, limit=50)))
        return sorted((event.to_dict() for event in events), key=lambda event: (event["created_at"], event["id"]))

    def checkpoints(self) -> list[dict[str, Any]]:
        """The models on the way, by step, over all pages."""
        job = self.state.job
        if job is None:
            return []
        checkpoints = _translated(lambda: list(self._client.fine_tuning.jobs.checkpoints.list(job, limit=50)))
        return sorted((row.to_dict() for row in checkpoints), key=lambda row: row["step_number"])

    def forget(self) -> list[str]:
        """Delete the uploaded files at the upstream and the written ones here; the ids of what was deleted."""
        gone = [file["id"] for file in uploaded(self._client) if file["filename"].startswith(f"{PREFIX}{self.id}-")]
        for id_ in gone:
            delete(self._client, id_)
        for name in ("train", "validation"):
            (self.folder / f"{name}.jsonl").unlink(missing_ok=True)
        return gone

    # ── steps ─────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, state: State) -> State:
        atomic.replace(self.folder / _STATE, orjson.dumps(asdict(state), option=orjson.OPT_INDENT_2))
        return state

    def _uploaded(self, known: dict[str, str]) -> dict[str, str]:
        there = {file["filename"]: file["id"] for file in uploaded(self._client)}
        for name in ("train", "validation"):
            path = self.folder / f"{name}.jsonl"
            filename = f"{PREFIX}{self.id}-{name}.jsonl"
            if name in known or not path.stat().st_size:
                continue
            if filename in there:
                known[name] = there[filename]
                continue
            content = (filename, path.read_bytes(), "application/jsonl")
            known[name] = _translated(
                lambda content=content: self._client.files.create(file=content, purpose=_PURPOSE)  # type: ignore[misc] # bound now
            ).id
        return known

    def _created(self) -> Any:
        for job in self._client.fine_tuning.jobs.list(limit=50, metadata={"daybook": self.id}):
            if (job.metadata or {}).get("daybook") == self.id:
                return job
        body = self.request()
        if "validation" not in self.state.files:
            body.pop("validation_file")
        return self._client.fine_tuning.jobs.create(**body)

    def _looked(self, state: State) -> State:
        job = _translated(lambda: self._client.fine_tuning.jobs.retrieve(state.job))
        message = job.error.message if job.error is not None and job.error.message else None
        return replace(
            state, status=job.status, result=job.fine_tuned_model, trained_tokens=job.trained_tokens, error=message
        )


def client(*, key: str, base_url: str | None = None) -> Any:
    """A client of the official library."""
    return require("openai").OpenAI(api_key=key, base_url=base_url, max_retries=2, timeout=60)


def uploaded(client: Any) -> list[dict[str, Any]]:
    """Every file that was uploaded from here, over all pages."""
    files = _translated(lambda: [file.to_dict() for file in client.files.list(purpose=_PURPOSE, limit=1000)])
    return [file for file in files if str(file["filename"]).startswith(PREFIX)]


def delete(client: Any, id_: str) -> None:
    """Delete an uploaded file. One that is not there is no success: raises ProviderError."""
    deletion = _translated(lambda: client.files.delete(id_))
    if not deletion.deleted:
        raise Unavailable(f"The file {id_} was not deleted.", remedy="Ask again.")


def _translated(call: Callable[[], Any]) -> Any:
    """The call's result, with the library's errors as ours."""
    openai = require("openai")
    try:
        return call()
    except (openai.AuthenticationError, openai.PermissionDeniedError) as error:
        raise Unauthorised(
            f"The upstream refused our key ({error.status_code}).", remedy="Mend OPENAI_API_KEY."
        ) from None
    except openai.APIStatusError as error:
        message = error.body.get("message") if isinstance(error.body, dict) else None
        raise ProviderError(
            f"The upstream answered {error.status_code}: {str(message or error.message)[:300]}.",
            remedy="Mend what it names, and go on: what was done is kept.",
            upstream_status=error.status_code,
        ) from error
    except openai.APIConnectionError as error:
        raise Unavailable(f"The upstream does not answer ({type(error).__name__}).", remedy="Go on later.") from error
