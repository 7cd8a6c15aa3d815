"""Which looks go next: as they came due while the budget has room, else those of the greatest regret.

What somebody asked for or attends to goes first in either case.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from notifier.clock import Clock
from notifier.domain.budget import serve
from notifier.domain.order import Source
from notifier.storage.contract import Storage, Transaction
from notifier.storage.looking import Look
from notifier.storage.pacing import PutOff
from notifier.workers.budget import Budget
from notifier.workers.cadence import Cadence

_WINDOW = 4
_LEAST_WINDOW = 100
_MOST_WINDOW = 1000
_DEAR_NAP = timedelta(seconds=0.5)


@dataclass(frozen=True, slots=True)
class Claim:
    """Looks to make, first those that go first, and when to come again; None: at once, or when one has landed."""

    looks: Sequence[Look]
    again_at: datetime | None


class Claiming:
    """Chooses the looks of one account."""

    def __init__(
        self, account: str, *, storage: Storage, cadence: Cadence, budget: Budget, clock: Clock
    ) -> None:
        self._account = account
        self._storage = storage
        self._cadence = cadence
        self._budget = budget
        self._clock = clock

    async def claim(
        self, room: int, *, now: datetime, in_flight: Collection[int], sources: Collection[Source]
    ) -> Claim:
        """Return at most `room` looks that are due, or in a dear time nearly so."""
        async with self._storage.reading() as tx:
            due = await tx.due_looks(self._account, now=now, limit=room, in_flight=in_flight, sources=sources)
            if len(due) < room:
                early = await self._early(tx, room - len(due), now, in_flight, sources)
                next_at = await tx.next_look_at(self._account, after=now)
                if self._budget.is_dear:
                    next_at = min(next_at or now + _DEAR_NAP, now + _DEAR_NAP)
                return Claim(due + early, next_at or now + timedelta(days=1))
            is_spent = self._budget.is_spent
            if is_spent:
                window = min(max(room * _WINDOW, _LEAST_WINDOW), _MOST_WINDOW)
                due = await tx.due_looks(
                    self._account, now=now, limit=window, in_flight=in_flight, sources=sources
                )
            urgent = await tx.urgent_looks(
                self._account, now=now, limit=room, in_flight=in_flight, sources=sources
            )
        ready = list({look.id: look for look in urgent + due}.values())
        if not is_spent:
            return Claim(ready[:room], None)
        return await self._worst(room, ready, now)

    async def _early(
        self,
        tx: Transaction,
        room: int,
        now: datetime,
        in_flight: Collection[int],
        sources: Collection[Source],
    ) -> list[Look]:
        """Return looks that were put off, and for which there is room after all."""
        if not self._budget.is_dear:
            return []
        later = await tx.looks_put_off(
            self._account, now=now, limit=room, in_flight=in_flight, sources=sources
        )
        base_s = self._cadence.policy.price_s
        if not later and self._budget.fit.price_s <= base_s:
            self._budget.is_dear = False
        return [look for look in later if self._cadence.regret_s(look, now) >= base_s]

    async def _worst(self, room: int, due: Collection[Look], now: datetime) -> Claim:
        regrets = {look.id: self._cadence.regret_s(look, now) for look in due}
        served = serve(((regrets[look.id], look) for look in due), room, price_s=self._budget.fit.price_s)
        aside = [
            PutOff(look.id, look.next_poll_at, self._cadence.put_off_until(look, served.level_s, now))
            for look in served.later
            if regrets[look.id] <= served.level_s
        ]
        if aside:
            self._budget.is_dear = True
            async with self._storage.writing() as tx:
                await tx.put_off(aside)
        return Claim(served.now, None)
