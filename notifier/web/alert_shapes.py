"""Bodies and queries of alerts, incidents and silences."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, field_validator, model_validator

from notifier.domain.alert.alert import DETECTED, Alert, AlertState, watched
from notifier.domain.alert.outcome import PLACED, TOLD
from notifier.domain.alert.report import IncidentState, Place, Tier
from notifier.domain.alert.rule import Plain
from notifier.domain.alert.summary import SUMMARY
from notifier.errors import InvalidValue
from notifier.web.fields import Instant, Seconds, Tags, Word
from notifier.web.shapes import ListQuery, Scoped, Shape

_MINUTE_S = 60
_LONGEST_WINDOW_S = 360 * _MINUTE_S
_MOST_DAYS = 35


def _dimension(name: str) -> str:
    if name not in PLACED:
        raise ValueError(f"{name!r} is no dimension; there are: {', '.join(PLACED)}")
    return name


def _narrowing(name: str) -> str:
    if name not in (*PLACED, *TOLD):
        raise ValueError(f"{name!r} is nothing to filter by; there are: {', '.join((*PLACED, *TOLD))}")
    return name


def _detected(tier: Tier) -> Tier:
    if tier not in DETECTED:
        raise ValueError(f"should be one of {', '.join(sorted(DETECTED))}")
    return tier


Dimension = Annotated[str, AfterValidator(_dimension)]
Narrowing = Annotated[str, AfterValidator(_narrowing)]
DetectedTier = Annotated[Tier, AfterValidator(_detected)]
Values = Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]


class PlainWish(Shape):
    """A threshold that somebody wrote: more than so many failed orders, or a rate of at least so many orders."""

    window_s: Annotated[int, Field(ge=_MINUTE_S, le=_LONGEST_WINDOW_S, multiple_of=_MINUTE_S)]
    more_than: Annotated[int, Field(ge=0)] | None = None
    rate_over: Annotated[float, Field(ge=0, lt=1)] | None = None
    at_least: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _is_one_of_the_two(self) -> Self:
        if (self.more_than is None) == (self.rate_over is None):
            raise ValueError("give either more_than, or rate_over with at_least")
        if (self.rate_over is None) != (self.at_least is None):
            raise ValueError("rate_over and at_least go together: a rate of few orders says nothing")
        return self

    def plain(self) -> Plain:
        """Return the domain's value."""
        return Plain(
            window=self.window_s // _MINUTE_S,
            failed=self.more_than,
            rate=self.rate_over,
            least=self.at_least or 0,
        )


class AlertMembers(Scoped):
    """PATCH /v1/alerts/{id}; members left out stay."""

    name: Word = ""
    outcome: Annotated[tuple[Word, ...], Field(min_length=1, max_length=10)] = ()
    dimensions: Annotated[tuple[Dimension, ...], Field(max_length=len(PLACED))] = PLACED
    filter: dict[Narrowing, Values] | None = None
    false_pages_per_month: Annotated[float, Field(ge=0.001, le=100)] = 1.0
    tiers: tuple[DetectedTier, ...] = ()
    plain: PlainWish | None = None
    page_budget: Annotated[int, Field(ge=0, le=100)] = 2
    routes: Tags = ()
    state: AlertState = AlertState.ACTIVE

    @field_validator("name")
    @classmethod
    def _no_name_is_taken(cls, given: str) -> str:
        if given == SUMMARY:
            raise ValueError(f"{SUMMARY!r} is what stands for incidents past the page budget; choose another")
        return given

    @field_validator("outcome", mode="before")
    @classmethod
    def _one_word_will_do(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else tuple(given) if isinstance(given, list) else given

    @field_validator("outcome")
    @classmethod
    def _outcomes_are_known(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        watched(given)
        return given

    def changes(self) -> dict[str, Any]:
        """Return the given members as those of an alert."""
        given = self.model_fields_set
        plain = {"dimensions", "false_pages_per_month", "page_budget", "routes", "state", "name"}
        found = {member: getattr(self, member) for member in plain & given}
        if "outcome" in given:
            found["family"], found["words"] = watched(self.outcome)
        if "filter" in given:
            narrowing = self.filter or {}
            found["where"] = {name: frozenset(values) for name, values in narrowing.items()}
        if "plain" in given:
            found["plain"] = self.plain.plain() if self.plain else None
        if self.outcome == ("silence",):
            found["tiers"] = frozenset({Tier.SILENCE})
        elif "tiers" in given:
            found["tiers"] = frozenset(self.tiers)
        elif self.plain is not None:
            found["tiers"] = frozenset[Tier]()
        return found

    def amended(self, alert: Alert) -> Alert:
        """Return the alert with these members.

        Raises: InvalidValue where nothing would be tested.
        """
        changes = self.changes()
        if alert.tiers == {Tier.SILENCE} and "family" in changes:
            changes = {"tiers": DETECTED, **changes}
        changed = replace(alert, **changes)
        if not changed.tiers and changed.plain is None:
            raise InvalidValue("tiers", "is empty and there is no plain threshold: nothing would be tested")
        return changed


class NewAlert(AlertMembers):
    """POST /v1/alerts, and a table [alerts.NAME]."""

    name: Word
    outcome: Annotated[tuple[Word, ...], Field(min_length=1, max_length=10)]


class Backtest(Scoped):
    """POST /v1/alerts/{id}/backtest: how many days of stored outcomes to judge again."""

    days: Annotated[float, Field(gt=0, le=_MOST_DAYS)] = 7


class NewNormal(Scoped):
    """POST /v1/alerts/{id}/accept: where, by dimensions; none is the whole account."""

    by: Word
    cause: dict[Dimension, Word] = Field(default_factory=dict)

    @property
    def place(self) -> Place:
        """The cause in the dimensions' fixed order."""
        return tuple((name, self.cause[name]) for name in PLACED if name in self.cause)


class IncidentQuery(ListQuery):
    """GET /v1/incidents."""

    state: IncidentState | None = None


class Acknowledgement(Scoped):
    """POST /v1/incidents/{id}/ack."""

    by: Word
    note: Word | None = None


class SilenceWish(Scoped):
    """POST /v1/incidents/{id}/silence: one of three ends."""

    by: Word
    note: Word | None = None
    until: Instant | None = None
    for_s: Seconds | None = None
    until_it_ends: bool = False

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if [self.until is not None, self.for_s is not None, self.until_it_ends].count(True) != 1:
            raise InvalidValue("until", "give one of until, for_s, and until_it_ends: true", "missing")
        return self

    def until_at(self, now: datetime) -> datetime | None:
        """Return the instant at which it ends; None until the incident ends.

        Raises: InvalidValue when it has passed.
        """
        if self.until is not None and self.until <= now:
            raise InvalidValue("until", "has passed; give a later instant", "past")
        return self.until if self.for_s is None else now + timedelta(seconds=self.for_s)


class NewSilence(Scoped):
    """POST /v1/silences: by rule and cause, for a time."""

    by: Word
    note: Word | None = None
    rule: Word | None = None
    matchers: dict[Dimension, Word] = Field(default_factory=dict)
    until: Instant | None = None
    for_s: Seconds | None = None

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if (self.until is None) == (self.for_s is None):
            raise InvalidValue("until", "give either until or for_s", "missing")
        return self

    def until_at(self, now: datetime) -> datetime:
        """Return the instant at which it ends.

        Raises: InvalidValue when it has passed.
        """
        until = self.until or now + timedelta(seconds=self.for_s or 0)
        if until <= now:
            raise InvalidValue("until", "has passed; give a later instant", "past")
        return until
