"""A real mail server (aiosmtpd) on this machine, with a certificate of its own.

server = MailServer(folder, tls="first"); server.url, server.roots, server.mails
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
import threading
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Literal

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "me@example.org", "pass:w@rd/"


class MailServer:
    """`tls`: from the start, asked for, or not offered; with TLS only USER may send. `refuse`: the answer to the next
    mails; `refused`: recipients that are not taken. `sent`: sender and recipients of each mail in `mails`."""

    def __init__(self, folder: Path, *, tls: Literal["first", "asked", "none"] = "asked") -> None:
        self.mails: list[EmailMessage] = []
        self.sent: list[tuple[str, tuple[str, ...]]] = []
        self.refuse: str | None = None
        self.refused: set[str] = set()
        self.roots = folder / "root.pem"
        folder.mkdir(parents=True)
        _certificate(folder)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.roots, folder / "server.key")
        inside: dict[str, Any] = {}
        if tls != "none":
            inside = {"authenticator": _authenticate, "auth_required": True, "auth_require_tls": tls == "asked"}
        if tls == "asked":
            inside |= {"tls_context": context, "require_starttls": True}
        self._loop = asyncio.new_event_loop()
        make = self._loop.create_server(
            lambda: SMTP(self, hostname="localhost", loop=self._loop, **inside),
            "127.0.0.1",
            0,
            ssl=context if tls == "first" else None,
        )
        self._server = self._loop.run_until_complete(make)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.port = self._server.sockets[0].getsockname()[1]
        self.host = f"localhost:{self.port}"
        self.scheme = "smtps" if tls == "first" else "smtp"
        self.url = f"{self.scheme}://me%40example.org:pass%3Aw%40rd%2F@{self.host}"

    async def handle_RCPT(  # noqa: N802 - its name in the library
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _: Any
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name: s3cret"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        if self.refuse is not None:
            return self.refuse
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        self.sent.append((str(envelope.mail_from), tuple(envelope.rcpt_tos)))
        return "250 OK"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: Any) -> AuthResult:
    whole = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=whole, handled=False)


def _certificate(folder: Path) -> None:
    """A certificate for this machine's names that is its own root."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "root.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "server.key").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
