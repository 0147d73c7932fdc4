"""A progress bar: on a terminal, and in a notebook that somebody looks at; otherwise nothing is drawn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

Progress = Callable[[int, int], None]
"""Called with how many are done, and of how many."""


@contextmanager
def meter(
    what: str, *, unit: str = "answer", shown: bool = True, figures: Mapping[str, str] | None = None
) -> Iterator[Progress]:
    """Yields what moves the bar. `shown`: whether anybody looks. `figures`: shown behind it, as they are then."""
    from tqdm.auto import tqdm

    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    watched = shown and (sys.stderr.isatty() or shell is not None)
    with tqdm(total=0, desc=what, unit=f" {unit}", disable=not watched, leave=False, dynamic_ncols=True) as bar:

        def move(done: int, total: int) -> None:
            bar.total = total
            if figures:
                bar.set_postfix(dict(figures), refresh=False)
            bar.update(done - bar.n)
            if done >= total:  # the end is drawn, however soon after the last drawing
                bar.refresh()

        yield move
