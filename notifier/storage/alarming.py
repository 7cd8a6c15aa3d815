"""Keeping an incident and telling of it, in one transaction: whoever moves one, worker or person, does it here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from notifier.domain.alert.alert import Alert, AlertState
from notifier.domain.alert.incident import CALLS, Condition, Incident, advance, event_type, told
from notifier.domain.alert.report import IncidentState, Reason
from notifier.domain.alert.silence import Silence
from notifier.domain.event import Event, Fact, counted_event_id
from notifier.domain.snapshot import Subject
from notifier.storage.alerting import Learned
from notifier.storage.contract import Transaction
from notifier.storage.records import Lanes
from notifier.storage.telling import tell

_NOT_LOST = CALLS - {Reason.UNACKNOWLEDGED}


class Telling(Protocol):
    """How events become deliveries."""

    @property
    def expires_after_s(self) -> float: ...

    @property
    def lanes(self) -> Lanes: ...

    @property
    def new_id(self) -> Callable[[], str]: ...

    @property
    def livemode(self) -> Callable[[str], bool]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The same as a value."""

    expires_after_s: float
    lanes: Lanes
    new_id: Callable[[], str]
    livemode: Callable[[str], bool]


async def keep(
    tx: Transaction,
    incident: Incident,
    reason: Reason | None,
    *,
    was: IncidentState | None,
    silences: Sequence[Silence],
    telling: Telling,
    now: datetime,
) -> Incident:
    """Write an incident and, unless it is silenced or merged, tell why it changed.

    `was` is its state before, None for a new one. A new one gets its number. Returns: the incident as it is kept.
    """
    if incident.report.number == 0:
        number = await tx.raise_counter(incident.account, Subject.INCIDENT, "")
        incident = replace(incident, report=replace(incident.report, number=number))
    worth = _worth_telling(incident, reason, silences, now)
    if worth is not None:
        incident = told(incident, worth, now=now)
    elif reason in _NOT_LOST and incident.told_at is not None:
        incident = replace(incident, kept_back=reason)
    await tx.save_incident(incident)
    if worth is not None:
        await _tell(tx, incident, worth, was=was, telling=telling, now=now)
    return incident


async def change(tx: Transaction, known: Alert, alert: Alert, *, telling: Telling, now: datetime) -> None:
    """Write an alert as it is from now on.

    Disabled, or counting something else, it can judge no more of what is open of it, so that ends; what it has
    learned stays true only while it counts the same without a pause.
    """
    await tx.save_alert(alert)
    counts_else = not alert.counts_as(known)
    if counts_else or alert.state is AlertState.DISABLED:
        await end_all(tx, known.account, known.id, telling=telling, now=now)
    if counts_else or alert.state is not known.state:
        await tx.save_alert_learned(alert.id, Learned())


async def end_all(
    tx: Transaction, account: str, rule_id: str | None = None, *, telling: Telling, now: datetime
) -> None:
    """End what is open of an alert, or of an account, that is judged no more.

    Whoever was called must not wait for an end for ever, and no silence for what has ended.
    """
    silences = await tx.silences(account, now=now)
    for incident in await tx.living_incidents(account, ended_after=now):
        if incident.is_over or rule_id not in {None, incident.rule_id}:
            continue
        freed = replace(incident, held_until=None, restate_at=None)
        ended, reason = advance(freed, Condition.WELL, None, now=now)
        await keep(tx, ended, reason, was=incident.report.state, silences=silences, telling=telling, now=now)
        for silence in silences:
            if silence.incident_id == incident.id and silence.until_at is None:
                await tx.drop_silence(account, silence.id)


def _worth_telling(
    incident: Incident, reason: Reason | None, silences: Sequence[Silence], now: datetime
) -> Reason | None:
    """Return what is told instead of the reason: nothing while it is covered, its opening once it is no more.

    The end of what was told is told all the same: whoever was called must hear that it is over.
    """
    is_known = incident.told_at is not None
    if reason is None or incident.is_over:
        return reason if is_known else None
    if incident.merged_into is not None or any(each.covers(incident, now) for each in silences):
        return None
    if not is_known:
        return Reason.OPENED
    is_calling = reason in CALLS or incident.report.state is not IncidentState.OPEN
    return reason if is_calling else incident.kept_back or reason


async def _tell(
    tx: Transaction,
    incident: Incident,
    reason: Reason,
    *,
    was: IncidentState | None,
    telling: Telling,
    now: datetime,
) -> None:
    fact = Fact(
        type=event_type(reason),
        subject=Subject.INCIDENT,
        subject_id=incident.id,
        field="state",
        previous=was,
        current=incident.report.state,
    )
    n = await tx.raise_counter(incident.account, fact.subject, incident.id)
    event = Event(
        id=counted_event_id(incident.account, None, fact, n),
        type=fact.type,
        account=incident.account,
        livemode=telling.livemode(incident.account),
        subject=fact.subject,
        subject_id=fact.subject_id,
        observed_at=now,
        field=fact.field,
        previous=fact.previous,
        current=fact.current,
        incident=incident.report,
    )
    await tell(
        tx,
        [event],
        watch=None,
        snapshot=None,
        now=now,
        expires_after_s=telling.expires_after_s,
        lanes=telling.lanes,
        new_id=telling.new_id,
        only_to=incident.routes,
    )
