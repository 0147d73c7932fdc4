"""A seal as a mail to the auditor: the seal's own bytes as an attachment, its digest and signer in words.

    Auditor.of("smtp://me:password@mail.example.org", "auditor@example.org", sender=None)

`smtps://` speaks TLS from the start (port 465), `smtp://` asks for it (port 587) and sends nothing to a server that has
none. Only `smtp://…?tls=no` does without, for a relay on this machine or a net of its own; no password goes that way.
"""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote, urlsplit

from daybook.audit.seals.seals import Seal
from daybook.clock import Clock
from daybook.errors import SettingsError

_PORTS = {"smtps": 465, "smtp": 587}


class NotSent(Exception):
    """Why the server did not take a mail. Its text holds nothing of the addresses, nor what the server answered."""


@dataclass(frozen=True, slots=True)
class Auditor:
    """Who gets the seals, and the server that takes mail for them."""

    recipients: tuple[str, ...]
    sender: str
    host: str
    port: int
    tls_first: bool
    """Whether the connection begins with TLS; else it is asked for."""
    plain: bool
    """Whether mail is sent without TLS."""
    user: str | None = field(default=None, repr=False)
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, server: str, recipients: str, *, sender: str | None) -> Auditor:
        """From an address such as `smtps://user:password@host:465`. Raises SettingsError for one that cannot be
        meant; its text holds no part of it."""
        try:
            parts = urlsplit(server)
            options = dict(parse_qsl(parts.query, keep_blank_values=True))
            host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
            user = None if parts.username is None else unquote(parts.username)
            password = unquote(parts.password or "")
        except (ValueError, KeyError) as error:
            raise _unusable("it is not the address of a mail server") from error
        if not host or parts.path not in ("", "/") or parts.fragment:
            raise _unusable("it is not the address of a mail server")
        if set(options) - {"tls"} or options.get("tls", "no") != "no":
            raise _unusable("what stands after its ? is not tls=no")
        plain = "tls" in options
        if plain and (user is not None or parts.scheme == "smtps"):
            raise _unusable("it has tls=no beside a password or smtps")
        listed = tuple(part for text in recipients.split(",") if (part := text.strip()))
        return cls(
            recipients=listed,
            sender=sender or (user if user is not None and "@" in user else f"daybook@{socket.getfqdn()}"),
            host=host,
            port=port,
            tls_first=parts.scheme == "smtps",
            plain=plain,
            user=user,
            password=password,
        )

    def send(self, seal: Seal, clock: Clock, to: Sequence[str], *, patience: float) -> dict[str, int]:
        """Send it to some of the recipients; whom the server does not take, with its codes. Raises NotSent where it
        answers and takes nothing, OSError where it does not answer."""
        tls = ssl.create_default_context()
        try:
            with (
                smtplib.SMTP_SSL(self.host, self.port, timeout=patience, context=tls)
                if self.tls_first
                else smtplib.SMTP(self.host, self.port, timeout=patience)
            ) as server:
                if not self.tls_first and not self.plain:
                    server.ehlo()
                    if not server.has_extn("starttls"):
                        raise NotSent("it offers no TLS")
                    server.starttls(context=tls)
                if self.user is not None:
                    server.login(self.user, self.password)
                refused = server.send_message(_message(self, seal, clock, to), self.sender, list(to))
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except smtplib.SMTPResponseException as error:
            raise NotSent(f"it answered {error.smtp_code}") from error
        except smtplib.SMTPNotSupportedError as error:
            raise NotSent("it knows none of the ways to log in, or does not take such addresses") from error
        return {address: code for address, (code, _) in refused.items()}


def _message(auditor: Auditor, seal: Seal, clock: Clock, to: Sequence[str]) -> EmailMessage:
    document = seal.document
    chain = document["chain"]
    message = EmailMessage()
    message["From"], message["To"] = auditor.sender, ", ".join(to)
    message["Subject"] = f"Daybook seal {seal.number} of {document['day']}"
    message["Date"] = format_datetime(clock.now())
    message["Message-ID"] = f"<seal-{seal.number}-{seal.digest.removeprefix('sha256:')[:32]}@daybook>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(
        f"Seal {seal.number} of {document['day']}, up to {seal.until:%Y-%m-%d %H:%M:%S} UTC\n"
        f"digest  {seal.digest}\n"
        f"chain   {chain['entries']:,} entries, up to {chain['last']:,}: {chain['link']}\n"
        f"signer  {document['signer']}\n\n"
        "Keep this message where nobody can change it who can write to that machine. The attachment is the seal, byte "
        "for byte:\nits SHA-256 is the digest above. A trail that is made up later would have to match it.\n"
    )
    message.add_attachment(seal.data, maintype="application", subtype="json", filename=seal.path.name)
    return message


def _unusable(why: str) -> SettingsError:
    return SettingsError(
        f"DAYBOOK_SMTP cannot be used: {why}.",
        remedy="Write smtps://user:password@host, or smtp://user:password@host for STARTTLS; in a password write %40 "
        "for @, %2F for / and %3A for :.",
    )
