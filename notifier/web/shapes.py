"""Bodies and queries as they come in; each turns into the domain's own values, so that nothing is checked twice."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from notifier.config.secret import Secret
from notifier.domain.delivery import DeliveryState
from notifier.domain.event import Expectation
from notifier.domain.money import Money
from notifier.domain.order import Source, WatchState, parse_order_id
from notifier.domain.replay import Replayable
from notifier.domain.subscription import Condition, Mode, Op, Ordering
from notifier.errors import InvalidValue
from notifier.storage.records import Initial, Registration, SubscriptionSecrets
from notifier.web.fields import (
    Amount,
    Ascii,
    Currency,
    Headers,
    Instant,
    Limit,
    OrderName,
    Overlap,
    Path,
    Patterns,
    Place,
    Rate,
    Scalar,
    Schedule,
    Seconds,
    Tags,
    TargetText,
    TemplateName,
    TypePatterns,
    Window,
    Word,
)


class Shape(BaseModel):
    """A body or a part of one: JSON's own types, no unknown members, nothing sent is ever shown."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False
    )


class Scoped(Shape):
    """Members of every body; alone, the body of a call that needs none."""

    account: str | None = None


class Expect(Shape):
    """What the merchant holds the order to be worth."""

    amount: Amount | None = None
    effective_amount: Amount | None = None
    currency: Currency

    @model_validator(mode="after")
    def _amounts_fit_the_currency(self) -> Self:
        self.expectation()
        return self

    def expectation(self) -> Expectation:
        """Return the domain's value.

        Raises: InvalidValue when an amount has more digits than its currency, or none is given.
        """
        amount, effective = (
            None if text is None else Money.parse(text, self.currency)
            for text in (self.amount, self.effective_amount)
        )
        if amount is None and effective is None:
            raise InvalidValue("amount", "is missing; give amount or effective_amount", "missing")
        return Expectation(amount=amount, effective_amount=effective)


class FilterCondition(Shape):
    """One comparison of a filter."""

    path: Path
    op: Op
    value: Scalar | Annotated[tuple[Scalar, ...], Field(max_length=100)] | None = None

    @model_validator(mode="after")
    def _value_suits_op(self) -> Self:
        match self.op:
            case Op.IN:
                suits, wanted = isinstance(self.value, tuple), "a list"
            case Op.EXISTS:
                suits, wanted = self.value is None or isinstance(self.value, bool), "true or false"
            case _:
                suits, wanted = isinstance(self.value, str | int | float), "a text, a number, true or false"
        if not suits:
            raise ValueError(f"op {self.op} needs {wanted} as value")
        return self


class Filter(Shape):
    """All conditions must hold."""

    all: Annotated[tuple[FilterCondition, ...], Field(min_length=1, max_length=20)]

    def conditions(self) -> tuple[Condition, ...]:
        """Return the domain's values."""
        return tuple(Condition(path=each.path, op=each.op, value=each.value) for each in self.all)


class BasicAuth(Shape):
    """Credentials for a receiver that asks for HTTP Basic; RFC 7617 leaves no colon to the user's name."""

    username: Annotated[
        str, Field(min_length=1, max_length=128, pattern=r"^[^:\x00-\x1f\x7f]+\z", repr=False)
    ]
    password: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+\z", repr=False)
    ]

    def secret(self) -> Secret:
        """Return `user:password`."""
        return Secret(f"{self.username}:{self.password}")


_PLAIN = {
    "name",
    "events",
    "tags",
    "template",
    "mode",
    "ordering",
    "schedule",
    "expires_after_s",
    "rate_per_s",
    "digest_s",
}


class SubscriptionMembers(Shape):
    """Members that may be given at first and changed later."""

    name: Word | None = None
    target: TargetText = Field(default="", repr=False)
    events: Patterns = ()
    filter: Filter | None = None
    tags: Tags = ()
    template: TemplateName | None = None
    mode: Mode = Mode.ALL
    ordering: Ordering = Ordering.HOLD
    schedule: Schedule | None = None
    expires_after_s: Seconds | None = None
    rate_per_s: Rate | None = None
    digest_s: Window | None = None
    headers: Headers | None = Field(default=None, repr=False)
    basic_auth: BasicAuth | None = Field(default=None, repr=False)

    def changes(self) -> dict[str, Any]:
        """Return the given members as those of a domain subscription."""
        given = {name: getattr(self, name) for name in _PLAIN & self.model_fields_set}
        if "filter" in self.model_fields_set:
            given["conditions"] = self.filter.conditions() if self.filter else ()
        return given

    def secret_changes(self) -> dict[str, Any]:
        """Return the given members as those of a subscription's secrets."""
        given: dict[str, Any] = {}
        if "target" in self.model_fields_set:
            given["target"] = Secret(self.target)
        if "headers" in self.model_fields_set:
            given["headers"] = dict(self.headers or {})
        if "basic_auth" in self.model_fields_set:
            given["basic_auth"] = self.basic_auth.secret() if self.basic_auth else None
        return given


