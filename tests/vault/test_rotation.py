"""Another key for the same subject: what the vault then opens, what it says of itself, and what is in its file."""

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from daybook.clock import FixedClock
from daybook.errors import BadParameter, KeyDestroyed, KeyMissing
from daybook.vault import Vault

ADA, BO = "u-" + "a" * 32, "u-" + "b" * 32
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def vault(tmp_path):
    with_clock = Vault(tmp_path / "subjects.sqlite", clock=FixedClock(AT))
    yield with_clock
    with_clock.close()


def key_of(vault, subject):
    with sqlite3.connect(vault.path) as file:
        return file.execute("select key from keys where subject = ?", (subject,)).fetchone()[0]


def test_what_was_sealed_under_each_of_several_keys_opens(vault):
    """One by one and together; no key of before stands in the file, and the other's stays as it was."""
    vault.seal(BO, b"Bo")
    bos, texts, keys = key_of(vault, BO), [], []
    for n in range(4):
        texts.append((vault.seal(ADA, b"%d" % n), b"%d" % n))
        keys.append(key_of(vault, ADA))
        vault.rotate(ADA)
    texts += [(vault.seal_all([(ADA, b"now", b"")])[0], b"now")]
    assert [vault.open(ADA, sealed) for sealed, _ in texts] == [data for _, data in texts]
    assert vault.open_all([(ADA, sealed, b"") for sealed, _ in texts]) == [data for _, data in texts]
    assert vault.heads(ADA) == {n: sealed[:9] for n, (sealed, _) in enumerate(texts, start=1)}
    data = vault.path.read_bytes()
    assert [key in data for key in (*keys, bos, key_of(vault, ADA))] == [False] * 4 + [True] * 2
    assert (vault.state(ADA).generation, vault.state(ADA).rotations, vault.state(BO).rotations) == (5, 4, 0)
    assert vault.states()[ADA] == vault.state(ADA)


def test_a_key_that_was_forgotten_is_missing_and_one_that_was_destroyed_is_gone(vault):
    """Which of them is said by `lacks`, too; the one of now is neither, and a vault that knows nothing lacks all."""
    first = vault.seal(ADA, b"1")
    vault.rotate(ADA)
    second = vault.seal(ADA, b"2")
    assert vault.lacks([(ADA, first), (ADA, second[:9]), (BO, first)]) == [False, False, True]
    vault.forget_rotated(ADA)
    with pytest.raises(KeyMissing, match="key number 1 of"):
        vault.open(ADA, first)
    assert vault.open(ADA, second) == b"2"
    assert vault.lacks([(ADA, first), (ADA, second), (ADA, b"\1" + b"\0" * 8)]) == [True, False, True]
    assert list(vault.heads(ADA)) == [2]
    vault.destroy(ADA)
    assert vault.heads(ADA) == vault.heads(BO) == {}
    for sealed in (first, second):
        with pytest.raises(KeyDestroyed):
            vault.open(ADA, sealed)
    assert vault.lacks([(ADA, first), (ADA, second)]) == [False, False]
    assert (vault.state(ADA).renewed, vault.state(ADA).rotations) == (False, 0)
    vault.renew(ADA)
    assert vault.state(ADA).renewed
    vault.rotate(ADA)
    assert (vault.state(ADA).renewed, vault.state(ADA).rotations) == (True, 1)
    with pytest.raises(KeyDestroyed):
        vault.open(ADA, second)


def test_who_has_no_key_gets_none_by_it(vault):
    """Unknown, erased, or no subject at all; forgetting what was never rotated does nothing."""
    vault.destroy(BO)
    for subject, error in ((ADA, KeyMissing), (BO, KeyDestroyed), ("", BadParameter)):
        with pytest.raises(error):
            vault.rotate(subject)
    vault.forget_rotated(ADA)
    assert (vault.state(ADA).state, vault.state(BO).generation) == ("none", 0)


