import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.document import SAMPLE_TYPES, event_document, order_document
from notifier.domain.order import OrderId, order_key
from notifier.domain.snapshot import Subject
from notifier.domain.subscription import Condition, Op, check_pattern, matches
from notifier.errors import InvalidValue
from support.builders import a_snapshot, a_subscription, an_event, json_values

OF_ORDERS = ("order", "txn", "refund", "offer", "mandate", "loan", "chargeback")
SYSTEM = ("watch", "source", "incident", "subscription", "delivery", "heartbeat", "test")
DOCUMENT = event_document(an_event(), 1042, order_document(OrderId("JP1"), a_snapshot()))


@pytest.mark.parametrize(
    ("pattern", "event_type", "expected"),
    [
        ("order.charged", "order.charged", True),
        ("order.charged", "order.charged_back", False),
        ("order.*", "order.charged", True),
        ("order.*", "refund.success", False),
        ("*.success", "refund.success", True),
        ("*.*", "refund.success", True),
        ("*.*", "watch.settled", False),
        ("*.settled", "watch.settled", False),
        ("watch.*", "watch.settled", True),
        ("watch.settled", "watch.settled", True),
        ("heartbeat", "heartbeat", True),
        ("*", "heartbeat", False),
        ("*.*", "heartbeat", False),
        ("order.*", "order", False),
        ("refund.manual_review", "refund.manual_review", True),
    ],
)
def test_a_pattern_fits_part_by_part(pattern, event_type, expected):
    assert matches(pattern, event_type) is expected


def test_a_star_alone_is_every_type_but_the_systems_own():
    assert set(OF_ORDERS) | set(SYSTEM) == set(Subject)
    for event_type in SAMPLE_TYPES:
        subject = event_type.partition(".")[0]
        assert matches("*", event_type) is (subject in OF_ORDERS)


@pytest.mark.parametrize(
    "pattern",
    [
        "*",
        "*.*",
        "*.failed",
        "order.*",
        "order.charged",
        "order.status_stuck",
        "loan.loan_active",
        "heartbeat",
    ],
)
def test_a_pattern_that_can_match_is_kept(pattern):
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "order",  # would be kept and never match: every type of an order has two parts
        "order.",
        ".charged",
        "order.charged.now",
        "Order.charged",
        "order.CHARGED",
        "order.char*",
        "order.**",
        "orders.charged",
        "order charged",
        "heartbeat.*",
        "*.",
    ],
)
def test_a_pattern_that_cannot_match_is_refused(pattern):
    with pytest.raises(InvalidValue) as refused:
        check_pattern(pattern)
    assert (refused.value.problem.path, refused.value.problem.code) == ("events", "pattern")


@pytest.mark.parametrize("event_type", SAMPLE_TYPES)
def test_every_type_can_be_named(event_type):
    assert matches(check_pattern(event_type), event_type)


def test_a_subscription_wants_what_one_of_its_patterns_fits():
    subscription = a_subscription("refund.failure", "order.*")
    assert subscription.wants("order.charged", "jp1", (), DOCUMENT)
    assert subscription.wants("refund.failure", "jp1", (), DOCUMENT)
    assert not subscription.wants("refund.success", "jp1", (), DOCUMENT)


def test_a_bound_subscription_wants_its_order_alone():
    subscription = a_subscription(order_key=order_key("JP1"))
    assert subscription.wants("order.charged", "jp1", (), DOCUMENT)
    assert not subscription.wants("order.charged", "jp2", (), DOCUMENT)
    assert not subscription.wants("order.charged", None, (), DOCUMENT)


def test_tags_want_one_in_common():
    subscription = a_subscription(tags=("vip", "eu"))
    assert subscription.wants("order.charged", "jp1", ("eu", "new"), DOCUMENT)
    assert not subscription.wants("order.charged", "jp1", ("new",), DOCUMENT)
    assert not subscription.wants("order.charged", "jp1", (), DOCUMENT)
    assert a_subscription().wants("order.charged", "jp1", ("new",), DOCUMENT)


def test_every_condition_has_to_hold():
    rich = Condition(path="data.order.amount", op=Op.GE, value="100")
    failed = Condition(path="data.phase", op=Op.EQ, value="failed")
    assert a_subscription(conditions=(rich,)).wants("order.charged", "jp1", (), DOCUMENT)
    assert not a_subscription(conditions=(rich, failed)).wants("order.charged", "jp1", (), DOCUMENT)


# Conditions; the document's amount is the text "386.00"


