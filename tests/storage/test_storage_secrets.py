"""Signing secrets over rotations, and values that open only where they were sealed."""

import sqlite3
from datetime import timedelta

import pytest
from given import SECRETS, subscribed
from hypothesis import given
from hypothesis import strategies as st

from notifier.config.secret import Secret
from notifier.errors import Conflict, StorageError
from notifier.storage.records import MOST_LIVE_SECRETS, SubscriptionSecrets
from support.clock import START

DAY_S = 86_400


def with_secret(text="s0"):
    return SubscriptionSecrets(target=Secret("https://a.example/"), signing=(Secret(text),))


def live(secrets, at_s=0.0):
    return [each.reveal() for each in secrets.live(START + timedelta(seconds=at_s))]


def rotated(secrets, text, *, at_s=0.0, overlap_s=DAY_S):
    return secrets.rotated(Secret(text), now=START + timedelta(seconds=at_s), overlap_s=overlap_s)


def test_an_old_secret_signs_beside_the_new_one_until_its_overlap_ends():
    secrets = rotated(with_secret(), "s1", overlap_s=60)
    assert live(secrets, 59.999) == ["s1", "s0"]
    assert live(secrets, 60) == ["s1"]


def test_no_overlap_ends_every_old_secret_at_once():
    secrets = rotated(rotated(with_secret(), "s1"), "s2", overlap_s=0)
    assert live(secrets) == ["s2"]
    assert secrets.old == ()


def test_a_second_rotation_leaves_the_first_one_its_end():
    secrets = rotated(rotated(with_secret(), "s1", overlap_s=600), "s2", overlap_s=60, at_s=10)
    assert live(secrets, 10) == ["s2", "s1", "s0"]
    assert live(secrets, 70) == ["s2", "s0"]
    assert live(secrets, 600) == ["s2"]


def test_one_rotation_too_many_is_refused_and_says_when_there_is_room():
    secrets = with_secret()
    for number in range(1, MOST_LIVE_SECRETS):
        secrets = rotated(secrets, f"s{number}", at_s=number)
    assert len(live(secrets, 5)) == MOST_LIVE_SECRETS
    with pytest.raises(Conflict, match=r"2026-03-03T06:15:01\.000Z.*overlap_s 0"):
        rotated(secrets, "more", at_s=5)
    assert live(rotated(secrets, "more", at_s=DAY_S + 1), DAY_S + 1)[0] == "more"
    assert live(rotated(secrets, "more", overlap_s=0), 5) == ["more"]


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 9000)), max_size=20), st.integers(0, 9000))
def test_the_newest_is_always_live_and_each_old_one_exactly_for_its_overlap(rotations, later_s):
    """The law, held against a plain list of (secret, end)."""
    secrets, ends, now_s = with_secret(), {"s0": float("inf")}, 0
    for number, (wait_s, overlap_s) in enumerate(rotations, 1):
        now_s += wait_s
        try:
            secrets = rotated(secrets, f"s{number}", at_s=now_s, overlap_s=overlap_s)
        except Conflict:
            assert len(live(secrets, now_s)) == MOST_LIVE_SECRETS
            continue
        newest = max(ends, key=lambda name: int(name[1:]))
        ends[newest] = now_s + overlap_s
        if not overlap_s:
            ends = dict.fromkeys(ends, now_s)
        ends[f"s{number}"] = float("inf")
    at_s = now_s + later_s
    expected = sorted((name for name, end in ends.items() if at_s < end), key=lambda name: -int(name[1:]))
    assert live(secrets, at_s) == expected
    assert len(expected) <= MOST_LIVE_SECRETS


async def test_rotated_secrets_are_read_back_as_they_were_written(sqlite_storage):
    wanted = await subscribed(sqlite_storage)
    secrets = SECRETS.rotated(Secret("whsec_fresh"), now=START, overlap_s=60)
    async with sqlite_storage.writing() as tx:
        await tx.amend_subscription(wanted, secrets, now=START)
    async with sqlite_storage.reading() as tx:
        assert await tx.secrets(wanted.id) == secrets
    assert [each.reveal() for each in secrets.live(START)] == ["whsec_fresh", "whsec_new", "whsec_old"]


async def test_a_sealed_value_does_not_open_in_another_row(sqlite_storage, tmp_path):
    first, second = await subscribed(sqlite_storage), await subscribed(sqlite_storage, "other")
    disk = sqlite3.connect(tmp_path / "notifier.db")
    disk.execute(
        "UPDATE subscriptions SET secrets = (SELECT secrets FROM subscriptions WHERE id = ?) WHERE id = ?",
        (first.id, second.id),
    )
    disk.commit()
    disk.close()
    async with sqlite_storage.reading() as tx:
        assert await tx.secrets(first.id) == SECRETS
        with pytest.raises(StorageError, match=f"subscriptions:{second.id}:secrets was changed"):
            await tx.secrets(second.id)
