"""What an endpoint is made of, built once, in one place; and how it is warmed up and put away."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from daybook import providers
from daybook.access.allowance import Allowance, usage_ledger
from daybook.access.keys import Keys
from daybook.access.limits import LimitsFile
from daybook.access.spending import SpendingProcess
from daybook.access.window_counts import WindowCounts
from daybook.audit.entry_counts import EntryCounts
from daybook.clock import Clock, SystemClock
from daybook.errors import UnknownModel
from daybook.gateway.admission import Admission
from daybook.gateway.auth import Auth
from daybook.gateway.counted_events import CountedEvents, CountSkippedCopies
from daybook.gateway.logs import Log, to_stderr
from daybook.gateway.models import Models
from daybook.gateway.monitoring.health import Health
from daybook.gateway.monitoring.metrics import Metrics
from daybook.gateway.upkeep.book_watch import EVERY, BookWatch
from daybook.gateway.upkeep.drain_process import PATIENCE
from daybook.gateway.upkeep.drain_timer import DrainKeeper, DrainTimer
from daybook.gateway.upkeep.entry_counts import CountEntries
from daybook.gateway.upkeep.watch_tasks import watch_book
from daybook.inference.answerer import Answerer
from daybook.inference.ports import Observers
from daybook.inference.tasks.tasks import Tasks
from daybook.inference.upstreams import Upstreams
from daybook.inference.wiring import judge_of, wire
from daybook.pii.pseudonyms import Pseudonyms
from daybook.prices import reckon
from daybook.providers.catalogue import Catalogue
from daybook.providers.hf.models_file import named_models
from daybook.providers.hf.process import TaskModels
from daybook.providers.hf.provider import HuggingFace
from daybook.providers.moderation import HOSTED
from daybook.providers.port import Provider
from daybook.providers.upstream import MODERATOR, Upstream
from daybook.records import Usage
from daybook.routing.deployment_index import DeploymentIndex
from daybook.settings import Settings

if TYPE_CHECKING:
    from daybook.book import Book
    from daybook.book.journal.journal import Journal
    from daybook.gateway.monitoring.traces import Traces
    from daybook.providers.llamacpp.provider import Local


_LONG_PATIENCE = 30.0
"""Seconds that a process of its own waits for a book in use."""
_KEEP_EVERY = 1.0
"""Seconds between two looks at whether the drain still runs, and for which the figures of the other processes of this
endpoint may be old."""
_READ_PATIENCE = 10.0
"""Seconds a route waits for it."""


@dataclass(slots=True, kw_only=True)
class Components:
    """One endpoint's parts. `aclose` puts them away in order: models, journal, drain."""

    settings: Settings
    clock: Clock
    log: Log
    journal: Journal
    catalogue: Catalogue
    upstreams: Upstreams[Any]
    answerer: Answerer
    auth: Auth
    admission: Admission
    counted_events: CountedEvents
    metrics: Metrics
    counts: EntryCounts
    drainer: DrainKeeper
    watch: BookWatch | None
    """None where another process of this endpoint looks at the book."""
    deployments: DeploymentIndex
    health: Health
    models: Models
    tasks: Tasks
    task_models: TaskModels
    traces: Traces | None
    """None: nobody set an address to send them to."""
    open_book: Callable[[], Book]
    """A book to read from, to be closed; the database is loaded when it is first asked."""
    _warming: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to drain, and warm up what the first call would otherwise wait for. Returns at once."""
        self.drainer.start()
        if self.watch is not None:
            self.watch.start()
        self._warming = [asyncio.create_task(self._warm(name)) for name in self._used()]
        self._warming.append(asyncio.create_task(asyncio.to_thread(self._warm_prices)))
        self._warming.append(asyncio.create_task(self.deployments.keep()))
        self._warming.append(asyncio.create_task(self._keep()))

    async def _keep(self) -> None:
        while True:
            self.metrics.share()
            self.counted_events.flush()
            await asyncio.to_thread(self.counts.save)
            await asyncio.sleep(_KEEP_EVERY)
            self.drainer.keep()

    def default_moderator(self) -> str:
        """Who moderates where a request names nobody: OpenAI where it is configured, else this machine."""
        mine = self.address(HOSTED)[0] is None and self.address(MODERATOR)[0] is not None
        return MODERATOR if mine else HOSTED

    def address(self, model: str) -> tuple[str | None, str]:
        """The upstream that a model is asked at, and its name there; (None, model) for one that nobody serves here."""
        try:
            known = self.catalogue.resolve(model)
        except UnknownModel:
            return None, model
        return known.upstream, known.target

    def _used(self) -> list[str]:
        return list(dict.fromkeys(model.upstream for model in self.catalogue.models.values()))

    async def _warm(self, upstream: str) -> None:
        """Make an upstream's connection pool, and let the embedded model come up where it is all there is to ask. An
        endpoint that serves others has it started by who asks for it: it takes half a gigabyte. Nobody else is asked
        anything. One that cannot is reported by readiness, not here."""
        try:
            provider = self.upstreams[upstream]
            if self.catalogue.upstreams[upstream].kind != "local" or not self._only_local():
                return
            await cast("Local", provider).start()
            for model in self.catalogue.models.values():
                if model.upstream == upstream:
                    await provider.identify(model.target)
        except Exception as error:
            self.log.line("warming", level="warning", upstream=upstream, error=type(error).__name__)

    def _only_local(self) -> bool:
        return {self.catalogue.upstreams[name].kind for name in self._used()} <= {"local", "hf"}

    def _warm_prices(self) -> None:
        for model in self.catalogue.models.values():
            reckon(
                Usage(input_tokens=1, output_tokens=1), provider=model.upstream, model=model.target, on=self.clock.now()
            )

    async def aclose(self) -> None:
        """Stop the models, the journal and, last, who drains it."""
        for task in self._warming:
            task.cancel()
        await self.answerer.shadow.aclose()
        await self.upstreams.aclose()
        await self.task_models.aclose()
        self.counted_events.flush(all_=True)
        if self.watch is not None:
            await asyncio.to_thread(self.watch.stop)
        await self.admission.aclose()
        if self.answerer.cache is not None:
            self.answerer.cache.close()
        if self.traces is not None:
            await asyncio.to_thread(self.traces.close)
        await asyncio.to_thread(self.counts.save, ended=True)
        self.journal.close()
        self.log.flush()
        await asyncio.to_thread(self.drainer.stop)


def build(
    settings: Settings,
    *,
    exposed: bool = False,
    clock: Clock | None = None,
    write: Callable[[bytes], object] = to_stderr,
    log: Log | None = None,
    catalogue: Catalogue | None = None,
    env: Mapping[str, str] | None = None,
    drain_every: float = 5.0,
    watch_every: float = EVERY,
    drainer: DrainKeeper | None = None,
    shared: Path | None = None,
) -> Components:
    """The parts of an endpoint over `settings`. `exposed`: bound where other machines can reach it. `env`: where the
    upstreams' API keys are found. `drainer`: who drains the journal; a thread of this process where nobody else does,
    every `drain_every` seconds. `shared`: the folder of an endpoint of several processes, of which this is one. Raises
    SettingsError for a models.yml that contradicts itself."""
    from daybook.book.journal.journal import Journal

    clock = clock or SystemClock()
    log = log or Log(clock, write)
    catalogue = catalogue or Catalogue.load(settings.models, env or {}, home=settings.home)
    metrics = Metrics(_labels(catalogue), log, shared=shared)
    journal = Journal(settings.home, clock=clock)
    task_models = TaskModels(settings.home)

    def make(config: Upstream) -> Provider:
        """The models of this machine run in one process, whoever asks them."""
        if config.kind == "hf":
            return HuggingFace(config.name, config.home, task_models)
        return providers.make(config)

    def open_book(patience: float = _READ_PATIENCE) -> Book:
        from daybook.book import Book

        return Book(
            settings.book_url, settings.home, vault=settings.vault, clock=clock, journal=journal, patience=patience
        )

    counts = EntryCounts(settings.home, journal, clock=clock)
    counted_events = CountedEvents(journal, clock=clock)
    observers = Observers(metrics, CountEntries(counts), CountSkippedCopies(counted_events))

    def refused(code: str, key_id: str | None) -> None:
        metrics.turned_away(code)
        counted_events.note("key.refused", key_id, code=code)

    traces = _traces(env or {}, clock)
    if traces is not None:
        observers.add(traces)
    inference = wire(
        settings,
        journal,
        clock=clock,
        env=env or {},
        catalogue=catalogue,
        pseudonym=Pseudonyms(settings.home / "pseudonyms.key").of,
        observer=observers,
        make=make,
        judge=judge_of(task_models),
        kept=True,
    )
    upstreams, answerer = inference.upstreams, inference.answerer
    allowance = Allowance(usage_ledger(settings))
    admission = Admission(
        file=LimitsFile(settings.home / "limits.yml"),
        allowance=allowance,
        router=answerer.router,
        reckon=reckon,
        machine_rate=answerer.machines.rate,
        journal=journal,
        clock=clock,
        windows=WindowCounts(allowance, SpendingProcess(settings, patience=_LONG_PATIENCE).since),
        trouble=metrics.fault,
    )
    observers.add(admission)
    answerer.shadow.budget = admission

    watch: BookWatch | None = None
    if drainer is None:  # whoever drains elsewhere also does this there
        drainer = DrainTimer(lambda: open_book(PATIENCE), clock=clock, log=log, interval=drain_every)
        watch = watch_book(lambda: open_book(PATIENCE), home=settings.home, clock=clock, log=log, interval=watch_every)
    metrics.watch(
        journal=journal.state,
        drainer=drainer,
        in_flight=lambda: answerer.recorder.open,
        resting=answerer.router.cooldowns.resting,
    )
    return Components(
        settings=settings,
        clock=clock,
        log=log,
        journal=journal,
        catalogue=catalogue,
        upstreams=upstreams,
        answerer=answerer,
        auth=Auth(
            Keys(settings.home / "keys.json", clock=clock),
            exposed=exposed,
            refused=refused,
        ),
        admission=admission,
        counted_events=counted_events,
        metrics=metrics,
        counts=counts,
        drainer=drainer,
        watch=watch,
        deployments=inference.deployments,
        health=Health(
            upstreams=tuple(upstreams),
            providers=upstreams,
            journal=journal.state,
            recover=answerer.recorder.recover,
            drainer=drainer,
            clock=clock,
        ),
        models=Models(
            catalogue=catalogue,
            named=catalogue.listed,
            deployments=inference.deployments.names,
            upstreams=tuple(upstreams),
            providers=upstreams,
            clock=clock,
        ),
        tasks=Tasks(task_models, answerer, named=lambda: named_models(settings.home)),
        task_models=task_models,
        traces=traces,
        open_book=open_book,
    )


def _traces(env: Mapping[str, str], clock: Clock) -> Traces | None:
    """What sends traces, where OpenTelemetry's own variables give an address. Its SDK is loaded only then."""
    if env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    base = env.get("OTEL_EXPORTER_OTLP_ENDPOINT", "").strip().rstrip("/")
    url = env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "").strip() or (f"{base}/v1/traces" if base else None)
    if url is None:
        return None
    from daybook.gateway.monitoring.traces import Traces

    return Traces(url, clock)


def _labels(catalogue: Catalogue) -> dict[str, str]:
    """Every name that the catalogue gives a model → the one that is its label."""
    return {name: model.name for model in catalogue.models.values() for name in (model.name, *model.aliases)}
