"""The tries of targets that have failed: one delivery at a time, and what becomes of one that was not made."""

from test_deliverer_receivers import DOWN, LONG, _charged, failing_once


async def test_a_try_that_no_transaction_took_is_made_at_once_by_another(house):
    await house.subscribe("order.*")
    await _charged(house, *[f"OW{n}" for n in range(8)])
    house.channel.outcomes.extend([DOWN] * 5)

    async def is_try(tx):
        rests = [each.rests_until for each in (await tx.unwell_targets()).values() if each.trips]
        return any((at - house.clock.now()).total_seconds() > 60 for at in rests)

    failed = failing_once(house.storage, is_try)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(40)
        assert failed
        assert len(house.channel.parcels) > 5
