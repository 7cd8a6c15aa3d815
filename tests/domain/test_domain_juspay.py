"""Names of the upstream's webhooks, which event of a version is sent under one, and the envelope."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.domain.document import SAMPLE_TYPES, sample_event_document
from notifier.domain.juspay_body import STATUS_IDS, juspay_body
from notifier.domain.juspay_names import NAMES, name_of, owed_of
from notifier.domain.order import Phase
from notifier.sandbox.bodies import order as sandbox_order
from notifier.sandbox.webhooks.happenings import CONTENTS
from support.builders import a_subscription, an_event

JUSPAY = a_subscription("*", template="juspay")


def owed(*types, listener=JUSPAY):
    return [event.type for event in owed_of(listener, [an_event(kind) for kind in types])]


def test_of_one_version_the_weightiest_event_is_owed_and_no_other():
    assert owed("order.charged", "refund.success", "mandate.active") == ["order.charged"]
    assert owed("refund.created", "refund.sent", "refund.success", "refund.arn_available") == [
        "refund.success"
    ]
    assert owed("order.pending_vbv", "order.retried", "offer.failed") == ["order.retried"]
    assert owed("order.charged", "order.late_success") == ["order.charged"]
    assert owed("refund.success", "order.refunded") == ["refund.success"]
    assert owed("order.auto_refunded", "refund.success") == ["refund.success"]


def test_a_version_without_a_name_is_not_sent():
    assert owed("order.pending_vbv", "offer.initiated", "order.stuck", "watch.settled") == []
    assert owed() == []


def test_every_other_subscription_is_owed_all_that_it_wants():
    types = ["order.charged", "order.stuck", "refund.success"]
    for listener in (
        a_subscription("*"),
        a_subscription("*", template="default"),
        a_subscription("*", template="juspay", channel="slack"),
    ):
        assert owed(*types, listener=listener) == types


@given(st.permutations(list(NAMES)), st.integers(0, 5))
def test_the_choice_does_not_depend_on_the_order_of_events(types, count):
    assert owed(*types[:count]) == owed(*reversed(types[:count]))
    assert len(owed(*types[:count])) == min(count, 1)


def test_refunds_of_an_order_that_was_refunded_by_itself_have_names_of_their_own():
    assert name_of("refund.success", Phase.SUCCEEDED) == "ORDER_REFUNDED"
    assert name_of("refund.success", Phase.REFUNDED) == "AUTO_REFUND_SUCCEEDED"
    assert name_of("refund.failure", "refunded") == "AUTO_REFUND_FAILED"
    assert name_of("order.auto_refunded", Phase.REFUNDED) == "AUTO_REFUND_INITIATED"
    assert name_of("offer.availed", Phase.REFUNDED) is None


@pytest.mark.parametrize("kind", SAMPLE_TYPES)
def test_every_type_makes_a_body_of_the_upstreams_shape(kind):
    body = juspay_body(sample_event_document(kind))

    assert list(body) == ["id", "event_name", "date_created", "content"]
    assert body["event_name"] == (NAMES.get(kind) or kind.upper().replace(".", "_"))
    assert len(body["content"]) == (sample_event_document(kind)["data"]["order"] is not None)


def test_the_envelope_is_that_of_orders_or_of_loans():
    order, loan = (juspay_body(sample_event_document(kind)) for kind in ("order.charged", "loan.loan_active"))

    assert order["id"] == "evt_V2_0123456789abcdef0123456789abcdef"
    assert order["date_created"] == "2026-11-22T10:15:30Z"
    assert loan["id"] == "LSP0123456789abcdef0123456789abcdef"
    assert loan["date_created"] == "2026-11-22 10:15:30.123000000 UTC"


def test_content_is_named_for_what_the_event_is_about():
    contents = {
        kind: list(juspay_body(sample_event_document(kind))["content"])
        for kind in ("order.charged", "order.retried", "txn.charged", "refund.success", "mandate.paused",
                     "loan.loan_active", "chargeback.received", "test.ping")
    }  # fmt: skip

    assert contents == {
        "order.charged": ["order"],
        "order.retried": ["txn"],
        "txn.charged": ["txn"],
        "refund.success": ["order"],
        "mandate.paused": ["mandate"],
        "loan.loan_active": ["order"],
        "chargeback.received": ["order"],
        "test.ping": [],
    }


def test_names_and_numbers_are_those_of_the_sandbox():
    known = {name for name in NAMES.values() if not name.startswith("CHARGEBACK_")}

    assert known <= set(CONTENTS)
    assert dict(STATUS_IDS) == dict(sandbox_order.STATUS_IDS)
