"""What a fine-tuning says, in words computed from it."""

from __future__ import annotations

from daybook.finetune.figures import BEFORE, FinetuningFigures
from daybook.reporting.text import between, code, count, listing, percent


def gates(tuning: FinetuningFigures) -> str:
    """Whether the data may be trained on."""
    checked = tuning.plan.checked
    closed = [gate for gate in checked.gates if gate.blocks]
    shown = [gate for gate in checked.not_met if not gate.blocks]
    text = f"**{count(checked.rows, 'example')}** from {code(checked.source)}: "
    if closed:
        text += f"**training is blocked** by {listing([code(gate.name) for gate in closed])}."
    else:
        met = len(checked.gates) - len(shown) - len(checked.not_checked)
        text += f"{met} of {len(checked.gates)} gates are met, and nothing blocks."
    if unchecked := checked.not_checked:
        text += f" Not checked: {listing([code(gate.name) for gate in unchecked])}."
    for gate in shown:
        text += f" To be seen: {code(gate.name)}, {gate.message}."
    if unused := tuning.unused:
        text += f" Not used: {listing([f'{n:,} {why}' for why, n in unused.items()])}."
    return text


def estimate(tuning: FinetuningFigures) -> str:
    """What the training will take."""
    tokens = tuning.plan.checked.tokens
    counted = "counted by the base's tokenizer" if tokens.counted else "estimated at four characters a token"
    text = tuning.plan.estimate.message
    return (
        f"{text[:1].upper()}{text[1:]} An example has {tokens.median} tokens in the middle, {tokens.p95} at the 95th "
        f"percentile, {tokens.longest} at most ({counted})."
    )


def training(tuning: FinetuningFigures) -> str:
    """How the training went."""
    trained = tuning.training
    text = f"{count(int(trained['parameters']))} numbers were trained in {trained['seconds']:.1f} s on"
    text += f" {trained['device']}, {trained['tokens']:,} tokens in {count(int(trained['steps']), 'step')}."
    if tuning.plan.recipe.method == "head":
        return (
            f"{text} The curve shows the held-out loss at a tenth of the strength asked for, at it, and at ten times."
        )
    ended = " It stopped early: the held-out loss no longer fell." if trained["ended"] == "early" else ""
    return f"{text}{ended} The state of step {trained['best_step']} was kept."


def compared(tuning: FinetuningFigures) -> str:
    """Whether it is better than it was."""
    kind, metrics = tuning.measure, tuning.done.metrics
    if kind is None:
        return "Nothing was compared: the training was cancelled."
    compared = metrics[f"{kind}_difference"]
    shown = percent if kind == "accuracy" else "{:.3f}".format
    sides = [
        f"{shown(side['value'])} {word}{between(side.get('low'), side.get('high'), shown)}"
        for side, word in ((metrics[f"{kind}_base"], "before"), (metrics[f"{kind}_tuned"], "after"))
    ]
    rows = f"the same {compared['n']:,} held-out rows"
    if compared["n"] < tuning.held_out:
        rows += f" (of {tuning.held_out:,}, by hash)"
    verdict = {
        "better": "**It is better than it was**, beyond what chance explains",
        "worse": "**It is worse than it was**",
        "cannot tell": "**Whether it is better cannot be told** from so few rows",
    }[compared["verdict"]]
    text = f"{kind.capitalize()} **{sides[0]}, {sides[1]}**, on {rows}. {verdict}: {tuning.gain}."
    return f"{text} {BEFORE[tuning.plan.recipe.method]}"


def registered(tuning: FinetuningFigures) -> str:
    """What was registered, and how it becomes the champion."""
    version = tuning.done.model
    if version is None:
        return "Nothing was registered."
    text = f"Registered as **{version.id}**, weights {code(str(version.weights_digest)[:19] + '…')}"
    if tuning.commands is not None:
        text += f"; the endpoint serves it as {code(version.id)}"
    if tuning.champion is not None:
        return f"{text}. The champion is v{tuning.champion}."
    return f"{text}. No version is the champion yet: {tuning.remedy}"
