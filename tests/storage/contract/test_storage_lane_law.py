"""Whatever happens to the attempts, a lane keeps its order or says where it did not (interface 6.11)."""

import asyncio
import itertools
from dataclasses import dataclass, field, replace
from datetime import timedelta

from given import LANES, claimed, due, recorded, subscribed, told, watched
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from notifier.domain.delivery import Verdict
from notifier.domain.subscription import Ordering, SubscriptionState
from support.clock import START

_NAMES = itertools.count()
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("tell"), st.integers(1, 3)),
        st.tuples(st.just("try"), st.sampled_from([Verdict.ACCEPTED, Verdict.RETRY, Verdict.REFUSED])),
        st.tuples(st.just("try"), st.just(Verdict.OWN_FAULT)),
        st.tuples(st.just("crash"), st.none()),
        st.tuples(st.just("wait"), st.sampled_from([1, 31, 700])),
        st.tuples(st.just("pause"), st.booleans()),
    ),
    max_size=14,
)
_LONG_S = 1_000_000.0


@dataclass
class Told:
    """What the model knows of one event: no more than a receiver's friend could have written down."""

    told_at: float
    attempts: int = 0
    claims: int = 0
    lost_until: float = -1.0
    is_final: bool = False

    def is_in_flight(self, now_s):
        """Whether the process died over it and its lease still runs."""
        return now_s < self.lost_until


@dataclass
class Lane:
    storage: object
    clock: object
    hook: object
    watch: object
    events: dict[str, Told] = field(default_factory=dict)

    @property
    def now_s(self):
        return (self.clock.now() - START).total_seconds()

    async def step(self, action, value):
        match action:
            case "tell":
                names = [f"e{next(_NAMES):09}" for _ in range(value)]
                await told(
                    self.storage, self.hook, self.watch, *names, now=self.clock.now(), expires_after_s=_LONG_S
                )
                self.events |= {f"evt_{name}": Told(self.now_s) for name in names}
            case "try" | "crash":
                await self.attempt(value)
            case "wait":
                await self.clock.advance(value)
            case "pause":
                state = SubscriptionState.PAUSED if value else SubscriptionState.ACTIVE
                self.hook = replace(self.hook, state=state)
                async with self.storage.writing() as tx:
                    await tx.amend_subscription(self.hook, None, now=self.clock.now())

    async def attempt(self, verdict):
        """Send what is due, if anything; no verdict means that the process died over it."""
        mine = [d for d in await due(self.storage, self.clock.now()) if d.subscription.id == self.hook.id]
        assert len(mine) <= 1, "two of one lane at once"
        if not mine and self.hook.state is SubscriptionState.ACTIVE:
            assert self.untried_but_free() == [], "kept back for no reason"
        for found in mine:
            self.check(found)
            until = self.clock.now() + timedelta(seconds=15)
            assert await claimed(self.storage, found, until=until)
            known = self.events[found.logged.event.id]
            known.attempts += verdict is not Verdict.OWN_FAULT
            known.claims += 1
            known.lost_until = self.now_s + 15 if verdict is None else -1.0
            if verdict is not None:
                after = await recorded(
                    self.storage, found, verdict, now=self.clock.now(), schedule=(30.0,) * 100
                )
                known.is_final = after.state.is_final
        return bool(mine)

    def untried_but_free(self):
        """What was never tried and stands behind nothing that may hold it: it has no reason to wait."""
        owed = [(name, known) for name, known in self.events.items() if not known.is_final]
        return [
            name
            for place, (name, known) in enumerate(owed)
            if not known.claims and all(self.may_be_overtaken(ahead) for _, ahead in owed[:place])
        ]

    def may_be_overtaken(self, known):
        is_old = self.now_s - known.told_at >= LANES.hold_s
        is_tried = known.attempts >= LANES.hold_attempts and not known.is_in_flight(self.now_s)
        return self.hook.ordering is Ordering.HOLD and (is_old or is_tried)

    def check(self, found):
        assert self.hook.state is SubscriptionState.ACTIVE
        assert not self.events[found.logged.event.id].is_final
        earlier = itertools.takewhile(lambda name: name != found.logged.event.id, self.events)
        ahead = [name for name in earlier if not self.events[name].is_final]
        assert list(found.behind) == ahead
        if self.hook.ordering is Ordering.STRICT:
            assert ahead == []
        for name in ahead:
            known = self.events[name]
            assert known.attempts >= LANES.hold_attempts or self.now_s - known.told_at >= LANES.hold_s

    async def finish(self):
        """From here all goes well: everything must end, waking only when storage says so."""
        await self.step("pause", False)
        idle = 0
        while not all(known.is_final for known in self.events.values()):
            if await self.attempt(Verdict.ACCEPTED):
                continue
            async with self.storage.reading() as tx:
                at = await tx.next_delivery_at()
            assert at is not None, "owed, but never due"
            idle += 1
            assert idle <= 3 * len(self.events) + 3, "woken again and again for nothing"
            await self.clock.advance(max(0.0, (at - self.clock.now()).total_seconds()))
        async with self.storage.reading() as tx:
            assert await tx.next_delivery_at() is None


def test_a_lane_keeps_its_order_or_says_where_it_did_not(opener, clock):
    async def play(storage, steps, ordering):
        name = f"n{next(_NAMES):09}"
        watch = await watched(storage, name, now=clock.now())
        hook = await subscribed(storage, name, now=clock.now(), ordering=ordering)
        lane = Lane(storage, clock, hook, watch)
        for action, value in steps:
            await lane.step(action, value)
        await lane.finish()
        assert all(known.is_final for known in lane.events.values())

    with asyncio.Runner() as runner:
        storage = runner.run(opener())

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(_STEPS, st.sampled_from(list(Ordering)))
        def law(steps, ordering):
            runner.run(play(storage, steps, ordering))

        try:
            # Others' deliveries, of either ordering, lie about from the start.
            for ordering in (Ordering.STRICT, Ordering.HOLD):
                runner.run(play(storage, [("tell", 1)], ordering))
            law()
        finally:
            runner.run(storage.close())
