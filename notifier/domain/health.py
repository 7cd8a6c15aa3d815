"""How receivers stand: when a target is left in peace, and when a subscription counts as failing (interface 6.13).

A target is where requests go, and several subscriptions may share one. What speaks against it (no network, no answer,
a 5xx) rests it after a few failures in a row; then one delivery at a time tries whether it is back. What speaks against
the subscription (its address, its credentials) does not say that the target is down.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from hashlib import blake2b

from notifier.domain.delivery import Outcome, Reason, Verdict

_FAILURES_TO_REST = 5
_FIRST_REST_S = 30.0
_LONGEST_REST_S = 600.0
_LONGEST_WISH_S = 86_400.0
_FAILURES_TO_TELL = 4
_SERVER_ERROR = 500

_OF_TARGET = frozenset(
    {
        Reason.TIMEOUT,
        Reason.CONNECTION,
        Reason.TLS,
        Reason.NAME_RESOLUTION,
        Reason.ANSWER_UNREADABLE,
    }
)
_OF_NOBODY = frozenset({Reason.OWN_FAULT, Reason.RENDER_ERROR, Reason.NO_OUTCOME, Reason.NEWER_STATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """A target that is not well: failures in a row, rests begun for them, and until when it is left in peace.

    A target in `trips` is tried by one delivery at a time once its rest is over; while one is out, it rests.
    """

    failures: int = 0
    trips: int = 0
    rests_until: datetime | None = None
    is_tried: bool = False

    def rests(self, now: datetime) -> bool:
        """Return whether nothing is to be sent now."""
        return self.rests_until is not None and now < self.rests_until


WELL = TargetHealth()


@lru_cache(maxsize=4096)
def target_id(account: str, channel: str, address: str) -> str:
    """Return what tells targets apart, as a digest, since addresses may be secrets."""
    return blake2b(f"{account}\n{channel}\n{address}".encode(), digest_size=16).hexdigest()


def target_after(health: TargetHealth, outcome: Outcome, *, now: datetime) -> TargetHealth:
    """Return how a target stands after an attempt at it; our own faults count against nobody."""
    if outcome.verdict is Verdict.OWN_FAULT or outcome.reason in _OF_NOBODY:
        # A try that never left this machine says nothing: the next may come soon.
        soon = now + timedelta(seconds=_FIRST_REST_S)
        return replace(health, rests_until=soon, is_tried=False) if health.trips else health
    asked = _asked(outcome, now)
    if not _speaks_against_target(outcome):
        # Others in flight may end well after one was asked to wait: the wish stands.
        wished = None if health.trips or not health.rests(now) else health.rests_until
        return TargetHealth(rests_until=_later(wished, asked))
    failures = health.failures + 1
    # Of many in flight at once only the first few say that it is down; the others must not lengthen its rest.
    if failures < _FAILURES_TO_REST or health.rests(now):
        return replace(health, failures=failures, rests_until=_later(health.rests_until, asked))
    rest_s = min(_LONGEST_REST_S, _FIRST_REST_S * 2.0 ** min(health.trips, 10))
    until = _later(now + timedelta(seconds=rest_s), asked)
    return TargetHealth(failures=failures, trips=health.trips + 1, rests_until=until)


def _speaks_against_target(outcome: Outcome) -> bool:
    is_server_error = outcome.http_status is not None and outcome.http_status >= _SERVER_ERROR
    return outcome.reason in _OF_TARGET or is_server_error


def _asked(outcome: Outcome, now: datetime) -> datetime | None:
    """Return until when the target asked to be left in peace: `Retry-After` speaks for all that is owed to it."""
    if outcome.retry_after_s is None or outcome.verdict is not Verdict.RETRY:
        return None
    return now + timedelta(seconds=min(outcome.retry_after_s, _LONGEST_WISH_S))


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


class News(StrEnum):
    """What is told of a subscription, as the type of its event."""

    FAILING = "subscription.failing"
    RECOVERED = "subscription.recovered"
    DISABLED = "subscription.disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerHealth:
    """A subscription whose last attempt failed: how many in a row, and since when."""

    failures: int = 0
    since: datetime | None = None

    @property
    def is_failing(self) -> bool:
        return self.failures >= _FAILURES_TO_TELL


HEARD = ListenerHealth()
"""A subscription whose last attempt was accepted."""


def listener_after(
    health: ListenerHealth, outcome: Outcome, *, now: datetime, disable_after_s: float
) -> tuple[ListenerHealth, News | None]:
    """Return how a subscription stands after an attempt, and what is to be told of it: each thing once.

    It is disabled by 410, or when nothing was accepted for `disable_after_s` seconds.
    """
    if outcome.verdict is Verdict.ACCEPTED:
        return HEARD, News.RECOVERED if health.is_failing else None
    if outcome.verdict is Verdict.GONE:
        return HEARD, News.DISABLED
    if outcome.verdict is Verdict.OWN_FAULT or outcome.reason in _OF_NOBODY | {Reason.RATE_LIMITED}:
        return health, None
    since = health.since or now
    failing = ListenerHealth(failures=health.failures + 1, since=since)
    if failing.is_failing and (now - since).total_seconds() >= disable_after_s:
        return HEARD, News.DISABLED
    return failing, News.FAILING if failing.failures == _FAILURES_TO_TELL else None
