"""Who is told of what."""

from dataclasses import replace

from notifier.domain.document import Document
from notifier.domain.health import HEARD, WELL, target_id
from notifier.domain.subscription import DisabledBy, Subscription, SubscriptionId, SubscriptionState
from notifier.errors import Conflict
from notifier.storage.contract import Transaction
from notifier.storage.waking import wake
from notifier.web.documents import health_document, subscription_document
from notifier.web.idempotency import once
from notifier.web.paging import page, text_of
from notifier.web.ping import owe_ping
from notifier.web.routing import Answer, Call
from notifier.web.shapes import Held, ListQuery, NewSubscription, SecretRotation, SubscriptionPatch
from notifier.web.wishes import Wish, amended, subscribe, wished

_LIST = "subscriptions"


async def create(call: Call) -> Answer:
    """Add a subscription; its signing secret is shown this once."""
    body: NewSubscription = call.body
    wish = wished(call.services, call.account, body, bound_to=None)

    async def work(tx: Transaction) -> Answer:
        begun = await subscribe(tx, wish, now=call.services.clock.now())
        return Answer(status=201, body=_document(call, wish) | begun, once=wish.shown_once)

    return await once(call, work)


async def index(call: Call) -> Answer:
    """List subscriptions."""
    query: ListQuery = call.query
    after = text_of(_LIST, query.cursor)
    async with call.services.storage.reading() as tx:
        rows = await tx.subscriptions(call.account, after=after, limit=query.limit + 1)
        wishes = [Wish(row, await tx.secrets(row.id)) for row in rows]
    return Answer(
        body=page(
            _LIST,
            wishes,
            query.limit,
            position=lambda wish: wish.subscription.id,
            show=lambda wish: _document(call, wish),
        )
    )


async def read(call: Call) -> Answer:
    """Show a subscription."""
    async with call.services.storage.reading() as tx:
        return await _shown(call, tx, await _found(call, tx))


async def amend(call: Call) -> Answer:
    """Change the members given; edits of where and how to send count from the next attempt."""
    body: SubscriptionPatch = call.body
    async with call.services.storage.writing() as tx:
        subscription = _own(await _found(call, tx))
        present = Wish(subscription, await tx.secrets(subscription.id))
        changed = amended(call.services, present, body)
        is_sealed_part_new = bool(body.secret_changes())
        await tx.amend_subscription(
            changed.subscription,
            changed.secrets if is_sealed_part_new else None,
            now=call.services.clock.now(),
        )
        return Answer(body=_document(call, changed))


async def remove(call: Call) -> Answer:
    """Delete a subscription; what it is owed is cancelled."""
    async with call.services.storage.writing() as tx:
        subscription = _own(await _found(call, tx))
        await tx.remove_subscription(subscription.account, subscription.id, now=call.services.clock.now())
    return Answer(status=204)


async def test(call: Call) -> Answer:
    """Owe this subscription alone a `test.ping`, whatever its patterns say."""

    async def work(tx: Transaction) -> Answer:
        subscription = await _found(call, tx)
        await wake(tx, subscription, now=call.services.clock.now())
        event_id, delivery_id = await owe_ping(tx, call.services, subscription)
        return Answer(status=202, body={"event_id": event_id, "delivery_id": delivery_id})

    return await once(call, work)


async def pause(call: Call) -> Answer:
    """Hold what is owed from now on."""
    return await once(call, lambda tx: _move(call, tx, SubscriptionState.PAUSED))


async def resume(call: Call) -> Answer:
    """Send what was held."""
    return await once(call, lambda tx: _move(call, tx, SubscriptionState.ACTIVE))


async def disable(call: Call) -> Answer:
    """Switch off until somebody enables again; what is owed is held."""
    return await once(call, lambda tx: _move(call, tx, SubscriptionState.DISABLED))


async def enable(call: Call) -> Answer:
    """Switch on again, sending or dropping what was held."""
    body: Held = call.body

    async def work(tx: Transaction) -> Answer:
        subscription = await _found(call, tx)
        if subscription.disabled_by is not DisabledBy.RECIPIENT:
            _own(subscription)  # The configuration cannot say that somebody wants to be back; a hand can.
        if subscription.state is SubscriptionState.PAUSED:
            raise Conflict(f"subscription {subscription.id} is paused, not disabled; resume it")
        now = call.services.clock.now()
        if body.held == "drop":
            await tx.drop_held(subscription.id, now=now)
        return await _store(call, tx, subscription, SubscriptionState.ACTIVE)

    return await once(call, work)


async def rotate_secret(call: Call) -> Answer:
    """Give it another signing secret, shown this once; the old one signs along until its overlap ends."""
    body: SecretRotation = call.body

    async def work(tx: Transaction) -> Answer:
        subscription = _own(await _found(call, tx))
        channel = call.services.channels.get(subscription.channel)
        if channel is None or not channel.signs:
            raise Conflict(
                f"subscription {subscription.id} has no signing secret: channel {subscription.channel} signs nothing"
            )
        fresh, now = call.services.new_secret(), call.services.clock.now()
        present = await tx.secrets(subscription.id)
        secrets = present.rotated(fresh, now=now, overlap_s=body.overlap_s)
        await tx.amend_subscription(subscription, secrets, now=now)
        return Answer(body=_document(call, Wish(subscription, secrets)), once={"secret": fresh.reveal()})

    return await once(call, work)


async def _move(call: Call, tx: Transaction, state: SubscriptionState) -> Answer:
    subscription = _own(await _found(call, tx))
    is_disabled = subscription.state is SubscriptionState.DISABLED
    if is_disabled and state is not SubscriptionState.DISABLED:
        raise Conflict(f"subscription {subscription.id} is disabled; enable it first")
    return await _store(call, tx, subscription, state)


async def _store(call: Call, tx: Transaction, subscription: Subscription, state: SubscriptionState) -> Answer:
    changed = replace(subscription, state=state, disabled_by=_by(subscription, state))
    if changed != subscription:
        now = call.services.clock.now()
        await tx.amend_subscription(changed, None, now=now)
        if state is SubscriptionState.ACTIVE:
            await wake(tx, changed, now=now)
    return await _shown(call, tx, changed)


def _by(subscription: Subscription, state: SubscriptionState) -> DisabledBy | None:
    if state is not SubscriptionState.DISABLED:
        return None
    is_disabled = subscription.state is SubscriptionState.DISABLED
    return subscription.disabled_by if is_disabled else DisabledBy.OPERATOR


async def _found(call: Call, tx: Transaction) -> Subscription:
    return await tx.subscription(call.account, SubscriptionId(call.id))


async def _shown(call: Call, tx: Transaction, subscription: Subscription) -> Answer:
    secrets = await tx.secrets(subscription.id)
    key = target_id(subscription.account, subscription.channel, secrets.target.reveal())
    listener = (await tx.failing_listeners()).get(subscription.id, HEARD)
    target = (await tx.unwell_targets()).get(key, WELL)
    health = health_document(listener, target, now=call.services.clock.now())
    return Answer(body=_document(call, Wish(subscription, secrets)) | {"health": health})


def _document(call: Call, wish: Wish) -> Document:
    services = call.services
    return subscription_document(wish.subscription, wish.secrets, services.channels, now=services.clock.now())


def _own(subscription: Subscription) -> Subscription:
    if subscription.managed is not None:
        raise Conflict(
            f"subscription {subscription.id} is managed by {subscription.managed}; change it there, not over REST"
        )
    return subscription
