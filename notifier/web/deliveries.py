"""What is or was owed to subscriptions."""

from notifier.domain.delivery import DeliveryId
from notifier.domain.order import order_key
from notifier.domain.subscription import SubscriptionId
from notifier.web.documents import attempt_document, delivery_document
from notifier.web.paging import number_of, to_cursor
from notifier.web.routing import Answer, Call
from notifier.web.shapes import DeliveryQuery

_LIST = "deliveries"


async def index(call: Call) -> Answer:
    """List deliveries, newest first."""
    query: DeliveryQuery = call.query
    after = number_of(_LIST, query.cursor)
    async with call.services.storage.reading() as tx:
        rows, following = await tx.deliveries(
            call.account,
            state=query.state,
            subscription_id=None if query.subscription is None else SubscriptionId(query.subscription),
            order_key=None if query.order_id is None else order_key(query.order_id),
            after=after,
            limit=query.limit,
        )
    next_cursor = None if following is None else to_cursor(_LIST, following)
    return Answer(body={"items": [delivery_document(row) for row in rows], "next_cursor": next_cursor})


async def read(call: Call) -> Answer:
    """Show one delivery with every attempt at it."""
    delivery_id = DeliveryId(call.id)
    async with call.services.storage.reading() as tx:
        view = await tx.delivery(call.account, delivery_id)
        attempts = await tx.attempts(delivery_id)
    return Answer(body=delivery_document(view) | {"attempts": list(map(attempt_document, attempts))})
