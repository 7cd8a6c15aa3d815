"""Claims, what became of them, and deliveries as people read them."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from sqlalchemy import and_, bindparam, case, func, insert, literal, null, or_, select, update
from sqlalchemy.types import TypeEngine

from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.event import EventId
from notifier.domain.instant import to_ms
from notifier.domain.order import OrderKey
from notifier.domain.subscription import SubscriptionId
from notifier.errors import NotFound
from notifier.storage.records import AttemptRecord, DeliveryView, DueDelivery, Lanes
from notifier.storage.repository.base import AnyRow, Rows
from notifier.storage.repository.lanes import HAS_BEHIND, OWED, PENDING, let_next_go
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


_is_free = or_(deliveries.c.lease_until.is_(None), deliveries.c.lease_until <= bindparam("now", type_=Whole))
_wanted = given("rows", {"seq": Whole, "attempts": Whole, "sequence": Whole})
_FREE = in_one_row(
    select(deliveries.c.seq)
    .join(_wanted, deliveries.c.seq == _wanted.c.seq)
    .where(
        PENDING,
        deliveries.c.attempts == _wanted.c.attempts,
        deliveries.c.sequence.is_not_distinct_from(_wanted.c.sequence),
        _is_free,
    )
)
_read_free = msgspec.json.Decoder(list[tuple[int]]).decode
_LAST = select(subscriptions.c.id, subscriptions.c.sequence).where(subscriptions.c.id.in_(any_of("ids")))
_KEEP_BODY = (
    insert(bodies)
    .values(id=bindparam("its_id"), event_id=bindparam("its_event"), content=bindparam("its_content"))
    .prefix_with("OR IGNORE", dialect="sqlite")
)
_RAISE = update(subscriptions).where(subscriptions.c.id == bindparam("of")).values(sequence=bindparam("last"))
_held = given("rows", {"seq": Whole, "body_id": WORD, "sequence": Whole})
_until = bindparam("until", type_=Whole)
_CLAIM = (
    update(deliveries)
    .where(deliveries.c.seq == _held.c.seq)
    .values(
        attempts=deliveries.c.attempts + 1,
        body_id=func.coalesce(deliveries.c.body_id, _held.c.body_id),
        sequence=_held.c.sequence,
        # A claim that nobody ends comes due again by itself.
        lease_until=_until,
        due_at=_until,
        token=bindparam("by", type_=WORD),
    )
)
_tried = given("rows", {"seq": Whole, "token": WORD})
_OURS = in_one_row(
    select(deliveries.c.seq, case((HAS_BEHIND, deliveries.c.watch_id)))
    .join(_tried, deliveries.c.seq == _tried.c.seq)
    .where(OWED, or_(deliveries.c.token == _tried.c.token, and_(_tried.c.token.is_(None), _is_free)))
)
_read_ours = msgspec.json.Decoder(list[tuple[int, int | None]]).decode
_ended = given(
    "rows",
    {"seq": Whole, "state": WORD, "reason": WORD, "attempts": Whole, "due_at": Whole, "finished_at": Whole},
)
# Held while its attempt was under way: a retry stays held, an end is an end.
_stays_held = and_(deliveries.c.state == DeliveryState.HELD, _ended.c.finished_at.is_(None))
_RECORD = (
    update(deliveries)
    .where(deliveries.c.seq == _ended.c.seq)
    .values(
        state=case((_stays_held, deliveries.c.state), else_=_ended.c.state),
        reason=case((_stays_held, deliveries.c.reason), else_=_ended.c.reason),
        attempts=_ended.c.attempts,
        due_at=case((~_stays_held, _ended.c.due_at)),
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
    async def claim(
        self, wanted: Sequence[tuple[DueDelivery, bytes]], *, lease_until: datetime, token: str
    ) -> dict[DeliveryId, int]:
        free = await self._free([due for due, _ in wanted])
        won = sorted(((due, body) for due, body in wanted if due.row in free), key=_row_of)
        if not won:
            return {}
        last = dict(await self._of(_LAST, {due.subscription.id for due, _ in won}))
        sequences, raised = _numbered([due for due, _ in won], last)
        frozen = _frozen((due.logged.event.id, body) for due, body in won)
        rows = [(due.row, frozen[due.logged.event.id, body], sequences[due.delivery.id]) for due, body in won]
        bodies_kept = [
            {"its_id": body_id, "its_event": event_id, "its_content": body}
            for (event_id, body), body_id in frozen.items()
        ]
        self._put(
            (_RAISE, [{"of": of, "last": sequence} for of, sequence in raised.items()]),
            (_KEEP_BODY, bodies_kept),
            (_CLAIM, [{"rows": as_parameter(rows), "until": to_ms(lease_until), "by": token}]),
        )
        return sequences

    async def _free(self, wanted: Sequence[DueDelivery]) -> set[int]:
        """Return those that nobody has claimed since they were read."""
        if not wanted:
            return set()
        rows = [(due.row, due.delivery.attempts, due.sequence) for due in wanted]
        [(text,)] = await self._ask(_FREE, {"rows": as_parameter(rows), "now": to_ms(self._clock.now())})
        return {row for (row,) in _read_free(text)}

    async def record_attempts(
        self,
        records: Sequence[tuple[DueDelivery, AttemptRecord | None, Delivery, str | None]],
        *,
        now: datetime,
        lanes: Lanes,
    ) -> set[DeliveryId]:
        tried = [(due.row, token) for due, _, _, token in records]
        [(text,)] = await self._ask(_OURS, {"rows": as_parameter(tried), "now": to_ms(now)})
        ours = dict(_read_ours(text))
        kept = [(due, attempt, after) for due, attempt, after, _ in records if due.row in ours]
        if not kept:
            return set()
        made = [_attempt_row(attempt) for _, attempt, _ in kept if attempt]
        ended = [_outcome(due.row, after) for due, _, after in kept]
        self._put(
            (_ADD_ATTEMPTS, [{"rows": as_parameter(made)}] if made else []),
            (_RECORD, [{"rows": as_parameter(ended)}]),
        )
        touched = {(due.subscription.id, lane) for due, _, _ in kept if (lane := ours[due.row]) is not None}
        await let_next_go(self._connection, touched, lanes=lanes, now=now)
        # Who has come to an end makes nothing due but those behind it.
        self.woken.deliveries |= bool(touched) or any(not after.state.is_final for _, _, after in kept)
        return {after.id for _, _, after in kept}

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


def _row_of(claim: tuple[DueDelivery, bytes]) -> int:
    return claim[0].row


def _frozen(contents: Iterable[tuple[EventId, bytes]]) -> dict[tuple[EventId, bytes], str]:
    """Return the ids of bodies, each one once, by event and content, from which they are made."""
    return {
        (event_id, body): blake2b(f"{event_id}\n".encode() + body, digest_size=16).hexdigest()
        for event_id, body in set(contents)
    }


def _numbered(
    won: Sequence[DueDelivery], last: Mapping[str, int]
) -> tuple[dict[DeliveryId, int], dict[str, int]]:
    """Return each delivery's sequence, its subscription's next at a first attempt, and how far subscriptions came."""
    sequences: dict[DeliveryId, int] = {}
    raised: dict[str, int] = {}
    for due in won:
        number = due.sequence
        if number is None:
            of = due.subscription.id
            number = raised[of] = raised.get(of, last[of]) + 1
        sequences[due.delivery.id] = number
    return sequences, raised


def _outcome(row: int, after: Delivery) -> tuple[Any, ...]:
    return row, after.state, after.reason, after.attempts, _ms(after.due_at), _ms(after.finished_at)


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
