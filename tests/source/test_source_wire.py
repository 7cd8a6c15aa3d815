"""What of an answer reaches the snapshot, told body by body."""

from datetime import UTC, datetime

import pytest
from source_kit import MERCHANT, READER, answer_to, body_of, good, packed, raw, snapshot_of

from notifier.domain.money import Money
from notifier.domain.order import OrderId, Source
from notifier.domain.snapshot import Benefit, Chargeback, Mandate, Offer, Order, Refund, Txn
from notifier.source.contract import Failure, FailureReason
from notifier.source.wire import OrderAnswer, read


def inr(rupees: str) -> Money:
    return Money.parse(rupees, "INR")


def at(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, 4, day, hour, minute, second, tzinfo=UTC)


def test_a_new_order_has_no_member_of_an_attempt():
    snapshot = snapshot_of(body_of("new"))
    assert snapshot.source is Source.ORDER
    assert snapshot.reader == READER
    assert snapshot.last_updated == at(11, 10, 2, 40)
    assert snapshot.order == Order(
        status="NEW",
        upstream_id="ordeh_01",
        amount=inr("120.50"),
        currency="INR",
        effective_amount=inr("120.50"),
        amount_refunded=inr("0"),
        refunded=False,
        date_created=at(11, 10, 0, 5),
        order_expiry=at(11, 10, 15, 5),
    )
    assert snapshot.rows()[1:] == ()


def test_a_paid_order_shows_its_attempt_and_of_its_payer_only_the_provider():
    order = snapshot_of(body_of("upi")).order
    assert order == Order(
        status="CHARGED",
        upstream_id="ordeh_02",
        amount=inr("75"),
        currency="INR",
        effective_amount=inr("75"),
        amount_refunded=inr("0"),
        refunded=False,
        conflicted=False,
        date_created=at(11, 10, 0, 5),
        txn_id="teahouse-TEA2002-1",
        attempt=1,
        txn_uuid="moz77TEA002",
        payment_method_type="UPI",
        payment_method="UPI",
        gateway_id=23,
        gateway_reference_id="tea-sub-1",
        payer_app_name="phonepe",
        payer_handle="oktea",
        txn_status="CHARGED",
        txn_error_code="00",
        txn_amount=inr("75"),
        surcharge_amount=inr("7.50"),
        tax_amount=inr("1.35"),
        gateway="RAZORPAY",
        txn_created=at(11, 10, 1),
        txn_flow_type="COLLECT",
        txn_object_type="TPV_PAYMENT",
        pg_resp_code="captured",
        rrn="611110000321",
        epg_txn_id="pay_Tea000001",
        network_error_code="U30",
        pg_offer_type="CASHBACK",
        pg_offer_availed=True,
        pg_discount_amount=inr("5"),
        risk_status="SUCCESS",
        risk_flagged=False,
        risk_recommended_action="ACCEPT",
    )


def test_refunds_are_told_by_their_instant_under_the_name_that_stays():
    snapshot = snapshot_of(body_of("refunds"))
    assert snapshot.order.attempt == 3
    assert snapshot.order.maximum_eligible_refund_amount == inr("798.75")
    assert snapshot.refunds == (
        Refund(
            id="RQ-A",
            status="SUCCESS",
            amount=inr("501.25"),
            sent_to_gateway=True,
            created=at(12, 8),
            gateway_refund_id="RQ-A_4",
            ref="3.1770426122233344e+31",
            arn="88123400000000000000017",
            refund_type="INSTANT",
            refund_source="PAYU",
            error_code="processed",
            pg_processed_at=at(12, 8, 20),
            bank_processed_at=at(14, 8),
            reversal_type="SETTLED",
        ),
        Refund(
            id="RQ-B",
            status="PENDING",
            amount=inr("200"),
            sent_to_gateway=False,
            created=at(13, 8),
            refund_type="STANDARD",
            expected_refund_credit_time=at(21, 6),
        ),
    )


