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


async def hung(house, *, txn_id="t1", waits_s=0, gateway="RAZORPAY"):
    """Leave an order open for an hour, after a while in which nobody looks."""
    house.source.put("OW1", "PENDING_VBV", gateway=gateway, txn_id=txn_id)
    await house.watch("OW1")
    async with house.running(house.poller()):
        await house.pass_time(5)
    await house.clock.advance(waits_s)
    async with house.running(house.poller()):
        await house.pass_time(3600, step=30)
    return await outcomes(house)


async def test_an_order_that_hangs_is_kept_once_by_when_it_began_to(house):
    began_at = house.clock.now()
    (seen,) = await hung(house)
    assert (seen.outcome.word, seen.outcome.is_failed) == ("stuck", True)
    assert seen.outcome.dimensions == (("gateway", "RAZORPAY"),)
    assert 900 <= (seen.outcome.ended_at - began_at).total_seconds() <= 905
    assert seen.is_dated


async def test_an_order_nobody_began_to_pay_hangs_nowhere(house):
    assert await hung(house, txn_id=None) == []


async def test_what_hung_while_nobody_looked_is_not_dated(house):
    (seen,) = await hung(house, waits_s=3600)
    assert not seen.is_dated


async def test_a_hanging_order_that_ends_is_kept_as_both(house):
    await hung(house)
    house.source.put("OW1", "CHARGED", txn_id="t1")
    async with house.running(house.poller()):
        await house.pass_time(3600, step=60)
    assert [each.outcome.word for each in await outcomes(house)] == ["stuck", "CHARGED"]
