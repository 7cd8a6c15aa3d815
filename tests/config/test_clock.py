"""The clocks that a daemon goes by: on a machine whose wall clock is set, and run fast for a show."""

import asyncio
from datetime import timedelta

import pytest

from notifier.clock import FastClock, SteadyClock

HOUR = timedelta(hours=1)
SOON = timedelta(seconds=2)


class SetClock(SteadyClock):
    """As on a machine whose wall clock stands so far off."""

    off = timedelta()

    def _wall_ns(self):
        return super()._wall_ns() + int(self.off.total_seconds() * 1e9)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_a_step_of_the_wall_clock_is_told_and_not_followed_unasked(step):
    clock = SetClock()
    before = clock.now()
    clock.off = step
    assert timedelta() <= clock.now() - before < SOON
    assert abs(clock.drift() - step) < SOON

    clock.follow()
    assert abs(clock.now() - before - step) < SOON
    assert abs(clock.drift()) < SOON


def test_it_tells_the_machines_time_in_whole_milliseconds():
    clock = SetClock()
    assert abs(clock.drift()) < SOON
    assert clock.now().utcoffset() == timedelta()
    assert clock.now().microsecond % 1000 == 0


async def test_a_fast_clock_lets_a_minute_pass_in_a_moment():
    clock = FastClock(6000)
    began, began_s = clock.now(), clock.monotonic()
    await clock.sleep(60)

    assert clock.now() - began >= timedelta(seconds=60)
    assert clock.monotonic() - began_s >= 60
    assert clock.machine_s(60) == 0.01
    assert not clock.drift()


async def test_waiting_by_a_fast_clock_ends_with_the_event_or_with_its_own_time():
    clock, event = FastClock(6000), asyncio.Event()
    assert not await clock.wait(event, 60)

    event.set()
    assert await clock.wait(event, 60)


def test_every_other_clock_lasts_as_long_as_the_machines():
    assert SteadyClock().machine_s(60) == 60
