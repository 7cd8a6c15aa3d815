"""By when we must have looked: stuck, overdue, mismatched, settled, and the end that was asked for."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notifier.domain.order import Phase, Source
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Snapshot
from notifier.domain.standing import standing


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
