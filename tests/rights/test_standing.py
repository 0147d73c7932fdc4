"""What a person said counts from then on, wherever rows are read to train or to evaluate."""

import json

import pytest

from daybook.audit.trail import Trail
from daybook.datasets import load
from daybook.errors import BadData, BadParameter, GateNotMet
from daybook.inference import feedback
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.standing import Standing, Standings
from tests.rights.conftest import ADA, BO, BOS, SAID

WORDS = {"by": "dpo", "identity_check": "passport seen", "reason": "request"}


def standings(place):
    return Standings(place.book, Trail(place.book.journal, place.settings.home, clock=place.clock), place.clock)


def test_a_withdrawn_consent_keeps_the_persons_rows_out(place):
    """For the purpose that was named, until the person agrees again; the latest word counts."""
    change = standings(place)
    standing = change.consent(ADA, "training", given=False, source="e-mail of 3 March", by="dpo")
    assert standing.consents == {
        "training": {"given": False, "at": "2026-03-01T13:00:00+00:00", "source": "e-mail of 3 March"}
    }
    assert place.book.excluded("training") == {place.ada}
    assert place.book.excluded("evaluation") == frozenset()
    change.consent(ADA, "evaluation", given=True, source="form", by="dpo")
    assert place.book.excluded("evaluation") == frozenset()
    assert {row.input[:5] for row in load("book:", book=place.book).rows} == {BOS[:5]}
    change.consent(ADA, "training", given=True, source="form", by="dpo")
    assert place.book.excluded("training") == frozenset()
    assert {row.input[:5] for row in load("book:", book=place.book).rows} == {SAID[:5], BOS[:5]}


def test_restricted_data_is_kept_and_used_for_nothing(place):
    """For no purpose; where nothing else is left that is said; lifted, it is used again."""
    change = standings(place)
    for who in (ADA, BO):
        change.restrict(who, reason="accuracy disputed", by="dpo")
    for purpose in ("training", "evaluation", "analytics"):
        assert place.book.excluded(purpose) == {place.ada, place.bo}
    with pytest.raises(BadData, match="6 calls"):
        load("book:", book=place.book)
    assert place.book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada})[0]["n"] == 3
    assert change.lift(ADA, reason="agreed", by="dpo").restriction is None
    assert place.book.excluded("training") == {place.bo}


def test_data_is_not_used_on_the_word_of_an_edited_row(place):
    """A withdrawal turned around, or a restriction taken away: that purpose, or every one, is refused, and the rest
    goes on. Entered once more, it counts again."""
    change = standings(place)
    change.consent(ADA, "training", given=False, source="mail", by="dpo")
    given = {"consents": {"training": {"given": True, "at": "2026-03-01T13:00:00+00:00", "source": "mail"}}}
    edit(place, given)
    for use in (lambda: place.book.excluded("training"), lambda: load("book:", book=place.book)):
        with pytest.raises(
            GateNotMet, match=r"has of s-\w{32} is not what the trail .* entered: consent to training\."
        ):
            use()
    assert place.book.excluded("evaluation") == frozenset()
    change.consent(ADA, "training", given=False, source="mail", by="dpo")
    assert place.book.excluded("training") == {place.ada}
    for who in (ADA, BO):
        change.restrict(who, reason="disputed", by="dpo")
    edit(place, {}, both=True)
    for purpose in ("training", "evaluation", "analytics"):
        with pytest.raises(GateNotMet, match=r"and 1 others is not what the trail says .* restriction") as told:
            place.book.excluded(purpose)
        assert f"Nobody's data is used for {purpose}." in told.value.remedy


def edit(place, details, *, both=False):
    """What nobody entered, written into the person's own row."""
    place.book.drain()
    who = (place.ada, place.bo) if both else (place.ada,)
    with place.book.store.writing() as writer, writer.transaction():
        for subject in who:
            writer.execute(f"update subjects set details = '{json.dumps(details)}' where id = '{subject}'")


