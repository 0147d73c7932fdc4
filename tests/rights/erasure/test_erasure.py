"""A person is erased everywhere, to the byte; others are not touched; and it can be killed at any moment."""

import json
import multiprocessing
import os
import signal
from dataclasses import replace
from datetime import timedelta

import pyarrow.parquet as pq
import pytest

from daybook.audit.seals import seals
from daybook.audit.trail import Trail
from daybook.audit.verification.whole import verify
from daybook.book import Book
from daybook.book.content import is_sealed
from daybook.book.trail import standings
from daybook.book.trail.names import PERSON, reference
from daybook.clock import new_id
from daybook.errors import BadParameter, KeyDestroyed, VaultUnusable
from daybook.records import DeploymentRevision, Event, Finding, ModelAlias, ModelVersion, Run
from daybook.rights.access import Access
from daybook.rights.erasure.erasures import STEPS, Erasures
from daybook.rights.erasure.proof import ErasureIncomplete, limits_of
from daybook.rights.rotation import rotate
from daybook.rights.standing import Standings
from daybook.rights.traces import MOST_TEXTS
from daybook.vault import Vault
from tests.rights.conftest import ADA, ANSWERED, AT, BOS, SAID, call, paths_of_exports

WORDS = {"by": "dpo", "identity_check": "passport seen at the desk", "reason": "request of 3 March"}


def erasures(place, **more):
    return Erasures(place.settings, place.book, place.vault, place.clock, **more)


def held(plan):
    return {(h.place, h.what): (h.count, h.action) for h in plan.holdings}


def test_a_plan_says_what_is_where_and_changes_nothing(place):
    """What, where, how many, what is kept and why; the bytes of all files stay the same, and so do the rows."""
    before, rows = place.bytes_of("book.duckdb", "journal", "audit"), place.book.rows("select * from calls order by id")
    plan = erasures(place).plan(ADA)
    assert held(plan) == {
        ("book", "calls that name the person"): (3, "erase"),
        ("book", "of them with what was said"): (3, "erase"),
        ("book", "rows of calls"): (3, "keep"),
        ("book", "the person's own entry"): (1, "erase"),
        ("book", "models trained on the person's data"): (1, "mark"),
        ("journal", "lines that are in the book already"): (5, "erase"),
        ("cache", "answers that are kept"): (1, "erase"),
        ("files", "files in finetune"): (2, "erase"),
        ("files", "reports"): (2, "erase"),
        ("files", "exports"): (2, "erase"),
        ("vault", "the person's key"): (1, "erase"),
    }
    assert all(h.why for h in plan.holdings if h.action != "erase")
    assert place.bytes_of("book.duckdb", "journal", "audit") == before
    assert place.book.rows("select * from calls order by id") == rows
    assert place.ada not in json.dumps(plan.to_dict())
    assert plan.to_dict()["status"] == "can be erased"


def test_a_plan_is_in_the_trail_before_it_is_handed_out(place):
    """By whom, about whom and what it said, for somebody of whom nothing is held as well."""
    for who, status in ((ADA, "can be erased"), ("nobody@example.com", "nothing held")):
        plan = erasures(place).plan(who, by="dpo")
        (event,) = place.book.rows(
            "select actor, details from events where action = 'subject.planned' and subject = :s", {"s": plan.reference}
        )
        assert event == {"actor": "dpo", "details": {"holdings": len(plan.holdings), "status": status}}


def test_what_was_not_looked_for_is_said():
    """Texts beyond the most that are, with both numbers; none at the limit, and none of what is not there."""
    assert limits_of({"texts": MOST_TEXTS, "copies_away": [], "kept_in_the_trail": {}}) == []
    assert limits_of({"texts": MOST_TEXTS + 1}) == [
        "Of 20,001 texts that were said, the first 20,000 were looked for in files."
    ]


