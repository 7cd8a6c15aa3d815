"""docs/upstream.md: the allow-list is what is decoded, kept and shown, and nothing besides."""

import json
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from types import NoneType
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from docs_kit import code, page, table

from notifier.config.accounts import Keepable
from notifier.domain.change import diff, members_of
from notifier.domain.document import SAMPLE_TYPES, order_document
from notifier.domain.event import Fact, facts_of
from notifier.domain.money import Money
from notifier.domain.order import OrderId, Source, known_statuses, phase_of, slug
from notifier.domain.snapshot import (
    Benefit,
    Chargeback,
    Credit,
    Loan,
    Mandate,
    Offer,
    Order,
    Refund,
    Snapshot,
    Txn,
    merge,
)
from notifier.source import hypercredit, mandate, members, refusal
from support.beside import seen, whole_credit, whole_mandate
from support.builders import NOW, READER, an_expectation
from support.upstream import MERCHANT, ORDER_ID, Body, whole

_PAGE = "docs/upstream.md"
_TABLES = ("## Order", "## Parts of an order", "## Refunds", "## Offers", "## Mandate", "## Chargebacks")
_ORDER_ROWS = [row for heading in _TABLES for row in table(_PAGE, heading)]
_LOAN_ROWS, _MANDATE_ROWS = table(_PAGE, "## Loans"), table(_PAGE, "## The mandate call")
_ROWS = _ORDER_ROWS + _LOAN_ROWS + _MANDATE_ROWS
_LISTS = {
    (members.Order, "txn_list"): members.Part,
    (members.Order, "refunds"): members.Refund,
    (members.Order, "offers"): members.Offer,
    (members.Offer, "benefits"): members.Benefit,
    (members.Order, "chargebacks"): members.Chargeback,
    (hypercredit._CreditOrder, "txn_list"): hypercredit._Application,
}
_VALUES = {
    str: "X",
    int: 1,
    bool: True,
    Money: Money(100, "INR"),
    datetime: NOW,
    tuple[Benefit, ...]: (Benefit(id="CASHBACK", amount=Money(1, "INR"), calculation_rule="ABSOLUTE", value="1",
                                  max_amount=Money(1, "INR")),),
}  # fmt: skip

_KEPT = table(_PAGE, "## Kept on request")
_LEFT_OUT = table(_PAGE, "## Left out")
_LEFT_OUT_OF_LOANS = table(_PAGE, "### Of HyperCredit")
_LEFT_OUT_OF_MANDATES = table(_PAGE, "### Of the mandate call")
_CALLS = {
    "order": (members.Order, _ORDER_ROWS, _LEFT_OUT, whole),
    "hypercredit": (hypercredit._CreditOrder, _LOAN_ROWS, _LEFT_OUT_OF_LOANS, whole_credit),
    "mandate": (mandate._Status, _MANDATE_ROWS, _LEFT_OUT_OF_MANDATES, whole_mandate),
}
_CHANGES = ("NEW", "CHARGED", "AUTHORIZATION_FAILED", "PENDING", "SUCCESS", "PAUSED", "INITIATED", "X1",
            f"{MERCHANT}-{ORDER_ID}-2", 7, 1500, True, False, "2026-08-01T00:00:00Z", "USD")  # fmt: skip
_OTHER_SPELLINGS = {"chargebackStatus": "chargeback_status"}


def _told_by(body: Body, path: str) -> set[str]:
    """Return the types that a change of one member alone, to or from what it is, can cause."""
    for row in body.get("chargebacks", ()):
        row.pop(_OTHER_SPELLINGS.get(path.rpartition(".")[2]), None)
    one, told = seen(body), set()
    for way in _ways(path.split("."), body):
        for value in _CHANGES:
            other = seen(_put(body, way, value))
            for before, answer in ((one, other), (other, one)):
                if before is not None and answer is not None:
                    after = merge(before, answer)
                    told |= {_type_of(fact) for fact in facts_of(diff(before, after), after, _EXPECTED)}
    return told


_EXPECTED = an_expectation("1500", "1500")


