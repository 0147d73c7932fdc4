"""Shares and versions: checked as a whole, ordered as versions, assigned by a hash that anybody can repeat."""

from __future__ import annotations

import hashlib
from collections import Counter

import pytest

from daybook.errors import BadParameter
from daybook.routing.split import Split, in_order, percent, point, read_weights

KEYS = [f"caller-{n}" for n in range(10_000)]


def counts(split: Split) -> Counter[str]:
    return Counter(split.assign(key) for key in KEYS)


@pytest.mark.parametrize(
    ("given", "ordered"),
    [
        (["v10", "v9", "v2", "v1"], ["v1", "v2", "v9", "v10"]),
        (["1.10.0", "1.9.3", "1.9", "2"], ["1.9", "1.9.3", "1.10.0", "2"]),
        (["2026-11-2", "2026-2-10"], ["2026-2-10", "2026-11-2"]),
        (["green", "blue"], ["blue", "green"]),
        (["v2-rc10", "v2-rc9", "v2"], ["v2", "v2-rc9", "v2-rc10"]),
        (["3", "v1"], ["v1", "3"]),
    ],
)
def test_versions_are_compared_as_versions(given, ordered):
    """A run of digits is a number: v2 comes before v10."""
    assert in_order(given) == ordered


@pytest.mark.parametrize(
    ("weights", "points"),
    [
        ({"v1": 100, "v2": 0}, {"v1": 10_000, "v2": 0}),
        ({"v2": "10", "v1": "90"}, {"v1": 9000, "v2": 1000}),
        ({"v1": 99.99, "v2": "0.01"}, {"v1": 9999, "v2": 1}),
        ({"v1": "33.33", "v2": "66.67"}, {"v1": 3333, "v2": 6667}),
    ],
)
def test_weights_are_percentages_that_sum_to_100_over_all_versions(weights, points):
    """To a basis point, and exactly: 33.33 + 66.67 is 100 here, which it is not in floating point."""
    assert read_weights(weights, ["v1", "v2"]) == points
    assert list(read_weights(weights, ["v2", "v1"])) == ["v1", "v2"]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"v1": 50, "v2": 49.99}, "The weights v1=50, v2=49.99 sum to 99.99, not to 100. They are percentages"),
        ({"v1": 50, "v2": 50.01}, "sum to 100.01, not to 100"),
        ({"v1": 90, "v2": 90}, "sum to 180, not to 100. They are percentages of all calls, over all 2 versions"),
        ({"v1": 100}, "The weights v1=100 leave out v2. Say a percentage for each of v1, v2; 0 is one."),
        ({}, "The weights none leave out v1, v2."),
        ({"v1": 50, "v2": 40, "v3": 10}, "has no version 'v3', which the weights name. It has v1, v2."),
        ({"v1": -1, "v2": 101}, "The weight of v1, '-1', is no percentage. Say a number from 0 to 100"),
        ({"v1": 0, "v2": 100.01}, "The weight of v2, '100.01', is no percentage"),
        ({"v1": "33.333", "v2": "66.667"}, "The weight of v1, '33.333', is no percentage"),
        ({"v1": "half", "v2": 50}, "The weight of v1, 'half', is no percentage"),
        ({"v1": "nan", "v2": 50}, "The weight of v1, 'nan', is no percentage"),
        ({"v1": "inf", "v2": 50}, "The weight of v1, 'inf', is no percentage"),
        ({"v1": True, "v2": 99}, "The weight of v1, 'True', is no percentage"),
        ({"v1": None, "v2": 100}, "The weight of v1, 'None', is no percentage"),
    ],
)
def test_weights_that_are_no_split_are_refused_with_their_numbers(weights, message):
    """As a whole: a sum beside 100, a version left out or unknown, a share that is none."""
    with pytest.raises(BadParameter) as caught:
        read_weights(weights, ["v1", "v2"])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("points", "shown"), [(10_000, "100"), (0, "0"), (50, "0.5"), (1, "0.01"), (9999, "99.99"), (3330, "33.3")]
)
def test_basis_points_are_shown_as_people_write_percentages(points, shown):
    """Without zeros that say nothing."""
    assert percent(points) == shown


def test_the_point_of_a_key_can_be_computed_by_anybody():
    """The first 8 bytes of sha256 of deployment, line feed, key, modulo 10,000; another deployment has other points."""
    digest = hashlib.sha256(b"summarizer\nk1").hexdigest()
    assert point("summarizer", "k1") == int(digest[:16], 16) % 10_000 == 8898
    assert point("other", "k1") == 550
    assert point("summarizer", "\ud800") == point("summarizer", "\ud800")


def test_a_key_keeps_its_version_and_the_shares_come_out():
    """Of 10,000 keys each version has its share, within three standard deviations; the same keys each time."""
    split = Split("summarizer", {"v1": 7000, "v2": 2500, "v3": 500})
    first = [split.assign(key) for key in KEYS]
    again = Split("summarizer", {"v3": 500, "v1": 7000, "v2": 2500})
    assert [again.assign(key) for key in KEYS] == first
    n = Counter(first)
    assert abs(n["v1"] - 7000) < 3 * 45.8
    assert abs(n["v2"] - 2500) < 3 * 43.3
    assert abs(n["v3"] - 500) < 3 * 21.8


def test_every_point_belongs_to_the_version_whose_share_it_is_in():
    """The newest version first: at each border, one point below and at it."""
    split = Split("d", {"v2": 1000, "v10": 100, "v1": 8900})
    by_point = {point("d", f"k{n}"): f"k{n}" for n in range(200_000)}
    assert len(by_point) == 10_000
    expected = {0: "v10", 99: "v10", 100: "v2", 1099: "v2", 1100: "v1", 9999: "v1"}
    assert {at: split.assign(by_point[at]) for at in expected} == expected


def test_a_version_without_a_share_answers_nobody():
    """Wherever it stands in the order, and all may belong to one."""
    assert set(counts(Split("d", {"v1": 0, "v2": 10_000, "v3": 0}))) == {"v2"}
    assert set(counts(Split("d", {"v1": 5000, "v2": 0, "v3": 5000}))) == {"v1", "v3"}
    assert set(counts(Split("d", {"v1": 0, "v2": 0, "v3": 10_000}, "v1"))) == {"v3"}


@pytest.mark.parametrize(("candidate", "live"), [("v1", "v2"), ("v3", "v2"), ("v1", "v3")])
def test_who_is_on_the_candidate_stays_there_while_its_share_grows(candidate, live):
    """At every step of a canary, whether the candidate is the newest version or not: it has the first points."""
    on: set[str] = set()
    for share in (1, 5, 25, 50, 100):
        weights = dict.fromkeys(("v1", "v2", "v3"), 0) | {live: 10_000 - share * 100, candidate: share * 100}
        split = Split("d", weights, candidate)
        now = {key for key in KEYS if split.assign(key) == candidate}
        assert on < now == {key for key in KEYS if point("d", key) < share * 100}
        on = now
    assert len(on) == 10_000