def gone(place):
    """Nothing of Ada is in any byte or row; only the vault keeps her tombstone."""
    data = place.bytes_of("keys") + b"".join(path.read_bytes() for path in paths_of_exports(place))
    for word in (place.ada, ADA, "Grete", "Linden Row", "bakery"):
        assert word.encode() not in data, word
    assert pq.read_table(paths_of_exports(place)[1]).num_rows == 3
    rows = place.calls()
    emptied = [row for row in rows if row["subject"] is None]
    assert len(emptied) == 3
    assert all((row["prompt"], row["answer"], row["prompt_hash"]) == (None, None, None) for row in emptied)
    assert {str(row["cost"]) for row in rows} == {"0.250000000000"}
    others = [row for row in rows if row["subject"] == place.bo]
    assert len(others) == 3
    assert all(BOS in row["prompt"] and row["tags"] == {"desk": "3"} for row in others)


def test_an_erasure_leaves_no_byte_and_touches_nobody_else(place):
    """Book, journal, cache, training rows, notebooks, pages and exports; counts and costs stay as they were."""
    outcome = erasures(place).execute(ADA, **WORDS)
    assert outcome.status == "erased"
    gone(place)
    home = place.settings.home
    job = home / "finetune" / "ft-000000000001"
    assert [json.loads(line)[0] for line in (job / "data.jsonl").read_text().splitlines()] == ["2"]
    assert json.loads((job / "job.json").read_text())["spec"]["subjects"] == ["[erased]", place.bo]
    report = place.settings.reports / "traffic" / "2026-03-01"
    text = json.loads((report / "traffic.ipynb").read_text())["cells"][0]["outputs"][0]["text"]
    assert text == ["What was asked:\n", "[erased]\n", f"{BOS}\n"]
    assert (report / "index.html").read_text() == f"<p>[erased]</p><p>{BOS}</p><p>[erased]</p>"
    (model,) = place.book.rows("select subjects, tags from models")
    assert model["tags"] == {"job": "ft-000000000001", "erased_subjects": "1"}
    assert len(model["subjects"]) == 2
    assert place.bo in model["subjects"]
    with pytest.raises(KeyDestroyed):
        place.vault.seal(place.ada, b"")
    assert place.vault.state(place.bo).state == "kept"


def test_the_certificate_says_what_was_done_and_names_nobody(place):
    """Signed, by keyed reference, with what was searched; the trail has each step and accounts for the changed rows."""
    from daybook.audit import signing

    outcome = erasures(place).execute(ADA, **WORDS)
    document = json.loads(outcome.certificate.read_text())
    assert signing.check(document, signing.trusted(place.settings.home)) == "good"
    assert document["identity_check"] == WORDS["identity_check"]
    assert list(document["steps"]) == list(STEPS[:-1])
    assert document["proof"]["searched_for"]["content"] > 5
    assert document["proof"]["mentioned_by_others"] == {}
    assert any("write-ahead log" in limit for limit in document["limits"]) == (place.book.store.dialect == "postgresql")
    events = place.book.rows("select action, details, subject, reason from events order by time, id")
    actions = [event["action"] for event in events if event["action"].startswith("subject.")]
    assert actions[0] == "subject.erasure_asked"
    assert actions[-1] == "subject.erased"
    changed = [event["details"]["changed_rows"] for event in events if "changed_rows" in (event["details"] or {})]
    assert changed == [{"calls": {"personal": 3}, "models": {"personal": 1}}]
    assert {event["subject"] for event in events if event["action"].startswith("subject.")} == {document["subject"]}


def test_the_trail_still_verifies_after_an_erasure(place):
    """Chain, seals, rows and reports: what the erasure changed is accounted for, and one more change is found."""
    seals.make(place.book, place.settings.reports, AT.date(), actor="x")
    erasures(place).execute(ADA, **WORDS)
    assert verify(place.book, place.settings.reports).problems == []
    page = place.settings.reports / "traffic" / "2026-03-01" / "index.html"
    page.write_text(page.read_text() + " ")
    (problem,) = verify(place.book, place.settings.reports).problems
    assert "index.html" in problem.where


