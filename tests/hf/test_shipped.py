"""Shipped numbers are those of their card, or they are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import orjson
import pytest

from daybook.errors import BadParameter
from daybook.hf import shipped


def copied(name: str, folder: Path, *, numbers: dict[str, np.ndarray] | None = None, **card: str) -> None:
    """The numbers and the card of `name` in `folder`, with what is given instead."""
    np.savez(folder / f"{name}.npz", **(numbers or shipped.load(name)))
    (folder / f"{name}.json").write_bytes(orjson.dumps(shipped.card(name) | card))


@pytest.mark.parametrize("name", ["tagger", "moderation"])
def test_numbers_or_an_encoder_that_are_not_the_cards_are_refused(tmp_path: Path, name: str) -> None:
    """A copy loads; with one changed number, one name less, or the digest of another encoder it does not."""
    numbers = shipped.load(name)
    copied(name, tmp_path)
    assert shipped.load(name, tmp_path).keys() == numbers.keys()
    first = next(iter(numbers))
    for wrong in (
        numbers | {first: numbers[first] + np.float16(0.5)},
        {k: v for k, v in numbers.items() if k != first},
    ):
        copied(name, tmp_path, numbers=wrong)
        with pytest.raises(BadParameter, match=f"numbers of {name} are not those"):
            shipped.load(name, tmp_path)
    copied(name, tmp_path, encoder_digest="sha256:0")
    with pytest.raises(BadParameter, match="encoder is another"):
        shipped.load(name, tmp_path)
