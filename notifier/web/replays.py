"""Sending again: one delivery, or a range of the log to one subscription (interface 6.20)."""

from dataclasses import replace
from datetime import datetime

from notifier.domain.delivery import DeliveryId
from notifier.domain.replay import Replay, ReplayId, ReplayState
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.errors import Conflict, InvalidValue, NotFound
from notifier.storage.contract import Transaction
from notifier.storage.records import DeliveryView, Lanes, Recalled
from notifier.storage.replaying import can_be_sent, count_matches, owe_again, range_of
from notifier.storage.waking import wake
from notifier.web.documents import instant, replay_document
from notifier.web.idempotency import once
from notifier.web.routing import Answer, Call
from notifier.web.shapes import NewReplay, ReplayWish


async def begin(call: Call) -> Answer:
    """Replay a range of the log to a subscription; the replayer makes the deliveries by and by."""
    body: NewReplay = call.body
    services, account = call.services, call.account
    now = services.clock.now()
    if isinstance(body.since, datetime) and body.since > now:
        raise InvalidValue("since", "is still to come; there is nothing to replay", "future")
    async with services.storage.reading() as tx:
        subscription = await tx.subscription(account, SubscriptionId(call.id))
        last, log_begins_at = await tx.last_sequence(account), await tx.log_begins_at(account)
    asked = Replay(
        id=ReplayId(f"rpl_{services.new_id()}"),
        account=account,
        subscription_id=subscription.id,
        created_at=now,
        types=body.types or (),
        states=body.states or (),
        is_rerendered=body.rerender,
        **range_of(body.since, body.until, last=last),
    )
    matched = await count_matches(services.storage, asked, subscription)
    answer = {"id": asked.id, "matched": matched, "log_begins_at": instant(log_begins_at)}
    if body.dry_run:
        return Answer(body=answer | {"id": None})

    async def work(tx: Transaction) -> Answer:
        await wake(tx, await tx.subscription(account, subscription.id), now=now)
        await tx.add_replay(replace(asked, matched=matched))
        return Answer(status=202, body=answer)

    return await once(call, work)


async def send_again(call: Call) -> Answer:
    """Replay one delivery that has ended."""
    body: ReplayWish = call.body

    async def work(tx: Transaction) -> Answer:
        view = await tx.delivery(call.account, DeliveryId(call.id))
        subscription = await _still_there(tx, view)
        if not view.delivery.state.is_final:
            raise Conflict(f"delivery {view.delivery.id} is {view.delivery.state}: it is still to be sent")
        recalled = await tx.recalled(view.delivery.id)
        asked = _of_one(call, view, recalled, rerender=body.rerender)
        if not can_be_sent(recalled, asked):
            raise Conflict(f"of event {view.event_id} neither body nor snapshot is kept any more")
        if body.dry_run:
            return Answer(body={"id": None, "matched": 1})
        delivery_id = await _make(call, tx, asked, recalled, subscription)
        return Answer(status=202, body={"id": asked.id, "matched": 1, "delivery_id": delivery_id})

    if body.dry_run:
        async with call.services.storage.reading() as tx:
            return await work(tx)
    return await once(call, work)


async def read(call: Call) -> Answer:
    """Show how far a replay has come."""
    async with call.services.storage.reading() as tx:
        replay = await tx.replay(call.account, ReplayId(call.id))
        made, log_begins_at = await tx.made_by(replay.id), await tx.log_begins_at(replay.account)
    return Answer(body=replay_document(replay, made, log_begins_at))


async def _still_there(tx: Transaction, view: DeliveryView) -> Subscription:
    try:
        return await tx.subscription(view.account, view.subscription_id)
    except NotFound:
        raise Conflict(
            f"subscription {view.subscription_id} is deleted; make a new one with `since` instead"
        ) from None


def _of_one(call: Call, view: DeliveryView, recalled: Recalled, *, rerender: bool) -> Replay:
    now = call.services.clock.now()
    return Replay(
        id=ReplayId(f"rpl_{call.services.new_id()}"),
        account=view.account,
        subscription_id=view.subscription_id,
        created_at=now,
        after=recalled.sequence,
        last=recalled.sequence,
        is_rerendered=rerender,
        state=ReplayState.DONE,
        matched=1,
        made=1,
        finished_at=now,
    )


async def _make(
    call: Call, tx: Transaction, asked: Replay, recalled: Recalled, subscription: Subscription
) -> DeliveryId:
    services, config = call.services, call.services.config.delivery
    await wake(tx, subscription, now=asked.created_at)
    await tx.add_replay(asked)
    (made,) = await owe_again(
        tx,
        asked,
        [recalled],
        subscription,
        now=asked.created_at,
        expires_after_s=config.expires_after_s,
        lanes=Lanes(config.order_hold_attempts, config.order_hold_s),
        new_id=lambda: f"dlv_{services.new_id()}",
    )
    return made.id
