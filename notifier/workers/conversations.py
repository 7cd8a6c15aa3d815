"""The messages that live on: each attempt is given the handle that the last one of its subject left."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from notifier.channels.contract import Channel
from notifier.domain.delivery import DeliveryId, Outcome
from notifier.storage.contract import Transaction
from notifier.storage.records import DueDelivery, Talk


def talk_of(due: DueDelivery, channels: Mapping[str, Channel]) -> Talk | None:
    """Return what a delivery's message lives on about, None where each stands alone."""
    event, subscription = due.logged.event, due.subscription
    if event.subject not in channels[subscription.channel].converses_about or event.subject_id is None:
        return None
    return Talk(subscription.id, event.subject, event.subject_id)


async def handles_of(
    tx: Transaction, due: Sequence[DueDelivery], channels: Mapping[str, Channel]
) -> dict[DeliveryId, str]:
    """Return, by delivery, the handles that are there."""
    talks = {each.delivery.id: talk for each in due if (talk := talk_of(each, channels)) is not None}
    if not talks:
        return {}
    kept = await tx.handles(set(talks.values()))
    return {delivery_id: kept[talk] for delivery_id, talk in talks.items() if talk in kept}


async def keep_handles(
    tx: Transaction,
    attempts: Sequence[tuple[DueDelivery, Outcome | None]],
    channels: Mapping[str, Channel],
    *,
    now: datetime,
) -> None:
    """Keep the handles that attempts left, in the transaction that records them."""
    fresh = {
        talk: outcome.handle
        for due, outcome in attempts
        if outcome and outcome.handle is not None and (talk := talk_of(due, channels)) is not None
    }
    if fresh:
        await tx.keep_handles(fresh, now=now)
