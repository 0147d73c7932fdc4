"""The error tree: drawn truthfully, carried across processes, each with a way out."""

import pickle

import pytest

from daybook import errors
from daybook.errors import DaybookError, ProviderError


def tree(root: type[DaybookError]) -> list[type[DaybookError]]:
    return [
        root,
        *(below for child in root.__subclasses__() for below in tree(child) if below.__module__ == root.__module__),
    ]


EVERY = tree(DaybookError)


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_every_error_crosses_a_process_border_whole(kind):
    """An error pickles with its class, message, remedy and facts."""
    error = kind("3 of 5 rows.", remedy="Mend row 4.")
    error.noted = {"row": 4}
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is kind
    assert (str(back), back.message, back.remedy, back.noted) == (
        "3 of 5 rows. Mend row 4.",
        "3 of 5 rows.",
        "Mend row 4.",
        {"row": 4},
    )


def test_a_provider_error_keeps_what_the_upstream_said():
    """Attempts, wait and upstream status survive pickling: a retry in another process needs them."""
    back = pickle.loads(pickle.dumps(errors.RateLimited("Busy.", attempts=3, retry_after=1.5, upstream_status=429)))
    assert (back.attempts, back.retry_after, back.upstream_status) == (3, 1.5, 429)


def test_the_drawing_names_every_error_once():
    """The tree in the module's docstring is the tree in the code."""
    drawn = [
        line.split()[0]
        for line in errors.__doc__.replace("│", " ").replace("├──", " ").replace("└──", " ").splitlines()
        if line.startswith("    ")
    ]
    assert sorted(drawn) == sorted(kind.__name__ for kind in EVERY)


def test_every_provider_error_has_a_kind_of_its_own():
    """`calls.error_kind` tells the errors apart: no two leaves share a kind."""
    leaves = [kind for kind in tree(ProviderError) if kind is not ProviderError]
    assert len({kind.kind for kind in leaves}) == len(leaves)


def test_usage_errors_exit_with_2_and_failures_with_1():
    """Exit code 2 says it was asked for wrongly, 1 that it failed."""
    assert {kind.exit_code for kind in tree(errors.UsageError)} == {2}
    assert {kind.exit_code for kind in tree(errors.PressError) + tree(errors.BookError) + tree(ProviderError)} == {1}
