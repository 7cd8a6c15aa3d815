"""What a look leaves behind for alerts: how attempts ended, in the transaction of the snapshot that shows it."""

from collections.abc import Sequence
from datetime import datetime

from notifier.domain.alert.outcome import outcomes_of, stuck_outcome
from notifier.domain.event import Fact
from notifier.domain.instant import seconds
from notifier.domain.snapshot import Snapshot
from notifier.storage.contract import Transaction
from notifier.storage.records import Watch

_DATED_WITHIN = seconds(300)


async def keep_outcomes(
    tx: Transaction,
    watch: Watch,
    before: Snapshot | None,
    after: Snapshot,
    *,
    seen_at: datetime,
    not_before: datetime | None,
) -> None:
    """Keep how attempts ended between two snapshots; `not_before` is the last look that did not show it.

    What may have ended long before this look is no news of any minute, and said to be undated.
    """
    found = outcomes_of(
        before,
        after,
        account=watch.account,
        order_key=watch.order_key,
        observed_at=seen_at,
        not_before=not_before,
    )
    is_fresh = not_before is not None and seen_at - not_before <= _DATED_WITHIN
    for is_dated in (True, False):
        some = [each for each in found if (is_fresh or each.ended_at != seen_at) is is_dated]
        if some:
            await tx.add_outcomes(some, observed_at=seen_at, is_dated=is_dated)


async def keep_stuck(
    tx: Transaction,
    watch: Watch,
    snapshot: Snapshot,
    facts: Sequence[Fact],
    *,
    stuck_at: datetime | None,
    seen_at: datetime,
) -> None:
    """Keep that an order hangs, when that is among what its deadlines told.

    What hung long before this look is undated, as what ended then is: one without the other would be a spike.
    """
    if stuck_at is None or all(fact.type != "order.stuck" for fact in facts):
        return
    found = stuck_outcome(snapshot, account=watch.account, order_key=watch.order_key, stuck_at=stuck_at)
    if found is not None:
        await tx.add_outcomes([found], observed_at=seen_at, is_dated=seen_at - stuck_at <= _DATED_WITHIN)
