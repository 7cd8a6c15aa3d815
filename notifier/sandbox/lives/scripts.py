"""Lives by name, and the life an order's amount alone decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from notifier.sandbox.lives import loans
from notifier.sandbox.lives.loans import loan_steps
from notifier.sandbox.lives.refunds import refunded
from notifier.sandbox.lives.scenario import Life, Method, RefundOutcome, Step, course


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A refund of a script: when it is asked for, of how much of what was paid, and where it ends."""

    at_s: float = 300
    percent: int = 100
    outcome: RefundOutcome = RefundOutcome.SUCCESS


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A life without its order: a named course of things."""

    steps: tuple[Step, ...] = ()
    method: Method = Method.UPI_COLLECT
    discount_percent: int = 0
    registers_mandate: bool = False
    refunds: tuple[Asked, ...] = ()

    def life(
        self, *, order_id: str, amount: int, currency: str = "INR", method: Method | None = None
    ) -> Life:
        """Return this course as the life of one order."""
        life = Life(
            order_id=order_id,
            amount=amount,
            currency=currency,
            method=method or self.method,
            discount=amount * self.discount_percent // 100,
            registers_mandate=self.registers_mandate,
            steps=self.steps,
        )
        for asked in self.refunds:
            life = refunded(life, asked_s=asked.at_s, outcome=asked.outcome, percent=asked.percent)
        return life


_CHARGED = course((12, "PENDING_VBV"), (46, "CHARGED"))
_AUTO_REFUNDED = course(
    (35, "PENDING_VBV"), (300, "AUTHENTICATION_FAILED"), (1200, "CHARGED"), (1260, "AUTO_REFUNDED")
)
_MANDATE_REVOKED = (
    Step(at_s=3600, mandate_status="PAUSED"),
    Step(at_s=7200, mandate_status="ACTIVE"),
    Step(at_s=10800, mandate_status="REVOKED"),
)

_DAY_S = 86400
_ALL_STAGES = tuple(zip((60, 180, 900, 1800, 2400, 3000, _DAY_S, 2 * _DAY_S), loans.STAGES, strict=True))
_LOANS: Mapping[str, tuple[Step, ...]] = {
    "loan": loan_steps((loans.FIRST_LENDER, _ALL_STAGES)),
    "loan_session": (),
    "loan_skipping": loan_steps(
        (
            loans.SECOND_LENDER,
            ((60, loans.RECEIVED), (180, loans.SELECTED), (900, loans.MANDATED), (3600, loans.ACTIVE)),
        )
    ),
    "loan_reordered": loan_steps(
        (
            "FINSALL_LSP",
            (
                (60, loans.RECEIVED),
                (180, loans.SELECTED),
                (900, loans.SIGNED),
                (1200, loans.MANDATED),
                (1500, loans.VERIFIED),
                (1800, loans.PAID_DOWN),
                (3600, loans.GRANTED),
                (3660, loans.ACTIVE),
            ),
        )
    ),
    "loan_rejected": loan_steps((loans.FIRST_LENDER, (*_ALL_STAGES[:3], (3600, loans.REJECTED)))),
    "loan_kyc_rejected": loan_steps((loans.FIRST_LENDER, (*_ALL_STAGES[:2], (900, loans.KYC_REJECTED)))),
    "loan_no_offers": loan_steps((loans.FIRST_LENDER, ((60, loans.NO_OFFERS),))),
    "loan_two_applications": loan_steps(
        (loans.FIRST_LENDER, (*_ALL_STAGES[:3], (3600, loans.REJECTED))),
        (
            loans.SECOND_LENDER,
            ((1200, loans.RECEIVED), (4000, loans.SELECTED), (5000, loans.GRANTED), (5000.5, loans.ACTIVE)),
        ),
    ),
}

SCRIPTS: Mapping[str, Script] = MappingProxyType(
    {
        "charged": Script(steps=_CHARGED),
        "charged_card": Script(
            method=Method.CARD, steps=course((35, "PENDING_VBV"), (95, "AUTHORIZING"), (98, "CHARGED"))
        ),
        "delayed": Script(
            method=Method.UPI_INTENT, steps=course((12, "PENDING_VBV"), (40, "AUTHORIZING"), (300, "CHARGED"))
        ),
        "authorizing": Script(
            method=Method.NB, steps=course((25, "PENDING_VBV"), (120, "AUTHORIZING"), (5400, "CHARGED"))
        ),
        "failed": Script(method=Method.CARD, steps=course((35, "PENDING_VBV"), (95, "AUTHORIZATION_FAILED"))),
        "authentication_failed": Script(
            method=Method.WALLET, steps=course((14, "PENDING_VBV"), (375, "AUTHENTICATION_FAILED"))
        ),
        "declined": Script(method=Method.NB, steps=course((5, "PENDING_VBV"), (80, "JUSPAY_DECLINED"))),
        "retry": Script(
            method=Method.CARD,
            steps=course(
                (35, "PENDING_VBV"), (95, "AUTHORIZATION_FAILED"), (125, "PENDING_VBV"), (180, "CHARGED")
            ),
        ),
        "late_success": Script(
            steps=course((20, "PENDING_VBV"), (320, "AUTHENTICATION_FAILED"), (1500, "CHARGED"))
        ),
        "preauth": Script(
            method=Method.CARD,
            steps=course(
                (35, "PENDING_VBV"), (80, "AUTHORIZED"), (3600, "CAPTURE_INITIATED"), (3660, "CHARGED")
            ),
        ),
        "voided": Script(
            method=Method.CARD,
            steps=course((35, "PENDING_VBV"), (80, "AUTHORIZED"), (3600, "VOID_INITIATED"), (3660, "VOIDED")),
        ),
        "auto_refunded": Script(method=Method.CARD, steps=_AUTO_REFUNDED, refunds=(Asked(at_s=1260),)),
        "auto_refund_failed": Script(
            method=Method.CARD,
            steps=_AUTO_REFUNDED,
            refunds=(Asked(at_s=1260, outcome=RefundOutcome.FAILURE),),
        ),
        "refund": Script(steps=_CHARGED, refunds=(Asked(),)),
        "partial_refund": Script(steps=_CHARGED, refunds=(Asked(percent=50),)),
        "two_refunds": Script(steps=_CHARGED, refunds=(Asked(percent=50), Asked(at_s=600))),
        "refund_instant": Script(steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.INSTANT),)),
        "refund_failed": Script(steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.FAILURE),)),
        "refund_retried": Script(
            steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.FAILURE), Asked(at_s=7200))
        ),
        "refund_manual_review": Script(steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.MANUAL_REVIEW),)),
        "refund_reviewed": Script(steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.REVIEW_SUCCESS),)),
        "refund_review_failed": Script(
            steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.REVIEW_FAILURE),)
        ),
        "refund_overdue": Script(steps=_CHARGED, refunds=(Asked(outcome=RefundOutcome.PENDING),)),
        "abandoned": Script(),
        "stuck": Script(steps=course((12, "PENDING_VBV"))),
        "mandate": Script(
            method=Method.NB, steps=course((20, "PENDING_VBV"), (95, "CHARGED")), registers_mandate=True
        ),
        "mandate_revoked": Script(steps=(*_CHARGED, *_MANDATE_REVOKED), registers_mandate=True),
        "mandate_expired": Script(
            steps=(*_CHARGED, Step(at_s=14400, mandate_status="EXPIRED")), registers_mandate=True
        ),
        "mandate_failed": Script(
            method=Method.NB,
            steps=course((20, "PENDING_VBV"), (95, "AUTHORIZATION_FAILED")),
            registers_mandate=True,
        ),
        "offer": Script(steps=_CHARGED, discount_percent=10),
        "offer_refunded": Script(
            steps=_CHARGED, discount_percent=10, refunds=(Asked(percent=50), Asked(at_s=7200))
        ),
        "offer_failed": Script(
            steps=course((12, "PENDING_VBV"), (70, "AUTHENTICATION_FAILED")), discount_percent=10
        ),
        **{name: Script(method=Method.LOAN, steps=steps) for name, steps in _LOANS.items()},
    }
)


_FAILS_FROM = 500_00
_PENDS_FROM = 700_00


def script_for_amount(amount: int) -> str:
    """Return the script that the amount alone decides, as on a bank's test system."""
    if amount < _FAILS_FROM:
        return "charged"
    return "failed" if amount < _PENDS_FROM else "delayed"
