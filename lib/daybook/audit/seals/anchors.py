"""What fixes a seal outside this machine: a time-stamp authority (RFC 3161), a webhook and a mail to the auditor.

    <home>/audit/seals/000017.tsr    the authority's answer about the seal's bytes
                      /000017.sent   that the webhook took it, and when
                      /000017.mailed   for whom the auditor's mail server took it, by a digest of the address, and when
    <home>/audit/tsa.pem             the authority's root certificates: without them a time-stamp proves nothing here

Whoever has every key of this home can make the whole trail anew. They cannot make the authority say that it existed on
an earlier day, nor take out of the auditor's hands what was sent there. A seal that could not be fixed on its night is
tried again with the next; where nobody answers at all, the others are not tried in that night. Mail that was taken for
some recipients is sent to the others alone; one that is refused is not tried again in that night.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import orjson
from cryptography import x509

from daybook import atomic
from daybook.audit.seals.mail import Auditor, NotSent
from daybook.audit.seals.seals import Seal
from daybook.book.trail import keys
from daybook.clock import Clock
from daybook.digest import digest_bytes
from daybook.errors import SettingsError

ROOTS = "tsa.pem"
PATIENCE = 20.0
"""Seconds that an answer is waited for."""
_LARGEST = 1 << 20


By = Literal["time-stamp", "webhook", "mail"]


@dataclass(frozen=True, slots=True)
class Anchoring:
    """What came of one attempt to fix a seal."""

    seal: int
    by: By
    error: str | None
    """None: it is fixed."""


class _Way(NamedTuple):
    by: By
    done: Callable[[Seal], bool]
    """Whether nothing is to be tried of the seal: it is fixed, or cannot be in this night."""
    work: Callable[[Seal, Clock], None]


def fix(
    sealed: list[Seal], *, tsa: str | None, webhook: str | None, auditor: Auditor | None, clock: Clock
) -> Iterator[Anchoring]:
    """Fix every seal that is not yet, in those of the three ways that are configured. Nothing is raised for one that
    fails: it is tried again with the next seal."""
    mailing = None if auditor is None else _Mailing(auditor)
    ways = (
        None if tsa is None else _Way("time-stamp", _exists(".tsr"), partial(_stamp, tsa)),
        None if webhook is None else _Way("webhook", _exists(".sent"), partial(_post_seal, webhook)),
        None if mailing is None else _Way("mail", lambda seal: not mailing.due(seal), mailing.send),
    )
    for way in filter(None, ways):
        for seal in sealed:
            if way.done(seal):
                continue
            error, answered = _attempt(seal, way, clock)
            yield Anchoring(seal.number, way.by, error)
            if not answered:
                break


def _exists(suffix: str) -> Callable[[Seal], bool]:
    return lambda seal: seal.path.with_suffix(suffix).exists()


def _attempt(seal: Seal, way: _Way, clock: Clock) -> tuple[str | None, bool]:
    """Why it failed, None where it did not; and whether the others are to be tried: somebody answered, and did not turn
    everything down."""
    try:
        way.work(seal, clock)
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}", True
    except (_Unfit, NotSent) as error:
        return str(error)[:200], isinstance(error, _Unfit)
    except urllib.error.URLError as error:
        return type(error.reason if isinstance(error.reason, Exception) else error).__name__, False
    except (OSError, ValueError, http.client.HTTPException) as error:  # their texts may hold the address with its token
        return type(error).__name__, False
    return None, True


class _Unfit(Exception):
    """What came back, or the address, is none that can be used. Its text holds nothing of the address."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect of a POST is followed with a GET that carries nothing: the answer to that is not to what was sent."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _stamp(url: str, seal: Seal, _: Clock) -> None:
    from rfc3161_client import HashAlgorithm, PKIStatus, TimestampRequestBuilder, decode_timestamp_response

    asked = TimestampRequestBuilder().data(seal.data).hash_algorithm(HashAlgorithm.SHA256).build()
    answer = _post(url, asked.as_bytes(), "application/timestamp-query")
    try:
        read = decode_timestamp_response(answer)
    except ValueError as error:
        raise _Unfit(f"its answer cannot be read: {error}") from error
    if PKIStatus(read.status) != PKIStatus.GRANTED:
        raise _Unfit(f"the authority refused: {PKIStatus(read.status).name}")
    if read.tst_info.nonce != asked.nonce or read.tst_info.message_imprint.message != _imprint(seal.data):
        raise _Unfit("the answer is to another question")
    atomic.replace(seal.path.with_suffix(".tsr"), answer, 0o400)


