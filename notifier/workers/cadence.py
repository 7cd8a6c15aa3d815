"""When each look is due: what was learned, what a request costs now, and who listens. One for the whole process."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from math import inf

from notifier.clock import Clock
from notifier.domain.budget import Fit, pace_of
from notifier.domain.cadence.learning import Hazards, follow, stay
from notifier.domain.cadence.plan import (
    Bound,
    Outlook,
    Plan,
    Terms,
    Wait,
    Why,
    after_wait,
    outlook,
    regret_s,
    wait_for,
)
from notifier.domain.cadence.situation import Kind, Part, Situation
from notifier.domain.cadence.stakes import Heard
from notifier.domain.order import Source
from notifier.domain.polling import PollingPolicy
from notifier.storage.looking import Look
from notifier.storage.records import Watch

_LEAST_PUT_OFF = timedelta(milliseconds=250)
_UNSEEN = "NEW"


class Cadence:
    """Plans looks by what they teach. Prices, and who listens, are set for each account as they change."""

    def __init__(self, *, policy: PollingPolicy, clock: Clock) -> None:
        self.policy = policy
        self.hazards = Hazards()
        self._clock = clock
        self._plain = Terms(price_s=policy.price_s, policy=policy)
        self._terms: dict[str, Terms] = {}
        self._stretch: dict[str, float] = {}

    def terms(self, account: str) -> Terms:
        """Return what polling of an account goes by now."""
        return self._terms.get(account, self._plain)

    def stretch(self, account: str) -> float:
        """Return by how much all intervals of an account are stretched: 1 while its budget carries the ceilings."""
        return self._stretch.get(account, 1.0)

    def set_price(self, account: str, fit: Fit) -> None:
        """Take the price at which the account's budget suffices."""
        self._terms[account] = replace(self.terms(account), price_s=fit.price_s)
        self._stretch[account] = fit.stretch

    def set_heard(self, account: str, heard: Heard) -> None:
        """Take of which subjects some live subscription of the account would hear."""
        self._terms[account] = replace(self.terms(account), heard=heard)

    def plan(
        self, account: str, parts: Sequence[Part], *, now_ms: int, deadline_ms: int | None
    ) -> tuple[Plan, int]:
        """Return the next look after one that showed these parts, and its pace."""
        terms = self._terms.get(account, self._plain)
        until_deadline_s = None if deadline_ms is None else (deadline_ms - now_ms) / 1000
        if terms.price_s > self.policy.price_s or self._stretch.get(account, 1.0) > 1.0:
            return self._plan_dearly(account, parts, terms, now_ms / 1000, until_deadline_s)
        wait = wait_for(parts, terms, hazards=self.hazards, now_s=now_ms / 1000)
        return self._after(wait, until_deadline_s), pace_of(wait.seconds, terms.price_s)

    def _plan_dearly(
        self,
        account: str,
        parts: Sequence[Part],
        terms: Terms,
        now_s: float,
        until_deadline_s: float | None,
    ) -> tuple[Plan, int]:
        """Return the same while requests cost more than they are meant to, or not even the ceilings are carried."""
        wait = wait_for(parts, terms, hazards=self.hazards, now_s=now_s)
        asks, asks_at_s = wait, terms.price_s
        if wait.bound is Bound.CEILING:
            # A ceiling tells nothing of the price that led there, and would keep it high when its cause is gone.
            asks_at_s = self.policy.price_s
            asks = wait_for(parts, replace(terms, price_s=asks_at_s), hazards=self.hazards, now_s=now_s)
        if (stretch := self.stretch(account)) > 1.0:
            wait = Wait(wait.seconds * stretch, wait.longest_s * stretch, wait.bound)
        plan = self._after(wait, until_deadline_s)
        is_held = Bound.FLOOR is wait.bound or Bound.CEILING is asks.bound
        is_dear = terms.price_s > self.policy.price_s and not is_held
        if (is_dear or stretch > 1.0) and plan.why is Why.CADENCE:
            plan = Plan(plan.in_s, Why.BUDGET)
        return plan, pace_of(asks.seconds, asks_at_s)

    def _after(self, wait: Wait, until_deadline_s: float | None) -> Plan:
        least_s, roll = self.policy.min_interval_s, self._clock.roll()
        return after_wait(wait, least_s=least_s, until_deadline_s=until_deadline_s, roll=roll)

    def learn_nothing_changed(self, look: Look, started_ms: int) -> None:
        """Learn from a look that showed what the one before it did."""
        if look.parts and look.last_polled_ms is not None:
            looked_s, now_s = look.last_polled_ms / 1000, started_ms / 1000
            stay(self.hazards, look.parts, looked_s=looked_s, now_s=now_s)

    def learn(self, look: Look, after: Sequence[Part], started_ms: int) -> tuple[Part, ...]:
        """Learn from a look that showed these parts; return them, each with when it came to be what it is."""
        if look.parts is None or look.last_polled_ms is None:
            return tuple(after)
        looked_s, now_s = look.last_polled_ms / 1000, started_ms / 1000
        return follow(self.hazards, look.parts, after, looked_s=looked_s, now_s=now_s)

    def regret_s(self, look: Look, now: datetime) -> float:
        """Return what orders those that are due: seconds of regret, without end for what may not wait.

        An order that nobody has looked at yet counts as new since it was registered, worth the configured price at
        once. It gets no more in a dear time: new orders come as fast as ever then, and their first looks show least.
        """
        if look.asked_at is not None or look.doubted_at is not None:
            return inf
        if (look.attended_until or now) > now or (look.deadline_at or now) < now:
            return inf
        terms, parts = self.terms(look.account), look.parts
        looked_s, now_s = (look.last_polled_at or look.registered_at).timestamp(), now.timestamp()
        if not parts:
            parts = (unseen(look.account, look.source, looked_s),)
        wait = wait_for(parts, terms, hazards=self.hazards, now_s=looked_s)
        if now_s - looked_s >= wait.longest_s * self.stretch(look.account):
            return inf
        return self._head_start_s(look) + regret_s(
            parts, terms, hazards=self.hazards, looked_s=looked_s, now_s=now_s
        )

    def put_off_until(self, look: Look, level_s: float, now: datetime) -> datetime:
        """Return when a look that gives way has grown a regret, at the latest at its deadline or ceiling."""
        looked_at = look.last_polled_at or look.registered_at
        parts = look.parts or (unseen(look.account, look.source, looked_at.timestamp()),)
        left_s = max(level_s - self._head_start_s(look), 0.0)
        terms = replace(self.terms(look.account), price_s=left_s)
        wait = wait_for(parts, terms, hazards=self.hazards, now_s=looked_at.timestamp())
        at = looked_at + timedelta(seconds=wait.seconds * self.stretch(look.account))
        if look.deadline_at is not None:
            at = min(at, look.deadline_at)
        return max(at, now + _LEAST_PUT_OFF)

    def _head_start_s(self, look: Look) -> float:
        return self.policy.price_s if look.reader is None else 0.0

    def outlook(self, watch: Watch) -> Outlook | None:
        """Return why the watch's next look is when it is, at today's price; None for what has not been seen."""
        if watch.next_parts is None or watch.next_poll_at is None or watch.last_polled_at is None:
            return None
        terms, looked_s = self.terms(watch.account), watch.last_polled_at.timestamp()
        found = outlook(watch.next_parts, terms, hazards=self.hazards, now_s=looked_s)
        return replace(found, stretch=self.stretch(watch.account))


def unseen(account: str, source: Source, since_s: float) -> Part:
    """Return what an order is taken for of which nothing is known: new."""
    return Part(
        situation=Situation(source, Kind.ORDER, _UNSEEN, "", account), id="", mark="", since_s=since_s
    )
