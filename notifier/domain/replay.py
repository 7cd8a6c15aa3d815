"""Sending again what one subscription was owed, or would have been: which events, and how far it has come (6.20)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from notifier.domain.delivery import DeliveryState
from notifier.domain.subscription import SubscriptionId

ReplayId = NewType("ReplayId", str)


class ReplayState(StrEnum):
    """A running replay still makes deliveries; a done one has made them all, whether or not they have ended."""

    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"


class Replayable(StrEnum):
    """How an event stands with a subscription that is not owed it: by its last delivery, or without any."""

    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    MISSING = "missing"

    @classmethod
    def of(cls, state: DeliveryState | None) -> "Replayable | None":
        """Return what the state of a last delivery means, None while it is owed."""
        if state is None:
            return cls.MISSING
        return cls(state) if state.is_final else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One replay of events of one account to one subscription of it.

    Of the log it takes what stands behind `after` up to `last` (sequences), was seen from `since_at` on and before
    `until_at`, is of one of `types` (patterns; none: all) and of one of `states` (none: all). `after` moves on with
    the work. `matched` is counted beforehand, None where nobody asked; what of it was pruned meanwhile is `gone`.
    """

    id: ReplayId
    account: str
    subscription_id: SubscriptionId
    created_at: datetime
    after: int
    last: int
    since_at: datetime | None = None
    until_at: datetime | None = None
    types: tuple[str, ...] = ()
    states: tuple[Replayable, ...] = ()
    is_rerendered: bool = False
    state: ReplayState = ReplayState.RUNNING
    matched: int | None = None
    made: int = 0
    gone: int = 0
    finished_at: datetime | None = None
