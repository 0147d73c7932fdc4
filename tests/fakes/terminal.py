"""A terminal with somebody before it, who reads as it is written: its small buffer never holds up who writes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import termios
import threading


class Terminal:
    """`file`: what is written to. `text()`: all that it showed, once nobody writes any more."""

    def __init__(self, columns: int = 100) -> None:
        self._shown, written = pty.openpty()
        fcntl.ioctl(written, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.file = open(written, "w")  # noqa: PTH123, SIM115 - a descriptor has no path; `text` closes it
        self._read = bytearray()
        self._reader = threading.Thread(target=self._watch, daemon=True)
        self._reader.start()

    def _watch(self) -> None:
        with contextlib.suppress(OSError):  # its other side was closed, and all that was written has been read
            while data := os.read(self._shown, 65536):
                self._read += data
        os.close(self._shown)

    def text(self) -> str:
        self.file.close()
        self._reader.join(10)
        return self._read.decode()
