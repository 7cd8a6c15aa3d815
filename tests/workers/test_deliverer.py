"""What the deliverer sends, in which order, and how each delivery ends."""

import asyncio
import json
from datetime import timedelta

from notifier.domain.delivery import DeliveryState, Outcome, Reason, Verdict
from notifier.domain.order import order_key
from notifier.domain.subscription import OPERATORS, Ordering, SubscriptionState
from notifier.templating import SHIPPED
from support.fakes import ACCEPTED, UNAVAILABLE


async def _seen(house, order_id, *statuses):
    """Let an order go through statuses, each seen by the poller."""
    for status in statuses:
        house.source.put(order_id, status)
        await house.watch(order_id) if status == statuses[0] else None
        async with house.storage.writing() as tx:
            await tx.ask("shop", order_key(order_id), now=house.clock.now())
        async with house.running(house.poller()):
            await house.clock.advance(0.01)
            await house.quiet()


async def _deliveries(house):
    async with house.storage.reading() as tx:
        page, _ = await tx.deliveries("shop", limit=500)
    return list(reversed(page))


async def test_an_event_reaches_its_subscriber_once(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(5)
    (parcel,) = house.channel.parcels
    assert (parcel.event_type, parcel.attempt, parcel.sequence) == ("order.charged", 1, 1)
    document = json.loads(parcel.body)
    assert document["data"]["order"]["status"] == "CHARGED"
    assert document["livemode"] is False
    (view,) = await _deliveries(house)
    assert (view.delivery.state, view.delivery.reason) == (DeliveryState.DELIVERED, Reason.ACCEPTED)


async def test_a_refusal_is_tried_again_by_the_schedule_with_the_same_bytes(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    house.channel.outcomes.extend([UNAVAILABLE, UNAVAILABLE])
    async with house.running(house.deliverer()):
        assert len(house.channel.parcels) == 1
        await house.pass_time(4)
        assert len(house.channel.parcels) == 1
        await house.pass_time(2)
        assert len(house.channel.parcels) == 2
        await house.pass_time(30)
    first, second, third = house.channel.parcels
    assert first.body == second.body == third.body
    assert [parcel.attempt for parcel in house.channel.parcels] == [1, 2, 3]
    assert first.sequence == third.sequence == 1
    async with house.storage.reading() as tx:
        attempts = await tx.attempts((await _deliveries(house))[0].delivery.id)
    assert [attempt.reason for attempt in attempts] == [
        Reason.HTTP_STATUS,
        Reason.HTTP_STATUS,
        Reason.ACCEPTED,
    ]


async def test_a_delivery_ends_when_its_schedule_does(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    house.channel.usual = UNAVAILABLE
    async with house.running(house.deliverer()):
        await house.pass_time(600, step=20)
    assert len(house.channel.parcels) == 5
    (view,) = await _deliveries(house)
    assert (view.delivery.state, view.delivery.reason) == (DeliveryState.FAILED, Reason.EXHAUSTED)


async def test_our_own_fault_costs_no_attempt(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    house.channel.outcomes.append(Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT))
    async with house.running(house.deliverer()):
        await house.pass_time(40, step=5)
    assert [parcel.attempt for parcel in house.channel.parcels] == [1, 1]


async def test_a_later_event_of_an_order_waits_for_the_earlier_one(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "PENDING_VBV", "CHARGED")
    house.channel.outcomes.append(UNAVAILABLE)
    async with house.running(house.deliverer()):
        await house.pass_time(3)
        assert house.channel.types() == ["order.pending_vbv"]
        await house.pass_time(5)
    assert house.channel.types() == ["order.pending_vbv", "order.pending_vbv", "order.charged"]
    assert [parcel.behind for parcel in house.channel.parcels] == [(), (), ()]


async def test_after_three_attempts_the_later_one_goes_and_says_behind_what(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "PENDING_VBV", "CHARGED")
    house.channel.outcomes.extend([UNAVAILABLE] * 3)
    async with house.running(house.deliverer()):
        await house.pass_time(40, step=2)
    assert house.channel.types()[:4] == ["order.pending_vbv"] * 3 + ["order.charged"]
    late = house.channel.parcels[3]
    assert late.behind == (house.channel.parcels[0].event_id,)


async def test_strict_waits_to_the_end(house):
    await house.subscribe("order.*", ordering=Ordering.STRICT)
    await _seen(house, "OW1", "PENDING_VBV", "CHARGED")
    house.channel.outcomes.extend([UNAVAILABLE] * 5)
    async with house.running(house.deliverer()):
        await house.pass_time(500, step=10)
    assert house.channel.types() == ["order.pending_vbv"] * 5 + ["order.charged"]


async def test_orders_do_not_wait_for_each_other(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    await _seen(house, "OW2", "CHARGED")
    house.channel.outcomes.append(UNAVAILABLE)
    async with house.running(house.deliverer()):
        await house.pass_time(1)
    assert {parcel.order_id for parcel in house.channel.parcels} == {"OW1", "OW2"}


async def test_a_hanging_target_does_not_hold_up_another(house):
    await house.subscribe("order.*", name="slow")
    for number in range(12):
        await _seen(house, f"OW{number}", "CHARGED")
    house.channel.gate = asyncio.Event()
    deliverer = house.deliverer(concurrency=16)
    async with house.running(deliverer):
        stuck = len(house.channel.parcels)
        assert stuck == 1
        house.channel.gate, gate = None, house.channel.gate
        await house.subscribe("order.*", name="quick")
        async with house.running(house.poller()):
            house.source.put("OW99", "CHARGED")
            await house.watch("OW99")
            await house.quiet()
        await house.quiet()
        assert [p.subscription_id for p in house.channel.parcels[stuck:]] == ["sub_quick"]
        gate.set()
        await house.quiet()


async def test_gone_disables_the_subscription_and_holds_what_is_owed(house):
    subscription = await house.subscribe("order.*")
    await _seen(house, "OW1", "PENDING_VBV", "CHARGED")
    house.channel.usual = Outcome(verdict=Verdict.GONE, reason=Reason.GONE, http_status=410)
    async with house.running(house.deliverer()):
        await house.pass_time(60, step=5)
    assert len(house.channel.parcels) == 1
    async with house.storage.reading() as tx:
        assert (await tx.subscription("shop", subscription.id)).state is SubscriptionState.DISABLED
    states = [view.delivery.state for view in await _deliveries(house)]
    assert states == [DeliveryState.FAILED, DeliveryState.HELD]


async def test_a_broken_template_falls_back_to_the_default(house):
    house.channel.broken_templates = {"mine"}
    await house.subscribe("order.*", template="mine")
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        pass
    (parcel,) = house.channel.parcels
    assert json.loads(parcel.body)["template"] is None


async def test_a_template_that_fails_is_told_to_the_operators_once(house):
    house.channel.broken_templates = {"mine"}
    await house.subscribe("order.*", template="mine")
    await house.subscribe("subscription.*", name="operators", managed=OPERATORS)
    for order in ("OW1", "OW2"):
        await _seen(house, order, "CHARGED")
    async with house.running(house.deliverer()):
        await _seen(house, "OW3", "CHARGED")
        await house.quiet()
    told = [parcel.event_type for parcel in house.channel.parcels]
    assert sorted(told) == ["order.charged"] * 3 + ["subscription.misrendered"]


async def test_templates_that_fail_for_the_news_of_each_other_come_to_an_end(house):
    house.channel.broken_templates = {"mine"}
    await house.subscribe("order.*", "subscription.*", name="one", template="mine")
    await house.subscribe("subscription.*", name="other", template="mine")
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await house.quiet()
    told = [(parcel.subscription_id, parcel.event_type) for parcel in house.channel.parcels]
    news = "subscription.misrendered"
    assert sorted(told) == [("sub_one", "order.charged"), ("sub_one", news), ("sub_other", news)]


async def test_when_nothing_can_be_rendered_the_delivery_waits_without_an_attempt(house):
    house.channel.broken_templates = {None, "default", SHIPPED}
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await house.quiet()
        (view,) = await _deliveries(house)
        assert (view.delivery.attempts, view.delivery.reason) == (0, Reason.RENDER_ERROR)
        house.channel.broken_templates = set()
        await house.pass_time(60, step=5)
    assert len(house.channel.parcels) == 1


async def test_what_ends_because_nothing_could_be_rendered_is_told(house):
    house.channel.broken_templates = {None, "default", SHIPPED}
    await house.subscribe("order.*", expires_after_s=100.0)
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(120, step=5)
    (view,) = await _deliveries(house)
    assert (view.delivery.state, view.delivery.reason) == (DeliveryState.FAILED, Reason.EXPIRED)
    assert "delivery.exhausted" in await house.types()


async def test_a_killed_attempt_is_logged_without_outcome_and_tried_again(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    house.channel.gate = asyncio.Event()
    stop = asyncio.Event()
    killed = asyncio.create_task(house.deliverer().run(stop))
    await house.quiet()
    assert len(house.channel.parcels) == 1
    killed.cancel()
    await asyncio.wait([killed])
    house.channel.gate.set()
    async with house.storage.writing() as tx:
        assert await tx.release_claims(now=house.clock.now()) == 1
    async with house.running(house.deliverer()):
        await house.pass_time(1)
    assert [parcel.attempt for parcel in house.channel.parcels] == [1, 2]
    async with house.storage.reading() as tx:
        attempts = await tx.attempts((await _deliveries(house))[0].delivery.id)
    assert [attempt.reason for attempt in attempts] == [Reason.NO_OUTCOME, Reason.ACCEPTED]


async def test_what_is_owed_past_its_expiry_is_not_sent(house):
    await house.subscribe("order.*", expires_after_s=100.0)
    await _seen(house, "OW1", "CHARGED")
    await house.clock.advance(200)
    async with house.running(house.deliverer()):
        pass
    assert house.channel.parcels == []
    (view,) = await _deliveries(house)
    assert (view.delivery.state, view.delivery.reason) == (DeliveryState.FAILED, Reason.EXPIRED)
    assert view.delivery.finished_at is not None
    assert view.delivery.finished_at - view.delivery.created_at >= timedelta(seconds=100)


async def test_a_rate_is_kept(house):
    await house.subscribe("order.*", rate_per_s=1.0)
    for number in range(5):
        await _seen(house, f"OW{number}", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(2, step=0.5)
        assert 1 <= len(house.channel.parcels) <= 3
        await house.pass_time(6, step=0.5)
    assert len(house.channel.parcels) == 5
    assert all(view.delivery.reason is ACCEPTED.reason for view in await _deliveries(house))


async def test_of_an_answer_that_is_not_to_be_kept_length_and_digest_are(house):
    await house.subscribe("order.*")
    await _seen(house, "OW1", "CHARGED")
    house.channel.usual = house.channel.usual._replace(answer=b"thank you, Mr Rao")
    async with house.running(house.deliverer(keep_answers=False)):
        pass
    async with house.storage.reading() as tx:
        (attempt,) = await tx.attempts((await _deliveries(house))[0].delivery.id)
    assert attempt.answer.startswith(b"17 bytes, sha256 ")
    assert b"Rao" not in attempt.answer
