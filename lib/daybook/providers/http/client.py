"""One upstream over HTTP: a pooled session, timeouts, and asking again by the kind of failure.

Streams have no total timeout: an answer may take as long as it keeps coming. What is bounded is connecting, and the
silence between two bytes. An attempt is repeated only before the first byte of an answer was handed on, only for kinds
that may pass, and no sooner than the upstream asks for (`Retry-After`, in seconds or as a date).
"""

from __future__ import annotations

import asyncio
import io
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from daybook.clock import Clock, SystemClock
from daybook.errors import BadRequest, ProviderError
from daybook.providers.bodies.verbatim import dump
from daybook.providers.http.answer import read_json
from daybook.providers.http.errors import (
    Asked,
    AttemptFailed,
    broken_stream,
    lost_attempt,
    not_an_answer,
    rate_limits_of,
    refused_attempt,
)
from daybook.providers.port import Body, NoteAttempt, unnoted

T = TypeVar("T")

FAILURES = (aiohttp.ClientError, HttpProcessingError, TimeoutError, OSError, ValueError, RuntimeError)
"""What the HTTP client raises. RuntimeError: a session closed while it was being used; ValueError: a URL or a header
that cannot be one."""
_ERROR_BODY = 64 * 1024
_LARGE = 1 << 20


@dataclass(frozen=True, slots=True)
class Address:
    """Where an upstream is. `url` has no trailing slash; `secret` is the key that `headers` carry, to keep it out of
    messages."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secret: str | None = field(default=None, repr=False)

    @property
    def host(self) -> str:
        """Host and port, without scheme, user or path."""
        return self.url.partition("://")[2].partition("/")[0].rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `idle`: between two bytes of an answer, and before the first. `quick`: for questions that need no
    model."""

    connect: float = 5.0
    idle: float = 300.0
    quick: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how soon to ask again: `attempts` in all, waiting up to `base`·2ⁿ seconds, capped, at random.

    An upstream that asks for more than `patience` seconds is not waited for: the caller is told how long it asked for.
    """

    attempts: int = 3
    base: float = 0.5
    cap: float = 8.0
    patience: float = 20.0

    def wait(self, attempt: int, fault: AttemptFailed, rng: Callable[[], float]) -> float | None:
        """Seconds to wait after attempt number `attempt` failed; None: do not ask again."""
        asked = fault.error.retry_after
        if not fault.again or attempt >= self.attempts or (asked is not None and asked > self.patience):
            return None
        ceiling = min(self.cap, self.base * 2 ** (attempt - 1))
        return ceiling * rng() if asked is None else asked + self.base * rng()


@dataclass(frozen=True, slots=True)
class Got(Generic[T]):
    value: T
    attempts: int


Locate = Callable[[], Awaitable[Address]]
"""Called before every attempt: where the upstream is now. May raise a ProviderError, which is not retried."""


class HttpUpstream:
    """Requests to one upstream, from one event loop. Raises ProviderError kinds only.

    `sleep` and `rng` are what tests pass in, so that no test waits.
    """

    def __init__(
        self,
        name: str,
        address: Address | Locate,
        *,
        key_env: str | None = None,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self.name = name
        self.timeouts = timeouts or Timeouts()
        self._address = address
        self._fixed = address if isinstance(address, Address) else Address("")
        self._fixed_host = self._fixed.host
        self._key_env = key_env
        self._retry = retry or Retry()
        self._clock = clock or SystemClock()
        self._sleep = sleep
        self._rng = rng
        self._session: aiohttp.ClientSession | None = None
        timeouts = self.timeouts
        self._patient = aiohttp.ClientTimeout(total=None, sock_connect=timeouts.connect, sock_read=timeouts.idle)
        self._quick = aiohttp.ClientTimeout(
            total=timeouts.quick, sock_connect=timeouts.connect, sock_read=timeouts.quick
        )

    async def ask(
        self,
        method: str,
        path: str,
        body: Body | None,
        read: Callable[[aiohttp.ClientResponse, Asked], Awaitable[T]],
        *,
        quick: bool = False,
        retry: bool = True,
        note: NoteAttempt = unnoted,
    ) -> Got[T]:
        """Send, and hand an answer with status 200–299 to `read`, which may raise AttemptFailed; what fails before an
        answer begins is asked again where that may help, and what came with a 200 only where it says so itself. `read`
        owns the response once it returns. `note` is told of an attempt that was given up and may be billed."""
        payload = _dumps(body)
        address = self._fixed
        asked = self._asked(body, address)
        attempt = 0
        while True:
            attempt += 1
            began = self._clock.monotonic()
            try:
                if not isinstance(self._address, Address):
                    address = await self._address()
                    asked = self._asked(body, address)
                return Got(await self._once(method, path, payload, asked, address, read, quick), attempt)
            except AttemptFailed as failed:
                fault = failed
            except FAILURES as error:
                idle = self.timeouts.quick if quick else self.timeouts.idle
                fault = lost_attempt(error, asked, idle=idle)
            if not isinstance(self._address, Address):
                fault.error.billable = False  # a process of ours sends no bill
            wait = self._retry.wait(attempt, fault, self._rng) if retry else None
            if wait is None:
                fault.error.attempts = attempt
                fault.error.final = attempt > 1 or not fault.again
                raise fault.error from None
            if fault.error.billable:
                note(fault.error, self._clock.monotonic() - began)
            await self._sleep(wait)

    def _asked(self, body: Body | None, address: Address) -> Asked:
        model = body.get("model") if body else None
        return Asked(
            upstream=self.name,
            host=self._fixed_host if address is self._fixed else address.host,
            model=model if isinstance(model, str) else None,
            body=body,
            secret=address.secret,
            key_env=self._key_env,
        )

    async def _once(
        self,
        method: str,
        path: str,
        payload: bytes | None,
        asked: Asked,
        address: Address,
        read: Callable[[aiohttp.ClientResponse, Asked], Awaitable[T]],
        quick: bool,
    ) -> T:
        session = self._session
        if session is None or session.closed:
            session = self._session = _session()
        response = await session.request(
            method,
            address.url + path,
            data=io.BytesIO(payload) if payload is not None and len(payload) > _LARGE else payload,
            headers=address.headers if payload is None else {**address.headers, "Content-Type": "application/json"},
            timeout=self._quick if quick else self._patient,
            allow_redirects=False,
        )
        try:
            if 200 <= response.status < 300:
                try:
                    return await read(response, asked)
                except FAILURES as error:
                    idle = self.timeouts.quick if quick else self.timeouts.idle
                    fault = lost_attempt(error, asked, idle=idle)
                    fault.again &= method == "GET" or not has_begun(response)
                    raise fault from None
            raise await self._refused(response, asked)  # noqa: TRY301 - the response is closed on either way out
        except BaseException:
            response.close()
            raise

    async def _refused(self, response: aiohttp.ClientResponse, asked: Asked) -> AttemptFailed:
        body = bytearray()
        try:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) >= _ERROR_BODY:
                    break
            else:
                response.release()
        except FAILURES:
            pass  # the status has come and decides; what else it wanted to say is lost
        headers = response.headers
        fault = refused_attempt(
            response.status,
            bytes(body),
            asked,
            retry_after=retry_after(headers, self._clock.now()),
            should_retry=headers.get("x-should-retry"),
        )
        fault.error.limits = rate_limits_of(headers)
        return fault

    async def aclose(self) -> None:
        """Close the pool. Safe to repeat."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


