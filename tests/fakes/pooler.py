"""A connection pooler's front door: passes everything on to Postgres, but takes no start-up parameter that it does not
know, as PgBouncer does, and says so in its words. `parameters`: what clients began with."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType

_KNOWN = {
    "user",
    "database",
    "client_encoding",
    "application_name",
    "datestyle",
    "timezone",
    "standard_conforming_strings",
}
_NO_ENCRYPTION = {80877103, 80877104}


class Pooler:
    def __init__(self, server: str) -> None:
        """`server`: the path of the Unix socket that Postgres listens on."""
        self.server = server
        self.parameters: list[dict[str, str]] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]

    def __enter__(self) -> Pooler:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, where: TracebackType | None) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            while True:
                head = client.recv(8, socket.MSG_WAITALL)
                length, code = struct.unpack("!II", head)
                if code not in _NO_ENCRYPTION:
                    break
                client.sendall(b"N")
            rest = client.recv(length - 8, socket.MSG_WAITALL)
            words = [word.decode() for word in rest.split(b"\0")]
            given = dict(zip(words[::2], words[1::2], strict=False)) if code == 196608 else {}
            given.pop("", None)
            self.parameters.append(given)
            if unknown := sorted(set(given) - _KNOWN):
                message = f"unsupported startup parameter: {unknown[0]}"
                fields = b"SFATAL\0VFATAL\0C08P01\0M" + message.encode() + b"\0\0"
                client.sendall(b"E" + struct.pack("!I", len(fields) + 4) + fields)
                return
            with socket.socket(socket.AF_UNIX) as server:
                server.connect(self.server)
                server.sendall(head + rest)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