def _ways(names: list[str], holder: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each place that dotted names lead to."""
    name, *rest = names
    if not rest:
        yield (name,)
    elif name.endswith("[]"):
        rows = holder[name.removesuffix("[]")]
        yield from ((name[:-2], i, *way) for i, row in enumerate(rows) for way in _ways(rest, row))
    else:
        yield from ((name, *way) for way in _ways(rest, holder[name]))


def _put(body: Body, way: tuple[Any, ...], value: Any) -> Body:
    copy = json.loads(json.dumps(body))
    holder = copy
    for key in way[:-1]:
        holder = holder[key]
    holder[way[-1]] = value
    return copy


def _type_of(fact: Fact) -> str:
    is_word = (
        fact.field in {"status", "sub_status"} and fact.type == f"{fact.subject}.{slug(fact.current or '')}"
    )
    return f"{fact.subject}.<word>" if is_word else fact.type


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
        if name in {field.name for field in fields(kind)} - {"kept"}:
            known = [each for each in get_args(hint) if each is not NoneType]
            members[name] = _VALUES[hint if hint in _VALUES else known[0]]
    return kind(**members)


def _shown(document: Any, before: str = "") -> Iterator[str]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _shown(value, f"{before}{name}.")
        elif isinstance(value, list) and value:
            yield from _shown(value[0], f"{before}{name}[].")
        else:
            yield before + name


def _column(place: int, rows: list[list[str]] = _ROWS) -> set[str]:
    return {word for row in rows for word in code(row[place])}


@pytest.mark.parametrize("call", _CALLS)
def test_every_member_that_is_decoded_is_listed_and_no_other(call):
    kind, rows, *_ = _CALLS[call]
    assert _column(0, rows) == set(_decoded(kind))


def test_every_member_that_is_kept_is_listed_and_no_other():
    assert _column(1) == members_of() - {"Order.kept"}


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


@pytest.mark.parametrize(
    "row", [*_ROWS, *_KEPT, *_LEFT_OUT, *_LEFT_OUT_OF_LOANS, *_LEFT_OUT_OF_MANDATES], ids=lambda row: row[0]
)
def test_every_member_has_its_evidence(row):
    evidence, _, documents = row[-1].partition(";")[0].partition(":")[0].partition(" ")
    assert evidence in {"documented", "sample", "assumed"}
    assert bool(documents) == (evidence == "documented")
    assert documents == "".join(letter for letter in "SOMBH" if letter in documents)


@pytest.mark.parametrize(
    ("call", "path"), [(call, path) for call in _CALLS for path in sorted(_column(0, _CALLS[call][1]))]
)
def test_a_change_of_a_member_tells_what_the_page_says(call, path):
    _, rows, _, body = _CALLS[call]
    documented = {word for row in rows if path in code(row[0]) for word in code(row[3])}

    assert _told_by(body(), path) == documented - {"order.stuck", "refund.overdue"}


def test_deadlines_hang_on_members_that_say_so():
    """What these tell is told later, by a deadline: tests/domain/test_domain_deadlines.py."""
    by_deadline = {"order.stuck", "refund.overdue"}

    assert {row[0].strip("`") for row in _ROWS if by_deadline & set(code(row[3]))} == {
        "order_expiry",
        "refunds[].created",
        "refunds[].expected_refund_credit_time",
    }


def test_what_may_be_kept_is_listed_and_no_other():
    assert {word for row in _KEPT for word in code(row[0])} == set(get_args(Keepable))


def test_every_status_is_listed_with_its_phase_and_type():
    rows = [row for row in table(_PAGE, "## Statuses") if code(row[0])]

    assert [row[0].strip("`") for row in rows] == list(known_statuses())
    for row in rows:
        (status,) = code(row[0])
        assert row[2] == phase_of(status)
        assert code(row[3]) == [f"order.{slug(status)}"]


def test_every_word_of_a_row_is_listed_with_its_type():
    rows = table(_PAGE, "### Statuses of rows")
    typed = {f"{row[0]}.{slug(word)}" for row in rows for word in code(row[1])}
    subjects = ("refund.", "offer.", "mandate.", "loan.")
    derived = {"refund.created", "refund.sent", "refund.arn_available", "refund.overdue", "mandate.resumed"}

    assert typed == {kind for kind in SAMPLE_TYPES if kind.startswith(subjects)} - derived
    assert all(f"{row[0]}.{slug(word)}" in code(row[3]) for row in rows for word in code(row[1]))


def test_every_member_that_is_read_of_an_error_is_listed_and_no_other():
    inner = {f"error_info.{field.encode_name}" for field in msgspec.structs.fields(refusal._Info)}
    outer = {field.encode_name for field in msgspec.structs.fields(refusal._Body)} - {"error_info"}

    assert {row[0].strip("`") for row in table(_PAGE, "## Errors")} == outer | inner


@pytest.mark.parametrize("call", _CALLS)
def test_what_is_left_out_is_not_decoded(call):
    _, rows, left_out, _ = _CALLS[call]
    decoded = _column(0, rows) | {name.rpartition(".")[0].removesuffix("[]") for name in _column(0, rows)}

    assert not _column(0, left_out) & decoded
    assert all(row[1] for row in left_out)


def test_what_is_personal_or_secret_is_said_to_be_left_out():
    assert {"customer_email", "card", "mandate.mandate_token", "juspay"} <= _column(0, _LEFT_OUT)
    assert {"customer_email", "txn_list[].payment_gateway_response.resp_message"} <= _column(
        0, _LEFT_OUT_OF_LOANS
    )
    assert {"mandate_token", "mandate_debit_token", "payment_info"} <= _column(0, _LEFT_OUT_OF_MANDATES)
    assert not _column(0, _LEFT_OUT) & set(get_args(Keepable))


@pytest.mark.parametrize("call", _CALLS)
def test_of_an_answer_with_everything_in_it_nothing_is_unheard_of(call):
    """Whatever our fullest body has is either decoded, kept on request, or left out for a reason."""
    _, rows, left_out, body = _CALLS[call]
    named = _column(0, rows + left_out) | (_column(0, _KEPT) if call == "order" else set())
    of_parts = {f"txn_list[].{name}" for name in (*named, "offers")} if call == "order" else set()

    for path in _shown(body()):
        holders = {path[:i] for i in range(len(path)) if path[i] in ".["}
        assert (holders | {path}) & (named | of_parts), path


def test_the_page_names_every_way_a_poll_can_fail():
    from notifier.source.contract import FailureReason

    assert set(FailureReason) <= set(code(page(_PAGE).partition("## What an answer means")[2]))
