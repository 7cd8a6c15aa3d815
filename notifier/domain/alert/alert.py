"""An alert: a rule of the detector, whom it calls, and how often it may."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from notifier.domain.alert.counts import minute_of
from notifier.domain.alert.outcome import PLACED, STUCK, Family
from notifier.domain.alert.report import Place, Tier
from notifier.domain.alert.rule import DEFAULT_WORDS, Plain, Rule
from notifier.errors import InvalidValue

AlertId = NewType("AlertId", str)

DETECTED = frozenset({Tier.PAGE, Tier.WARN, Tier.SLOW, Tier.RUN})
SILENCE = "silence"
_OF_FAMILIES = {
    Family.REFUND: frozenset({"FAILURE"}),
    Family.MANDATE: frozenset({"FAILURE"}),
    Family.LOAN: frozenset({"loan_rejected", "kyc_rejected", "no_offers"}),
}
_STATUSES = frozenset(
    {"AUTHENTICATION_FAILED", "AUTHORIZATION_FAILED", "JUSPAY_DECLINED", "DECLINED", "CAPTURE_FAILED"}
)
OUTCOMES = (*sorted(_STATUSES), STUCK, *_OF_FAMILIES, SILENCE)
"""What `outcome` may be: statuses of orders, of which it may name several, or one of the other words."""


class AlertState(StrEnum):
    """Whether it is judged. One whose table left the configuration is disabled."""

    ACTIVE = "active"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """Somebody's word that the last hour of a place is its new normal, taken with the minute that begins at `at`."""

    cause: Place
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of one account; members as REST and `[alerts.NAME]` have them."""

    id: AlertId
    account: str
    name: str
    family: Family = Family.ORDER
    words: frozenset[str] = DEFAULT_WORDS
    dimensions: tuple[str, ...] = PLACED
    where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    false_pages_per_month: float = 1.0
    tiers: frozenset[Tier] = DETECTED
    plain: Plain | None = None
    page_budget: int = 2
    routes: tuple[str, ...] = ()
    state: AlertState = AlertState.ACTIVE
    managed: str | None = None
    accepted: tuple[Acceptance, ...] = ()

    @property
    def outcome(self) -> tuple[str, ...]:
        """What is counted, in the words of `watched`."""
        if self.tiers == {Tier.SILENCE}:
            return (SILENCE,)
        return tuple(sorted(self.words)) if self.family is Family.ORDER else (self.family.value,)

    @property
    def rule(self) -> Rule:
        """What the detector is to watch."""
        return Rule(
            name=self.name,
            family=self.family,
            words=self.words,
            dimensions=self.dimensions,
            where=self.where,
            false_pages_per_month=self.false_pages_per_month,
            tiers=self.tiers,
            plain=self.plain,
        )

    def accepted_with(self, minute: int) -> list[Place]:
        """Return the places whose present state is taken for normal with a minute."""
        return [each.cause for each in self.accepted if minute_of(each.at) == minute]

    def counts_as(self, other: "Alert") -> bool:
        """Return whether both count the same, so that what one has learned is true of the other."""
        mine, its = (
            (each.family, each.words, each.dimensions, each.where, each.tiers == {Tier.SILENCE})
            for each in (self, other)
        )
        return mine == its


def watched(outcome: Sequence[str]) -> tuple[Family, frozenset[str]]:
    """Return the family and the words that `outcome` means.

    Raises: InvalidValue naming `outcome`.
    """
    words = frozenset(outcome)
    if words == {SILENCE}:
        return Family.ORDER, DEFAULT_WORDS
    if words == {STUCK} or (words and words <= _STATUSES):
        return Family.ORDER, words
    for family, failed in _OF_FAMILIES.items():
        if words == {family.value}:
            return family, failed
    unknown = ", ".join(sorted(words - set(OUTCOMES)))
    said = f"{unknown} is none of {', '.join(OUTCOMES)}" if unknown else "only statuses of orders go together"
    raise InvalidValue("outcome", said, "outcome")
