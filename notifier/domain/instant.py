"""Instants are aware UTC in whole milliseconds; their forms as numbers and as text."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_ms(at: datetime) -> int:
    """Return the instant as whole milliseconds since the epoch."""
    since = at - EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


def whole_ms(s: float) -> int:
    """Return a duration as whole milliseconds, cut off but for the billionths that sums of floats are off by."""
    return round(s * 1e6) // 1000


def from_ms(ms: int) -> datetime:
    """Return the aware UTC instant of so many milliseconds since the epoch."""
    return datetime.fromtimestamp(ms / 1000, UTC)  # a third of the cost of adding to the epoch


def at_ms(ms: int | None) -> datetime | None:
    """Return the instant of what may be none."""
    return None if ms is None else from_ms(ms)


def seconds(s: float) -> timedelta:
    """Return a duration, for readable arithmetic with instants."""
    return timedelta(seconds=s)


def iso(at: datetime) -> str:
    """Return the instant as RFC 3339 text with milliseconds and Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
