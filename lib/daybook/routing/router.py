"""From the name that was asked for to the model that answers: one, or the next one when it fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from daybook.clock import Clock
from daybook.errors import ProviderError, UnknownModel
from daybook.providers.upstream import Fallback
from daybook.routing.cooldown import Cooldowns
from daybook.routing.deployment_index import Asking, Deployment
from daybook.routing.route import Copy, Route, RouteStep, failure_kind


class RoutedModel(Protocol):
    """A model of the catalogue."""

    @property
    def name(self) -> str: ...
    @property
    def upstream(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def fallbacks(self) -> Sequence[Fallback]: ...
    @property
    def deadline(self) -> float | None: ...


class ModelCatalogue(Protocol):
    def resolve(self, name: str, /) -> RoutedModel: ...


class FindDeployment(Protocol):
    def __call__(self, name: str, /) -> Deployment | None: ...


class Router:
    """Routes over the models of `catalogue`, and the deployments of them. Used from one event loop."""

    def __init__(
        self, catalogue: ModelCatalogue, clock: Clock, deployment: FindDeployment = lambda _name: None
    ) -> None:
        self.cooldowns = Cooldowns(clock)
        self._catalogue = catalogue
        self._deployment = deployment

    def route(self, request: Asking) -> Route:
        """Who may answer what the request asks for. Raises UnknownModel."""
        name = request.body["model"]
        deployment = self._deployment(name)
        if deployment is None:
            return self._models(name, name)
        variant = deployment.assign(request)
        route = self._models(name, deployment.versions[variant])
        return replace(route, variant=variant, copy=self._copy(deployment))

    def _copy(self, deployment: Deployment) -> Copy | None:
        if (variant := deployment.copied_to) is None:
            return None
        try:
            model = self._catalogue.resolve(deployment.versions[variant])
        except UnknownModel:
            return None  # it was taken out of models.yml; the callers have nothing to do with it
        return Copy(
            deployment.name, variant, RouteStep(deployment.name, model.upstream, model.target), deployment.budget
        )

    def _models(self, name: str, model_name: str) -> Route:
        """The model and its fallbacks; the first step is called `name`, as the caller knows it."""
        model = self._catalogue.resolve(model_name)
        first = RouteStep(name, model.upstream, model.target)
        if not model.fallbacks:
            return Route((first,), model.deadline)
        steps = [first]
        for fallback in model.fallbacks:
            other = self._catalogue.resolve(fallback.model)
            steps.append(RouteStep(fallback.model, other.upstream, other.target, fallback.on))
        return Route(steps, model.deadline)

    def first(self, route: Route) -> RouteStep:
        """The first step that is not resting; the last one where all are."""
        steps = route.steps
        if len(steps) == 1:
            return steps[0]
        return next((step for step in steps[:-1] if self.cooldowns.admits(step.upstream, step.target)), steps[-1])

    def follower(self, route: Route, step: RouteStep, error: ProviderError, *, late: bool = False) -> RouteStep | None:
        """Who takes over from `step`, which failed with `error`; None where nobody does, or where it is too `late`."""
        if len(route.steps) == 1:
            return None
        kind = failure_kind(error)
        self.cooldowns.failed(step.upstream, step.target, kind, error.retry_after)
        if late:
            return None
        later = [other for other in route.steps[route.steps.index(step) + 1 :] if kind in other.on]
        fit = (other for other in later[:-1] if self.cooldowns.admits(other.upstream, other.target))
        return next(fit, later[-1] if later else None)

    def answered(self, route: Route, step: RouteStep) -> None:
        """`step` answered."""
        if len(route.steps) > 1:
            self.cooldowns.answered(step.upstream, step.target)

    def released(self, route: Route, step: RouteStep) -> None:
        """`step` was asked, and its caller went away before it answered or failed."""
        if len(route.steps) > 1:
            self.cooldowns.released(step.upstream, step.target)