def test_an_offer_without_an_id_goes_by_its_code():
    assert snapshot_of(body_of("offers")).offers == (
        Offer(
            id="0b9c1f5e-1111-4222-8333-944455556666",
            offer_code="CHAI10",
            status="PARTIALLY_REFUNDED",
            error_code="JP706",
            benefits=(
                Benefit(id="CASHBACK", amount=inr("20.5"), calculation_rule="ABSOLUTE", value="20.5"),
                Benefit(
                    id="DISCOUNT",
                    amount=inr("100"),
                    calculation_rule="PERCENTAGE",
                    value="10",
                    max_amount=inr("150"),
                ),
            ),
        ),
        Offer(id="FREECUP", offer_code="FREECUP", status="AVAILED"),
    )


def test_a_mandate_keeps_its_terms_and_not_its_token():
    assert snapshot_of(body_of("mandate")).mandate == Mandate(
        id="mdt9Qx",
        status="ACTIVE",
        mandate_type="EMANDATE",
        max_amount=inr("2500"),
        amount_rule="VARIABLE",
        frequency="MONTHLY",
        start_date=at(11),
        end_date=datetime(2031, 4, 11, tzinfo=UTC),
        revokable_by_customer=True,
        block_fund=False,
        rule_type="AFTER",
        rule_value="30",
        response_code="FAILURE_MANDATE",
    )


def test_an_order_paid_in_parts_has_one_row_a_part():
    snapshot = snapshot_of(body_of("parts"))
    assert snapshot.order.txn_id is None
    assert snapshot.txns == (
        Txn(
            id="teahouse-TEA2006-1",
            status="CHARGED",
            amount=inr("800"),
            payment_method_type="UPI",
            payment_method="UPI",
            gateway="DUMMY",
            txn_uuid="moz77TEA006",
            rrn="611110000321",
            epg_txn_id="pay_Tea000001",
        ),
        Txn(
            id="teahouse-TEA2006-2",
            status="PENDING_VBV",
            amount=inr("1200"),
            payment_method_type="CARD",
            payment_method="RUPAY",
            gateway="DUMMY",
            txn_uuid="moz77TEA006",
            rrn="611110000321",
            epg_txn_id="pay_Tea000001",
        ),
    )


@pytest.mark.parametrize(
    "names",
    [
        ("chargeback_status", "date_created", "date_resolved"),
        ("chargebackStatus", "dateCreated", "dateResolved"),
    ],
)
def test_a_chargeback_is_read_under_both_assumed_spellings(names):
    body = body_of("chargeback")
    row = body["chargebacks"][0]
    for name, snake in zip(names, ("chargeback_status", "date_created", "date_resolved"), strict=True):
        row[name] = row.pop(snake)
    expected = Chargeback(
        id="cbk_1",
        status="UNDER_REVIEW",
        amount=inr("75"),
        date_created=datetime(2026, 5, 1, tzinfo=UTC),
        date_resolved=datetime(2026, 5, 9, tzinfo=UTC),
    )
    assert snapshot_of(body).chargebacks == (expected,)


def test_personal_members_are_read_for_an_account_that_keeps_them():
    body = body_of("upi")
    assert snapshot_of(body).order.kept is None
    assert snapshot_of(body, keep="customer_id,udf1,udf2").order.kept == {
        "customer_id": body["customer_id"],
        "udf1": body["udf1"],
    }


def test_a_digest_knows_what_is_kept_and_nothing_besides():
    body, other = body_of("upi"), body_of("upi") | {"udf1": "table 5", "udf3": "x"}
    assert good(body).digest == good(other).digest
    assert good(body, keep="udf1").digest != good(other, keep="udf1").digest
    assert good(body, keep="udf2").digest == good(other, keep="udf2").digest
    assert good(body, keep="udf9").digest == good(body | {"udf9": None}, keep="udf9").digest


def test_old_spellings_are_values_and_masks_are_unknown():
    snapshot = snapshot_of(body_of("texts"))
    assert snapshot.order == Order(
        status="CHARGED",
        amount=inr("1620"),
        currency="INR",
        amount_refunded=inr("75.50"),
        refunded=True,
        gateway_id=19,
    )
    assert snapshot.refunds[0].sent_to_gateway is True
    assert snapshot.refunds[0].amount == inr("75.50")
    assert snapshot.offers == ()
    assert snapshot.mandate is None


