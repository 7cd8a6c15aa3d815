"""Orders seen without a poller."""

from notifier.domain.change import diff
from notifier.domain.event import Sighting, events_of, facts_of, present_facts
from notifier.domain.order import order_key
from notifier.storage.records import Lanes
from notifier.storage.telling import tell
from support.builders import a_snapshot, an_order
from support.clock import START


def seeing(storage, services):
    """Return what records that an order was seen in a status, and tells it, as the poller does."""

    async def look(order_id, status, *, at=START):
        async with storage.writing() as tx:
            watch = await tx.watch("shop", order_key(order_id))
            before = (await tx.snapshot_at(watch.id)).snapshot if watch.version else None
            snapshot = a_snapshot(an_order(status))
            version = await tx.add_snapshot(watch, snapshot, observed_at=at, not_before=None)
            sighting = Sighting(
                account="shop", livemode=False, order_id=watch.order_id, order_key=watch.order_key,
                order_version=version, source=snapshot.source, phase=snapshot.order.phase, observed_at=at,
                not_before=None, initial=before is None,
            )  # fmt: skip
            facts = facts_of(diff(before, snapshot), snapshot, None) if before else present_facts(snapshot)
            await tell(
                tx, events_of(facts, sighting), watch=watch, snapshot=snapshot, now=at,
                expires_after_s=3600, lanes=Lanes(), new_id=lambda: f"dlv_{services.new_id()}",
            )  # fmt: skip

    return look
