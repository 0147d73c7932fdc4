"""The keys that were backed up: what is destroyed in the vault is destroyed in its copies as well."""

from __future__ import annotations

from pathlib import Path

from daybook.errors import VaultUnusable
from daybook.rights.backups import register
from daybook.vault import KeyState, Vault

VAULT = "subjects.sqlite"
SINGLE = ("pseudonyms.key", "keys.json")


def vaults(home: Path) -> list[Path]:
    """The copies of the vault."""
    return [keys / VAULT for keys in register.key_folders(home)]


def destroy(home: Path, vault: Vault) -> list[Path]:
    """Destroy in every folder of backed-up keys what is destroyed in the vault; returns the folders that were not there
    or could not be used: the keys in them are destroyed when they are there again."""
    today = vault.states()
    away = []
    for folder in register.key_folders(home):
        path = folder / VAULT
        if not path.is_file():
            away.append(folder)
            continue
        copy = Vault(path)
        try:
            there = copy.states()
            if gone := [s for s, state in today.items() if _is_over(there.get(s), state)]:
                copy.destroy(*gone)
        except VaultUnusable:
            away.append(folder)
        finally:
            copy.close()
    return away


def _is_over(there: KeyState | None, today: KeyState) -> bool:
    """Whether the key in a copy of the vault is one that was destroyed since, or its tombstone is missing there."""
    if there is None or there.state == "destroyed":
        return there is None and today.state == "destroyed"
    if today.state == "destroyed":
        return True
    return today.generation > there.generation and _made_later(today, there)  # they came back


def _made_later(today: KeyState, there: KeyState) -> bool:
    return today.made_at is not None and there.made_at is not None and today.made_at > there.made_at