@pytest.mark.parametrize(
    ("path", "op", "value", "expected"),
    [
        ("data.order.amount", "eq", "386.00", True),
        ("data.order.amount", "eq", "386", True),
        ("data.order.amount", "eq", 386, True),
        ("data.order.amount", "eq", 386.0, True),
        ("data.order.amount", "eq", "386.01", False),
        ("data.order.amount", "ne", 386, False),
        ("data.order.amount", "gt", "1000", False),  # as text it would be greater
        ("data.order.amount", "gt", 385.99, True),
        ("data.order.amount", "gt", 386, False),
        ("data.order.amount", "ge", 386, True),
        ("data.order.amount", "lt", 386, False),
        ("data.order.amount", "lt", "386.01", True),
        ("data.order.amount", "le", 386, True),
        ("data.order.amount", "gt", "CHEAP", False),
        ("data.order.amount", "lt", True, False),
        ("data.order.amount", "lt", None, False),
        ("data.order.amount", "gt", float("nan"), False),
        ("data.order.amount", "lt", float("inf"), False),
        ("data.order.amount", "in", ["1", 386], True),
        ("data.order.amount", "in", ["1"], False),
        ("data.current", "eq", "CHARGED", True),
        ("data.current", "eq", "charged", False),
        ("data.current", "in", ["CHARGED", "NEW"], True),
        ("data.current", "in", ("CHARGED",), True),
        ("data.current", "in", "CHARGED", False),
        ("data.current", "in", None, False),
        ("data.current", "gt", "AUTHORIZING", True),
        ("data.current", "le", "AUTHORIZING", False),
        ("data.sequence", "eq", "1042", True),
        ("data.sequence", "lt", 2000, True),
        ("livemode", "eq", False, True),
        ("livemode", "eq", 0, False),
        ("livemode", "eq", "false", False),
        ("livemode", "lt", 1, False),
        ("data.order.gateway", "exists", True, False),
        ("data.order.gateway", "exists", False, True),
        ("data.order.gateway", "ne", "PAYU", True),
        ("data.order.gateway", "eq", None, False),
        ("data.order.amount", "exists", True, True),
        ("data.order.amount", "exists", None, True),
        ("data.order.amount", "exists", False, False),
        ("data.subject_id", "exists", True, False),  # null is missing
        ("data.current.charged", "exists", True, False),
        ("", "exists", True, False),
    ],
)
def test_a_condition_compares(path, op, value, expected):
    assert Condition(path=path, op=Op(op), value=value).holds(DOCUMENT) is expected


@pytest.mark.parametrize(
    ("found", "value"),
    [
        ("00", "0"),
        ("007", "7"),
        ("1e2", "100"),
        ("1_0", "10"),
        (" 7", "7"),
        ("7.", "7"),
        ("٣", "3"),
        ("00", 0),
    ],
)
def test_codes_and_ids_are_compared_as_text(found, value):
    assert not Condition(path="code", op=Op.EQ, value=value).holds({"code": found})
    assert Condition(path="code", op=Op.EQ, value=found).holds({"code": found})


def test_decimals_of_json_are_the_decimals_that_were_written():
    assert Condition(path="amount", op=Op.EQ, value=386.1).holds({"amount": "386.10"})
    assert Condition(path="amount", op=Op.LE, value=0.3).holds({"amount": "0.30"})
    assert Condition(path="amount", op=Op.GT, value=-1e-7).holds({"amount": "-0.00"})


def test_a_number_too_long_to_be_written_compares_as_well():
    assert Condition(path="a", op=Op.GT, value=10**5000 - 1).holds({"a": 10**5000})
    assert not Condition(path="a", op=Op.EQ, value="1").holds({"a": 10**5000})


@given(json_values(), json_values(), st.sampled_from(Op))
def test_a_condition_never_fails_whatever_it_is_given(found, value, op):
    condition = Condition(path="a.b", op=op, value=value)
    for document in ({"a": {"b": found}}, {"a": found}, {}):
        assert condition.holds(document) in (True, False)


@given(json_values(), json_values())
def test_comparisons_agree_with_each_other(found, value):
    def holds(op: Op) -> bool:
        return Condition(path="a", op=op, value=value).holds({"a": found})

    assert holds(Op.NE) is not holds(Op.EQ) or found is None
    assert not (holds(Op.LT) and holds(Op.GT))
    assert holds(Op.LE) or not holds(Op.LT)
    assert holds(Op.GE) or not holds(Op.GT)
    if found is not None:
        assert Condition(path="a", op=Op.IN, value=[value]).holds({"a": found}) is holds(Op.EQ)
