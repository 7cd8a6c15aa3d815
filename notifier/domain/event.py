"""Facts worth telling: the events that changes make, with ids that survive any crash (interface 6.3 to 6.5)."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NewType

from notifier.domain.alert.report import IncidentReport
from notifier.domain.change import Change
from notifier.domain.money import Money
from notifier.domain.order import OrderId, OrderKey, Phase, Source, slug
from notifier.domain.snapshot import (
    Chargeback,
    Loan,
    Mandate,
    Offer,
    Order,
    Refund,
    Row,
    Snapshot,
    Subject,
    Txn,
    is_other_attempt,
)
from notifier.domain.standing import loan_slug

EventId = NewType("EventId", str)

DERIVED_SLUGS = {
    Subject.ORDER: frozenset({"retried", "late_success", "amount_mismatch", "refunded", "stuck"}),
    Subject.REFUND: frozenset({"created", "sent", "arn_available", "overdue"}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What the merchant said the order is worth; compared member by member, unknown is no mismatch (6.17)."""

    amount: Money | None = None
    effective_amount: Money | None = None

    def mismatch(self, order: Order | None) -> tuple[str, str, str] | None:
        """Return (member, expected, seen) of the first member that differs, or None."""
        if order is None:
            return None
        for name in ("amount", "effective_amount"):
            expected: Money | None = getattr(self, name)
            seen: Money | None = getattr(order, name)
            if expected is None or seen is None or expected == seen:
                continue
            if expected.currency != seen.currency:
                return "currency", expected.currency, seen.currency
            return name, str(expected), str(seen)
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """How a subscription stands: the last number it gave, and what it is still owed.

    `owed` are the lowest numbers of deliveries that have not ended, `owed_count` how many such numbers there are in
    all, `unnumbered` how many deliveries wait for their first attempt and so have none yet.
    """

    last_sequence: int
    owed: tuple[int, ...]
    owed_count: int
    unnumbered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One fact, immutable. `observed_at` is when we saw it, `not_before` the last look that did not show it."""

    id: EventId
    type: str
    account: str
    livemode: bool
    subject: Subject
    subject_id: str | None
    observed_at: datetime
    order_id: OrderId | None = None
    order_key: OrderKey | None = None
    order_version: int = 0
    position: int = 1
    positions: int = 1
    source: Source | None = None
    field: str | None = None
    previous: str | None = None
    current: str | None = None
    phase: Phase | None = None
    not_before: datetime | None = None
    initial: bool = False
    backlog: Backlog | None = None
    """Of a heartbeat."""
    incident: IncidentReport | None = None
    """Of an incident."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What an event says before it has an id: its type, of whom, and what went from where to where."""

    type: str
    subject: Subject
    subject_id: str | None
    field: str | None = None
    previous: str | None = None
    current: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """The look that events come from; shared by all events of one version."""

    account: str
    livemode: bool
    order_id: OrderId
    order_key: OrderKey
    order_version: int
    source: Source
    phase: Phase
    observed_at: datetime
    not_before: datetime | None
    initial: bool


def snapshot_event_id(sighting: Sighting, fact: Fact) -> EventId:
    """Return the id of an event of a snapshot: no content in it, so A, then B, then A are three events."""
    return _hash(
        sighting.account, sighting.order_key, sighting.order_version, fact.type, fact.subject, fact.subject_id
    )


def counted_event_id(account: str, order_key: str | None, fact: Fact, n: int) -> EventId:
    """Return the id of an event of no snapshot, by its subject's own counter.

    The order's key stands in the hash too: `order.stuck` has no subject id, and two orders must not share one.
    """
    return _hash(account, order_key, fact.subject, fact.subject_id, fact.type, n)


def _hash(*parts: str | int | None) -> EventId:
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=True)
    return EventId("evt_" + hashlib.sha256(text.encode()).hexdigest()[:32])


