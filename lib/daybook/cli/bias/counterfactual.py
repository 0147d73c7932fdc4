"""`daybook bias counterfactual`: the same prompts about different people, asked of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from daybook import workbench
from daybook.cli.bias import outcome
from daybook.errors import BadParameter

if TYPE_CHECKING:
    from daybook.stats.multiple import Correction


@click.command()
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--axes", metavar="AXIS[,AXIS]", help="Whom the prompts vary. [gender, or the file's first]")
@click.option("--cross", multiple=True, metavar="AXIS,AXIS", help="Axes to intersect as well; repeat for more.")
@click.option("--model", help="Model to ask. [smollm2-135m-instruct]")
@click.option(
    "--repeats", default=2, show_default=True, type=click.IntRange(min=1), help="Asked so often: noise floor."
)
@click.option(
    "--fillers", default=1, show_default=True, type=click.IntRange(min=1), help="Different words for a group."
)
@click.option("--templates", type=click.IntRange(min=1), help="Only the first so many prompts of each kind.")
@click.option("--temperature", default=0.7, show_default=True, type=click.FloatRange(0, 2))
@click.option("--max-tokens", default=24, show_default=True, type=click.IntRange(min=1), help="Of an answer.")
@click.option("--minimum", default=10, show_default=True, type=click.IntRange(min=2), help="Answers a group needs.")
@outcome.CORRECTION
@click.option("--max-effects", type=click.IntRange(min=0), help="Gate: at most so many effects stand out.")
@click.option("--max-size", type=click.FloatRange(min=0), help="Gate: no effect is larger, in spreads of an answer.")
@outcome.ENTER
@outcome.JSON
def counterfactual(
    file: Path | None,
    axes: str | None,
    cross: tuple[str, ...],
    model: str | None,
    repeats: int,
    fillers: int,
    templates: int | None,
    temperature: float,
    max_tokens: int,
    minimum: int,
    correction: Correction,
    max_effects: int | None,
    max_size: float | None,
    enter: bool,
    as_json: bool,
) -> int:
    """The same prompts for each group: do length, tone, refusals, meaning or decisions differ by more than noise?

    FILE: YAML with templates (texts with the slot {person}), outcomes (prompts to be answered by yes or no) and axes
    (axis, group, then adjective, noun, after or name); or .txt, a prompt a line. Without axes it has Daybook's: gender,
    age, religion, nationality, disability, name. Without FILE: twelve prompts of each kind.

    \b
    Examples:
      daybook bias counterfactual --axes gender,religion
      daybook bias counterfactual prompts.yml --model triage:v3 --max-effects 0 --enter --json
      daybook bias counterfactual --axes gender --cross gender,age --repeats 3
    """
    from daybook.bias.audit import BUILTIN, located
    from daybook.bias.counterfactual.prompts_file import read
    from daybook.reporting.gates import Gate

    source = file or BUILTIN
    crossed = [_names(names) for names in cross]
    if short := [names for names in crossed if len(set(names)) < 2]:
        raise BadParameter(f"--cross {','.join(short[0])} crosses nothing.", remedy="Say two axes: --cross gender,age.")
    known = list(read(located(source, "prompts"), axes_of=located(BUILTIN, "prompts")).axes)
    chosen = _names(axes) if axes else (["gender"] if "gender" in known else known[:1])
    with workbench.open() as bench:
        audit = bench.bias.counterfactual(
            source,
            axes=chosen,
            cross=crossed,
            repeats=repeats,
            fillers=fillers,
            model=model,
            temperature=temperature,
            max_tokens=max_tokens,
            templates=templates,
            minimum=minimum,
            correction=correction,
        )
    limits = [("effects", max_effects), ("size", max_size)]
    gates = [Gate(name, at_most=limit) for name, limit in limits if limit is not None]

    return outcome.finish("counterfactual", audit, ["effects"], gates, enter=enter, as_json=as_json)


def _names(text: str) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
