"""The part of the contract for the cadence: who comes first, who is put off, what was learned, who listens.

`notifier.storage.contract` takes it in; nobody else needs it.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from notifier.domain.order import OrderKey, Source
from notifier.storage.looking import Look


class PutOff(NamedTuple):
    """A due look that gives way to others: not before `due_at`, unless it has moved from `was_due_at` meanwhile."""

    look_id: int
    was_due_at: datetime
    due_at: datetime


class PacingStore(Protocol):
    """What the cadence reads and writes beside the looks themselves."""

    async def urgent_looks(
        self,
        account: str,
        *,
        now: datetime,
        limit: int,
        in_flight: Collection[int] = (),
        sources: Collection[Source] = tuple(Source),
    ) -> list[Look]:
        """Return those of `due_looks` that somebody asked for or that are attended to."""

    async def looks_put_off(
        self,
        account: str,
        *,
        now: datetime,
        limit: int,
        in_flight: Collection[int] = (),
        sources: Collection[Source] = tuple(Source),
    ) -> list[Look]:
        """Return looks that the budget made later than `now`, the soonest of them first."""

    async def put_off(self, looks: Sequence[PutOff]) -> None:
        """Make due looks later, but for those that somebody asked for or moved meanwhile."""

    async def bring_forward(self, account: str, *, now: datetime) -> int:
        """Make every look due that waits for nothing but the cadence or a deadline; return how many."""

    async def attend(
        self, account: str, order_keys: Collection[OrderKey], *, until: datetime, now: datetime
    ) -> int:
        """Look at these orders now, and until then before others; return how many of their looks are due.

        Only active watches are looked at; one that ended stays so.
        """

    async def paces(self, account: str) -> dict[int | None, int]:
        """Return how many looks the account has of each pace."""

    async def learned(self, name: str) -> dict[str, Any] | None:
        """Return a document as it was kept, or None where there is none that can be read."""

    async def keep_learned(self, name: str, document: Mapping[str, Any], *, now: datetime) -> None:
        """Write a document in place of the one of its name."""

    async def patterns_listened_to(self, account: str) -> set[str]:
        """Return every pattern of types that some live subscription of the account has."""