@pytest.mark.parametrize(
    ("txn_id", "attempt"),
    [
        ("teahouse-TEA2002-25", 25),
        ("TEAHOUSE-tea2002-2", 2),
        ("teahouse-branch-TEA2002-3", 3),
        ("moz77TEA002", None),
        ("old-2019", None),
        ("teahouse-TEA2002", None),
        ("teahouse-TEA2002-x", None),
        ("teahouse-TEA2002-٣", None),
        ("teahouse-TEA9999-3", None),
    ],
)
def test_the_attempt_is_the_number_behind_merchant_and_order(txn_id, attempt):
    order = snapshot_of(body_of("upi") | {"txn_id": txn_id}).order
    assert (order.txn_id, order.attempt) == (txn_id, attempt)


def test_an_order_id_that_ends_in_a_number_is_not_taken_for_an_attempt():
    body = body_of("upi") | {"order_id": "CART-7", "txn_id": "teahouse-CART-7"}
    assert snapshot_of(body).order.attempt is None
    assert snapshot_of(body | {"txn_id": "teahouse-CART-7-2"}).order.attempt == 2


def test_the_inner_payment_address_goes_before_the_outer_one():
    body = body_of("upi")
    body["payer_vpa"] = "meera@outer"
    assert snapshot_of(body).order.payer_handle == "oktea"
    assert snapshot_of(body | {"upi": "FILTERED"}).order.payer_handle == "outer"


def test_of_two_rows_with_one_id_the_last_counts():
    body = body_of("refunds")
    body["refunds"] += [body["refunds"][0] | {"status": "FAILURE"}]
    assert [(row.id, row.status) for row in snapshot_of(body).refunds] == [
        ("RQ-A", "SUCCESS"),
        ("RQ-B", "FAILURE"),
    ]


def test_a_row_without_its_id_is_left_out():
    body = body_of("refunds")
    body["refunds"][0]["unique_request_id"] = None
    assert [row.id for row in snapshot_of(body).refunds] == ["RQ-A"]


def test_a_currency_without_minor_units_is_counted_in_whole_ones():
    order = snapshot_of(
        body_of("new") | {"currency": "JPY", "amount": 120, "effective_amount": "120.0"}
    ).order
    assert (order.amount, order.effective_amount) == (Money(120, "JPY"), Money(120, "JPY"))


@pytest.mark.parametrize("currency", ["FILTERED", None, "rupees", {}])
def test_without_a_currency_no_amount_is_known(currency):
    order = snapshot_of(body_of("new") | {"currency": currency}).order
    assert (order.currency, order.amount, order.effective_amount, order.amount_refunded) == (None,) * 4


@pytest.mark.parametrize("member", ["amount", "effective_amount"])
def test_an_order_amount_that_its_currency_cannot_express_is_malformed(member):
    answer = answer_to(body_of("new") | {member: "120.505"})
    assert answer == Failure(
        reason=FailureReason.MALFORMED, http_status=200, detail="amount does not fit its currency"
    )


@pytest.mark.parametrize("member", ["amount_refunded", "maximum_eligible_refund_amount"])
def test_a_side_amount_that_does_not_fit_is_unknown(member):
    order = snapshot_of(body_of("refunds") | {member: 10.005}).order
    assert getattr(order, member) is None
    assert order.amount == inr("1500")


def test_a_refund_amount_that_does_not_fit_is_unknown():
    body = body_of("refunds")
    body["refunds"][1]["amount"] = "0.001"
    assert [row.amount for row in snapshot_of(body).refunds] == [None, inr("200")]


def test_fractions_are_exact():
    body = packed(body_of("new") | {"amount": 0}).replace(b'"amount": 0', b'"amount": 90071992547409.93')
    answer = read(body, order_id=OrderId("TEA2001"), merchant_id=MERCHANT, reader=READER)
    assert isinstance(answer, OrderAnswer)
    assert answer.snapshot().order.amount == Money(9007199254740993, "INR")


@pytest.mark.parametrize("member", ["offers", "refunds", "txn_detail", "upi", "resp_code", "payment_links"])
def test_a_number_beyond_all_bounds_costs_its_member_alone(member):
    body = packed(body_of("upi") | {member: 0}).replace(
        f'"{member}": 0'.encode(), f'"{member}": 1e400'.encode()
    )
    answer = read(body, order_id=OrderId("TEA2002"), merchant_id=MERCHANT, reader=READER)
    assert isinstance(answer, OrderAnswer)
    assert answer.snapshot().order.amount == inr("75")


