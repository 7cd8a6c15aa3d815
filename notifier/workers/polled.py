"""One request and what came of it, as the look that was due leaves it behind."""

from datetime import datetime

from msgspec import Struct, structs

from notifier.domain.cadence.plan import Plan
from notifier.domain.instant import from_ms, whole_ms
from notifier.domain.snapshot import Reader
from notifier.source.contract import Answer, Failure
from notifier.storage.looking import Look, LookOutcome


class Polled(Struct, frozen=True, kw_only=True, gc=False):
    """One request and what came of it; its instants are milliseconds until asked for, as those of its look."""

    look: Look
    started_ms: int
    finished_ms: int
    result: Answer | Failure
    reader: Reader

    @property
    def started_at(self) -> datetime:
        return from_ms(self.started_ms)

    @property
    def finished_at(self) -> datetime:
        return from_ms(self.finished_ms)


def not_ahead(polled: Polled, now_ms: int) -> Polled:
    """Return the poll as it is by a clock that was set back since, so that what it tells is due now and not then."""
    if polled.started_ms <= now_ms and polled.finished_ms <= now_ms:
        return polled
    return structs.replace(
        polled, started_ms=min(polled.started_ms, now_ms), finished_ms=min(polled.finished_ms, now_ms)
    )


def good_look(polled: Polled, plan: Plan, pace: int | None = None) -> LookOutcome:
    """Return what a look with a good answer leaves behind."""
    return LookOutcome(
        look_id=polled.look.id,
        started_ms=polled.started_ms,
        next_poll_ms=polled.finished_ms + whole_ms(plan.in_s),
        why=plan.why,
        last_polled_ms=polled.started_ms,
        asked_ms=polled.look.asked_ms,
        pace=pace,
    )


def failed_look(polled: Polled, plan: Plan, error: str) -> LookOutcome:
    """Return what a look without a good answer leaves behind: what was known stands."""
    look = polled.look
    return LookOutcome(
        look_id=look.id,
        started_ms=polled.started_ms,
        next_poll_ms=polled.finished_ms + whole_ms(plan.in_s),
        why=plan.why,
        last_polled_ms=look.last_polled_ms,
        asked_ms=look.asked_ms,
        failures=look.failures + 1,
        error=error,
        doubted_ms=look.doubted_ms,
    )
