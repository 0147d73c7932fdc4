"""Canaries judged by their calls in the book, on DuckDB and on Postgres: promoted, rolled back or left alone."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from daybook.book import Book
from daybook.clock import FixedClock
from daybook.errors import BadParameter, Superseded
from daybook.experiment.judge import ACTOR, assess, figures, judge, judge_all
from daybook.experiment.report import Experiment
from daybook.records import Call, Event
from daybook.reporting.tables import to_records
from daybook.reporting.text import plain
from daybook.routing.deployments import CALLS_PER_STEP, Deployments, to_dict
from daybook.stats.sequential import Share, share_difference
from tests.fakes.many_calls import insert_calls

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
PAIR = {"v1": "old", "v2": "new"}


class Day:
    """A book, its deployments, and a clock that the test moves on; `calls` are made now, a millisecond apart."""

    def __init__(self, book: Book) -> None:
        self.book = book
        self.clock = FixedClock(NOON)
        self.deployments = Deployments(book, self.clock)
        self.n = 0

    def create(self, **more):
        known = {"strategy": "canary", "steps": (10, 50, 100), "actor": "ada"}
        return self.deployments.create("chat", PAIR, **(known | more))

    def calls(self, v1=0, v2=0, *, failed=0, slower=1.0, cost=Decimal("0.001"), **fields):
        """So many of each version, alike but for what the second does: it fails the first `failed` times."""
        for variant, n, failing, times in (("v1", v1, 0, 1.0), ("v2", v2, failed, slower)):
            ends = {
                "at": self.clock.now(),
                "status": "ok",
                "endpoint": "/v1/chat/completions",
                "requested_model": "chat",
            }
            call = Call(id="", request_id="", variant=variant, **(ends | fields))
            each = {
                "id": "lower(lpad(to_hex(number), 32, '0'))",
                "request_id": "'r' || number",
                "caller": "'c' || number",
                "at": f"timestamptz '{call.at.isoformat()}' + number * interval '1 millisecond'",
                "latency": f"(0.9::double precision + 0.02::double precision * (k % 11)) * {times}::double precision",
                "status": f"case when k < {failing} then 'error' else 'ok' end",
                "cost": f"case when k < {failing} then null else cast({cost or 'null'} as decimal(24, 12)) end",
            }
            insert_calls(self.book, call, {name: each[name] for name in each if name not in fields}, n, self.n)
            self.n += n

    def later(self, seconds=3600):
        self.clock.at += timedelta(seconds=seconds)

    def judge(self):
        return judge(self.deployments, "chat", actor="ops")

    @property
    def share(self):
        return self.deployments.get("chat").weights["v2"]


@pytest.fixture
def day(book_url, home):
    with Book(book_url, home) as book:
        yield Day(book)


def events(day, action):
    return [e["details"] for e in day.book.rows("select * from events order by time, id") if e["action"] == action]


def test_one_that_fails_is_rolled_back_with_the_figures_that_decided_it(day):
    """40 of 200 against none of 1,800: errors decide, by the interval of these very counts; the event, the revision and
    what is shown say the same."""
    day.create()
    day.calls(1800, 200, failed=40)
    day.later()
    judgement = day.judge()
    assert (judgement.action, day.share) == ("roll back", 0)
    expected = share_difference([(Share(0, 1800), Share(40, 200))], alpha=0.05 / 2 / 4)
    (details,) = events(day, "deployment.rolled_back")
    kept = details["figures"]
    assert (details["before"]["percent"], details["after"]["percent"]) == (
        {"v1": "90", "v2": "10"},
        {"v1": "100", "v2": "0"},
    )
    errors = kept["measures"]["errors"]
    assert errors == {
        "value": pytest.approx(0.2), "low": pytest.approx(expected.low), "high": pytest.approx(expected.high),
        "tolerated": 0.01, "state": "worse", "n": 2000, "more": None,
    }  # fmt: skip
    assert {name: kept[name] for name in kept if name not in ("measures", "sample_ratio")} == {
        "action": "roll back", "verdict": "worse", "sentence": "v2 is worse than v1 in errors, after 2,000 calls.",
        "compared": ["v1", "v2"], "since": NOON.isoformat(), "percent": {"v1": "90", "v2": "10"}, "step_calls": 200,
        "calls": 2000, "calls_more": None, "criteria": ["errors"], "level": 0.99375, "basis": "trial",
        "versions": {"v1": {"calls": 1800, "failed": 0}, "v2": {"calls": 200, "failed": 40}},
    }  # fmt: skip
    assert (kept["sample_ratio"]["counts"], kept["sample_ratio"]["kept"]) == ({"v1": 1800, "v2": 200}, True)
    last = day.deployments.get("chat")
    assert (last.figures, last.reason, last.actor, last.action) == (kept, kept["sentence"], "ops", "rolled_back")
    assert kept == figures(judgement)


def test_a_step_takes_as_many_calls_as_the_deployment_says(day):
    """Of the candidate: one less waits and says how many there were; the number is kept and shown."""
    day.create(calls_per_step=2_000)
    day.calls(18_000, 1_999)
    day.later()
    waiting = day.judge()
    assert (waiting.action, day.share) == ("wait", 1000)
    assert waiting.sentence == "v2 is no worse than v1, after 19,999 calls; the step has had 1,999 of its 2,000 calls."
    day.calls(0, 1)
    day.later()
    assert (day.judge().action, day.share) == ("promote", 5000)
    assert to_dict(day.deployments.get("chat"))["calls_per_step"] == 2_000


@pytest.mark.parametrize(
    ("second", "criterion"),
    [({"slower": 1.5}, "latency"), ({"cost": Decimal("0.002")}, "cost")],
)
def test_slower_or_dearer_is_rolled_back_too(day, second, criterion):
    """By the one measure that is worse."""
    day.create()
    day.calls(2700)
    day.calls(0, 300, **second)
    day.later()
    judgement = day.judge()
    assert (judgement.action, judgement.changed.figures["criteria"]) == ("roll back", [criterion])


def test_a_good_one_goes_up_step_by_step_until_it_is_live(day):
    """10, 50 and then all: each step waits for its own calls, and the evidence of the steps before counts on."""
    day.create()
    steps = []
    for v1, v2 in ((18_000, 2_000), (60, CALLS_PER_STEP - 1), (0, 1)):
        day.later()
        day.calls(v1, v2)
        day.later()
        steps.append((day.judge().action, day.share))
    assert steps == [("promote", 5000), ("wait", 5000), ("promote", 10_000)]
    now = day.deployments.get("chat")
    assert (now.live, now.candidate) == ("v2", None)
    assert (now.figures["calls"], now.figures["step_calls"]) == (20_160, CALLS_PER_STEP)
    assert now.figures["criteria"] == ["errors", "latency", "cost"]
    assert now.reason == "v2 is no worse than v1, after 20,160 calls."
    with pytest.raises(BadParameter, match="chat has no candidate on trial"):
        day.judge()
    assert judge_all(day.deployments, day.deployments.list()) == []


def test_a_step_that_has_not_had_its_calls_waits(day):
    """However sure the figures are; what is said names both numbers."""
    day.create()
    day.calls(18_000, 2_000)
    day.later()
    day.judge()
    judgement = day.judge()
    assert (judgement.action, judgement.waits_for_step, day.share) == ("wait", True, 5000)
    assert judgement.sentence == "v2 is no worse than v1, after 20,000 calls; the step has had 0 of its 100 calls."
    assert figures(judgement)["percent"] == {"v1": "50", "v2": "50"}


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({}, "Cannot tell: no call of v2 or v1 since the trial began."),
        ({"v1": 30}, "Cannot tell yet, after 30 calls: no call of v2 yet."),
        ({"v1": 18_000, "v2": 2_000, "cost": None},
         "Cannot tell yet, after 20,000 calls: the price of 20,000 answered calls is unknown."),
        ({"v1": 15_000, "v2": 5_000}, "Cannot tell yet, after 20,000 calls: the calls are not split as configured."),
    ],
)  # fmt: skip
def test_what_is_not_known_is_never_promoted(day, made, sentence):
    """No rows, one version alone, no price, a split that is not the one: wait, and why."""
    day.create()
    day.calls(**made)
    day.later()
    judgement = day.judge()
    assert (judgement.action, judgement.changed, day.share, judgement.sentence) == ("wait", None, 1000, sentence)
    assert figures(judgement)["verdict"] == "cannot tell"
    assert events(day, "deployment.promoted") == []


def test_what_is_open_says_about_how_many_calls_more(day):
    """The number of the judge, and the measures that it is of."""
    day.create()
    day.calls(1800, 200)
    day.later()
    kept = figures(day.judge())
    assert (
        kept["criteria"] == [name for name, m in kept["measures"].items() if m["state"] == "cannot tell"] == ["errors"]
    )
    assert kept["calls_more"] == kept["measures"]["errors"]["more"] > 0
    assert (
        kept["sentence"]
        == f"Cannot tell yet, after 2,000 calls: about {kept['calls_more']:,} calls more would tell errors."
    )


def test_a_wider_tolerance_is_the_deployments_own(day):
    """Five points of errors instead of one: what was open is promoted."""
    day.create(tolerance={"errors": 0.05})
    day.calls(4500, 500)
    day.later()
    assert (day.judge().action, day.share) == ("promote", 5000)
    assert day.deployments.get("chat").figures["measures"]["errors"]["tolerated"] == 0.05


def test_scores_that_people_give_count(day):
    """The candidate's answers are called bad: rolled back for the score alone."""
    day.create()
    day.calls(1350, 150)
    for n in range(1501):
        good = n <= 1350
        day.book.append(Event(id=f"e{n}", at=day.clock.now(), actor="ada", action="feedback.given", object=f"{n:032x}",
                              details={"good": good if n % 10 else not good}))  # fmt: skip
    day.later()
    judgement = day.judge()
    assert (judgement.action, judgement.changed.figures["criteria"]) == ("roll back", ["score"])


