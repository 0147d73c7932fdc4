"""A head of logistic numbers: what it says by hand, what is kept of it, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from daybook.errors import BadData, BadParameter
from daybook.hf import embeddings
from daybook.hf.head import OWN, ClassifierHead, fit, load

LINE = np.array([[-2.0], [-1.0], [1.0], [2.0]])
LABELS = ["no", "no", "yes", "yes"]


def head(classes: tuple[str, ...], weights: list[list[float]], bias: list[float]) -> ClassifierHead:
    return ClassifierHead(classes, np.array(weights), np.array(bias), "e", "sha256:e")


def fitted(**more: float) -> ClassifierHead:
    return fit(["a", "b", "c", "d"], LABELS, vectors=LINE, **more)  # type: ignore[arg-type] # strength alone


def test_two_classes_have_the_logistic_of_one_score() -> None:
    """Score 2x + 1: at 0 the second has 1 / (1 + 1/e), at -0.5 both have a half; rows sum to 1."""
    shares = head(("no", "yes"), [[2.0]], [1.0]).of(np.array([[0.0], [-0.5]], dtype=np.float32))
    assert shares[:, 1].tolist() == pytest.approx([1 / (1 + np.exp(-1)), 0.5])
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1])


def test_three_classes_have_the_softmax_of_their_scores() -> None:
    """Scores 0, log 2 and log 5 are shares of 1, 2 and 5 eighths; scores of thousands do not overflow."""
    three = head(("a", "b", "c"), [[0.0], [1.0], [1000.0]], [0.0, float(np.log(2)), float(np.log(5))])
    shares = three.of(np.array([[0.0], [1000.0]]))
    assert shares[0].tolist() == pytest.approx([1 / 8, 2 / 8, 5 / 8])
    assert shares[1].tolist() == pytest.approx([0, 0, 1])


def test_a_head_learns_what_tells_its_classes_apart() -> None:
    """The sign of one number; the same rows give the same head; a larger strength trusts them more."""
    once = fitted(strength=1.0)
    assert once.classes == ("no", "yes")
    assert once.weights.shape == (1, 1)
    assert once.of(LINE).argmax(axis=1).tolist() == [0, 0, 1, 1]
    assert once.digest == fitted(strength=1.0).digest != fitted(strength=100.0).digest
    assert fitted(strength=100.0).weights[0, 0] > once.weights[0, 0] > 0
    assert (once.encoder, once.encoder_digest) == (embeddings.MODEL, embeddings.digest(embeddings.MODEL))


def test_texts_are_embedded_where_no_vectors_are_given() -> None:
    """And predicted by the class of the largest share."""
    texts = ["I was charged twice", "refund my money", "where is my parcel", "the delivery is late"]
    own = fit(texts, ["money", "money", "parcel", "parcel"], strength=10.0)
    assert own.predict(texts) == ["money", "money", "parcel", "parcel"]
    assert own.probabilities(texts).shape == (4, 2)
    assert (
        own.digest
        == fit(texts, ["money", "money", "parcel", "parcel"], strength=10.0, vectors=embeddings.embed(texts)).digest
    )


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        (["a", "b"], ["x"], "2 texts and 1 labels"),
        (["a", "b"], ["x", "x"], "2 rows with 1 class: 'x'"),
        ([], [], "0 rows with 0 classes"),
    ],
)
def test_rows_that_teach_nothing_are_refused(texts: list[str], labels: list[str], message: str) -> None:
    """Lengths that differ, one class, none."""
    with pytest.raises(BadData, match=message):
        fit(texts, labels)


def test_a_saved_head_comes_back_whole(tmp_path: Path) -> None:
    """Classes, numbers, encoder and digest; one whose encoder lies beside it names the folder it is in now."""
    once = fitted()
    assert once.save(tmp_path / "new" / "head") == tmp_path / "new" / "head"
    again = load(tmp_path / "new" / "head", cache=tmp_path)
    assert (again.classes, again.digest, again.encoder, again.cache) == (
        once.classes,
        once.digest,
        once.encoder,
        tmp_path,
    )
    assert (again.weights.tolist(), again.bias.tolist()) == (once.weights.tolist(), once.bias.tolist())
    replace(once, encoder=str(tmp_path / "elsewhere" / OWN)).save(tmp_path / "own")
    assert orjson.loads((tmp_path / "own" / "head.json").read_bytes())["encoder"] == OWN


@pytest.mark.parametrize("change", ["classes", "encoder_digest", "weights", "bias"])
def test_a_digest_is_of_all_that_decides(change: str) -> None:
    """The classes, the numbers and the encoder."""
    once = head(("a", "b"), [[1.0]], [0.5])
    others = {
        "classes": ("a", "c"),
        "encoder_digest": "sha256:f",
        "weights": np.array([[1.5]]),
        "bias": np.array([1.0]),
    }
    assert replace(once, **{change: others[change]}).digest != once.digest


def test_a_head_that_was_changed_or_lost_its_encoder_is_refused(tmp_path: Path) -> None:
    """Other numbers, another encoder, a field gone, nothing there: each by its reason, and with what to do."""
    fitted().save(tmp_path)
    facts = orjson.loads((tmp_path / "head.json").read_bytes())
    np.savez(tmp_path / "head.npz", weights=np.array([[9.0]]), bias=np.array([0.0]))
    with pytest.raises(BadParameter, match="is not the one that was saved"):
        load(tmp_path)
    other = replace(fitted(), encoder_digest="sha256:0123456789abcdef")
    other.save(tmp_path)
    with pytest.raises(
        BadParameter, match="stands on an encoder with digest sha256:0123456789ab…; all-minilm"
    ) as refused:
        load(tmp_path)
    assert "Install the encoder" in str(refused.value.remedy)
    (tmp_path / "head.json").write_bytes(orjson.dumps({k: v for k, v in facts.items() if k != "classes"}))
    with pytest.raises(BadParameter, match="does not load: KeyError: 'classes'"):
        load(tmp_path)
    with pytest.raises(BadParameter, match="does not load: FileNotFoundError"):
        load(tmp_path / "nowhere")
