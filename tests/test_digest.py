"""Digests as rows, seals and manifests have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from daybook.digest import digest_bytes, digest_file

ABC = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
"""Of `abc`, in FIPS 180-2."""
MILLION = "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
"""Of a million times `a`, in FIPS 180-2."""


def test_a_digest_is_sha_256_with_its_name_before_it(tmp_path: Path) -> None:
    """Of bytes and of a file alike, longer than what is read at once too."""
    (tmp_path / "abc").write_bytes(b"abc")
    (tmp_path / "million").write_bytes(b"a" * 1_000_000)
    assert digest_bytes(b"abc") == digest_file(tmp_path / "abc") == ABC
    assert digest_bytes(b"a" * 1_000_000) == digest_file(tmp_path / "million") == MILLION


def test_a_file_that_is_not_there_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        digest_file(tmp_path / "nothing")
