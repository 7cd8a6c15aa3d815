"""Values of the core for tests: plain ones by name, any ones by hypothesis.

`an_order(status="CHARGED")` fills in what a test does not care for; the strategies at the end draw every declared
member, known or unknown, so a member added later is covered without a change here.
"""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, get_args, get_type_hints

from hypothesis import strategies as st

from notifier.domain.change import SCHEMA
from notifier.domain.deadline import Deadlines
from notifier.domain.delivery import Delivery, DeliveryId, DeliveryState, Reason
from notifier.domain.event import Event, EventId, Expectation, Sighting
from notifier.domain.money import Money
from notifier.domain.observation import Known
from notifier.domain.order import OrderId, Phase, Source, known_statuses, order_key
from notifier.domain.snapshot import (
    Benefit,
    Chargeback,
    Credit,
    Loan,
    Mandate,
    Offer,
    Order,
    Reader,
    Refund,
    Row,
    Snapshot,
    Subject,
    Txn,
    in_told_order,
)
from notifier.domain.subscription import Subscription, SubscriptionId

NOW = datetime(2026, 3, 2, 6, 15, tzinfo=UTC)
READER = Reader(schema=SCHEMA, version="2023-06-30", options="udf1,udf2")


def at(seconds: float) -> datetime:
    """Return the instant so many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


def inr(amount: str) -> Money:
    return Money.parse(amount, "INR")


def an_order(status: str = "CHARGED", **members: Any) -> Order:
    """Return an order of 386 rupees in its first attempt; NEW has no attempt yet."""
    worth: dict[str, Any] = {"amount": inr("386"), "effective_amount": inr("386"), "currency": "INR"}
    attempt = {} if status == "NEW" else {"txn_id": "shop-JP1-1", "attempt": 1}
    return Order(status=status, **(worth | attempt | members))


def a_refund(refund_id: str = "r1", status: str | None = "PENDING", **members: Any) -> Refund:
    """Return a refund of 100 rupees, still queued."""
    given: dict[str, Any] = {"amount": inr("100"), "sent_to_gateway": False, "created": NOW}
    return Refund(id=refund_id, status=status, **(given | members))


def a_snapshot(order: Order | str = "CHARGED", **members: Any) -> Snapshot:
    """Return what source `order` says; `order` may be its status word."""
    given: dict[str, Any] = {"source": Source.ORDER, "reader": READER}
    return Snapshot(order=an_order(order) if isinstance(order, str) else order, **(given | members))


def a_loan(loan_id: str = "l1", sub_status: str | None = "Offer Selected", **members: Any) -> Loan:
    return Loan(id=loan_id, sub_status=sub_status, **members)


def a_credit(*loans: Loan | str, **members: Any) -> Snapshot:
    """Return what HyperCredit says; a loan may be its sub-status, and is then the application l1."""
    rows = tuple(a_loan(sub_status=each) if isinstance(each, str) else each for each in loans)
    given: dict[str, Any] = {"source": Source.HYPERCREDIT, "reader": READER, "credit": Credit(currency="INR")}
    return Snapshot(loans=rows, **(given | members))


def a_mandate(status: str | None = "ACTIVE", mandate_id: str = "m1", **members: Any) -> Snapshot:
    """Return what the mandate call says of mandate m1."""
    mandate = Mandate(id=mandate_id, status=status, **members)
    return Snapshot(source=Source.MANDATE, reader=READER, mandate=mandate)


def a_known(snapshot: Snapshot | None = None, **members: Any) -> Known:
    """Return what is stored of an order: told at first sight, no deadlines, nothing expected."""
    given: dict[str, Any] = {"deadlines": Deadlines(), "expect": None, "is_silent": False}
    return Known(snapshot=snapshot, **(given | members))


def an_expectation(amount: str | None = "386", effective_amount: str | None = None) -> Expectation:
    return Expectation(
        amount=None if amount is None else inr(amount),
        effective_amount=None if effective_amount is None else inr(effective_amount),
    )


def a_sighting(version: int = 1, **members: Any) -> Sighting:
    """Return the look that showed a version of order JP1 of account `shop`."""
    given: dict[str, Any] = {
        "account": "shop",
        "livemode": False,
        "order_id": OrderId("JP1"),
        "order_key": order_key("JP1"),
        "source": Source.ORDER,
        "phase": Phase.SUCCEEDED,
        "observed_at": NOW,
        "not_before": at(-5),
        "initial": False,
    }
    return Sighting(order_version=version, **(given | members))


def an_event(event_type: str = "order.charged", **members: Any) -> Event:
    """Return an event of order JP1 of account `shop`."""
    given: dict[str, Any] = {
        "id": EventId("evt_" + "0" * 32),
        "account": "shop",
        "livemode": False,
        "subject": Subject(event_type.partition(".")[0]),
        "subject_id": None,
        "observed_at": NOW,
        "order_id": OrderId("JP1"),
        "order_key": order_key("JP1"),
        "order_version": 3,
        "source": Source.ORDER,
        "field": "status",
        "previous": "PENDING_VBV",
        "current": "CHARGED",
        "phase": Phase.SUCCEEDED,
    }
    return Event(type=event_type, **(given | members))


def a_subscription(*events: str, **members: Any) -> Subscription:
    """Return an active webhook of account `shop`; `order.*` unless told otherwise."""
    given: dict[str, Any] = {
        "id": SubscriptionId("sub_1"),
        "account": "shop",
        "name": None,
        "channel": "webhook",
        "target": "https://shop.example/hooks",
    }
    return Subscription(events=events or ("order.*",), **(given | members))


def a_delivery(**members: Any) -> Delivery:
    """Return a pending delivery, due at NOW, that expires an hour later."""
    given: dict[str, Any] = {
        "id": DeliveryId("dlv_1"),
        "state": DeliveryState.PENDING,
        "reason": Reason.NEW,
        "attempts": 0,
        "due_at": NOW,
        "created_at": NOW,
        "expires_at": at(3600),
    }
    return Delivery(**(given | members))


# Words whose slugs read like derived types, misspelled ones, and ones that no slug letter is in.
_ODD_WORDS = (
    "RETRIED", "LATE_SUCCESS", "AMOUNT MISMATCH", "REFUNDED", "STUCK", "CREATED", "SENT", "ARN-AVAILABLE", "OVERDUE",
    "RESUMED", "Charged", "???", "Agreement Singed",
)  # fmt: skip
_ROW_WORDS = (
    "PENDING", "SUCCESS", "FAILURE", "MANUAL_REVIEW", "ACTIVE", "PAUSED", "REVOKED", "AVAILED", "INITIATED",
)  # fmt: skip
_EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


def words() -> st.SearchStrategy[str]:
    """Draw a status word, known or never seen."""
    return st.sampled_from(known_statuses() + _ROW_WORDS + _ODD_WORDS)


def moneys(currencies: tuple[str, ...] = ("INR",)) -> st.SearchStrategy[Money]:
    """Draw an amount, negative ones too."""
    return st.builds(
        Money, st.integers(-(2**63) + 1, 2**63 - 1) | st.integers(0, 500), st.sampled_from(currencies)
    )


def instants() -> st.SearchStrategy[datetime]:
    """Draw an aware UTC instant in whole milliseconds, within three years."""
    return st.integers(0, 3 * 365 * 86_400_000).map(lambda ms: _EPOCH + timedelta(milliseconds=ms))


_VALUES: dict[type, st.SearchStrategy[Any]] = {
    str: words(),
    int: st.integers(1, 4),
    bool: st.booleans(),
    Money: st.integers(0, 300).map(lambda minor: Money(minor, "INR")),
    datetime: instants(),
    dict[str, str]: st.dictionaries(st.sampled_from(READER.kept), words(), min_size=1),
}


def rows_of(kind: type[Row | Benefit], **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Draw a row of a kind: each member known or unknown."""
    hints = get_type_hints(kind)
    members = {}
    for field in fields(kind):
        if field.name == "benefits":
            members["benefits"] = _many(Benefit)
            continue
        may_be = get_args(hints[field.name])
        known = _VALUES[next(each for each in may_be or (hints[field.name],) if each is not NoneType)]
        members[field.name] = (st.none() | known) if may_be else known
    return st.builds(kind, **(members | given))


