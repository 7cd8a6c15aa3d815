"""Lives of orders: what the upstream answers at each step, by the name that the story tells it under."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

from support.beside import application, check_status, credit
from support.builders import an_expectation
from support.upstream import Body, answer, chargeback, mandate, offer, part, refund

Life = dict[str, Body]

_CARD: Life = {
    "NEW": answer("NEW", attempt=None),
    "PENDING_VBV": answer("PENDING_VBV", minute=1),
    "AUTHORIZING": answer("AUTHORIZING", minute=2),
    "CHARGED": answer("CHARGED", minute=3),
    "CHARGED, with the gateway's raw answer": answer(
        "CHARGED",
        minute=3,
        payment_gateway_response=answer("CHARGED", minute=3)["payment_gateway_response"]
        | {"gateway_response": {"entity": "payment", "captured": True, "fee": "30"}},
    ),
}
_BACK = answer("CHARGED", minute=3)
_FIRST, _SECOND = refund(1, 1000.56, "SUCCESS"), refund(2, 499.44)
_TRIED_TWICE = {
    "AUTHENTICATION_FAILED": answer("AUTHENTICATION_FAILED", minute=1),
    "AUTHORIZATION_FAILED in the 2nd attempt": answer("AUTHORIZATION_FAILED", minute=4, attempt=2),
}
_NET = {"amount": 1500, "effective": 1350}

_PLAIN = answer(
    "CHARGED",
    minute=60,
    offers=[offer("AVAILED")],
    mandate=mandate("ACTIVE"),
    refunds=[refund(1, 100, "SUCCESS")],
    **_NET,
)


def _spelled(value: Any, number: Callable[[Any], Any]) -> Any:
    """Return the same answer with its numbers and truths in another spelling."""
    if isinstance(value, dict):
        return {name: _spelled(inner, number) for name, inner in value.items()}
    if isinstance(value, list):
        return [_spelled(inner, number) for inner in value]
    return number(value) if isinstance(value, int | float) else value


def _masked(body: Body) -> Body:
    """Return the answer as hints have it: everything but its id and status hidden in one way or another."""
    masks = cycle(("FILTERED", "", "NA", "null", None))
    return {name: body[name] if name in {"order_id", "status"} else next(masks) for name in body}


_NOISE: Life = {
    "plain": _PLAIN,
    "keys in another order": dict(reversed(_PLAIN.items())),
    "numbers as text": _spelled(_PLAIN, lambda number: str(number).lower()),
    "numbers with a point": _spelled(_PLAIN, lambda n: n if isinstance(n, bool) else float(n)),
    "success told in an error's place": _PLAIN
    | {"bank_error_code": "0", "bank_error_message": "Payment Successful"}
    | {"txn_detail": _PLAIN["txn_detail"] | {"error_code": "00", "error_message": "Payment completed"}},
    "links, metadata and the raw answer": _PLAIN
    | {
        "payment_links": {"web": "https://elsewhere.example"},
        "metadata": {"n": 2},
        "additional_info": {"n": 3},
    }
    | {"payment_gateway_response": _PLAIN["payment_gateway_response"] | {"gateway_response": {"n": 4}}},
    "masked": _masked(_PLAIN),
    "blocks absent": {name: _PLAIN[name] for name in ("order_id", "status", "amount", "currency")},
}

LIVES: dict[str, Life] = {
    "noise": _NOISE,
    "a_card_payment": _CARD,
    "a_upi_payment": {
        "NEW": answer("NEW", attempt=None),
        "PENDING_VBV": answer("PENDING_VBV", minute=1, by="upi", upi={"txn_flow_type": "INTENT"}),
        "CHARGED": answer("CHARGED", minute=2, by="upi"),
    },
    "three_attempts": {
        **_TRIED_TWICE,
        "JUSPAY_DECLINED in the 3rd attempt": answer("JUSPAY_DECLINED", minute=8, attempt=3),
        "PENDING_VBV in the 3rd attempt": answer("PENDING_VBV", minute=9, attempt=3),
        "CHARGED in the 3rd attempt": answer("CHARGED", minute=10, attempt=3),
    },
    "a_late_success": {
        "AUTHORIZATION_FAILED": answer("AUTHORIZATION_FAILED", minute=2),
        "CHARGED": answer("CHARGED", minute=30, conflicted=True),
        "AUTO_REFUNDED, pending": answer(
            "AUTO_REFUNDED", minute=40, refunds=[refund(1, 1500, unique_request_id="AR1")]
        ),
        "AUTO_REFUNDED, done": answer(
            "AUTO_REFUNDED", minute=90, refunds=[refund(1, 1500, "SUCCESS", unique_request_id="AR1")]
        ),
        "AUTO_REFUNDED, failed": answer(
            "AUTO_REFUNDED", minute=95, refunds=[refund(1, 1500, "FAILURE", unique_request_id="AR1")]
        ),
    },
    "refunds": {
        "CHARGED": _BACK,
        "a part asked for": answer("CHARGED", minute=60, refunds=[refund(1, 1000.56, sent=False)]),
        "a part sent": answer("CHARGED", minute=75, refunds=[refund(1, 1000.56)]),
        "a part back": answer("CHARGED", minute=80, refunds=[_FIRST]),
        "a part back, its arn known": answer("CHARGED", minute=100, refunds=[_FIRST | {"arn": "7433"}]),
        "the rest fails": answer(
            "CHARGED", minute=140, refunds=[refund(2, 499.44, "FAILURE"), _FIRST | {"arn": "7433"}]
        ),
        "the rest goes to a person": answer(
            "CHARGED", minute=130, refunds=[refund(2, 499.44, "MANUAL_REVIEW"), _FIRST | {"arn": "7433"}]
        ),
        "all back": answer(
            "CHARGED", minute=150, refunds=[refund(2, 499.44, "SUCCESS"), _FIRST | {"arn": "7433"}]
        ),
    },
    "an_offer": {
        "INITIATED": answer("PENDING_VBV", minute=1, offers=[offer("INITIATED")], **_NET),
        "FAILED": answer(
            "AUTHORIZATION_FAILED", minute=2, offers=[offer("FAILED", error_code="JP706")], **_NET
        ),
        "AVAILED": answer("CHARGED", minute=3, offers=[offer("AVAILED")], **_NET),
        "PARTIALLY_REFUNDED": answer(
            "CHARGED",
            minute=60,
            offers=[offer("PARTIALLY_REFUNDED")],
            refunds=[refund(1, 500, "SUCCESS")],
            **_NET,
        ),
        "REFUNDED": answer(
            "CHARGED", minute=90, offers=[offer("REFUNDED")], refunds=[refund(1, 1350, "SUCCESS")], **_NET
        ),
        "a word never seen": answer("CHARGED", minute=120, offers=[offer("CLAWED BACK")], **_NET),
    },
    "a_mandate": {
        "CREATED": answer("PENDING_VBV", minute=1, by="nb", mandate=mandate("CREATED")),
        "FAILURE": answer("AUTHORIZATION_FAILED", minute=2, by="nb", mandate=mandate("FAILURE")),
        "ACTIVE": answer("CHARGED", minute=3, by="nb", mandate=mandate("ACTIVE")),
        "PAUSED": answer("CHARGED", minute=3, by="nb", mandate=mandate("PAUSED")),
        "REVOKED": answer("CHARGED", minute=3, by="nb", mandate=mandate("REVOKED")),
        "EXPIRED": answer("CHARGED", minute=3, by="nb", mandate=mandate("EXPIRED")),
        "no mandate in the answer": answer("CHARGED", minute=3, by="nb"),
    },
    "a_mandate_by_upi": {
        "CREATED": answer("PENDING_VBV", minute=1, by="upi", mandate=mandate("CREATED", bank=False)),
        "ACTIVE": answer("CHARGED", minute=3, by="upi", mandate=mandate("ACTIVE", bank=False)),
    },
    "paid_in_parts": {
        "the first part on its way": answer("PENDING_VBV", minute=1, amount=2000),
        "the first part paid": answer(
            "PARTIAL_CHARGED", minute=2, amount=2000, attempt=None, txn_list=[part(1, 800)]
        ),
        "the second on its way": answer(
            "PARTIAL_CHARGED",
            minute=3,
            amount=2000,
            attempt=None,
            txn_list=[part(1, 800), part(2, 1200, "PENDING_VBV", by="card")],
        ),
        "both paid": answer(
            "CHARGED",
            minute=5,
            amount=2000,
            attempt=2,
            txn_list=[part(1, 800), part(2, 1200, by="card")],
        ),
    },
    "a_mandate_asked_for_by_itself": {
        "CREATED": check_status("CREATED", minute=1),
        "FAILURE": check_status("FAILURE", minute=2),
        "ACTIVE": check_status("ACTIVE", minute=3),
        "PAUSED": check_status("PAUSED", minute=60),
        "ACTIVE again": check_status("ACTIVE", minute=90),
        "REVOKED": check_status("REVOKED", minute=100),
        "EXPIRED": check_status("EXPIRED", minute=9000),
    },
    "a_loan": {
        "no application": credit(status="NEW"),
        "Loan Application Initiated": credit(application("Loan Application Initiated")),
        "Offer Received": credit(application("Offer Received")),
        "KYC Verified, skipping": credit(application("KYC Verified")),
        "Agreement Signed": credit(application("Agreement Signed")),
        "Agreement Signed, misspelt": credit(application("Agreement Singed")),
        "Loan Active": credit(application("Loan Active"), status="CHARGED"),
        "a stage never seen": credit(application("Under Writing")),
        "stage masked": credit(application("FILTERED")),
    },
    "two_loan_applications": {
        "the first rejected": credit(application("Loan Rejected")),
        "the first rejected, the second begun": credit(
            application("Loan Rejected"), application("Offer Received", 2, minute=60)
        ),
        "the second alone": credit(application("Offer Received", 2, minute=60)),
        "the first rejected, the second active": credit(
            application("Loan Rejected"), application("Loan Active", 2, minute=60), status="CHARGED"
        ),
        "no offers for either": credit(application("No Offers"), application("No Offers", 2, minute=60)),
        "KYC rejected": credit(application("KYC Rejected"), application("No Offers", 2, minute=60)),
    },
    "a_chargeback": {
        "CHARGED": _BACK,
        "received": answer("CHARGED", minute=9000, chargebacks=[chargeback("RECEIVED")]),
        "under review": answer("CHARGED", minute=9100, chargebacks=[chargeback("UNDER_REVIEW")]),
        "lost": answer("CHARGED", minute=9900, chargebacks=[chargeback("RESOLVED_IN_CUSTOMER_FAVOUR")]),
    },
    "another_amount_than_expected": {
        "NEW": answer("NEW", attempt=None),
        "another amount": answer("CHARGED", minute=3, amount=15),
        "another effective amount": answer("CHARGED", minute=3, effective=1400),
        "another currency": answer("CHARGED", minute=3, currency="USD"),
        "amounts masked": answer("CHARGED", minute=3) | {"amount": "FILTERED", "effective_amount": "NA"},
    },
}
"""Every life by the name of its story."""

EXPECTED = {"another_amount_than_expected": an_expectation("1500", "1500")}
"""What the merchant said an order of a life is worth."""
