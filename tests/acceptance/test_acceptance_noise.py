"""What an upstream changes without meaning anything by it is told to nobody."""

import asyncio

import pytest
from acceptance_home import eventually
from acceptance_upstream import canned, paid

from notifier.sandbox.faults import Fault, FaultKind
from notifier.sandbox.lives.scenario import Method, Refund, RefundOutcome, Step

NOISE = [
    FaultKind.CHURN,
    FaultKind.SHUFFLE,
    FaultKind.STRINGS,
    FaultKind.FLOATS,
    FaultKind.FILTERED,
    FaultKind.STALE,
]
_DONE = Refund(
    unique_request_id="R1", amount=10_000, asked_s=0, changed_s=0, status="SUCCESS", sent_to_gateway=True
)
_OPEN = Refund(unique_request_id="R2", amount=5_000, asked_s=0, changed_s=0.001)
STEPS = (
    Step(at_s=0, status="CHARGED"),
    Step(at_s=0, refund=_DONE),
    Step(at_s=0.001, refund=_OPEN),
)
SCRIPTS = {"of-mandate": "mandate_revoked", "of-offer": "offer"}


async def refunded(shop, world):
    """Watch two charged orders with refunds, one with a mandate and one with an offer, until both were told."""
    for order_id, script in SCRIPTS.items():
        world.sandbox.create(order_id, amount=38_600, script=script, method=Method.CARD, steps=STEPS)
    await shop.subscribe()
    for order_id in SCRIPTS:
        await shop.register(order_id)
    for order_id in SCRIPTS:
        await shop.told("refund.success", order_id)
        await shop.told("refund.pending", order_id)
    return await shop.types()


async def good_looks(shop, count):
    await asyncio.gather(*(shop.good_looks(order_id, count) for order_id in SCRIPTS))


@pytest.mark.parametrize("kinds", [*([kind] for kind in NOISE), NOISE], ids="+".join)
async def test_noise_is_no_change(shop, world, kinds):
    told = await refunded(shop, world)
    for kind in kinds:
        world.sandbox.faults.add(Fault(kind=kind, count=None))
    await good_looks(shop, 4)
    world.sandbox.faults.clear()
    await good_looks(shop, 3)
    if FaultKind.STALE not in kinds:
        assert {(await shop.watched(order_id))["version"] for order_id in SCRIPTS} == {1}
    assert await shop.types() == told

    order = world.sandbox.find("of-offer")
    world.sandbox.ask_refund(order, unique_request_id="R3", amount=100, outcome=RefundOutcome.PENDING)
    await shop.told("refund.created", "of-offer")
    assert (await shop.types())[len(told) :] == ["refund.created"]


async def test_a_step_back_that_one_answer_shows_is_not_told_until_it_is_seen_again(home, monkeypatch):
    """A backend that lags shows the order as it was, and nothing in its answer says how old it is."""
    monkeypatch.setattr("notifier.domain.cadence.plan._SECOND_LOOK_S", 0.3)
    new, charged = (paid("JP1", status=word, last_updated=None, txn_id=None) for word in ("NEW", "CHARGED"))
    async with canned() as upstream:
        upstream.bodies["JP1"] = new
        home.settings = {"ACCOUNTS__SHOP__BASE_URL": upstream.url}
        async with home.running() as shop:
            await shop.subscribe()
            await shop.register("JP1")
            await shop.told("order.new")
            upstream.bodies["JP1"] = charged
            await shop.told("order.charged")
            upstream.bodies["JP1"] = new
            await eventually(
                lambda: shop.watched("JP1"), until=lambda watch: watch["next_poll_why"] == "second_look"
            )
            upstream.bodies["JP1"] = charged
            await shop.good_looks("JP1", 4)
            assert await shop.types() == ["order.new", "order.charged"]

            upstream.bodies["JP1"] = new
            await eventually(
                shop.types, until=lambda types: types == ["order.new", "order.charged", "order.new"]
            )


async def test_an_answer_older_than_what_is_known_is_never_believed(home, monkeypatch):
    monkeypatch.setattr("notifier.domain.cadence.plan._SECOND_LOOK_S", 0.05)
    async with canned() as upstream:
        home.settings = {"ACCOUNTS__SHOP__BASE_URL": upstream.url}
        async with home.running() as shop:
            await shop.subscribe()
            await shop.register("JP1")
            await shop.told("order.charged")
            upstream.bodies["JP1"] = paid(
                "JP1", status="AUTHORIZING", status_id=28, last_updated="2026-01-05T09:30:30Z"
            )
            await shop.good_looks("JP1", 6)
            assert await shop.types() == ["order.charged"]
