"""What changes the terms of polling: demand that outgrows the budget, and subscriptions that come and go."""

import asyncio

from notifier.clock import Clock
from notifier.domain.cadence.stakes import EVERYTHING, Heard
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import subjects_of
from notifier.storage.contract import Storage
from notifier.workers.alerter import judged_alerts
from notifier.workers.budget import Budget
from notifier.workers.cadence import Cadence

_EVERY_S = 2.0
_IDLE_EVERY_S = 60.0
_EFFORT = 50.0
"""Counting a million looks takes a second, so it is done no oftener than once in so many times of what it took."""
_HEARD_EVERY_S = 30.0


class Pricing:
    """Keeps one account's price and weights in step with what there is."""

    def __init__(
        self,
        *,
        storage: Storage,
        cadence: Cadence,
        budget: Budget,
        clock: Clock,
    ) -> None:
        self._storage = storage
        self._cadence = cadence
        self._budget = budget
        self._clock = clock
        self._heard: Heard | None = None
        self._counted_at_s = -_IDLE_EVERY_S
        self._took_s = 0.0
        self._listened_at_s = -_HEARD_EVERY_S
        self._changed = storage.signals.subscriptions.listener()

    async def turn(self, stop: asyncio.Event) -> None:
        """Look once after whatever is due, and rest."""
        now_s = self._clock.monotonic()
        if self._changed.is_set() or now_s - self._listened_at_s >= _HEARD_EVERY_S:
            self._changed.clear()
            self._listened_at_s = now_s
            await self._listen()
        every_s = _EVERY_S if self._budget.is_dear else _IDLE_EVERY_S
        if now_s - self._counted_at_s >= max(every_s, _EFFORT * self._took_s):
            self._counted_at_s = now_s
            await self._count()
        await self._clock.wait(stop, _EVERY_S)

    async def _count(self) -> None:
        began_s = self._clock.monotonic()
        async with self._storage.reading() as tx:
            paces = await tx.paces(self._budget.account)
        self._took_s = self._clock.monotonic() - began_s
        self._budget.reprice(paces)

    async def _listen(self) -> None:
        """Take in who listens, alerts too; where nobody subscribes, people read, and everything counts."""
        account = self._budget.account
        async with self._storage.reading() as tx:
            patterns = await tx.patterns_listened_to(account)
            judged = {Subject(each.family) for each in await judged_alerts(tx, account)}
        heard: Heard = subjects_of(patterns) | judged if patterns else EVERYTHING
        more: frozenset[Subject] = frozenset() if self._heard is None else heard - self._heard
        self._cadence.set_heard(account, heard)
        if more:
            # What nobody listened to was hardly looked at; what is due too early gives way by its regret.
            async with self._storage.writing() as tx:
                await tx.bring_forward(account, now=self._clock.now())
        self._heard = heard
