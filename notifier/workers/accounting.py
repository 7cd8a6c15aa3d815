"""The books of one account: a ledger for each of its alerts, made from stored outcomes and kept up with new ones."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from notifier.clock import Clock
from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.alert.counts import MINUTES_KEPT, minute_of, start_of
from notifier.domain.alert.docket import held_of
from notifier.domain.alert.finding import Judged
from notifier.domain.alert.ledger import HOUR, Ledger, SeenOutcome
from notifier.domain.alert.report import Place
from notifier.storage.alerting import Learned
from notifier.storage.contract import Storage, Transaction

STATE_SCHEMA = 1
"""Of what a detector has learned; a state of another number is learned anew."""
LEARNED_FROM = 24 * HOUR
"""Minutes of the past that a new alert learns from, where that many are kept."""
_MOST_ANEW = 200_000
_PAGE = 1000
_STRIDE = 30
"""Minutes that are stepped over at once where nothing is told; none is longer than a detector remembers."""


@dataclass(slots=True)
class Book:
    """One alert with what it has counted; judged up to and including a minute."""

    alert: Alert
    ledger: Ledger
    judged: int
    counts_after: int = 0
    """Number of the outcome after which it counts; what was seen before is too old for it."""

    def step(self, minute: int, held: Collection[Place], *, is_blind: bool = False) -> Judged:
        """Judge the next minute; what people accepted for normal by then is normal.

        Blind is a minute of which we may not have seen all that ended in it.
        """
        for place in self.alert.accepted_with(minute):
            self.ledger.detector.accept(place)
        if is_blind:
            self.ledger.detector.be_blind(minute)
        verdict = self.ledger.step(minute, held)
        self.judged = minute
        return verdict

    def learned(self) -> Learned:
        """Return what is to be kept of it."""
        return Learned(
            judged_through=start_of(self.judged + 1),
            schema=STATE_SCHEMA,
            state=msgspec.json.encode(self.ledger.detector.document()),
        )


class Books:
    """Every active alert of an account. After a transaction that failed they are worthless: make new ones."""

    def __init__(self, account: str, storage: Storage, clock: Clock) -> None:
        self._account = account
        self._storage = storage
        self._clock = clock
        self._books: dict[AlertId, Book] = {}
        self._read_through = 0

    async def follow(self, alerts: Sequence[Alert], *, through: int) -> list[Book]:
        """Have a book of each of these alerts and of no other, with all that was seen by now.

        A new alert learns silently from the past, and judges from the minute after `through` on. Returns: the books
        that were opened now, to be written down before their next minute.
        """
        opened = []
        present = minute_of(self._clock.now())
        self._books = {
            each.id: book
            for each in alerts
            if (book := self._books.get(each.id)) is not None
            and book.ledger.rule == each.rule
            and book.judged <= present  # A clock that was set back would leave it waiting for that long.
        }
        await self._read()
        for alert in alerts:
            if alert.id in self._books:
                self._books[alert.id].alert = alert
            else:
                opened.append(await self._open(alert, through))
                self._books[alert.id] = opened[-1]
        return opened

    def next_minute(self, through: int) -> int | None:
        """Return the first minute up to `through` that some alert has not judged."""
        judged = [book.judged for book in self._books.values() if book.judged < through]
        return min(judged) + 1 if judged else None

    def behind(self, minute: int) -> Iterable[Book]:
        """Return the books whose next minute this is."""
        return [book for book in self._books.values() if book.judged == minute - 1]

    @property
    def judged(self) -> int:
        """The last minute that every alert has judged; there must be an alert."""
        return min(book.judged for book in self._books.values())

    async def _open(self, alert: Alert, through: int) -> Book:
        async with self._storage.reading() as tx:
            learned = await tx.alert_learned(alert.id)
            if learned.judged_through is not None and learned.schema == STATE_SCHEMA and learned.state:
                return await self._reopened(tx, alert, learned.judged_through, learned.state)
            book = Book(alert, Ledger(alert.rule), through)
            first = await self._count_past(tx, book, since=through - LEARNED_FROM)
        for minute in range(first, through, _STRIDE):
            book.ledger.step(minute, ())
            await self._clock.sleep(0)
        book.ledger.step(through, ())
        return book

    async def _reopened(self, tx: Transaction, alert: Alert, judged_through: datetime, state: bytes) -> Book:
        judged = min(minute_of(judged_through), minute_of(self._clock.now())) - 1
        book = Book(alert, Ledger(alert.rule, msgspec.json.decode(state)), judged)
        await self._count_past(tx, book, since=judged - MINUTES_KEPT)
        living = await tx.living_incidents(self._account, ended_after=judged_through)
        book.ledger.step(judged, held_of(alert, living, judged_through))
        return book

    async def _count_past(self, tx: Transaction, book: Book, *, since: int) -> int:
        """Count what was seen since a minute, at most the last few hundred thousand; return the first minute of it."""
        after = max(
            await tx.last_outcome(self._account, before=start_of(since)), self._read_through - _MOST_ANEW
        )
        book.counts_after = after
        first: int | None = None
        while page := await tx.outcomes(self._account, after=after, limit=_PAGE):
            page = [each for each in page if each.seq <= self._read_through]
            if not page:
                break
            first = minute_of(page[0].observed_at) if first is None else first
            await self._recount(tx, page, [book], after=after)
            after = page[-1].seq
        return book.judged if first is None else max(first, since)

    async def _read(self) -> None:
        """Take in what was seen since the last time; for a start there is nothing to take in yet."""
        async with self._storage.reading() as tx:
            if not self._books:
                self._read_through = await tx.last_outcome(self._account)
                return
            while page := await tx.outcomes(self._account, after=self._read_through, limit=_PAGE):
                await self._recount(tx, page, self._books.values(), after=self._read_through)
                self._read_through = page[-1].seq

    async def _recount(
        self, tx: Transaction, page: Sequence[SeenOutcome], books: Collection[Book], *, after: int
    ) -> None:
        repeated = await tx.repeated(self._account, {each.outcome.order_key for each in page})
        histories = await tx.histories(self._account, repeated, through=page[-1].seq)
        lone = [[each] for each in page if each.outcome.order_key not in repeated]
        for history in [*histories.values(), *lone]:
            for book in books:
                counting = [each for each in history if each.seq > book.counts_after]
                book.ledger.recount([each for each in counting if each.seq <= after], counting)
