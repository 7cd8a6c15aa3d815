"""Lives by name, and the life an order's amount alone decides."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from notifier.sandbox.lives.scenario import Life, Method, RefundOutcome, Step, course, refunded


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A life without its order: a named course of things."""

    steps: tuple[Step, ...] = ()
    method: Method = Method.UPI_COLLECT
    discount_percent: int = 0
    registers_mandate: bool = False
    refund: RefundOutcome | None = None
    refund_percent: int = 100
    refund_asked_s: float = 300

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
        if self.refund is None:
            return life
        return refunded(life, asked_s=self.refund_asked_s, outcome=self.refund, percent=self.refund_percent)


_CHARGED = course((12, "PENDING_VBV"), (46, "CHARGED"))
_AUTO_REFUNDED = course(
    (35, "PENDING_VBV"), (300, "AUTHENTICATION_FAILED"), (1200, "CHARGED"), (1260, "AUTO_REFUNDED")
)
_MANDATE_REVOKED = (
    Step(at_s=3600, mandate_status="PAUSED"),
    Step(at_s=7200, mandate_status="ACTIVE"),
    Step(at_s=10800, mandate_status="REVOKED"),
)

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
        "auto_refunded": Script(
            method=Method.CARD,
            steps=_AUTO_REFUNDED,
            refund=RefundOutcome.SUCCESS,
            refund_asked_s=1260,
        ),
        "refund": Script(steps=_CHARGED, refund=RefundOutcome.SUCCESS),
        "partial_refund": Script(steps=_CHARGED, refund=RefundOutcome.SUCCESS, refund_percent=50),
        "refund_instant": Script(steps=_CHARGED, refund=RefundOutcome.INSTANT),
        "refund_failed": Script(steps=_CHARGED, refund=RefundOutcome.FAILURE),
        "refund_manual_review": Script(steps=_CHARGED, refund=RefundOutcome.MANUAL_REVIEW),
        "refund_overdue": Script(steps=_CHARGED, refund=RefundOutcome.PENDING),
        "abandoned": Script(),
        "stuck": Script(steps=course((12, "PENDING_VBV"))),
        "mandate": Script(
            method=Method.NB, steps=course((20, "PENDING_VBV"), (95, "CHARGED")), registers_mandate=True
        ),
        "mandate_revoked": Script(steps=(*_CHARGED, *_MANDATE_REVOKED), registers_mandate=True),
        "mandate_failed": Script(
            method=Method.NB,
            steps=course((20, "PENDING_VBV"), (95, "AUTHORIZATION_FAILED")),
            registers_mandate=True,
        ),
        "offer": Script(steps=_CHARGED, discount_percent=10),
        "offer_refunded": Script(steps=_CHARGED, discount_percent=10, refund=RefundOutcome.SUCCESS),
        "offer_failed": Script(
            steps=course((12, "PENDING_VBV"), (70, "AUTHENTICATION_FAILED")), discount_percent=10
        ),
    }
)


_FAILS_FROM = 500_00
_PENDS_FROM = 700_00


def script_for_amount(amount: int) -> str:
    """Return the script that the amount alone decides, as on a bank's test system."""
    if amount < _FAILS_FROM:
        return "charged"
    return "failed" if amount < _PENDS_FROM else "delayed"
