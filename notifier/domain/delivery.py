"""The duty to bring one event to one subscription, and how each attempt moves it to its end (interface 6.12)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple, NewType

from notifier.domain.backoff import wait_before_attempt
from notifier.domain.subscription import SubscriptionState

DeliveryId = NewType("DeliveryId", str)

_LONGEST_RETRY_AFTER_S = 86_400.0
_OWN_FAULT_WAIT_S = 30.0
_LAST_CALL = timedelta(seconds=60)


class DeliveryState(StrEnum):
    """Pending and held are owed; the others are final."""

    PENDING = "pending"
    HELD = "held"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"

    @property
    def is_final(self) -> bool:
        return self is not DeliveryState.PENDING and self is not DeliveryState.HELD


class Reason(StrEnum):
    """Why a delivery or an attempt stands as it does; the list is closed."""

    NEW = "new"
    BEHIND = "behind"
    SUBSCRIPTION_PAUSED = "subscription_paused"
    SUBSCRIPTION_DISABLED = "subscription_disabled"
    SUBSCRIPTION_DELETED = "subscription_deleted"
    REPLAYED = "replayed"
    NEWER_STATE = "newer_state"
    ACCEPTED = "accepted"
    FOLDED = "folded"
    EXPIRED = "expired"
    EXHAUSTED = "exhausted"
    GONE = "gone"
    HTTP_STATUS = "http_status"
    RATE_LIMITED = "rate_limited"
    UNAUTHORIZED = "unauthorized"
    REDIRECT = "redirect"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    TLS = "tls"
    NAME_RESOLUTION = "name_resolution"
    TARGET_FORBIDDEN = "target_forbidden"
    ANSWER_UNREADABLE = "answer_unreadable"
    REFUSED_BY_SERVICE = "refused_by_service"
    RECIPIENT_REFUSED = "recipient_refused"
    RENDER_ERROR = "render_error"
    OWN_FAULT = "own_fault"
    NO_OUTCOME = "no_outcome"


class Verdict(StrEnum):
    """What an attempt means for its delivery."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    REFUSED = "refused"
    GONE = "gone"
    OWN_FAULT = "own_fault"
    OUTDATED = "outdated"
    """Nothing was sent: the receiver knows newer state already."""


class Outcome(NamedTuple):
    """What a channel says of one attempt.

    Units: `retry_after_s` seconds from the answer; `answer` at most 4 KiB of what came back. `handle` is the
    channel's own word for the message that later ones of the same subject go on from; None leaves what is kept.
    """

    verdict: Verdict
    reason: Reason
    http_status: int | None = None
    retry_after_s: float | None = None
    answer: bytes = b""
    handle: str | None = None


class Delivery(NamedTuple):
    """One event owed to one subscription; `attempts` counts those begun.

    A plain tuple, as three of them are made for every attempt; so is its outcome.
    """

    id: DeliveryId
    state: DeliveryState
    reason: Reason
    attempts: int
    due_at: datetime | None
    created_at: datetime
    expires_at: datetime
    finished_at: datetime | None = None


def summary_of(answer: bytes) -> bytes:
    """Return what is kept of an answer whose text is not to be kept: enough to tell whether two were alike."""
    return f"{len(answer)} bytes, sha256 {sha256(answer).hexdigest()}".encode()


def owed(
    delivery_id: DeliveryId, subscription_state: SubscriptionState, *, now: datetime, expires_after_s: float
) -> Delivery:
    """Return a new delivery: pending, or held while its subscription is paused or disabled (6.9)."""
    state, reason = {
        SubscriptionState.ACTIVE: (DeliveryState.PENDING, Reason.NEW),
        SubscriptionState.PAUSED: (DeliveryState.HELD, Reason.SUBSCRIPTION_PAUSED),
        SubscriptionState.DISABLED: (DeliveryState.HELD, Reason.SUBSCRIPTION_DISABLED),
    }[subscription_state]
    return Delivery(
        id=delivery_id,
        state=state,
        reason=reason,
        attempts=0,
        due_at=now if state is DeliveryState.PENDING else None,
        created_at=now,
        expires_at=now + timedelta(seconds=expires_after_s),
    )


def begun(delivery: Delivery) -> Delivery:
    """Return the delivery with one more attempt counted, as a claim does."""
    return Delivery(
        id=delivery.id,
        state=delivery.state,
        reason=delivery.reason,
        attempts=delivery.attempts + 1,
        due_at=delivery.due_at,
        created_at=delivery.created_at,
        expires_at=delivery.expires_at,
    )


def advance(
    delivery: Delivery, outcome: Outcome, *, now: datetime, schedule: Sequence[float], roll: float
) -> Delivery:
    """Return the delivery after an attempt that its claim has counted.

    Our own fault gives the attempt back. A final delivery stays as it is: a late answer changes nothing.
    """
    if delivery.state.is_final:
        return delivery
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return _ended(delivery, DeliveryState.DELIVERED, outcome.reason, now)
        case Verdict.REFUSED | Verdict.GONE:
            return _ended(delivery, DeliveryState.FAILED, outcome.reason, now)
        case Verdict.OUTDATED:
            return _ended(delivery, DeliveryState.SUPERSEDED, outcome.reason, now)
        case Verdict.OWN_FAULT:
            given_back = delivery._replace(attempts=max(0, delivery.attempts - 1))
            return _again(given_back, outcome.reason, now, _OWN_FAULT_WAIT_S)
        case Verdict.RETRY:
            wait_s = wait_before_attempt(schedule, delivery.attempts, roll)
            if wait_s is None:
                return _ended(delivery, DeliveryState.FAILED, Reason.EXHAUSTED, now)
            asked_s = min(outcome.retry_after_s or 0.0, _LONGEST_RETRY_AFTER_S)
            return _again(delivery, outcome.reason, now, max(wait_s, asked_s))


def expire(delivery: Delivery, *, now: datetime) -> Delivery:
    """End a delivery that is still owed at its expiry."""
    if delivery.state.is_final or now < delivery.expires_at:
        return delivery
    return _ended(delivery, DeliveryState.FAILED, Reason.EXPIRED, now)


def last_call(delivery: Delivery) -> datetime:
    """Return the latest instant that an attempt is put off to: a little before the expiry."""
    lifetime = delivery.expires_at - delivery.created_at
    return delivery.expires_at - min(_LAST_CALL, lifetime / 10)


def _again(delivery: Delivery, reason: Reason, now: datetime, wait_s: float) -> Delivery:
    """Wait, but keep one last call before the expiry; past that there is nothing to wait for."""
    latest = last_call(delivery)
    if now >= latest:
        return _ended(delivery, DeliveryState.FAILED, Reason.EXPIRED, now)
    due_at = min(now + timedelta(seconds=wait_s), latest)
    state = delivery.state
    return delivery._replace(reason=reason, due_at=due_at if state is DeliveryState.PENDING else None)


def _ended(delivery: Delivery, state: DeliveryState, reason: Reason, now: datetime) -> Delivery:
    # By hand, as in `begun`: both are made for every attempt, and `_replace` costs half as much again.
    return Delivery(
        id=delivery.id,
        state=state,
        reason=reason,
        attempts=delivery.attempts,
        due_at=None,
        created_at=delivery.created_at,
        expires_at=delivery.expires_at,
        finished_at=now,
    )
