"""News of orders gathered for a while, or piled up by a burst, go by one message; each is still a delivery."""

import asyncio
import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field

import pytest
from test_conversations import Why, _tell
from test_deliverer import _deliveries, _seen

from notifier.config.secret import Secret
from notifier.domain.delivery import DeliveryState, Outcome, Reason, Verdict
from notifier.domain.digest import BURST, MOST_FOLDED
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.errors import TemplateError
from notifier.storage.records import Lanes, SubscriptionSecrets
from notifier.workers.pace import Rate
from support.fakes import UNAVAILABLE, FakeChannel

GONE = Outcome(verdict=Verdict.GONE, reason=Reason.RECIPIENT_REFUSED)
WINDOW_S = 60


@dataclass
class Mail(FakeChannel):
    """Folds bodies into a list of them."""

    name: str = "email"
    signs: bool = False
    is_broken: bool = False
    folded: list[int] = field(default_factory=list)

    def fold(self, bodies):
        if self.is_broken:
            raise TemplateError("digest is broken")
        self.folded.append(len(bodies))
        return b"[" + b",".join(bodies) + b"]"


@pytest.fixture
def mail(house):
    house.channel = Mail()
    return house.channel


async def _subscribe(house, *events, channel="email", **members):
    subscription = Subscription(
        id=SubscriptionId("sub_jane"),
        account="shop",
        name="jane",
        channel=channel,
        target="jane@shop.test",
        events=events or ("order.*",),
        **members,
    )
    into_minute_s = house.clock.now().timestamp() % WINDOW_S
    await house.clock.advance(WINDOW_S - into_minute_s)  # windows are those of the clock on the wall
    async with house.storage.writing() as tx:
        secrets = SubscriptionSecrets(target=Secret(subscription.target))
        await tx.add_subscription(subscription, secrets, now=house.clock.now())
    return subscription


def _deliverer(house, channel="email", **limits):
    made = house.deliverer(**limits)
    return type(made)(
        storage=house.storage,
        channels={channel: house.channel},
        limits=made._limits,
        telling=house.telling,
        clock=house.clock,
        metrics=house.metrics,
    )


async def _orders(house, count, *statuses):
    for number in range(count):
        await _seen(house, f"OW{number}", *(statuses or ("CHARGED",)))


async def _attempts(house):
    views = await _deliveries(house)
    async with house.storage.reading() as tx:
        return {view.delivery.id: [a.reason for a in await tx.attempts(view.delivery.id)] for view in views}


async def test_what_comes_in_a_window_goes_by_one_message(house, mail):
    await _subscribe(house)
    await _orders(house, 4)
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S - 10)
        assert mail.parcels == []
        await house.pass_time(20)
    assert mail.folded == [4]
    [parcel] = mail.parcels
    views = await _deliveries(house)
    assert {view.delivery.state for view in views} == {DeliveryState.DELIVERED}
    assert sorted(view.delivery.reason for view in views) == ["accepted", "folded", "folded", "folded"]
    assert {view.delivery.attempts for view in views} == {1}
    assert sorted(map(tuple, (await _attempts(house)).values())) == [("accepted",)] + 3 * [("folded",)]
    assert parcel.order_id is None


async def test_the_changes_of_one_order_go_together_in_their_order(house, mail):
    await _subscribe(house)
    await _seen(house, "OW1", "NEW", "PENDING_VBV", "CHARGED")
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S)
    [parcel] = mail.parcels
    assert parcel.order_id == "OW1"
    types = [each["type"] for each in json.loads(parcel.body)]
    assert types == [logged.event.type for logged in await house.events()]
    assert len(types) == 3
    assert [view.sequence for view in await _deliveries(house)] == [1, 2, 3]


async def test_a_window_longer_than_the_patience_of_lanes_keeps_their_order(house, mail):
    house.lanes = Lanes(hold_attempts=3, hold_s=20)
    await _subscribe(house)
    await _seen(house, "OW1", "NEW", "CHARGED")
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S - 1)
        assert mail.parcels == []
        await house.pass_time(2)
    assert mail.folded == [2]
    assert [each["type"] for each in json.loads(mail.parcels[0].body)] == ["order.new", "order.charged"]


async def test_what_comes_while_a_message_fails_goes_with_it_behind_what_was_there(house, mail):
    await _subscribe(house)
    await _seen(house, "OW1", "NEW")
    mail.outcomes.extend([UNAVAILABLE] * 3)
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S + 10)
    await _seen(house, "OW1", "PENDING_VBV")
    async with house.running(_deliverer(house)):
        await house.pass_time(120)
    lengths = [len(json.loads(each.body)) if each.body[:1] == b"[" else 1 for each in mail.parcels]
    assert lengths == [1, 1, 2, 2]
    assert {view.delivery.state for view in await _deliveries(house)} == {DeliveryState.DELIVERED}


async def test_without_a_window_news_go_one_by_one_until_they_pile_up(house, mail):
    await _subscribe(house, digest_s=0.0)
    await _orders(house, BURST)
    async with house.running(_deliverer(house, rates={"email": Rate(0.5)})):
        await house.pass_time(30)
    assert mail.folded == []
    assert len(mail.parcels) == BURST
    for number in range(20):
        await _seen(house, f"X{number}", "CHARGED")
    async with house.running(_deliverer(house, rates={"email": Rate(0.5)})):
        await house.pass_time(30)
    assert mail.folded == [20]


