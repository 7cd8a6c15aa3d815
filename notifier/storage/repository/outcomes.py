"""Claims, what became of them, and deliveries as people read them."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, case, func, insert, literal, null, or_, select, type_coerce, update

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
from notifier.storage.tables import Instant, Whole, attempts, deliveries, events, subscriptions

_ANSWER_BYTES = 4096

_STANDING = (
    select(
        deliveries.c.id,
        deliveries.c.seq,
        deliveries.c.subscription_id,
        deliveries.c.watch_id,
        deliveries.c.state,
        deliveries.c.reason,
        deliveries.c.attempts,
        type_coerce(deliveries.c.lease_until, Whole).label("lease_until"),
        deliveries.c.token,
        deliveries.c.sequence,
        HAS_BEHIND.label("has_behind"),
    )
    .where(deliveries.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update()
)
_SEQUENCES = (
    select(subscriptions.c.id, subscriptions.c.sequence)
    .where(subscriptions.c.id.in_(bindparam("ids", expanding=True)))
    .with_for_update()
)
_RAISE = update(subscriptions).where(subscriptions.c.id == bindparam("of")).values(sequence=bindparam("last"))
_CLAIM = (
    update(deliveries)
    .where(deliveries.c.seq == bindparam("of"))
    .values(
        attempts=bindparam("counted", type_=Whole),
        body=func.coalesce(deliveries.c.body, bindparam("frozen", type_=deliveries.c.body.type)),
        sequence=bindparam("numbered", type_=Whole),
        # A claim that nobody ends comes due again by itself.
        lease_until=bindparam("until", type_=Whole),
        due_at=bindparam("until", type_=Whole),
        token=bindparam("held_by"),
    )
)
_RECORD = (
    update(deliveries)
    .where(deliveries.c.seq == bindparam("of"))
    .values(
        state=bindparam("new_state"),
        reason=bindparam("new_reason"),
        attempts=bindparam("counted", type_=Whole),
        due_at=bindparam("due", type_=Whole),
        finished_at=bindparam("finished", type_=Whole),
        lease_until=null(),
        token=null(),
    )
)
_ATTEMPT_COLUMNS = (
    "delivery_id", "number", "started_at", "duration_ms", "reason", "http_status", "retry_after_ms", "answer"
)  # fmt: skip
_ADD_ATTEMPT = insert(attempts).values({name: bindparam(f"its_{name}") for name in _ATTEMPT_COLUMNS})
_VIEW = select(deliveries, events.c.type.label("event_type"), events.c.order_id.label("order_id")).join(
    events, events.c.id == deliveries.c.event_id
)


class Outcomes(Rows):
    async def claim(self, claims: Sequence[Claim]) -> dict[DeliveryId, int]:
        if not claims:
            return {}
        standing = await self._standing(claim.delivery_id for claim in claims)
        now = to_ms(self._clock.now())
        won = [
            (claim, row)
            for claim in claims
            if (row := standing.get(claim.delivery_id)) is not None
            and row.state == DeliveryState.PENDING
            and row.attempts == claim.attempt - 1
            and (row.lease_until is None or row.lease_until <= now)
        ]
        sequences = await self._number([row for _, row in won])
        rows = [
            {
                "of": row.seq,
                "counted": claim.attempt,
                "frozen": claim.body,
                "numbered": sequences[row.id],
                "until": to_ms(claim.lease_until),
                "held_by": claim.token,
            }
            for claim, row in won
        ]
        await self._each_raw(_CLAIM, rows)
        return sequences

    async def _number(self, rows: Sequence[AnyRow]) -> dict[DeliveryId, int]:
        """Return each delivery's sequence, taking the next of its subscription at its first attempt."""
        sequences = {row.id: row.sequence for row in rows if row.sequence is not None}
        new = sorted((row for row in rows if row.sequence is None), key=_seq)
        if not new:
            return sequences
        asked = await self._connection.execute(
            _SEQUENCES, {"ids": list({row.subscription_id for row in new})}
        )
        last: dict[str, int] = {row.id: row.sequence for row in asked}
        for row in new:
            sequences[row.id] = last[row.subscription_id] = last[row.subscription_id] + 1
        await self._each_raw(_RAISE, [{"of": of, "last": sequence} for of, sequence in last.items()])
        return sequences

    async def record_attempts(
        self,
        records: Sequence[tuple[AttemptRecord | None, Delivery, str | None]],
        *,
        now: datetime,
        lanes: Lanes,
    ) -> None:
        if not records:
            return
        standing = await self._standing(delivery.id for _, delivery, _ in records)
        kept = [
            (record, delivery, row)
            for record, delivery, token in records
            if (row := standing.get(delivery.id)) is not None and _is_ours(row, token, to_ms(now))
        ]
        await self._each_raw(_ADD_ATTEMPT, [_attempt_row(record) for record, _, _ in kept if record])
        await self._each_raw(_RECORD, [_outcome(delivery, row) for _, delivery, row in kept])
        touched = {(row.subscription_id, row.watch_id) for _, _, row in kept if row.has_behind}
        await let_next_go(self._connection, touched, lanes=lanes, now=now)
        self.woken.deliveries |= bool(kept)

    async def release_claims(self, *, now: datetime) -> int:
        # The lapsed lease stays, so that whoever takes it up next knows that an attempt has no outcome.
        is_pending = deliveries.c.state == DeliveryState.PENDING
        given_back = update(deliveries).where(OWED, deliveries.c.token.is_not(None))
        result = await self._connection.execute(
            given_back.values(lease_until=now, due_at=case((is_pending, literal(now, Instant))), token=None)
        )
        self.woken.deliveries |= result.rowcount > 0
        return result.rowcount

    async def expire_deliveries(self, *, now: datetime, lanes: Lanes, limit: int = 500) -> int:
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
            .returning(deliveries.c.subscription_id, deliveries.c.watch_id)
        )
        rows = expired.all()
        touched = {(row.subscription_id, row.watch_id) for row in rows if row.watch_id is not None}
        self.woken.deliveries |= await let_next_go(self._connection, touched, lanes=lanes, now=now) > 0
        return len(rows)

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

    async def _standing(self, ids: Iterable[DeliveryId]) -> dict[DeliveryId, AnyRow]:
        rows = await self._connection.execute(_STANDING, {"ids": list(ids)})
        return {row.id: row for row in rows}


