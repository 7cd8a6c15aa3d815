"""Values to begin a test with."""

from notifier.config.secret import Secret
from notifier.domain.delivery import (
    Delivery,
    DeliveryId,
    DeliveryState,
    Outcome,
    Reason,
    Verdict,
    advance,
    owed,
)
from notifier.domain.event import Event, EventId
from notifier.domain.money import Money
from notifier.domain.order import OrderId, Phase, Source, order_key
from notifier.domain.snapshot import Order, Reader, Refund, Snapshot, Subject
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.records import (
    AttemptRecord,
    Lanes,
    NewDelivery,
    Registration,
    SubscriptionSecrets,
)
from support.clock import START

LANES = Lanes(hold_attempts=3, hold_s=600.0)
SECRETS = SubscriptionSecrets(
    target=Secret("https://example.com/hook"),
    signing=(Secret("whsec_new"), Secret("whsec_old")),
    headers={"x-team": "payments"},
    basic_auth=Secret("user:password"),
)


def wish(order_id="OW1", **members):
    return Registration(account=members.pop("account", "main"), order_id=OrderId(order_id), **members)


def snapshot(status="CHARGED", **members):
    return Snapshot(
        source=Source.ORDER,
        reader=members.pop("reader", Reader(schema=1, version="2023-06-30")),
        order=Order(status=status, amount=Money(38_600, "INR"), date_created=START),
        refunds=(Refund(id="R1", status="PENDING", amount=Money(100, "INR")),),
        **members,
    )


def event(name, *, order_id="OW1", account="main", type="order.charged", **members):  # noqa: A002
    return Event(
        id=EventId(f"evt_{name}"),
        type=type,
        account=account,
        livemode=False,
        subject=members.pop("subject", Subject.ORDER),
        subject_id=members.pop("subject_id", None),
        observed_at=members.pop("observed_at", START),
        order_id=OrderId(order_id) if order_id else None,
        order_key=order_key(order_id) if order_id else None,
        phase=Phase.SUCCEEDED,
        source=Source.ORDER,
        **members,
    )


def subscription(name="hook", **members):
    return Subscription(
        id=SubscriptionId(f"sub_{name}"),
        account=members.pop("account", "main"),
        name=name,
        channel="webhook",
        target="https://example.com/hook",
        events=members.pop("events", ("*",)),
        **members,
    )


async def watched(storage, order_id="OW1", *, now=START, **members):
    async with storage.writing() as tx:
        watch, _ = await tx.register(wish(order_id, **members), now=now)
    return watch


async def subscribed(storage, name="hook", *, now=START, **members):
    wanted = subscription(name, **members)
    async with storage.writing() as tx:
        await tx.add_subscription(wanted, SECRETS, now=now)
    return wanted


async def told(
    storage, listener, watch, *names, now=START, collapse=False, expires_after_s=10_000.0, **members
):
    """Owe one new event for each name, in this order; return the ids of the deliveries."""
    events = [event(name, order_id=watch.order_id if watch else None, **members) for name in names]
    news = [
        NewDelivery(
            delivery=owed(
                DeliveryId(f"dlv_{e.id}"), listener.state, now=now, expires_after_s=expires_after_s
            ),
            account="main",
            subscription=listener,
            event=e,
            watch_id=watch.id if watch else None,
            may_collapse=collapse,
        )
        for e in events
    ]
    async with storage.writing() as tx:
        sequences = await tx.next_sequences("main", len(events))
        await tx.add_events(list(zip(events, sequences, strict=True)), watch.id if watch else None)
        await tx.owe(news, now=now, lanes=LANES)
    return [new.delivery.id for new in news]


async def due(storage, now, *, busy=(), limit=50, lanes=LANES):
    async with storage.reading() as tx:
        return await tx.due_deliveries(now=now, limit=limit, lanes=lanes, busy=busy)


async def due_events(storage, now, **wanted):
    return [d.logged.event.id.removeprefix("evt_") for d in await due(storage, now, **wanted)]


async def claimed(storage, *found, until, token="t", body=b"body"):
    async with storage.writing() as tx:
        return await tx.claim([(each, body) for each in found], lease_until=until, token=token)


def begun(found) -> Delivery:
    """The delivery as its claim has left it."""
    return found.delivery._replace(attempts=found.delivery.attempts + 1)


def outcome(verdict):
    reasons = {
        Verdict.ACCEPTED: Reason.ACCEPTED,
        Verdict.RETRY: Reason.TIMEOUT,
        Verdict.OWN_FAULT: Reason.OWN_FAULT,
    }
    return Outcome(verdict=verdict, reason=reasons.get(verdict, Reason.GONE))


async def recorded(storage, found, verdict, *, now, token="t", schedule=(30.0,) * 20, answer=b""):
    after = advance(begun(found), outcome(verdict), now=now, schedule=schedule, roll=0.5)
    record = AttemptRecord(
        delivery_id=found.delivery.id,
        number=found.delivery.attempts + 1,
        started_at=now,
        duration_ms=12,
        reason=after.reason,
        http_status=200,
        retry_after_s=1.5,
        answer=answer,
    )
    async with storage.writing() as tx:
        await tx.record_attempts([(found, record, after, token)], now=now, lanes=LANES)
    return after


async def attempted(storage, found, verdict, *, now, until):
    await claimed(storage, found, until=until)
    return await recorded(storage, found, verdict, now=now)


async def states(storage):
    """Every delivery's state by its event, oldest first."""
    async with storage.reading() as tx:
        views, _ = await tx.deliveries("main", limit=500)
    return {view.event_id.removeprefix("evt_"): view.delivery.state for view in reversed(views)}


OPEN_STATES = {DeliveryState.PENDING, DeliveryState.HELD}
