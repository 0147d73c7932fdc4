"""Experiments read from small books whose every figure is known, on DuckDB and on Postgres."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import exp, log

import pytest

from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import BadDate, BadParameter
from daybook.experiment.evidence import Period
from daybook.experiment.report import Experiment
from daybook.records import Call, Event
from daybook.reporting.tables import to_records
from daybook.reporting.text import plain
from daybook.routing.deployments import Deployments
from daybook.window import Window

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def call(n, variant, **fields):
    known = {
        "at": NOON + timedelta(seconds=n),
        "caller": f"desk-{n % 12}",
        "endpoint": "/v1/chat/completions",
        "requested_model": "summarizer",
        "latency": 1.0,
        "cost": Decimal("0.001"),
        "status": "ok",
        "request_id": f"r{n}",
    }
    return Call(id=f"{n:032x}", variant=variant, **(known | fields))


@pytest.fixture
def book(book_url, home):
    with Book(book_url, home) as made:
        yield made


def enter(book, *calls):
    for one in calls:
        book.append(one)
    return book


def read(book, **asked):
    return Experiment.read(book, **({"deployment": "summarizer", "logical_date": DAY, "days": 1} | asked))


def said(text):
    return plain(text).replace("\u00a0", " ")


SEEN = [
    call(1, "v1", latency=2.0, cost=Decimal("0.002")),
    call(2, "v1", latency=8.0, cost=Decimal("0.004")),
    call(3, "v1", status="error", latency=30.0, cost=None),
    call(4, "v1", status="client_closed", latency=9.0, cost=None),
    call(5, "v1", latency=7.0, cache_hit=True, cost=Decimal(0)),
    call(6, "v10", latency=3.0),
    call(7, "v10", fallback_from="house", latency=50.0, cost=Decimal(1)),
    call(8, "v2", latency=4.0),
    # none of these counts:
    call(9, "v1", status="retried", latency=60.0),
    call(10, "v1", requested_model="another"),
    call(11, None),
    call(12, "v1", at=NOON - timedelta(days=1)),
    call(13, "v1", at=NOON + timedelta(hours=12)),
]


def test_every_count_is_the_one_counted_by_hand(book):
    """Attempts, other deployments, other days and calls without a version are left out; a fallback is a failure;
    latency and cost are of the version's own fresh answers."""
    found = read(enter(book, *SEEN))
    assert found.called == ["v1", "v2", "v10"]
    assert (found.base, found.candidate, found.calls) == ("v1", "v10", 8)
    v1, v10 = found.version("v1", DAY), found.version("v10", DAY)
    assert (v1.calls, v1.failed, v1.latency.n, v1.cost.n) == (5, 1, 2, 2)
    assert exp(v1.latency.mean) == pytest.approx(4.0)
    assert v1.latency.squares == pytest.approx(log(2) ** 2 + log(8) ** 2)
    assert (v1.cost.mean, v1.cost.squares) == (pytest.approx(0.003), pytest.approx(0.002**2 + 0.004**2))
    assert (v10.calls, v10.failed, v10.latency.n) == (2, 1, 1)
    rows = to_records(found.by_version)
    assert [(row["version"], row["calls"], row["failed"], row["failed_rate"]) for row in rows] == [
        ("v1", 5, 1, 0.2), ("v2", 1, 0, 0.0), ("v10", 2, 1, 0.5),
    ]  # fmt: skip
    assert (rows[0]["latency"], rows[0]["per_1000"], rows[0]["scored"]) == (pytest.approx(4.0), pytest.approx(3.0), 0)


def test_two_versions_can_be_named(book):
    """The candidate last; not one, three, or the same twice."""
    enter(book, *SEEN)
    found = read(book, versions=["v10", "v2"])
    assert (found.base, found.candidate) == ("v10", "v2")
    assert "Not compared: v1." in said(found.verdict_prose)
    for versions in (["v1"], ["v1", "v2", "v10"], ["v1", "v1"]):
        with pytest.raises(BadParameter, match="cannot be compared"):
            read(book, versions=versions)
    with pytest.raises(BadDate):
        read(book, logical_date="20.11.2026")


