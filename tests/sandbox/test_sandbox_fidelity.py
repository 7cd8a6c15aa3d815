"""Shape facts of real answers, written by hand: every member a body has must be known, with a known type."""

import json
import random

import pytest

from notifier.sandbox.bodies.order import order_body
from notifier.sandbox.frame import Frame, number
from notifier.sandbox.lives.chance import random_life
from notifier.sandbox.lives.scenario import Method
from notifier.sandbox.lives.scripts import SCRIPTS
from support.clock import START

FRAME = Frame(merchant_id="sandboxmart", created_at=START)
NONE = type(None)
NUMBER = (int, float)

LINKS = {"iframe": str, "web": str, "mobile": str}
HEAD = {
    "customer_email": str,
    "customer_phone": str,
    "customer_id": str,
    "status_id": int,
    "status": str,
    "id": str,
    "merchant_id": str,
    "amount": NUMBER,
    "currency": str,
    "order_id": str,
    "date_created": str,
    "last_updated": str,
    "return_url": str,
    "product_id": str,
    "payment_links": LINKS,
    **{f"udf{n}": str for n in range(1, 11)},
    "refunded": bool,
    "amount_refunded": NUMBER,
    "effective_amount": NUMBER,
    "offers": list,
}
TRIED = {
    "txn_id": str,
    "payment_method_type": str,
    "auth_type": str,
    "payment_method": str,
    "resp_code": (str, NONE),
    "resp_message": (str, NONE),
    "bank_error_code": str,
    "bank_error_message": str,
    "resp_category": (str, NONE),
    "txn_uuid": str,
    "txn_detail": {
        "txn_id": str,
        "order_id": str,
        "status": str,
        "error_code": (str, NONE),
        "net_amount": NUMBER,
        "surcharge_amount": NONE,
        "tax_amount": NONE,
        "txn_amount": NUMBER,
        "offer_deduction_amount": (*NUMBER, NONE),
        "gateway_id": int,
        "currency": str,
        "express_checkout": bool,
        "redirect": bool,
        "txn_uuid": str,
        "gateway": str,
        "error_message": str,
        "created": str,
        "txn_flow_type": str,
        "metadata": {"payment_channel": str, "microapp": str},
    },
    "gateway_id": int,
    "metadata": dict,
    "gateway_reference_id": (str, NONE),
}
DETAIL_SOMETIMES = {
    "last_updated": str,
    "response_code": str,
    "response_message": str,
    "txn_object_type": str,
    "source_object": str,
    "source_object_id": str,
}
ANSWER = {
    "resp_code": (str, NONE),
    "rrn": (str, NONE),
    "created": str,
    "epg_txn_id": (str, NONE),
    "resp_message": (str, NONE),
    "auth_id_code": (str, NONE),
    "txn_id": str,
    "network_error_message": NONE,
    "network_error_code": NONE,
}
CARD = {
    **dict.fromkeys(
        [
            "expiry_year",
            "card_reference",
            "expiry_month",
            "name_on_card",
            "card_issuer",
            "last_four_digits",
            "card_fingerprint",
            "card_isin",
            "card_type",
            "card_brand",
            "card_issuer_country",
            "juspay_bank_code",
            "extended_card_type",
            "token_type",
            "payment_account_reference",
        ],
        str,
    ),
    "saved_to_locker": bool,
    "using_saved_card": bool,
    "using_token": bool,
    "tokens": list,
}
UPI = {"payer_vpa": str, "txn_flow_type": str}
REFUND = {
    "id": (str, NONE),
    "amount": NUMBER,
    "unique_request_id": str,
    "ref": (str, NONE),
    "created": str,
    "status": str,
    "error_message": str,
    "sent_to_gateway": bool,
    "initiated_by": str,
    "refund_source": str,
    "refund_type": str,
    "error_code": (str, NONE),
}
DONE = {
    "last_updated": str,
    "pg_processed_at": str,
    "metadata": {"speed_processed": str, "speed_requested": str},
    "reversal_type": str,
}
OFFER = {
    "offer_id": str,
    "offer_code": str,
    "status": str,
    "benefits": list,
    "metadata": {"minimum_order_amount": str},
}
BENEFIT = {
    "type": str,
    "calculation_info": {"value": int, "calculation_rule": str, "max_amount": NUMBER},
    "amount": NUMBER,
}
MANDATE = {
    "mandate_id": str,
    "mandate_token": str,
    "mandate_status": str,
    "mandate_type": str,
    "start_date": str,
    "end_date": str,
    "revokable_by_customer": bool,
    "block_fund": bool,
    "max_amount": int,
    "amount_rule": str,
    "frequency": str,
    "rule_type": str,
    "rule_value": int,
}
BANK = {"beneficiary_name": str, "account_number": str, "bank_name": str, "ifsc": str}


def body_of(
    name: str, age_s: float, *, amount: int = 249_50, method: Method | None = None, full: bool = False
):
    life = SCRIPTS[name].life(order_id="OWCARD00000001", amount=amount, method=method)
    return order_body(life, age_s, FRAME, full_gateway_response=full)


