"""What asks models, built once for whoever asks them: the endpoint, a notebook, a command."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from daybook.clock import Clock
from daybook.guardrails.moderation import FILE as MODERATION
from daybook.guardrails.moderation import Judge, ModerationPolicies
from daybook.guardrails.redaction import FILE as POLICIES
from daybook.guardrails.redaction import RedactionPolicies
from daybook.inference.answerer import Answerer
from daybook.inference.ports import Observer
from daybook.inference.response_cache import FILE, ResponseCache
from daybook.inference.upstreams import Upstreams
from daybook.pii.pseudonyms import Pseudonyms
from daybook.ports import Ledger
from daybook.prices import reckon
from daybook.providers import make
from daybook.providers.catalogue import Catalogue
from daybook.providers.hf.process import TaskModels
from daybook.providers.port import Provider
from daybook.providers.upstream import Upstream
from daybook.routing.deployment_index import DeploymentIndex
from daybook.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """Models that can be asked, and who asks them. Whoever built it closes it."""

    catalogue: Catalogue
    upstreams: Upstreams[Upstream]
    answerer: Answerer
    deployments: DeploymentIndex
    moderator: TaskModels | None
    """The process of the moderation heads, where nobody else judges."""

    async def aclose(self) -> None:
        """Close the upstreams, and end the process that judges. Safe to repeat."""
        await self.upstreams.aclose()
        if self.moderator is not None:
            await self.moderator.aclose()


def response_cache(settings: Settings, clock: Clock) -> ResponseCache | None:
    """The answers that this home keeps; None where it was not told to."""
    if not settings.cache_seconds:
        return None
    return ResponseCache(
        settings.home / FILE, seconds=settings.cache_seconds, room=settings.cache_megabytes * 1_000_000, clock=clock
    )


def judge_of(models: TaskModels) -> Judge:
    """The moderation heads, in the process that runs the models of tasks."""

    async def judge(texts: list[str], thresholds: Mapping[str, float]) -> list[dict[str, Any]]:
        result = await models.run("moderate", {"texts": texts, "thresholds": dict(thresholds)})
        verdicts: list[dict[str, Any]] = result["results"]
        return verdicts

    return judge


def wire(
    settings: Settings,
    journal: Ledger,
    *,
    clock: Clock,
    env: Mapping[str, str],
    catalogue: Catalogue | None = None,
    pseudonym: Callable[[str], str] | None = None,
    observer: Observer | None = None,
    make: Callable[[Upstream], Provider] = make,
    kept: bool = False,
    judge: Judge | None = None,
) -> Inference:
    """The models of `settings.models` (or of `catalogue`), with the API keys in `env`. No model is started and nothing
    is connected. `make`: what makes a provider, where it is not the usual one. `kept`: whoever builds it keeps the
    deployments' index. `judge`: who moderates, where it is not a process of its own. Raises SettingsError for
    a models.yml that contradicts itself."""
    catalogue = catalogue or Catalogue.load(settings.models, env, home=settings.home)
    upstreams = Upstreams(catalogue.upstreams, make)
    deployments = DeploymentIndex(settings.home, kept=kept)
    moderator = None
    if judge is None:
        moderator = TaskModels(settings.home)
        judge = judge_of(moderator)
    policies = RedactionPolicies(
        settings.home / POLICIES, Pseudonyms(settings.home / "pseudonyms.key"), content=settings.content
    )
    answerer = Answerer(
        catalogue=catalogue,
        providers=upstreams,
        journal=journal,
        reckon=reckon,
        clock=clock,
        content=settings.content,
        pseudonym=pseudonym,
        observer=observer,
        machine_rate=lambda upstream: catalogue.upstreams[upstream].machine_hour,
        deployment=deployments.find,
        knows=lambda name: deployments.find(name) is not None or catalogue.knows(name),
        cache=response_cache(settings, clock),
        redaction=policies.rules,
        moderation=ModerationPolicies(settings.home / MODERATION, judge),
    )
    return Inference(
        catalogue=catalogue, upstreams=upstreams, answerer=answerer, deployments=deployments, moderator=moderator
    )
