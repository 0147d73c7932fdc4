"""Numbers that are shipped with Daybook, each with a card that says what they are: `NAME.npz` and `NAME.json`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from daybook.errors import BadParameter
from daybook.hf import embeddings

FOLDER = Path(__file__).parent


def card(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """What the numbers are: data, licences, figures, digests."""
    payload: dict[str, Any] = orjson.loads((folder / f"{name}.json").read_bytes())
    return payload


def load(name: str, folder: Path = FOLDER) -> dict[str, np.ndarray]:
    """The numbers by name. Raises BadParameter where they, or the encoder they stand on, are not the card's."""
    with np.load(folder / f"{name}.npz", allow_pickle=False) as stored:
        numbers = {part: stored[part] for part in stored.files}
    known = card(name, folder)
    if digest(numbers) != known["digest"] or embeddings.digest() != known["encoder_digest"]:
        raise BadParameter(
            f"The numbers of {name} are not those that their card describes, or their encoder is another.",
            remedy="Install Daybook again, with the encoder that its lock file names.",
        )
    return numbers


def digest(numbers: Mapping[str, np.ndarray]) -> str:
    """`sha256:…` over the names and the numbers."""
    total = hashlib.sha256()
    for name in sorted(numbers):
        total.update(name.encode())
        total.update(np.ascontiguousarray(numbers[name]).tobytes())
    return f"sha256:{total.hexdigest()}"
