"""What the order, its parts, offers, mandates and chargebacks tell."""

from dataclasses import replace

from told import ATTEMPT_2, NEWER_OLD_FORM, OLD_FORM, Scenario, mandate, offer, order, status

from notifier.domain.snapshot import Chargeback, Mandate, Offer, Txn
from support.builders import a_refund, a_snapshot, an_expectation, an_order, inr

ORDERS: dict[str, Scenario] = {
    # The order
    "status": (order("PENDING_VBV", "CHARGED"), None, [status("order.charged", "PENDING_VBV", "CHARGED")]),
    "first attempt": (order("NEW", "PENDING_VBV"), None, [status("order.pending_vbv", "NEW", "PENDING_VBV")]),
    "a word never seen": (order("NEW", "Odd--Word"), None, [status("order.odd_word", "NEW", "Odd--Word")]),
    "a word like a derived type": (
        order("NEW", "STUCK"),
        None,
        [status("order.status_stuck", "NEW", "STUCK")],
    ),
    "retried": (
        order("AUTHENTICATION_FAILED", an_order("PENDING_VBV", **ATTEMPT_2)),
        None,
        [
            status("order.pending_vbv", "AUTHENTICATION_FAILED", "PENDING_VBV"),
            ("order.retried", None, "txn_id", "shop-JP1-1", "shop-JP1-2"),
        ],
    ),
    "retried with the same status word": (
        order("PENDING_VBV", an_order("PENDING_VBV", **ATTEMPT_2)),
        None,
        [("order.retried", None, "txn_id", "shop-JP1-1", "shop-JP1-2")],
    ),
    "retried, and the txn id is masked": (
        order("PENDING_VBV", an_order("PENDING_VBV", txn_id=None, attempt=2)),
        None,
        [("order.retried", None, "txn_id", "shop-JP1-1", None)],
    ),
    "retried under ids that hold no number": (
        order(an_order("PENDING_VBV", **OLD_FORM), an_order("PENDING_VBV", **NEWER_OLD_FORM)),
        None,
        [("order.retried", None, "txn_id", "65a1", "65b2")],
    ),
    "an attempt becomes known": (order(an_order("CHARGED", txn_id=None, attempt=None), "CHARGED"), None, []),
    "late success": (
        order("AUTHORIZATION_FAILED", "CHARGED"),
        None,
        [
            status("order.charged", "AUTHORIZATION_FAILED", "CHARGED"),
            status("order.late_success", "AUTHORIZATION_FAILED", "CHARGED"),
        ],
    ),
    "success of a later attempt is not late": (
        order("AUTHORIZATION_FAILED", an_order("CHARGED", **ATTEMPT_2)),
        None,
        [
            status("order.charged", "AUTHORIZATION_FAILED", "CHARGED"),
            ("order.retried", None, "txn_id", "shop-JP1-1", "shop-JP1-2"),
        ],
    ),
    "success of a later attempt without a number is not late": (
        order(an_order("AUTHORIZATION_FAILED", **OLD_FORM), an_order("CHARGED", **NEWER_OLD_FORM)),
        None,
        [
            status("order.charged", "AUTHORIZATION_FAILED", "CHARGED"),
            ("order.retried", None, "txn_id", "65a1", "65b2"),
        ],
    ),
    "another amount than expected": (
        order("NEW", an_order("CHARGED", amount=inr("385.5"))),
        an_expectation("386"),
        [
            status("order.charged", "NEW", "CHARGED"),
            ("order.amount_mismatch", None, "amount", "386.00", "385.50"),
        ],
    ),
    "another effective amount": (
        order("NEW", an_order("NEW", effective_amount=inr("300"))),
        an_expectation("386", "386"),
        [("order.amount_mismatch", None, "effective_amount", "386.00", "300.00")],
    ),
    "another currency": (
        order("NEW", an_order("NEW", amount=replace(inr("386"), currency="USD"))),
        an_expectation("386"),
        [("order.amount_mismatch", None, "currency", "INR", "USD")],
    ),
    "an amount becomes known and is another": (
        order(an_order("NEW", amount=None), "NEW"),
        an_expectation("10"),
        [("order.amount_mismatch", None, "amount", "10.00", "386.00")],
    ),
    "a masked amount is no mismatch": (
        order(an_order("NEW", amount=None), an_order("CHARGED", amount=None)),
        an_expectation("10"),
        [status("order.charged", "NEW", "CHARGED")],
    ),
    "a mismatch is not told again": (
        order("NEW", "CHARGED"),
        an_expectation("10"),
        [status("order.charged", "NEW", "CHARGED")],
    ),
    "members without an event": (order("CHARGED", an_order("CHARGED", gateway="PAYU")), None, []),
    # Parts of an order
    "part paid": (
        (a_snapshot(), a_snapshot(txns=(Txn(id="t1", status="CHARGED"),))),
        None,
        [status("txn.charged", None, "CHARGED", "t1")],
    ),
    "part changes": (
        (
            a_snapshot(txns=(Txn(id="t1", status="PENDING_VBV"), Txn(id="t2"))),
            a_snapshot(txns=(Txn(id="t1", status="CHARGED"), Txn(id="t2", gateway="PAYU"))),
        ),
        None,
        [status("txn.charged", "PENDING_VBV", "CHARGED", "t1")],
    ),
    "the next part is no other attempt": (
        (
            a_snapshot("PENDING_VBV"),
            a_snapshot(
                an_order("CHARGED", **ATTEMPT_2),
                txns=(Txn(id="shop-JP1-1", status="CHARGED"), Txn(id="shop-JP1-2", status="CHARGED")),
            ),
        ),
        None,
        [
            status("order.charged", "PENDING_VBV", "CHARGED"),
            status("txn.charged", None, "CHARGED", "shop-JP1-1"),
            status("txn.charged", None, "CHARGED", "shop-JP1-2"),
        ],
    ),
    # Offers
    "offer initiated": (offer(None, "INITIATED"), None, [status("offer.initiated", None, "INITIATED", "o1")]),
    "offer availed": (
        offer("INITIATED", "AVAILED"),
        None,
        [status("offer.availed", "INITIATED", "AVAILED", "o1")],
    ),
    "offer refunded": (
        offer("AVAILED", "REFUNDED"),
        None,
        [status("offer.refunded", "AVAILED", "REFUNDED", "o1")],
    ),
    "offer partially refunded": (
        offer("AVAILED", "PARTIALLY_REFUNDED"),
        None,
        [status("offer.partially_refunded", "AVAILED", "PARTIALLY_REFUNDED", "o1")],
    ),
    "offer failed": (
        offer("INITIATED", "FAILED"),
        None,
        [status("offer.failed", "INITIATED", "FAILED", "o1")],
    ),
    "offer with a word never seen": (
        offer("AVAILED", "CLAWED BACK"),
        None,
        [status("offer.clawed_back", "AVAILED", "CLAWED BACK", "o1")],
    ),
    "offer without a status": (offer(None, None), None, []),
    # Mandates
    "mandate created": (mandate(None, "CREATED"), None, [status("mandate.created", None, "CREATED", "m1")]),
    "mandate active": (
        mandate("CREATED", "ACTIVE"),
        None,
        [status("mandate.active", "CREATED", "ACTIVE", "m1")],
    ),
    "mandate active at once": (
        mandate(None, "ACTIVE"),
        None,
        [status("mandate.active", None, "ACTIVE", "m1")],
    ),
    "mandate paused": (
        mandate("ACTIVE", "PAUSED"),
        None,
        [status("mandate.paused", "ACTIVE", "PAUSED", "m1")],
    ),
    "mandate resumed": (
        mandate("PAUSED", "ACTIVE"),
        None,
        [status("mandate.resumed", "PAUSED", "ACTIVE", "m1")],
    ),
    "mandate revoked": (
        mandate("ACTIVE", "REVOKED"),
        None,
        [status("mandate.revoked", "ACTIVE", "REVOKED", "m1")],
    ),
    "mandate fails": (
        mandate("CREATED", "FAILURE"),
        None,
        [status("mandate.failure", "CREATED", "FAILURE", "m1")],
    ),
    "mandate expires": (
        mandate("ACTIVE", "EXPIRED"),
        None,
        [status("mandate.expired", "ACTIVE", "EXPIRED", "m1")],
    ),
    "another limit of the mandate": (
        (
            a_snapshot(mandate=Mandate(id="m1", status="ACTIVE")),
            a_snapshot(mandate=Mandate(id="m1", status="ACTIVE", max_amount=inr("15000"))),
        ),
        None,
        [],
    ),
    "another mandate takes its place": (
        mandate("PAUSED", "ACTIVE", new_id="m2"),
        None,
        [status("mandate.active", None, "ACTIVE", "m2")],
    ),
    "mandate without a status": (mandate(None, None), None, []),
    # Chargebacks
    "chargeback": (
        (a_snapshot(), a_snapshot(chargebacks=(Chargeback(id="c1", status="RECEIVED"),))),
        None,
        [status("chargeback.received", None, "RECEIVED", "c1")],
    ),
    "everything at once": (
        (
            a_snapshot("NEW"),
            a_snapshot(
                "CHARGED",
                txns=(Txn(id="t1", status="CHARGED"),),
                refunds=(a_refund(),),
                offers=(Offer(id="o1", status="AVAILED"),),
                mandate=Mandate(id="m1", status="ACTIVE"),
                chargebacks=(Chargeback(id="c1", status="RECEIVED"),),
            ),
        ),
        None,
        [
            status("order.charged", "NEW", "CHARGED"),
            status("txn.charged", None, "CHARGED", "t1"),
            status("refund.created", None, "PENDING", "r1"),
            status("offer.availed", None, "AVAILED", "o1"),
            status("mandate.active", None, "ACTIVE", "m1"),
            status("chargeback.received", None, "RECEIVED", "c1"),
        ],
    ),
}
