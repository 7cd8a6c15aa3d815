"""What refunds tell, and the whole amount given back."""

from told import SENT, Scenario, both_refunded, refunds, status

from support.builders import a_refund, a_snapshot, an_order, at, inr

REFUNDS: dict[str, Scenario] = {
    # Refunds
    "refund created": (refunds((), a_refund()), None, [status("refund.created", None, "PENDING", "r1")]),
    "refund created in a row without status": (
        refunds((), a_refund(status=None)),
        None,
        [status("refund.created", None, None, "r1")],
    ),
    "refund sent": (
        refunds((a_refund(),), a_refund(**SENT)),
        None,
        [("refund.sent", "r1", "sent_to_gateway", "false", "true")],
    ),
    "refund sent, and not known to have been queued": (
        refunds((a_refund(sent_to_gateway=None),), a_refund(**SENT)),
        None,
        [("refund.sent", "r1", "sent_to_gateway", None, "true")],
    ),
    "instant refund": (
        refunds((), a_refund(**SENT)),
        None,
        [
            status("refund.created", None, "PENDING", "r1"),
            ("refund.sent", "r1", "sent_to_gateway", None, "true"),
        ],
    ),
    "refund succeeds": (
        refunds((a_refund(**SENT),), a_refund("r1", "SUCCESS", **SENT)),
        None,
        [status("refund.success", "PENDING", "SUCCESS", "r1")],
    ),
    "refund fails": (
        refunds((a_refund(),), a_refund("r1", "FAILURE")),
        None,
        [status("refund.failure", "PENDING", "FAILURE", "r1")],
    ),
    "refund goes to manual review": (
        refunds((a_refund(**SENT),), a_refund("r1", "MANUAL_REVIEW", **SENT)),
        None,
        [status("refund.manual_review", "PENDING", "MANUAL_REVIEW", "r1")],
    ),
    "refund comes back from manual review": (
        refunds((a_refund("r1", "MANUAL_REVIEW", **SENT),), a_refund(**SENT)),
        None,
        [status("refund.pending", "MANUAL_REVIEW", "PENDING", "r1")],
    ),
    "refund appears when it has succeeded": (
        refunds((), a_refund("r1", "SUCCESS", arn="741", **SENT)),
        None,
        [
            status("refund.created", None, "SUCCESS", "r1"),
            status("refund.success", None, "SUCCESS", "r1"),
            ("refund.arn_available", "r1", "arn", None, "741"),
        ],
    ),
    "refund appears with a word like a derived type": (
        refunds((), a_refund("r1", "CREATED")),
        None,
        [
            status("refund.created", None, "CREATED", "r1"),
            status("refund.status_created", None, "CREATED", "r1"),
        ],
    ),
    "arn comes later": (
        refunds((a_refund("r1", "SUCCESS"),), a_refund("r1", "SUCCESS", arn="741")),
        None,
        [("refund.arn_available", "r1", "arn", None, "741")],
    ),
    "another arn": (
        refunds((a_refund("r1", "SUCCESS", arn="741"),), a_refund("r1", "SUCCESS", arn="742")),
        None,
        [],
    ),
    "two refunds, each told by its own": (
        refunds((a_refund("r2"),), a_refund("r1", created=at(5)), a_refund("r2", "SUCCESS")),
        None,
        [
            status("refund.success", "PENDING", "SUCCESS", "r2"),
            status("refund.created", None, "PENDING", "r1"),
        ],
    ),
    "auto refund": (
        (
            a_snapshot("PENDING_VBV"),
            a_snapshot("AUTO_REFUNDED", refunds=(a_refund("AR1", amount=inr("386"), **SENT),)),
        ),
        None,
        [
            status("order.auto_refunded", "PENDING_VBV", "AUTO_REFUNDED"),
            status("refund.created", None, "PENDING", "AR1"),
            ("refund.sent", "AR1", "sent_to_gateway", None, "true"),
        ],
    ),
    "auto refund that fails": (
        (
            a_snapshot("AUTO_REFUNDED", refunds=(a_refund("AR1", amount=inr("386")),)),
            a_snapshot("AUTO_REFUNDED", refunds=(a_refund("AR1", "FAILURE", amount=inr("386")),)),
        ),
        None,
        [status("refund.failure", "PENDING", "FAILURE", "AR1")],
    ),
    # The whole amount back
    "refunded": (
        both_refunded("386", "386"),
        None,
        [
            ("order.refunded", None, "amount_refunded", None, "386.00"),
            status("refund.success", "PENDING", "SUCCESS", "r0"),
        ],
    ),
    "refunded in parts": (
        both_refunded("386", "300", "86"),
        None,
        [
            ("order.refunded", None, "amount_refunded", None, "386.00"),
            status("refund.success", "PENDING", "SUCCESS", "r1"),
        ],
    ),
    "refunded with the surcharge": (
        both_refunded("10.8", "10.8"),
        None,
        [
            ("order.refunded", None, "amount_refunded", None, "10.80"),
            status("refund.success", "PENDING", "SUCCESS", "r0"),
        ],
    ),
    "refunded but for a paisa": (
        both_refunded("386", "300", "85.99"),
        None,
        [status("refund.success", "PENDING", "SUCCESS", "r1")],
    ),
    "a failed refund gives nothing back": (
        both_refunded("386", "386", status="FAILURE"),
        None,
        [status("refund.failure", "PENDING", "FAILURE", "r0")],
    ),
    "a refund of unknown amount counts nothing": (
        both_refunded("386", None),
        None,
        [status("refund.success", "PENDING", "SUCCESS", "r0")],
    ),
    "a refund's amount becomes known": (
        refunds((a_refund("r1", "SUCCESS", amount=None),), a_refund("r1", "SUCCESS", amount=inr("386"))),
        None,
        [("order.refunded", None, "amount_refunded", None, "386.00")],
    ),
    "nothing is known of what was paid": (
        both_refunded(None, "386"),
        None,
        [status("refund.success", "PENDING", "SUCCESS", "r0")],
    ),
    "what was paid becomes known after it is back": (
        (
            a_snapshot(
                an_order(effective_amount=None), refunds=(a_refund("r1", "SUCCESS", amount=inr("386")),)
            ),
            a_snapshot(refunds=(a_refund("r1", "SUCCESS", amount=inr("386")),)),
        ),
        None,
        [("order.refunded", None, "amount_refunded", None, "386.00")],
    ),
    "that nothing was paid becomes known": (
        (a_snapshot(an_order(effective_amount=None)), a_snapshot(an_order(effective_amount=inr("0")))),
        None,
        [],
    ),
    "nothing was paid": (
        both_refunded("0", "0"),
        None,
        [status("refund.success", "PENDING", "SUCCESS", "r0")],
    ),
    "an arn after the whole amount is back": (
        refunds(
            (a_refund("r1", "SUCCESS", amount=inr("386")),),
            a_refund("r1", "SUCCESS", amount=inr("386"), arn="741"),
        ),
        None,
        [("refund.arn_available", "r1", "arn", None, "741")],
    ),
    "a second refund after the whole amount is back": (
        refunds(
            (a_refund("r1", "SUCCESS", amount=inr("386")),),
            a_refund("r1", "SUCCESS", amount=inr("386")),
            a_refund("r2", "SUCCESS", amount=inr("1")),
        ),
        None,
        [status("refund.created", None, "SUCCESS", "r2"), status("refund.success", None, "SUCCESS", "r2")],
    ),
}
