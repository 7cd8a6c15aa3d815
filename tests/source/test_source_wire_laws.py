"""Laws of reading: nothing raises, nothing masked is a change, nothing personal passes, equal digests mean equal."""

import json
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from source_kit import MERCHANT, ORDERS, READER, answer_to, body_of, good, packed, paths, put, snapshot_of

from notifier.domain.change import diff
from notifier.domain.order import OrderId
from notifier.domain.snapshot import merge
from notifier.source.contract import Failure, FailureReason
from notifier.source.wire import OrderAnswer, read

MASKS = ["FILTERED", "", "NA", "null", None, {}, [], {"x": [1]}, ["x"], [None, {}, "x", 3]]
ERRORS = ("error_invalid", "error_denied", "error_no_txn")
SECRET = "Meera-9811100022"

# The allow-list: what may reach a snapshot, by its place in a body. Positions in lists are left out.
KEPT = {
    (): ("status", "amount", "currency", "effective_amount", "amount_refunded", "maximum_eligible_refund_amount",
         "refunded", "date_created", "last_updated", "order_expiry", "txn_id", "payment_method_type", "payment_method",
         "auth_type", "gateway_id", "resp_code", "resp_category", "bank_error_code", "payer_app_name", "order_id",
         "merchant_id", "id", "conflicted", "txn_uuid", "gateway_reference_id"),
    ("txn_detail",): ("gateway", "txn_flow_type", "status", "error_code", "txn_amount", "surcharge_amount",
                      "tax_amount", "offer_deduction_amount", "created", "txn_object_type"),
    ("payment_gateway_response",): ("resp_code", "rrn", "epg_txn_id", "auth_id_code", "network_error_code",
                                    "offer_type", "offer_availed", "discount_amount"),
    ("risk",): ("status", "flagged", "recommended_action"),
    ("txn_list",): ("txn_id", "txn_uuid", "status", "payment_method_type", "payment_method", "auth_type", "resp_code",
                    "resp_category", "bank_error_code", "payer_app_name"),
    ("txn_list", "txn_detail"): ("gateway", "txn_amount"),
    ("txn_list", "payment_gateway_response"): ("rrn", "epg_txn_id"),
    ("refunds",): ("unique_request_id", "id", "status", "amount", "sent_to_gateway", "created", "ref", "arn",
                   "refund_type", "refund_source", "error_code", "expected_refund_credit_time", "pg_processed_at",
                   "pg_declined_at", "bank_processed_at", "reversal_type"),
    ("offers",): ("offer_id", "offer_code", "status", "error_code"),
    ("offers", "benefits"): ("type", "amount"),
    ("offers", "benefits", "calculation_info"): ("value", "calculation_rule", "max_amount"),
    ("mandate",): ("mandate_id", "mandate_status", "mandate_type", "max_amount", "amount_rule", "frequency",
                   "start_date", "end_date", "revokable_by_customer", "block_fund", "rule_type", "rule_value"),
    ("mandate", "pg_response"): ("response_code",),
    ("chargebacks",): ("id", "amount", "chargeback_status", "chargebackStatus", "date_created", "dateCreated",
                       "date_resolved", "dateResolved"),
}  # fmt: skip

MEMBERS = sorted(
    {name for way, names in KEPT.items() for name in (*way, *names)}
    | {"upi", "payer_vpa", "error_info", "udf1", "x"}
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["FILTERED", "NA", "CHARGED", "INR", "TEA2001", MERCHANT, "12.50", "error"])
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=8),
    max_leaves=25,
)
PLACES = [(name, way) for name in ORDERS for way in paths(body_of(name))]


def scrambled(value, dice):
    """Shuffle the keys of every object, and the rows of every list."""
    if isinstance(value, dict):
        keys = dice.sample(sorted(value), len(value))
        return {key: scrambled(value[key], dice) for key in keys}
    if isinstance(value, list):
        return [scrambled(row, dice) for row in dice.sample(value, len(value))]
    return value


def name_of(way):
    return tuple(part for part in way if isinstance(part, str))


@given(JSON | st.just({"order_id": "\ud800"}))
def test_any_json_is_an_answer_or_a_failure(body):
    answer = answer_to(body, "TEA2001")
    if isinstance(answer, OrderAnswer):
        assert answer.snapshot().order.status
        assert len(answer.digest) == 16
    else:
        assert isinstance(answer.reason, FailureReason)


@pytest.mark.parametrize("depth", [10, 200, 400, 600, 800, 900, 950, 1000, 5000])
def test_no_depth_of_nesting_makes_an_answer_raise(depth):
    nested = b"[" * depth + b"]" * depth
    body = b'{"order_id":"TEA2001","status":"NEW","resp_code":' + nested + b"}"
    answer = read(body, order_id=OrderId("TEA2001"), merchant_id=MERCHANT, reader=READER)
    if isinstance(answer, OrderAnswer):
        assert answer.snapshot().order.resp_code is None
    else:
        assert answer.reason is FailureReason.MALFORMED


@given(st.binary(max_size=200))
def test_any_bytes_are_a_failure(body):
    assert isinstance(read(body, order_id=OrderId("TEA2001"), merchant_id=MERCHANT, reader=READER), Failure)


@given(st.sampled_from(PLACES), JSON)
def test_one_odd_member_never_loses_the_order(place, odd):
    name, way = place
    answer = answer_to(put(body_of(name), way, odd), body_of(name)["order_id"])
    if isinstance(answer, OrderAnswer):
        assert answer.snapshot().order.status
    else:
        assert way in {
            ("order_id",),
            ("merchant_id",),
            ("status",),
            ("amount",),
            ("effective_amount",),
            ("currency",),
        }


