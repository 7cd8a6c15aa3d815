"""An alert: a rule of the detector, whom it calls, and how often it may."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NewType

from notifier.domain.alert.outcome import PLACED, Family
from notifier.domain.alert.report import Tier
from notifier.domain.alert.rule import DEFAULT_WORDS, Plain, Rule

AlertId = NewType("AlertId", str)


class AlertState(StrEnum):
    """Whether it is judged. One whose table left the configuration is disabled."""

    ACTIVE = "active"
    DISABLED = "disabled"


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
    tiers: frozenset[Tier] = frozenset({Tier.PAGE, Tier.WARN, Tier.SLOW, Tier.RUN})
    plain: Plain | None = None
    page_budget: int = 2
    routes: tuple[str, ...] = ()
    state: AlertState = AlertState.ACTIVE
    managed: str | None = None

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
