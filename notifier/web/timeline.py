"""The story of one order: registration, snapshots and their changes, events, deliveries, attempts, incidents, polls."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, TypeVar

from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import place_text
from notifier.domain.cadence.plan import Outlook
from notifier.domain.change import Change, diff
from notifier.domain.document import Document
from notifier.domain.instant import iso
from notifier.domain.money import Money
from notifier.domain.order import Source
from notifier.domain.snapshot import Credit, Loan, Row, Snapshot
from notifier.domain.subscription import SubscriptionId
from notifier.errors import NotFound
from notifier.storage.contract import Transaction
from notifier.storage.records import DeliveryView, LoggedEvent, SourceState, StoredSnapshot, Watch
from notifier.web.documents import attempt_document, delivery_document, instant, outlook_document
from notifier.web.involved import incidents_of

_PAGE = 500
_MOST = 2000
"""No kind of entry is shown more often than this; orders live and die by dozens."""

_T = TypeVar("_T")
_Entry = tuple[datetime, Document]


async def story(tx: Transaction, watch: Watch, outlook: Outlook | None = None) -> tuple[list[Document], bool]:
    """Return the entries in the order of time, and whether they are all there are.

    What happened at one instant stands in the order of cause and effect.
    """
    snapshots, events, deliveries = await _history(tx, watch)
    entries = [_registered(watch), *_snapshots(snapshots)]
    entries += [_entry(each.event.observed_at, "event", **_event(each)) for each in events]
    told = await _told(tx, watch.account, {view.subscription_id for view in deliveries})
    # Deliveries are read newest first.
    for view in reversed(deliveries):
        to = told[view.subscription_id]
        entries.append(_entry(view.delivery.created_at, "delivery", **delivery_document(view), **to))
        about = {"delivery": view.delivery.id, "event_type": view.event_type, **to}
        entries += [
            _entry(attempt.started_at, "attempt", **about, **attempt_document(attempt))
            for attempt in await tx.attempts(view.delivery.id)
        ]
    entries += [_incident(each) for each in await incidents_of(tx, watch)]
    entries += _polls(watch, outlook, await _troubles(tx, watch), last=max(at for at, _ in entries))
    entries.sort(key=lambda entry: entry[0])
    is_complete = all(len(rows) < _MOST for rows in (snapshots, events, deliveries))
    return [document for _, document in entries], is_complete


async def _told(tx: Transaction, account: str, ids: set[SubscriptionId]) -> dict[SubscriptionId, Document]:
    """Return name and channel of each subscription, none of one that is gone."""
    told: dict[SubscriptionId, Document] = {}
    for each in ids:
        try:
            found = await tx.subscription(account, each)
            told[each] = {"subscription_name": found.name, "channel": found.channel}
        except NotFound:
            told[each] = {"subscription_name": None, "channel": None}
    return told


async def _history(
    tx: Transaction, watch: Watch
) -> tuple[list[StoredSnapshot], list[LoggedEvent], list[DeliveryView]]:
    snapshots = await _all(
        lambda after: tx.snapshots(watch.id, after=after, limit=_PAGE), lambda stored: stored.version
    )
    events = await _all(
        lambda after: tx.events(watch.account, after=after, limit=_PAGE, order_key=watch.order_key),
        lambda logged: logged.sequence,
    )
    deliveries: list[DeliveryView] = []
    cursor: int | None = 0
    while cursor is not None and len(deliveries) < _MOST:
        rows, cursor = await tx.deliveries(
            watch.account, order_key=watch.order_key, after=cursor, limit=_PAGE
        )
        deliveries += rows
    return snapshots, events, deliveries


async def _all(read: Callable[[int], Awaitable[Sequence[_T]]], position: Callable[[_T], int]) -> list[_T]:
    rows: list[_T] = []
    while len(rows) < _MOST:
        more = await read(position(rows[-1]) if rows else 0)
        rows += more
        if len(more) < _PAGE:
            break
    return rows


def _entry(at: datetime, kind: str, **members: Any) -> _Entry:
    return at, {"at": iso(at), "kind": kind, **members}


def _registered(watch: Watch) -> _Entry:
    return _entry(
        watch.registered_at,
        "registered",
        sources=sorted(watch.sources),
        initial=watch.initial,
        state=watch.state,
    )


async def _troubles(tx: Transaction, watch: Watch) -> list[Document]:
    """Return which of its sources do not answer, since when: a refused one is not asked, whatever is due."""
    stands = [await tx.source_health(watch.account, source) for source in sorted(watch.sources)]
    return [
        {"source": each.source, "state": each.state, "since": instant(each.since)}
        for each in stands
        if each.state is not SourceState.OK and each.since
    ]


def _polls(
    watch: Watch, outlook: Outlook | None, troubles: list[Document], *, last: datetime
) -> list[_Entry]:
    """Return what polling came to and what is next.

    Only a good answer has an instant that is kept: without one the count stands with the next poll, or, when there
    is none, at the `last` that happened.
    """
    count = {"polls": watch.polls, "failures": watch.failures, "error": watch.last_error}
    polled_at, next_at = watch.last_polled_at, watch.next_poll_at
    entries = []
    if polled_at is not None or (watch.polls and next_at is None):
        entries.append(_entry(polled_at or last, "polled", **count))
    if next_at is not None:
        more: Document = count if polled_at is None and watch.polls else {}
        more |= {"outlook": outlook_document(outlook)} if outlook else {}
        more |= {"troubles": troubles} if troubles else {}
        entries.append(_entry(next_at, "next_poll", why=watch.next_poll_why, **more))
    return entries


def _event(logged: LoggedEvent) -> Document:
    event = logged.event
    return {
        "id": event.id,
        "type": event.type,
        "sequence": logged.sequence,
        "order_version": event.order_version,
        "previous": event.previous,
        "current": event.current,
        "initial": event.initial,
    }


def _incident(incident: Incident) -> _Entry:
    report = incident.report
    return _entry(
        report.opened_at,
        "incident",
        id=report.id,
        number=report.number,
        rule=report.rule,
        severity=report.severity,
        state=report.state,
        cause_text=place_text(report.cause),
    )


def _snapshots(stored: Sequence[StoredSnapshot]) -> list[_Entry]:
    last: dict[Source, Snapshot] = {}
    entries = []
    for each in stored:
        source = each.snapshot.source
        changes = [line for change in diff(last.get(source), each.snapshot) for line in _change_lines(change)]
        entries.append(
            _entry(
                each.observed_at,
                "snapshot",
                version=each.version,
                source=source,
                status=each.snapshot.order.status if each.snapshot.order else None,
                not_before=instant(each.not_before),
                changes=changes,
            )
        )
        last[source] = each.snapshot
    return entries


_WORDS: dict[type[object], str] = {Loan: "sub_status", Credit: "order_status"}


def _change_lines(change: Change) -> list[Document]:
    """Return one line a member that differs; of a row that is new or gone its status says enough."""
    row = change.after or change.before
    word = _WORDS.get(type(row), "status")
    names = [field.name for field in fields(row)] if row and change.before and change.after else [word]
    lines = []
    for name in names:
        previous, current = _member(change.before, name), _member(change.after, name)
        if previous != current or len(names) == 1:
            lines.append(
                {
                    "subject": change.subject,
                    "subject_id": change.subject_id,
                    "field": name,
                    "previous": previous,
                    "current": current,
                }
            )
    return lines


def _member(row: Row | None, name: str) -> Any:
    value = getattr(row, name) if row else None
    if isinstance(value, Money):
        return str(value)
    return iso(value) if isinstance(value, datetime) else value
