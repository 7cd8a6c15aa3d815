"""The lives of the orders that the daemon itself watched, as far as it saw them."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from notifier.domain.cadence.situation import Kind, method_of, parts_of, refund_stage
from notifier.domain.order import Phase, Source
from notifier.domain.snapshot import Snapshot
from notifier.simulation.lives import ORDER, REFUND, Row
from notifier.storage.contract import Storage
from notifier.storage.records import StoredSnapshot

_PAGE = 200


async def seen_lives(storage: Storage, account: str) -> AsyncIterator[list[Row]]:
    """Yield the rows of each order of an account that was open when it was first seen.

    Of the others nobody knows when they changed.
    """
    after: int | None = 0
    while after is not None:
        async with storage.reading() as tx:
            found = await tx.watches(account, after=after, limit=_PAGE)
            versions = [(watch.order_id, await tx.snapshots(watch.id, limit=_PAGE)) for watch in found]
        after = found[-1].id if found else None
        for order_id, stored in versions:
            if rows := rows_of(f"{account}:{order_id}", stored):
                yield rows


def rows_of(order_id: str, versions: Sequence[StoredSnapshot]) -> list[Row]:
    """Return the changes of an order, each dated by the upstream where that falls between two looks, else halfway."""
    told = [each for each in versions if each.snapshot.source is Source.ORDER and each.snapshot.order]
    first = told[0].snapshot.order if told else None
    if first is None or first.phase is not Phase.OPEN:
        return []
    created_at = min(first.date_created or told[0].observed_at, told[0].observed_at)
    rows: list[Row] = []
    status, stage = "", ""
    for each in told:
        order, refund = each.snapshot.order, next(iter(each.snapshot.refunds), None)
        assert order is not None
        for subject, word, before in (
            (ORDER, order.status, status),
            (REFUND, refund_stage(refund) if refund else stage, stage),
        ):
            if word and word != before:
                at_s = max((_changed_at(each, subject) - created_at).total_seconds(), 0.0)
                rows.append(Row(order_id, method_of(order), at_s, subject, word))
        status, stage = order.status or status, (refund and refund_stage(refund)) or stage
    return rows


def _changed_at(stored: StoredSnapshot, subject: str) -> datetime:
    seen_at, not_before = stored.observed_at, stored.not_before or stored.observed_at
    for at in _dates(stored.snapshot, subject, seen_at):
        if stored.not_before is None or not_before < at < seen_at:
            return at
    return not_before + (seen_at - not_before) / 2


def _dates(snapshot: Snapshot, subject: str, seen_at: datetime) -> list[datetime]:
    kind = Kind.ORDER if subject == ORDER else Kind.REFUND
    parts = parts_of(snapshot, account="", seen_at=seen_at)
    return [
        datetime.fromtimestamp(part.since_s, seen_at.tzinfo) for part in parts if part.situation.kind is kind
    ][:1]
