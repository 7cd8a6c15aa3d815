"""Changes of an order by name, and what each tells: (type, subject_id, field, previous, current)."""

from dataclasses import replace
from typing import Any

from notifier.domain.snapshot import Mandate, Offer, Order, Refund
from support.builders import a_refund, a_snapshot, an_order, inr

Scenario = tuple[tuple[Any, Any], Any, list[tuple[Any, ...]]]
"""(before, answer), the expectation, what is told."""

ATTEMPT_2 = {"txn_id": "shop-JP1-2", "attempt": 2}
OLD_FORM = {"attempt": None, "txn_id": "65a1"}
NEWER_OLD_FORM = {"attempt": None, "txn_id": "65b2"}
SENT = {"sent_to_gateway": True}


def order(old: str | Order, new: str | Order):
    return a_snapshot(old), a_snapshot(new)


def refunds(old: tuple[Refund, ...], *new: Refund):
    return a_snapshot(refunds=old), a_snapshot(refunds=new)


def mandate(old: str | None, new: str | None, new_id: str = "m1"):
    before = a_snapshot() if old is None else a_snapshot(mandate=Mandate(id="m1", status=old))
    return before, a_snapshot(mandate=Mandate(id=new_id, status=new))


def offer(old: str | None, new: str | None):
    before = a_snapshot() if old is None else a_snapshot(offers=(Offer(id="o1", status=old),))
    return before, a_snapshot(offers=(Offer(id="o1", status=new),))


def both_refunded(whole: str | None, *amounts: str | None, status: str = "SUCCESS"):
    """One refund after the other: the last one succeeds in the second answer."""
    rows = [a_refund(f"r{i}", "SUCCESS", amount=amount and inr(amount)) for i, amount in enumerate(amounts)]
    paid = an_order(effective_amount=whole and inr(whole))
    last = replace(rows[-1], status="PENDING")
    return (
        a_snapshot(paid, refunds=(*rows[:-1], last)),
        a_snapshot(paid, refunds=(*rows[:-1], replace(rows[-1], status=status))),
    )


def status(kind: str, previous: str | None, current: str | None, subject_id: str | None = None):
    return kind, subject_id, "status", previous, current
