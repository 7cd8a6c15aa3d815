"""Backtests: an alert judges again what is kept of the last days, and tells nobody."""

import asyncio
from dataclasses import dataclass, field

from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.alert.backtest import LEARNING, Backtest
from notifier.domain.alert.counts import MINUTES_KEPT, minute_of, start_of
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.ledger import SeenOutcome
from notifier.storage.contract import Storage
from notifier.web.alert_documents import backtest_document
from notifier.web.alert_shapes import Backtest as Wish
from notifier.web.routing import Answer, Call

_PAGE = 2000
_MOST_JUDGED = 500_000
_MOST_INCIDENTS = 1000
_MINUTES_A_DAY = 1440
_POINTS = 120
"""Of the course, about so many: a month in six hours each, a day in a quarter of one."""
_SHORTEST = 15


async def backtest(call: Call) -> Answer:
    """Judge again what is kept of the last days, and tell nobody."""
    body: Wish = call.body
    storage = call.services.storage
    until = minute_of(call.services.clock.now()) - 1
    since = until + 1 - max(1, round(body.days * _MINUTES_A_DAY))
    async with storage.reading() as tx:
        alert = await tx.alert(call.account, AlertId(call.id))
        last = await tx.last_outcome(alert.account)
        first = await tx.last_outcome(alert.account, before=start_of(since - LEARNING))
        known = await tx.incidents_between(
            alert.account, start_of(since), start_of(until + 1), limit=_MOST_INCIDENTS
        )
    is_cut = last - first > _MOST_JUDGED
    test = _test_of(alert, known, since=since, until=until)
    replay = _Replay(storage, test, first=max(first, last - _MOST_JUDGED), until=until)
    await replay.run()
    since = min(max(since, replay.began), until)  # What was not judged says nothing of false pages.
    document = backtest_document(test, since=start_of(since), until=start_of(until + 1))
    return Answer(body=document | {"is_complete": not is_cut})


def _test_of(alert: Alert, known: list[Incident], *, since: int, until: int) -> Backtest:
    cared_for = [
        each for each in known if each.rule_id == alert.id and each.report.acknowledged_at is not None
    ]
    every = min(max((until + 1 - since) // _POINTS, _SHORTEST), MINUTES_KEPT)
    return Backtest(alert=alert, judges_from=since, taken_care_of=cared_for, course_every=every)


@dataclass(slots=True)
class _Replay:
    """Outcomes are read a page at a time, and the minutes judged that they complete."""

    storage: Storage
    test: Backtest
    first: int
    """Number of the outcome after which it counts."""
    until: int
    began: int = 0
    """The first minute of which something is kept."""
    _judged: int = field(init=False, default=0)

    async def run(self) -> None:
        after, self._judged = self.first, self.until
        while seen := await self._counted(after):
            if after == self.first:
                self._judged = min(minute_of(each.outcome.ended_at) for each in seen) - 1
                self.began = self._judged + 1
            after = seen[-1].seq
            is_last = len(seen) < _PAGE
            await self._judge(self.until if is_last else minute_of(seen[-1].observed_at) - 1)
            if is_last:
                return
        await self._judge(self.until)

    async def _counted(self, after: int) -> list[SeenOutcome]:
        """Count a page of outcomes."""
        account = self.test.alert.account
        async with self.storage.reading() as tx:
            seen = await tx.outcomes(account, after=after, limit=_PAGE)
            histories = await tx.histories(
                account, {each.outcome.order_key for each in seen}, through=seen[-1].seq if seen else 0
            )
        for history in histories.values():
            counting = [each for each in history if each.seq > self.first]
            self.test.ledger.recount([each for each in counting if each.seq <= after], counting)
        return seen

    async def _judge(self, reached: int) -> None:
        # Apart from the loop, which has looks to do meanwhile.
        await asyncio.to_thread(self.test.step, range(self._judged + 1, reached + 1))
        self._judged = max(self._judged, reached)