def check(value, shape, where: str = "body") -> None:
    """All of the shape's members are there with its types, and no others."""
    if not isinstance(shape, dict):
        assert isinstance(value, shape), f"{where} is {value!r}"
        assert not (isinstance(value, bool) and shape in {int, NUMBER}), f"{where} is a bool"
        return
    assert value.keys() == shape.keys(), f"{where}: {value.keys() ^ shape.keys()}"
    for name, inner in shape.items():
        check(value[name], inner, f"{where}.{name}")


LATE_S = 1e6


@pytest.mark.parametrize(
    ("situation", "body", "shape"),
    [
        ("new", body_of("charged", 0), HEAD | {"order_expiry": str}),
        (
            "pending card",
            body_of("charged_card", 40),
            HEAD | TRIED | {"card": CARD},
        ),
        (
            "pending upi intent",
            body_of("delayed", 20),
            HEAD | TRIED | {"payer_app_name": str, "upi": {"txn_flow_type": str, "payer_app": str}},
        ),
        ("authorizing", body_of("authorizing", 200), HEAD | TRIED | {"payment_gateway_response": ANSWER}),
        (
            "charged card",
            body_of("charged_card", LATE_S),
            HEAD
            | TRIED
            | {
                "card": CARD,
                "maximum_eligible_refund_amount": NUMBER,
                "payment_gateway_response": ANSWER,
                "txn_detail": TRIED["txn_detail"] | {"last_updated": str},
            },
        ),
        (
            "charged upi collect",
            body_of("charged", LATE_S),
            HEAD
            | TRIED
            | {
                "payer_vpa": str,
                "payer_app_name": str,
                "upi": UPI,
                "maximum_eligible_refund_amount": NUMBER,
                "payment_gateway_response": ANSWER,
                "txn_detail": TRIED["txn_detail"] | {"last_updated": str},
            },
        ),
        (
            "authorization failed",
            body_of("failed", LATE_S),
            HEAD
            | TRIED
            | {
                "card": CARD,
                "payment_gateway_response": ANSWER,
                "txn_detail": TRIED["txn_detail"] | {"response_code": str, "response_message": str},
            },
        ),
        (
            "authentication failed wallet",
            body_of("authentication_failed", LATE_S),
            HEAD
            | TRIED
            | {
                "wallet": {"txn_flow_type": str},
                "payment_gateway_response": ANSWER,
                "txn_detail": TRIED["txn_detail"] | {"response_code": str, "response_message": str},
            },
        ),
        ("declined", body_of("declined", LATE_S), HEAD | TRIED | {"payment_gateway_response": ANSWER}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_body_has_the_members_and_types_of_its_situation(situation, body, shape):
    check(body, shape)


@pytest.mark.parametrize(
    ("name", "age_s", "shape"),
    [
        ("refund", 400, REFUND | {"expected_refund_credit_time": str}),
        ("refund", 1300, REFUND | {"expected_refund_credit_time": str}),
        ("refund", 5000, REFUND | DONE),
        ("refund", LATE_S, REFUND | DONE | {"arn": str}),
        ("refund_failed", LATE_S, REFUND | {"pg_declined_at": str}),
        ("refund_manual_review", LATE_S, REFUND),
        ("auto_refunded", LATE_S, REFUND | DONE | {"arn": str}),
    ],
)
def test_a_refund_row_has_the_members_of_its_stage(name, age_s, shape):
    (row,) = body_of(name, age_s)["refunds"]
    check(row, shape)


def test_a_queued_refund_has_neither_id_nor_reference():
    (row,) = body_of("refund", 400)["refunds"]
    assert (row["id"], row["ref"], row["sent_to_gateway"], row["status"]) == (None, None, False, "PENDING")


def test_a_sent_refund_is_still_pending():
    (row,) = body_of("refund", 1300)["refunds"]
    assert (row["ref"], row["sent_to_gateway"], row["status"]) == (None, True, "PENDING")
    assert row["id"] == row["unique_request_id"]


def test_a_pending_refund_counts_and_a_failed_one_does_not():
    asked, failed = body_of("refund_failed", 400), body_of("refund_failed", LATE_S)
    money = ("refunded", "amount_refunded", "maximum_eligible_refund_amount")
    assert tuple(asked[name] for name in money) == (True, 249.5, 0)
    assert tuple(failed[name] for name in money) == (False, 0, 249.5)


def test_half_a_refund_is_not_refunded():
    body = body_of("partial_refund", LATE_S, amount=2001_00)
    assert (body["refunded"], body["amount_refunded"]) == (False, 1000.5)
    assert body["maximum_eligible_refund_amount"] == 1000.5


def test_a_refund_leaves_the_status_alone_and_an_auto_refund_does_not():
    assert body_of("refund", LATE_S)["status"] == "CHARGED"
    auto = body_of("auto_refunded", LATE_S)
    assert (auto["status"], auto["status_id"], auto["refunded"]) == ("AUTO_REFUNDED", 36, True)
    assert "maximum_eligible_refund_amount" not in auto


def test_the_refunds_key_is_absent_when_there_is_none():
    assert "refunds" not in body_of("charged", LATE_S)


@pytest.mark.parametrize(
    ("name", "age_s", "status", "error"),
    [
        ("offer", 20, "INITIATED", {}),
        ("offer", LATE_S, "AVAILED", {}),
        ("offer_refunded", LATE_S, "REFUNDED", {}),
        ("offer_failed", LATE_S, "FAILED", {"error_code": str, "error_message": str, "metadata": str}),
    ],
)
def test_an_offer_follows_the_payment(name, age_s, status, error):
    (offer,) = body_of(name, age_s, amount=1000_00)["offers"]
    check(offer, OFFER | error)
    check(offer["benefits"][0], BENEFIT)
    assert offer["status"] == status


def test_an_offer_cuts_what_is_paid():
    body = body_of("offer_refunded", LATE_S, amount=1000_00)
    assert (body["amount"], body["effective_amount"], body["amount_refunded"]) == (1000, 900, 900)
    assert body["txn_detail"]["offer_deduction_amount"] == 100


def test_a_mandate_is_created_then_active():
    pending, active = body_of("mandate", 30), body_of("mandate", LATE_S)
    check(active["mandate"], MANDATE | {"bank_details": BANK})
    assert (pending["mandate"]["mandate_status"], active["mandate"]["mandate_status"]) == (
        "CREATED",
        "ACTIVE",
    )
    assert active["txn_detail"]["txn_object_type"] == "EMANDATE_REGISTER"
    assert "mandate" not in body_of("mandate", 0)


def test_a_refused_mandate_says_so_and_a_upi_mandate_has_no_bank():
    refusal = {"response_code": str, "response_message": str}
    check(body_of("mandate_failed", LATE_S)["mandate"], MANDATE | {"pg_response": refusal})
    check(body_of("mandate_revoked", LATE_S)["mandate"], MANDATE)
    assert body_of("mandate_revoked", LATE_S)["mandate"]["mandate_status"] == "REVOKED"


def test_the_raw_gateway_answer_comes_only_on_request():
    assert "gateway_response" not in body_of("charged", LATE_S)["payment_gateway_response"]
    raw = body_of("charged", LATE_S, full=True)["payment_gateway_response"]["gateway_response"]
    assert raw["amount"] == 249_50
    assert "payment_gateway_response" not in body_of("charged", 20, full=True)


def test_the_transaction_id_ends_in_the_attempt():
    assert body_of("retry", 100)["txn_id"] == "sandboxmart-OWCARD00000001-1"
    first, second = body_of("retry", 100), body_of("retry", LATE_S)
    assert second["txn_id"] == "sandboxmart-OWCARD00000001-2" == second["txn_detail"]["txn_id"]
    assert first["id"] == second["id"]
    assert first["txn_uuid"] != second["txn_uuid"]


def test_a_refund_does_not_move_last_updated_and_a_status_does():
    assert (
        body_of("refund", 50)["last_updated"]
        == "2026-03-02T06:15:46Z"
        == body_of("refund", LATE_S)["last_updated"]
    )
    assert body_of("refund", 20)["last_updated"] == "2026-03-02T06:15:12Z"


def test_speed_brings_instants_closer():
    life = SCRIPTS["retry"].life(order_id="O", amount=1)
    body = order_body(life, LATE_S, Frame(merchant_id="m", created_at=START, speed=60))
    assert body["last_updated"] == "2026-03-02T06:15:03Z"


@pytest.mark.parametrize(
    ("hundredths", "text"), [(900000, "9000"), (24950, "249.5"), (100056, "1000.56"), (1, "0.01"), (0, "0")]
)
def test_amounts_are_numbers_in_rupees(hundredths, text):
    assert json.dumps(number(hundredths)) == text


@pytest.mark.parametrize("method", list(Method))
def test_a_paid_body_is_of_the_usual_size(method):
    assert 2000 < len(json.dumps(body_of("charged", LATE_S, method=method), indent=2)) < 4200


def test_random_lives_hold_no_unknown_members_at_any_age():
    dice = random.Random(5)
    known = (
        HEAD
        | TRIED
        | {"order_expiry": str, "card": dict, "upi": dict, "payer_vpa": str, "payer_app_name": str}
    )
    known |= {"wallet": dict, "maximum_eligible_refund_amount": NUMBER, "payment_gateway_response": dict}
    known |= {"refunds": list, "mandate": dict}
    for n in range(200):
        life = random_life(f"O{n}", dice)
        for age_s in (0, *(step.at_s for step in life.steps)):
            body = order_body(life, age_s, FRAME)
            assert body.keys() <= known.keys()
            detail = body.get("txn_detail", {})
            assert detail.keys() <= (TRIED["txn_detail"] | DETAIL_SOMETIMES).keys()
            assert (body["status"] == "NEW") == ("txn_id" not in body)