def test_long_texts_are_cut():
    order = snapshot_of(body_of("upi") | {"resp_code": "x" * 5000}).order
    assert order.resp_code == "x" * 256


@pytest.mark.parametrize("asked", ["TEA2002", "tea2002", "TeA2002"])
def test_an_order_answers_to_its_id_in_any_ascii_case(asked):
    assert isinstance(answer_to(body_of("upi"), asked), OrderAnswer)


def test_an_id_with_odd_blanks_is_compared_as_it_is():
    assert isinstance(answer_to(body_of("upi") | {"order_id": " a\u00a0b"}), OrderAnswer)


def test_an_id_given_as_a_number_is_the_order_all_the_same():
    number = 120_000_000_000_000_000_000_001
    assert isinstance(answer_to(body_of("upi") | {"order_id": number}, str(number)), OrderAnswer)


@pytest.mark.parametrize("asked", ["TEA2003", "TEA200", "\uff34EA2002"])
def test_another_order_is_refused(asked):
    failure = answer_to(body_of("upi"), asked)
    assert failure == Failure(reason=FailureReason.OTHER_ORDER, http_status=200)


@pytest.mark.parametrize("merchant", ["Teahouse", "coffeehouse"])
def test_an_order_of_another_merchant_is_refused(merchant):
    failure = answer_to(body_of("upi") | {"merchant_id": merchant})
    assert failure == Failure(reason=FailureReason.OTHER_ORDER, http_status=200)


@pytest.mark.parametrize("merchant", [None, "FILTERED", "", {}])
def test_a_merchant_that_is_not_told_is_not_held_against_the_answer(merchant):
    assert isinstance(answer_to(body_of("upi") | {"merchant_id": merchant}), OrderAnswer)


def test_the_word_of_a_status_outweighs_its_number():
    assert snapshot_of(body_of("upi") | {"status_id": 27}).order.status == "CHARGED"
    assert snapshot_of(body_of("upi") | {"status": "BREWED", "status_id": -1}).order.status == "BREWED"


@pytest.mark.parametrize("member", ["order_id", "status"])
@pytest.mark.parametrize("value", [None, "", "FILTERED", {}, [1]])
def test_without_id_or_status_an_answer_is_malformed(member, value):
    failure = answer_to(body_of("upi") | {member: value}, "TEA2002")
    assert isinstance(failure, Failure)
    assert failure.reason is FailureReason.MALFORMED


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"CHARGED"',
        b"<html>Bad gateway</html>",
        raw("upi")[:-20],
        raw("upi") + b"x",
        raw("upi") + raw("upi"),
        b"\xef\xbb\xbf" + raw("upi"),
        raw("upi").replace(b"75,", b"NaN,", 1),
        raw("upi").replace(b"75,", b"075,", 1),
        raw("upi").replace(b"75,", b"1e99999999999999999999,", 1),
        raw("upi").replace(b"75,", b"9" * 5000 + b",", 1),
        raw("upi").replace(b"Meera", b"M\xe9era"),
        raw("upi").replace(b"CHARGED", b"CH\xffRGED"),
        raw("upi").replace(b"Meera", b"\\ud800"),
        raw("upi").replace(b'"upi": {', b'"upi": {,'),
        raw("upi").replace(b'"teahouse",', b'"teahouse", // shop'),
        b'{"order_id":' + b"[" * 50_000,
        b'{"ignored":' + b"[" * 50_000,
    ],
    ids=lambda body: body[:12],
)
def test_what_is_no_strict_json_object_is_malformed(body):
    failure = read(body, order_id=OrderId("TEA2002"), merchant_id=MERCHANT, reader=READER)
    assert isinstance(failure, Failure)
    assert (failure.reason, failure.http_status) == (FailureReason.MALFORMED, 200)


def test_the_digest_has_sixteen_bytes_and_notices_a_change():
    body = body_of("upi")
    assert len(good(body).digest) == 16
    assert good(body).digest != good(body | {"status": "AUTO_REFUNDED"}).digest