def test_a_rotation_makes_the_key_no_younger(tmp_path):
    """When the first key was made stays: a later backup, or erasure, is told by that."""
    clock = FixedClock(AT)
    vault = Vault(tmp_path / "subjects.sqlite", clock=clock)
    vault.seal(ADA, b"")
    clock.at += timedelta(days=1)
    vault.rotate(ADA)
    assert vault.state(ADA).made_at == AT


def test_copies_take_the_keys_of_before_along(vault, tmp_path):
    """A copy, and a vault that takes it over, open the same; one that knows the subject keeps what it has."""
    first = vault.seal(ADA, b"1")
    vault.rotate(ADA)
    vault.copy(tmp_path / "copy.sqlite")
    fresh, other = Vault(tmp_path / "fresh.sqlite"), Vault(tmp_path / "other.sqlite")
    own = other.seal(ADA, b"own")
    other.rotate(ADA)
    assert (fresh.merge(tmp_path / "copy.sqlite"), other.merge(tmp_path / "copy.sqlite")) == (1, 0)
    assert (fresh.open(ADA, first), Vault(tmp_path / "copy.sqlite").open(ADA, first)) == (b"1", b"1")
    assert other.open(ADA, own) == b"own"
    with pytest.raises(KeyMissing):
        other.open(ADA, first)


def test_keys_that_a_copy_has_and_that_were_forgotten_are_kept_again(vault, tmp_path):
    """Under the one of now, of one or several rotations, whether the copy has them as its own or as rotated ones; the
    state stays, and no such key stands in the file in plain. Twice is the same as once."""
    sealed, copies, keys = [], [], []
    for n in range(3):
        sealed.append(vault.seal(ADA, b"%d" % n))
        keys.append(key_of(vault, ADA))
        copies.append(tmp_path / f"copy{n}.sqlite")
        vault.copy(copies[-1])
        vault.rotate(ADA)
    vault.forget_rotated(ADA)
    state = vault.state(ADA)
    assert list(vault.heads(ADA)) == [4]
    for copy, there in ((copies[1], [1, 2, 4]), (copies[0], [1, 2, 4]), (copies[2], [1, 2, 3, 4])):
        assert vault.merge(copy) == 0
        assert list(vault.heads(ADA)) == there
    assert [vault.open(ADA, data) for data in sealed] == [b"0", b"1", b"2"]
    assert (vault.state(ADA), vault.state(ADA).rotations) == (state, 3)
    assert not any(key in vault.path.read_bytes() for key in keys)
    vault.forget_rotated(ADA)
    assert list(vault.heads(ADA)) == [4]


def test_no_copy_brings_back_a_key_that_was_destroyed(vault, tmp_path):
    """Neither to who was erased, nor to who came back since, rotated or not, although the copy has the key of before;
    nor does the key of another home become one of theirs."""
    first = vault.seal(ADA, b"1")
    vault.rotate(ADA)
    vault.copy(tmp_path / "copy.sqlite")
    vault.destroy(ADA)
    assert (vault.merge(tmp_path / "copy.sqlite"), vault.heads(ADA)) == (0, {})
    vault._clock.at += timedelta(days=1)  # the fixture's own clock
    vault.renew(ADA)
    assert (vault.merge(tmp_path / "copy.sqlite"), list(vault.heads(ADA))) == (0, [3])
    vault.rotate(ADA)
    vault.forget_rotated(ADA)
    assert (vault.merge(tmp_path / "copy.sqlite"), list(vault.heads(ADA))) == (0, [4])
    with pytest.raises(KeyDestroyed):
        vault.open(ADA, first)
    other = Vault(tmp_path / "other.sqlite", clock=FixedClock(AT + timedelta(hours=1)))
    other.seal(ADA, b"own")
    other.rotate(ADA)
    other.forget_rotated(ADA)
    assert (other.merge(tmp_path / "copy.sqlite"), list(other.heads(ADA))) == (0, [2])
