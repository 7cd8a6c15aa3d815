"""Replaying: which events of the log a subscription is sent again, and their deliveries (interface 6.20).

Who had an event was decided when it was written, so an event with a delivery is sent again whatever the subscription
listens to now. One without is judged by its present patterns, filters and tags, the only ones that are known.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import takewhile
from typing import Any

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason, owed
from notifier.domain.document import event_document, order_document
from notifier.domain.juspay_names import TEMPLATE as ONE_A_VERSION
from notifier.domain.juspay_names import owed_of
from notifier.domain.replay import Replay, Replayable, ReplayId
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Subscription, matches
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import Lanes, LoggedEvent, Recalled, Tally

_PAGE = 500
_PAGE_IN_FULL = 50
Since = int | datetime
"""A sequence of the log, which is meant to come too, or the instant from which on events were seen."""
_OF_THE_MOMENT = (f"{Subject.HEARTBEAT}", f"{Subject.TEST}.")
"""Told to one subscription, to say something of that moment."""


async def replay_since(
    tx: Transaction, subscription: Subscription, since: Since, *, now: datetime
) -> ReplayId:
    """Have a new subscription sent what it would have been told since then; what comes from now on is live (6.9)."""
    replay = Replay(
        id=ReplayId(f"rpl_{subscription.id.removeprefix('sub_')}"),
        account=subscription.account,
        subscription_id=subscription.id,
        created_at=now,
        last=await tx.last_sequence(subscription.account),
        **_beginning(since),
    )
    await tx.add_replay(replay)
    return replay.id


def range_of(since: Since, until: Since | None, *, last: int) -> dict[str, Any]:
    """Return members of a replay that say which part of the log it takes; `until` is not meant if an instant."""
    match until:
        case datetime():
            return _beginning(since) | {"last": last, "until_at": until}
        case int():
            return _beginning(since) | {"last": min(last, until)}
        case None:
            return _beginning(since) | {"last": last}


def _beginning(since: Since) -> dict[str, Any]:
    return {"after": 0, "since_at": since} if isinstance(since, datetime) else {"after": max(0, since - 1)}


async def count_matches(storage: Storage, replay: Replay, subscription: Subscription) -> int:
    """Return how many events a replay would send.

    The database counts, unless each document must be judged: then they are read in a transaction a page.
    """
    if not _judges_documents(subscription):
        async with storage.reading() as tx:
            tallies = await tx.recall_tallies(replay, subscription)
        return sum(
            each.count for each in tallies if _is_meant(each, replay) and _is_known(each, subscription)
        )
    count = 0
    while True:
        async with storage.reading() as tx:
            page, is_last = await next_page(tx, replay, subscription)
        count += len(matching(page, replay, subscription))
        if is_last:
            return count
        replay = replace(replay, after=page[-1].sequence)


async def next_page(
    tx: Transaction, replay: Replay, subscription: Subscription
) -> tuple[list[Recalled], bool]:
    """Return the next events of a replay's range, and whether they are the last."""
    in_full = _judges_documents(subscription)
    limit = _PAGE_IN_FULL if in_full else _PAGE
    page = await tx.recallable(replay, subscription, limit=limit, in_full=in_full)
    is_last = len(page) < limit
    return page if is_last else _whole_versions(page, subscription), is_last


def _whole_versions(page: list[Recalled], subscription: Subscription) -> list[Recalled]:
    """Leave a version that may go on behind the page to the next one, where of its events only one is owed."""
    if subscription.template != ONE_A_VERSION:
        return page
    tail = takewhile(partial(_is_same_version, page[-1]), reversed(page))
    return page[: -len(list(tail))] or page


def _judges_documents(subscription: Subscription) -> bool:
    hears_of_troubles = any(
        each.startswith((Subject.SUBSCRIPTION, Subject.DELIVERY)) for each in subscription.events
    )
    by_document = subscription.conditions or subscription.tags
    return bool(by_document or hears_of_troubles or subscription.template == ONE_A_VERSION)


