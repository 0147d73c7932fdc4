"""What an audit of decisions says, in words computed from it: each group against the most favoured one of its
attribute, as in the chart and the table."""

from __future__ import annotations

from daybook.bias.decisions.metrics import LESS_OFTEN, Decisions
from daybook.bias.decisions.tables import CORRECTIONS
from daybook.reporting.gates import FOUR_FIFTHS, NOT_WORSE
from daybook.reporting.tables import TableRow, to_records
from daybook.reporting.text import between, code, count, listing, p_value, percent, points, ratio

SHOWN = 6


def summary(figures: Decisions, source: str) -> str:
    """Which rows were measured, a line for each attribute, and what was left out."""
    favourable = code(figures.favourable)
    first = [f"{count(figures.n, 'decision')} of {code(source)}, favourable: {favourable}."]
    if len(figures.read_as) > 1:
        first.append(f"{listing([code(value) for value in figures.read_as])} were read alike.")
    first += [f"{code(name)} was {text}." for name, text in figures.bands.items()]
    groupings = list(dict.fromkeys(figures.against["grouping"]))
    lines = [f"- {_attribute(figures, grouping)}" for grouping in groupings]
    return "\n".join([" ".join(first), "", *lines, "", " ".join([_correction(figures), *_left_out(figures)])])


def _correction(figures: Decisions) -> str:
    return (
        f"Each attribute is a family of its own: its p-values are corrected ({CORRECTIONS[figures.correction]}) for all"
        " pairs of its groups, whatever else is asked."
    )


def _left_out(figures: Decisions) -> list[str]:
    sentences = []
    if unused := figures.rows - figures.n:
        missing = listing([f"{code(name)} is missing in {count(n)}" for name, n in figures.left_out.items()])
        sentences.append(f"Not used: {count(unused)} of {count(figures.rows, 'row')}; {missing}.")
    small = [row for row in to_records(figures.groups) if not row["compared"]]
    if small:
        named = ", ".join(f"{code(row['group'])} ({count(row['n'])})" for row in small[:SHOWN])
        sentences.append(f"Fewer than {figures.minimum} rows, so shown and not compared: {named}{_more(small)}.")
    if not figures.truth:
        sentences.append(
            "Without the truth nothing is said about errors: a different rate may have a reason that is not here."
        )
    return sentences


def _attribute(figures: Decisions, grouping: str) -> str:
    rows = [row for row in to_records(figures.against) if row["grouping"] == grouping]
    compared = [row for row in rows if row["ratio"] is not None]
    if not compared:
        return f"By {code(grouping)} nothing can be compared."
    gaps = {row["measure"]: row for row in to_records(figures.gaps) if row["grouping"] == grouping}
    lowest = min(compared, key=lambda row: row["ratio"])
    best = code(lowest["reference"])
    rate = next(row["rate"] for row in rows if row["group"] == lowest["reference"])
    parts = [
        f"By {code(grouping)}, {code(lowest['group'])} is favoured {ratio(lowest['ratio'])} times as often as {best},"
        f" the most favoured with {percent(rate)}{between(lowest['ratio_low'], lowest['ratio_high'], ratio)}:"
        f" {_four_fifths(lowest)}"
    ]
    parts += [*_below(compared), *_by_chance(gaps["ratio"]), _beyond_noise(compared, best), *_odds(gaps)]
    return " ".join(parts)


def _four_fifths(row: TableRow) -> str:
    below = row["ratio"] < FOUR_FIFTHS
    text = f"{'below' if below else 'not below'} four fifths of it"
    across = row["ratio_low"] < FOUR_FIFTHS <= row["ratio_high"]
    return f"{text}, but the interval leaves room for the contrary." if across else f"{text}."


def _below(compared: list[TableRow]) -> list[str]:
    """Which other groups are below four fifths of the most favoured one's rate."""
    below = sorted((row for row in compared if row["ratio"] < FOUR_FIFTHS), key=lambda row: row["ratio"])
    if len(below) < 2:
        return []
    named = ", ".join(code(row["group"]) for row in below[:SHOWN])
    return [f"Below it are {len(below)} of {len(compared) + 1} groups: {named}{_more(below)}."]


def _by_chance(gap: TableRow) -> list[str]:
    if gap["groups"] < 3 or gap["chance"] is None:
        return []
    return [
        f"The extremes of {gap['groups']} groups are partly chance: were all treated alike, one table in twenty would"
        f" show {ratio(gap['chance'])} or less."
    ]


def _beyond_noise(compared: list[TableRow], best: str) -> str:
    sure = sorted((row for row in compared if row["verdict"] == LESS_OFTEN), key=lambda row: row["difference"])
    if sure:
        named = "; ".join(
            f"{code(row['group'])} by {points(row['difference'])}{between(row['low'], row['high'], points)[:-1]},"
            f" p {p_value(row['adjusted'])})"
            for row in sure[:SHOWN]
        )
        return f"Less often than {best}, and more than noise: {named}{_more(sure)}."
    if all(abs(row[end]) <= NOT_WORSE for row in compared for end in ("low", "high")):
        return f"No group differs from {best} by more than {NOT_WORSE * 100:.0f} points."
    return f"Whether any group differs from {best} cannot be told from so few rows."


def _odds(gaps: dict[str, TableRow]) -> list[str]:
    odds = gaps.get("equalised_odds")
    if not odds or odds["value"] is None:
        return []
    chance = "" if odds["chance"] is None else f"; chance alone makes {points(odds['chance'])} in one of twenty"
    ends = between(odds["low"], odds["high"], points)
    return [f"Error rates differ by up to {points(odds['value'])}{ends}, equalised odds{chance}."]


def _more(rows: list[TableRow]) -> str:
    return f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