def test_an_unknown_person_is_never_called_erased(place):
    """Nothing held is what is said, no certificate is made, and nobody's data changes."""
    outcome = erasures(place).execute("nobody@example.com", **WORDS)
    assert (outcome.status, outcome.certificate) == ("nothing held", None)
    asked, held = place.book.rows(
        "select id, action, subject, outcome, details from events where action like 'subject.%' order by time, id"
    )[-2:]
    assert (asked["action"], held["action"], held["outcome"]) == (
        "subject.erasure_asked",
        "subject.nothing_held",
        "done",
    )
    assert (held["details"], held["subject"]) == ({"asked": asked["id"]}, asked["subject"])
    assert erasures(place).plan("nobody@example.com").to_dict()["status"] == "nothing held"
    assert not list(place.settings.home.glob("rights/certificates/*"))
    assert place.book.rows("select count(*) as n from calls where subject is not null")[0]["n"] == 6
    assert place.vault.destroyed() == {}


def test_an_erasure_is_replayed_without_effect(place):
    """The same request again finds nothing held, and the first certificate stays as it is."""
    first = erasures(place).execute(ADA, **WORDS)
    before = first.certificate.read_bytes()
    again = erasures(place).execute(ADA, **WORDS)
    assert again.status == "nothing held"
    assert erasures(place).execute(place.ada, **WORDS).status == "nothing held"
    assert first.certificate.read_bytes() == before
    assert len(erasures(place).all()) == 1


def _erase_until(place, step):
    """In a child: erase, and die when the step begins."""

    def tell(now):
        if now == step:
            os.kill(os.getpid(), signal.SIGKILL)

    book = Book(place.settings.book_url, place.settings.home)
    Erasures(place.settings, book, Vault(place.settings.vault), tell=tell).execute(ADA, **WORDS)


def test_killed_in_any_step_it_goes_on_where_it_was(place):
    """kill -9 as each step begins, one after the other: the state is true each time, and the end is the same."""
    place.book.close()
    for at, step in enumerate(STEPS):
        child = multiprocessing.get_context("fork").Process(target=_erase_until, args=(place, step))
        child.start()
        child.join(60)
        assert child.exitcode == -signal.SIGKILL
        (state,) = erasures(place).all()
        assert list(state.steps) == list(STEPS[:at])
        assert not state.done
        assert not erasures(place).certificate(state.id).exists()
    assert erasures(place).execute(ADA, **WORDS).status == "erased"
    gone(place)


class _DyingVault(Vault):
    """Destroys the key, and then the power goes."""

    def destroy(self, *subjects):
        super().destroy(*subjects)
        os.kill(os.getpid(), signal.SIGKILL)


class _FullDisk(Vault):
    """Destroys the key, and then cannot write its file anew."""

    def destroy(self, *subjects):
        super().destroy(*subjects)
        raise VaultUnusable("No space left.", remedy="Make room.")


def _erase_with(place, kind):
    book = Book(place.settings.book_url, place.settings.home)
    Erasures(place.settings, book, kind(place.settings.vault)).execute(ADA, **WORDS)


def test_one_that_stops_once_the_key_is_gone_is_finished(place):
    """Neither a kill nor an error between the key's destruction and the state leaves an erasure that cannot end."""
    full = _FullDisk(place.settings.vault, clock=place.clock)
    with pytest.raises(VaultUnusable):
        Erasures(place.settings, place.book, full, place.clock).execute(ADA, **WORDS)
    full.close()
    place.book.close()
    child = multiprocessing.get_context("fork").Process(target=_erase_with, args=(place, _DyingVault))
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    (state,) = erasures(place).all()
    assert list(state.steps) == list(STEPS[:-2])
    outcome = erasures(place).execute(ADA, **WORDS)
    assert (outcome.status, outcome.erasure.done, outcome.erasure.traces) == ("erased", True, None)
    assert outcome.certificate.exists()
    gone(place)


