"""Loan statuses of HyperCredit: what is read of a body, and how it is asked for."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from source_kit import KEY, MERCHANT, READER, account, body_of, packed, paths, put, raw, serving

from notifier.config.accounts import Account
from notifier.domain.change import diff
from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Credit, Loan, merge
from notifier.source.contract import Failure, FailureReason
from notifier.source.hypercredit import CreditAnswer, hypercredit_source, read
from support.builders import inr, json_values
from support.clock import FakeClock

ORDER_ID = OrderId("CART-LOAN-7")
PEOPLE = ("Mira", "9000011111", "mira@tea", "LSP77aa01", "Person", "ROI")


def answer_to(body, order_id=ORDER_ID):
    return read(packed(body), order_id=order_id, merchant_id=MERCHANT, reader=READER)


def good(body):
    answer = answer_to(body)
    assert isinstance(answer, CreditAnswer), answer
    return answer


def test_a_body_becomes_its_applications_by_id():
    snapshot = good(body_of("loans")).snapshot()
    assert snapshot.source is Source.HYPERCREDIT
    assert snapshot.order is None
    assert snapshot.credit == Credit(
        order_status="PENDING_VBV", amount=inr("42500"), currency="INR",
        date_created=datetime(2026, 4, 2, 8, 0, 12, 345_000, tzinfo=UTC),
    )  # fmt: skip
    assert [loan.id for loan in snapshot.loans] == ["LSPaaa1", "LSPbbb2"]
    assert snapshot.loans[1] == Loan(
        id="LSPbbb2", status="PENDING_VBV", sub_status="Agreement Singed", amount=inr("42000.50"),
        intent_amount=inr("42500"), created=datetime(2026, 4, 2, 8, 10, 0, 123_000, tzinfo=UTC),
        payment_method_type="FIBE_LSP", payment_method="FIBE_LSP", application_id="LAI2002",
        gateway_reference_id="tealsp",
    )  # fmt: skip


def test_a_lenders_message_and_the_customer_are_nowhere_in_an_answer():
    answer = good(body_of("loans"))
    told = repr(answer.snapshot()) + repr(answer) + repr(answer._order) + repr(answer._applications)
    assert not [name for name in PEOPLE if name in told]


def test_a_number_beyond_all_bounds_loses_nothing_else():
    whole, odd = body_of("loans"), packed(body_of("loans") | {"txn_list": "HERE"})
    rows = whole["txn_list"]
    raw_rows = packed([rows[0] | {"payment_gateway_response": "HERE"}, rows[1]]).replace(b'"HERE"', b"1e999")
    answer = read(odd.replace(b'"HERE"', raw_rows), order_id=ORDER_ID, merchant_id=MERCHANT, reader=READER)
    assert isinstance(answer, CreditAnswer), answer
    seen, before = answer.snapshot(), good(whole).snapshot()
    assert (seen.credit, seen.loans[0]) == (before.credit, before.loans[0])
    assert seen.loans[1] == replace(before.loans[1], application_id=None)


@pytest.mark.parametrize("word", ["FILTERED", None, "NA"])
def test_an_order_status_that_nobody_is_told_loses_no_loan(word):
    whole, seen = (
        good(body).snapshot() for body in (body_of("loans"), body_of("loans") | {"order_status": word})
    )
    assert seen.loans == whole.loans
    assert seen.credit == replace(whole.credit, order_status=None)


def test_before_an_offer_is_chosen_there_is_no_application():
    snapshot = good(body_of("loans") | {"txn_list": [], "order_status": "NEW"}).snapshot()
    assert snapshot.loans == ()
    assert snapshot.credit is not None


@pytest.mark.parametrize(
    "member", [{"status": "PENDING", "status_id": 2}, {"status": None}, {"status": "CHARGED"}]
)
def test_the_status_of_the_call_changes_nothing(member):
    assert good(body_of("loans") | member).digest == good(body_of("loans")).digest


def test_ids_inside_a_row_are_not_compared():
    plain = body_of("loans")
    inner = put(plain, ("txn_list", 0, "txn_detail", "txn_id"), "LSPbbb2")
    assert good(inner).digest == good(plain).digest


def test_a_lone_application_may_come_as_an_object():
    body = body_of("loans")
    body["txn_list"] = body["txn_list"][0]
    assert [loan.id for loan in good(body).snapshot().loans] == ["LSPbbb2"]


@pytest.mark.parametrize("missing", [None, "NA", "FILTERED"])
def test_a_loan_whose_id_is_missing_is_no_second_loan_under_its_other_id(missing):
    before = good(body_of("loans")).snapshot()
    seen = good(put(body_of("loans"), ("txn_list", 0, "txn_id"), missing)).snapshot()
    assert [loan.id for loan in seen.loans] == ["LSPaaa1"]
    assert diff(before, merge(before, seen)) == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"order_id": "CART-LOAN-8"}, FailureReason.OTHER_ORDER),
        ({"merchant_id": "coffeehouse"}, FailureReason.OTHER_ORDER),
        ({"order_id": None}, FailureReason.MALFORMED),
        ({"order_status": None, "txn_list": []}, FailureReason.MALFORMED),
        ({"order_status": "NA", "txn_list": [{"status": "NEW"}]}, FailureReason.MALFORMED),
        ({"status": "NOT_FOUND", "status_id": 40}, FailureReason.NOT_FOUND),
        ({"status": "error", "error_code": "access_denied"}, FailureReason.REFUSED),
    ],
)
def test_a_200_that_is_not_about_this_order_is_no_answer(change, reason):
    answer = answer_to(body_of("loans") | change)
    assert isinstance(answer, Failure)
    assert answer.reason is reason


def test_the_order_id_is_the_same_in_any_case():
    assert isinstance(answer_to(body_of("loans") | {"order_id": "cart-loan-7"}), CreditAnswer)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{'a': 1}", b"\xff{}", raw("loans")[:-2]])
def test_what_is_no_json_of_a_loan_is_malformed(body):
    answer = read(body, order_id=ORDER_ID, merchant_id=MERCHANT, reader=READER)
    assert isinstance(answer, Failure)
    assert answer.reason is FailureReason.MALFORMED


@given(st.sampled_from(paths(body_of("loans"))), json_values())
def test_any_value_of_any_member_is_an_answer_or_a_failure(way, value):
    answer = read(
        json.dumps(put(body_of("loans"), way, value)).encode(),
        order_id=ORDER_ID, merchant_id=MERCHANT, reader=READER,
    )  # fmt: skip
    if isinstance(answer, CreditAnswer):
        assert answer.snapshot().source is Source.HYPERCREDIT
    else:
        assert isinstance(answer, Failure)


def credited(url: str) -> Account:
    settings = {"credit": {"base_url": url, "api_key_env": "CREDIT"}}
    given = {"merchant_id": MERCHANT, "api_key_env": "KEY", "version": "2024-05-01"} | settings
    return Account.model_validate(given, context={"KEY": KEY, "CREDIT": "credit-k3y"})


async def test_it_is_asked_on_its_own_host_with_its_own_key_and_both_spellings_of_the_merchant():
    async def loan(_request):
        return web.json_response(body_of("loans"))

    async with serving(loan) as (url, seen):
        asked = credited(url)
        source = hypercredit_source("tea", asked, asked.credit, clock=FakeClock())
        try:
            answer = await source.fetch(ORDER_ID, routing_id="cst_1", mandate_id="m1")
        finally:
            await source.close()
    assert isinstance(answer, CreditAnswer)
    (request,) = seen
    assert (request.method, request.raw_path) == ("GET", "/credit/order/CART-LOAN-7")
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"credit-k3y:"
    assert request.headers["x-merchantid"] == request.headers["x-merchant-id"] == MERCHANT
    assert request.headers["version"] == "2024-05-01" == source.reader.version
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "x-routing-id" not in request.headers


def test_an_account_has_no_credit_unless_it_says_so():
    assert account().credit is None
