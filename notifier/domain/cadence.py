"""When to look again: soon after a change, ever later while nothing changes, never past a deadline.

A plain honest rule: the next interval is a base plus a share of the silence so far, both by phase. It is the one
place that a learned cadence replaces.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from notifier.domain.backoff import growing, jittered
from notifier.domain.order import Phase, Source
from notifier.domain.snapshot import Snapshot
from notifier.domain.standing import standing


@dataclass(frozen=True, slots=True, kw_only=True)
class PollingPolicy:
    """Bounds of polling. Units: seconds."""

    min_interval_s: float = 1.0
    max_interval_s: float = 3600.0
    settle_failed_after_s: float = 86_400.0
    settle_charged_after_s: float = 864_000.0
    stuck_after_s: float = 900.0
    refund_overdue_after_s: float = 864_000.0


class Why(StrEnum):
    """What set the next poll."""

    REGISTERED = "registered"
    CADENCE = "cadence"
    DEADLINE = "deadline"
    ASKED = "asked"
    AFTER_ASKED = "after_asked"
    SECOND_LOOK = "second_look"
    SOURCE_ERROR = "source_error"
    NOT_FOUND_GRACE = "not_found_grace"


@dataclass(frozen=True, slots=True)
class Plan:
    """The next look and what set it."""

    at: datetime
    why: Why


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadlines:
    """Instants by which we must have looked, each judged once after that look (6.16)."""

    stuck_at: datetime | None = None
    overdue_at: datetime | None = None
    mismatch_at: datetime | None = None
    settle_at: datetime | None = None
    until_at: datetime | None = None

    @property
    def soonest(self) -> datetime | None:
        """The first of them, or None."""
        every = (self.stuck_at, self.overdue_at, self.mismatch_at, self.settle_at, self.until_at)
        return min((at for at in every if at is not None), default=None)


@dataclass(frozen=True, slots=True)
class _Pace:
    base_s: float
    share: float


_PACES = {
    Phase.OPEN: _Pace(1.5, 0.10),
    Phase.UNKNOWN: _Pace(5.0, 0.15),
    Phase.FAILED: _Pace(10.0, 0.20),
    Phase.SUCCEEDED: _Pace(60.0, 0.25),
    Phase.REFUNDED: _Pace(60.0, 0.25),
}
_SECOND_LOOK_S = 5.0
_AFTER_ASKED_S = 2.0
_NOT_FOUND_GRACE_S = 300.0
_LONGEST_ERROR_WAIT_S = 300.0


def next_poll(
    phase: Phase,
    *,
    last_changed_at: datetime,
    deadline_at: datetime | None,
    now: datetime,
    roll: float,
    policy: PollingPolicy,
) -> Plan:
    """Return the next look after one that showed what we know: within the bounds and never in the past."""
    pace = _PACES[phase]
    silence_s = max(0.0, (now - last_changed_at).total_seconds())
    interval_s = jittered(pace.base_s + pace.share * silence_s, roll)
    interval_s = min(max(interval_s, policy.min_interval_s), policy.max_interval_s)
    if deadline_at is not None:
        until_deadline_s = max((deadline_at - now).total_seconds(), policy.min_interval_s)
        if until_deadline_s < interval_s:
            return Plan(now + timedelta(seconds=until_deadline_s), Why.DEADLINE)
    return Plan(now + timedelta(seconds=interval_s), Why.CADENCE)


def second_look(now: datetime) -> Plan:
    """Return when to confirm a step back that nothing but the answer itself speaks for (6.6)."""
    return Plan(now + timedelta(seconds=_SECOND_LOOK_S), Why.SECOND_LOOK)


def is_confirmed(doubted_at: datetime | None, started_at: datetime) -> bool:
    """Return whether a doubted answer was seen again at least five seconds later."""
    return doubted_at is not None and (started_at - doubted_at).total_seconds() >= _SECOND_LOOK_S


def after_asked(now: datetime) -> Plan:
    """Return the one more look that a request without a change is owed: the status can lag (6.14)."""
    return Plan(now + timedelta(seconds=_AFTER_ASKED_S), Why.AFTER_ASKED)


def after_error(
    failures: int, *, now: datetime, retry_after_s: float | None, roll: float, policy: PollingPolicy
) -> Plan:
    """Return the next look after a source error: exponential, at least what the upstream asked for."""
    first_s = max(2.0, policy.min_interval_s)
    ceiling_s = max(first_s, min(policy.max_interval_s, _LONGEST_ERROR_WAIT_S))
    wait_s = growing(failures, first_s=first_s, ceiling_s=ceiling_s, roll=roll)
    return Plan(now + timedelta(seconds=max(wait_s, min(retry_after_s or 0.0, 86_400.0))), Why.SOURCE_ERROR)


def after_not_found(*, registered_at: datetime, now: datetime, roll: float) -> Plan | None:
    """Return the next look for an order the upstream does not know yet, or None when its grace is over."""
    age_s = max(0.0, (now - registered_at).total_seconds())
    if age_s >= _NOT_FOUND_GRACE_S:
        return None
    return Plan(now + timedelta(seconds=jittered(2.0 + 0.2 * age_s, roll)), Why.NOT_FOUND_GRACE)


def deadlines_after_change(
    before: Snapshot | None,
    after: Snapshot,
    old: Deadlines,
    *,
    now: datetime,
    mismatched: bool,
    policy: PollingPolicy,
) -> Deadlines:
    """Re-arm what the change touched; what was already judged and did not change stays silent."""
    return Deadlines(
        stuck_at=_stuck_at(before, after, old, now, policy),
        overdue_at=_overdue_at(before, after, old, policy),
        mismatch_at=(old.mismatch_at or now) if mismatched else None,
        settle_at=_settle_at(after, now, policy),
        until_at=old.until_at,
    )


def _stuck_at(
    before: Snapshot | None, after: Snapshot, old: Deadlines, now: datetime, policy: PollingPolicy
) -> datetime | None:
    order, was = after.order, before.order if before else None
    if order is None or order.phase is not Phase.OPEN:
        return None
    if was and (was.status, was.txn_id) == (order.status, order.txn_id):
        return old.stuck_at
    at = now + timedelta(seconds=policy.stuck_after_s)
    return max(at, order.order_expiry) if order.order_expiry else at


def overdue_instant(snapshot: Snapshot, refund_id: str, policy: PollingPolicy) -> datetime | None:
    """Return when an open refund of the snapshot is late, or None."""
    for refund in snapshot.refunds:
        if refund.id == refund_id and refund.is_open:
            if refund.expected_refund_credit_time is not None:
                return refund.expected_refund_credit_time
            if refund.created is not None:
                return refund.created + timedelta(seconds=policy.refund_overdue_after_s)
    return None


def _overdue_at(
    before: Snapshot | None, after: Snapshot, old: Deadlines, policy: PollingPolicy
) -> datetime | None:
    unchanged = set() if before is None else set(before.refunds) & set(after.refunds)
    instants = []
    for refund in after.refunds:
        at = overdue_instant(after, refund.id, policy)
        is_judged = refund in unchanged and (
            old.overdue_at is None or (at is not None and at < old.overdue_at)
        )
        if at is not None and not is_judged:
            instants.append(at)
    return min(instants, default=None)


def next_overdue_at(snapshot: Snapshot, judged_until: datetime, policy: PollingPolicy) -> datetime | None:
    """Return the first refund deadline after those judged."""
    instants = [overdue_instant(snapshot, refund.id, policy) for refund in snapshot.refunds]
    return min((at for at in instants if at is not None and at > judged_until), default=None)


def _settle_at(after: Snapshot, now: datetime, policy: PollingPolicy) -> datetime | None:
    """Failed orders settle sooner; an open one is given up later, and none before its open refunds are late.

    A mandate that was set up may be revoked on any day, so it is watched past its end, without one for ever.
    """
    phase = standing(after)
    if after.source is Source.MANDATE and phase is Phase.SUCCEEDED:
        end = after.mandate.end_date if after.mandate else None
        return max(now, end) + timedelta(seconds=policy.settle_charged_after_s) if end else None
    is_quiet = phase in {Phase.FAILED, Phase.REFUNDED} and not any(r.is_open for r in after.refunds)
    after_s = policy.settle_failed_after_s if is_quiet else policy.settle_charged_after_s
    late = [overdue_instant(after, refund.id, policy) for refund in after.refunds]
    return max([now + timedelta(seconds=after_s), *(at for at in late if at is not None)])


def without(deadlines: Deadlines, *names: str) -> Deadlines:
    """Return the deadlines without those just judged."""
    return replace(deadlines, **dict.fromkeys(names))
