"""The whole line in one call: what a good answer means for an order that we watch.

`observe` is pure: from what was known and what the source said it decides the snapshot to keep, the facts to tell
and the deadlines to judge. Storage makes it true in one transaction.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from notifier.domain.change import Change, adopt, diff
from notifier.domain.deadline import (
    Deadlines,
    deadlines_after_change,
    next_overdue_at,
    overdue_instant,
    without,
)
from notifier.domain.event import Expectation, Fact, facts_of, present_facts
from notifier.domain.order import Phase, Source, WatchState
from notifier.domain.polling import PollingPolicy
from notifier.domain.snapshot import Mandate, Offer, Refund, Row, Snapshot, Subject, merge
from notifier.domain.standing import standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is stored of one order at one source when an answer comes in."""

    snapshot: Snapshot | None
    deadlines: Deadlines
    expect: Expectation | None
    is_silent: bool
    """Whether a first snapshot tells nothing (`initial: "silent"`)."""
    doubted: bool = False
    """Whether this very step back was seen before, long enough ago to believe it."""
    beside: tuple[Snapshot, ...] = ()
    """What the order's other sources said last."""


@dataclass(frozen=True, slots=True)
class Stale:
    """The answer is older than what we know; it is dropped, and what is known stands."""

    known: Snapshot


@dataclass(frozen=True, slots=True)
class Doubtful:
    """The answer steps back without evidence; it needs a second look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A believed answer. `is_new_version` is False when nothing declared differs from the last snapshot."""

    snapshot: Snapshot
    is_new_version: bool
    is_initial: bool
    facts: tuple[Fact, ...]
    deadlines: Deadlines


def observe(
    known: Known, answer: Snapshot, *, now: datetime, policy: PollingPolicy
) -> Observation | Stale | Doubtful:
    """Judge an answer against what is known.

    Returns: Stale or Doubtful by interface 6.6, else the observation; its facts are in the order of 6.4.
    """
    before = known.snapshot
    if before is not None and _is_stale(before, answer):
        return Stale(before)
    if before is not None and not known.doubted and _steps_back(before, answer):
        return Doubtful()
    after = merge(before, answer)
    if before is not None and not diff(before, after):
        return unchanged(known, replace(after, reader=answer.reader), now=now, policy=policy)
    seen = before if before is None else adopt(before, after)
    facts = _facts(known, seen, after)
    deadlines = deadlines_after_change(
        seen, after, known.deadlines, now=now, mismatched=_owes_mismatch(known, after, facts), policy=policy
    )
    return Observation(
        snapshot=after,
        is_new_version=True,
        is_initial=before is None and _told_by_the_order(known, after) is None,
        facts=facts,
        deadlines=deadlines,
    )


def unchanged(known: Known, snapshot: Snapshot, *, now: datetime, policy: PollingPolicy) -> Observation:
    """Return the observation of what is known already: no version, no facts, deadlines that still stand."""
    return Observation(
        snapshot=snapshot,
        is_new_version=False,
        is_initial=False,
        facts=(),
        deadlines=_still_bounded(known.deadlines, snapshot, now, policy),
    )


def _still_bounded(
    deadlines: Deadlines, snapshot: Snapshot, now: datetime, policy: PollingPolicy
) -> Deadlines:
    """Give a watch that rose again after its end another end; it judged its other deadlines then."""
    if deadlines.settle_at is not None:
        return deadlines
    is_mismatched = deadlines.mismatch_at is not None
    return deadlines_after_change(
        snapshot, snapshot, deadlines, now=now, mismatched=is_mismatched, policy=policy
    )


def _facts(known: Known, before: Snapshot | None, after: Snapshot) -> tuple[Fact, ...]:
    if before is None and (block := _told_by_the_order(known, after)) is not None:
        # The call goes on where the order's block was: a revoke in between is neither a first sight nor silent.
        change = Change(subject=Subject.MANDATE, subject_id=block.id, before=block, after=after.mandate)
        return facts_of((change,), after, None)
    if before is None:
        facts = () if known.is_silent else present_facts(after)
    else:
        facts = facts_of(diff(before, after), after, known.expect)
    return tuple(fact for fact in facts if not _is_told_by_another(fact, known, after))


