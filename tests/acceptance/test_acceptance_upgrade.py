"""A database that an older reader wrote tells nothing under new code; what changes from then on is told."""

from contextlib import contextmanager

import pytest
from msgspec import structs

from notifier.domain.change import SCHEMA, VOCABULARIES
from notifier.sandbox.lives.scenario import Method, Refund, RefundOutcome, Step
from notifier.source import http, wire
from support.older import restrict

OLD = SCHEMA - 1
STEPS = (
    Step(at_s=0, status="CHARGED", mandate_status="ACTIVE"),
    Step(
        at_s=0,
        refund=Refund(
            unique_request_id="R1",
            amount=10_000,
            asked_s=0,
            changed_s=0,
            status="SUCCESS",
            sent_to_gateway=True,
            has_arn=True,
        ),
    ),
)
UNKNOWN_THEN = {
    "what the version before did not know": VOCABULARIES[SCHEMA] - VOCABULARIES[OLD],
    "members": {"Refund.arn", "Refund.sent_to_gateway", "Order.txn_id", "Order.attempt", "Order.gateway"},
    "a subject": {member for member in VOCABULARIES[SCHEMA] if member.startswith("Refund.")},
    "two subjects": {member for member in VOCABULARIES[SCHEMA] if member.startswith(("Mandate.", "Offer."))},
}


@contextmanager
def older_reader(unknown, *, schema=OLD):
    """Let the daemon read as an older version did, which knew less and digested otherwise."""

    def read(body, **given):
        answer = wire.read(body, **given)
        if not isinstance(answer, wire.OrderAnswer):
            return answer
        return structs.replace(answer, digest=bytes(255 - byte for byte in answer.digest))

    snapshot = wire.OrderAnswer.snapshot
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http, "SCHEMA", schema)
        patch.setattr(http, "read", read)
        patch.setattr(
            wire.OrderAnswer, "snapshot", lambda answer: restrict(snapshot(answer), known_but(unknown))
        )
        yield


def known_but(unknown):
    return VOCABULARIES[SCHEMA] - unknown


def create(world):
    return [
        world.sandbox.create(name, amount=38_600, script=script, method=Method.CARD, steps=STEPS)
        for name, script in (("of-mandate", "mandate_revoked"), ("of-offer", "offer"))
    ]


async def told_at_first(home, world):
    async with home.running() as shop:
        await shop.subscribe()
        for order in create(world):
            await shop.register(order.life.order_id)
            await shop.told("order.charged", order.life.order_id)
        await shop.all_delivered()
        return await shop.types()


async def nothing_then_a_real_change(home, world, told):
    async with home.running() as shop:
        for name in ("of-mandate", "of-offer"):
            await shop.good_looks(name, 4)
        assert await shop.types() == told
        order = world.sandbox.find("of-offer")
        world.sandbox.ask_refund(order, unique_request_id="R2", amount=100, outcome=RefundOutcome.PENDING)
        await shop.told("refund.created", "of-offer")
        world.sandbox.force(world.sandbox.find("of-mandate"), mandate_status="REVOKED")
        await shop.told("mandate.revoked", "of-mandate")
        assert (await shop.types())[len(told) :] == ["refund.created", "mandate.revoked"]


@pytest.mark.parametrize("unknown", UNKNOWN_THEN.values(), ids=UNKNOWN_THEN)
async def test_what_an_older_schema_did_not_know_is_not_told_by_the_newer(home, world, monkeypatch, unknown):
    monkeypatch.setitem(VOCABULARIES, OLD, known_but(unknown))
    with older_reader(unknown):
        told = await told_at_first(home, world)
    assert told.count("order.charged") == 2
    await nothing_then_a_real_change(home, world, told)


async def test_members_that_another_version_date_shows_besides_are_not_told(home, world):
    """The older date shows fewer members of the same rows, to a reader that knows them all."""
    home.settings = {"ACCOUNTS__SHOP__VERSION": "2019-05-07"}
    unknown = UNKNOWN_THEN["members"] | {"Mandate.status", "Offer.status", "Refund.status"}
    with older_reader(unknown, schema=SCHEMA):
        told = await told_at_first(home, world)
    assert told == ["order.charged", "order.charged"]
    home.settings = {}
    await nothing_then_a_real_change(home, world, told)
