"""How receivers stand: rows only for those that are not well."""

from datetime import timedelta

from given import subscribed

from notifier.domain.health import HEARD, WELL, ListenerHealth, TargetHealth


async def test_a_target_that_is_not_well_is_kept_until_it_is(storage, at):
    tripped = TargetHealth(failures=5, trips=1, rests_until=at(30))
    async with storage.writing() as tx:
        await tx.save_target("one", TargetHealth(failures=2))
        await tx.save_target("one", tripped)
        await tx.save_target("two", TargetHealth(failures=1))
    async with storage.writing() as tx:
        assert await tx.unwell_targets() == {"one": tripped, "two": TargetHealth(failures=1)}
        await tx.save_target("one", WELL)
        assert list(await tx.unwell_targets()) == ["two"]


async def test_a_failing_subscription_is_kept_until_it_is_heard(storage, at):
    subscription = await subscribed(storage, "one")
    failing = ListenerHealth(failures=3, since=at())
    async with storage.writing() as tx:
        await tx.save_listener(subscription.id, failing)
        assert await tx.failing_listeners() == {subscription.id: failing}
        await tx.save_listener(subscription.id, HEARD)
        assert await tx.failing_listeners() == {}


async def test_an_edit_of_secrets_forgets_what_failed_before(storage, at):
    subscription = await subscribed(storage, "one")
    async with storage.writing() as tx:
        await tx.save_listener(subscription.id, ListenerHealth(failures=3, since=at()))
        await tx.amend_subscription(subscription, await tx.secrets(subscription.id), now=at())
        assert await tx.failing_listeners() == {}


async def test_a_step_of_the_clock_moves_rests_along(storage, at):
    async with storage.writing() as tx:
        await tx.save_target("one", TargetHealth(failures=5, trips=1, rests_until=at(30)))
        await tx.shift_due(timedelta(hours=-1))
        assert (await tx.unwell_targets())["one"].rests_until == at(30) - timedelta(hours=1)