def _told_by_the_order(known: Known, after: Snapshot) -> Mandate | None:
    """Return the mandate of the call's first answer as the order's own block last had it."""
    if after.source is not Source.MANDATE or after.mandate is None:
        return None
    blocks = (each.mandate for each in known.beside if each.source is Source.ORDER)
    return next((block for block in blocks if block is not None and block.id == after.mandate.id), None)


def _is_told_by_another(fact: Fact, known: Known, after: Snapshot) -> bool:
    """Keep a mandate one subject, whoever speaks of it: the dedicated call wins once it was seen (6.2)."""
    if fact.subject is not Subject.MANDATE or after.source is not Source.ORDER:
        return False
    return any(each.mandate and each.mandate.id == fact.subject_id for each in known.beside)


def _owes_mismatch(known: Known, after: Snapshot, facts: tuple[Fact, ...]) -> bool:
    """Return whether a mismatch stands that nobody was told of; the look after this one judges it.

    A first look tells the present alone, and an upgrade nothing, so neither tells it; nor does a change meanwhile.
    """
    if known.expect is None or known.expect.mismatch(after.order) is None:
        return False
    was_told = known.snapshot is not None and known.expect.mismatch(known.snapshot.order) is not None
    is_owed = not was_told or known.deadlines.mismatch_at is not None
    return is_owed and not any(fact.type == "order.amount_mismatch" for fact in facts)


def _is_stale(before: Snapshot, answer: Snapshot) -> bool:
    """Return whether the answer is older by its date, or without a later one by its attempt."""
    was_at, is_at = before.last_updated, answer.last_updated
    if was_at is None or is_at is None or is_at == was_at:
        return _is_earlier_attempt(before, answer)
    return is_at < was_at


def _is_earlier_attempt(before: Snapshot, answer: Snapshot) -> bool:
    old, new = (each.order.attempt if each.order else None for each in (before, answer))
    return old is not None and new is not None and new < old


# Which words come before which: seen after one of the latter, the former is a step back.
_REFUNDED = frozenset({"PARTIALLY_REFUNDED", "REFUNDED"})
_ENDED = frozenset({"REVOKED", "EXPIRED"})
_EARLIER: dict[type[Row], dict[str, frozenset[str]]] = {
    Refund: {"PENDING": frozenset({"SUCCESS"})},
    Offer: {
        "INITIATED": _REFUNDED | {"AVAILED"},
        "AVAILED": _REFUNDED,
        "PARTIALLY_REFUNDED": frozenset({"REFUNDED"}),
    },
    Mandate: {"CREATED": _ENDED | {"ACTIVE", "PAUSED"}, "ACTIVE": _ENDED, "PAUSED": _ENDED},
}
_EARLIER_PHASES = {
    Phase.SUCCEEDED: frozenset({Phase.OPEN}),
    Phase.REFUNDED: frozenset({Phase.OPEN, Phase.FAILED, Phase.SUCCEEDED}),
}