def test_who_comes_back_can_be_erased_again(place):
    """Twice more: each erasure has its certificate, and afterwards the key is destroyed again."""
    certificates = {erasures(place).execute(ADA, **WORDS).certificate}
    for n in range(2):
        place.book.append(call(place.ada, f"{SAID} once more, {n}", ANSWERED))
        outcome = erasures(place).execute(ADA, **WORDS)
        assert outcome.status == "erased"
        certificates.add(outcome.certificate)
        assert place.vault.state(place.ada).state == "destroyed"
    assert len(certificates) == 3
    assert all(path.exists() for path in certificates)
    assert place.book.rows("select count(*) as n from calls where subject is null and prompt is null") == [{"n": 5}]
    assert list(place.vault.destroyed()) == [place.ada]


def _quote(place, words):
    """The words in every column of the book in which somebody may write what they like."""
    book, at = place.book, AT + timedelta(minutes=5)
    run = Run(id=new_id(), notebook="n", logical_date=at.date(), started_at=at, ended_at=at,
              state="failed", parameters={"seen": [words], "days": 3}, error=f"ValueError: {words!s}")  # fmt: skip
    book.append(run)
    book.append(Finding(id=new_id(), run_id=run.id, at=at, name="f", value=1.0, unit="x", note=f"said: {words}"))
    book.append(ModelAlias(id=new_id(), at=at, model="t", alias="live", version=1, actor="x", reason=f"for {words}"))
    moved = DeploymentRevision(
        id=new_id(), claim=new_id(), at=at, name="d", revision=1, action="start", strategy="all", versions={},
        weights={}, sticky="none", actor="x", reason=words,
    )  # fmt: skip
    book.append(moved)
    book.append(ModelVersion(id="q:v1", claim=new_id(), at=at, name="q", version=1, method="lora", provider="local",
                             target="q:v1", subjects=(), tags={"about": words, "job": "7"}, actor="x"))  # fmt: skip
    book.drain()


FREE = "coalesce(note, '') as text from findings union all select reason from model_aliases union all select reason " \
       "from deployments union all select cast(tags as text) from models union all select error from runs " \
       "union all select cast(parameters as text) from runs"  # fmt: skip


def test_what_the_team_wrote_loses_the_persons_words(place):
    """Notes, reasons, errors, parameters and tags that quote, name or number the person: `[erased]` stands there, the
    rest of the text stays, and the trail accounts for every row."""
    for words in (SAID, ANSWERED, place.ada, ADA):
        _quote(place, words) if words == SAID else place.book.append(
            Finding(id=new_id(), run_id="r", at=AT, name="f", value=1.0, unit="x", note=f"see {words} again")
        )
    place.book.append(replace(call(place.bo, BOS, "Yes."), tags={"with": place.ada}))
    place.book.drain()
    seals.make(place.book, place.settings.reports, AT.date(), actor="x")
    outcome = erasures(place).execute(ADA, **WORDS)
    gone_words = [row["text"] for row in place.book.rows(f"select {FREE}")]
    assert not [text for text in gone_words for word in (place.ada, ADA, "Grete", "bakery") if word in (text or "")]
    assert sorted(row["note"] for row in place.book.rows("select note from findings")) == [
        "said: [erased]", *["see [erased] again"] * 3,
    ]  # fmt: skip
    (run,) = place.book.rows("select parameters, error from runs")
    assert (run["parameters"], run["error"]) == ({"seen": ["[erased]"], "days": 3}, "ValueError: [erased]")
    (model,) = place.book.rows("select tags from models where id = 'q:v1'")
    assert model["tags"] == {"about": "[erased]", "job": "7"}
    assert [row["tags"] for row in place.calls() if row["answer"] == "Yes."] == [{"with": "[erased]"}]
    assert verify(place.book, place.settings.reports).problems == []
    proof = json.loads(outcome.certificate.read_text())["proof"]
    assert (proof["others_wrote_the_same_words"], proof["kept_in_the_trail"]) == (False, {})


