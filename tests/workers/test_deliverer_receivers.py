"""What failing receivers cost, and who is told of them."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from notifier.app.crew import telling_of
from notifier.config.model import Config
from notifier.domain.delivery import Outcome, Reason, Verdict
from notifier.domain.health import WELL
from notifier.domain.subscription import OPERATORS, SubscriptionState
from notifier.errors import StorageError
from notifier.storage.repository.receivers import Receivers
from notifier.storage.waking import wake
from notifier.workers.janitor import Janitor
from support.fakes import UNAVAILABLE

DOWN = Outcome(verdict=Verdict.RETRY, reason=Reason.CONNECTION)
GONE = Outcome(verdict=Verdict.GONE, reason=Reason.GONE, http_status=410)
UNAUTHORIZED = Outcome(verdict=Verdict.RETRY, reason=Reason.UNAUTHORIZED, http_status=401)
LONG = tuple([60.0] * 50)


async def _charged(house, *order_ids):
    for order_id in order_ids:
        house.source.put(order_id, "CHARGED")
        await house.watch(order_id)
    async with house.running(house.poller()):
        pass


def _janitor(house):
    return Janitor(
        storage=house.storage,
        clock=house.clock,
        metrics=house.metrics,
        telling=house.telling,
        retention_days=90,
        accounts=("shop",),
    )


async def _owed(house, count):
    """Owe one subscription the news of so many orders."""
    await house.subscribe("order.*")
    await _charged(house, *[f"OW{n}" for n in range(count)])


async def _told(house, name):
    async with house.storage.reading() as tx:
        views, _ = await tx.deliveries("shop", subscription_id=f"sub_{name}", limit=500)
    return [view.event_type for view in reversed(views)]


async def test_a_dead_target_is_left_in_peace_then_tried_by_one_alone(house):
    await _owed(house, 12)
    house.channel.usual = DOWN
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(29)
        assert len(house.channel.parcels) == 5
        await house.pass_time(2)
        assert len(house.channel.parcels) == 6
        await house.pass_time(57)
        assert len(house.channel.parcels) == 6


async def test_a_target_that_is_back_gets_all_that_waits(house):
    await _owed(house, 12)
    house.channel.outcomes.extend([DOWN] * 5)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(90)
    assert len(house.channel.parcels) == 17
    async with house.storage.reading() as tx:
        assert (await tx.counts())["deliveries.delivered"] == 12
        assert await tx.unwell_targets() == {}
        assert await tx.failing_listeners() == {}


async def test_a_restart_does_not_forget_that_a_target_rests(house):
    await _owed(house, 12)
    house.channel.usual = DOWN
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(1)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(20)
        assert len(house.channel.parcels) == 5
        await house.pass_time(12)
        assert len(house.channel.parcels) == 6


async def test_a_try_that_a_crash_swallowed_is_made_again_at_the_next_start(house):
    """Its lease would otherwise keep the target in peace for minutes."""
    await _owed(house, 6)
    house.channel.outcomes.extend([DOWN] * 5)
    deliverer = asyncio.create_task(house.deliverer(schedule=LONG).run(asyncio.Event()))
    await house.quiet()
    house.channel.gate = asyncio.Event()
    await house.pass_time(31)
    assert len(house.channel.parcels) == 6
    deliverer.cancel()
    await asyncio.wait([deliverer])
    house.channel.gate = None
    async with house.storage.writing() as tx:
        await tx.release_claims(now=house.clock.now())
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(1)
    assert len(house.channel.parcels) > 6


async def test_a_hand_on_it_ends_a_rest(house):
    subscription = await house.subscribe("order.*")
    await _charged(house, *[f"OW{n}" for n in range(12)])
    house.channel.outcomes.extend([DOWN] * 5)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(5)
        assert len(house.channel.parcels) == 5
        async with house.storage.writing() as tx:
            await wake(tx, subscription, now=house.clock.now())
        await house.pass_time(2)
        assert len(house.channel.parcels) == 12


async def test_an_edit_of_another_subscription_forgets_no_failure(house):
    await house.subscribe("order.*", name="dead")
    other = await house.subscribe("refund.*", name="other")
    await _charged(house, *[f"OW{n}" for n in range(12)])
    house.channel.usual = DOWN
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(2)
        async with house.storage.writing() as tx:
            await tx.amend_subscription(replace(other, tags=("vip",)), None, now=house.clock.now())
        await house.pass_time(20)
    assert len(house.channel.parcels) == 5


async def test_others_go_on_while_one_target_rests(house):
    await house.subscribe("order.*", name="dead")
    await _charged(house, *[f"OW{n}" for n in range(8)])
    house.channel.outcomes.extend([DOWN] * 5)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(1)
        await house.subscribe("order.*", name="well")
        await _charged(house, "OW99")
        await house.quiet()
    assert [p.subscription_id for p in house.channel.parcels[5:]] == ["sub_well"]


async def test_while_one_target_rests_those_that_are_well_are_not_written_down(house, monkeypatch):
    written = []
    save = Receivers.save_target

    async def noted(self, target_id, health):
        written.append(target_id)
        await save(self, target_id, health)

    monkeypatch.setattr(Receivers, "save_target", noted)
    await house.subscribe("order.*", name="dead")
    await _charged(house, *[f"OW{n}" for n in range(8)])
    house.channel.outcomes.extend([DOWN] * 5)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(1)
        assert len(set(written)) == 1
        written.clear()
        await house.subscribe("order.*", name="well")
        await _charged(house, "OW99")
        await house.quiet()
        assert house.channel.parcels[-1].subscription_id == "sub_well"
        assert written == []


async def test_who_is_well_again_is_written_down_once(house, monkeypatch):
    written = []
    save = Receivers.save_target

    async def noted(self, target_id, health):
        written.append(health)
        await save(self, target_id, health)

    monkeypatch.setattr(Receivers, "save_target", noted)
    await _owed(house, 1)
    house.channel.outcomes.append(DOWN)
    async with house.running(house.deliverer()):
        await house.pass_time(10)
        assert [health == WELL for health in written] == [False, True]
        await _charged(house, "OW98", "OW99")
        await house.quiet()
        assert len(house.channel.parcels) == 4
    assert len(written) == 2


async def test_subscriptions_of_one_target_rest_together(house):
    one = await house.subscribe("order.*", name="one")
    two = await house.subscribe("order.*", name="two")
    async with house.storage.writing() as tx:
        secrets = await tx.secrets(one.id)
        await tx.amend_subscription(replace(two, target=one.target), secrets, now=house.clock.now())
    await _charged(house, *[f"OW{n}" for n in range(8)])
    house.channel.usual = DOWN
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(29)
    assert len(house.channel.parcels) <= 6


async def test_an_edited_target_does_not_rest_for_the_old_one(house):
    subscription = await house.subscribe("order.*")
    await _charged(house, *[f"OW{n}" for n in range(8)])
    house.channel.outcomes.extend([DOWN] * 5)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(1)
        async with house.storage.writing() as tx:
            secrets = await tx.secrets(subscription.id)
            moved = replace(secrets, target=type(secrets.target)("https://new.example/hook"))
            await tx.amend_subscription(subscription, moved, now=house.clock.now())
        await house.pass_time(2)
    assert len(house.channel.parcels) == 8


async def test_retry_after_holds_everything_for_that_target(house):
    await house.subscribe("order.*")
    await _charged(house, "OW1", "OW2", "OW3")
    busy = Outcome(verdict=Verdict.RETRY, reason=Reason.RATE_LIMITED, http_status=429, retry_after_s=50.0)
    house.channel.outcomes.append(busy)
    async with house.running(house.deliverer()):
        await house.pass_time(48)
        assert len(house.channel.parcels) == 1
        await house.pass_time(5)
    assert len(house.channel.parcels) == 4


async def test_many_hanging_targets_leave_senders_for_the_others(house):
    for number in range(10):
        await house.subscribe("order.*", name=f"hangs{number}")
    await _charged(house, "OW1", "OW2")
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer(concurrency=16)):
        at_first = len(house.channel.parcels)
        house.channel.gate, gate = None, house.channel.gate
        await house.subscribe("order.*", name="well")
        await _charged(house, "OW99")
        await house.quiet()
        later = [parcel.subscription_id for parcel in house.channel.parcels[at_first:]]
        gate.set()
    assert (at_first, later) == (10, ["sub_well"])


async def test_backlogs_of_many_hanging_targets_leave_room_for_the_claims_of_others(house):
    """Each once held a whole line of claims, out of reach of its one sender; together, all that may be claimed."""
    for number in range(15):
        await house.subscribe("order.*", name=f"hangs{number}")
    await _charged(house, *[f"OW{number}" for number in range(20)])
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer(concurrency=16)):
        at_first = len(house.channel.parcels)
        house.channel.gate, gate = None, house.channel.gate
        await house.subscribe("order.*", name="well")
        await _charged(house, "OW99")
        await house.quiet()
        later = [parcel.subscription_id for parcel in house.channel.parcels[at_first:]]
        gate.set()
        await house.pass_time(1, step=0.1)
    assert (at_first, later) == (15, ["sub_well"])


async def test_the_fourth_failure_is_told_to_others_and_so_is_the_recovery(house):
    await house.subscribe("order.*", "subscription.*", name="shop")
    await house.subscribe("subscription.*", name="ops")
    await _charged(house, "OW1")
    house.channel.outcomes.extend([UNAVAILABLE] * 4)
    async with house.running(house.deliverer(schedule=(1.0, 1.0, 1.0, 60.0, 60.0))):
        await house.pass_time(10)
        assert await _told(house, "ops") == ["subscription.failing"]
        await house.pass_time(80)
    assert await _told(house, "ops") == ["subscription.failing", "subscription.recovered"]
    assert await _told(house, "shop") == ["order.charged"]


async def test_gone_is_told_to_others(house):
    await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.disabled", name="ops")
    await _charged(house, "OW1")
    house.channel.outcomes.append(GONE)
    async with house.running(house.deliverer()):
        await house.pass_time(2)
    assert await _told(house, "ops") == ["subscription.disabled"]
    told = [logged.event for logged in await house.events() if logged.event.type == "subscription.disabled"]
    assert [(event.subject_id, event.current) for event in told] == [("sub_shop", "gone")]


async def test_days_of_failure_disable_and_hold_what_is_owed(house):
    subscription = await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.*", name="ops")
    await _charged(house, "OW1", "OW2")
    house.channel.refusing["sub_shop"] = UNAUTHORIZED
    async with house.running(house.deliverer(schedule=LONG, disable_after_s=200.0)):
        await house.pass_time(400, step=10)
    async with house.storage.reading() as tx:
        assert (await tx.subscription("shop", subscription.id)).state is SubscriptionState.DISABLED
        assert (await tx.counts())["deliveries.held"] == 2
    assert await _told(house, "ops") == ["subscription.failing", "subscription.disabled"]


async def test_one_that_is_enabled_again_starts_without_its_past(house):
    subscription = await house.subscribe("order.*")
    await _charged(house, "OW1", "OW2")
    house.channel.refusing["sub_shop"] = UNAUTHORIZED
    async with house.running(house.deliverer(schedule=LONG, disable_after_s=200.0)):
        await house.pass_time(400, step=10)
        async with house.storage.writing() as tx:
            await tx.amend_subscription(
                replace(subscription, state=SubscriptionState.ACTIVE), None, now=house.clock.now()
            )
        await house.pass_time(5)
        async with house.storage.reading() as tx:
            assert (await tx.subscription("shop", subscription.id)).state is SubscriptionState.ACTIVE


async def test_operators_hear_of_a_failing_subscription_only_where_nobody_else_does(house):
    await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.*", name="operators", managed=OPERATORS)
    await _charged(house, "OW1")
    house.channel.outcomes.append(GONE)
    async with house.running(house.deliverer()):
        await house.pass_time(2)
    assert await _told(house, "operators") == ["subscription.disabled"]
    await house.subscribe("order.*", name="shop2")
    await house.subscribe("subscription.*", name="oncall")
    await _charged(house, "OW2")
    house.channel.outcomes.append(GONE)
    async with house.running(house.deliverer()):
        await house.pass_time(2)
    assert await _told(house, "oncall") == ["subscription.disabled"]
    assert await _told(house, "operators") == ["subscription.disabled"]


async def test_what_was_not_delivered_is_told_to_others_and_never_without_end(house):
    await house.subscribe("order.*", "delivery.*", name="shop")
    await house.subscribe("delivery.exhausted", name="ops")
    await _charged(house, "OW1")
    house.channel.usual = UNAVAILABLE
    async with house.running(house.deliverer(schedule=(1.0,))):
        await house.pass_time(60, step=2)
    assert await _told(house, "ops") == ["delivery.exhausted"]
    assert await _told(house, "shop") == ["order.charged"]
    told = (await house.events())[-1].event
    assert (told.type, told.current, told.order_id) == ("delivery.exhausted", "exhausted", "OW1")


async def test_what_expires_is_told(house):
    await house.subscribe("order.*", name="shop", expires_after_s=100.0)
    await house.subscribe("delivery.exhausted", name="ops")
    await _charged(house, "OW1")
    janitor = _janitor(house)
    await house.clock.advance(101)
    await janitor.expire()
    assert await _told(house, "ops") == ["delivery.exhausted"]
    assert (await house.events())[-1].event.current == "expired"


async def test_own_faults_count_against_nobody(house):
    await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.*", name="ops")
    await _charged(house, "OW1")
    house.channel.outcomes.extend([Outcome(verdict=Verdict.OWN_FAULT, reason=Reason.OWN_FAULT)] * 8)
    async with house.running(house.deliverer()):
        await house.pass_time(300, step=10)
    assert await _told(house, "ops") == []
    assert house.channel.parcels[-1].attempt == 1


async def test_a_rest_is_as_long_as_it_was_when_the_clock_is_set_back(house):
    await _owed(house, 12)
    house.channel.usual = DOWN
    janitor = _janitor(house)
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(1)
        house.clock.step(-3600)
        await janitor.follow_clock()
        await house.pass_time(32)
    assert len(house.channel.parcels) == 6


async def test_a_stop_during_a_rest_costs_nothing_that_waits_an_attempt(house):
    await _owed(house, 12)
    house.channel.usual = DOWN
    async with house.running(house.deliverer(schedule=LONG)):
        await house.pass_time(10)
    async with house.storage.reading() as tx:
        views, _ = await tx.deliveries("shop")
    assert sorted(view.delivery.attempts for view in views) == [0] * 7 + [1] * 5


@pytest.mark.parametrize("outcome", [UNAVAILABLE, DOWN])
async def test_a_single_failure_leaves_no_trace_once_accepted(house, outcome):
    await house.subscribe("order.*")
    await _charged(house, "OW1")
    house.channel.outcomes.append(outcome)
    async with house.running(house.deliverer()):
        await house.pass_time(10)
    async with house.storage.reading() as tx:
        assert (await tx.unwell_targets(), await tx.failing_listeners()) == ({}, {})


async def test_what_an_attempt_at_the_old_target_said_while_it_was_edited_rests_nobody(house):
    subscription = await house.subscribe("order.*")
    await _charged(house, *[f"OW{n}" for n in range(3)])
    house.channel.gate = asyncio.Event()
    busy = Outcome(verdict=Verdict.RETRY, reason=Reason.RATE_LIMITED, http_status=429, retry_after_s=3600.0)
    house.channel.outcomes.append(busy)
    async with house.running(house.deliverer(schedule=LONG)):
        async with house.storage.writing() as tx:
            secrets = await tx.secrets(subscription.id)
            moved = replace(secrets, target=type(secrets.target)("https://new.example/hook"))
            await tx.amend_subscription(subscription, moved, now=house.clock.now())
        await house.pass_time(1)
        house.channel.gate.set()
        await house.pass_time(70)
    assert len(house.channel.parcels) == 3


def failing_once(storage, when):
    """Have the transaction fail at its end, the first time that `when` holds."""
    writing, failed = storage.writing, []

    @asynccontextmanager
    async def flaky():
        async with writing() as tx:
            yield tx
            if not failed and await when(tx):
                failed.append(True)
                raise StorageError("the disk is full")

    storage.writing = flaky
    return failed


async def test_what_no_transaction_took_is_still_told(house):
    await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.*", name="ops")
    await _charged(house, "OW1")
    house.channel.outcomes.extend([UNAVAILABLE] * 4)

    async def is_fourth(tx):
        return any(each.failures == 4 for each in (await tx.failing_listeners()).values())

    failed = failing_once(house.storage, is_fourth)
    async with house.running(house.deliverer(schedule=(1.0, 1.0, 1.0, 60.0, 60.0))):
        await house.pass_time(15)
        assert failed
        assert await _told(house, "ops") == ["subscription.failing"]


async def test_what_failed_before_an_edit_is_forgotten(house):
    subscription = await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.*", name="ops")
    await _charged(house, "OW1")
    house.channel.refusing["sub_shop"] = UNAUTHORIZED
    async with house.running(house.deliverer(schedule=LONG, disable_after_s=600.0)):
        await house.pass_time(500, step=10)
        async with house.storage.writing() as tx:
            secrets = await tx.secrets(subscription.id)
            moved = replace(secrets, target=type(secrets.target)("https://new.example/hook"))
            await tx.amend_subscription(subscription, moved, now=house.clock.now())
        await house.pass_time(200, step=10)
    async with house.storage.reading() as tx:
        assert (await tx.subscription("shop", subscription.id)).state is SubscriptionState.ACTIVE


async def test_operators_hear_where_all_others_are_disabled_too(house):
    await house.subscribe("order.*", name="shop")
    await house.subscribe("subscription.*", name="oncall", state=SubscriptionState.DISABLED)
    await house.subscribe("subscription.*", name="operators", managed=OPERATORS)
    await _charged(house, "OW1")
    house.channel.outcomes.append(GONE)
    async with house.running(house.deliverer()):
        await house.pass_time(2)
    assert await _told(house, "operators") == ["subscription.disabled"]


async def test_what_is_left_of_an_account_that_was_taken_out_still_ends(house, monkeypatch):
    """Its end is told; where that fails, the outcome is lost, and what expires stops everything else."""
    await house.subscribe("order.*", name="shop", expires_after_s=100.0)
    await house.subscribe("delivery.exhausted", "subscription.*", name="ops")
    await _charged(house, "OW1")
    monkeypatch.setattr(type(house), "telling", property(lambda _: telling_of(Config(), {"other": True})))
    house.channel.refusing["sub_shop"] = GONE
    async with house.running(house.deliverer()):
        await house.pass_time(2)
    await _charged(house, "OW2")
    await house.clock.advance(101)
    janitor = _janitor(house)
    await janitor.expire()
    async with house.storage.reading() as tx:
        views, _ = await tx.deliveries("shop", subscription_id="sub_shop")
    assert sorted(view.delivery.reason for view in views) == ["expired", "gone"]
    assert sorted(await _told(house, "ops")) == [
        "delivery.exhausted",
        "delivery.exhausted",
        "subscription.disabled",
    ]
