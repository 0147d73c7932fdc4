"""How many tokens a chat is: by the model's own tokenizer, from a folder that is made once."""

from __future__ import annotations

import json

import pytest

from daybook.errors import BadParameter
from daybook.training.data.tokens import Counts, counter, folder, guess

CHAT = [{"role": "user", "content": "How many days are in a week?"}, {"role": "assistant", "content": "Seven."}]


def test_tokens_are_described_by_their_distribution():
    """Total, middle, the longest of 95 %, the longest; and what is learnt."""
    counts = Counts.of([*range(0, 200, 10), 500], [1, 2, 3, 4, 5], counted=True)
    assert counts == Counts(total=2400, median=100, p95=190, longest=500, answers=15, counted=True)
    assert Counts.of([], [], counted=False) == Counts(0, 0, 0, 0, 0, counted=False)
    assert Counts.of([7], [3], counted=False) == Counts(7, 7, 7, 7, 3, counted=False)


def test_a_guess_is_four_characters_a_token_and_five_a_message():
    """Content that is no text counts as nothing."""
    assert guess([{"role": "user", "content": "x" * 9}, {"role": "assistant", "content": None}]) == 2 + 5 + 5
    assert guess([]) == 0


def test_the_tokenizer_is_taken_out_of_the_weights_once(tmp_path):
    """Into a folder of the home; where the whole model lies there already, that is used; nothing is left beside it."""
    home = tmp_path / "home"
    made = folder(home)
    assert made == home / "models" / "smollm2-135m-instruct-tokenizer"
    assert sorted(path.name for path in made.parent.iterdir()) == [made.name]
    written = (made / "tokenizer.json").stat().st_mtime_ns
    assert folder(home) == made
    assert (made / "tokenizer.json").stat().st_mtime_ns == written
    count = counter(made)
    assert count(CHAT) == count([*CHAT]) > count(CHAT[:1]) > 5
    words = count([*CHAT[:1], {"role": "assistant", "content": "Seven. Seven. Seven."}])
    assert words == count(CHAT) + 4
    whole = home / "models" / "smollm2-135m-instruct"
    whole.mkdir()
    (whole / "tokenizer.json").write_text("{}")
    assert folder(home) == whole


def test_a_tokenizer_that_another_process_made_first_is_kept(tmp_path):
    """What was made beside it is removed again."""
    own = tmp_path / "models" / "smollm2-135m-instruct-tokenizer"
    own.mkdir(parents=True)
    (own / "mine").write_text("x")  # half made, as it were: no tokenizer.json yet
    assert folder(tmp_path) == own
    assert [path.name for path in own.parent.iterdir()] == [own.name]
    assert [path.name for path in own.iterdir()] == ["mine"]


def test_a_folder_without_a_chat_model_is_refused(tmp_path):
    """No tokenizer, half of one, or one that has no chat template."""
    with pytest.raises(BadParameter, match="does not load"):
        counter(tmp_path)
    made = folder(tmp_path / "home")
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut" / "tokenizer.json").write_bytes((made / "tokenizer.json").read_bytes()[:1000])
    with pytest.raises(BadParameter, match="does not load"):
        counter(tmp_path / "cut")
    (made / "chat_template.jinja").unlink(missing_ok=True)
    config = json.loads((made / "tokenizer_config.json").read_text())
    config.pop("chat_template", None)
    (made / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(BadParameter, match="has no chat template"):
        counter(made)
