import json
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest
from hypothesis import given

from notifier.domain.document import (
    SAMPLE_TYPES,
    event_document,
    order_document,
    sample_event_document,
)
from notifier.domain.money import Money
from notifier.domain.order import OrderId
from notifier.domain.snapshot import Benefit, Chargeback, Mandate, Offer, Order, Subject, Txn
from support.builders import NOW, a_refund, a_snapshot, an_event, an_order, at, inr, snapshots

JP1 = OrderId("JP1")
ORDER = {"order_id": "JP1", "status": "CHARGED"}
BLOCKS = ("txn_detail", "payment_gateway_response", "risk")
CASHBACK = Benefit(id="CASHBACK", amount=inr("50"), value="10", calculation_rule="PERCENTAGE")
LISTS = ("txn_list", "refunds", "offers", "mandate", "chargebacks")


def test_an_event_has_exactly_the_members_that_receivers_were_promised():
    event = an_event(not_before=at(-1.5), position=1, positions=2, initial=False)
    assert event_document(event, 1042, ORDER) == {
        "id": "evt_" + "0" * 32,
        "type": "order.charged",
        "timestamp": "2026-03-02T06:15:00.000Z",
        "schema": 1,
        "livemode": False,
        "data": {
            "account": "shop",
            "order_id": "JP1",
            "sequence": 1042,
            "order_version": 3,
            "position": 1,
            "positions": 2,
            "source": "order",
            "subject": "order",
            "subject_id": None,
            "field": "status",
            "previous": "PENDING_VBV",
            "current": "CHARGED",
            "phase": "succeeded",
            "observed_at": "2026-03-02T06:15:00.000Z",
            "not_before": "2026-03-02T06:14:58.500Z",
            "initial": False,
            "order": ORDER,
        },
    }


def test_an_event_of_no_order_has_the_same_members():
    event = replace(
        an_event("source.failing"),
        order_id=None,
        order_key=None,
        source=None,
        phase=None,
        order_version=0,
        initial=True,
    )
    document = event_document(event, 1, None)
    assert document.keys() == event_document(an_event(), 1, ORDER).keys()
    assert document["data"].keys() == event_document(an_event(), 1, ORDER)["data"].keys()
    silent = ("order_id", "source", "phase", "not_before", "order")
    assert {document["data"][name] for name in silent} == {None}
    assert document["data"]["initial"] is True


def test_an_order_is_said_in_the_upstreams_own_words():
    snapshot = a_snapshot(
        an_order(
            amount=inr("386"),
            amount_refunded=inr("0"),
            maximum_eligible_refund_amount=inr("386"),
            refunded=False,
            date_created=NOW,
            order_expiry=at(900),
            payment_method_type="UPI",
            payment_method="UPI",
            auth_type="OTP",
            txn_flow_type="INTENT",
            gateway="RAZORPAY",
            gateway_id=0,
            resp_code="00",
            resp_category="OK",
            bank_error_code="",
            payer_app_name="GPay",
            payer_handle="okaxis",
            upstream_id="ordeh_1",
            kept={"udf1": "table 4"},
            txn_status="CHARGED",
            txn_created=NOW,
            txn_amount=inr("386"),
            pg_resp_code="captured",
            pg_offer_availed=False,
            rrn="6061",
            risk_flagged=False,
        ),
        txns=(Txn(id="t1", status="CHARGED", amount=inr("1.5"), gateway="PAYU"),),
        refunds=(a_refund("r1", "SUCCESS", gateway_refund_id="g1", arn="741"),),
        offers=(Offer(id="o1", offer_code="FIRST", status="AVAILED", benefits=(CASHBACK,)),),
        mandate=Mandate(id="m1", status="ACTIVE", max_amount=inr("15000"), start_date=NOW),
        chargebacks=(Chargeback(id="c1", status="RECEIVED", amount=inr("386")),),
    )
    assert order_document(JP1, snapshot) == {
        "order_id": "JP1",
        "id": "ordeh_1",
        "status": "CHARGED",
        "amount": "386.00",
        "currency": "INR",
        "effective_amount": "386.00",
        "amount_refunded": "0.00",
        "maximum_eligible_refund_amount": "386.00",
        "refunded": False,
        "date_created": "2026-03-02T06:15:00.000Z",
        "order_expiry": "2026-03-02T06:30:00.000Z",
        "udf1": "table 4",
        "txn_id": "shop-JP1-1",
        "attempt": 1,
        "payment_method_type": "UPI",
        "payment_method": "UPI",
        "auth_type": "OTP",
        "gateway_id": 0,
        "resp_code": "00",
        "resp_category": "OK",
        "bank_error_code": "",
        "payer_app_name": "GPay",
        "payer_handle": "okaxis",
        "txn_detail": {
            "status": "CHARGED",
            "txn_amount": "386.00",
            "gateway": "RAZORPAY",
            "created": "2026-03-02T06:15:00.000Z",
            "txn_flow_type": "INTENT",
        },
        "payment_gateway_response": {"resp_code": "captured", "rrn": "6061", "offer_availed": False},
        "risk": {"flagged": False},
        "txn_list": [{"txn_id": "t1", "status": "CHARGED", "amount": "1.50", "gateway": "PAYU"}],
        "refunds": [
            {
                "unique_request_id": "r1",
                "status": "SUCCESS",
                "amount": "100.00",
                "sent_to_gateway": False,
                "created": "2026-03-02T06:15:00.000Z",
                "id": "g1",
                "arn": "741",
            }
        ],
        "offers": [
            {
                "offer_id": "o1",
                "offer_code": "FIRST",
                "status": "AVAILED",
                "benefits": [
                    {"type": "CASHBACK", "amount": "50.00", "calculation_rule": "PERCENTAGE", "value": "10"}
                ],
            }
        ],
        "mandate": {
            "mandate_id": "m1",
            "mandate_status": "ACTIVE",
            "max_amount": "15000.00",
            "start_date": "2026-03-02T06:15:00.000Z",
        },
        "chargebacks": [{"id": "c1", "status": "RECEIVED", "amount": "386.00"}],
    }


