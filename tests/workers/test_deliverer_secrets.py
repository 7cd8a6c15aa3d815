"""Every attempt is signed with the secrets that are live at its instant."""

import asyncio
import sqlite3
from collections import deque

import pytest
from test_deliverer import _seen

from notifier.config.secret import Secret
from notifier.domain.delivery import DeliveryState
from notifier.storage.records import SubscriptionSecrets
from support.fakes import UNAVAILABLE


async def _with_secret(house, **members):
    subscription = await house.subscribe("order.*", **members)
    secrets = SubscriptionSecrets(target=Secret(subscription.target), signing=(Secret("first"),))
    async with house.storage.writing() as tx:
        await tx.amend_subscription(subscription, secrets, now=house.clock.now())
    return subscription


async def _rotate(house, subscription, *, overlap_s):
    now = house.clock.now()
    async with house.storage.writing() as tx:
        secrets = (await tx.secrets(subscription.id)).rotated(Secret("second"), now=now, overlap_s=overlap_s)
        await tx.amend_subscription(subscription, secrets, now=now)


def _signed_with(house):
    return [[each.reveal() for each in parcel.address.secrets] for parcel in house.channel.parcels]


async def test_retries_sign_with_both_secrets_during_an_overlap_and_with_the_new_one_after_it(house):
    subscription = await _with_secret(house)
    house.channel.outcomes = deque([UNAVAILABLE] * 3)
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await _rotate(house, subscription, overlap_s=20)
        await house.pass_time(200)
    assert _signed_with(house) == [["first"], ["second", "first"], ["second"], ["second"]]


async def test_what_waits_in_line_when_a_secret_ends_is_not_signed_with_it(house):
    subscription = await _with_secret(house)
    await _rotate(house, subscription, overlap_s=10)
    for number in range(6):
        await _seen(house, f"OW{number}", "CHARGED")
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer(concurrency=16)):
        claimed_before = len(house.channel.parcels)
        await house.pass_time(10)
        house.channel.gate.set()
        await house.pass_time(2)
    assert _signed_with(house)[:claimed_before] == [["second", "first"]] * claimed_before
    assert _signed_with(house)[claimed_before:] == [["second"]] * (6 - claimed_before)
    assert 0 < claimed_before < 6


async def test_a_secret_ended_at_once_signs_nothing_that_was_claimed_before(house):
    subscription = await _with_secret(house)
    for number in range(6):
        await _seen(house, f"OW{number}", "CHARGED")
    house.channel.gate = asyncio.Event()
    async with house.running(house.deliverer(concurrency=16)):
        sent = len(house.channel.parcels)
        await _rotate(house, subscription, overlap_s=0)
        house.channel.gate.set()
        await house.pass_time(5)
    assert _signed_with(house)[sent:] == [["second"]] * (6 - sent)
    assert 0 < sent < 6


@pytest.mark.parametrize("bent", ["cast(secrets || '?' AS BLOB)", "substr(secrets, 1, 6)", "x''"])
async def test_a_subscription_whose_secrets_were_tampered_with_is_disabled_and_holds_up_nobody(
    house, tmp_path, bent
):
    for name in ("bent", "sound"):
        await house.subscribe("order.*", name=name)
    await house.subscribe("subscription.*", name="ops")
    with sqlite3.connect(tmp_path / "notifier.db") as other:
        other.execute(f"UPDATE subscriptions SET secrets = {bent} WHERE id = 'sub_bent'")
    other.close()
    await _seen(house, "OW1", "CHARGED")
    async with house.running(house.deliverer()):
        await house.pass_time(5)
    told = [(parcel.subscription_id, parcel.event_type) for parcel in house.channel.parcels]
    assert sorted(told) == [("sub_ops", "subscription.disabled"), ("sub_sound", "order.charged")]
    async with house.storage.reading() as tx:
        bent, _ = await tx.deliveries("shop", subscription_id="sub_bent", limit=10)
    assert [view.delivery.state for view in bent] == [DeliveryState.HELD]
