"""The one place where things are built: a book, the services on it, and a model to ask.

    import daybook
    book = daybook.open()                  # this project's book
    book.ask("How many days are in a week?")          # a real answer from the embedded model, logged and priced
    book.calls(days=7)                     # a DataFrame
    book.costs(days=30).prose              # what was spent, in words

Opening costs almost nothing: the database, the model and pandas are loaded when first asked for.
"""

from __future__ import annotations

import atexit
import html
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from daybook.clock import Clock, SystemClock, new_id
from daybook.errors import BadParameter
from daybook.inference.client.answer import Answer
from daybook.records import Record
from daybook.settings import Settings, new_home, unclaimed, user

if TYPE_CHECKING:
    import pandas as pd

    from daybook.approach.report import Approach
    from daybook.bias.audit import Bias
    from daybook.book import Book
    from daybook.costs.report import Costs
    from daybook.datasets import DataSet
    from daybook.evaluation.ask.tasks import Contestant
    from daybook.evaluation.calibration import Calibration
    from daybook.evaluation.report import Evaluation
    from daybook.evidence.report import Evidence
    from daybook.experiment.report import Experiment
    from daybook.finetune.report import Finetuning
    from daybook.finetune.tuner import Plan, Tuner
    from daybook.inference.client.client import Client
    from daybook.inference.tasks.client import TasksClient
    from daybook.privacy.report import Privacy
    from daybook.registry.registry import Registry
    from daybook.traffic.report import Traffic
    from daybook.training.recipe import Recipe


EMBEDDED = "smollm2-135m-instruct"


