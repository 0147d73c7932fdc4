"""What the figures of privacy say, in Markdown."""

from __future__ import annotations

from daybook.privacy.figures import EVERY, NAMES, SHAPES, PrivacyFigures
from daybook.reporting.text import between, count, listing, percent

_SAID = {
    SHAPES: "the seven shapes that reports are masked by",
    EVERY: "every kind",
    NAMES: "every kind with names by the tagger",
}


def kept(privacy: PrivacyFigures) -> str:
    """What is in the content that is kept."""
    if not privacy.calls:
        return f"**No calls** from {privacy.window}, so nothing is kept of any."
    if not privacy.kept:
        return (
            f"**No content is kept** of the {count(privacy.calls, 'call')} from {privacy.window}: prompts and answers "
            "are in the book as digests and counts only. There is nothing personal in them to be found."
        )
    searched = count(privacy.searched, "call")
    of = f"the newest {searched} of {count(privacy.kept)}" if privacy.searched < privacy.kept else searched
    before = sum(privacy.redacted.values())
    taken = f" {count(before, 'datum', 'data')} had been taken out before anything was kept." if before else ""
    if not privacy.holding:
        share = privacy.share_holding
        return (
            f"**Nothing personal was found** in the content of {of} from {privacy.window}. The true share may still be "
            f"up to {percent(share.high)}.{taken}"
        )
    share = privacy.share_holding
    most = sorted(privacy.found.items(), key=lambda item: (-item[1][0], item[0]))[:4]
    kinds = listing([f"{kind.replace('_', ' ')} ({count(n)})" for kind, (n, _) in most])
    return (
        f"**{count(privacy.holding, 'call')} of {searched} hold personal data: {percent(share.value)}**"
        f"{between(share.low, share.high, percent)}. Most often: {kinds}.{taken}"
    )


def quality(privacy: PrivacyFigures) -> str:
    """How well the finder of every kind and names works."""
    q = privacy.whole(NAMES)
    if not q.known:
        return "No datum is marked in the annotated texts, so how well the finders work is unknown."
    missed = [x for x in privacy.measured[NAMES].values() if x.known and x.right < x.known]
    missed.sort(key=lambda x: (x.right - x.known, x.kind))
    text = (
        f"Of {count(q.known, 'datum', 'data')} that people marked, **{percent(q.recall.value)} are found to the "
        f"character**{between(q.recall.low, q.recall.high, percent)}; of what is found, "
        f"**{percent(q.precision.value)} is right**{between(q.precision.low, q.precision.high, percent)}."
    )
    c = privacy.covered
    text += (
        f" Whatever it is taken for, {percent(c.share.value)}{between(c.share.low, c.share.high, percent)} of the data "
        f"are covered to the last letter, {count(c.partly)} in part; {count(c.visible)} stay to be read."
    )
    if missed:
        worst = [f"{x.kind.replace('_', ' ')} ({count(x.known - x.right)} of {count(x.known)})" for x in missed[:4]]
        text += f" Most often missed: {listing(worst)}."
    return text


def finders(privacy: PrivacyFigures) -> str:
    """The finders beside each other."""
    parts = []
    for name, alarm in privacy.alarms.items():
        q = privacy.whole(name)
        f1 = "unknown" if q.f1 is None else f"{q.f1:.3f}"
        parts.append(f"{_SAID[name]}: F1 {f1}, false alarms in {percent(alarm.value)} of the texts without data")
    text = f"Beside each other: {listing(parts)}."
    if privacy.source == "builtin":
        text += (
            " The texts are made up, by who wrote the finders: they show that nothing broke, not how well it works on "
            "yours. For that, name a file of your own as `annotated`."
        )
    return text