def test_the_trial_begins_anew_after_a_rollback(day):
    """What it did before it was taken out is not held against it again; a removal or a replacement ends a trial too."""
    day.create()
    day.calls(1800, 200, failed=40)
    day.later()
    day.judge()
    assert assess(day.book, day.deployments.history("chat")) is None
    day.later()
    day.deployments.promote("chat", actor="ada")
    judgement = day.judge()
    assert (judgement.action, judgement.decision) == ("wait", None)
    assert judgement.evidence.periods[0].start == day.clock.now()
    day.calls(90, 10)
    assert day.judge().decision.calls == 100
    day.later()
    day.create(anew=True)
    assert day.judge().decision is None
    day.deployments.remove("chat", actor="ada")
    assert assess(day.book, day.deployments.history("chat")) is None


@pytest.mark.parametrize(
    ("broken", "criterion"),
    [({"failed": 100}, "errors"), ({"failed": 250}, "errors"), ({"slower": 1.5}, "latency"),
     ({"cost": Decimal("0.0015")}, "cost")],
)  # fmt: skip
def test_what_breaks_at_a_larger_share_is_rolled_back_however_good_it_was_before(day, broken, criterion):
    """20,000 good calls at 10 %, then 500 of each at 50 %: neither a mean of both steps nor the first one's certainty
    hides it. The figures say of which calls they are."""
    day.create()
    day.calls(18_000, 2_000)
    day.later()
    assert day.judge().action == "promote"
    day.calls(500)
    day.calls(0, 500, **broken)
    day.later()
    judgement = day.judge()
    kept = judgement.changed.figures
    assert (judgement.action, day.share, criterion in kept["criteria"]) == ("roll back", 0, True)
    measure = kept["measures"][criterion]
    assert measure["state"] == "worse"
    if kept["basis"] == "step":
        assert (kept["calls"], kept["level"]) == (1000, 1 - 0.05 / 2 / 3 / 4)
        assert kept["sentence"].endswith("after 1,000 calls at this step.")
        assert kept["since"] == (NOON + timedelta(hours=1)).isoformat()
    else:
        assert (kept["calls"], kept["level"]) == (21_000, 1 - 0.05 / 2 / 4)


