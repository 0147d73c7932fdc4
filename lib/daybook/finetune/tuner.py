"""Gate the data, say what it will take, train, compare with the base, register.

    plan = prepare(home, "tickets.csv", Recipe(method="head"))     gates and estimate; nothing starts
    job = tuner.start(plan, name="triage", actor="ada")            a folder that says what is to do
    done = tuner.run(job.id)                                       trained, compared, registered

A job that was killed is run again by its id: it goes on from its last checkpoint, and what is registered is registered
once. Rows that validate and compare are held out by the hash of their ids and never trained on.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from daybook.clock import Clock, SystemClock, new_id
from daybook.datasets import DataSet
from daybook.errors import BadData, BadParameter, DaybookError, GateNotMet
from daybook.finetune import files, methods
from daybook.hf import embeddings
from daybook.inference import feedback
from daybook.ports import Books
from daybook.providers.llamacpp.weights import CONTEXT, MODEL
from daybook.records import Event, ModelVersion
from daybook.registry.registry import CHAMPION, Registry, check_name
from daybook.training import estimate, model_card, resources
from daybook.training.data import examples, gates, tokens
from daybook.training.data.examples import Material, Template
from daybook.training.jobs import OVER, Job, Jobs
from daybook.training.progress import Tell, TrainingProgress
from daybook.training.recipe import Recipe

DATA = "data.jsonl"
LEAST_HELD = 5


@dataclass(frozen=True)
class Plan:
    """What would be trained on what. Nothing has started."""

    material: Material
    recipe: Recipe
    checked: gates.DataChecks
    estimate: estimate.TrainingEstimate
    licence: str | None
    subjects: tuple[str, ...]
    left_out: Mapping[str, int]

    @property
    def split(self) -> tuple[DataSet, DataSet]:
        """Trained on, and held out."""
        return self.material.data.split(1 - self.recipe.held_out, seed=f"finetune-{self.recipe.seed}")

    def to_dict(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "met": self.checked.met,
            "source": self.checked.source,
            "digest": self.checked.digest,
            "rows": self.checked.rows,
            "gates": [gate.to_dict() for gate in self.checked.gates],
            "tokens": asdict(self.checked.tokens),
            "estimate": self.estimate.to_dict(),
            "recipe": self.recipe.to_dict(),
            "left_out": dict(self.left_out),
        }


def prepare(
    home: Path,
    source: str | Path,
    recipe: Recipe,
    *,
    against: Sequence[str | Path] = (),
    licence: str | None = None,
    template: Template | None = None,
    columns: Mapping[str, str] | None = None,
    policies: Mapping[str, str] | None = None,
    limit: int | None = None,
    context: int | None = None,
    book: Books | None = None,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Read, gate and reckon. `source`: as for data sets, a chat file, or `feedback:days=30` for the book's liked calls.
    `context`: tokens that whoever trains reads of an example; the method's own otherwise.

    Raises BadData and BadParameter; a gate that is not met raises nothing here: see `plan.checked.require()`."""
    subjects: tuple[str, ...] = ()
    left_out: Mapping[str, int] = {}
    if str(source).startswith("feedback:"):
        if book is None:
            raise BadParameter(f"{source} needs a book.", remedy="Give one.")
        days = str(source).partition("days=")[2] or "30"
        if not days.isdecimal():
            raise BadParameter(f"{source}: {days[:20]!r} are no days.", remedy="Write feedback:days=30.")
        chats = feedback.liked(book, days=int(days))
        material = Material(chats.data, (), template or Template(), len(chats.data))
        subjects, left_out = chats.subjects, chats.left_out
    else:
        material = examples.read(source, template=template, columns=columns, limit=limit, book=book)
        subjects = tuple(sorted({str(s) for row in material.data.rows if (s := row.extra.get("subject"))}))
    others = [examples.read(name, book=book).data for name in against]
    count = tokens.counter(_tokenizer(home, recipe)) if recipe.method == "lora" else None
    checked = gates.check(
        material,
        against=others,
        licence=licence,
        context=context or _context(home, recipe),
        count=count,
        classifier=recipe.method != "lora",
        given=policies,
        progress=progress,
    )
    held = len(material.data.split(1 - recipe.held_out, seed=f"finetune-{recipe.seed}")[1]) if checked.rows > 1 else 0
    reckoned = estimate.estimate(checked, recipe, held_out=held, rates=home / "finetune" / estimate.RATES)
    return Plan(material, recipe, checked, reckoned, licence, subjects, left_out)


def _context(home: Path, recipe: Recipe) -> int:
    """Tokens of an example that are read; what is more is cut."""
    if recipe.method != "lora":
        return embeddings.LENGTH
    if recipe.base == MODEL:
        return min(CONTEXT, recipe.max_length)
    config = methods.base_folder(home, recipe) / "config.json"
    try:
        own = orjson.loads(config.read_bytes()).get("max_position_embeddings")
    except (OSError, ValueError) as error:
        raise BadParameter(f"{config} cannot be read: {error}.", remedy="Name a folder of weights.") from error
    return min(own, recipe.max_length) if isinstance(own, int) else recipe.max_length


