"""What polls leave behind for alerts."""

from notifier.domain.order import Source
from notifier.domain.snapshot import Order, Refund, Snapshot
from support.fakes import READER


async def outcomes(house):
    async with house.storage.reading() as tx:
        return await tx.outcomes("shop", after=0, limit=100)


async def test_an_end_is_kept_with_the_look_that_shows_it(house):
    house.source.put("OW1", "PENDING_VBV", gateway="RAZORPAY")
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.put("OW1", "AUTHORIZATION_FAILED", gateway="RAZORPAY", resp_code="U30")
        await house.pass_time(30)
    (seen,) = await outcomes(house)
    assert (seen.outcome.order_key, seen.outcome.word, seen.outcome.is_failed) == (
        "ow1",
        "AUTHORIZATION_FAILED",
        True,
    )
    assert seen.outcome.dimensions == (("gateway", "RAZORPAY"), ("resp_code", "U30"))
    assert seen.is_dated


async def test_a_first_look_counts_nothing(house):
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(30)
    assert await outcomes(house) == []


async def test_a_late_success_is_kept_beside_the_failure_that_it_undoes(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        house.source.put("OW1", "AUTHORIZATION_FAILED")
        await house.pass_time(10)
        house.source.put("OW1", "CHARGED")
        await house.pass_time(120, step=10)
    assert [each.outcome.word for each in await outcomes(house)] == ["AUTHORIZATION_FAILED", "CHARGED"]


async def test_a_refund_that_fails_is_an_end_of_its_own(house):
    def show(status):
        refunds = (Refund(id="r1", status=status),)
        house.source.show(
            "OW1",
            Snapshot(source=Source.ORDER, reader=READER, order=Order(status="CHARGED"), refunds=refunds),
        )

    show("PENDING")
    await house.watch("OW1")
    async with house.running(house.poller()):
        show("FAILURE")
        await house.pass_time(600, step=20)
    (seen,) = await outcomes(house)
    assert (seen.outcome.family, seen.outcome.subject_id, seen.outcome.is_failed) == ("refund", "r1", True)


async def test_what_ended_nobody_knows_when_is_not_dated(house):
    house.source.put("OW1", "PENDING_VBV")
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(5)
    house.source.put("OW1", "AUTHORIZATION_FAILED")
    await house.clock.advance(3600)  # nobody looks
    async with house.running(house.poller()):
        await house.pass_time(5)
    (seen,) = await outcomes(house)
    assert not seen.is_dated
