"""What the endpoint counts, in Prometheus' format. A call is counted after it was entered in the journal, never before.

Labels are bounded: routes, statuses, deployments and the models of the catalogue (any other name is `unknown`),
configured upstreams, and error kinds. No label holds a caller, a project, a tag or any other text a request can choose.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from daybook.errors import JournalError
from daybook.gateway.http.asgi import RequestState
from daybook.gateway.logs import Log
from daybook.gateway.upkeep.drain_timer import DrainKeeper
from daybook.inference.ports import CopyOutcome, Observer
from daybook.inference.shadow import ENDPOINT as SHADOW
from daybook.records import Call
from daybook.routing.route import Copy, RouteStep

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_CALL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)
_FIRST_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics(Observer):
    """The counters of one endpoint, in a registry of its own. `models`: a model's names → its label. `shared`: the
    folder in which the processes of one endpoint keep their counters, where there are several: each of them shows the
    sum, and what one counted stays when it dies. prometheus_client must find it in PROMETHEUS_MULTIPROC_DIR when it is
    imported."""

    def __init__(self, models: Mapping[str, str], log: Log, *, shared: Path | None = None) -> None:
        self._models = models
        self._log = log
        self._shared = shared
        self._gauges: list[tuple[Gauge, Callable[[], float]]] = []
        """What is read at the moment of scraping."""
        self.registry = registry = CollectorRegistry()
        if shared is None:  # of several, whichever answers a scrape would show its own
            for collector in (ProcessCollector, PlatformCollector, GCCollector):
                collector(registry=registry)
        self.requests = Counter("daybook_requests", "HTTP requests.", ["route", "status"], registry=registry)
        self.calls = Counter(
            "daybook_calls", "Calls entered.", ["model", "provider", "status", "error_kind"], registry=registry
        )
        self.seconds = Histogram(
            "daybook_call_seconds",
            "From request to last byte, answered calls.",
            ["model", "stream"],
            buckets=_CALL_SECONDS,
            registry=registry,
        )
        self.first = Histogram(
            "daybook_first_token_seconds",
            "From request to first content, streamed calls.",
            ["model"],
            buckets=_FIRST_SECONDS,
            registry=registry,
        )
        self.tokens = Counter(
            "daybook_tokens",
            "Tokens; cached are part of input, reasoning of output.",
            ["model", "type", "counted"],
            registry=registry,
        )
        self.cost = Counter("daybook_cost_dollars", "Cost of priced calls.", ["model", "provider"], registry=registry)
        self.unpriced = Counter(
            "daybook_unpriced_calls", "Calls that used tokens and have no known cost.", ["model"], registry=registry
        )
        self.withheld_calls = Counter(
            "daybook_journal_failures", "Entries that the journal had no room for.", registry=registry
        )
        self.fallbacks = Counter(
            "daybook_fallbacks", "Requests handed to another model.", ["model", "to", "error_kind"], registry=registry
        )
        self.copies = Counter(
            "daybook_shadow_copies", "Copies to shadows, by what became of them.", ["model", "outcome"],
            registry=registry,
        )  # fmt: skip
        self.refused = Counter(
            "daybook_refused_requests", "Requests without a key that is valid here.", ["code"], registry=registry
        )
        self.faults = Counter("daybook_faults", "Faults that did not fail a call.", ["part"], registry=registry)
        self._answered: dict[tuple[str, ...], Callable[[Call], None]] = {}
        self._visited: dict[tuple[str, int], Counter] = {}

    # ── told by the answerer and the outermost layer ──────────────────────────────────────────────────

    def entered(self, call: Call) -> None:
        name = call.requested_model or ""
        model = name if call.variant is not None else self._models.get(name, "unknown")
        status = "shadow" if call.endpoint == SHADOW else call.status
        labels = (model, call.provider or "none", status, call.error_kind or "", "yes" if call.stream else "no")
        count = self._answered.get(labels)
        if count is None:
            count = self._answered[labels] = self._counting(*labels)
        count(call)

    def withheld(self, error: JournalError, call: Call | None = None) -> None:
        self.withheld_calls.inc()

    def fell_back(self, request_id: str, step: RouteStep, follower: RouteStep, kind: str) -> None:
        self.fallbacks.labels(step.name, follower.name, kind).inc()
        self._log.line(
            "fell_back", level="warning", request_id=request_id, model=step.name, to=follower.name, kind=kind
        )

    def copied(self, copy: Copy, outcome: CopyOutcome) -> None:
        self.copies.labels(copy.deployment, outcome).inc()

    def fault(self, what: str, error: Exception) -> None:
        self.faults.labels(what).inc()
        self._log.fault("fault", error, part=what)

    def turned_away(self, code: str) -> None:
        """Count one request that was not let in."""
        self.refused.labels(code).inc()

    def visited(self, visit: RequestState, seconds: float) -> None:
        """Count one HTTP request."""
        key = (visit.route, visit.status or 0)
        child = self._visited.get(key)
        if child is None:
            child = self._visited[key] = self.requests.labels(visit.route, str(visit.status or 0))
        child.inc()

    def _counting(self, model: str, provider: str, status: str, error_kind: str, stream: str) -> Callable[[Call], None]:
        """The counting of calls with these labels: finding a labelled counter costs more than counting."""
        calls = self.calls.labels(model, provider, status, error_kind)
        seconds, first = self.seconds.labels(model, stream), self.first.labels(model)
        cost, unpriced = self.cost.labels(model, provider), self.unpriced.labels(model)
        kinds = ("input", "cached", "output", "reasoning")
        tokens = {r: [self.tokens.labels(model, kind, r) for kind in kinds] for r in ("reported", "estimated")}

        def count(call: Call) -> None:
            calls.inc()
            if status == "ok" and call.latency is not None:
                seconds.observe(call.latency)
            if call.first_token is not None:
                first.observe(call.first_token)
            figures = (call.input_tokens, call.cached_tokens, call.output_tokens, call.reasoning_tokens)
            for counter, figure in zip(
                tokens["reported" if call.usage_reported else "estimated"], figures, strict=True
            ):
                if figure:
                    counter.inc(figure)
            if call.cost is not None:
                cost.inc(float(call.cost))
            elif call.usage_reported is not None:
                unpriced.inc()

        return count

    # ── read when asked for ───────────────────────────────────────────────────────────────────────────

    def watch(
        self,
        *,
        journal: Callable[[], object],
        drainer: DrainKeeper,
        in_flight: Callable[[], int],
        resting: Callable[[], Mapping[str, float]],
    ) -> None:
        """Also show the state of the journal, the drain and the upstreams, read at the moment of scraping."""
        for name, field, text in (
            ("daybook_journal_entries", "entries", "Entries appended by this process."),
            ("daybook_journal_bytes", "bytes", "Bytes of this process's journal file."),
            ("daybook_journal_unsynced", "unsynced", "Entries not yet forced to the disk."),
        ):
            self._read(name, text, lambda field=field: float(getattr(journal(), field)))  # type: ignore[misc]  # the default binds the loop's value
        self._read("daybook_upstreams_resting", "Upstreams left alone after failures.", lambda: float(len(resting())))
        self._read("daybook_calls_open", "Calls being answered now.", lambda: float(in_flight()))
        self._read("daybook_workers", "Processes that serve.", lambda: 1.0)
        self._drain = _DrainCollector(drainer)
        self.registry.register(self._drain)

    def _read(self, name: str, text: str, value: Callable[[], float]) -> None:
        gauge = Gauge(name, text, registry=self.registry, multiprocess_mode="livesum")
        if self._shared is None:
            gauge.set_function(value)
        else:
            self._gauges.append((gauge, value))

    def share(self) -> None:
        """Let the other processes see what is read here."""
        for gauge, value in self._gauges:
            gauge.set(value())

    def text(self) -> bytes:
        if self._shared is None:
            return generate_latest(self.registry)
        self.share()
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._shared))  # type: ignore[no-untyped-call]  # as the library has it
        registry.register(self._drain)
        return generate_latest(registry)


class _DrainCollector(Collector):
    """The state of the drain, which all processes share."""

    def __init__(self, drainer: DrainKeeper) -> None:
        self._drainer = drainer

    def collect(self) -> Iterator[Metric]:
        state = self._drainer.state()
        yield GaugeMetricFamily("daybook_drain_lag_seconds", "Age of what is not yet in the book.", state.lag)
        yield GaugeMetricFamily("daybook_drain_ok", "1: the last drain went through.", float(state.error is None))
        yield GaugeMetricFamily("daybook_drained_entries", "Entries moved into the book.", float(state.entries))