def test_a_price_that_is_unknown_silences_the_cost(book):
    """Of one answered call of the two: how many is said, and no figure is given."""
    many = [
        call(n, f"v{1 + n % 2}", latency=1.0 + n % 3, cost=None if n == 7 else Decimal("0.001")) for n in range(600)
    ]
    found = read(enter(book, *many))
    assert found.version("v2", DAY).cost is None
    assert found.unpriced == 1
    assert "Nothing is said about cost: the price of 1 answered call is unknown." in said(found.measures_prose)
    row = next(row for row in to_records(found.measures) if row["measure"] == "cost")
    assert (row["value"], row["low"], row["state"]) == (None, None, "unknown")
    priced = {row["version"]: row["per_1000"] for row in to_records(found.by_version)}
    assert priced == {"v1": pytest.approx(1.0), "v2": None}


def test_the_last_word_about_an_answer_is_its_score(book):
    """Good counts 1, bad 0, a change of mind replaces; what is said of other calls does not count."""
    enter(book, *SEEN)
    for n, (of, good) in enumerate([(1, False), (2, True), (6, True), (1, True), (6, False), (10, True)]):
        at = NOON + timedelta(minutes=n)
        event = {"actor": "ada", "action": "feedback.given", "object": f"{of:032x}", "details": {"good": good}}
        book.append(Event(id=f"e{n}", at=at, **event))
    found = read(book)
    v1, v10 = found.version("v1", DAY).score, found.version("v10", DAY).score
    assert ((v1.n, v1.total), (v10.n, v10.total)) == ((2, 2.0), (1, 0.0))
    assert "Too few answers were scored (3) to judge by scores." in said(found.measures_prose)


def test_a_shadow_is_compared_on_the_same_requests(book):
    """300 copies, each twice as slow as its answer: worse in latency, whatever the spread between requests; a copy
    without its answer, and an attempt that was retried, make no pair."""
    answers, copies = [], []
    for n in range(300):
        seconds = 0.1 * (1 + n % 40)
        answers.append(call(n, "v1", latency=seconds))
        twice = 2 * seconds * (1 + n % 2 / 100)
        fields = {"endpoint": "shadow", "request_id": f"r{n}", "latency": twice, "cost": Decimal("0.0005")}
        copies.append(call(n + 1000, "v2", **fields))
    answers.append(call(400, "v1"))
    failed = {"endpoint": "shadow", "status": "error", "cost": None}
    copies.append(call(5000, "v2", request_id="r400", **failed))
    alone = call(5001, "v2", request_id="nobody", **failed)
    attempt = call(5002, "v1", request_id="r0", status="retried")
    found = read(enter(book, *answers, *copies, attempt, alone))
    assert (found.paired, found.base, found.candidate, found.calls) == (True, "v1", "v2", 301)
    decision = found.decision
    assert (decision.action, decision.calls) == ("roll back", 301)
    latency, cost, errors = (decision.measured[name] for name in ("latency", "cost", "errors"))
    assert exp(latency.value) == pytest.approx(2 * 1.01**0.5)
    assert (latency.n, latency.state) == (300, "worse")
    assert (cost.value, cost.state) == (pytest.approx(-0.0005), "better")
    assert (errors.value, errors.n) == (pytest.approx(1 / 301), 301)
    assert "It answered copies only" in said(found.verdict_prose)
    assert said(found.split_prose) == "There is no split to check."


def change(n, at, *, live="v1", candidate="v2", **percent):
    after = {"percent": {name: str(share) for name, share in percent.items()}, "live": live, "candidate": candidate}
    details = {"revision": n, "after": after}
    return Event(id=f"c{n}", at=at, actor="ada", action="deployment.promoted", object="summarizer", details=details)


