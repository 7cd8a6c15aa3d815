"""What is known of orders: their snapshots, and the story of each."""

from notifier.web.documents import snapshot_document
from notifier.web.paging import number_of, page
from notifier.web.routing import Answer, Call
from notifier.web.shapes import SnapshotQuery
from notifier.web.timeline import story

_LIST = "snapshots"


async def read(call: Call) -> Answer:
    """Show the present snapshot."""
    async with call.services.storage.reading() as tx:
        watch = await tx.watch(call.account, call.order_key)
        return Answer(body=snapshot_document(watch, await tx.snapshot_at(watch.id)))


async def snapshots(call: Call) -> Answer:
    """Show one version, or list all of them, oldest first."""
    query: SnapshotQuery = call.query
    after = number_of(_LIST, query.cursor)
    async with call.services.storage.reading() as tx:
        watch = await tx.watch(call.account, call.order_key)
        if query.version is not None:
            return Answer(body=snapshot_document(watch, await tx.snapshot_at(watch.id, query.version)))
        rows = await tx.snapshots(watch.id, after=after, limit=query.limit + 1)
    return Answer(
        body=page(
            _LIST,
            rows,
            query.limit,
            position=lambda stored: stored.version,
            show=lambda stored: snapshot_document(watch, stored),
        )
    )


async def timeline(call: Call) -> Answer:
    """Tell all that happened to an order and what comes next, in the order of time."""
    async with call.services.storage.reading() as tx:
        watch = await tx.watch(call.account, call.order_key)
        entries, is_complete = await story(tx, watch, call.services.outlook(watch))
    return Answer(
        body={
            "account": watch.account,
            "order_id": watch.order_id,
            "items": entries,
            "is_complete": is_complete,
        }
    )
