"""The clock that the daemon goes by, on a machine whose wall clock is set."""

from datetime import timedelta

import pytest

from notifier.clock import SteadyClock

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