class SubscriptionWish(SubscriptionMembers):
    """A subscription as a watch's `notify` has it."""

    channel: Word
    target: TargetText = Field(repr=False)
    events: Patterns
    since: Place | None = None

    def secrets(self, signing: tuple[Secret, ...]) -> SubscriptionSecrets:
        """Return the part that is sealed."""
        return SubscriptionSecrets(**{"signing": signing, **self.secret_changes()})


class NewSubscription(SubscriptionWish, Scoped):
    """POST /v1/subscriptions."""


class SubscriptionPatch(SubscriptionMembers, Scoped):
    """PATCH /v1/subscriptions/{id}; members left out stay."""


class SecretRotation(Scoped):
    """POST /v1/subscriptions/{id}/rotate-secret: for how long the old secret signs along."""

    overlap_s: Overlap = 86_400


class Held(Scoped):
    """POST /v1/subscriptions/{id}/enable: what becomes of what is owed."""

    held: Annotated[str, Field(pattern=r"^(send|drop)\z")] = "send"


class TemplateWish(Scoped):
    """PUT /v1/templates/{name}."""

    channel: Word
    parts: Annotated[dict[str, Annotated[str, Field(max_length=65_536)]], Field(min_length=1, max_length=8)]


class ReplayWish(Scoped):
    """POST /v1/deliveries/{id}/replay."""

    dry_run: bool = False
    rerender: bool = False


class NewReplay(ReplayWish):
    """POST /v1/subscriptions/{id}/replay; what is left out narrows nothing."""

    since: Place
    until: Place | None = None
    types: TypePatterns | None = None
    states: Annotated[tuple[Replayable, ...], Field(min_length=1, max_length=len(Replayable))] | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        match self.since, self.until:
            case (int(since), int(until)) if until < since:
                is_empty = True
            case (datetime() as since_at, datetime() as until_at):
                is_empty = until_at <= since_at
            case _:
                is_empty = False
        if is_empty:
            raise InvalidValue("until", "lies before since; give a later one", "range")
        return self


class NewWatch(Scoped):
    """POST /v1/watches, and a line of the bulk call."""

    order_id: OrderName
    sources: Annotated[tuple[Source, ...], Field(min_length=1)] = (Source.ORDER,)
    mandate_id: Ascii | None = None
    routing_id: Ascii | None = None
    expect: Expect | None = None
    tags: Tags = ()
    until: Instant | None = None
    initial: Initial = Initial.TELL
    notify: Annotated[tuple[SubscriptionWish, ...], Field(max_length=10)] = ()

    @model_validator(mode="after")
    def _mandates_are_asked_for_by_name(self) -> Self:
        if Source.MANDATE in self.sources and self.mandate_id is None:
            raise InvalidValue("mandate_id", "is missing; source mandate is asked by it", "missing")
        return self

    def registration(self, account: str) -> Registration:
        """Return the domain's value."""
        return Registration(
            account=account,
            order_id=parse_order_id(self.order_id),
            sources=frozenset(self.sources),
            mandate_id=self.mandate_id,
            routing_id=self.routing_id,
            expect=self.expect.expectation() if self.expect else None,
            tags=frozenset(self.tags),
            until_at=self.until,
            initial=self.initial,
        )


class WatchPatch(Scoped):
    """PATCH /v1/watches/{order_id}; members left out stay, `null` takes `until` and `expect` away."""

    state: Annotated[str, Field(pattern=r"^(active|paused)\z")] = WatchState.ACTIVE
    tags: Tags = ()
    until: Instant | None = None
    expect: Expect | None = None

    def changes(self) -> dict[str, Any]:
        """Return the given members as those of a watch."""
        values = {
            "state": ("state", WatchState(self.state)),
            "tags": ("tags", frozenset(self.tags)),
            "until": ("until_at", self.until),
            "expect": ("expect", self.expect.expectation() if self.expect else None),
        }
        return dict(values[name] for name in values if name in self.model_fields_set)


class Query(BaseModel):
    """A call's query; parameters are text, so numbers are read from it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AnyQuery(Query):
    """The query of a call whose caller is not ours to teach: it is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class AccountQuery(Query):
    """The query of calls about one thing of one account."""

    account: str | None = None


class ListQuery(AccountQuery):
    """The query of lists."""

    limit: Limit = 50
    cursor: str | None = None


class WatchQuery(ListQuery):
    """GET /v1/watches."""

    state: WatchState | None = None
    tag: Word | None = None
    status: Word | None = None


class SnapshotQuery(ListQuery):
    """GET /v1/orders/{order_id}/snapshots."""

    version: Annotated[int, Field(ge=1, le=2**31)] | None = None


class EventQuery(AccountQuery):
    """GET /v1/events; `after` is a sequence."""

    after: Annotated[int, Field(ge=0, le=2**62)] = 0
    limit: Limit = 50
    order_id: OrderName | None = None
    type: Word | None = None


class DeliveryQuery(ListQuery):
    """GET /v1/deliveries."""

    state: DeliveryState | None = None
    subscription: Word | None = None
    order_id: OrderName | None = None
