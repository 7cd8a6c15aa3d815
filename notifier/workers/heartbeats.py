"""Heartbeats: each subscription that names them is told how it stands, so that its receiver finds a gap by itself."""

from collections.abc import Collection
from dataclasses import dataclass

from notifier.clock import Clock
from notifier.domain.event import Event, EventId, Fact, counted_event_id
from notifier.domain.instant import seconds
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Subscription, SubscriptionState
from notifier.errors import NotFound
from notifier.storage.contract import Storage, Transaction
from notifier.storage.telling import tell_only
from notifier.workers.recording import Telling
from notifier.workers.schedule import Job

_TYPE = "heartbeat"
_LOOK_EVERY_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeats:
    """Owes heartbeats. Units: `every_s` seconds between two of one subscription; nought is never."""

    storage: Storage
    clock: Clock
    telling: Telling
    accounts: Collection[str]
    every_s: float

    def jobs(self) -> tuple[Job, ...]:
        """Return what recurs: often, since when the last one was told is read, not remembered."""
        if self.every_s <= 0:
            return ()
        return (Job(name=_TYPE, every_s=min(self.every_s, _LOOK_EVERY_S), run=self.beat),)

    async def beat(self) -> None:
        """Owe a heartbeat to every active subscription whose last one is old enough, and no longer owed."""
        for account in self.accounts:
            async with self.storage.reading() as tx:
                naming = await tx.naming(account, _TYPE)
                due = [each for each in naming if await self._is_due(tx, each)]
            for listener in due:
                async with self.storage.writing() as tx:
                    await self._tell(tx, listener)

    async def _is_due(self, tx: Transaction, listener: Subscription) -> bool:
        if listener.state is not SubscriptionState.ACTIVE:
            return False
        n = await tx.counter(listener.account, Subject.HEARTBEAT, listener.id)
        last_id = _event_id(listener, n)
        try:
            last = await tx.event(last_id)
        except NotFound:  # none yet, or none kept
            return True
        # Of one that lies ahead it is only known that the clock was set back since.
        if seconds(0) <= self.clock.now() - last.event.observed_at < seconds(self.every_s):
            return False
        told, _ = await tx.deliveries(listener.account, event_id=last_id)
        return all(view.delivery.state.is_final for view in told)

    async def _tell(self, tx: Transaction, listener: Subscription) -> None:
        try:
            listener = await tx.subscription(listener.account, listener.id)
        except NotFound:
            return
        now, how = self.clock.now(), self.telling
        n = await tx.raise_counter(listener.account, Subject.HEARTBEAT, listener.id)
        event = Event(
            id=_event_id(listener, n),
            type=_TYPE,
            account=listener.account,
            livemode=how.livemode(listener.account),
            subject=Subject.HEARTBEAT,
            subject_id=listener.id,
            observed_at=now,
            backlog=await tx.backlog(listener.id),
        )
        await tell_only(
            tx,
            event,
            listener,
            now=now,
            expires_after_s=how.expires_after_s,
            lanes=how.lanes,
            new_id=how.new_id,
        )


def _event_id(listener: Subscription, n: int) -> EventId:
    fact = Fact(type=_TYPE, subject=Subject.HEARTBEAT, subject_id=listener.id)
    return counted_event_id(listener.account, None, fact, n)
