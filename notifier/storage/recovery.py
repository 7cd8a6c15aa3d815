"""The part of the contract for what went wrong: what is sent again, what a receiver misses, what is lost.

`notifier.storage.contract` takes it in; nobody else needs it.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from notifier.domain.delivery import Delivery, DeliveryId
from notifier.domain.event import Backlog
from notifier.domain.replay import Replay, ReplayId
from notifier.domain.subscription import Subscription, SubscriptionId
from notifier.storage.records import Check, Finding, Lanes, Made, Recalled, Sign, Tally


class ReplayStore(Protocol):
    """What is sent again."""

    async def last_sequence(self, account: str) -> int:
        """Return the sequence of the account's newest event, 0 before the first."""

    async def log_begins_at(self, account: str) -> datetime | None:
        """Return when the oldest event kept was seen if older ones were pruned, else None."""

    async def add_replay(self, replay: Replay) -> None:
        """Add one."""

    async def save_replay(self, replay: Replay) -> None:
        """Write how far one has come."""

    async def replay(self, account: str, replay_id: ReplayId) -> Replay:
        """Return one; raises NotFound."""

    async def running_replays(self) -> list[Replay]:
        """Return the oldest running replay of each subscription, oldest first."""

    async def recallable(
        self, replay: Replay, subscription: Subscription, *, limit: int, in_full: bool
    ) -> list[Recalled]:
        """Return the next events in the range of a replay, in sequence; types and states are not judged here.

        `in_full` has them with document, snapshot and the present tags of their orders.
        """

    async def recall_tallies(self, replay: Replay, subscription: Subscription) -> list[Tally]:
        """Return the events that `recallable` goes through, counted by what a replay judges them by."""

    async def recalled(self, delivery_id: DeliveryId) -> Recalled:
        """Return the event of a delivery, and that delivery as its last; raises NotFound."""

    async def owe_again(
        self, replay: Replay, again: Sequence[tuple[Recalled, Delivery]], *, now: datetime, lanes: Lanes
    ) -> None:
        """Add deliveries of a replay, with number and body of the last; they stand in lanes of their own."""

    async def made_by(self, replay_id: ReplayId) -> Made:
        """Return what became of the deliveries of a replay."""


class BacklogStore(Protocol):
    """How subscriptions stand, for heartbeats."""

    async def counter(self, account: str, subject: str, subject_id: str) -> int:
        """Return a subject's own counter as `raise_counter` left it, 0 before."""

    async def naming(self, account: str, word: str) -> list[Subscription]:
        """Return the account's subscriptions that have this very word among their patterns."""

    async def backlog(self, subscription_id: SubscriptionId, *, limit: int = 500) -> Backlog:
        """Return the last number a subscription gave and the lowest `limit` numbers that it is still owed."""


class AuditStore(Protocol):
    """What should be there and is not."""

    async def note(self, sign: Sign, *, at: datetime) -> None:
        """Remember when something was done last."""

    async def noted(self, sign: Sign) -> datetime | None:
        """Return when something was done last, None if never."""

    async def audit(
        self, check: Check, *, accounts: Collection[str], overdue_before: datetime, limit: int = 100
    ) -> Finding | None:
        """Return what one check finds wrong, or None.

        Only events count that lost nothing to retention; due times count of these accounts alone.
        """
