"""How receivers stand, and what attempts at them change (interface 6.13).

While all are well this costs nothing. Of those that are not there are rows, so that a restart does not hammer them.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notifier.clock import Clock
from notifier.domain.delivery import DeliveryId, Outcome, Reason, Verdict
from notifier.domain.event import Fact
from notifier.domain.health import (
    HEARD,
    WELL,
    ListenerHealth,
    News,
    TargetHealth,
    listener_after,
    target_after,
    target_id,
)
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import DisabledBy, Subscription, SubscriptionId, SubscriptionState
from notifier.errors import NotFound
from notifier.logs import get_logger
from notifier.storage.contract import Transaction
from notifier.storage.records import DueDelivery
from notifier.workers.news import tell_alone
from notifier.workers.recording import Telling

_STEP_S = 1.0

log = get_logger(__name__)


class Receivers:
    """Whom to leave in peace, and whom to try with one delivery at a time."""

    def __init__(self, *, telling: Telling, disable_after_s: float) -> None:
        self._telling = telling
        self._disable_after_s = disable_after_s
        self._targets: dict[str, TargetHealth] = {}
        self._failing: set[SubscriptionId] = set()
        self._target_of: dict[SubscriptionId, str] = {}
        self._tries: dict[str, DeliveryId] = {}
        self._asked_for: dict[str, tuple[DeliveryId, TargetHealth]] = {}
        self._stored: set[str] = set()
        self._unsaved: set[str] = set()
        self._forgotten: set[str] = set()
        self._wall_ahead_s = 0.0
        self._was_edited = False

    async def load(self, tx: Transaction, clock: Clock) -> None:
        """Learn how all of them stood when the daemon stopped, or when the clock was set and rests moved along."""
        self._wall_ahead_s, self._was_edited = _wall_ahead_s(clock), False
        stored = await tx.unwell_targets()
        # What attempts told us and no transaction has taken yet is newer than what is stored.
        newer = {key: self._targets.get(key, WELL) for key in self._unsaved}
        self._targets = {key: each for key, each in (stored | newer).items() if each != WELL}
        self._failing = set(await tx.failing_listeners())
        self._stored = set(stored)

    def is_outdated(self, clock: Clock) -> bool:
        """Return whether storage knows better: something was edited, or the clock set and rests moved along (6.19)."""
        return self._was_edited or abs(_wall_ahead_s(clock) - self._wall_ahead_s) > _STEP_S

    def note_edit(self) -> None:
        """Forget who goes to which target: a subscription was edited, or somebody says that a target is back."""
        self._target_of.clear()
        self._was_edited = True

    def resting(self, now: datetime) -> set[SubscriptionId]:
        """Return the subscriptions, as far as they were met, whose target is left in peace now."""
        return {of for of, key in self._target_of.items() if self._targets.get(key, WELL).rests(now)}

    def next_try_at(self, now: datetime) -> datetime | None:
        """Return when the first of the targets that rest is to be tried again."""
        rests = (self._targets.get(key, WELL) for key in self._target_of.values())
        return min((each.rests_until for each in rests if each.rests_until and each.rests(now)), default=None)

    async def admit(
        self, tx: Transaction, due: Sequence[DueDelivery], *, now: datetime, until: datetime
    ) -> list[DueDelivery]:
        """Leave out what goes to targets that rest; one that has failed gets one delivery, which ends by `until`."""
        self._asked_for.clear()
        if not self._targets:
            return list(due)
        admitted = []
        for each in due:
            key = _target(each)
            health = self._targets.get(key, WELL)
            if health == WELL:
                admitted.append(each)
                continue
            self._target_of[each.subscription.id] = key
            if health.rests(now) or key in self._asked_for:
                continue
            admitted.append(each)
            if health.trips:
                # A try whose outcome a crash swallows is over when its lease is.
                tried = replace(health, rests_until=until, is_tried=True)
                self._asked_for[key] = each.delivery.id, tried
                await tx.save_target(key, tried)
                self._stored.add(key)
        return admitted

    def admitted(self) -> None:
        """Count the tries of the last `admit`: its transaction has held."""
        for key, (delivery_id, health) in self._asked_for.items():
            if self._targets.get(key, WELL).trips:
                self._targets[key], self._tries[key] = health, delivery_id

    def may_go(self, due: DueDelivery, now: datetime) -> bool:
        """Return whether what was claimed may still be sent: its target may rest by now."""
        if not self._targets:
            return True
        key = _target(due)
        return not self._targets.get(key, WELL).rests(now) or self._tries.get(key) == due.delivery.id

    def attempted(self, due: DueDelivery, outcome: Outcome, clock: Clock) -> bool:
        """Take an attempt into account at once, before it is recorded: the next is about to go.

        Of its target alone: the subscription may have been given another one meanwhile. Returns whether a target that
        rested need not any more.
        """
        was_accepted = outcome.verdict is Verdict.ACCEPTED
        if was_accepted and not self._targets:
            return False
        key, now = _target(due), clock.now()
        if was_accepted and key not in self._targets:
            return False
        before = self._targets.get(key, WELL)
        after = target_after(before, outcome, now=now)
        if after == before == WELL:
            return False
        self._set(due, key, after)
        return before.rests(now) and not after.rests(now)

    def given_back(self, due: DueDelivery, now: datetime) -> None:
        """Let another try a target whose try was not made."""
        key = _target(due)
        if self._tries.get(key) == due.delivery.id:
            self._set(due, key, replace(self._targets.get(key, WELL), rests_until=now, is_tried=False))

    def _set(self, due: DueDelivery, key: str, health: TargetHealth) -> None:
        before = self._targets.get(key, WELL)
        if self._tries.get(key) == due.delivery.id:
            del self._tries[key]
        self._targets[key] = health
        self._unsaved.add(key)
        if health == WELL:
            del self._targets[key]
        if health.trips > before.trips:
            log.warning("target.resting", subscription=due.subscription.id, trips=health.trips)

    async def record(
        self, tx: Transaction, attempts: Sequence[tuple[DueDelivery, Outcome | None]], *, now: datetime
    ) -> None:
        """Keep what attempts changed, in the transaction that records them; None is one that was given back.

        How subscriptions stood is read, not remembered: this transaction may fail, and edits wipe the slate.
        """
        self._forgotten.clear()
        if self._unsaved or self._stored:
            for key in {_target(due) for due, _ in attempts} & (self._unsaved | self._stored):
                await self._save(tx, key)
        concerned = {
            due.subscription.id
            for due, outcome in attempts
            if outcome and (outcome.verdict is not Verdict.ACCEPTED or due.subscription.id in self._failing)
        }
        if not concerned:
            return
        listeners = await tx.failing_listeners(of=concerned)
        self._failing -= concerned - listeners.keys()
        for due, outcome in attempts:
            if outcome is not None and due.subscription.id in concerned:
                await self._note_listener(tx, listeners, due, outcome, now)

    async def _save(self, tx: Transaction, key: str) -> None:
        health = self._targets.get(key, WELL)
        await tx.save_target(key, health)
        # Also where it is well: this transaction may fail, and then the row is to be taken away by the next.
        self._stored.add(key)
        self._unsaved.discard(key)
        if health == WELL:
            self._forgotten.add(key)

    def recorded(self) -> None:
        """Note that what `record` wrote last is committed: who is well has no row any more."""
        self._stored -= self._forgotten
        self._forgotten.clear()

    async def _note_listener(
        self,
        tx: Transaction,
        listeners: dict[SubscriptionId, ListenerHealth],
        due: DueDelivery,
        outcome: Outcome,
        now: datetime,
    ) -> None:
        of = due.subscription.id
        health = listeners.get(of, HEARD)
        after, news = listener_after(health, outcome, now=now, disable_after_s=self._disable_after_s)
        if after == health and news is None:
            return
        try:
            subscription = await tx.subscription(due.subscription.account, of)
        except NotFound:
            return
        if (await tx.secrets(of)).target != due.secrets.target:
            return  # Edited since: this attempt says nothing of the new address.
        listeners[of] = after
        self._failing.add(of)
        await tx.save_listener(of, after)
        if news is News.DISABLED:
            await self.disable(tx, subscription, outcome.reason, now=now)
        elif news is not None:
            await self._tell(tx, subscription, news, outcome.reason, now)

    async def disable(
        self, tx: Transaction, subscription: Subscription, reason: Reason, *, now: datetime
    ) -> None:
        """Switch a subscription off and tell so; what it is owed is held."""
        if subscription.state is SubscriptionState.DISABLED:
            return
        disabled = replace(subscription, state=SubscriptionState.DISABLED, disabled_by=DisabledBy.FAILURES)
        await tx.amend_subscription(disabled, None, now=now)
        await self._tell(tx, subscription, News.DISABLED, reason, now)

    async def _tell(
        self, tx: Transaction, subscription: Subscription, news: News, reason: Reason, now: datetime
    ) -> None:
        of = subscription.id
        fact = Fact(type=news, subject=Subject.SUBSCRIPTION, subject_id=of, field="reason", current=reason)
        log.warning(news, subscription=of, reason=reason)
        told = await tell_alone(tx, self._telling, fact, account=subscription.account, now=now, never_to=of)
        if not told:
            log.warning("subscription.untold", subscription=of, news=news)


def _wall_ahead_s(clock: Clock) -> float:
    return clock.now().timestamp() - clock.monotonic()


def _target(due: DueDelivery) -> str:
    return target_id(due.subscription.account, due.subscription.channel, due.secrets.target.reveal())
