"""A key for each person, apart from the book: what is sealed under it can be read until the key is destroyed."""

from daybook.vault.vault import LONGEST_SUBJECT, MARK, KeyState, Vault

__all__ = ["LONGEST_SUBJECT", "MARK", "KeyState", "Vault"]
