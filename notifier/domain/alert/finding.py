"""What one judged minute showed: tests that fired, the causes they come down to, and slices to look at first."""

from dataclasses import dataclass

from notifier.domain.alert.report import Place, SliceFigures, Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One test that fired in one slice over the last `window` minutes."""

    place: Place
    tier: Tier
    window: int
    orders: int
    failed: int
    normal: float
    """The rate that was to be expected, a share."""
    noise: float
    """Correlation between orders (rho of the beta-binomial) that was allowed for."""
    tail: float
    """How probable so many or more failures are when nothing is wrong."""
    excess: float
    """Failed orders beyond the normal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One thing that went wrong: one cause, one incident. Its finding is the strongest at this place."""

    place: Place
    finding: Finding
    share: float
    """Its part of the whole account's excess, 0 to 1."""
    inhibited: tuple[Finding, ...]
    """What fired besides and is explained by it."""
    slices: tuple[SliceFigures, ...]
    """The slices that carry the excess, most first; at most five."""
    normal_slices: tuple[SliceFigures, ...]
    """Siblings that are as ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The verdict on the minute that begins at `minute` (minutes since 1970). No causes: all is well."""

    minute: int
    causes: tuple[Cause, ...] = ()
    attention: tuple[Place, ...] = ()
    """Slices that look suspicious: their orders in flight are worth looking at first."""