def matching(page: Sequence[Recalled], replay: Replay, subscription: Subscription) -> list[Recalled]:
    """Return those of a page that the replay sends."""
    wanted = [each for each in page if _is_meant(each, replay) and _is_wanted(each, subscription)]
    return [
        each
        for each in wanted
        if each.state is not None or _stands_for_its_version(each, page, wanted, subscription)
    ]


def _stands_for_its_version(
    missing: Recalled, page: Sequence[Recalled], wanted: Sequence[Recalled], subscription: Subscription
) -> bool:
    """Whether it is the one that would be owed of its version, where a template takes only one."""
    if missing.logged is None or subscription.template != ONE_A_VERSION:
        return True
    if any(each.state is not None for each in page if _is_same_version(each, missing)):
        return False
    rivals = [each.logged.event for each in wanted if each.logged and _is_same_version(each, missing)]
    return missing.logged.event in owed_of(subscription, rivals)


def _is_same_version(one: Recalled, other: Recalled) -> bool:
    return (one.watch_id, one.order_version) == (other.watch_id, other.order_version)


def _is_meant(recalled: Recalled | Tally, replay: Replay) -> bool:
    found = Replayable.of(recalled.state)
    if found is None or recalled.type.startswith(_OF_THE_MOMENT):
        return False
    if replay.types and not any(matches(pattern, recalled.type) for pattern in replay.types):
        return False
    if replay.states and found not in replay.states:
        return False
    # What ended since the replay was asked for had its own end; counting and making see the same.
    return found is Replayable.MISSING or recalled.had_ended


def _is_known(recalled: Recalled | Tally, subscription: Subscription) -> bool:
    """Return whether it had a delivery, or would have one by its type."""
    return recalled.state is not None or any(
        matches(pattern, recalled.type) for pattern in subscription.events
    )


def _is_wanted(recalled: Recalled, subscription: Subscription) -> bool:
    if recalled.state is not None or recalled.logged is None:
        return _is_known(recalled, subscription)
    event = recalled.logged.event
    is_own = event.subject is Subject.SUBSCRIPTION and event.subject_id == subscription.id
    if is_own or event.subject is Subject.DELIVERY:  # of which it is not known whom it was about
        return False
    return subscription.wants(event.type, event.order_key, recalled.tags, _document(recalled.logged))


def _document(logged: LoggedEvent) -> dict[str, object]:
    event, snapshot = logged.event, logged.snapshot
    order = order_document(event.order_id, snapshot) if event.order_id and snapshot else None
    return event_document(event, logged.sequence, order)


def can_be_sent(recalled: Recalled, replay: Replay) -> bool:
    """Return whether a body is kept or can be made: retention may have left neither it nor the snapshot."""
    is_kept = recalled.body_id is not None and not replay.is_rerendered
    return is_kept or recalled.has_snapshot or recalled.order_version == 0


async def owe_again(
    tx: Transaction,
    replay: Replay,
    recalled: Sequence[Recalled],
    subscription: Subscription,
    *,
    now: datetime,
    expires_after_s: float,
    lanes: Lanes,
    new_id: Callable[[], str],
) -> list[Delivery]:
    """Make deliveries of a replay, held where the subscription is; returns them."""
    again = [
        _replayed(
            owed(
                DeliveryId(new_id()),
                subscription.state,
                now=now,
                expires_after_s=subscription.expires_after_s or expires_after_s,
            )
        )
        for _ in recalled
    ]
    await tx.owe_again(replay, list(zip(recalled, again, strict=True)), now=now, lanes=lanes)
    return again


def _replayed(delivery: Delivery) -> Delivery:
    is_pending = delivery.state is DeliveryState.PENDING
    return delivery._replace(reason=Reason.REPLAYED) if is_pending else delivery
