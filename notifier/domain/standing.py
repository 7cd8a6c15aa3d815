"""How far the thing is that a source speaks of: the order, its loan applications, or the mandate.

Words of loans and mandates: juspay, lender-status-mapping and mandate status. Stages come in any order and may be
skipped, so a word is read by itself, never against the one before it.
"""

from notifier.domain.order import Phase, Source, slug
from notifier.domain.snapshot import Snapshot

LOAN_STAGES = {
    "Loan Application Initiated": Phase.OPEN,
    "Offer Received": Phase.OPEN,
    "Offer Selected": Phase.OPEN,
    "KYC Verified": Phase.OPEN,
    "Mandate Completed": Phase.OPEN,
    "Downpayment Completed": Phase.OPEN,
    "Agreement Signed": Phase.OPEN,
    "Loan Granted": Phase.OPEN,
    "Loan Active": Phase.SUCCEEDED,
    "Loan Rejected": Phase.FAILED,
    "KYC Rejected": Phase.FAILED,
    "No Offers": Phase.FAILED,
}
"""Every documented sub-status of a loan application, rightly spelled."""

_MISSPELT = {"agreement_singed": "agreement_signed"}
_LOAN_PHASES = {slug(word): phase for word, phase in LOAN_STAGES.items()}
_MANDATE_PHASES = {
    "CREATED": Phase.OPEN,
    "ACTIVE": Phase.SUCCEEDED,
    "PAUSED": Phase.SUCCEEDED,
    "REVOKED": Phase.FAILED,
    "FAILURE": Phase.FAILED,
    "EXPIRED": Phase.FAILED,
}


def loan_slug(sub_status: str) -> str:
    """Return a sub-status as a part of an event type; documented misspellings are put right."""
    word = slug(sub_status)
    return _MISSPELT.get(word, word)


def loan_phase(sub_status: str) -> Phase:
    """Return the phase of one loan application by its stage, as the lender wrote it or as a slug."""
    return _LOAN_PHASES.get(loan_slug(sub_status), Phase.UNKNOWN)


def mandate_phase(status: str) -> Phase:
    """Return the phase of a mandate's status word."""
    return _MANDATE_PHASES.get(status, Phase.UNKNOWN)


def standing(snapshot: Snapshot) -> Phase:
    """Return the phase of what the snapshot's source speaks of.

    Of several loan applications the one that is furthest counts; before the first one the order is open.
    """
    match snapshot.source:
        case Source.HYPERCREDIT:
            return _of_loans(snapshot)
        case Source.MANDATE:
            return mandate_phase((snapshot.mandate.status if snapshot.mandate else None) or "")
        case Source.ORDER:
            return snapshot.order.phase if snapshot.order else Phase.UNKNOWN


def order_phase(snapshot: Snapshot) -> Phase:
    """Return the phase of the order itself as of a version, whichever source brought it."""
    of_order = snapshot.of(Source.ORDER)
    return Phase.UNKNOWN if of_order is None else standing(of_order)


def _of_loans(snapshot: Snapshot) -> Phase:
    phases = {loan_phase(loan.sub_status or "") for loan in snapshot.loans}
    for phase in (Phase.SUCCEEDED, Phase.OPEN, Phase.UNKNOWN, Phase.FAILED):
        if phase in phases:
            return phase
    return Phase.OPEN