def events_of(facts: Sequence[Fact], sighting: Sighting) -> tuple[Event, ...]:
    """Turn the facts of one version into events, numbered in their order."""
    return numbered([event_of(fact, sighting, snapshot_event_id(sighting, fact)) for fact in facts])


def numbered(events: Sequence[Event]) -> tuple[Event, ...]:
    """Give events of one transaction their `position` of `positions`."""
    return tuple(replace(event, position=i, positions=len(events)) for i, event in enumerate(events, 1))


def event_of(fact: Fact, sighting: Sighting, event_id: EventId) -> Event:
    """Return the event that tells the fact."""
    return Event(
        id=event_id,
        type=fact.type,
        account=sighting.account,
        livemode=sighting.livemode,
        subject=fact.subject,
        subject_id=fact.subject_id,
        observed_at=sighting.observed_at,
        order_id=sighting.order_id,
        order_key=sighting.order_key,
        order_version=sighting.order_version,
        source=sighting.source,
        field=fact.field,
        previous=fact.previous,
        current=fact.current,
        phase=sighting.phase,
        not_before=sighting.not_before,
        initial=sighting.initial,
    )


def present_facts(snapshot: Snapshot) -> tuple[Fact, ...]:
    """Return what a first look tells: the present of each subject, and nothing of how it came about (6.5)."""
    facts: list[Fact] = []
    for subject, row in snapshot.rows():
        if isinstance(row, Loan):
            facts += _loan_facts(None, row)
        elif row.status is not None:
            facts.append(_status_fact(subject, row.id, None, row.status))
    return tuple(facts)


def facts_of(changes: Sequence[Change], after: Snapshot, expect: Expectation | None) -> tuple[Fact, ...]:
    """Return what changes tell, in the order of interface 6.4. Vanished rows tell nothing: absence is no news."""
    facts: list[Fact] = []
    for change in changes:
        match change.after:
            case Order() as order if isinstance(change.before, Order):
                is_retry = _is_retry(change.before, order, after.txns)
                facts += _order_facts(change.before, order, expect, is_retry=is_retry)
            case Refund() as refund:
                facts += _refund_facts(change.before if isinstance(change.before, Refund) else None, refund)
            case Mandate() as mandate:
                facts += _mandate_facts(
                    change.before if isinstance(change.before, Mandate) else None, mandate
                )
            case Loan() as loan:
                facts += _loan_facts(change.before if isinstance(change.before, Loan) else None, loan)
            case Txn() | Offer() | Chargeback() as row:
                before_status = None if change.before is None else change.before.status
                if row.status is not None and row.status != before_status:
                    facts.append(_status_fact(change.subject, row.id, before_status, row.status))
            case _:
                pass
    facts += _refunded_fact(changes, after)
    return tuple(sorted(facts, key=lambda fact: _TOLD_ORDER[fact.subject]))


_TOLD_ORDER = {
    subject: place
    for place, subject in enumerate(
        (Subject.ORDER, Subject.TXN, Subject.REFUND, Subject.OFFER, Subject.MANDATE, Subject.LOAN,
         Subject.CHARGEBACK, Subject.WATCH))
}  # fmt: skip


def _status_type(subject: Subject, status: str) -> str:
    """Return the type of a status word; one that reads like a derived type is set apart (interface 4)."""
    word = loan_slug(status) if subject is Subject.LOAN else slug(status)
    return f"{subject}.status_{word}" if word in DERIVED_SLUGS.get(subject, ()) else f"{subject}.{word}"


def _status_fact(subject: Subject, subject_id: str | None, previous: str | None, current: str) -> Fact:
    return Fact(
        type=_status_type(subject, current),
        subject=subject,
        subject_id=subject_id,
        field="status",
        previous=previous,
        current=current,
    )


def _order_fact(word: str, field: str, previous: str | None, current: str | None) -> Fact:
    return Fact(
        type=f"order.{word}",
        subject=Subject.ORDER,
        subject_id=None,
        field=field,
        previous=previous,
        current=current,
    )