def test_a_canary_is_read_out_by_its_steps(book):
    """Twenty calls an hour: 5 % for two hours with slow answers, then 50 % with fast ones. The versions are alike in
    each step; thrown together the candidate would seem faster. The split is checked step by step, without the first 15
    seconds of each, in which another machine may split as before."""
    start = datetime(2026, 11, 20, 6, tzinfo=UTC)
    book.append(change(1, start - timedelta(days=3), v1=100, v2=0))
    book.append(change(2, start, v1=75, v2=25))
    book.append(change(3, start + timedelta(hours=2), v1=25, v2=75))
    book.append(Event(id="x", at=start, actor="ada", action="deployment.promoted", object="another", details={}))
    for n in range(1600):
        second = n >= 800
        variant = "v2" if (n % 4 == 0) != second else "v1"
        seconds = (1.0 if second else 5.0) * (1 + (n // 4) % 2 / 10)
        at = start + timedelta(hours=2 if second else 0, seconds=1 + n % 800)
        book.append(call(n, variant, at=at, latency=seconds))
    book.append(call(1601, "v1", at=start - timedelta(hours=1)))
    found = read(book)
    assert [(p.start.hour, p.end.hour, p.weights) for p in found.periods] == [
        (0, 6, {"v1": 100.0, "v2": 0.0}), (6, 8, {"v1": 75.0, "v2": 25.0}), (8, 0, {"v1": 25.0, "v2": 75.0}),
    ]  # fmt: skip
    latency = found.decision.measured["latency"]
    assert latency.value == pytest.approx(0, abs=1e-9)
    assert (latency.low < 0 < latency.high, latency.n) == (True, 1600)
    ratio = found.decision.ratio
    assert (ratio.kept, ratio.counts) == (True, {"v1": 787, "v2": 786})
    assert ratio.expected == {"v1": 787.0, "v2": 786.0}
    assert "as configured in 3 periods of one split each" in said(found.split_prose)
    pooled = read(book, weights={"v1": 50, "v2": 50})
    assert pooled.decision.measured["latency"].high < -0.5
    assert (len(pooled.periods), pooled.decision.ratio.kept) == (1, True)


def test_what_a_deployment_enters_is_what_is_read(book):
    """A canary made, promoted and rolled back: its steps, and the candidate that it names, although v10 is newer."""
    clock = FixedClock(NOON - timedelta(days=1))
    deployments = Deployments(book, clock)
    deployments.create("summarizer", {"v1": "a", "v10": "b", "v2": "c"}, strategy="canary", candidate="v2", actor="ada")
    for hours, move in ((26, deployments.promote), (28, deployments.rollback)):
        clock.at = NOON - timedelta(days=1) + timedelta(hours=hours)
        move("summarizer", actor="ada")
    found = read(enter(book, *SEEN))
    assert (found.base, found.candidate) == ("v1", "v2")
    assert [(period.start, period.weights["v2"]) for period in found.periods] == [
        (NOON - timedelta(hours=12), 1.0), (NOON + timedelta(hours=2), 5.0), (NOON + timedelta(hours=4), 0.0),
    ]  # fmt: skip


def test_the_candidate_is_the_one_that_the_deployment_names(book):
    """Not the newest: v1 is tried again instead of v2; once it is live the last step still names both."""
    enter(book, *SEEN, change(1, NOON, live="v2", candidate="v1", v2=95, v1=5))
    book.append(change(2, NOON + timedelta(hours=1), live="v1", candidate=None, v2=0, v1=100))
    found = read(book)
    assert (found.base, found.candidate) == ("v2", "v1")
    assert (read(book, versions=["v1", "v2"]).base, read(book, versions=["v1", "v2"]).candidate) == ("v1", "v2")


@pytest.mark.parametrize(("late", "kept"), [(1, True), (10, True), (12, False)])
def test_calls_that_were_in_flight_when_the_split_changed_prove_nothing(late, kept):
    """A version without a share got 1 % of the calls: they had begun before. More is a fault."""
    found = experiment(row("v1", 1000 - late), row("v2", late), weights={"v1": 100, "v2": 0})
    assert found.decision.ratio.kept is kept


# ── what it says ──────────────────────────────────────────────────────────────────────────────────────


def row(variant, calls, failed=0, *, day=DAY, seconds=1.0, cost=0.001, spread=0.5, **fields):
    answered, mean = calls - failed, log(seconds)
    return {
        "period": 0, "day": day, "variant": variant, "calls": calls, "callers": 40, "failed": failed, "closed": 0,
        "answered": answered, "log_latency": answered * mean,
        "log_latency_squares": answered * (mean * mean + spread * spread), "unpriced": 0, "cost": answered * cost,
        "cost_squares": answered * cost * cost * 1.25,
    } | fields  # fmt: skip


def experiment(*rows, days=1, weights=None, **fields):
    window = Window.of(DAY, days)
    periods = [Period(window.start, window.end, weights or {})]
    return Experiment(window=window, deployment="summarizer", rows=list(rows), periods=periods, **fields)


def test_worse_is_said_with_its_figures_first():
    """And in the verdict that stands on the page; nothing is said of what is not known."""
    found = experiment(row("v1", 9_000, 90), row("v2", 1_000, 10, seconds=1.3))
    assert said(found.prose).startswith(
        "v2 is worse than v1: latency ×1.30 (1.22 to 1.38), after 10,000 calls. Roll it"
    )
    findings = {row["name"]: row for row in found.findings()}
    assert findings["verdict"]["note"].startswith("not met: v2 is worse than v1: latency ×1.30")
    assert findings["difference/latency"]["value"] == pytest.approx(1.3)
    assert findings["difference/latency"]["level"] == 0.9875
    assert findings["difference/score"]["level"] is None
    assert (findings["sample_ratio_p"]["value"], findings["sample_ratio_p"]["note"]) == (None, "not checked")
    assert "calls_more" not in findings
    assert "it is ruled out that v2 is as good in latency" in said(found.changes_prose)
    assert "score" not in said(found.measures_prose).lower()


@pytest.mark.parametrize(
    ("seconds", "sentence", "state"),
    [
        (1.0, "v2 is no worse than v1 by more than is tolerated, after 40,000 calls. It can be promoted.", "met"),
        (0.8, "v2 is better than v1: latency ×0.80 (0.78 to 0.82), and surely not worse in what else is known", "met"),
    ],
)
def test_better_and_no_worse_are_told_apart(seconds, sentence, state):
    """Both can be promoted; only one is called better."""
    found = experiment(row("v1", 20_000, 200), row("v2", 20_000, 200, seconds=seconds))
    assert sentence in said(found.verdict_prose)
    assert next(r for r in found.findings() if r["name"] == "verdict")["note"].startswith(state)
    assert "A narrower tolerance would" in said(found.changes_prose)


def test_what_cannot_be_told_says_how_many_calls_more():
    """To two digits in words, in full among the findings."""
    found = experiment(row("v1", 1_000, 10), row("v2", 1_000, 10))
    more = next(r for r in found.findings() if r["name"] == "calls_more")["value"]
    assert more == found.decision.more > 0
    about = f"{float(f'{more:.2g}'):,.0f}"
    text = said(found.verdict_prose)
    assert text.startswith("Whether v2 or v1 is better cannot be told yet, after 2,000 calls.")
    assert f"about {about} calls more tell" in text
    assert f"errors, about {about} more" in said(found.changes_prose)


def test_a_split_that_is_not_the_configured_one_is_said_and_stops_a_promotion():
    """With counts beside what was expected; a weight for each version, or the split is not checked."""
    rows = row("v1", 21_000, 210), row("v2", 19_000, 190)
    broken = experiment(*rows, weights={"v1": 50, "v2": 50})
    assert broken.decision.action == "wait"
    text = said(broken.split_prose)
    assert "The calls are not split as configured: v1 21,000 of 20,000 expected and v2 19,000 of 20,000" in text
    assert "which more of them do not mend" in said(broken.verdict_prose)
    assert "A split that is the configured one." in said(broken.changes_prose)
    kept = experiment(*rows, weights={"v1": 52.5, "v2": 47.5})
    assert kept.decision.action == "promote"
    assert "as far as 40,000 calls can show" in said(kept.split_prose)
    for weights in ({}, {"v1": 100}):
        unknown = experiment(*rows, weights=weights)
        assert "The split was not checked" in said(unknown.split_prose)
        assert unknown.decision.ratio is None


def test_few_callers_are_pointed_out():
    """Nine; ten are not."""
    few = experiment(row("v1", 500, callers=9), row("v2", 500, callers=3))
    assert "Only 9 callers at most called a version in a day" in said(few.split_prose)
    assert "Only" not in said(experiment(row("v1", 500, callers=10), row("v2", 500)).split_prose)


def test_without_two_versions_nothing_is_compared():
    """No call, or one version: not checked, and neither chart nor table fails."""
    nobody, one = experiment(), experiment(row("v1", 40))
    assert "No call of summarizer names a version" in said(nobody.prose)
    assert "Only v1 of summarizer was called" in said(one.prose)
    for found in (nobody, one):
        assert found.decision is None
        verdict = next(r for r in found.findings() if r["name"] == "verdict")
        assert verdict["note"].startswith("not checked: ")
        assert found.chart_measures().empty
        assert found.chart_course().empty
        assert len(found.measures) == 0


def test_the_charts_draw_what_is_known():
    """One panel a measure; the course has a point a day from the day on that an interval is known."""
    yesterday = DAY - timedelta(days=1)
    rows = [row(v, 600, 6, day=day, seconds=s) for day in (yesterday, DAY) for v, s in (("v1", 1.0), ("v2", 1.3))]
    found = experiment(*rows, days=3)
    figure = found.chart_measures()
    assert len(figure.axes) == 3
    latency = found.decision.measured["latency"]
    ends = next(
        line.get_xdata()
        for line in figure.axes[1].lines
        if len(set(line.get_ydata())) == 1 and line.get_ydata()[0] == 0
    )
    assert list(ends) == [pytest.approx(exp(latency.low)), pytest.approx(exp(latency.high))]
    course = found.chart_course()
    assert len(course.axes) == 3
    line = course.axes[1].lines[0]
    assert list(line.get_ydata()) == [pytest.approx(1.3), pytest.approx(1.3)]
    first, last = course.axes[1].collections[0].get_segments()
    assert first[1][1] - first[0][1] > last[1][1] - last[0][1] > 0


def test_an_unfinished_day_is_said():
    """As of the moment it was read."""
    found = experiment(row("v1", 40), row("v2", 40), now=NOON)
    assert said(found.verdict_prose).startswith("As of 12:00 UTC on 2026-11-20")


def test_a_measure_is_shown_in_the_unit_that_is_named():
    """Errors in points, latency as a ratio, cost of 1,000 calls in dollars, score as a gain."""
    scores = [
        {"at": NOON, "day": DAY, "variant": v, "good": n % k == 0}
        for v, k in (("v1", 1), ("v2", 2))
        for n in range(200)
    ]
    found = experiment(row("v1", 20_000, 200), row("v2", 20_000, 400, seconds=1.5, cost=0.0025), scores=scores)
    rows = {row["measure"]: row for row in to_records(found.measures)}
    assert [rows[name]["value"] for name in ("errors", "latency", "cost", "score")] == [
        pytest.approx(1.0), pytest.approx(1.5), pytest.approx(1.5), pytest.approx(-0.5),
    ]  # fmt: skip
    assert [rows[name]["tolerated"] for name in ("errors", "latency", "cost", "score")] == [
        pytest.approx(1.0), pytest.approx(1.1), pytest.approx(0.1), pytest.approx(-0.05),
    ]  # fmt: skip
    assert all(entry["low"] < entry["value"] < entry["high"] for entry in rows.values())


def test_a_period_of_one_version_alone_is_left_out_of_the_comparison():
    """Its unknown prices silence nothing."""
    window = Window.of(DAY, 2)
    first = Period(window.start, NOON, {"v1": 100, "v2": 0})
    rows = [row("v1", 500, unpriced=3), row("v1", 500, period=1), row("v2", 500, period=1)]
    second = Period(NOON, window.end, {"v1": 50, "v2": 50})
    found = Experiment(window=window, deployment="summarizer", rows=rows, periods=[first, second])
    assert found.decision.measured["cost"].n == 1_000
    assert found.decision.calls == 1_000


def test_a_week_is_read_where_nothing_is_said(book):
    """Seven days, the last one included."""
    found = Experiment.read(book, deployment="summarizer", logical_date=DAY)
    assert (found.window.days, found.window.last) == (7, DAY)


def test_what_is_tolerated_is_named_where_it_decides():
    """A point of errors, a tenth of the latency, a tenth of the cost of 1,000 calls."""
    text = said(experiment(row("v1", 20_000, 200), row("v2", 20_000, 200)).measures_prose)
    assert "not worse by more than a point." in text
    assert "not worse by more than 10.0 %." in text
    assert "not worse by more than $0.10 for 1,000 calls." in text


def test_one_caller_is_few_and_calls_that_cannot_decide_are_said_so():
    """One caller is pointed out; where a version answered nothing, or the two are too close, no number is made up."""
    lonely = experiment(row("v1", 500, callers=1), row("v2", 500, callers=1))
    assert "Only 1 caller at most called a version in a day" in said(lonely.split_prose)
    silent = experiment(row("v1", 3, 3), row("v2", 3, 3))
    assert silent.decision.measured["latency"].state == "unknown"
    text = said(silent.verdict_prose)
    assert "cannot be told yet" in text
