"""Claims, what became of them, and deliveries as people read them."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, case, insert, literal, null, or_, select, update
from sqlalchemy.types import TypeEngine

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.event import EventId
from notifier.domain.instant import to_ms
from notifier.domain.order import OrderKey
from notifier.domain.subscription import SubscriptionId
from notifier.errors import NotFound
from notifier.storage.records import AttemptRecord, Claim, DeliveryView, Lanes
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.lanes import HAS_BEHIND, OWED, let_next_go
from notifier.storage.repository.owing import delivery_of
from notifier.storage.repository.setwise import WORD, any_of, as_parameter, given, in_one_row
from notifier.storage.tables import (
    Instant,
    Whole,
    attempts,
    bodies,
    deliveries,
    events,
    subscriptions,
    targets,
)

_ANSWER_BYTES = 4096


class _Standing(msgspec.Struct, array_like=True, gc=False):
    """A delivery as it stands, in raw numbers and texts, its columns in this order."""

    id: str
    seq: int
    subscription_id: str
    watch_id: int | None
    state: str
    reason: str
    attempts: int
    lease_until: int | None
    token: str | None
    sequence: int | None
    body_id: str | None
    beside: int
    """Before a claim the last sequence of its subscription, after an attempt whether one of its lane is behind it."""


_read_standing = msgspec.json.Decoder(list[_Standing]).decode
_STANDING = (
    select(*(deliveries.c[name] for name in _Standing.__struct_fields__[:-1]))
    .where(deliveries.c.id.in_(any_of("ids")))
    .with_for_update()
)
_BEFORE_CLAIM = in_one_row(
    _STANDING.add_columns(subscriptions.c.sequence.label("beside")).join(
        subscriptions, subscriptions.c.id == deliveries.c.subscription_id
    )
)
_AFTER_ATTEMPT = in_one_row(_STANDING.add_columns(HAS_BEHIND.label("beside")))
_KEEP_BODY = (
    insert(bodies)
    .values(id=bindparam("its_id"), event_id=bindparam("its_event"), content=bindparam("its_content"))
    .prefix_with("OR IGNORE", dialect="sqlite")
)
_RAISE = update(subscriptions).where(subscriptions.c.id == bindparam("of")).values(sequence=bindparam("last"))
_held = given(
    "rows",
    {
        "seq": Whole,
        "attempts": Whole,
        "body_id": WORD,
        "sequence": Whole,
        "lease_until": Whole,
        "token": WORD,
    },
)
_CLAIM = (
    update(deliveries)
    .where(deliveries.c.seq == _held.c.seq)
    .values(
        attempts=_held.c.attempts,
        body_id=_held.c.body_id,
        sequence=_held.c.sequence,
        # A claim that nobody ends comes due again by itself.
        lease_until=_held.c.lease_until,
        due_at=_held.c.lease_until,
        token=_held.c.token,
    )
)
_ended = given(
    "rows",
    {"seq": Whole, "state": WORD, "reason": WORD, "attempts": Whole, "due_at": Whole, "finished_at": Whole},
)
_RECORD = (
    update(deliveries)
    .where(deliveries.c.seq == _ended.c.seq)
    .values(
        state=_ended.c.state,
        reason=_ended.c.reason,
        attempts=_ended.c.attempts,
        due_at=_ended.c.due_at,
        finished_at=_ended.c.finished_at,
        lease_until=null(),
        token=null(),
    )
)
_made: dict[str, TypeEngine[Any]] = {
    "delivery_id": WORD,
    "number": Whole,
    "started_at": Whole,
    "duration_ms": Whole,
    "reason": WORD,
    "http_status": Whole,
    "retry_after_ms": Whole,
    "answer": WORD,
}
_ADD_ATTEMPTS = insert(attempts).from_select(list(_made), given("rows", _made).select())
_VIEW = select(deliveries, events.c.type.label("event_type"), events.c.order_id.label("order_id")).join(
    events, events.c.id == deliveries.c.event_id
)


class Outcomes(Rows):
    async def claim(self, claims: Sequence[Claim]) -> dict[DeliveryId, int]:
        if not claims:
            return {}
        standing = await self._standing(_BEFORE_CLAIM, (claim.delivery_id for claim in claims))
        now = to_ms(self._clock.now())
        won = [
            (claim, row)
            for claim in claims
            if (row := standing.get(claim.delivery_id)) is not None
            and row.state == DeliveryState.PENDING
            and row.attempts == claim.attempt - 1
            and (row.lease_until is None or row.lease_until <= now)
        ]
        sequences, raised = _numbered([row for _, row in won])
        frozen = _frozen([claim for claim, row in won if row.body_id is None])
        rows = [
            (
                row.seq,
                claim.attempt,
                row.body_id or frozen[claim.event_id, claim.body],
                sequences[row.id],
                to_ms(claim.lease_until),
                claim.token,
            )
            for claim, row in won
        ]
        bodies_kept = [
            {"its_id": body_id, "its_event": event_id, "its_content": body}
            for (event_id, body), body_id in frozen.items()
        ]
        await self._do(
            (_RAISE, [{"of": of, "last": sequence} for of, sequence in raised.items()]),
            (_KEEP_BODY, bodies_kept),
            (_CLAIM, [{"rows": as_parameter(rows)}]),
        )
        return {DeliveryId(of): sequence for of, sequence in sequences.items()}

    async def record_attempts(
        self,
        records: Sequence[tuple[AttemptRecord | None, Delivery, str | None]],
        *,
        now: datetime,
        lanes: Lanes,
    ) -> set[DeliveryId]:
        if not records:
            return set()
        standing = await self._standing(_AFTER_ATTEMPT, (delivery.id for _, delivery, _ in records))
        kept = [
            (record, delivery, row)
            for record, delivery, token in records
            if (row := standing.get(delivery.id)) is not None and _is_ours(row, token, to_ms(now))
        ]
        made = [_attempt_row(record) for record, _, _ in kept if record]
        ended = [_outcome(delivery, row) for _, delivery, row in kept]
        await self._do(
            (_ADD_ATTEMPTS, [{"rows": as_parameter(made)}] if made else []),
            (_RECORD, [{"rows": as_parameter(ended)}]),
        )
        touched = {
            (row.subscription_id, row.watch_id)
            for _, _, row in kept
            if row.beside and row.watch_id is not None
        }
        await let_next_go(self._connection, touched, lanes=lanes, now=now)
        # Who has come to an end makes nothing due but those behind it.
        self.woken.deliveries |= bool(touched) or any(not delivery.state.is_final for _, delivery, _ in kept)
        return {delivery.id for _, delivery, _ in kept}

    async def release_claims(self, *, now: datetime) -> int:
        # The lapsed lease stays, so that whoever takes it up next knows that an attempt has no outcome.
        is_pending = deliveries.c.state == DeliveryState.PENDING
        given_back = update(deliveries).where(OWED, deliveries.c.token.is_not(None))
        result = await self._connection.execute(
            given_back.values(lease_until=now, due_at=case((is_pending, literal(now, Instant))), token=None)
        )
        # Tries of failing targets are over, too.
        tried = update(targets).where(targets.c.is_tried == 1)
        await self._connection.execute(tried.values(rests_until=now, is_tried=0))
        self.woken.deliveries |= result.rowcount > 0
        return result.rowcount

    async def expire_deliveries(
        self, *, now: datetime, lanes: Lanes, limit: int = 500
    ) -> list[tuple[str, DeliveryId]]:
        is_free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= now)
        late = select(deliveries.c.seq).where(OWED, deliveries.c.expires_at <= now, is_free)
        expired = await self._connection.execute(
            update(deliveries)
            .where(deliveries.c.seq.in_(late.order_by(deliveries.c.expires_at).limit(limit)))
            .values(
                state=DeliveryState.FAILED,
                reason=Reason.EXPIRED,
                due_at=None,
                finished_at=now,
                lease_until=None,
                token=None,
            )
            .returning(
                deliveries.c.account,
                deliveries.c.id,
                deliveries.c.subscription_id,
                deliveries.c.watch_id,
            )
        )
        rows = expired.all()
        touched = {(row.subscription_id, row.watch_id) for row in rows if row.watch_id is not None}
        self.woken.deliveries |= await let_next_go(self._connection, touched, lanes=lanes, now=now) > 0
        return [(row.account, DeliveryId(row.id)) for row in rows]

    async def deliveries(
        self,
        account: str,
        *,
        state: DeliveryState | None = None,
        subscription_id: SubscriptionId | None = None,
        order_key: OrderKey | None = None,
        event_id: EventId | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> tuple[list[DeliveryView], int | None]:
        page = _VIEW.where(deliveries.c.account == account)
        wanted = {
            deliveries.c.state: state,
            deliveries.c.subscription_id: subscription_id,
            events.c.order_key: order_key,
            deliveries.c.event_id: event_id,
        }
        for column, value in wanted.items():
            if value is not None:
                page = page.where(column == value)
        if after:
            page = page.where(deliveries.c.seq < after)
        page = page.order_by(deliveries.c.seq.desc()).limit(limit + 1)
        rows = (await self._connection.execute(page)).all()
        more = rows[limit - 1].seq if len(rows) > limit else None
        return [_view(row) for row in rows[:limit]], more

    async def delivery(self, account: str, delivery_id: DeliveryId) -> DeliveryView:
        found = _VIEW.where(deliveries.c.account == account, deliveries.c.id == delivery_id)
        row = (await self._connection.execute(found)).one_or_none()
        if row is None:
            raise NotFound(f"there is no delivery {delivery_id!r}")
        return _view(row)

    async def attempts(self, delivery_id: DeliveryId) -> list[AttemptRecord]:
        made = select(attempts).where(attempts.c.delivery_id == delivery_id).order_by(attempts.c.seq)
        return [_attempt(row) for row in await self._connection.execute(made)]

    async def _standing(self, asked: Select[Any], ids: Iterable[DeliveryId]) -> dict[str, _Standing]:
        [(text,)] = await self._ask(asked, {"ids": as_parameter(list(ids))})
        return {row.id: row for row in _read_standing(text)}


def _frozen(claims: Iterable[Claim]) -> dict[tuple[EventId, bytes], str]:
    """Return the ids of bodies, each one once, by event and content, from which they are made."""
    return {
        (event_id, body): blake2b(f"{event_id}\n".encode() + body, digest_size=16).hexdigest()
        for event_id, body in {(each.event_id, each.body) for each in claims}
    }


def _numbered(rows: Sequence[_Standing]) -> tuple[dict[str, int], dict[str, int]]:
    """Return each delivery's sequence, its subscription's next at a first attempt, and how far subscriptions came."""
    sequences = {row.id: row.sequence for row in rows if row.sequence is not None}
    last: dict[str, int] = {}
    for row in sorted((row for row in rows if row.sequence is None), key=_seq):
        last.setdefault(row.subscription_id, row.beside)
        sequences[row.id] = last[row.subscription_id] = last[row.subscription_id] + 1
    return sequences, last


def _seq(row: _Standing) -> int:
    return row.seq


def _is_ours(row: _Standing, token: str | None, now: int) -> bool:
    """Whether the claim still holds; who made none may write only where no claim is alive."""
    if DeliveryState(row.state).is_final:
        return False
    if token is None:
        return row.lease_until is None or row.lease_until <= now
    return row.token == token


def _outcome(delivery: Delivery, row: _Standing) -> tuple[Any, ...]:
    # Held while its attempt was under way: a retry stays held, an end is an end.
    stays_held = row.state == DeliveryState.HELD and not delivery.state.is_final
    return (
        row.seq,
        row.state if stays_held else delivery.state.value,
        row.reason if stays_held else delivery.reason.value,
        delivery.attempts,
        None if stays_held else _ms(delivery.due_at),
        _ms(delivery.finished_at),
    )


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def _attempt_row(record: AttemptRecord) -> tuple[Any, ...]:
    return (
        record.delivery_id,
        record.number,
        to_ms(record.started_at),
        record.duration_ms,
        record.reason.value,
        record.http_status,
        None if record.retry_after_s is None else round(record.retry_after_s * 1000),
        b64encode(record.answer[:_ANSWER_BYTES]).decode() or None,
    )


def _attempt(row: AnyRow) -> AttemptRecord:
    return AttemptRecord(
        delivery_id=row.delivery_id,
        number=row.number,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        reason=Reason(row.reason),
        http_status=row.http_status,
        retry_after_s=None if row.retry_after_ms is None else row.retry_after_ms / 1000,
        answer=b64decode(row.answer or ""),
    )


def _view(row: AnyRow) -> DeliveryView:
    return DeliveryView(
        delivery=delivery_of(row),
        account=row.account,
        subscription_id=row.subscription_id,
        event_id=row.event_id,
        event_type=row.event_type,
        order_id=row.order_id,
        sequence=row.sequence,
        replay_id=row.replay_id or None,
    )
