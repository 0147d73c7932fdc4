"""Who is asked first, and who takes over after which failure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from daybook.clock import FixedClock
from daybook.errors import (
    BadRequest,
    Conflict,
    ContextTooLong,
    ModelNotFound,
    ProviderError,
    RateLimited,
    Unauthorised,
    Unavailable,
    UnknownModel,
    UpstreamTimeout,
)
from daybook.providers.upstream import Fallback, Model
from daybook.routing.route import RouteStep, failure_kind
from daybook.routing.router import Router

ONLY = frozenset(("timeout",))


class Models:
    def __init__(self, *models: Model) -> None:
        self._models = {model.name: model for model in models}

    def resolve(self, name: str) -> Model:
        if name not in self._models:
            raise UnknownModel(f"No model is called {name!r}.", remedy="")
        return self._models[name]


def model(name: str, *fallbacks: Fallback, deadline: float | None = None) -> Model:
    return Model(name=name, upstream=f"up-{name}", target=f"t-{name}", fallbacks=fallbacks, deadline=deadline)


@dataclass(frozen=True)
class Request:
    """What decides who answers."""

    body: Mapping[str, Any]
    request_id: str = "r1"
    caller: str | None = None
    key_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


def asked(name: str) -> Request:
    return Request({"model": name})


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 27, tzinfo=UTC))


@pytest.fixture
def router(clock):
    chain = (Fallback("b"), Fallback("c", ONLY), Fallback("d"))
    return Router(Models(model("a", *chain, deadline=9.0), model("b"), model("c"), model("d")), clock)


def test_a_route_is_the_model_and_its_fallbacks_in_order(router):
    """Each under the name that it was stated by, at its own upstream, with the failures it is for."""
    route = router.route(asked("a"))
    assert [(s.name, s.upstream, s.target) for s in route.steps] == [(n, f"up-{n}", f"t-{n}") for n in "abcd"]
    assert route.steps[2].on == ONLY
    assert (route.deadline, router.route(asked("b")).deadline) == (9.0, None)
    assert router.route(asked("b")).steps == (RouteStep("b", "up-b", "t-b"),)
    with pytest.raises(UnknownModel):
        router.route(asked("x"))


def with_code(error: ProviderError, code: str) -> ProviderError:
    error.code = code
    return error


@pytest.mark.parametrize(
    ("error", "followers"),
    [
        (UpstreamTimeout(""), "bcd"),
        (RateLimited(""), "bd"),
        (Unavailable(""), "bd"),
        (Conflict(""), "bd"),
        (ContextTooLong(""), "bd"),
        (Unauthorised(""), "bd"),
        (ModelNotFound(""), "bd"),
        (BadRequest(""), ""),
        (with_code(BadRequest(""), "content_filter"), ""),
        (with_code(BadRequest(""), "content_policy_violation"), ""),
    ],
)
def test_the_next_that_is_for_this_kind_of_failure_takes_over(router, error, followers):
    """A fault of the request is nobody else's to answer, unless a fallback says so; the last has no follower."""
    route, step, names = router.route(asked("a")), router.route(asked("a")).steps[0], ""
    while (step := router.follower(route, step, error)) is not None:
        names += step.name
    assert names == followers


def test_a_filtered_request_goes_on_only_where_that_is_stated(clock):
    """`content_filter` is a kind of its own beside `bad_request`."""
    for kind, other in (("content_filter", "bad_request"), ("bad_request", "content_filter")):
        router = Router(Models(model("a", Fallback("b", frozenset((kind,)))), model("b")), clock)
        errors = {
            "content_filter": with_code(BadRequest(""), "content_filter"),
            "bad_request": with_code(BadRequest(""), "unsupported_parameter"),
        }
        route = router.route(asked("a"))
        assert failure_kind(errors[kind]) == kind
        assert router.follower(route, route.steps[0], errors[kind]) == route.steps[1]
        assert router.follower(route, route.steps[0], errors[other]) is None


def test_one_that_rests_is_passed_over_and_the_last_is_asked_all_the_same(router):
    """First and later steps alike; where all rest, somebody must be asked."""
    route = router.route(asked("a"))
    a, b, c, d = route.steps
    for _ in range(3):
        router.follower(route, a, UpstreamTimeout(""))
    assert router.first(route) is b
    assert router.follower(route, b, UpstreamTimeout("", retry_after=60.0)) is c
    assert router.first(route) is c
    assert router.follower(route, c, UpstreamTimeout("", retry_after=60.0)) is d
    assert router.follower(route, d, UpstreamTimeout("", retry_after=60.0)) is None
    assert router.first(route) is d
    router.answered(route, a)
    assert router.first(route) is a


def test_a_model_alone_never_rests(router):
    """Who has nobody to fall back on is asked each time."""
    route = router.route(asked("b"))
    for _ in range(9):
        assert router.follower(route, route.steps[0], UpstreamTimeout("", retry_after=60.0)) is None
    assert router.first(route) is route.steps[0]
    assert router.cooldowns.resting() == {}


def test_a_caller_who_leaves_frees_the_probe(router, clock):
    """The next request may try the upstream that has rested."""
    route = router.route(asked("a"))
    router.follower(route, route.steps[0], UpstreamTimeout("", retry_after=30.0))
    clock.seconds = 30
    assert router.first(route) is route.steps[0]
    assert router.first(route) is route.steps[1]
    router.released(route, route.steps[0])
    assert router.first(route) is route.steps[0]


def test_two_are_a_chain(clock):
    """The shortest one: the first rests, the second is asked, and each way in which the first ends is noticed."""
    router = Router(Models(model("a", Fallback("b")), model("b")), clock)
    route = router.route(asked("a"))
    a, b = route.steps
    assert router.follower(route, a, UpstreamTimeout("", retry_after=30.0)) is b
    assert router.first(route) is b
    clock.seconds = 30
    assert [router.first(route), router.first(route)] == [a, b]
    router.released(route, a)
    assert [router.first(route), router.first(route)] == [a, b]
    router.answered(route, a)
    assert [router.first(route), router.first(route)] == [a, a]


def test_what_failed_too_late_is_noted_and_nobody_takes_over(clock):
    """Past the deadline: it rests all the same, and the next one was not promised a probe."""
    router = Router(Models(model("a", Fallback("b"), Fallback("c")), model("b"), model("c")), clock)
    route = router.route(asked("a"))
    a, b, _ = route.steps
    router.follower(route, b, UpstreamTimeout("", retry_after=30.0))
    clock.seconds = 30
    assert router.follower(route, a, UpstreamTimeout("", retry_after=60.0), late=True) is None
    assert router.cooldowns.resting() == {"up-a/t-a": 60.0}
    assert router.first(route) is b
