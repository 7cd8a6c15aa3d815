"""How long to wait before trying again; the dice are handed in."""

from collections.abc import Sequence

_WIDTH = 0.2


def jittered(seconds: float, roll: float) -> float:
    """Return d times U(0.9, 1.1) for a roll in [0, 1) (interface 6.12)."""
    return seconds * (1 - _WIDTH / 2 + _WIDTH * roll)


def wait_before_attempt(schedule: Sequence[float], attempts: int, roll: float) -> float | None:
    """Return the seconds before the next attempt after so many were made, or None when there is none left."""
    return jittered(schedule[attempts - 1], roll) if 1 <= attempts <= len(schedule) else None


def growing(failures: int, *, first_s: float, ceiling_s: float, roll: float) -> float:
    """Return an exponential wait: `first_s` after the first failure, doubling, at most `ceiling_s`, jittered."""
    return jittered(min(ceiling_s, first_s * 2.0 ** min(failures - 1, 30)), roll)
