"""Every error that Daybook raises on purpose, drawn once.

    DaybookError                 exit code 1, HTTP 500
    ├── UsageError               what was asked cannot be meant: exit code 2, HTTP 400
    │   ├── UnknownModel         no provider serves it: HTTP 404
    │   ├── UnknownNotebook
    │   ├── BadParameter         unknown, ill-typed or out of range
    │   ├── Superseded           changed by somebody else in the meantime: HTTP 409
    │   ├── BadDate
    │   ├── BadData              rows that cannot be meant; names how many and which
    │   └── ContentFlagged       moderation flagged what a policy blocks
    ├── SettingsError            the configuration contradicts itself: exit code 2
    ├── BookError
    │   ├── BookLocked           another process holds the file; names it
    │   ├── BookUnreachable      the database does not answer
    │   ├── BookTooNew           written by a newer Daybook
    │   └── JournalError
    │       ├── JournalCorrupt   an entry that cannot be read; names file and line
    │       └── JournalFull      no room to write: the call was not acknowledged
    ├── VaultError
    │   ├── VaultUnusable        the file of keys cannot be read or written
    │   ├── KeyDestroyed         the person was erased: HTTP 410
    │   ├── KeyMissing           sealed by another vault, or after the backup that this one is
    │   └── SealBroken           bytes that were changed, or sealed for another subject
    ├── PressError
    │   ├── RunFailed            the notebook raised; names the cell
    │   ├── RunTimedOut          past its wall-clock limit
    │   ├── KernelMissing
    │   └── ReportUnwritable
    ├── PriceError               an override file that contradicts itself or its past
    ├── RedactionFailed          a text that a policy covers could not be redacted, and is withheld
    ├── NotModerated             nobody could judge what a policy wants judged: HTTP 503
    │   └── ModerationBusy       a caller has too much waiting to be judged: HTTP 429
    ├── GateNotMet               a stated limit is not kept: exit code 3
    ├── PortInUse
    ├── MissingExtra             an optional dependency is absent; names what to install
    └── ProviderError            a model call that failed; `kind` says how
        ├── BadRequest           kind bad_request      HTTP 400   never retried
        ├── ContextTooLong       kind context_length   HTTP 400   never retried
        ├── RequestTooLarge      kind too_large        HTTP 413   never retried: bytes, not tokens
        ├── Unauthorised         kind auth             HTTP 502   never retried: *our* key was refused
        ├── ModelNotFound        kind model_not_found  HTTP 404   never retried
        ├── RateLimited          kind rate_limited     HTTP 429   retried, after what the upstream asks
        ├── Conflict             kind conflict         HTTP 409   retried before the first byte
        ├── UpstreamTimeout      kind timeout          HTTP 504   retried before the first byte
        ├── Unavailable          kind unavailable      HTTP 503   retried before the first byte
        └── StreamBroken         kind stream_broken    HTTP 502   never retried: bytes were already sent

Each message gives the numbers and the remedy. Each error pickles, because errors cross process borders.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar


class BookHeld(UserWarning):
    """A book was read as it lies, because another program holds it, or the vault of keys cannot be used, and not all
    that was journaled could be drained into it."""


class DaybookError(Exception):
    """The root. `remedy` is what to do next, in one sentence; it is part of `str(error)`."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".rstrip()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, self.__dict__.copy()))


def _rebuild(cls: type[DaybookError], args: tuple[Any, ...], state: dict[str, Any]) -> DaybookError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


def meant(given: str, known: Iterable[str]) -> str:
    """The beginning of a remedy, `Did you mean 'days'? `, where a known name is like the one given; else nothing."""
    from difflib import get_close_matches

    near = get_close_matches(given.lower(), known, n=1)
    return f"Did you mean {near[0]!r}? " if near else ""


class UsageError(DaybookError):
    exit_code = 2
    http_status = 400


class UnknownModel(UsageError):
    http_status = 404


class UnknownNotebook(UsageError):
    pass


