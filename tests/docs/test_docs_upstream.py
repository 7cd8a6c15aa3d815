"""docs/upstream.md: the allow-list is what is decoded, kept and shown, and nothing besides."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from docs_kit import code, page, table

from notifier.domain.change import members_of
from notifier.domain.document import order_document
from notifier.domain.money import Money
from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Chargeback, Credit, Loan, Mandate, Offer, Order, Refund, Snapshot, Txn
from notifier.source import hypercredit, mandate, refusal, wire
from support.builders import NOW, READER

_PAGE = "docs/upstream.md"
_TABLES = ("## Order", "## Parts of an order", "## Refunds", "## Offers", "## Mandate", "## Chargebacks")
_ORDER_ROWS = [row for heading in _TABLES for row in table(_PAGE, heading)]
_LOAN_ROWS, _MANDATE_ROWS = table(_PAGE, "## Loans"), table(_PAGE, "## The mandate call")
_ROWS = _ORDER_ROWS + _LOAN_ROWS + _MANDATE_ROWS
_LISTS = {
    (wire._Order, "txn_list"): wire._Part,
    (wire._Order, "refunds"): wire._Refund,
    (wire._Order, "offers"): wire._Offer,
    (wire._Order, "chargebacks"): wire._Chargeback,
    (hypercredit._CreditOrder, "txn_list"): hypercredit._Application,
}
_VALUES = {str: "X", int: 1, bool: True, Money: Money(100, "INR"), datetime: NOW}


def _decoded(kind: type[msgspec.Struct], before: str = "") -> Iterator[str]:
    """Yield the dotted names of everything that a decoder looks at."""
    for field in msgspec.structs.fields(kind):
        name, inner = before + field.encode_name, _LISTS.get((kind, field.name))
        nested = [
            each
            for each in get_args(field.type)
            if isinstance(each, type) and issubclass(each, msgspec.Struct)
        ]
        if inner is not None:
            yield from _decoded(inner, f"{name}[].")
        elif nested:
            yield from _decoded(nested[0], f"{name}.")
        else:
            yield name


def _whole(kind: type) -> Any:
    """Return a row in which every member is known."""
    members = {}
    for name, hint in get_type_hints(kind).items():
        if name in {field.name for field in fields(kind)}:
            known = [each for each in get_args(hint) or (hint,) if each is not NoneType]
            members[name] = _VALUES[known[0]]
    return kind(**members)


def _shown(document: Any, before: str = "") -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _shown(value, f"{before}{name}.")
        elif isinstance(value, list):
            yield from _shown(value[0], f"{before}{name}[].")
        else:
            yield before + name


def _column(place: int, rows: list[list[str]] = _ROWS) -> set[str]:
    return {word for row in rows for word in code(row[place])}


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        (wire._Order, _ORDER_ROWS),
        (hypercredit._CreditOrder, _LOAN_ROWS),
        (mandate._Status, _MANDATE_ROWS),
    ],
    ids=["order", "hypercredit", "mandate"],
)
def test_every_member_that_is_decoded_is_listed_and_no_other(kind, rows):
    assert {row[0].strip("`") for row in rows} == set(_decoded(kind))


def test_every_member_that_is_kept_is_listed_and_no_other():
    assert _column(1) == members_of()


def test_every_member_that_is_shown_is_listed_and_no_other():
    snapshot = Snapshot(
        source=Source.ORDER,
        reader=READER,
        order=_whole(Order),
        txns=(_whole(Txn),),
        refunds=(_whole(Refund),),
        offers=(_whole(Offer),),
        mandate=_whole(Mandate),
        chargebacks=(_whole(Chargeback),),
        beside=(
            Snapshot(source=Source.HYPERCREDIT, reader=READER, credit=_whole(Credit), loans=(_whole(Loan),)),
        ),
    )

    assert _column(2) == set(_shown(order_document(OrderId("JP1"), snapshot)))


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row[0])
def test_every_member_has_its_evidence(row):
    assert row[3].split(maxsplit=1)[0].rstrip(";:,") in {"documented", "sample", "assumed"}


def test_every_member_that_is_read_of_an_error_is_listed_and_no_other():
    inner = {f"error_info.{field.encode_name}" for field in msgspec.structs.fields(refusal._Info)}
    outer = {field.encode_name for field in msgspec.structs.fields(refusal._Body)} - {"error_info"}

    assert {row[0].strip("`") for row in table(_PAGE, "## Errors")} == outer | inner


def test_what_is_said_never_to_be_decoded_is_not():
    never = set(code(page(_PAGE).partition("## Never decoded")[2]))
    wires = (wire._Order, mandate._Status)
    decoded = {
        part.removesuffix("[]") for kind in wires for name in _decoded(kind) for part in name.split(".")
    }

    assert {"customer_id", "card", "udf1", "mandate_token"} <= never
    assert not never & decoded


def test_the_page_names_every_way_a_poll_can_fail():
    from notifier.source.contract import FailureReason

    assert set(FailureReason) <= set(code(page(_PAGE).partition("## What an answer means")[2]))
