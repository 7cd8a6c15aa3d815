"""A page goes before order notices, however many of them wait, in its own channel and in all others."""

import asyncio

import pytest
from test_conversations import Why, _tell
from test_folding import Mail, _deliverer

from notifier.app.crew import _RATES
from notifier.config.secret import Secret
from notifier.domain.event import Event, EventId
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.records import SubscriptionSecrets
from notifier.storage.telling import delivery_ids, tell

_PROMPT_S = 4
NOTICES = 1000


async def _subscribe(house, number):
    channel = f"C00000{number:03}"
    subscription = Subscription(
        id=SubscriptionId(f"sub_{number}"),
        account="shop",
        name=channel,
        channel="slack",
        target=channel,
        events=("order.*", "incident.*"),
    )
    async with house.storage.writing() as tx:
        secrets = SubscriptionSecrets(target=Secret(channel))
        await tx.add_subscription(subscription, secrets, now=house.clock.now())


async def _pile_up(house, count):
    """Tell of so many orders at once."""
    now = house.clock.now()
    events = [
        Event(
            id=EventId(f"evt_{number}"),
            type="order.stuck",
            account="shop",
            livemode=False,
            subject=Subject.ORDER,
            subject_id=None,
            order_id=f"OW{number}",
            observed_at=now,
        )
        for number in range(count)
    ]
    async with house.storage.writing() as tx:
        await tell(
            tx,
            events,
            watch=None,
            snapshot=None,
            now=now,
            expires_after_s=99_999,
            lanes=house.lanes,
            new_id=delivery_ids(),
        )


@pytest.mark.parametrize("channels", [1, 8, 20])
async def test_a_page_waits_behind_no_backlog_of_notices(house, channels):
    """It was claimed in its turn by age, and not while its line or the slow ones together had enough: after minutes."""
    house.channel = Mail(name="slack")
    for number in range(channels):
        await _subscribe(house, number)
    await _pile_up(house, NOTICES)
    limits = {"concurrency": 64, "longest_attempt_s": 35.0, "rates": _RATES}
    stop = asyncio.Event()
    running = asyncio.create_task(_deliverer(house, channel="slack", **limits).run(stop))
    await house.pass_time(3)
    await _tell(house, Why.OPENED)
    await house.pass_time(_PROMPT_S)
    stop.set()
    await house.pass_time(0.1, step=0.02)  # the committer lingers in a crowd
    await running
    paged = [each for each in house.channel.parcels if each.event_type == "incident.opened"]
    assert len({each.subscription_id for each in paged}) == len(paged) == channels
    assert sum(house.channel.folded) < NOTICES * channels
