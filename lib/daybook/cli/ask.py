"""`daybook ask`: one question, one real answer."""

import click

from daybook import workbench
from daybook.errors import BadParameter
from daybook.workbench import EMBEDDED


@click.command()
@click.argument("prompt")
@click.option("--model", default=EMBEDDED, show_default=True, help="A model of models.yml, or upstream/name.")
@click.option("--system", help="A system message to go before the question.")
@click.option("--max-tokens", default=128, show_default=True, type=click.IntRange(min=1))
@click.option("--seed", type=int, help="For an answer that can be repeated on this machine.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer and its facts as JSON.")
def ask(prompt: str, model: str, system: str | None, max_tokens: int, seed: int | None, as_json: bool) -> None:
    """Ask a model one question. The call is journaled and priced like any other.

    \b
    Examples:
      daybook ask "How many days are in a week?"
      daybook ask "One word: is 'I love it' positive or negative?" --max-tokens 4 --json
    """
    if not prompt.strip():
        raise BadParameter("The question is empty.", remedy='Write it in quotes: daybook ask "…".')
    with workbench.open() as book:
        answer = book.ask(prompt, model=model, system=system, max_tokens=max_tokens, seed=seed)
        click.echo(answer.to_json() if as_json else f"{answer.text}\n\n[{answer.facts}]")
