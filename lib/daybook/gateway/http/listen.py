"""The address an endpoint listens on: taken first, before anything is built, so that what is wrong is said at once."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path

from daybook.errors import BadParameter, PortInUse, SettingsError

BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A listening-to-be socket on `host`:`port`; 0 takes a free port.

    Raises PortInUse naming who holds the port where that can be known, BadParameter for an address that is not one of
    this machine's, SettingsError for a port that only an administrator may take."""
    if not 0 <= port <= 65535:
        raise BadParameter(f"{port} is no port.", remedy="Choose one from 1 to 65535, or 0 for a free one.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (socket.gaierror, UnicodeError) as error:
        raise BadParameter(f"{host!r} is no address of this machine.", remedy="Try --host 127.0.0.1.") from error
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"Port {port} on {host} is in use{_holder(port)}.",
                remedy=f"Stop what holds it, or choose another: daybook serve --port {_next(port)}.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise SettingsError(
                f"Port {port} may not be taken by this user.", remedy="Choose one above 1023, e.g. --port 8000."
            ) from error
        raise BadParameter(
            f"{host} cannot be listened on: {error.strerror}.", remedy="Try --host 127.0.0.1."
        ) from error
    return sock


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate (with those between it and its root) and of its private key."""

    chain: Path
    key: Path

    def check(self) -> None:
        """Raise SettingsError where they cannot be used together."""
        try:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self.chain, self.key, password=lambda: "")  # nobody is there to be asked for one
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise SettingsError(
                f"The certificate {self.chain} with the key {self.key} cannot be used: {reason}.",
                remedy="Name a PEM file of the certificate and one of its key, without a password.",
            ) from error


def url_of(sock: socket.socket, *, tls: bool = False) -> str:
    """Where processes on this machine reach it."""
    scheme = "https" if tls else "http"
    host, port = sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared with, not bound to
        host = "127.0.0.1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`: every address it stands for is a loopback address."""
    try:
        addresses = {
            str(info[4][0]).partition("%")[0] for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        }
    except (socket.gaierror, UnicodeError):
        return False
    return bool(addresses) and all(ipaddress.ip_address(address).is_loopback for address in addresses)


def _holder(port: int) -> str:
    """` by process 4711 (python3)`, where this user may know it."""
    import psutil

    try:
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:] == (port,):
                return f" by process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:
        pass
    return ""


def _next(port: int) -> int:
    return port + 1 if port < 65535 else 8000
