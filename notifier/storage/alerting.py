"""The part of the contract for alerts: how attempts ended, rules with what they learned, incidents and silences.

`notifier.storage.contract` takes it in; nobody else needs it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from notifier.domain.alert.alert import Alert, AlertId
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.ledger import SeenOutcome
from notifier.domain.alert.outcome import Family, Outcome
from notifier.domain.alert.report import IncidentState
from notifier.domain.alert.silence import Silence, SilenceId
from notifier.domain.order import OrderId, OrderKey
from notifier.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Learned:
    """Where an alert stands: judged up to an instant, with the detector's own state."""

    judged_through: datetime | None = None
    schema: int = 0
    state: bytes | None = None


class OutcomeStore(Protocol):
    """How attempts ended, kept for a while."""

    async def add_outcomes(
        self, outcomes: Sequence[Outcome], *, observed_at: datetime, is_dated: bool
    ) -> None:
        """Append outcomes."""

    async def outcomes(
        self, account: str, *, after: int, before: datetime | None = None, limit: int
    ) -> list[SeenOutcome]:
        """Return outcomes with a number after `after`, seen before an instant, in the order in which they were seen."""

    async def histories(
        self, account: str, order_keys: Collection[OrderKey], *, through: int | None = None
    ) -> dict[tuple[OrderKey, Family, str | None], list[SeenOutcome]]:
        """Return all that is kept of some orders, or that up to a number, for each subject by the time of its end."""

    async def repeated(self, account: str, order_keys: Collection[OrderKey]) -> set[OrderKey]:
        """Return those of some orders that have more than one outcome, which few have."""

    async def last_outcome(self, account: str, *, before: datetime | None = None) -> int:
        """Return the number of the last outcome seen, or seen before an instant; 0 where there is none."""

    async def order_ids(self, account: str, order_keys: Sequence[OrderKey]) -> list[OrderId]:
        """Return orders as they were first spelled; those that are not watched any more too."""

    async def in_flight(self, account: str, *, limit: int) -> list[tuple[OrderKey, Snapshot]]:
        """Return open orders with what was seen of them last, those first that are looked at soonest."""

    async def prune_outcomes(self, *, before: datetime, limit: int = 1000) -> int:
        """Forget outcomes seen before an instant; return how many went."""


class AlertStore(Protocol):
    """Rules."""

    async def save_alert(self, alert: Alert) -> None:
        """Write a rule; what it learned stays.

        Raises: Conflict when another has its name.
        """

    async def alert(self, account: str, alert_id: AlertId) -> Alert:
        """Return one; raises NotFound."""

    async def alerts(self, account: str, *, after: str = "", limit: int = 50) -> list[Alert]:
        """Return rules in the order of their ids, which is the page's cursor."""

    async def remove_alert(self, account: str, alert_id: AlertId) -> None:
        """Delete one; raises NotFound."""

    async def alert_learned(self, alert_id: AlertId) -> Learned:
        """Return what a rule has learned; nothing for a new one."""

    async def save_alert_learned(self, alert_id: AlertId, learned: Learned) -> None:
        """Write what a rule has learned."""


class IncidentStore(Protocol):
    """Incidents, and who wishes not to be told."""

    async def save_incident(self, incident: Incident) -> None:
        """Write an incident, new or known."""

    async def incident(self, account: str, incident_id: str) -> Incident:
        """Return one; raises NotFound."""

    async def incidents(
        self, account: str, *, state: IncidentState | None = None, before: int = 0, limit: int = 50
    ) -> list[Incident]:
        """Return incidents, newest first; the number is the page's cursor."""

    async def living_incidents(self, account: str, *, ended_after: datetime) -> list[Incident]:
        """Return incidents that are open or ended after an instant, oldest first."""

    async def incidents_between(
        self, account: str, since: datetime, until: datetime, *, limit: int
    ) -> list[Incident]:
        """Return incidents that were open at some time between two instants, oldest first."""

    async def open_incidents(self, account: str) -> int:
        """Return how many are open."""

    async def accounts_with_incidents(self) -> set[str]:
        """Return the accounts in which some are open, configured or not."""

    async def prune_incidents(self, *, before: datetime, limit: int = 1000) -> int:
        """Forget incidents and silences that ended before an instant; return how many went."""

    async def add_silence(self, silence: Silence) -> None:
        """Add one."""

    async def silences(self, account: str, *, now: datetime) -> list[Silence]:
        """Return those that are not over, oldest id first."""

    async def drop_silence(self, account: str, silence_id: SilenceId) -> None:
        """End one; raises NotFound."""