class Daybook:
    """A book with its services, as a notebook uses it. Made by `daybook.open`.

    What answers is built when it is first asked for.
    """

    def __init__(self, settings: Settings, book: Book, *, clock: Clock, source: str) -> None:
        self.settings = settings
        self.book = book
        self.clock = clock
        self.source = source

    # ── asking and measuring ──────────────────────────────────────────────────────────────────────────

    @cached_property
    def _asking(self) -> Client:
        from daybook.inference.client.client import Client

        asking = Client(self.settings, self.book.journal, clock=self.clock)
        atexit.register(asking.close)
        return asking

    def ask(self, prompt: str, *, model: str = EMBEDDED, **options: Any) -> Answer:
        """Ask a model one question; the call is journaled and priced like any other. The first question to the embedded
        model starts it (about a second).

        `options`: system, max_tokens (128), temperature, seed, project. Raises UnknownModel, or the ProviderError that
        the model's upstream caused.
        """
        return self._asking.answer(prompt, model=model, run_id=self.settings.run_id, **options)

    def dataset(
        self,
        source: str | Path | DataSet,
        *,
        columns: Mapping[str, str] | None = None,
        rows: int | None = None,
    ) -> DataSet:
        """Rows of a file, `hf:owner/name@commit#split`, `book:days=30` or `builtin:requests`; `rows` of them, chosen by
        hash."""
        from daybook.datasets import DataSet, load

        data = source if isinstance(source, DataSet) else load(source, columns=columns, book=self.book)
        return data.take(rows)

    def evaluate(
        self,
        data: str | Path | DataSet,
        models: Sequence[str | Contestant],
        *,
        columns: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Evaluation:
        """Which of the models (`name`, or `name?shots=3`) is better on these rows. Answers are kept: the same again
        costs nothing, unless `fresh`.

        `options`: task, rows, scorer, judge, rubric, concurrency (4), cost_limit in US dollars, time_limit in seconds,
        dask, fresh, part: as `evaluation.ask.evaluator.evaluate` takes them."""
        from daybook.evaluation.ask.evaluator import evaluate

        return evaluate(
            self._asking, self.settings, self.book.journal, self.dataset(data, columns=columns), models, **options
        )

    def calibrate(self, path: str | Path, **options: Any) -> Calibration:
        """Whether a judge agrees with people: kappa with its interval. The file has a column `human` and the judge's
        `verdict`; with `judge`, that model is asked now, about `input` and `prediction`.

        `options`: judge, rubric, cost_limit in US dollars."""
        from daybook.evaluation.ask.evaluator import calibrate

        return calibrate(lambda: self._asking, self.settings, self.book.journal, Path(path), **options)

    def approach(
        self,
        data: str | Path | DataSet,
        *,
        test: str | Path | DataSet | None = None,
        model: str = EMBEDDED,
        **options: Any,
    ) -> Approach:
        """Prompt, examples, retrieval or training: which one for these labelled rows. `test`: the held-out rows;
        without it a part of the data, by hash.

        `options`: methods, classes, rows (150), train_rows, shots (5), steps (60), hour_price (0.10 US dollars),
        concurrency (2), time_limit (540 seconds): as `approach.runner.compare` takes them."""
        from daybook.approach.runner import compare

        held = None if test is None else self.dataset(test)
        return compare(self._asking, self.settings, self.book.journal, self.dataset(data), held, model=model, **options)

    @cached_property
    def bias(self) -> Bias:
        """Do groups get different answers: decisions, sentence pairs, question sets, the same prompts for each group.

        book.bias.decisions("loans.csv", group=["sex"], prediction="granted", favourable="yes").prose
        """
        from daybook.bias.models import build

        return build(
            lambda: self._asking,
            home=self.settings.home,
            model=EMBEDDED,
            run_id=self.settings.run_id,
            content=self.settings.content,
        )

    @cached_property
    def tasks(self) -> TasksClient:
        """Sentiment, zero-shot classes, summaries and embeddings: `book.tasks.sentiment(["What a joy."])`."""
        from daybook.inference.tasks.client import TasksClient
        from daybook.providers.hf.models_file import named_models
        from daybook.providers.hf.process import TaskModels

        return TasksClient(
            lambda: self._asking,
            TaskModels(self.settings.home),
            named=lambda: named_models(self.settings.home),
            run_id=self.settings.run_id,
        )

    # ── reading ───────────────────────────────────────────────────────────────────────────────────

    def sql(self, query: str, **params: Any) -> pd.DataFrame:
        """Rows of a read-only query; `:name` parameters are bound from the keyword arguments. A query of a table with
        persons' data is entered in the trail first."""
        self._record_query(query)
        return self.book.sql(query, params)

    def calls(self, days: int = 7, *, limit: int = 10_000) -> pd.DataFrame:
        """The calls of the last `days` days, newest first, at most `limit`, with what was said where it can be read."""
        if days < 1:
            raise BadParameter(f"days is {days}.", remedy="Ask for at least 1 day.")
        since = self.clock.now() - timedelta(days=days)
        query = "select * from calls where time >= :since order by time desc limit :n"
        self._record_query(query)
        calls = self.book.sql(query, {"since": since, "n": limit})
        said = zip(calls["id"], calls["subject"], calls["prompt"], calls["answer"], strict=True)
        opened = self.book.content(
            [dict(zip(("id", "subject", "prompt", "answer"), row, strict=True)) for row in said]
        ).rows
        return calls.assign(**{name: [row[name] for row in opened] for name in ("prompt", "answer")})

    def _record_query(self, query: str) -> None:
        """Enter a read of persons' data; the sample has none."""
        from daybook.audit.reading import record_query
        from daybook.audit.trail import Trail

        if self.source != "sample":
            trail = Trail(self.book.journal, self.book.home, clock=self.clock, client="notebook")
            record_query(trail, query, actor=f"notebook:{user()}", run_id=self.settings.run_id)

    def costs(
        self, *, logical_date: str | date | None = None, days: int = 30, hour_price: float | str = "0.10"
    ) -> Costs:
        """Who spent what on which model in the `days` UTC days that end with `logical_date` (today). `hour_price`: US
        dollars for an hour of the machine that answers what costs nothing."""
        from daybook.costs.report import Costs

        day, price = logical_date or self._today, Decimal(str(hour_price))
        return Costs.read(self.book, logical_date=day, days=days, hour_price=price, now=self.clock.now())

    def traffic(self, *, logical_date: str | date | None = None, days: int = 7) -> Traffic:
        """What happened on the endpoint in the `days` UTC days that end with `logical_date` (today)."""
        from daybook.traffic.report import Traffic

        return Traffic.read(self.book, logical_date=logical_date or self._today, days=days, now=self.clock.now())

    def experiment(
        self,
        deployment: str,
        *,
        logical_date: str | date | None = None,
        days: int = 7,
        weights: Mapping[str, float] | None = None,
        versions: Sequence[str] = (),
    ) -> Experiment:
        """Is the newer version of a deployment better: its A/B, canary or shadow in the `days` UTC days that end with
        `logical_date` (today). `weights`: the configured split, where it is not the one that the deployment's own
        events say; `versions`: the two to compare, the candidate last."""
        from daybook.experiment.report import Experiment

        return Experiment.read(
            self.book,
            deployment=deployment,
            logical_date=logical_date or self._today,
            days=days,
            weights=weights,
            versions=versions,
            now=self.clock.now(),
        )

    def evidence(self, *, logical_date: str | date | None = None, days: int = 31) -> Evidence:
        """What the book shows of each control of GDPR, SOC 2, ISO 42001 and the EU AI Act in the `days` UTC days that
        end with `logical_date` (today): proven, partly or not, by which query, and what is not shown."""
        from daybook.evidence.report import Evidence

        day = logical_date or self._today
        return Evidence.read(self.book, logical_date=day, days=days, now=self.clock.now())

    def privacy(
        self,
        *,
        logical_date: str | date | None = None,
        days: int = 7,
        annotated: str = "builtin",
        threshold: float = 0.4,
    ) -> Privacy:
        """What personal data is in the content kept of the `days` UTC days that end with `logical_date` (today), and
        how well it is found in `annotated` texts: a file, or those that come along. The read is entered first."""
        from daybook.privacy.report import Privacy

        self._record_query(self.book.query_text("privacy_content"))
        day = logical_date or self._today
        return Privacy.read(self.book, logical_date=day, days=days, annotated=annotated, threshold=threshold)

    @property
    def _today(self) -> date:
        return self.clock.now().date()

    # ── training ──────────────────────────────────────────────────────────────────────────────────────

    def finetune(self, data: str | Path, recipe: Recipe, **more: Any) -> Plan:
        """Gate the data and say what training on it would take; nothing starts: then `book.tuner.start(plan, …)`.

        `more`: what `finetune.tuner.prepare` takes: against, licence, template, columns, policies, limit."""
        from daybook.finetune.tuner import prepare

        return prepare(self.settings.home, data, recipe, book=self.book, **more)

    def finetuning(
        self,
        data: str,
        *,
        name: str,
        recipe: Mapping[str, Any],
        against: Iterable[str] = (),
        licence: str = "",
        policies: Mapping[str, str] | None = None,
    ) -> Finetuning:
        """The same for a notebook, with everything said in prose, tables and charts; `train()` then trains."""
        from daybook.finetune.report import Finetuning
        from daybook.training.recipe import Recipe

        plan = self.finetune(
            data, Recipe.of(dict(recipe)), against=tuple(against), licence=licence or None, policies=policies
        )
        commands = {"sample": None, "url": f"DAYBOOK_BOOK={self.book.url_shown} "}.get(self.source, "")
        return Finetuning(self.tuner, plan, name=name, actor="notebook", run_id=self.settings.run_id, commands=commands)

    @cached_property
    def tuner(self) -> Tuner:
        """The trainings of this home."""
        from daybook.finetune.tuner import Tuner

        return Tuner(self.settings.home, self.book, self.clock)

    @cached_property
    def registry(self) -> Registry:
        """The registered models."""
        from daybook.registry.registry import Registry

        return Registry(self.book, self.clock)

    def feedback(self, call_id: str, *, good: bool, correction: str | None = None, consent: bool = False) -> None:
        """Enter what you think of an answer. `consent`: a model may be trained on it."""
        from daybook.inference import feedback

        feedback.give(
            self.book, call_id, good=good, correction=correction, consent=consent, actor="notebook", clock=self.clock
        )

    # ── entering ──────────────────────────────────────────────────────────────────────────────────

    def append(self, record: Record) -> None:
        """Acknowledge one record: it is in the journal when this returns."""
        self.book.append(record)

    def enter(self, findings: Iterable[Mapping[str, Any]]) -> str:
        """Enter what a run concluded, keyed by its run id; returns the findings' digest.

        Each finding is a mapping with `name`, `value`, `unit` and, where it is an estimate, `low`,
        `high`, `level` and `n`; further `note`. The digest depends on these alone, so a run repeated
        on the same rows prints the same one. Under the press the findings go into the project's
        book even when the notebook reads a sample.
        """
        from daybook.reporting.findings import enter

        book = self.book if self.settings.run_id is None else _project_book(self.settings, self.clock)
        run_id = self.settings.run_id or f"interactive-{new_id()}"
        return enter(book.journal, findings, run_id=run_id, actor="notebook", at=self.clock.now())

    def close(self) -> None:
        """Stop the embedded model if this workbench started it, and close the journal."""
        if "tasks" in self.__dict__:
            self.tasks.close()
        if "_asking" in self.__dict__:
            self._asking.close()
        self.book.close()

    def __enter__(self) -> Daybook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<daybook: {self.source}, {self.book.url_shown}>"

    def _repr_html_(self) -> str:
        row = self.book.rows("select count(*) as n, min(time) as first, max(time) as last from calls")[0]
        span = "" if row["first"] is None else f", {row['first']:%Y-%m-%d} to {row['last']:%Y-%m-%d}"
        return f"<b>Daybook</b> · {html.escape(self.book.url_shown)} · {row['n']:,} calls{span}"


def open(
    source: str | None = None,
    *,
    settings: Settings | None = None,
    book: Book | None = None,
    clock: Clock | None = None,
) -> Daybook:
    """Open a book: `None` or `"book"` for this project's, `"sample"` for a seeded sample in a
    temporary folder, or a `duckdb:///…` or `postgresql://…` URL.

    Raises BadParameter for any other source, and SettingsError in a folder that belongs to no project where no home is
    named: a second book is begun by mistake as a rule, and nobody can be asked here.
    """
    if settings is None and source != "sample" and (home := new_home()) is not None:
        raise unclaimed(home)
    settings = settings or Settings.from_env()
    clock = clock or SystemClock()
    if book is not None:
        return Daybook(settings, book, clock=clock, source=source or "book")
    if source in (None, "", "book"):
        return Daybook(settings, _project_book(settings, clock), clock=clock, source="book")
    if source == "sample":
        return _sample(settings, clock)
    if not source.startswith(("duckdb:///", "postgresql://", "postgres://")):
        raise BadParameter(
            f"{source.partition('://')[0]!r} is no book.",
            remedy='Say "book", "sample", duckdb:///path or postgresql://….',
        )
    return Daybook(settings, _project_book(replace(settings, book_url=source), clock), clock=clock, source="url")


def _project_book(settings: Settings, clock: Clock) -> Book:
    from daybook.book import Book

    return Book(settings.book_url, settings.home, vault=settings.vault, clock=clock)


def _sample(settings: Settings, clock: Clock) -> Daybook:
    from daybook.book import Book
    from daybook.book.sample.fill import fill

    folder = tempfile.TemporaryDirectory(prefix="daybook-sample-")
    atexit.register(folder.cleanup)
    home = Path(folder.name)
    book = Book(f"duckdb:///{home / 'book.duckdb'}", home, clock=clock)
    fill(book)
    return Daybook(settings, book, clock=clock, source="sample")


def ask_part(number: int, parts: int, data: str, models: Sequence[str], task: str, rows: int | None) -> int:
    """Ask one part of an evaluation's questions, so that whoever evaluates later finds them answered; returns how many
    were new. A flow's task, on whichever machine sees the same home."""
    with open() as book:
        return book.evaluate(data, models, task=task, rows=rows, part=(number, parts)).asked