def _session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30.0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "daybook", "Accept-Encoding": "identity"},
    )


def has_begun(response: aiohttp.ClientResponse) -> bool:
    """Whether any byte of the answer came: then the upstream was at work, and what it did may have to be paid for."""
    return response.content.total_bytes > 0


def _dumps(body: Body | None) -> bytes | None:
    if body is None:
        return None
    try:
        return dump(body)
    except RecursionError:
        raise BadRequest("The request is nested too deeply to be passed on.", remedy="Send a flatter one.") from None
    except (TypeError, ValueError):
        raise BadRequest("The request cannot be written as JSON.", remedy="Send plain Unicode text.") from None


def retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Seconds that the upstream asks us to wait: `retry-after-ms`, or `Retry-After` in seconds or as an HTTP date.

    None where it asks for nothing, or for something that cannot be meant. Source: RFC 9110, section 10.2.3.
    """
    for name, unit in (("retry-after-ms", 0.001), ("Retry-After", 1.0)):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            seconds = float(value) * unit
        except ValueError:
            try:
                at = parsedate_to_datetime(value)
            except ValueError:
                continue
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            seconds = (at - now).total_seconds()
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


async def whole(response: aiohttp.ClientResponse, _: Asked) -> bytes:
    """A `read` for `HttpUpstream.ask`: the answer's bytes."""
    return await response.read()


def object_as(how: str, remedy: str) -> Callable[[aiohttp.ClientResponse, Asked], Awaitable[dict[str, Any]]]:
    """A `read` for `HttpUpstream.ask`: the JSON object of an answer. An error inside a 200 is raised as what it is; of
    what is no object it is said `how` it should have answered, and what to do."""

    async def read(response: aiohttp.ClientResponse, asked: Asked) -> dict[str, Any]:
        data = await response.read()
        answer = read_json(data)
        if not isinstance(answer, dict):
            raise not_an_answer(asked, response.status, how, remedy)
        if answer.get("type") == "error" or answer.get("error"):
            raise refused_attempt(None, data, asked)
        return answer

    return read


def as_stream_error(error: BaseException, asked: Asked, *, idle: float) -> ProviderError:
    """What an exception is once part of the answer was handed over."""
    fault = error if isinstance(error, AttemptFailed) else lost_attempt(error, asked, idle=idle)
    return broken_stream(fault, asked)