def test_liked_answers_of_somebody_who_withdrew_are_no_examples(place):
    """They are left out and counted, with the reason."""
    for row in place.book.rows("select id from calls"):
        feedback.give(place.book, row["id"], good=True, consent=True, actor="x", clock=place.clock)
    standings(place).consent(ADA, "training", given=False, source="form", by="dpo")
    liked = feedback.liked(place.book, now=place.clock.now())
    assert liked.subjects == (place.bo,)
    assert liked.left_out == {"of a person who withdrew consent or restricted use": 3}


def test_a_legal_hold_forbids_erasure_until_it_ends(place):
    """Nothing is erased, the refusal is in the trail, and the plan says why."""
    change = standings(place)
    change.hold(ADA, reason="case 12/2026", by="counsel")
    erasures = Erasures(place.settings, place.book, place.vault, place.clock)
    assert erasures.plan(ADA).to_dict()["status"] == "on hold"
    with pytest.raises(GateNotMet, match="case 12/2026"):
        erasures.execute(ADA, **WORDS)
    (refusal,) = place.book.rows("select outcome, reason from events where action = 'subject.erasure_refused'")
    assert (refusal["outcome"], refusal["reason"]) == ("refused", "request")
    assert place.book.rows("select count(*) as n from calls where subject = :s", {"s": place.ada})[0]["n"] == 3
    assert change.release(ADA, reason="settled", by="counsel").hold is None
    assert erasures.execute(ADA, **WORDS).status == "erased"
    assert Standing.of(place.book, place.ada) == Standing()


def test_a_correction_stands_beside_what_it_corrects(place):
    """It is the person's own, about a call of theirs or none; the trail has that it was made and not its words."""
    change = standings(place)
    mine, others = (
        place.book.rows("select id from calls where subject = :s order by id", {"s": s})[0]["id"]
        for s in (place.ada, place.bo)
    )
    change.rectify(ADA, statement="I moved in 2024.", by="dpo")
    standing = change.rectify(ADA, statement="It was 15 Linden Row.", call=mine, by="dpo")
    assert [(c["statement"], c.get("call")) for c in standing.corrections] == [
        ("I moved in 2024.", None), ("It was 15 Linden Row.", mine)
    ]  # fmt: skip
    for call in (others, "no such call", ""):
        with pytest.raises(BadParameter, match="no such call"):
            change.rectify(ADA, statement="x", call=call, by="dpo")
    events = place.book.rows("select details, reason from events where action = 'subject.rectified' order by id")
    assert [(event["details"], event["reason"]) for event in events] == [({}, None), ({"call": mine}, None)]


def test_what_cannot_be_meant_is_refused(place):
    """A purpose that is none, words that are missing or too long: nothing changes, nothing is in the trail."""
    change = standings(place)
    with pytest.raises(BadParameter, match="training, evaluation, analytics"):
        change.consent(ADA, "marketing", given=True, source="form", by="dpo")
    for text in ("", " ", "x" * 1001):
        with pytest.raises(BadParameter):
            change.restrict(ADA, reason=text, by="dpo")
    assert Standing.of(place.book, place.ada) == Standing()
    assert place.book.rows("select count(*) as n from events where subject is not null")[0]["n"] == 0
    assert change.restrict(ADA, reason="x" * 1000, by="dpo").restriction is not None


@pytest.mark.parametrize("book_url", ["duckdb"], indirect=True)
def test_the_trail_has_why_and_not_what_a_person_says_of_themselves(place):
    """The reason of a hold, a restriction and their ends, the source of a consent; of a correction no word."""
    change = standings(place)
    change.consent(ADA, "training", given=True, source="form", by="dpo")
    change.restrict(ADA, reason="disputed", by="dpo")
    change.lift(ADA, reason="agreed", by="dpo")
    change.hold(ADA, reason="case 12", by="counsel")
    change.release(ADA, reason="settled", by="counsel")
    change.rectify(ADA, statement="I moved to Linden Row.", by="dpo")
    rows = place.book.rows("select action, actor, reason from events where subject is not null order by time, id")
    assert [tuple(row.values()) for row in rows] == [
        ("subject.consent_given", "dpo", "form"), ("subject.restricted", "dpo", "disputed"),
        ("subject.released", "dpo", "agreed"), ("subject.held", "counsel", "case 12"),
        ("subject.hold_ended", "counsel", "settled"), ("subject.rectified", "dpo", None),
    ]  # fmt: skip