def _post_seal(url: str, seal: Seal, clock: Clock) -> None:
    content = {"digest": seal.digest, "number": seal.number, "day": seal.document["day"], "seal": seal.data.decode()}
    _post(url, orjson.dumps(content), "application/json")
    _note(seal, ".sent", clock)


class _Mailing:
    """One night of mail: who has a seal already, and who was refused in this night."""

    def __init__(self, auditor: Auditor) -> None:
        self._auditor = auditor
        self._refused: set[str] = set()

    def due(self, seal: Seal) -> list[str]:
        """To whom the seal is to be sent now."""
        return [address for address in self._open(seal) if address not in self._refused]

    def send(self, seal: Seal, clock: Clock) -> None:
        pending, to = self._open(seal), self.due(seal)
        refused = self._auditor.send(seal, clock, to, patience=PATIENCE)
        self._refused |= refused.keys()
        if taken := [address for address in to if address not in refused]:
            now = clock.now().isoformat()
            given = self._given(seal) or {}
            _note(seal, ".mailed", clock, to=given | {_address_digest(address): now for address in taken})
        if refused:
            codes = ", ".join(sorted(map(str, set(refused.values()))))
            raise _Unfit(f"it answered {codes} to {len(refused)} of {len(to)} recipients")
        if len(pending) > len(to):
            words = f"{len(pending) - len(to)} of {len(pending)} recipients were refused before in this night"
            raise _Unfit(f"{words}: they are tried again in the next")

    def _open(self, seal: Seal) -> list[str]:
        given = self._given(seal)
        if given is None:
            return []
        return [address for address in self._auditor.recipients if _address_digest(address) not in given]

    def _given(self, seal: Seal) -> dict[str, str] | None:
        """Who has the seal; None where the note does not say who, because everybody has."""
        try:
            given: dict[str, str] | None = orjson.loads(seal.path.with_suffix(".mailed").read_bytes()).get("to")
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError):
            return None
        return given


def _address_digest(address: str) -> str:
    return digest_bytes(address.casefold().encode())


def _note(seal: Seal, suffix: str, clock: Clock, **more: Any) -> None:
    atomic.replace(seal.path.with_suffix(suffix), orjson.dumps({"at": clock.now().isoformat(), **more}), 0o400)


def _post(url: str, data: bytes, kind: str) -> bytes:
    if not url.startswith(("https://", "http://")):
        raise _Unfit("it is no http address")
    request = urllib.request.Request(url, data, {"content-type": kind})  # noqa: S310 - http only, checked above
    with urllib.request.build_opener(_NoRedirects).open(request, timeout=PATIENCE) as answer:
        body: bytes = answer.read(_LARGEST)
    return body


def _imprint(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


@dataclass(frozen=True, slots=True)
class Stamped:
    """What a time-stamp says of a seal."""

    state: Literal["proven", "changed", "cannot tell"]
    words: str
    at: datetime | None = None


def read_stamp(home: Path, seal: Seal) -> Stamped | None:
    """What the authority's answer beside the seal proves; None where there is none."""
    from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

    path = seal.path.with_suffix(".tsr")
    if not path.exists():
        return None
    try:
        answer = decode_timestamp_response(path.read_bytes())
        at = answer.tst_info.gen_time
        if answer.tst_info.message_imprint.message != _imprint(seal.data):
            return Stamped("changed", "its time-stamp is of other bytes", at)
        roots = _roots(home)
        if not roots:
            return Stamped("cannot tell", f"there is no {ROOTS} to check its time-stamp with", at)
        builder = VerifierBuilder()
        for root in roots:
            builder = builder.add_root_certificate(root)
        builder.build().verify_message(answer, seal.data)
    except (OSError, ValueError) as error:
        return Stamped("changed", f"its time-stamp cannot be read ({type(error).__name__})")
    except VerificationError as error:
        return Stamped("changed", f"its time-stamp is not the authority's: {error}"[:200])
    return Stamped("proven", f"time-stamped {at:%Y-%m-%d %H:%M:%S} UTC", at)


def _roots(home: Path) -> list[x509.Certificate]:
    path = home / keys.FOLDER / ROOTS
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"{path} holds no certificates ({type(error).__name__}).",
            remedy="Write the authority's root certificates there, in PEM.",
        ) from error
