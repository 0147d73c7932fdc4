"""Gate the data, say what it will take, train, compare with the base, register.

    plan = prepare(home, "tickets.csv", Recipe(method="head"))     gates and estimate; nothing starts
    job = tuner.start(plan, name="triage", actor="ada")            a folder that says what is to do
    done = tuner.run(job.id)                                       trained, compared, registered

A job that was killed is run again by its id: it goes on from its last checkpoint, and what is registered is registered
once. Rows that validate and compare are held out by the hash of their ids and never trained on.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from daybook.clock import Clock, SystemClock, new_id
from daybook.datasets import DataSet, Row
from daybook.errors import BadData, BadParameter, DaybookError
from daybook.providers import weights as embedded
from daybook.records import Event, ModelVersion
from daybook.services import feedback, finetune_methods
from daybook.services.registry import CHAMPION, Books, Registry, check_name
from daybook.tuning import card, estimate, examples, gates, tokens
from daybook.tuning.examples import Material, Template
from daybook.tuning.jobs import OVER, Job, Jobs
from daybook.tuning.progress import Progress, Tell
from daybook.tuning.recipe import Recipe

DATA = "data.jsonl"
LEAST_HELD = 5


@dataclass(frozen=True)
class Plan:
    """What would be trained on what. Nothing has started."""

    material: Material
    recipe: Recipe
    checked: gates.Checked
    estimate: estimate.Estimate
    licence: str | None
    subjects: tuple[str, ...]
    left_out: Mapping[str, int]

    @property
    def split(self) -> tuple[DataSet, DataSet]:
        """Trained on, and held out."""
        return self.material.data.split(1 - self.recipe.held_out, seed=f"finetune-{self.recipe.seed}")

    def told(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            "met": self.checked.met,
            "source": self.checked.source,
            "digest": self.checked.digest,
            "rows": self.checked.rows,
            "gates": [asdict(gate) | {"blocks": gate.blocks} for gate in self.checked.gates],
            "tokens": asdict(self.checked.tokens),
            "estimate": self.estimate.as_dict(),
            "recipe": self.recipe.as_dict(),
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
    book: Books | None = None,
    progress: Callable[[str], None] | None = None,
) -> Plan:
    """Read, gate and reckon. `source`: as for data sets, a chat file, or `feedback:days=30` for the book's liked calls.

    Raises BadData and BadParameter; a gate that is not met raises nothing here: see `plan.checked.need()`."""
    subjects: tuple[str, ...] = ()
    left_out: Mapping[str, int] = {}
    if str(source).startswith("feedback:"):
        if book is None:
            raise BadParameter(f"{source} needs a book.", remedy="Give one.")
        days = str(source).partition("days=")[2] or "30"
        if not days.isdecimal():
            raise BadParameter(f"{source}: {days[:20]!r} are no days.", remedy="Write feedback:days=30.")
        found = feedback.liked(book, days=int(days))
        material = Material(found.data, (), template or Template(), len(found.data))
        subjects, left_out = found.subjects, found.left_out
    else:
        material = examples.read(source, template=template, columns=columns, limit=limit, book=book)
        subjects = tuple(sorted({str(s) for row in material.data.rows if (s := row.extra.get("subject"))}))
    others = [examples.read(one, book=book).data for one in against]
    count = tokens.counter(_tokenizer(home, recipe)) if recipe.method == "lora" else None
    checked = gates.check(
        material,
        against=others,
        licence=licence,
        context=embedded.CONTEXT if recipe.method == "lora" else 512,
        count=count,
        given=policies,
        progress=progress,
    )
    held = len(material.data.split(1 - recipe.held_out, seed=f"finetune-{recipe.seed}")[1]) if checked.rows > 1 else 0
    reckoned = estimate.estimate(checked, recipe, held_out=held, rates=home / "finetune" / estimate.RATES)
    return Plan(material, recipe, checked, reckoned, licence, subjects, left_out)


def _tokenizer(home: Path, recipe: Recipe) -> Path:
    return tokens.folder(home) if recipe.base == embedded.MODEL else finetune_methods.base_folder(home, recipe)


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
        plan.checked.need()
        train, held = plan.split
        if len(train) < 2 or len(held) < LEAST_HELD:
            raise BadData(
                f"{plan.checked.rows} rows leave {len(train)} to train on and {len(held)} held out; at least 2 and "
                f"{LEAST_HELD} are needed.",
                remedy="Give more rows, or a larger held_out.",
            )
        spec = {
            "recipe": plan.recipe.as_dict(),
            "template": plan.material.template.as_dict(),
            "source": plan.checked.source,
            "digest": plan.checked.digest,
            "licence": plan.licence,
            "subjects": list(plan.subjects),
            "gates": [asdict(gate) for gate in plan.checked.gates],
            "estimate": plan.estimate.as_dict(),
            "rows": {"train": len(train), "held_out": len(held)},
            "actor": actor,
            "run_id": run_id,
            "promote": promote,
        }
        job = self.jobs.create(name, spec)
        _write(self.jobs.place(job.id) / DATA, plan.material.data)
        self._did("finetune.prepared", job, actor)
        return job

    def run(self, id_: str, *, tell: Tell | None = None) -> Done:
        """Train, compare, register; or go on where it was killed. One that is completed is not done again.

        Raises what training raises; the job then says `failed`, with its checkpoints kept, and can be run again."""
        with self.jobs.alone(id_):
            job = self.jobs.read(id_)
            if job.state == "completed":
                return Done(job, self._registered(job))
            job = self.jobs.begin(job)
            self._did("finetune.started", job, str(job.spec["actor"]))
            try:
                return self._run(job, tell or (lambda _: None))
            except (DaybookError, OSError, ValueError, RuntimeError) as error:
                self.jobs.end(job, "failed", error=f"{type(error).__name__}: {error}"[:2000])
                self._did("finetune.failed", job, str(job.spec["actor"]))
                raise

    def _run(self, job: Job, tell: Tell) -> Done:
        recipe = Recipe.of(dict(job.spec["recipe"]))
        place = self.jobs.place(job.id)
        template = Template(**dict(job.spec["template"]))
        data = _read(place / DATA, job)
        material = Material(data, (), template, len(data))

        def keep(progress: Progress) -> None:
            nonlocal job
            job = self.jobs.write(_with(job, progress))
            tell(progress)

        work = finetune_methods.Work(
            home=self.home,
            place=place,
            recipe=recipe,
            material=material,
            tell=keep,
            stop=lambda: self.jobs.cancelled(job.id),
        )
        made = finetune_methods.run(work)
        estimate.remember(self.jobs.folder / estimate.RATES, recipe, made.trained.device, made.trained.rate)
        result = {"training": asdict(made.trained), "metrics": made.metrics}
        if made.trained.ended == "cancelled":
            self._did("finetune.cancelled", job, str(job.spec["actor"]))
            return Done(self.jobs.end(job, "cancelled", result=result), None)
        version = self._register(job, recipe, made)
        done = self.jobs.end(job, "completed", result=result | {"model": version.id, "digest": made.digest})
        for leftover in ("checkpoints", ".best", DATA, "adapter", "encoder", "head"):
            gone = place / leftover
            shutil.rmtree(gone) if gone.is_dir() else gone.unlink(missing_ok=True)
        self._did("finetune.completed", done, str(job.spec["actor"]))
        return Done(done, version)

    def _register(self, job: Job, recipe: Recipe, made: finetune_methods.Made) -> ModelVersion:
        """The weights under their digest, then the version. Killed in between, the next run finds both."""
        if (known := self._registered(job)) is not None:
            return known
        spec = job.spec
        folder = Path("models") / "registered" / job.name / made.digest.removeprefix("sha256:")[:16]
        written = card.write(
            name=job.name,
            method=recipe.method,
            base=recipe.base,
            base_digest=made.base_digest,
            digest=made.digest,
            data={**spec["rows"], "source": spec["source"], "digest": spec["digest"], "licence": spec["licence"]},
            recipe=recipe.as_dict(),
            metrics=made.metrics,
            gates=spec["gates"],
            subjects=len(spec["subjects"]),
            when=f"{self.clock.now():%Y-%m-%d %H:%M} UTC",
        )
        _publish(made.folder, self.home / folder, written)
        version = self.registry.register(
            job.name,
            method=recipe.method,
            provider="local" if recipe.method == "lora" else "head",
            actor=str(spec["actor"]),
            base=recipe.base,
            base_digest=made.base_digest,
            weights_digest=made.digest,
            place=str(folder),
            template=dict(spec["template"]),
            parameters=recipe.as_dict(),
            metrics=made.metrics,
            data_source=spec["source"],
            data_digest=spec["digest"],
            tags={"job": job.id},
            subjects=tuple(spec["subjects"]),
            run_id=spec["run_id"],
        )
        if spec["promote"] and made.verdict == "better":
            reason = f"better than its base: {made.told}"
            self.registry.alias(job.name, CHAMPION, version.version, actor=str(spec["actor"]), reason=reason)
        return version

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


def _with(job: Job, progress: Progress) -> Job:
    return replace(job, progress=progress.as_dict())


def _publish(made: Path, to: Path, written: str) -> None:
    """Whole under its name or not at all; one that is there already is the same, because its digest names it."""
    (made / "card.md").write_text(written, encoding="utf-8")
    if to.is_dir():
        return
    to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = to.with_name(f".{to.name}")
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(made, beside)
    beside.rename(to)


def _write(path: Path, data: DataSet) -> None:
    with path.open("wb") as file:
        for row in data.rows:
            told = [row.id, row.input, row.reference, list(row.choices), row.group, dict(row.extra)]
            file.write(orjson.dumps(told, default=str) + b"\n")


def _read(path: Path, job: Job) -> DataSet:
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError as error:
        raise BadData(f"The rows of {job.id} are gone ({path}).", remedy="Prepare it again.") from error
    rows = []
    for line in lines:
        id_, asked, reference, choices, group, extra = orjson.loads(line)
        rows.append(Row(id_, asked, reference, tuple(choices), group, extra))
    data = DataSet(Path(str(job.spec["source"])).name, str(job.spec["source"]), tuple(rows))
    if data.digest != job.spec["digest"]:
        raise BadData(
            f"The rows of {job.id} have the digest {data.digest[:19]}…, not {str(job.spec['digest'])[:19]}….",
            remedy="They were changed since it was prepared: prepare it again.",
        )
    return data