class BadParameter(UsageError):
    pass


class Superseded(UsageError):
    http_status = 409


class BadDate(UsageError):
    pass


class BadData(UsageError):
    pass


class RedactionFailed(DaybookError):
    pass


class ContentFlagged(UsageError):
    """Moderation flagged what a policy blocks: `part` is the request or the answer."""

    def __init__(
        self, message: str, *, remedy: str = "", part: str = "request", categories: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.part = part
        self.categories = categories


class NotModerated(DaybookError):
    """Nobody could judge what a policy wants judged."""

    http_status = 503


class ModerationBusy(NotModerated):
    """A caller has too much waiting to be judged."""

    http_status = 429


class SettingsError(DaybookError):
    exit_code = 2


class BookError(DaybookError):
    http_status = 503


class BookLocked(BookError):
    foreign = False
    """Whether the holder is a program of others, which knows nothing of our lock files."""


class BookUnreachable(BookError):
    pass


class BookTooNew(BookError):
    pass


class JournalError(BookError):
    pass


class JournalCorrupt(JournalError):
    pass


class JournalFull(JournalError):
    http_status = 507


class VaultError(DaybookError):
    pass


class VaultUnusable(VaultError):
    http_status = 503


class KeyDestroyed(VaultError):
    http_status = 410


class KeyMissing(VaultError):
    pass


class SealBroken(VaultError):
    pass


class PressError(DaybookError):
    """`notebook`, `page`: paths of the report that a run left although it failed, where it left one."""

    notebook: str | None = None
    page: str | None = None


class RunFailed(PressError):
    pass


class RunTimedOut(PressError):
    pass


class KernelMissing(PressError):
    pass


class ReportUnwritable(PressError):
    pass


class PriceError(DaybookError):
    pass


class GateNotMet(DaybookError):
    exit_code = 3
    http_status = 409


class PortInUse(DaybookError):
    pass


class MissingExtra(DaybookError):
    pass


class ProviderError(DaybookError):
    """A model call that failed.

    `attempts`: how often the upstream was asked. `retry_after`: seconds the upstream asked us to
    wait, or None. `upstream_status`: its HTTP status, or None where no answer came. `final`: whether asking again is
    of no use or was tried already, so that whoever asked should not. `code`, `param`: the upstream's own words for what
    is wrong. `limits`: what it says of its rate limits, by header. `billable`: the upstream was at work when it was
    given up, so that it may ask to be paid. `operator`: what whoever runs this must do.
    """

    kind: ClassVar[str] = "unavailable"
    retried: ClassVar[bool] = False
    http_status = 502

    def __init__(
        self,
        message: str,
        *,
        remedy: str = "",
        attempts: int = 1,
        retry_after: float | None = None,
        upstream_status: int | None = None,
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.attempts = attempts
        self.retry_after = retry_after
        self.upstream_status = upstream_status
        self.final = False
        self.billable = False
        self.code: str | None = None
        self.param: str | None = None
        self.limits: tuple[tuple[str, str], ...] = ()
        self.operator: str | None = None


class BadRequest(ProviderError):
    kind = "bad_request"
    http_status = 400


class ContextTooLong(ProviderError):
    kind = "context_length"
    http_status = 400


class RequestTooLarge(ProviderError):
    kind = "too_large"
    http_status = 413


class Unauthorised(ProviderError):
    kind = "auth"


class ModelNotFound(ProviderError):
    kind = "model_not_found"
    http_status = 404


class RateLimited(ProviderError):
    kind = "rate_limited"
    retried = True
    http_status = 429


class Conflict(ProviderError):
    kind = "conflict"
    retried = True
    http_status = 409


class UpstreamTimeout(ProviderError):
    kind = "timeout"
    retried = True
    http_status = 504


class Unavailable(ProviderError):
    kind = "unavailable"
    retried = True
    http_status = 503


class StreamBroken(ProviderError):
    kind = "stream_broken"