def test_what_is_unknown_is_left_out():
    assert order_document(JP1, a_snapshot(Order(status="NEW"))) == {"order_id": "JP1", "status": "NEW"}


@pytest.mark.parametrize(
    ("money", "text"),
    [
        (Money(2, "JPY"), "2"),
        (Money(1500, "KWD"), "1.500"),
        (Money(38_600, "INR"), "386.00"),
        (Money(-5, "INR"), "-0.05"),
    ],
)
def test_money_is_decimal_text_with_the_digits_of_its_currency(money, text):
    assert order_document(JP1, a_snapshot(Order(status="NEW", amount=money)))["amount"] == text


@given(snapshots())
def test_any_order_is_json_and_says_every_member_that_is_known(snapshot):
    document = order_document(JP1, snapshot)
    assert json.loads(json.dumps(document)) == document
    order = snapshot.order
    said = {name for name in document if name not in {"order_id", *BLOCKS, *LISTS}}
    said |= {(block, name) for block in BLOCKS for name in document.get(block, {})}
    known = [field.name for field in fields(Order) if getattr(order, field.name) is not None]
    assert len(said) == len(set(known) - {"kept"}) + len(order.kept or {})
    assert len(document.get("refunds", [])) == len(snapshot.refunds)
    assert len(document.get("txn_list", [])) == len(snapshot.txns)
    for row, said_row in zip(snapshot.refunds, document.get("refunds", []), strict=True):
        assert len(said_row) == sum(getattr(row, name) is not None for name in row.__slots__)


# Samples


@pytest.mark.parametrize("event_type", SAMPLE_TYPES)
def test_a_sample_has_the_form_of_an_event(event_type):
    sample = sample_event_document(event_type)
    real = event_document(an_event(), 1, ORDER)
    assert sample.keys() == real.keys()
    assert sample["data"].keys() - {"backlog", "incident"} == real["data"].keys()
    assert ("backlog" in sample["data"]) == (event_type == "heartbeat")
    assert ("incident" in sample["data"]) == event_type.startswith("incident.")
    assert sample["type"] == event_type
    assert sample["data"]["subject"] == event_type.partition(".")[0]
    assert json.loads(json.dumps(sample)) == sample
    assert datetime.fromisoformat(sample["timestamp"]).tzinfo == UTC
    if sample["data"]["order"] is not None:
        assert sample["data"]["order"]["order_id"] == sample["data"]["order_id"]
        assert sample["data"]["order"]["amount"] == "386.00"


def test_samples_speak_of_an_order_where_the_type_does():
    of_orders = {kind for kind in SAMPLE_TYPES if sample_event_document(kind)["data"]["order"] is not None}
    assert {kind.partition(".")[0] for kind in of_orders} == {
        "order", "txn", "refund", "offer", "mandate", "loan", "chargeback", "watch"
    }  # fmt: skip
    assert sample_event_document("refund.sent")["data"]["subject_id"] == "refund-sample"
    assert sample_event_document("order.new")["data"]["subject_id"] is None


@pytest.mark.parametrize(
    ("kind", "field", "previous", "current", "phase"),
    [
        ("order.new", "status", None, "NEW", "open"),
        ("order.authorization_failed", "status", "PENDING_VBV", "AUTHORIZATION_FAILED", "failed"),
        ("order.amount_mismatch", "amount", "500.00", "386.00", "succeeded"),
        ("order.stuck", "status", None, "PENDING_VBV", "open"),
        ("refund.failure", "status", "PENDING", "FAILURE", "succeeded"),
        ("watch.not_found", "state", None, "not_found", "unknown"),
        ("heartbeat", None, None, None, None),
        ("test.ping", None, None, None, None),
    ],
)
def test_a_sample_tells_what_could_really_happen(kind, field, previous, current, phase):
    data = sample_event_document(kind)["data"]
    assert (data["field"], data["previous"], data["current"], data["phase"]) == (
        field, previous, current, phase
    )  # fmt: skip
    assert data["initial"] is False


def test_a_sample_has_the_row_it_speaks_of():
    (refund,) = sample_event_document("refund.failure")["data"]["order"]["refunds"]
    assert (refund["unique_request_id"], refund["status"]) == ("refund-sample", "FAILURE")
    assert sample_event_document("mandate.resumed")["data"]["order"]["mandate"]["mandate_status"] == "ACTIVE"
    assert sample_event_document("order.stuck")["data"]["order"]["status"] == "PENDING_VBV"


def test_there_is_a_sample_of_every_subject():
    assert {kind.partition(".")[0] for kind in SAMPLE_TYPES} == set(Subject)