def test_two_judges_decide_once(day):
    """Both read the same revision; one acts, the other is refused and changes nothing."""
    day.create()
    day.calls(18_000, 2_000)
    day.later()
    before, outcomes, gate = day.deployments.get("chat"), [], threading.Barrier(2)

    class Late(Deployments):
        """Reads what it bases itself on before the other one acts."""

        def promote(self, name, **more):
            gate.wait(20)
            return super().promote(name, **more)

    def run():
        try:
            outcomes.append(judge(Late(day.book, day.clock), "chat", actor="ops").action)
        except Superseded:
            outcomes.append("superseded")

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes) == ["promote", "superseded"]
    assert [r.revision for r in day.deployments.history("chat")] == [before.revision, before.revision + 1]
    assert (day.share, len(events(day, "deployment.promoted"))) == (5000, 1)


@pytest.mark.parametrize("decision", ["rollback", "promote", "remove", "manual"])
def test_a_decision_made_by_a_person_in_between_wins(day, decision):
    """What was judged before it is not done after it, and the loop goes on."""
    day.create()
    day.calls(18_000, 2_000)
    day.later()

    class Slow(Deployments):
        def promote(self, name, **more):
            person = Deployments(day.book, day.clock)
            if decision == "manual":
                person.set_automatic(name, automatic=False, actor="ada")
            else:
                getattr(person, decision)(name, actor="ada")
            return super().promote(name, **more)

    assert judge_all(Slow(day.book, day.clock), day.deployments.list()) == []
    last = day.deployments.history("chat")[-1]
    assert (last.revision, last.actor, last.figures) == (2, "ada", None)


