"""The alerter: minute by minute, once every look that was due in a minute is done, it judges each alert.

What it judged and what it told are one transaction, so a kill in between neither opens anything twice nor loses an
end. What it has counted is in memory only: after a start, or a transaction that failed, it is counted anew.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from notifier.clock import Clock
from notifier.domain.alert.alert import Alert, AlertState
from notifier.domain.alert.counts import minute_of, start_of
from notifier.domain.alert.docket import held_of
from notifier.domain.alert.finding import Judged
from notifier.domain.alert.outcome import dimensions_of
from notifier.domain.alert.report import Place
from notifier.domain.alert.slices import is_within
from notifier.domain.instant import EPOCH, seconds
from notifier.domain.order import Source
from notifier.logs import get_logger
from notifier.metrics import Metrics
from notifier.storage.alarming import end_all
from notifier.storage.contract import Storage, Transaction
from notifier.storage.records import SourceState
from notifier.workers import casework
from notifier.workers.accounting import Book, Books
from notifier.workers.casework import Case
from notifier.workers.recording import Telling
from notifier.workers.schedule import Job

_EVERY_S = 30.0
_MOST_MINUTES = 240
_PRESENT_MINUTES = 5
"""What opens in an older minute than the last so many is told if it lasts until these."""
_BEHIND_S = 300.0
_ATTENTION_S = 600.0
_PAGE = 500

_MOST_ATTENDED = 500

log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerter:
    """Judges alerts. One a database: two would open everything twice."""

    storage: Storage
    clock: Clock
    metrics: Metrics
    telling: Telling
    accounts: Collection[str]
    _books: dict[str, Books] = field(default_factory=dict)
    _behind: set[str] = field(default_factory=set)

    def jobs(self) -> tuple[Job, ...]:
        """Return what recurs: twice a minute, so that a minute is judged soon after it is complete."""
        return (Job(name="alerts", every_s=_EVERY_S, run=self.judge, limit_s=300),)

    async def judge(self) -> None:
        """Judge every minute that is complete, of every account."""
        lag_s, still_open = 0.0, 0
        for account in self.accounts:
            lag_s = max(lag_s, await self._judge(account))
            async with self.storage.reading() as tx:
                still_open += await tx.open_incidents(account)
        await self._end_left_behind()
        self.metrics.alerts_lag_s.set(lag_s)
        self.metrics.incidents_open.set(still_open)

    async def _judge(self, account: str) -> float:
        """Judge the complete minutes of one account; return how long ago the last one ended, in seconds."""
        now = self.clock.now()
        async with self.storage.reading() as tx:
            due = await tx.next_look_at(account, after=EPOCH)
            alerts = await judged_alerts(tx, account)
        if not alerts:
            self._books.pop(account, None)
            await self._close(account)
            return 0.0
        lag_s = max(0.0, (now - due).total_seconds()) if due is not None else 0.0
        complete = minute_of(min(now, due or now)) - 1
        books = self._books.setdefault(account, Books(account, self.storage, self.clock))
        try:
            opened = await books.follow(alerts, through=complete)
            await self._write_down(opened)
            for _ in range(_MOST_MINUTES):
                minute = books.next_minute(complete)
                if minute is None:
                    break
                is_past = minute <= complete - _PRESENT_MINUTES
                if not await self._judge_minute(account, alerts, minute, lag_s=lag_s, is_past=is_past):
                    self._books.pop(account)
                    return lag_s
            await self._follow_lag(account, lag_s)
        except BaseException:
            self._books.pop(account, None)  # What was counted may be ahead of what is written.
            raise
        return (now - start_of(books.judged + 1)).total_seconds()

    async def _close(self, account: str) -> None:
        """End summaries of what was open when the last alert went."""
        async with self.storage.reading() as tx:
            if not await tx.open_incidents(account):
                return
        async with self.storage.writing() as tx:
            await casework.finish(await self._case(tx, account, at=self.clock.now(), lag_s=0.0), ())

    async def _end_left_behind(self) -> None:
        """End what is open in accounts that are configured no more: nobody judges it."""
        async with self.storage.reading() as tx:
            left = await tx.accounts_with_incidents() - set(self.accounts)
        for account in left:
            async with self.storage.writing() as tx:
                await end_all(tx, account, telling=self.telling, now=self.clock.now())

    async def _write_down(self, opened: Sequence[Book]) -> None:
        """Keep where new books begin, or a restart before their first minute would begin later."""
        if opened:
            async with self.storage.writing() as tx:
                for book in opened:
                    await tx.save_alert_learned(book.alert.id, book.learned())

    async def _judge_minute(
        self, account: str, alerts: Sequence[Alert], minute: int, *, lag_s: float, is_past: bool
    ) -> bool:
        """Judge a minute; return False, with nothing done, where somebody has changed an alert meanwhile."""
        async with self.storage.reading() as tx:
            at = start_of(minute + 1)
            living = await tx.living_incidents(account, ended_after=at)
            upstream = await tx.source_health(account, Source.ORDER)
        is_blind = is_past or upstream.state is not SourceState.OK
        verdicts = [
            (book, book.step(minute, held_of(book.alert, living, at), is_blind=is_blind))
            for book in self._books[account].behind(minute)
        ]
        async with self.storage.writing() as tx:
            if await judged_alerts(tx, account) != alerts:
                return False
            case = replace(await self._case(tx, account, at=at, lag_s=lag_s), is_past=is_past)
            for book, verdict in verdicts:
                await casework.judge(case, book, verdict)
                await tx.save_alert_learned(book.alert.id, book.learned())
            await casework.finish(case, alerts)
        for incident_id, reason, is_page in case.told:
            if is_page:
                self.metrics.pages_total.labels(reason).inc()
            log.info("incident.told", account=account, incident=incident_id, reason=reason)
        places = {place for _, verdict in verdicts for place in _suspects(verdict)}
        if places:
            await self._attend(account, places)
        return True

    async def _attend(self, account: str, places: Collection[Place]) -> None:
        """Have orders that are open at suspicious places looked at first: proof and all-clear come sooner."""
        async with self.storage.reading() as tx:
            flying = await tx.in_flight(account, limit=_MOST_ATTENDED)
        suspects = [
            key
            for key, snapshot in flying
            if any(is_within(dimensions_of(snapshot.order), place) for place in places)
        ]
        if suspects:
            now = self.clock.now()
            async with self.storage.writing() as tx:
                await tx.attend(account, suspects, until=now + seconds(_ATTENTION_S), now=now)

    async def _follow_lag(self, account: str, lag_s: float) -> None:
        """Say once that our own looking is too far behind to judge, and once that it is no more."""
        if lag_s > _BEHIND_S and account not in self._behind:
            async with self.storage.writing() as tx:
                await casework.say_stale(await self._case(tx, account, at=self.clock.now(), lag_s=lag_s))
            self._behind.add(account)
            log.warning("alerts.behind", account=account, lag_s=round(lag_s))
        elif lag_s <= _BEHIND_S and account in self._behind:
            self._behind.discard(account)
            log.info("alerts.caught_up", account=account)

    async def _case(self, tx: Transaction, account: str, *, at: datetime, lag_s: float) -> Case:
        now = self.clock.now()
        return await casework.begin(tx, account, at=at, now=now, lag_s=lag_s, telling=self.telling)


def _suspects(verdict: Judged) -> list[Place]:
    """Return where to look first: at the causes, else at the narrowest places that look suspicious."""
    if verdict.causes:
        return [cause.place for cause in verdict.causes]
    found = verdict.attention
    return [place for place in found if not any(is_within(each, place) for each in found if each != place)]


async def judged_alerts(tx: Transaction, account: str) -> list[Alert]:
    """Return every alert of an account that is active."""
    return [each for each in await all_alerts(tx, account) if each.state is AlertState.ACTIVE]


async def all_alerts(tx: Transaction, account: str) -> list[Alert]:
    """Return every alert of an account."""
    found: list[Alert] = []
    while page := await tx.alerts(account, after=found[-1].id if found else "", limit=_PAGE):
        found += page
    return found