def _tokenizer(home: Path, recipe: Recipe) -> Path:
    return tokens.folder(home) if recipe.base == MODEL else methods.base_folder(home, recipe)


@dataclass(frozen=True)
class Done:
    """A training that is over."""

    job: Job
    model: ModelVersion | None

    @property
    def metrics(self) -> Mapping[str, Any]:
        return dict(self.job.result.get("metrics") or {})


class Tuner:
    """Trainings of one home, registered in one book."""

    def __init__(self, home: Path, book: Books, clock: Clock | None = None) -> None:
        self.home = home
        self.clock = clock or SystemClock()
        self.jobs = Jobs(home, self.clock)
        self.registry = Registry(book, self.clock)
        self._book = book

    def start(self, plan: Plan, *, name: str, actor: str, run_id: str | None = None, promote: bool = False) -> Job:
        """Write down what is to be trained. Raises GateNotMet where a gate blocks, BadData where too little is left.

        `promote`: make the result the champion where it is better than its base beyond doubt."""
        check_name(name)
        plan.checked.require()
        train, held = plan.split
        if len(train) < 2 or len(held) < LEAST_HELD:
            raise BadData(
                f"{plan.checked.rows} rows leave {len(train)} to train on and {len(held)} held out; at least 2 and "
                f"{LEAST_HELD} are needed.",
                remedy="Give more rows, or a larger held_out.",
            )
        spec = {
            "recipe": plan.recipe.to_dict(),
            "template": plan.material.template.to_dict(),
            "source": plan.checked.source,
            "digest": plan.checked.digest,
            "licence": plan.licence,
            "subjects": list(plan.subjects),
            "gates": [gate.to_dict() for gate in plan.checked.gates],
            "estimate": plan.estimate.to_dict(),
            "rows": {"train": len(train), "held_out": len(held)},
            "actor": actor,
            "run_id": run_id,
            "promote": promote,
        }
        with resources.explained(
            lambda: f"writing down the {plan.checked.rows:,} rows of a training",
            self.home,
            memory="Give fewer rows.",
            room="Free some room, or set DAYBOOK_HOME to another disk.",
        ):
            job = self.jobs.create(name, spec, lambda to: files.write(to / DATA, plan.material.data))
        self._did("finetune.prepared", job, actor)
        return job

    def require_consent(self, job: Job) -> None:
        """Raises GateNotMet where somebody whose data it is to train on has withdrawn consent since."""
        barred = self._book.excluded("training") & set(job.spec.get("subjects") or ())
        if barred:
            raise GateNotMet(
                f"{len(barred)} of the persons whose data {job.id} would train on withdrew consent or restricted its "
                "use.",
                remedy="Prepare it again: their rows are then left out.",
            )

    def run(self, id_: str, *, tell: Tell | None = None) -> Done:
        """Train, compare, register; or go on where it was killed. One that is completed is not done again.

        Raises DaybookError for whatever goes wrong, a shortage of memory or disk with its numbers; the job then says
        `failed`, with its checkpoints kept, and can be run again."""
        with self.jobs.alone(id_):
            job = self.jobs.read(id_)
            if job.state == "completed":
                self._sweep(job)
                return Done(job, self._registered(job))
            if job.hosted:
                raise BadParameter(
                    f"The training {id_} runs at an upstream.", remedy=f"Go on: daybook finetune hosted go {id_}."
                )
            self.require_consent(job)
            recipe = Recipe.of(dict(job.spec["recipe"]))
            again = f"daybook finetune resume {id_}"
            try:
                with resources.explained(
                    lambda: f"training {id_}, {_far(self.jobs.read(id_))}, with batches of {recipe.batch}",
                    self.home,
                    memory=f"Close what else holds memory and go on from the last checkpoint ({again}), or start anew "
                    f"with smaller batches: --set batch={max(1, recipe.batch // 2)} --set accumulate="
                    f"{recipe.accumulate * 2}.",
                    room=f"Free some room and go on from the last checkpoint: {again}.",
                ):
                    resources.require(self.home, int(job.spec["estimate"]["room"]), f"The training {id_}")
                    job = self.jobs.begin(job)
                    self._did("finetune.started", job, str(job.spec["actor"]))
                    return self._run(job, tell or (lambda _: None))
            except Exception as error:
                self._failed(id_, error)
                if isinstance(error, DaybookError):
                    raise
                raise DaybookError(
                    f"The training {id_} failed: {type(error).__name__}: {' '.join(str(error).split())[:500]}.",
                    remedy=f"What was kept is kept: {again}.",
                ) from error
            except BaseException:  # a Ctrl-C: the process may live on, and the training does not
                if (job := self.jobs.read(id_)).state == "running":
                    self.jobs.write(replace(job, state="interrupted", process=None))
                raise

    def _failed(self, id_: str, error: Exception) -> None:
        """Note it, where that can be noted: a disk that is full may have no room for this either, and a job whose
        process is gone says so by itself."""
        with contextlib.suppress(OSError, DaybookError):
            job = self.jobs.end(self.jobs.read(id_), "failed", error=f"{type(error).__name__}: {error}"[:2000])
            self._did("finetune.failed", job, str(job.spec["actor"]))

    def _run(self, job: Job, tell: Tell) -> Done:
        recipe = Recipe.of(dict(job.spec["recipe"]))
        folder = self.jobs.place(job.id)
        template = Template(**dict(job.spec["template"]))
        data = files.read(folder / DATA, job)
        material = Material(data, (), template, len(data))

        def keep(progress: TrainingProgress) -> None:
            nonlocal job
            job = self.jobs.write(_with(job, progress))
            tell(progress)

        work = methods.TrainingTask(
            home=self.home,
            place=folder,
            recipe=recipe,
            material=material,
            tell=keep,
            stop=lambda: self.jobs.cancelled(job.id),
        )
        made = methods.run(work)
        estimate.remember(self.jobs.folder / estimate.RATES, recipe, made.trained.device, made.trained.rate)
        result = {"training": asdict(made.trained), "metrics": made.metrics}
        if made.trained.ended == "cancelled":
            self._did("finetune.cancelled", job, str(job.spec["actor"]))
            return Done(self.jobs.end(job, "cancelled", result=result), None)
        version = self._register(job, recipe, made)
        self._did("finetune.completed", job, str(job.spec["actor"]))
        done = self.jobs.end(job, "completed", result=result | {"model": version.id, "digest": made.digest})
        self._sweep(done)
        return Done(done, version)

    def _sweep(self, job: Job) -> None:
        """What a training that is over needs no more, the rows above all."""
        for leftover in ("checkpoints", ".best", DATA, "adapter", "encoder", "head"):
            gone = self.jobs.place(job.id) / leftover
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)

    def _register(self, job: Job, recipe: Recipe, result: methods.TrainingResult) -> ModelVersion:
        """The weights under their digest, then the version, then the alias. Killed in between, the next run finds what
        there is and does the rest."""
        version = self._registered(job) or self._entered(job, recipe, result)
        self.registry.publish()
        moved = any(move.version == version.version for move in self.registry.history(job.name, CHAMPION))
        if job.spec["promote"] and result.verdict == "better" and not moved:
            reason = f"better than its base: {result.message}"
            self.registry.alias(job.name, CHAMPION, version.version, actor=str(job.spec["actor"]), reason=reason)
        return version

    def _entered(self, job: Job, recipe: Recipe, result: methods.TrainingResult) -> ModelVersion:
        spec = job.spec
        folder = Path("models") / "registered" / job.name / result.digest.removeprefix("sha256:")[:16]
        written = model_card.write(
            name=job.name,
            method=recipe.method,
            base=recipe.base,
            base_digest=result.base_digest,
            digest=result.digest,
            data={**spec["rows"], "source": spec["source"], "digest": spec["digest"], "licence": spec["licence"]},
            recipe=recipe.to_dict(),
            metrics=result.metrics,
            gates=spec["gates"],
            subjects=len(spec["subjects"]),
            when=f"{self.clock.now():%Y-%m-%d %H:%M} UTC",
        )
        files.publish(result.folder, self.home / folder, written)
        return self.registry.register(
            job.name,
            method=recipe.method,
            provider="local" if recipe.method == "lora" else "head",
            actor=str(spec["actor"]),
            base=recipe.base,
            base_digest=result.base_digest,
            weights_digest=result.digest,
            place=str(folder),
            template=dict(spec["template"]),
            parameters=recipe.to_dict(),
            metrics=result.metrics,
            data_source=spec["source"],
            data_digest=spec["digest"],
            tags={"job": job.id},
            subjects=tuple(spec["subjects"]),
            run_id=spec["run_id"],
        )

    def _registered(self, job: Job) -> ModelVersion | None:
        return next((v for v in self.registry.versions(job.name) if v.tags.get("job") == job.id), None)

    def _did(self, action: str, job: Job, actor: str) -> None:
        details = {"name": job.name, "method": job.spec["recipe"]["method"], "data": job.spec["digest"]}
        self._book.append(
            Event(id=new_id(), at=self.clock.now(), actor=actor, action=action, object=job.id, details=details)
        )

    def cancel(self, id_: str, *, actor: str) -> Job:
        """Ask it to stop. Raises BadParameter for one that is over or not there."""
        job = self.jobs.cancel(id_)
        self._did("finetune.cancel", job, actor)
        if job.state in OVER:
            (self.jobs.place(id_) / DATA).unlink(missing_ok=True)
        return job


def _with(job: Job, progress: TrainingProgress) -> Job:
    return replace(job, progress=progress.to_dict())


def _far(job: Job) -> str:
    """How far it is, in words."""
    step, steps = job.progress.get("step"), job.progress.get("steps")
    return "before its first step" if step is None else f"step {step} of {steps}"
