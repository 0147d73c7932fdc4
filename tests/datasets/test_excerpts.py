"""Messages quote the beginning of a value that is wrong; what is personal in it is masked before it is cut."""

from __future__ import annotations

import pytest

from daybook.datasets.load import load
from daybook.errors import BadData

LONG = "We were asked again, and so on and on, until the end of a long line"
DATA = {"email": "ada.lovelace@example.com", "card": "4111 1111 1111 1111", "phone": "1 (555) 123-4567"}


@pytest.mark.parametrize(("kind", "datum"), DATA.items())
@pytest.mark.parametrize(
    ("name", "content", "length"),
    [
        ("torn.jsonl", '{{"text": "{}', 50),
        ("same.jsonl", '{{"text": "{0}", "label": "1"}}\n{{"text": "{0}", "label": "2"}}\n', 60),
        ("choices.jsonl", '{{"text": "a", "choices": ["x", "y"], "answer": "{}"}}\n', 40),
        ("twice.jsonl", '{{"id": "{0}", "text": "a"}}\n{{"id": "{0}", "text": "b"}}\n', 40),
    ],
)
def test_no_message_quotes_half_a_datum(tmp_path, name, content, length, kind, datum):
    """A line that is no JSON, an input that all rows share, an answer that is no choice, an id twice: a datum that the
    cut would halve is masked as a whole."""
    text = LONG[: length - 9] + " " + datum
    path = tmp_path / name
    path.write_text(content.format(text))
    with pytest.raises(BadData) as refused:
        load(path).require()
    assert f"[{kind}"[:5] in str(refused.value)
    assert datum[:4] not in str(refused.value)
