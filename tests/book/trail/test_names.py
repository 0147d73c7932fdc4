"""How the trail names a person, and what is taken out of free words about them."""

from pathlib import Path

import pytest

from daybook.book.trail.names import pseudonym, without_name


@pytest.mark.parametrize(
    ("name", "text", "kept"),
    [
        ("ada@example.com", "for ada@example.com", "for [the person]"),
        ("ada@example.com", "ADA@example.com, Ada@Example.com.", "[the person], [the person]."),
        ("ada@example.com", "(ada@example.com)!ada@example.com?", "([the person])![the person]?"),
        ("ada@example.com", "mailto:ada@example.com/seen", "mailto:[the person]/seen"),
        ("ada@example.com", "bada@example.com and ada@example.community", "bada@example.com and ada@example.community"),
        ("Ada Lovelace", "Ada  Lovelace, Ada Lovelace's", "Ada  Lovelace, [the person]'s"),
        ("Ada King of Lovelace, Countess", "a Ada King of Lovelace, Countess b", "a [the person] b"),
        ("O'Brien", "Mr O'Brien wrote", "Mr [the person] wrote"),
        ("user-1", "user-1 user-17 user-1-2", "[the person] user-17 user-1-2"),
        ("ada17", "ada17", "ada17"),
        ("ada@example.com", "", ""),
    ],
)
def test_a_name_is_taken_out_however_the_person_is_named(tmp_path: Path, name: str, text: str, kept: str) -> None:
    """In other letters, with marks around it, of several words; not in another word, nor one that is too short."""
    assert without_name(tmp_path, name, text) == kept
    assert without_name(tmp_path, pseudonym(tmp_path, name), text) == kept
    whose = pseudonym(tmp_path, name)
    assert without_name(tmp_path, name, f"<{whose}>") == without_name(tmp_path, whose, f"<{whose}>") == "<[the person]>"
