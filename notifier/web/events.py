"""The log of events, exactly as they are pushed."""

from notifier.domain.event import EventId
from notifier.domain.order import order_key
from notifier.errors import NotFound
from notifier.web.documents import logged_document
from notifier.web.routing import Answer, Call
from notifier.web.shapes import EventQuery


async def index(call: Call) -> Answer:
    """List events after a sequence; `next_after` asks for what follows, now or later."""
    query: EventQuery = call.query
    async with call.services.storage.reading() as tx:
        rows = await tx.events(
            call.account,
            after=query.after,
            limit=query.limit,
            order_key=None if query.order_id is None else order_key(query.order_id),
            event_type=query.type,
        )
    next_after = rows[-1].sequence if rows else query.after
    return Answer(body={"items": [logged_document(row) for row in rows], "next_after": next_after})


async def read(call: Call) -> Answer:
    """Show one event; `stream` is no id, the word is kept for a later version."""
    if call.id == "stream":
        raise NotFound("the stream of events is not in this version; poll GET /v1/events?after=SEQUENCE")
    async with call.services.storage.reading() as tx:
        logged = await tx.event(EventId(call.id))
    if logged.event.account != call.account:
        raise NotFound(f"account {call.account} has no event of this id")
    return Answer(body=logged_document(logged))
