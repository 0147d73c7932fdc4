"""What the schedule does: limits kept and backups rehearsed, and failing loudly where something is not as it ought."""

from datetime import timedelta

import pytest

from daybook.errors import BadParameter, GateNotMet
from daybook.rights.erasure.afterwards import sentence
from daybook.rights.erasure.erasures import Erasures
from daybook.rights.upkeep import keep_backup, keep_retention
from tests.rights.conftest import ADA, AT, BOS, call

WORDS = {"by": "dpo", "identity_check": "passport", "reason": "request"}


def test_the_retention_flow_lets_go_and_looks_back(place):
    """It says what it did; somebody who came back makes it fail, after what was due has gone."""
    (place.settings.home / "retention.yml").write_text("content: 30\n")
    place.book.append(call(place.bo, BOS, "Old.", AT - timedelta(days=40)))
    place.book.append(call(None, BOS, "Old.", AT - timedelta(days=40)))
    assert list(keep_retention(place.settings, place.clock)) == [
        "content: 2 gone, older than 2026-01-30; 0 on legal hold.",
        "day keys: 1 gone, older than 2026-01-30; 0 on legal hold.",
        "Nobody has been erased so far.",
    ]
    Erasures(place.settings, place.book, place.vault, place.clock).execute(ADA, **WORDS)
    place.book.append(call(place.ada, "back", "again", AT - timedelta(days=1)))
    place.book.drain()
    lines = []
    with pytest.raises(GateNotMet, match="1 erased persons"):
        lines.extend(keep_retention(place.settings, place.clock))
    assert [sentence(n, back) for n, back in ((0, 0), (1, 0), (1_200, 1_000))] == [
        "Nobody has been erased so far.",
        "1 person was erased, and nothing of them is there again.",
        "1,200 persons were erased, and something of 1,000 of them is there again.",
    ]


def test_the_backup_flow_rehearses_what_it_made(place, tmp_path):
    """Into a folder by its moment, keys in another; without two places it says so and makes nothing."""
    lines = list(keep_backup(str(tmp_path / "b"), str(tmp_path / "k"), place.settings, place.clock))
    assert lines[0] == f"Backed up: {tmp_path}/b/2026-03-01T130000Z/manifest.json."
    assert lines[1].startswith("Rehearsed: ")
    assert (tmp_path / "k" / "2026-03-01T130000Z" / "subjects.sqlite").is_file()
    for folder, keys in (("", str(tmp_path)), (str(tmp_path / "x"), "")):
        with pytest.raises(BadParameter, match="two places"):
            list(keep_backup(folder, keys, place.settings, place.clock))
    assert not (tmp_path / "x").exists()
