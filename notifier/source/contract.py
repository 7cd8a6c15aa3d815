"""Where snapshots come from: ask for one order, get an answer or a failure, never an exception."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from notifier.domain.order import OrderId
from notifier.domain.snapshot import Reader, Snapshot


class FailureReason(StrEnum):
    """Why there is no snapshot; the list is closed and stands in metrics and logs."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    REDIRECT = "redirect"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    OTHER_ORDER = "other_order"
    UNSEALED = "unsealed"
    UNKNOWN_KEY = "unknown_key"
    ALGORITHM = "algorithm"
    TAMPERED = "tampered"
    SIGNATURE = "signature"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    REFUSED = "refused"


TRANSIENT = frozenset(
    {
        FailureReason.TIMEOUT,
        FailureReason.CONNECTION,
        FailureReason.TLS,
        FailureReason.SERVER_ERROR,
        FailureReason.RATE_LIMITED,
        FailureReason.REDIRECT,
        FailureReason.MALFORMED,
        FailureReason.TOO_LARGE,
        FailureReason.OTHER_ORDER,
        FailureReason.UNSEALED,
        FailureReason.UNKNOWN_KEY,
        FailureReason.ALGORITHM,
        FailureReason.TAMPERED,
        FailureReason.SIGNATURE,
    }
)
"""Failures that say something of the source's health; the others speak of one order or of our key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The upstream gave no snapshot. `detail` is short and safe to log: never a body, a key or a person's data.

    Units: `retry_after_s` seconds from the answer, when the upstream asked for it.
    """

    reason: FailureReason
    http_status: int | None = None
    retry_after_s: float | None = None
    request_id: str | None = None
    detail: str = ""


class Answer(Protocol):
    """A good answer about the asked order, decoded but not yet built into a snapshot."""

    @property
    def digest(self) -> bytes:
        """Sixteen bytes over every declared member, so that the common unchanged answer costs no objects.

        Equal digests under one reader mean equal snapshots; `last_updated` does not count.
        """

    def snapshot(self) -> Snapshot:
        """Build the snapshot."""


class StatusSource(Protocol):
    """One upstream system of one account."""

    @property
    def reader(self) -> Reader:
        """With which eyes this source reads; stored with every snapshot."""

    async def fetch(
        self, order_id: OrderId, *, routing_id: str | None = None, mandate_id: str | None = None
    ) -> Answer | Failure:
        """Ask once, each source by what it knows the order by.

        Bounded in time and bytes; follows no redirect; retries nothing.
        """

    async def close(self) -> None:
        """Give back connections."""