async def test_no_message_tells_more_than_its_most(house, mail):
    await _subscribe(house)
    await _orders(house, MOST_FOLDED + 3)
    async with house.running(_deliverer(house, concurrency=64)):
        await house.pass_time(WINDOW_S * 2)
    assert mail.folded == [MOST_FOLDED, 3]


async def test_a_failure_is_everybodys_and_all_are_tried_again_together(house, mail):
    await _subscribe(house)
    await _orders(house, 4)
    mail.outcomes.append(UNAVAILABLE)
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S)
        dues = {view.delivery.due_at for view in await _deliveries(house)}
        assert (len(mail.parcels), len(dues)) == (1, 1)
        await house.pass_time(10)
    assert mail.folded == [4, 4]
    assert mail.parcels[0].event_id == mail.parcels[1].event_id
    assert [view.delivery.attempts for view in await _deliveries(house)] == [2] * 4
    assert {tuple(each) for each in (await _attempts(house)).values()} == {
        ("http_status", "accepted"),
        ("http_status", "folded"),
    }


async def test_a_failing_message_counts_once_against_its_subscription(house, mail):
    await _subscribe(house)
    await _orders(house, 6)
    mail.outcomes.append(UNAVAILABLE)
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S + 1)
    assert "subscription.failing" not in await house.types()


async def test_an_address_that_is_none_costs_one_and_holds_the_others(house, mail):
    await _subscribe(house)
    await _orders(house, 3)
    mail.outcomes.append(GONE)
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S * 2)
    views = await _deliveries(house)
    states = sorted((view.delivery.state, view.delivery.attempts) for view in views)
    assert states == [("failed", 1), ("held", 0), ("held", 0)]
    assert len(mail.parcels) == 1


async def test_a_digest_that_cannot_be_made_costs_nobody_anything(house, mail):
    await _subscribe(house)
    await _orders(house, 3)
    mail.is_broken = True
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S + 10)
    assert len(mail.parcels) == 3
    assert {view.delivery.reason for view in await _deliveries(house)} == {Reason.ACCEPTED}


async def test_what_goes_by_one_message_is_frozen_each_by_itself_so_that_it_replays_alone(
    house, mail, tmp_path
):
    await _subscribe(house)
    await _orders(house, 3)
    async with house.running(_deliverer(house)):
        await house.pass_time(WINDOW_S)
    with closing(sqlite3.connect(tmp_path / "notifier.db")) as database:
        frozen = {body for (body,) in database.execute("SELECT content FROM bodies")}
    [parcel] = mail.parcels
    assert {json.dumps(json.loads(body)) for body in frozen} == {
        json.dumps(each) for each in json.loads(parcel.body)
    }
    assert len(frozen) == 3


async def test_an_incident_waits_neither_for_its_window_nor_behind_what_was_gathered(house, mail):
    await _subscribe(house, "order.*", "incident.*", digest_s=0.0)
    await _orders(house, BURST - 1)
    await _tell(house, Why.OPENED)
    async with house.running(_deliverer(house, rates={"email": Rate(0.5)})):
        await house.pass_time(30)
    assert mail.types()[0] == "incident.opened"
    assert mail.folded == []


async def test_an_incident_goes_at_once_while_orders_are_gathered(house, mail):
    await _subscribe(house, "order.*", "incident.*")
    await _orders(house, 3)
    await _tell(house, Why.OPENED)
    async with house.running(_deliverer(house)):
        await house.pass_time(1)
        assert mail.types() == ["incident.opened"]
        await house.pass_time(WINDOW_S)
    assert mail.folded == [3]


async def test_a_channel_that_cannot_fold_sends_one_by_one(house):
    house.channel = FakeChannel(name="webhook")
    await house.subscribe("order.*")
    await _orders(house, 3 * BURST)
    async with house.running(house.deliverer()):
        await house.pass_time(5)
    assert len(house.channel.parcels) == 3 * BURST


async def test_a_kill_between_the_message_and_its_record_loses_nothing(house, mail):
    await _subscribe(house)
    await _orders(house, 4)
    deliverer = _deliverer(house)
    stop, never, reached = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hang(tx, group):
        reached.set()
        await never.wait()

    deliverer._recorder._write = hang
    running = asyncio.create_task(deliverer.run(stop))
    await house.clock.advance(WINDOW_S)
    await reached.wait()
    running.cancel()
    await asyncio.wait([running])
    async with house.storage.writing() as tx:
        await tx.release_claims(now=house.clock.now())
    async with house.running(_deliverer(house)):
        await house.pass_time(5)
    assert mail.folded == [4, 4]
    assert mail.parcels[0].event_id == mail.parcels[1].event_id
    assert {view.delivery.state for view in await _deliveries(house)} == {DeliveryState.DELIVERED}
    assert {tuple(each) for each in (await _attempts(house)).values()} == {
        ("no_outcome", "accepted"),
        ("no_outcome", "folded"),
    }
