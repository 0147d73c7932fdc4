"""Documents signed with the home's Ed25519 key, so that anybody with its public half can check them.

    signed = sign(home, {"format": "daybook seal 1", …})        adds `signer` and `signature`

What is signed: the line `daybook signed document 1`, then the document without `signature` as JSON with its keys
sorted, no spaces, in UTF-8. The public key is 32 bytes in hexadecimal, in `signer`. Whom a reader trusts is not for the
document to say: the keys are those of this home, and of others whose public halves lie in `<home>/audit/*.pub`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from daybook.book.trail import keys

SECRET = "seal"  # noqa: S105 - the name of the key's file
_SIGNED = ("seals/[0-9]*.json", "restores/[0-9]*.json")
"""What is signed with it in the trail's folder: where there is one of these, no new key is made."""
_PREFIX = b"daybook signed document 1\n"

Signature = Literal["good", "broken", "missing", "stranger"]
"""`stranger`: made with a key that this home does not trust, and so worth nothing."""


def public_key(home: Path) -> str:
    """The public half of this home's key, in hexadecimal. Raises SettingsError where the key is gone that documents
    here are signed with."""
    return _public(keys.secret(home, SECRET, protects=_SIGNED))


def trusted(home: Path) -> frozenset[str]:
    """The public keys that this home trusts: its own where it has one, and those laid in `<home>/audit/` as
    `*.pub`."""
    others = (path.read_text(encoding="ascii").strip().lower() for path in (home / keys.FOLDER).glob("*.pub"))
    own = keys.existing(home, SECRET)
    return frozenset([*([] if own is None else [_public(own)]), *others])


def sign(home: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with `signer` and `signature`."""
    unsigned = {**document, "signer": public_key(home)}
    return {**unsigned, "signature": _private(home).sign(_PREFIX + plain(unsigned)).hex()}


def check(document: Mapping[str, Any], trusted: frozenset[str]) -> Signature:
    """Whether the document is as it was signed, by a key that is trusted."""
    signer, signature = document.get("signer"), document.get("signature")
    if not isinstance(signer, str) or not isinstance(signature, str):
        return "missing"
    unsigned = {name: value for name, value in document.items() if name != "signature"}
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(signer))
        key.verify(bytes.fromhex(signature), _PREFIX + plain(unsigned))
    except (ValueError, InvalidSignature):
        return "broken"
    return "good" if signer.lower() in trusted else "stranger"


def plain(document: Any) -> bytes:
    """The bytes that stand for plain data: JSON, keys sorted, no spaces, UTF-8."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def _private(home: Path) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(keys.secret(home, SECRET, protects=_SIGNED))


def _public(private: bytes) -> str:
    return Ed25519PrivateKey.from_private_bytes(private).public_key().public_bytes_raw().hex()