def _many(kind: type[Row | Benefit]) -> st.SearchStrategy[tuple[Any, ...]]:
    """Few ids, so that two snapshots share rows."""
    row = rows_of(kind, id=st.sampled_from(("a", "b", "c")))
    return st.lists(row, max_size=3, unique_by=lambda each: each.id).map(tuple)


def snapshots(reader: Reader = READER) -> st.SearchStrategy[Snapshot]:
    """Draw a snapshot of source `order`, with the rows of the others, so that every law holds for those too."""
    return st.builds(
        Snapshot,
        source=st.just(Source.ORDER),
        reader=st.just(reader),
        order=rows_of(Order),
        txns=_many(Txn),
        refunds=_many(Refund).map(in_told_order),
        offers=_many(Offer),
        mandate=st.none() | rows_of(Mandate, id=st.sampled_from(("m1", "m2"))),
        chargebacks=_many(Chargeback),
        credit=st.none() | rows_of(Credit),
        loans=_many(Loan),
        last_updated=st.none() | instants(),
    )


@st.composite
def masked(draw: st.DrawFn, snapshot: Snapshot) -> Snapshot:
    """Draw the same answer with any members unknown and any rows absent."""

    def mask(row: Any) -> Any:
        maskable = [
            f.name for f in fields(row) if f.name != "id" and (type(row) is not Order or f.name != "status")
        ]
        unknown: dict[str, Any] = dict.fromkeys(draw(st.sets(st.sampled_from(maskable))))
        if type(row) is Offer:
            unknown["benefits"] = some(row.benefits)
        return replace(row, **unknown)

    def some(rows: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(mask(row) for row in rows if draw(st.booleans()))

    return replace(
        snapshot,
        order=mask(snapshot.order),
        txns=some(snapshot.txns),
        refunds=in_told_order(some(snapshot.refunds)),
        offers=some(snapshot.offers),
        mandate=next(iter(some((snapshot.mandate,) if snapshot.mandate else ())), None),
        chargebacks=some(snapshot.chargebacks),
        credit=next(iter(some((snapshot.credit,) if snapshot.credit else ())), None),
        loans=some(snapshot.loans),
        last_updated=draw(st.sampled_from((None, snapshot.last_updated))),
    )


def json_values() -> st.SearchStrategy[Any]:
    """Draw any JSON value, numbers beyond every bound included."""
    leaves = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=8)
        | st.sampled_from(("386.00", "00", "1e999999999", "NaN", "-0", 10**400))
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    )
