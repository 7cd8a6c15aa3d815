"""The replayer: makes the deliveries of replays, a few at a time, so that what is live hardly notices.

Of each subscription one replay runs at a time, and it makes no more while a score of its deliveries (fewer where the
subscription has a slow rate) wait for their first attempt: a live delivery never waits behind more than those, as the
longest due go first. How far it has come is written together with what it made, so a crash repeats and skips nothing.
"""

import asyncio
from dataclasses import dataclass, replace

from notifier.clock import Clock
from notifier.domain.replay import Replay, ReplayState
from notifier.domain.subscription import Subscription
from notifier.errors import NotFound, StorageError
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import Made, Recalled
from notifier.storage.replaying import can_be_sent, matching, next_page, owe_again
from notifier.workers.recording import Telling

_TURN_S = 0.2
_IDLE_S = 1.0
_STORAGE_WAIT_S = 1.0
_MOST_A_TURN = 40
"""Made in one turn over all replays: at most 200 a second."""
_MOST_PAGES = 4
_MOST_UNTRIED = 20
_MOST_OWED = 1000
"""A replay rests while so many of its deliveries are owed: its receiver is sick, or its subscription paused."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a replay sends next, and how far in the log it has come with that."""

    taken: list[Recalled]
    after: int
    is_last: bool


class Replayer:
    """Works off replays, for ever."""

    name = "replayer"

    def __init__(self, *, storage: Storage, clock: Clock, metrics: Metrics, telling: Telling) -> None:
        self._storage = storage
        self._clock = clock
        self._metrics = metrics
        self._telling = telling
        self._turn = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Replay until stopped; what is left goes on at the next start."""
        while not stop.is_set():
            wait_s = _STORAGE_WAIT_S
            try:
                wait_s = _TURN_S if await self.take_turn() else _IDLE_S
            except StorageError as error:
                log.warning("replayer.waiting", error=str(error))
            await self._clock.wait(stop, wait_s)

    async def take_turn(self) -> bool:
        """Move every running replay on, each turn beginning with another; return whether there is any."""
        async with self._storage.reading() as tx:
            running = await tx.running_replays()
        left = _MOST_A_TURN
        first = self._turn % len(running) if running else 0
        for replay in running[first:] + running[:first]:
            if left > 0:
                left -= await self._move_on(replay, left)
        self._turn += 1
        return bool(running)

    async def _move_on(self, replay: Replay, most: int) -> int:
        """Make the next deliveries of one replay; return how many."""
        async with self._storage.reading() as tx:
            try:
                subscription = await tx.subscription(replay.account, replay.subscription_id)
            except NotFound:  # Its deletion has ended the replay, too; the next turn sees it.
                return 0
            room = min(most, _room(subscription, await tx.made_by(replay.id)))
            step = await _next_step(tx, replay, subscription, room) if room > 0 else None
        return 0 if step is None else await self._make(replay, step)

    async def _make(self, replay: Replay, step: _Step) -> int:
        now, how = self._clock.now(), self._telling
        sendable = [each for each in step.taken if can_be_sent(each, replay)]
        made, gone = replay.made + len(sendable), replay.gone + len(step.taken) - len(sendable)
        progress = replace(replay, after=step.after, made=made, gone=gone)
        if step.is_last:
            progress = replace(progress, state=ReplayState.DONE, finished_at=now)
        async with self._storage.writing() as tx:
            if (await tx.replay(replay.account, replay.id)).state is not ReplayState.RUNNING:
                return 0
            subscription = await tx.subscription(replay.account, replay.subscription_id)
            await owe_again(
                tx,
                progress,
                sendable,
                subscription,
                now=now,
                expires_after_s=how.expires_after_s,
                lanes=how.lanes,
                new_id=how.new_id,
            )
            await tx.save_replay(progress)
        self._metrics.replayed_total.inc(len(sendable))
        if step.is_last:
            log.info(
                "replay.done", replay=replay.id, subscription=replay.subscription_id, made=made, gone=gone
            )
        return len(sendable)


def _room(subscription: Subscription, made: Made) -> int:
    """Return how many more may wait: of a slow subscription no more than go in a second."""
    rate = subscription.rate_per_s
    most = _MOST_UNTRIED if rate is None else max(1, min(_MOST_UNTRIED, int(rate)))
    return min(most - made.untried, _MOST_OWED - made.owed)


async def _next_step(tx: Transaction, replay: Replay, subscription: Subscription, room: int) -> _Step:
    """Read on until there is enough to send, or for long enough."""
    taken: list[Recalled] = []
    after = replay.after
    for _ in range(_MOST_PAGES):
        page, is_last = await next_page(tx, replace(replay, after=after), subscription)
        found = matching(page, replay, subscription)
        left = room - len(taken)
        taken += found[:left]
        if len(found) > left:
            # Up to the next one: what was passed over between them must not be judged without them.
            return _Step(taken, found[left].sequence - 1, is_last=False)
        if is_last:
            return _Step(taken, replay.last, is_last=True)
        after = page[-1].sequence
    return _Step(taken, after, is_last=False)
