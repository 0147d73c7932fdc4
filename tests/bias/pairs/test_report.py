"""What an audit of pairs says: the same figures in prose, table, chart, findings and gates."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from daybook.bias.pairs.metrics import Pair
from daybook.bias.pairs.report import PairAudit, audit_pairs
from daybook.reporting.text import percent


def audited(kinds: dict[str, tuple[int, int]], *, of: int | None = None, unrelated: bool = False) -> PairAudit:
    """Pairs by kind: so many of so many with the stereotyped sentence likelier, by 5; else the other one, by 1."""
    pairs, liked = [], []
    for kind, (n, hits) in kinds.items():
        for i in range(n):
            third = f"{kind} {i} x" if unrelated else None
            pairs.append(Pair(id=f"{kind}{i}", more=f"{kind} {i} a", less=f"{kind} {i} b", kind=kind, unrelated=third))
            liked += [f"{kind} {i} a"] if i < hits else []

    def score(texts):
        totals = {"a": -20.0, "b": -21.0, "x": -60.0}
        return [
            SimpleNamespace(
                total=-16.0 if text in liked else totals[text[-1]] + (1.5 if text[-1] == "b" else 0), tokens=8
            )
            for _, text in texts
        ]

    return audit_pairs(pairs, score, model="m", source="pairs.csv", of=of)


SURE = {"age": (40, 36), "sex": (40, 22), "few": (19, 19)}


def test_verdicts_by_kind():
    """36 of 40 stands out, 22 of 40 does not, 19 are too few; the other way round it prefers the other."""
    kinds = audited(SURE).figures.kinds.set_index("kind")
    assert dict(kinds["verdict"]) == {"age": "prefers the stereotype", "sex": "cannot tell", "few": "too few: 19 of 20"}
    assert dict(kinds["n"]) == {"age": 40, "sex": 40, "few": 19}
    assert audited({"age": (40, 4), "sex": (40, 22)}).figures.kinds["verdict"][0] == "prefers the other"


@pytest.mark.parametrize(("n", "judged"), [(19, False), (20, True), (21, True)])
def test_a_kind_is_judged_from_twenty_pairs_on(n, judged):
    """Just below, at it, just above."""
    verdict = audited({"all": (n, n)}).figures.kinds["verdict"][0]
    assert verdict == ("prefers the stereotype" if judged else f"too few: {n} of 20")


def test_prose_table_chart_and_findings_agree():
    """Shares in per cent, one verdict, n."""
    audit = audited(SURE)
    row = audit.figures.kinds.set_index("kind").loc["age"]
    prose = audit.prose.replace("\u00a0", " ")
    assert prose.startswith("Of 99 pairs of `pairs.csv`, `m` finds the stereotyped sentence likelier in 77.8 % (95 %")
    assert "50 % is no preference, and the interval leaves that out." in prose
    assert "Corrected for 3 kinds: `age` 90.0 %." in prose
    assert "Not used" not in prose
    line = audit.table_text("kinds").splitlines()[1]
    assert line.split("  ")[0] == "age"
    for shown in ("prefers the stereotype", "40", percent(row["share"]), percent(row["low"]), percent(row["high"])):
        assert shown in line
    (axis,) = audit.chart().axes
    drawn = [list(line.get_xdata()) for line in axis.lines]
    share = audit.figures.share
    assert drawn[:3] == [[0.5, 0.5], [share.low, share.high], [share.value]]
    assert drawn[3:5] == [[row["low"], row["high"]], [row["share"]]]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["all", "age", "few", "sex"]
    assert axis.texts[0].get_text() == "77.8 %  n = 99"
    assert axis.texts[1].get_text() == "90.0 %  n = 40  prefers the stereotype"
    findings = {fact["name"]: fact for fact in audit.findings()}
    assert list(findings) == [
        "pairs/share",
        "pairs/difference",
        "pairs/share/age",
        "pairs/share/few",
        "pairs/share/sex",
    ]
    assert findings["pairs/share"] == {
        "name": "pairs/share", "value": 77 / 99, "unit": "share", "low": share.low, "high": share.high,
        "level": 0.95, "n": 99, "note": "prefers the stereotype",
    }  # fmt: skip
    assert [findings["pairs/share/age"][k] for k in ("value", "low", "high", "n", "note")] == [
        0.9, row["low"], row["high"], 40, "prefers the stereotype",
    ]  # fmt: skip
    assert (findings["pairs/difference"]["unit"], findings["pairs/difference"]["n"]) == ("nats", 99)


@pytest.mark.parametrize(
    ("kinds", "verdict", "near"),
    [
        ({"all": (40, 36)}, "prefers the stereotype", 0.4),
        ({"all": (40, 4)}, "prefers the other", 0.4),
        ({"all": (40, 20)}, "cannot tell", 0.0),
    ],
)
def test_a_gate_takes_the_distance_from_a_half(kinds, verdict, near):
    """Whichever way; where a half lies within the interval it may be none."""
    audit = audited(kinds)
    preference, share = audit.measured()["preference"], audit.figures.share
    assert preference.value == pytest.approx(near)
    assert audit.findings()[0]["note"] == verdict
    ends = [abs(share.low - 0.5), abs(share.high - 0.5)]
    assert preference.high == max(ends)
    assert preference.low == (0.0 if verdict == "cannot tell" else min(ends))
    assert audit.measured()["share"].value == share.value
    sure = verdict != "cannot tell"
    assert ("leaves that out." in audit.prose, "does not leave that out: cannot tell." in audit.prose) == (
        sure,
        not sure,
    )
    assert "Corrected for" not in audit.prose
    assert [label.get_text() for label in audit.chart().axes[0].get_yticklabels()] == ["all"]


def test_pairs_that_were_not_asked_are_said():
    """So many of so many, and which."""
    audit = audited({"all": (30, 20)}, of=100)
    assert "Not used: 70 of 100 pairs; the first 30 were asked for." in audit.prose
    assert (audit.to_dict()["of"], audit.to_dict()["n"]) == (100, 30)


def test_all_of_it_as_json_and_the_strongest_pairs():
    """Every figure under its name; the strongest preferences come first, whichever way."""
    audit = audited({"age": (20, 15), "sex": (20, 10)}, unrelated=True)
    payload = audit.to_dict()
    names = ("model", "source", "n", "pct_stereotype", "per_token", "language", "icat", "ties")
    assert {name: payload[name] for name in names} == {
        "model": "m", "source": "pairs.csv", "n": 40, "pct_stereotype": 0.625, "per_token": 0.625, "language": 1.0,
        "icat": 0.75, "ties": 0,
    }  # fmt: skip
    assert payload["likelihood_diff"] == pytest.approx((25 * 3.5 + 15 * 0.5) / 40)
    assert [row["kind"] for row in payload["kinds"]] == ["age", "sex"]
    assert "A sentence without sense loses against both in 100\u00a0%; idealised score 0.750." in audit.prose
    strongest = audit.tables["pairs"].frame
    assert list(strongest["difference"]) == [3.5] * 8
    assert (audit.subject, len(audit.cover())) == ("m", 2)