def test_words_that_nothing_can_be_taken_from_are_said_or_stop_it(place):
    """Entries of the trail stay and the certificate counts them; what others said says so; what comes into a note
    after the book's step stops the proof, and going on erases it."""
    trail = Trail(place.book.journal, place.settings.home, clock=place.clock)
    trail.record("call.read", actor="eve", reason=f"because of {SAID}", details={"who": place.ada})
    place.book.append(call(place.bo, f"They told me: {ANSWERED}", "Who?"))
    place.book.drain()
    before = place.book.rows("select id, reason from events where action = 'call.read'")

    def tell(step):
        if step == "proof" and not place.book.rows("select 1 as x from findings"):
            place.book.append(Finding(id=new_id(), run_id="r", at=AT, name="f", value=1.0, unit="x", note=SAID))

    with pytest.raises(ErasureIncomplete, match=r"findings\.note of the book, 1 rows"):
        erasures(place, tell=tell).execute(ADA, **WORDS)
    reason = f"letter of {ADA} on {place.ada}"
    document = json.loads(erasures(place).execute(ADA, **WORDS | {"reason": reason}).certificate.read_text())
    assert document["proof"]["kept_in_the_trail"] == {"events.details": 1, "events.reason": 1}
    assert document["proof"]["others_wrote_the_same_words"] is True
    assert any("1 in events.details, 1 in events.reason" in limit for limit in document["limits"])
    assert place.book.rows("select id, reason from events where action = 'call.read'") == before
    assert place.book.rows("select note from findings") == [{"note": "[erased]"}]
    assert ADA not in json.dumps(document)
    assert verify(place.book, place.settings.reports).problems == []


def test_what_others_said_of_a_person_is_looked_through_although_it_is_sealed(place):
    """The pseudonym goes from their words, which are sealed again; the name stays and is counted, column by column."""
    place.book.append(call(place.bo, f"Who is {place.ada}?", f"Ask {ADA}."))
    place.book.append(call(None, f"Write to {ADA}.", f"{place.ada} or {ADA}?"))
    document = json.loads(erasures(place).execute(ADA, **WORDS).certificate.read_text())
    assert document["proof"]["mentioned_by_others"] == {"calls.prompt": 1, "calls.answer": 2}
    rows = [row for row in place.calls() if row["answer"] and ADA in row["answer"]]
    assert [(row["subject"], row["answer"]) for row in rows] == [
        (place.bo, f"Ask {ADA}."), (None, f"[erased] or {ADA}?"),
    ]  # fmt: skip
    assert "Who is [erased]?" in rows[0]["prompt"]
    stored = place.book.rows("select prompt, answer from calls where prompt is not null or answer is not null")
    assert all(is_sealed(row["prompt"]) and is_sealed(row["answer"]) for row in stored)


