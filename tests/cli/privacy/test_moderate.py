"""`daybook moderate`: a verdict for a text, or for each line."""

from __future__ import annotations

import json

from click.testing import CliRunner

from daybook.cli.privacy.moderate import moderate
from daybook.hf.moderation import CATEGORIES


def run(*words: str, given: bytes = b""):
    return CliRunner().invoke(moderate, words, input=given)


def test_a_text_has_a_verdict() -> None:
    """Flagged or not, by which of the categories, and their scores; the text is not printed."""
    verdict = json.loads(run("-", given=b"I will kill you tonight with a knife").stdout)
    assert (verdict["flagged"], verdict["categories"]["violence"]) == (True, True)
    assert tuple(verdict["categories"]) == tuple(verdict["scores"]) == CATEGORIES
    assert set(verdict) == {"flagged", "categories", "scores"}


def test_each_line_has_a_verdict_with_its_id(tmp_path) -> None:
    """In order, more lines than are read together, and a line that is none is named at the end."""
    file = tmp_path / "texts.jsonl"
    rows = [{"id": f"t{i}", "text": "You stupid idiot" if i % 7 == 3 else f"Meeting {i}."} for i in range(40)]
    file.write_text("\n".join(map(json.dumps, rows)) + '\n{"id": 41}\n')
    result = run(str(file), "--jsonl")
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in rows]
    assert [line["id"] for line in lines if line["flagged"]] == [f"t{i}" for i in range(40) if i % 7 == 3]
    assert "line 41" in str(result.exception)


def test_a_threshold_is_said_for_a_category() -> None:
    """At 0 everything is flagged by it; what is no threshold is refused with the remedy."""
    verdict = json.loads(run("-", "--threshold", "hate=0", given=b"The meeting is at ten.").stdout)
    assert [category for category, flag in verdict["categories"].items() if flag] == ["hate"]
    for wrong in ("hate", "hate=high", "spam=0.5", "hate=2"):
        assert run("-", "--threshold", wrong, given=b"a").exit_code != 0


def test_bytes_that_are_no_text_are_judged_all_the_same(tmp_path) -> None:
    """A file in Latin-1, and halves of characters in a line's JSON: as if the sign for what is missing stood there."""
    for odd in (b"caf\xe9 ", b"\xff\xfe", b"\x80"):
        plain = odd.decode(errors="surrogateescape").encode(errors="replace").replace(b"?", "\ufffd".encode())
        assert json.loads(run("-", given=odd + b"You stupid idiot").stdout) == json.loads(
            run("-", given=plain + b"You stupid idiot").stdout
        )
    file = tmp_path / "texts.jsonl"
    file.write_text('{"id": 1, "text": "\\ud83d You stupid idiot"}\n')
    assert json.loads(run(str(file), "--jsonl").stdout)["flagged"] is True