@pytest.mark.parametrize("name", ORDERS)
def test_a_masked_member_is_never_a_change(name):
    body = body_of(name)
    before = snapshot_of(body)
    for way in paths(body):
        if way in {("order_id",), ("status",)}:
            continue
        for mask in MASKS:
            after = merge(before, snapshot_of(put(body, way, mask)))
            assert diff(before, after) == (), (way, mask)


@pytest.mark.parametrize("name", ORDERS)
def test_a_member_left_out_is_never_a_change(name):
    body = body_of(name)
    before = snapshot_of(body)
    for member in body.keys() - {"order_id", "status"}:
        after = {key: value for key, value in body.items() if key != member}
        assert diff(before, merge(before, snapshot_of(after))) == (), member


@pytest.mark.parametrize("name", ORDERS)
def test_nothing_outside_the_allow_list_reaches_a_snapshot_or_a_digest(name):
    body = planted = body_of(name)
    for way in paths(body):
        *holder, member = name_of(way)
        is_leaf = not isinstance(_at(body, way), dict | list)
        if is_leaf and member not in KEPT.get(tuple(holder), ()):
            planted = put(planted, way, f"{SECRET}@oktea" if way[-1] == "payer_vpa" else SECRET)
    planted[SECRET] = {SECRET: SECRET}
    answer = good(planted)
    assert SECRET in packed(planted).decode()
    assert SECRET not in repr((answer, answer.snapshot()))
    assert SECRET not in json.dumps(_everything(answer))


def test_the_person_in_a_payment_address_never_reaches_a_digest():
    one = body_of("mandate") | {"payer_vpa": "meera@oktea"}
    other = body_of("mandate") | {"payer_vpa": "9811100022@oktea"}
    assert good(one).digest == good(other).digest


@pytest.mark.parametrize("name", ERRORS)
def test_nothing_personal_in_an_error_reaches_a_failure(name):
    body = body_of(name)
    for way in paths(body):
        if name_of(way) not in {("status",), ("error_code",), ("error_info",), ("error_info", "code")}:
            body = put(body, way, f"{SECRET} <meera@tea.example>")
    failure = answer_to(body, "TEA2001")
    assert isinstance(failure, Failure)
    assert SECRET not in repr(failure)


@given(st.sampled_from(ORDERS), st.randoms(use_true_random=False))
def test_the_order_of_keys_and_rows_does_not_count(name, dice):
    body = body_of(name)
    shuffled = good(scrambled(body, dice))
    assert shuffled.digest == good(body).digest
    assert shuffled.snapshot() == snapshot_of(body)


@pytest.mark.parametrize("name", ORDERS)
def test_what_churns_without_meaning_does_not_count(name):
    body = body_of(name)
    digest = good(body).digest
    churned = body | {
        "last_updated": "2026-05-01T00:00:00Z",
        "payment_links": {"web": "https://elsewhere.example"},
        "metadata": {"new": random.Random(4).random()},
        "additional_info": {},
    }
    if "payment_gateway_response" in body:
        churned["payment_gateway_response"] = body["payment_gateway_response"] | {
            "gateway_response": {"at": "now"},
            "created": "2026-05-01T00:00:00Z",
            "resp_message": "again",
        }
    assert good(churned).digest == digest
    assert replace(good(churned).snapshot(), last_updated=None) == replace(
        snapshot_of(body), last_updated=None
    )


AMOUNTS = [
    ("upi", ("amount",)),
    ("upi", ("effective_amount",)),
    ("upi", ("txn_detail", "txn_amount")),
    ("upi", ("txn_detail", "tax_amount")),
    ("upi", ("payment_gateway_response", "discount_amount")),
    ("refunds", ("amount_refunded",)),
    ("refunds", ("refunds", 0, "amount")),
    ("parts", ("txn_list", 1, "txn_detail", "txn_amount")),
    ("offers", ("offers", 0, "benefits", 0, "amount")),
    ("offers", ("offers", 0, "benefits", 1, "calculation_info", "max_amount")),
    ("offers", ("offers", 0, "benefits", 1, "calculation_info", "value")),
    ("mandate", ("mandate", "max_amount")),
    ("mandate", ("mandate", "rule_value")),
    ("chargeback", ("chargebacks", 0, "amount")),
]


@pytest.mark.parametrize("spelling", [100, 100.0, "100", "100.0", "100.00"])
@pytest.mark.parametrize(("name", "way"), AMOUNTS)
def test_one_amount_has_one_digest_in_all_its_spellings(name, way, spelling):
    body = body_of(name)
    assert good(put(body, way, spelling)).digest == good(put(body, way, 100)).digest
    assert snapshot_of(put(body, way, spelling)) == snapshot_of(put(body, way, 100))


@pytest.mark.parametrize(("member", "one", "other"), [("gateway_id", 23, "23"), ("refunded", True, "True")])
def test_numbers_and_truths_as_text_have_the_same_digest(member, one, other):
    body = body_of("upi")
    assert good(body | {member: one}).digest == good(body | {member: other}).digest


@given(st.sampled_from(ORDERS), st.data())
def test_equal_digests_mean_equal_snapshots_and_a_change_has_another_digest(name, data):
    body = body_of(name)
    way = data.draw(st.sampled_from(paths(body)))
    value = data.draw(SCALARS)
    changed = answer_to(put(body, way, value), body["order_id"])
    if isinstance(changed, OrderAnswer):
        same = replace(changed.snapshot(), last_updated=None) == replace(snapshot_of(body), last_updated=None)
        assert same or changed.digest != good(body).digest


def _at(body, way):
    for key in way:
        body = body[key]
    return body


def _everything(answer):
    """Return what the answer still holds, beyond what its repr shows."""
    return repr(answer._order) + repr(answer._last_updated)