def test_only_what_is_automatic_is_judged_by_itself(day):
    """A manual canary is judged when somebody asks; its evidence is not cut by the change to manual and back."""
    day.create(automatic=False)
    day.calls(18_000, 2_000)
    day.later()
    assert judge_all(day.deployments, day.deployments.list()) == []
    changed = day.deployments.set_automatic("chat", automatic=True, actor="ada", reason="go")
    assert (changed.action, changed.automatic, changed.reason) == ("automatic", True, "go")
    assert day.deployments.set_automatic("chat", automatic=True, actor="ada") == changed
    (judgement,) = judge_all(day.deployments, day.deployments.list())
    assert (judgement.action, judgement.decision.calls, day.share) == ("promote", 20_000, 5000)
    assert day.deployments.get("chat").actor == ACTOR == "daybook"
    assert day.deployments.set_automatic("chat", automatic=False, actor="ada").action == "manual"


def test_who_only_acts_does_not_reckon_how_many_calls_it_takes(day):
    """The same decision; the number is for people, also with what was decided. A look that changes nothing is none."""
    day.create()
    day.calls(900, 100)
    day.later()
    looks = [assess(day.book, day.deployments.history("chat"), look_ahead=ahead) for ahead in (True, False)]
    assert [look.action for look in looks] == ["wait", "wait"]
    assert looks[0].decision.more > 1_000
    assert [(look.evidence.look_ahead, look.step.look_ahead) for look in looks] == [(True, True), (False, False)]
    assert looks[1].decision.more is None
    assert {measure.more for measure in looks[1].decision.measured.values()} == {None}
    assert judge_all(day.deployments, day.deployments.list()) == []