def test_a_reason_that_names_the_person_is_kept_without_the_name(place):
    """Neither the certificate nor the trail has it."""
    words = WORDS | {"reason": f"letter of {ADA} on {place.ada}", "identity_check": f"knows {SAID}"}
    document = json.loads(erasures(place).execute(ADA, **words).certificate.read_text())
    assert (document["reason"], document["identity_check"]) == ("letter of [erased] on [erased]", "knows [erased]")
    assert document["proof"]["kept_in_the_trail"] == {}


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_no_entry_about_a_person_names_them(place):
    """Whatever is done about them, and however they are named: reasons, sources and checks stand in the trail and in
    their row without the name, in other letters too, and the row is what the trail says. After the erasure nothing
    names them, and the certificate says that nothing does."""
    change = Standings(place.book, erasures(place).trail, place.clock)
    access = Access(place.settings, place.book, place.vault, clock=place.clock)
    for who in (ADA, place.ada):
        words = f"{ADA} lost it; mail to:{ADA}, <{ADA.title()}>'s desk, see {place.ada}."
        change.hold(who, reason=words, by="dpo")
        change.restrict(who, reason=words, by="dpo")
        assert change.consent(who, "training", given=True, source=words, by="dpo").hold["reason"].count(PERSON) == 4
        assert standings.differences(place.book) == []
        change.consent(who, "training", given=False, source=words, by="dpo")
        change.lift(who, reason=words, by="dpo")
        change.release(who, reason=words, by="dpo")
        access.page(who, by="dpo", reason=words, identity_check=words)
    rotate(place.settings, place.book, place.vault, place.ada, by="dpo", reason=words)
    unnamed = f"{PERSON} lost it; mail to:{PERSON}, <{PERSON}>'s desk, see {PERSON}."
    rows = place.book.rows("select action, reason, details from events where subject is not null")
    assert {(row["action"], row["reason"]) for row in rows} == {
        (action, unnamed) for action in (
            "subject.held", "subject.restricted", "subject.consent_given", "subject.consent_withdrawn",
            "subject.released", "subject.hold_ended", "subject.exported", "content_key.rotating", "content_key.rotated",
        )
    }  # fmt: skip
    free = [row["details"][name] for row in rows for name in ("identity_check", "source") if name in row["details"]]
    assert free == [unnamed] * 6
    document = json.loads(erasures(place).execute(ADA, **WORDS).certificate.read_text())
    assert (document["proof"]["kept_in_the_trail"], document["proof"]["mentioned_by_others"]) == ({}, {})
    place.book.drain()
    assert ADA.encode() not in b"".join(path.read_bytes() for path in place.book.store.files())


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_names_that_stay_in_the_trail_are_said(place):
    """Of an entry of before about the person, and of one about somebody else: the certificate counts them as kept in
    the trail and not as words of others, and says where no name was looked for."""
    for whose in (place.ada, place.bo):
        fields = {"subject": reference(place.settings.home, whose), "reason": f"{ADA} asked"}
        place.book.append(Event(id=new_id(), at=AT, actor="dpo", action="call.read", details={}, **fields))
    document = json.loads(erasures(place).execute(ADA, **WORDS).certificate.read_text())
    assert (document["proof"]["kept_in_the_trail"], document["proof"]["mentioned_by_others"]) == (
        {"events.reason": 2}, {}
    )  # fmt: skip
    kept = "Entries of the trail that tell of the person in plain words are kept as evidence: 2 in events.reason."
    assert kept in document["limits"]
    without = [limit for limit in document["limits"] if "it was not looked for" in limit]
    document = json.loads(erasures(place).execute(place.bo, **WORDS).certificate.read_text())
    assert (without, [limit.split(",")[0] for limit in document["limits"] if "it was not looked for" in limit]) == (
        [], ["The person's name was not given"]
    )  # fmt: skip
    short = {"searched_for": {"name": 0, "name_too_short": True}}
    assert limits_of(short)[0].startswith("The person's name has less than 6 characters, so it was not looked for")


def test_a_step_that_fails_is_said_and_gone_on_from(place):
    """A file from which nothing can be taken out stops the erasure; once it is gone, it goes on and ends."""
    odd = place.settings.home / "finetune" / "scan.pdf"
    odd.write_bytes(b"%PDF " + place.ada.encode())
    with pytest.raises(Exception, match=r"scan\.pdf"):
        erasures(place).execute(ADA, **WORDS)
    (state,) = erasures(place).all()
    assert list(state.steps) == ["hosted"]
    assert "scan.pdf" in state.failed
    assert place.book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada})[0]["n"] == 3
    odd.unlink()
    assert erasures(place).execute(ADA, **WORDS).status == "erased"
    assert erasures(place).all()[0].failed is None
    gone(place)


def test_what_comes_while_it_is_erased_is_not_called_gone(place):
    """A call that is entered between the journal's step and the proof is found; going on erases it."""

    def tell(step):
        if step == "proof":
            place.book.append(call(place.ada, SAID, ANSWERED))

    with pytest.raises(ErasureIncomplete, match=r"calls\.subject"):
        erasures(place, tell=tell).execute(ADA, **WORDS)
    assert erasures(place).execute(ADA, **WORDS).status == "erased"