def _is_retry(before: Order, after: Order, parts: Sequence[Txn]) -> bool:
    """Return whether the customer tries again.

    What was one part of the order goes on in its next part; an earlier attempt that comes to decide is no new one.
    """
    is_part = any(part.id == before.txn_id for part in parts)
    is_earlier = before.attempt is not None and after.attempt is not None and after.attempt < before.attempt
    return is_other_attempt(before, after) and not is_part and not is_earlier


def _order_facts(
    before: Order, after: Order, expect: Expectation | None, *, is_retry: bool
) -> Iterator[Fact]:
    if before.status != after.status:
        yield _status_fact(Subject.ORDER, None, before.status, after.status)
    if is_retry:
        yield _order_fact("retried", "txn_id", before.txn_id, after.txn_id)
    if before.phase is Phase.FAILED and after.phase is Phase.SUCCEEDED and not is_retry:
        yield _order_fact("late_success", "status", before.status, after.status)
    mismatch = expect and expect.mismatch(after)
    if expect and mismatch and expect.mismatch(before) is None:
        yield _order_fact("amount_mismatch", *mismatch)


def _refund_facts(before: Refund | None, after: Refund) -> Iterator[Fact]:
    def fact(word: str, field: str, previous: str | None, current: str | None) -> Fact:
        return Fact(
            type=f"refund.{word}",
            subject=Subject.REFUND,
            subject_id=after.id,
            field=field,
            previous=previous,
            current=current,
        )

    old_status = before.status if before else None
    if before is None:
        yield fact("created", "status", None, after.status)
    if after.sent_to_gateway and after.status == "PENDING" and not (before and before.sent_to_gateway):
        was_queued = before is not None and before.sent_to_gateway is False
        yield fact("sent", "sent_to_gateway", "false" if was_queued else None, "true")
    is_news = after.status != old_status if before else after.status != "PENDING"
    if after.status is not None and is_news:
        yield _status_fact(Subject.REFUND, after.id, old_status, after.status)
    if after.arn is not None and (before is None or before.arn is None):
        yield fact("arn_available", "arn", None, after.arn)


def _mandate_facts(before: Mandate | None, after: Mandate) -> Iterator[Fact]:
    old = before.status if before else None
    if after.status is None or after.status == old:
        return
    fact = _status_fact(Subject.MANDATE, after.id, old, after.status)
    yield replace(fact, type="mandate.resumed") if (old, after.status) == ("PAUSED", "ACTIVE") else fact


def _loan_facts(before: Loan | None, after: Loan) -> Iterator[Fact]:
    """Tell a stage; the same stage in another spelling is no news."""
    old, new = before.sub_status if before else None, after.sub_status
    if new is not None and (old is None or loan_slug(old) != loan_slug(new)):
        yield replace(_status_fact(Subject.LOAN, after.id, old, new), field="sub_status")


def _refunded_fact(changes: Sequence[Change], after: Snapshot) -> Iterator[Fact]:
    """Tell once that the whole paid amount is back: only refunds that succeeded count (juspay 3.3, 6.17)."""
    old = {(change.subject, change.subject_id): change.before for change in changes}
    order = old.get((Subject.ORDER, None), after.order)
    refunds = [old.get((Subject.REFUND, refund.id), refund) for refund in after.refunds]
    now = _whole_refund(after.order, after.refunds)
    if now is not None and _whole_refund(order, refunds) is None:
        yield _order_fact("refunded", "amount_refunded", None, str(now))


def _whole_refund(order: Row | None, refunds: Sequence[Row | None]) -> Money | None:
    """Return the sum of the refunds that succeeded if it reaches the whole paid amount, else None."""
    whole = order.effective_amount if isinstance(order, Order) else None
    given_back = sum(
        refund.amount.minor
        for refund in refunds
        if isinstance(refund, Refund) and refund.status == "SUCCESS" and refund.amount
    )
    is_whole = whole is not None and 0 < whole.minor <= given_back
    return Money(given_back, whole.currency) if whole is not None and is_whole else None