def _steps_back(before: Snapshot, answer: Snapshot) -> bool:
    if _is_earlier_attempt(before, answer):
        return True
    old, new = before.order, answer.order
    if old and new and new.phase in _EARLIER_PHASES.get(old.phase, ()):
        is_retry = (new.attempt or 0) > (old.attempt or 0) > 0
        if not is_retry:
            return True
    words = {(subject, row.id): row.status for subject, row in before.rows()}
    return any(
        words.get((subject, row.id)) in _EARLIER.get(type(row), {}).get(row.status or "", ())
        for subject, row in answer.rows()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What deadlines say after a look that came later than they: facts, and the watch's state from then on."""

    facts: tuple[Fact, ...]
    deadlines: Deadlines
    state: WatchState


def judge(
    snapshot: Snapshot,
    deadlines: Deadlines,
    expect: Expectation | None,
    *,
    looked_at: datetime,
    policy: PollingPolicy,
) -> Judgement:
    """Tell each deadline that passed before the look `looked_at`, once (6.16)."""
    facts: list[Fact] = []
    state = WatchState.ACTIVE
    order = snapshot.order
    if _passed(deadlines.stuck_at, looked_at):
        deadlines = without(deadlines, "stuck_at")
        if order and order.phase is Phase.OPEN:
            facts.append(_of_order("order.stuck", "status", None, order.status))
    if _passed(deadlines.mismatch_at, looked_at):
        deadlines = without(deadlines, "mismatch_at")
        mismatch = expect and expect.mismatch(order)
        if mismatch:
            facts.append(_of_order("order.amount_mismatch", *mismatch))
    if _passed(deadlines.overdue_at, looked_at):
        facts += _overdue(snapshot, deadlines.overdue_at, looked_at, policy)
        deadlines = replace(deadlines, overdue_at=next_overdue_at(snapshot, looked_at, policy))
    if _passed(deadlines.settle_at, looked_at):
        again_at = _lives_until(snapshot, looked_at, policy)
        deadlines = replace(deadlines, settle_at=again_at or deadlines.settle_at)
    if _passed(deadlines.until_at, looked_at) or _passed(deadlines.settle_at, looked_at):
        state = end_of(snapshot)
        facts.append(
            Fact(type=f"watch.{state}", subject=Subject.WATCH, subject_id=None, field="state", current=state)
        )
        deadlines = Deadlines()
    return Judgement(facts=tuple(facts), deadlines=deadlines, state=state)


def end_of(snapshot: Snapshot | None) -> WatchState:
    """Return how a watch ends whose leading source had last said this, or nothing."""
    phase = Phase.UNKNOWN if snapshot is None else standing(snapshot)
    return WatchState.ABANDONED if phase in {Phase.OPEN, Phase.UNKNOWN} else WatchState.SETTLED


def _lives_until(snapshot: Snapshot, looked_at: datetime, policy: PollingPolicy) -> datetime | None:
    """Return when to judge the end again while something asked for beside it still lives, else None.

    A mandate may be revoked on any day; a loan application that is open is given up long after its last change.
    """
    longest = timedelta(seconds=policy.settle_charged_after_s)
    if _has_live_mandate(snapshot, looked_at):
        return looked_at + longest
    loan = snapshot.of(Source.HYPERCREDIT)
    if loan is None or loan is snapshot or loan.observed_at is None or standing(loan) is not Phase.OPEN:
        return None
    return loan.observed_at + longest if looked_at < loan.observed_at + longest else None


def outlasts(other: Snapshot, looked_at: datetime, policy: PollingPolicy) -> bool:
    """Whether what another source said keeps a watch whose leading source knows no order."""
    if _has_live_mandate(Snapshot(source=Source.ORDER, reader=other.reader, beside=(other,)), looked_at):
        return True
    longest = timedelta(seconds=policy.settle_charged_after_s)
    return other.observed_at is not None and looked_at < other.observed_at + longest


def _has_live_mandate(snapshot: Snapshot, looked_at: datetime) -> bool:
    """Whether a mandate asked for beside the order may still be revoked, long after the order is done."""
    asked = snapshot.of(Source.MANDATE)
    if asked is None or asked is snapshot or standing(asked) is not Phase.SUCCEEDED:
        return False
    end = asked.mandate.end_date if asked.mandate else None
    return end is None or looked_at < end


def _passed(at: datetime | None, looked_at: datetime) -> bool:
    return at is not None and at <= looked_at


def _of_order(kind: str, field: str, previous: str | None, current: str | None) -> Fact:
    return Fact(
        type=kind, subject=Subject.ORDER, subject_id=None, field=field, previous=previous, current=current
    )


def _overdue(
    snapshot: Snapshot, since: datetime | None, looked_at: datetime, policy: PollingPolicy
) -> list[Fact]:
    late = []
    for refund in snapshot.refunds:
        at = overdue_instant(snapshot, refund.id, policy)
        if at is not None and since is not None and since <= at <= looked_at:
            late.append(
                Fact(
                    type="refund.overdue",
                    subject=Subject.REFUND,
                    subject_id=refund.id,
                    field="status",
                    previous=refund.status,
                    current=refund.status,
                )
            )
    return late