def _seq(row: AnyRow) -> int:
    seq: int = row.seq
    return seq


def _is_ours(row: AnyRow, token: str | None, now: int) -> bool:
    """Whether the claim still holds; who made none may write only where no claim is alive."""
    if DeliveryState(row.state).is_final:
        return False
    if token is None:
        return row.lease_until is None or bool(row.lease_until <= now)
    return bool(row.token == token)


def _outcome(delivery: Delivery, row: AnyRow) -> dict[str, Any]:
    # Held while its attempt was under way: a retry stays held, an end is an end.
    stays_held = row.state == DeliveryState.HELD and not delivery.state.is_final
    return {
        "of": row.seq,
        "new_state": (DeliveryState.HELD if stays_held else delivery.state).value,
        "new_reason": row.reason if stays_held else delivery.reason.value,
        "counted": delivery.attempts,
        "due": None if stays_held else _ms(delivery.due_at),
        "finished": _ms(delivery.finished_at),
    }


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def _attempt_row(record: AttemptRecord) -> dict[str, Any]:
    return {
        "its_delivery_id": record.delivery_id,
        "its_number": record.number,
        "its_started_at": to_ms(record.started_at),
        "its_duration_ms": record.duration_ms,
        "its_reason": record.reason.value,
        "its_http_status": record.http_status,
        "its_retry_after_ms": None if record.retry_after_s is None else round(record.retry_after_s * 1000),
        "its_answer": record.answer[:_ANSWER_BYTES] or None,
    }


def _attempt(row: AnyRow) -> AttemptRecord:
    return AttemptRecord(
        delivery_id=row.delivery_id,
        number=row.number,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        reason=Reason(row.reason),
        http_status=row.http_status,
        retry_after_s=None if row.retry_after_ms is None else row.retry_after_ms / 1000,
        answer=row.answer or b"",
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
