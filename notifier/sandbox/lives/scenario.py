"""The lives of make-believe orders: what each looks like at every age.

Ages are seconds of the life itself, before any speed. Amounts are whole hundredths of the currency's unit.
"""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

FAILED = frozenset({"AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED", "JUSPAY_DECLINED"})
UNTRIED = frozenset({"NEW", "CREATED"})
PAID = frozenset({"CHARGED", "AUTO_REFUNDED"})
ON_THE_PAGE = frozenset({"STARTED", "PENDING_VBV", "PENDING_AUTHENTICATION"})


class Method(StrEnum):
    """How the customer pays; UPI comes with its flow."""

    CARD = "CARD"
    UPI_INTENT = "UPI_INTENT"
    UPI_COLLECT = "UPI_COLLECT"
    NB = "NB"
    WALLET = "WALLET"
    LOAN = "LOAN"


class RefundOutcome(StrEnum):
    """Where a refund ends; PENDING never ends, INSTANT skips the queue, REVIEW_… is what a person decides."""

    SUCCESS = "success"
    FAILURE = "failure"
    MANUAL_REVIEW = "manual_review"
    PENDING = "pending"
    INSTANT = "instant"
    REVIEW_SUCCESS = "review_success"
    REVIEW_FAILURE = "review_failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund row as it is since `changed_s`."""

    unique_request_id: str
    amount: int
    asked_s: float
    changed_s: float
    status: str = "PENDING"
    sent_to_gateway: bool = False
    has_arn: bool = False
    initiated_by: str = "API"
    refund_type: str = "STANDARD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Application:
    """An application for a loan as it is since `changed_s`; `stage` is the upstream's `sub_status`."""

    number: int
    lender: str
    stage: str
    begun_s: float
    changed_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What changes at an age; None leaves a thing as it was."""

    at_s: float
    status: str | None = None
    mandate_status: str | None = None
    refund: Refund | None = None
    application: Application | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """An order at one age; `attempt` is 0 while nobody has tried to pay."""

    status: str = "NEW"
    changed_s: float = 0
    attempt: int = 0
    attempt_s: float = 0
    mandate_status: str | None = None
    refunds: tuple[Refund, ...] = ()
    applications: tuple[Application, ...] = ()

    def after(self, step: Step) -> "Look":
        """Return what the order looks like once the step has happened."""
        look = self
        if step.status is not None:
            look = replace(look, status=step.status, changed_s=step.at_s)
        if self._is_retried_by(look.status):
            look = replace(look, attempt=self.attempt + 1, attempt_s=step.at_s)
        if step.mandate_status is not None:
            look = replace(look, mandate_status=step.mandate_status)
        if step.refund is not None:
            rows = {row.unique_request_id: row for row in look.refunds}
            look = replace(
                look, refunds=tuple((rows | {step.refund.unique_request_id: step.refund}).values())
            )
        if step.application is not None:
            loans = {row.number: row for row in look.applications}
            look = replace(
                look, applications=tuple((loans | {step.application.number: step.application}).values())
            )
        return look

    def _is_retried_by(self, status: str) -> bool:
        if self.attempt == 0:
            return status not in UNTRIED
        return self.status in FAILED and status in ON_THE_PAGE

    @property
    def refunded(self) -> int:
        """Return what is refunded or still may be: a FAILURE alone drops out."""
        return sum(row.amount for row in self.refunds if row.status != "FAILURE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """An order and its script; `steps` are kept in the order of their ages, `given` is what the merchant sent."""

    order_id: str
    amount: int
    currency: str = "INR"
    method: Method = Method.UPI_COLLECT
    discount: int = 0
    registers_mandate: bool = False
    steps: tuple[Step, ...] = ()
    given: Mapping[str, str] = field(default_factory=dict)

    @property
    def effective(self) -> int:
        """Return what the customer is to pay."""
        return self.amount - self.discount

    @property
    def ends_s(self) -> float:
        """Return the age after which nothing more happens."""
        return self.steps[-1].at_s if self.steps else 0

    def look(self, age_s: float) -> Look:
        """Return the order as it is at that age."""
        look = Look()
        for step in self.steps:
            if step.at_s > age_s:
                break
            look = look.after(step)
        return look

    def before(self, age_s: float) -> float:
        """Return an age just before the latest change that `age_s` shows, 0 when it shows none."""
        changed_s = max((step.at_s for step in self.steps if step.at_s <= age_s), default=0.0)
        return max(0.0, math.nextafter(changed_s, 0.0))

    def then(self, *steps: Step) -> "Life":
        """Return this life with more steps."""
        return replace(self, steps=tuple(sorted((*self.steps, *steps), key=lambda step: step.at_s)))

    def hurried(self, age_s: float) -> "Life":
        """Return this life with its next step now, and all later ones as much earlier."""
        next_s = min((step.at_s for step in self.steps if step.at_s > age_s), default=age_s)
        return replace(self, steps=tuple(_earlier(step, age_s, next_s) for step in self.steps))

    def forced(self, at_s: float, status: str) -> "Life":
        """Return this life with the status set by hand; what the script meant to do to it later is off."""
        kept = tuple(step for step in self.steps if step.at_s <= at_s or step.status is None)
        return replace(self, steps=kept).then(Step(at_s=at_s, status=status))


def _earlier(step: Step, age_s: float, next_s: float) -> Step:
    def at(then_s: float) -> float:
        return then_s if then_s <= age_s else age_s + (then_s - next_s)

    refund, loan = step.refund, step.application
    return replace(
        step,
        at_s=at(step.at_s),
        refund=refund and replace(refund, asked_s=at(refund.asked_s), changed_s=at(refund.changed_s)),
        application=loan and replace(loan, begun_s=at(loan.begun_s), changed_s=at(loan.changed_s)),
    )


def tag(text: str) -> str:
    """Return hexadecimal digits that belong to the text, the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest()


def course(*changes: tuple[float, str]) -> tuple[Step, ...]:
    """Return steps from pairs of age and order status."""
    return tuple(Step(at_s=at_s, status=status) for at_s, status in changes)
