"""What differs between two snapshots of one source, row by row, in the order in which it is told."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from notifier.domain.snapshot import (
    Benefit,
    Chargeback,
    Credit,
    Loan,
    Mandate,
    Offer,
    Order,
    Refund,
    Row,
    Snapshot,
    Subject,
    Txn,
    in_told_order,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One row that differs; `before` is None when it appeared, `after` when it went."""

    subject: Subject
    subject_id: str | None
    before: Row | None
    after: Row | None


def diff(before: Snapshot | None, after: Snapshot) -> tuple[Change, ...]:
    """Compare two snapshots of one source.

    Returns: one change a differing row, in the order of interface 6.4; vanished rows last. Empty when nothing that
    is declared differs.
    """
    old = {} if before is None else {(subject, row.id): row for subject, row in before.rows()}
    changes = [
        Change(subject=subject, subject_id=row.id, before=old.get((subject, row.id)), after=row)
        for subject, row in after.rows()
        if old.get((subject, row.id)) != row
    ]
    new = {(subject, row.id) for subject, row in after.rows()}
    gone = [
        Change(subject=subject, subject_id=row_id, before=row, after=None)
        for (subject, row_id), row in old.items()
        if (subject, row_id) not in new
    ]
    return (*changes, *gone)


def apply(before: Snapshot, changes: Iterable[Change]) -> Snapshot:
    """Return the snapshot that `changes` lead to: `apply(a, diff(a, b))` has the rows of `b`."""
    rows = {(subject, row.id): row for subject, row in before.rows()}
    for change in changes:
        if change.after is None:
            rows.pop((change.subject, change.subject_id), None)
        else:
            rows[change.subject, change.subject_id] = change.after
    kept = rows.values()
    order = next((row for row in kept if isinstance(row, Order)), None)
    mandate = next((row for row in kept if isinstance(row, Mandate)), None)
    return replace(
        before,
        order=order,
        txns=tuple(row for row in kept if isinstance(row, Txn)),
        refunds=in_told_order(tuple(row for row in kept if isinstance(row, Refund))),
        offers=tuple(row for row in kept if isinstance(row, Offer)),
        mandate=mandate,
        chargebacks=tuple(row for row in kept if isinstance(row, Chargeback)),
        credit=next((row for row in kept if isinstance(row, Credit)), None),
        loans=tuple(row for row in kept if isinstance(row, Loan)),
    )


def members_of(
    snapshot_type_rows: Iterable[type[Row | Benefit]] = (
        Order,
        Txn,
        Refund,
        Offer,
        Benefit,
        Mandate,
        Chargeback,
        Credit,
        Loan,
    ),
) -> set[str]:
    """Return every declared member as `Row.member`, the vocabulary of the present reader."""
    return {f"{row.__name__}.{field.name}" for row in snapshot_type_rows for field in fields(row)}


SCHEMA = 2
"""The number of this reader's vocabulary. A new member raises it and freezes the old vocabulary below."""

_FIRST = {
    "Order": "status amount currency effective_amount amount_refunded maximum_eligible_refund_amount refunded "
    "date_created order_expiry txn_id attempt payment_method_type payment_method auth_type txn_flow_type gateway "
    "gateway_id resp_code resp_category bank_error_code payer_app_name payer_handle",
    "Txn": "id status amount payment_method_type payment_method gateway",
    "Refund": "id status amount sent_to_gateway created gateway_refund_id ref arn refund_type refund_source "
    "error_code expected_refund_credit_time",
    "Offer": "id offer_code status",
    "Mandate": "id status mandate_type max_amount amount_rule frequency start_date end_date",
    "Chargeback": "id status amount",
}

VOCABULARIES: dict[int, frozenset[str]] = {
    1: frozenset(f"{row}.{name}" for row, names in _FIRST.items() for name in names.split()),
    SCHEMA: frozenset(members_of()),
}


def common_vocabulary(one: int, other: int) -> frozenset[str]:
    """Return the members that two readers both know; a reader of unknown number is taken to know them all."""
    everything = VOCABULARIES[SCHEMA]
    return VOCABULARIES.get(one, everything) & VOCABULARIES.get(other, everything)


def adopt(before: Snapshot, after: Snapshot) -> Snapshot:
    """Return `before` as the reader of `after` would have shown it, so that an upgrade is no change (6.8).

    Members and subjects that the two readers do not share are taken from `after`. Under another version date or
    other options the upstream itself may show more, so there a member that was unknown is taken from `after` too.
    """
    if before.reader == after.reader:
        return before
    common = common_vocabulary(before.reader.schema, after.reader.schema)
    subjects = {member.partition(".")[0] for member in common}
    is_revealing = replace(before.reader, schema=after.reader.schema) != after.reader

    def adopted(old: Row, new: Row) -> Row:
        shown = {
            field.name: getattr(new, field.name)
            for field in fields(new)
            if f"{type(new).__name__}.{field.name}" not in common
            or (is_revealing and getattr(old, field.name) is None)
        }
        return replace(old, **shown)

    changes = []
    for change in diff(before, after):
        old, new = change.before, change.after
        if type(new or old).__name__ not in subjects:
            changes.append(change)
        elif old is not None and new is not None:
            changes.append(replace(change, after=adopted(old, new)))
    return apply(before, changes)