def test_calls_after_a_change_are_of_the_new_step(day):
    """Each step is compared within itself: the candidate's share of slow hours does not count against it. The
    split is not judged by the first 15 seconds of a step, in which another machine may have split as before."""
    day.create()
    day.calls(900, 100)
    day.later()
    day.deployments.promote("chat", actor="ada")
    day.calls(0, 40)
    day.later(13)
    day.calls(0, 1)
    day.later(2)
    day.calls(500, 459)
    judgement = assess(day.book, day.deployments.history("chat"))
    assert [(p.start, p.weights) for p in judgement.evidence.periods] == [
        (NOON, {"v1": 90.0, "v2": 10.0}), (NOON + timedelta(hours=1), {"v1": 50.0, "v2": 50.0}),
    ]  # fmt: skip
    assert (judgement.step_calls, judgement.decision.calls) == (500, 2000)
    assert judgement.decision.ratio.counts == {"v1": 1400, "v2": 559}
    assert judgement.decision.ratio.expected == {"v1": 1379.5, "v2": 579.5}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"tolerance": {"speed": 0.1}}, "'speed' is no measure"),
        ({"tolerance": {"errors": 0}}, "errors is 0"),
        ({"tolerance": {"errors": 1.01}}, "errors is 1.01"),
        ({"tolerance": {"cost": float("nan")}}, "cost is nan"),
        ({"tolerance": {"cost": True}}, "cost is True"),
        ({"strategy": "shadow", "automatic": True, "steps": ()}, "A shadow is not judged by itself"),
        ({"strategy": "shadow", "calls_per_step": 500, "steps": ()}, "A shadow is not judged by itself"),
        ({"calls_per_step": CALLS_PER_STEP - 1}, "A step of 99 calls of the candidate is too short to judge it"),
        ({"strategy": "ab", "weights": {"v1": 1, "v2": 99}, "tolerance": {"cost": 0.1}}, "An ab is not judged"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_makes_nothing(day, more, message):
    """The numbers are said, and there is no deployment."""
    with pytest.raises(BadParameter, match=message):
        day.create(**more)
    assert day.deployments.list() == []


# ── who keeps a version ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sticky", ["session", "caller", "user", "request"])
def test_calls_of_one_who_keeps_a_version_count_as_alike_as_they_are(day, sticky):
    """Twenty on each version with a hundred calls each, some of them always slow: by single calls the candidate would
    be surely slower; by those who called it cannot be told. Of calls that are split one by one, the calls count."""
    day.create(steps=(50, 100), sticky=sticky)
    for n in range(40):
        second = n % 2
        who = {"session": {"tags": {"session": f"s{n}"}}, "caller": {"key_id": f"k{n}"}, "user": {"subject": f"u{n}"}}
        heavy = 3.0 if n % 8 in (1, 3) or n == 0 else 1.0
        day.calls(*((0, 100) if second else (100, 0)), latency=heavy, **who.get(sticky, {}))
    judgement = assess(day.book, day.deployments.history("chat"))
    latency = judgement.decision.measured["latency"]
    assert latency.n == 4000
    if sticky == "request":
        assert (judgement.action, latency.state) == ("roll back", "worse")
        assert judgement.decision.ratio.counts == {"v1": 2000, "v2": 2000}
        return
    assert (judgement.action, latency.state, latency.low) == ("wait", "cannot tell", None)
    assert judgement.decision.ratio.counts == {"v1": 20, "v2": 20}
    effects = judgement.evidence.version("v2", None, 0).effects
    assert effects["latency"] == pytest.approx(100 * 20 / 19)
    assert (effects["errors"], effects["cost"]) == (1.0, 1.0)


def test_who_comes_again_at_the_next_step_was_split_once(day):
    """Thirty sessions at 10 %, the same and thirty more at 50 %: sixty, each by the shares of its first call."""
    day.create(sticky="session")
    for n in range(30):
        day.calls(*((0, 1) if n < 3 else (1, 0)), tags={"session": f"s{n}"})
    day.later()
    day.deployments.promote("chat", actor="ada")
    day.later()
    for n in range(60):
        day.calls(*((0, 1) if n < 3 or n >= 45 else (1, 0)), tags={"session": f"s{n}"})
    judgement = assess(day.book, day.deployments.history("chat"))
    ratio = judgement.decision.ratio
    assert (ratio.counts, ratio.expected) == ({"v1": 42, "v2": 18}, {"v1": 42.0, "v2": 18.0})
    assert judgement.decision.calls == 90


# ── written up in the report ──────────────────────────────────────────────────────────────────────────


def test_the_next_report_says_what_was_decided_by_which_figures(day):
    """A promotion, a rollback and what people did: each in words with its figures, the newest first, and as a row."""
    day.create(reason="new model")
    day.calls(18_000, 2_000)
    day.later()
    judge_all(day.deployments, day.deployments.list())
    day.calls(500, 500, failed=250)
    day.later()
    judge_all(day.deployments, day.deployments.list())
    report = Experiment.read(day.book, deployment="chat", logical_date="2026-11-27", days=1)
    text = plain(report.decisions_prose).replace("\u00a0", " ")
    back, up = (day.deployments.history("chat")[n].figures for n in (2, 1))
    errors = back["measures"]["errors"]
    ends = [f"{100 * errors[end]:+.1f}" for end in ("value", "low", "high")]
    assert text == (
        "At 2026-11-27 14:00 daybook rolled back v2, from 50 to 0 %: v2 is worse than v1 in errors, after 21,000 calls"
        f" (errors {ends[0]} points ({ends[1]} points to {ends[2]} points)). "
        "At 2026-11-27 13:00 daybook promoted v2, from 10 to 50 %: v2 is no worse than v1, after 20,000 calls."
        " 1 change was made without figures."
    )  # fmt: skip
    assert up["criteria"] == ["errors", "latency", "cost"]
    rows = to_records(report.decisions)
    assert [(row["by"], row["action"], row["before"], row["after"], row["why"]) for row in rows] == [
        ("ada", "created", "", "v1 90 %, v2 10 %", "new model"),
        ("daybook", "promoted", "v1 90 %, v2 10 %", "v1 50 %, v2 50 %", up["sentence"]),
        ("daybook", "rolled back", "v1 50 %, v2 50 %", "v1 100 %", back["sentence"]),
    ]
    assert [row["at"] for row in rows] == [NOON + timedelta(hours=n) for n in range(3)]
    found = {row["name"]: (row["value"], row["n"]) for row in report.findings()}
    assert found["decisions"] == (2, 3)
    assert text in plain("\n".join(report.paragraphs)).replace("\u00a0", " ")
    assert plain(report.verdict_prose).endswith("It was rolled back.")
    before = Experiment.read(day.book, deployment="chat", logical_date="2026-11-26", days=1)
    assert plain(before.decisions_prose).startswith("Nothing was changed, ")
    assert to_records(before.decisions) == []


@pytest.mark.parametrize(
    ("cost", "moves", "said"),
    [
        ("0.001", [], "It can be promoted."),
        ("0.0005", [], "Promote it."),
        ("0.001", ["promote", "promote"], "It is live."),
        ("0.0005", ["promote", "promote"], "It is live."),
        ("0.002", [], "Roll it back."),
        ("0.002", ["promote"], "Roll it back."),
        ("0.002", ["rollback"], "It was rolled back."),
        ("0.002", ["promote", "promote"], "It is live."),
    ],
)
def test_nothing_is_advised_that_was_done(day, cost, moves, said):
    """What is to be done with the candidate, unless it is live or was taken out already."""
    day.create(automatic=False)
    day.later()
    day.calls(18_000)
    day.calls(0, 2_000, cost=Decimal(cost))
    day.later()
    for move in moves:
        getattr(day.deployments, move)("chat", actor="ada")
    report = Experiment.read(day.book, deployment="chat", logical_date="2026-11-27", days=1)
    assert plain(report.verdict_prose).replace("\u00a0", " ").endswith(said)


def test_what_only_people_changed_is_not_taken_for_a_verdict(day):
    """Two changes by hand: counted, and said to be without figures."""
    day.create(automatic=False)
    day.deployments.promote("chat", actor="ada")
    report = Experiment.read(day.book, deployment="chat", logical_date="2026-11-27", days=1)
    assert plain(report.decisions_prose).replace("\u00a0", " ") == "2 changes were made without figures, none by them."


def test_copies_that_a_shadow_did_not_get_are_counted(day):
    """Ten answered calls, seven copies of which two failed; one was dropped, one over budget, one waits. What was
    refused is not copied; calls before the shadow began, of another deployment or candidate are not its business."""
    day.calls(5)
    day.later()
    day.deployments.create("chat", PAIR, strategy="shadow", actor="ada")
    day.calls(10)
    day.calls(2, status="error")
    day.calls(1, requested_model="other")
    for n in range(7):
        failed = n < 2
        facts = {"endpoint": "shadow", "request_id": f"r{6 + n}", "requested_model": "chat", "variant": "v2"}
        day.book.append(
            Call(id=f"copy{n}", at=day.clock.now(), status="error" if failed else "ok", latency=1.0, **facts)
        )
    other = {"endpoint": "shadow", "request_id": "r14", "requested_model": "chat", "variant": "v9", "status": "ok"}
    day.book.append(Call(id="copy9", at=day.clock.now(), latency=1.0, **other))
    for n, (name, candidate, why) in enumerate((
        ("chat", "v2", "dropped"), ("chat", "v2", "over_budget"), ("chat", "v9", "dropped"), ("other", "v2", "dropped"),
    )):  # fmt: skip
        details = {"candidate": candidate, "why": why, "n": 1}
        facts = {"actor": "endpoint", "action": "shadow.skipped", "object": name, "details": details}
        day.book.append(Event(id=f"skipped{n}", at=day.clock.now(), **facts))
    report = Experiment.read(day.book, deployment="chat", logical_date="2026-11-27", days=1)
    copies = report.copies
    assert (copies.calls, copies.answered, copies.failed) == (10, 5, 2)
    assert (copies.dropped, copies.over_budget, copies.waiting) == (1, 1, 1)
    found = {row["name"]: (row["value"], row["n"]) for row in report.findings()}
    names = ("answered", "failed", "dropped", "over_budget", "waiting")
    assert [found[f"copies/{name}"] for name in names] == [(5, 10), (2, 10), (1, 10), (1, 10), (1, 10)]
    text = plain(report.verdict_prose).replace("\u00a0", " ")
    assert "after 7 requests that both answered. " in text
    assert (
        " Of 10 answered calls it answered 5, 2 of its copies failed; not made: 1 dropped because too many waited,"
        " 1 over its budget or without a known price, 1 waiting, or lost with an endpoint that was killed."
    ) in text
    day.later()
    day.deployments.promote("chat", actor="ada")
    day.calls(0, 4)
    again = Experiment.read(day.book, deployment="chat", logical_date="2026-11-27", days=1)
    assert again.copies == copies
    day.create(anew=True)
    assert Experiment.read(day.book, deployment="chat", logical_date="2026-11-27", days=1).copies == copies
