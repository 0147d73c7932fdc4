"""Hosted trainings of one home: prepared behind the same gates, sent only when told to, registered when they are done.

hosting = Hosting(tuner, client)
id_ = hosting.prepare(plan, name="triage", model="gpt-4o-mini-2024-07-18", actor="ada")     files and request; not sent
hosting.go(id_)          the next step; again and again, from any process, until it is over
"""

from __future__ import annotations

from dataclasses import asdict, replace
from decimal import Decimal
from typing import Any

from daybook.errors import BadData
from daybook.finetune.tuner import Plan, Tuner
from daybook.registry.registry import check_name
from daybook.training import hosted
from daybook.training.hosted import Hosted, State
from daybook.training.jobs import Job

PROVIDER = "openai"


class Hosting:
    def __init__(self, tuner: Tuner, client: Any, *, provider: str = PROVIDER) -> None:
        self._tuner = tuner
        self._client = client
        self._provider = provider

    def prepare(self, plan: Plan, *, name: str, model: str, actor: str, epochs: int | None = None) -> Job:
        """Write the files and the request; nothing is sent. Raises GateNotMet, and BadData for too few examples."""
        check_name(name)
        plan.checked.require()
        train, held = plan.split
        tariff = hosted.tariff(model)
        if len(train) < tariff.fewest:
            raise BadData(
                f"{len(train)} examples are left to train on; {model} takes no fewer than {tariff.fewest}.",
                remedy="Give more rows.",
            )
        passes = epochs or hosted.default_epochs(len(train))
        tokens = round(plan.checked.tokens.total * len(train) / plan.checked.rows)
        cost = hosted.price(model, tokens, passes)
        spec = {
            "recipe": {"method": "hosted", "base": model, "seed": plan.recipe.seed, "epochs": passes},
            "template": plan.material.template.to_dict(),
            "source": plan.checked.source,
            "digest": plan.checked.digest,
            "licence": plan.licence,
            "subjects": list(plan.subjects),
            "rows": {"train": len(train), "held_out": len(held)},
            "estimate": {
                "tokens": tokens,
                "tokens_counted": "by the embedded model's tokenizer, or guessed; the upstream counts by its own",
                "epochs": passes,
                "cost": _text(cost),
                "cost_source": tariff.source,
                "notice": tariff.notice(self._tuner.clock.now().date()),
            },
            "actor": actor,
        }
        state = State(model=model, seed=plan.recipe.seed, epochs=epochs, suffix=name[:18])
        chats = [[plan.material.messages(row) for row in part.rows] for part in (train, held)]
        return self._tuner.jobs.create(
            name, spec, lambda place: Hosted(place, place.name, self._client).write(chats[0], chats[1], state)
        )

    def at(self, id_: str) -> Hosted:
        return Hosted(self._tuner.jobs.place(id_), id_, self._client)

    def go(self, id_: str) -> Job:
        """Do the next step and write down how far it is. A success is registered, once. Raises ProviderError."""
        jobs = self._tuner.jobs
        with jobs.alone(id_):
            job = jobs.read(id_)
            if job.state in ("completed", "cancelled"):
                return job
            if job.progress.get("job") is None:  # what the upstream has begun cannot be taken back by not looking
                self._tuner.require_consent(job)
            return self._settle(job, self.at(id_).advance())

    def cancel(self, id_: str) -> Job:
        """Cancel it at the upstream. Raises BadParameter for one that is over."""
        with self._tuner.jobs.alone(id_):
            return self._settle(self._tuner.jobs.read(id_), self.at(id_).cancel())

    def _settle(self, job: Job, state: State) -> Job:
        jobs = self._tuner.jobs
        job = replace(job, progress={"stage": state.stage, "status": state.status, "job": state.job})
        if state.status == "succeeded":
            version = self._register(job, state)
            return jobs.end(job, "completed", result={"model": version, "trained_tokens": state.trained_tokens})
        if state.over:
            return jobs.end(job, str(state.status), error=state.error)
        return jobs.write(job)

    def _register(self, job: Job, state: State) -> str:
        registry = self._tuner.registry
        for known in registry.versions(job.name):
            if known.tags.get("job") == job.id:
                return known.id
        spec = job.spec
        return registry.register(
            job.name,
            method="hosted",
            provider=self._provider,
            target=str(state.result),
            actor=str(spec["actor"]),
            base=state.model,
            template=dict(spec["template"]),
            parameters=asdict(state) | {"files": dict(state.files)},
            metrics={"trained_tokens": state.trained_tokens},
            data_source=spec["source"],
            data_digest=spec["digest"],
            tags={"job": job.id, "upstream_job": str(state.job)},
            subjects=tuple(spec["subjects"]),
        ).id


def _text(amount: Decimal | None) -> str | None:
    return None if amount is None else str(amount)
