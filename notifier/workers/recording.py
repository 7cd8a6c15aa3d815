"""What a poll leaves behind: the next look, and when something changed, snapshot, events and what they owe.

`assess` is the fast way and needs no database: an unchanged answer is only rescheduled. `record` is the thorough way,
inside the transaction that commits everything at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import structs

from notifier.clock import Clock
from notifier.domain.cadence.plan import (
    AFTER_ASKED,
    SECOND_LOOK,
    Plan,
    after_error,
    after_not_found,
    is_confirmed,
)
from notifier.domain.cadence.situation import Part, parts_of
from notifier.domain.deadline import Deadlines
from notifier.domain.event import Event, Fact, Sighting, counted_event_id, event_of, events_of, numbered
from notifier.domain.instant import to_ms
from notifier.domain.observation import (
    Doubtful,
    Judgement,
    Known,
    Observation,
    Stale,
    end_of,
    judge,
    observe,
    outlasts,
    unchanged,
)
from notifier.domain.order import Phase, Source, WatchState, order_key
from notifier.domain.snapshot import Snapshot, Subject
from notifier.domain.standing import order_phase, standing
from notifier.metrics import Metrics
from notifier.source.contract import Answer, Failure, FailureReason
from notifier.storage.contract import Transaction
from notifier.storage.looking import Footing, Look, LookOutcome, LookState
from notifier.storage.records import Initial, Lanes, Watch
from notifier.storage.telling import tell
from notifier.workers.cadence import Cadence, unseen
from notifier.workers.counting import keep_outcomes, keep_stuck
from notifier.workers.polled import Polled, failed_look, good_look, not_ahead


@dataclass(frozen=True, slots=True, kw_only=True)
class Telling:
    """How events become deliveries; the same for every worker."""

    expires_after_s: float
    lanes: Lanes
    new_id: Callable[[], str]
    livemode: Callable[[str], bool]


class Recorder:
    """Turns polls into what storage keeps."""

    def __init__(self, *, clock: Clock, cadence: Cadence, telling: Telling, metrics: Metrics) -> None:
        self._clock = clock
        self._cadence = cadence
        self._policy = cadence.policy
        self._telling = telling
        self._metrics = metrics
        self._taught: dict[int, tuple[Look, tuple[Part, ...]]] = {}
        """By look, what an answer showed that was learned from and is yet to be written."""

    def landed(self, look: Look) -> None:
        """Forget what was kept for another try at writing what the look brought."""
        self._taught.pop(look.id, None)

    async def write(self, tx: Transaction, group: Sequence[tuple[Polled, LookOutcome | None]]) -> None:
        """Write a group of polls: the unchanged ones in one statement, each of the others thoroughly."""
        outcomes = [outcome for _, outcome in group if outcome is not None]
        thorough = [polled for polled, outcome in group if outcome is None]
        footings, written = await tx.footings([polled.look.id for polled in thorough]), set()
        for polled in thorough:
            look = polled.look
            if look.watch_id in written:  # by another of the order's sources
                footings |= await tx.footings([look.id])
            written.add(look.watch_id)
            outcomes.append(
                await self._record(tx, footings[look.id], not_ahead(polled, self._clock.now_ms()))
            )
        await tx.record_looks(outcomes, now=self._clock.now())

    def assess(self, polled: Polled) -> LookOutcome | None:
        """Return what an unchanged or failed look leaves behind, or None when the thorough way is needed."""
        look, result = polled.look, polled.result
        deadline_ms = look.deadline_ms
        is_due = deadline_ms is not None and deadline_ms <= polled.started_ms
        if isinstance(result, Failure):
            failed = None if is_due else self._after_failure(polled, result)
            return None if failed is None else failed_look(polled, failed, result.reason)
        parts = look.parts
        is_same = result.digest == look.digest and look.doubted_ms is None and parts is not None
        if not is_same or is_due or look.reader != polled.reader:
            return None
        self._cadence.learn_nothing_changed(look, polled.started_ms)
        return self._after_good(polled, parts or (), deadline_ms)

    def _after_good(
        self, polled: Polled, parts: Sequence[Part], deadline_ms: int | None, changed_ms: int | None = None
    ) -> LookOutcome:
        """Return what a good look leaves behind; without `changed_ms` the order changed when it had before."""
        look, started_ms = polled.look, polled.started_ms
        is_answer = (asked_ms := look.asked_ms) is not None and asked_ms <= started_ms
        if is_answer and (changed_ms or look.last_changed_ms) < started_ms:
            return good_look(polled, AFTER_ASKED)
        plan, pace = self._cadence.plan(
            look.account, parts, now_ms=polled.finished_ms, deadline_ms=deadline_ms
        )
        return good_look(polled, plan, pace)

    def put_off(self, polled: Polled) -> LookOutcome:
        """Return what a look leaves behind whose answer could not be written."""
        plan = after_error(
            polled.look.failures + 1, retry_after_s=None, roll=self._clock.roll(), policy=self._policy
        )
        return failed_look(structs.replace(polled, finished_ms=self._clock.now_ms()), plan, "not_recorded")

    def _after_failure(self, polled: Polled, failure: Failure) -> Plan | None:
        look = polled.look
        if failure.reason is FailureReason.NOT_FOUND and look.reader is None:
            return after_not_found(
                registered_at=look.registered_at, now=polled.finished_at, roll=self._clock.roll()
            )
        return after_error(
            look.failures + 1,
            retry_after_s=failure.retry_after_s,
            roll=self._clock.roll(),
            policy=self._policy,
        )

    async def _record(self, tx: Transaction, footing: Footing, polled: Polled) -> LookOutcome:
        if footing.watch.state is not WatchState.ACTIVE:
            # Paused or removed while we asked: what we saw is looked at anew when it is watched again.
            unseen = good_look(polled, SECOND_LOOK)
            return structs.replace(
                unseen, last_polled_ms=polled.look.last_polled_ms, doubted_ms=polled.look.doubted_ms
            )
        if isinstance(polled.result, Failure):
            return await self._fail(tx, footing, polled, polled.result)
        return await self._observe(tx, footing, polled, polled.result)

    async def _fail(self, tx: Transaction, footing: Footing, polled: Polled, failure: Failure) -> LookOutcome:
        """Judge what no good answer came to judge: `until`, and the grace of an order that is not known."""
        watch, stored = footing.watch, footing.state
        until_at, is_leader = stored.deadlines.until_at, polled.look.source is watch.leader
        if is_leader and until_at is not None and until_at <= polled.started_at:
            state = end_of(footing.snapshots.get(polled.look.source))
            if await self._end(tx, watch, polled, state):
                await tx.save_look_state(replace(stored, deadlines=Deadlines()))
            return failed_look(polled, SECOND_LOOK, failure.reason)
        plan = self._after_failure(polled, failure)
        if plan is not None:
            return failed_look(polled, plan, failure.reason)
        beside = _beside(footing, polled.look.source)
        if not is_leader or any(outlasts(each, polled.started_at, self._policy) for each in beside):
            # It may come yet: asked for as rarely as for an order without news, for as long as the watch lives.
            since_s = polled.look.registered_at.timestamp()
            plan, _ = self._cadence.plan(
                watch.account,
                (unseen(watch.account, polled.look.source, since_s),),
                now_ms=polled.finished_ms,
                deadline_ms=to_ms(until_at) if is_leader and until_at is not None else None,
            )
            return failed_look(polled, plan, failure.reason)
        await self._end(tx, watch, polled, WatchState.NOT_FOUND)
        return failed_look(polled, SECOND_LOOK, failure.reason)

    async def _end(self, tx: Transaction, watch: Watch, polled: Polled, state: WatchState) -> bool:
        """End the watch and tell so, unless somebody asked meanwhile; return whether it ended."""
        if not await tx.end_watch(watch.id, state, unless_asked_after=polled.started_at):
            return False
        fact = Fact(
            type=f"watch.{state}", subject=Subject.WATCH, subject_id=None, field="state", current=state
        )
        sighting = self._sighting(watch, polled, version=watch.version, phase=watch.phase or Phase.UNKNOWN)
        told = (await tx.snapshot_at(watch.id)).snapshot if watch.version else None
        await self._tell(
            tx, watch, told, numbered([await self._judged(tx, fact, sighting)]), polled.finished_at
        )
        return True

    async def _observe(
        self, tx: Transaction, footing: Footing, polled: Polled, answer: Answer
    ) -> LookOutcome:
        look, watch, stored = polled.look, footing.watch, footing.state
        is_leader = look.source is watch.leader
        # Another answer than the one that was doubted confirms nothing: it is a doubt of its own.
        doubted_ms = look.doubted_ms if answer.digest == stored.digest else None
        known = Known(
            snapshot=footing.snapshots.get(look.source),
            deadlines=stored.deadlines if is_leader else Deadlines(),
            expect=watch.expect,
            is_silent=watch.initial is Initial.SILENT,
            doubted=is_confirmed(doubted_ms, polled.started_ms),
            beside=_beside(footing, look.source),
        )
        digest: bytes | None = answer.digest
        is_news = True
        seen = observe(known, answer.snapshot(), now=polled.finished_at, policy=self._policy)
        if isinstance(seen, Stale):
            # It tells nothing, so what is known stands, and is judged when its deadlines pass.
            seen = unchanged(known, seen.known, now=polled.finished_at, policy=self._policy)
            digest = None if look.doubted_ms else stored.digest
            is_news = False
        match seen:
            case Doubtful():
                await tx.save_look_state(replace(stored, digest=answer.digest))
                outcome = good_look(polled, SECOND_LOOK)
                return structs.replace(
                    outcome, doubted_ms=min(doubted_ms or polled.started_ms, polled.started_ms)
                )
            case Observation():
                seen = replace(
                    seen,
                    snapshot=replace(seen.snapshot, observed_at=polled.finished_at, beside=known.beside),
                    deadlines=seen.deadlines if is_leader else Deadlines(),
                )
                if seen.is_new_version:
                    at, not_before = polled.finished_at, look.last_polled_at
                    await keep_outcomes(
                        tx, watch, known.snapshot, seen.snapshot, seen_at=at, not_before=not_before
                    )
                parts = self._parts(polled, seen.snapshot, is_news=is_news)
                return await self._keep(
                    tx,
                    watch,
                    polled,
                    stored=stored,
                    seen=seen,
                    digest=digest,
                    parts=parts,
                )

    def _parts(self, polled: Polled, snapshot: Snapshot, *, is_news: bool) -> tuple[Part, ...]:
        """Return what there is to wait for, having learned from what became of what we waited for."""
        look = polled.look
        if not is_news and look.parts is not None:
            return look.parts
        parts = parts_of(snapshot, account=look.account, seen_at=polled.started_at)
        if not is_news:
            return parts
        taught = self._taught.get(look.id)
        if taught is None or taught[0] is not look:
            taught = self._taught[look.id] = look, self._cadence.learn(look, parts, polled.started_ms)
        return taught[1]

    async def _keep(
        self,
        tx: Transaction,
        watch: Watch,
        polled: Polled,
        *,
        stored: LookState,
        seen: Observation,
        digest: bytes | None,
        parts: tuple[Part, ...],
    ) -> LookOutcome:
        look, order, phase = polled.look, seen.snapshot.order, standing(seen.snapshot)
        version = watch.version
        if seen.is_new_version:
            version = await tx.add_snapshot(
                watch, seen.snapshot, observed_at=polled.finished_at, not_before=look.last_polled_at
            )
            self._metrics.snapshots_total.labels(look.source).inc()
        judgement = Judgement(facts=(), deadlines=seen.deadlines, state=WatchState.ACTIVE)
        if not seen.is_initial:  # A first look tells the present only; deadlines are judged by the next.
            judgement = judge(
                seen.snapshot, seen.deadlines, watch.expect, looked_at=polled.started_at, policy=self._policy
            )
        if judgement.state is not WatchState.ACTIVE and not await tx.end_watch(
            watch.id, judgement.state, unless_asked_after=polled.started_at
        ):
            # Somebody asked meanwhile: the watch lives on, and this is judged by the look that is owed.
            judgement = Judgement(facts=(), deadlines=seen.deadlines, state=WatchState.ACTIVE)
        told = seen.snapshot
        if judgement.facts and not seen.is_new_version:
            told = (await tx.snapshot_at(watch.id)).snapshot
        stuck_at = seen.deadlines.stuck_at
        await keep_stuck(tx, watch, told, judgement.facts, stuck_at=stuck_at, seen_at=polled.finished_at)
        sighting = self._sighting(
            watch, polled, version=version, phase=order_phase(told), initial=seen.is_initial
        )
        events = list(events_of(seen.facts, sighting))
        not_initial = replace(sighting, initial=False)
        events += [await self._judged(tx, fact, not_initial) for fact in judgement.facts]
        await self._tell(tx, watch, told, numbered(events), polled.finished_at)
        last_changed_at = polled.finished_at if seen.is_new_version else stored.last_changed_at
        await tx.save_look_state(
            LookState(
                look_id=look.id,
                digest=digest,
                reader=seen.snapshot.reader,
                phase=phase,
                status=order.status if order else None,
                deadlines=judgement.deadlines,
                last_changed_at=last_changed_at,
                parts=parts,
            )
        )
        deadline_at = judgement.deadlines.soonest
        deadline_ms = None if deadline_at is None else to_ms(deadline_at)
        return self._after_good(polled, parts, deadline_ms, to_ms(last_changed_at))

    async def _judged(self, tx: Transaction, fact: Fact, sighting: Sighting) -> Event:
        """Make an event of no snapshot, with its subject's own counter (6.3)."""
        subject_id = f"{sighting.order_key}/{fact.subject_id or ''}"
        n = await tx.raise_counter(sighting.account, fact.subject, subject_id)
        return event_of(fact, sighting, counted_event_id(sighting.account, sighting.order_key, fact, n))

    def _sighting(
        self, watch: Watch, polled: Polled, *, version: int, phase: Phase, initial: bool = False
    ) -> Sighting:
        return Sighting(
            account=watch.account,
            livemode=self._telling.livemode(watch.account),
            order_id=watch.order_id,
            order_key=order_key(watch.order_id),
            order_version=version,
            source=polled.look.source,
            phase=phase,
            observed_at=polled.finished_at,
            not_before=polled.look.last_polled_at,
            initial=initial,
        )

    async def _tell(
        self,
        tx: Transaction,
        watch: Watch,
        snapshot: Snapshot | None,
        events: Sequence[Event],
        now: datetime,
    ) -> None:
        if not events:
            return
        how = self._telling
        await tell(
            tx,
            events,
            watch=watch,
            snapshot=snapshot,
            now=now,
            expires_after_s=how.expires_after_s,
            lanes=how.lanes,
            new_id=how.new_id,
        )
        for event in events:
            self._metrics.events_total.labels(event.type).inc()


def _beside(footing: Footing, source: Source) -> tuple[Snapshot, ...]:
    """Return what the order's other sources said last."""
    others = sorted(footing.watch.sources - {source})
    return tuple(replace(footing.snapshots[each], beside=()) for each in others if each in footing.snapshots)
