"""Applications for a loan: the lenders' stages, in whatever order a lender has them, and the order that follows."""

from collections.abc import Sequence

from notifier.sandbox.lives.scenario import Application, Step

FIRST_LENDER, SECOND_LENDER = "TECHFINO_LSP", "FIBE_LSP"
LENDERS = (FIRST_LENDER, SECOND_LENDER, "FINSALL_LSP", "AVANSE_LSP", "MONEYVIEW_LSP")

RECEIVED = "Offer Received"
SELECTED = "Offer Selected"
VERIFIED = "KYC Verified"
MANDATED = "Mandate Completed"
PAID_DOWN = "Downpayment Completed"
SINGED = "Agreement Singed"  # as the upstream's own table spells it
SIGNED = "Agreement Signed"
GRANTED = "Loan Granted"
ACTIVE = "Loan Active"
REJECTED = "Loan Rejected"
KYC_REJECTED = "KYC Rejected"
NO_OFFERS = "No Offers"

STAGES = (RECEIVED, SELECTED, VERIFIED, MANDATED, PAID_DOWN, SINGED, GRANTED, ACTIVE)
REFUSED = (REJECTED, KYC_REJECTED, NO_OFFERS)

Course = Sequence[tuple[float, str]]


def application_status(stage: str) -> str:
    """Return the payment status of one application; only that of `Loan Active` is proven by a sample."""
    if stage == ACTIVE:
        return "CHARGED"
    return "AUTHORIZATION_FAILED" if stage in REFUSED else "PENDING_VBV"


def order_status(stages: Sequence[str]) -> str:
    """Return the status of an order whose applications have come so far."""
    words = [application_status(stage) for stage in stages]
    for word in ("CHARGED", "PENDING_VBV", "AUTHORIZATION_FAILED"):
        if word in words:
            return word
    return "NEW"


def loan_steps(*applications: tuple[str, Course]) -> tuple[Step, ...]:
    """Return the steps of applications given as lender and pairs of age and stage."""
    changes = sorted(
        (at_s, number, lender, stage, course[0][0])
        for number, (lender, course) in enumerate(applications, start=1)
        for at_s, stage in course
    )
    steps: list[Step] = []
    stages: dict[int, str] = {}
    for at_s, number, lender, stage, begun_s in changes:
        before = order_status(list(stages.values()))
        stages[number] = stage
        after = order_status(list(stages.values()))
        row = Application(number=number, lender=lender, stage=stage, begun_s=begun_s, changed_s=at_s)
        steps.append(Step(at_s=at_s, status=None if after == before else after, application=row))
    return tuple(steps)