def test_what_comes_back_afterwards_is_found(place):
    """A row restored by hand and a file put back are named; a person who uses the service again is not."""
    erasures(place).execute(ADA, **WORDS)
    assert erasures(place).came_back() == {}
    back = place.settings.home / "evaluation" / "answers.txt"
    back.parent.mkdir()
    back.write_text(place.ada)
    (places,) = erasures(place).came_back().values()
    assert places == [str(back)]
    place.book.append(call(place.ada, "an old call", "from a backup"))
    (places,) = erasures(place).came_back().values()
    assert places == ["calls of the book"]


def test_others_words_are_not_a_persons(place):
    """Where two persons said the same, the other's rows and files stay whole."""
    for n in range(2):
        place.book.append(call(place.ada if n else place.bo, BOS, "Feed it once a week."))
    erasures(place).execute(ADA, **WORDS)
    rows = place.book.rows("select count(*) as n from calls where subject = :s and prompt is not null", {"s": place.bo})
    assert rows[0]["n"] == 4
    assert BOS in (place.settings.home / "finetune" / "ft-000000000001" / "data.jsonl").read_text()


@pytest.mark.parametrize("who", ["", "   ", "x" * 1001])
def test_nobodys_name_is_refused(place, who):
    """It does not select everybody."""
    with pytest.raises(BadParameter):
        erasures(place).plan(who)


def test_the_check_of_identity_must_be_said(place):
    """Without it nothing is erased."""
    for field in WORDS:
        for text in ("", " ", "x" * 1001):
            with pytest.raises(BadParameter, match=field):
                erasures(place).execute(ADA, **{**WORDS, field: text})
    assert place.book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada})[0]["n"] == 3


@pytest.mark.parametrize("id_", ["../../etc/passwd", "er-", "er-0123456789ab/../x", "er-0123456789AB"])
def test_no_path_is_an_erasures_id(place, id_):
    """What is asked for is a file of ours or nothing."""
    with pytest.raises(BadParameter):
        erasures(place).certificate(id_)


def test_what_other_homes_hold_the_keys_of_is_not_called_erased(place):
    """A call and an entry of the trail that were sealed with keys of another home: the certificate counts both, and
    says that the person is erased here."""
    home, url = place.settings.home.parent / "elsewhere", place.book.store.url
    vault = Vault(home / "subjects.sqlite")
    with Book(url, place.settings.home, vault=vault.path, clock=place.clock) as other:
        other.append(call(place.ada, SAID, ANSWERED))
        Trail(other.journal, home, clock=place.clock, sealer=vault).record(
            "call.read", actor="eve", subject=ADA, personal={"name": "Ada"}
        )
        other.drain()
    outcome = erasures(place).execute(ADA, **WORDS)
    document = json.loads(outcome.certificate.read_text())
    assert (outcome.status, document["status"]) == ("erased here", "erased here")
    assert document["proof"]["sealed_elsewhere"] == {"calls": 1, "events": 1}
    assert [limit for limit in document["limits"] if "another home" in limit] == [
        "What was said in 1 call of the person was sealed under keys of another home: it is gone from the book, was "
        "not looked for in files, and what was copied of it opens there until the person is erased there.",
        "Personal fields of 1 entry of the trail are sealed under keys of another home, which alone can say whether "
        "they are of the person: erase the person there as well.",
    ]


@pytest.mark.parametrize(("calls", "events"), [(0, 0), (0, 1), (1, 0), (2, 3)])
def test_an_erasure_is_called_whole_where_no_other_home_has_keys(calls, events):
    """Neither of calls nor of entries; a proof of before that was counted says nothing of it."""
    limits = limits_of({"sealed_elsewhere": {"calls": calls, "events": events}})
    assert [f"{calls} call" in limits[0] if calls else True, len(limits)] == [True, bool(calls) + bool(events)]
    assert limits_of({}) == []
