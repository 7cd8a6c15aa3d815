"""The tables, as the present version has them; `migrations` is how a database gets there.

Instants are whole milliseconds, words of state text, values with many members one JSON document beside the columns
that are searched.
"""

from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    and_,
    literal_column,
)
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.types import TypeEngine

from notifier.domain.alert.telling import FIRST_LANE
from notifier.domain.event import Event, Expectation
from notifier.domain.instant import from_ms, to_ms
from notifier.domain.replay import Replay
from notifier.domain.snapshot import Reader, Snapshot
from notifier.domain.subscription import Subscription

metadata = MetaData()

Whole = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit integer; SQLite knows it as INTEGER only."""


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant, kept as milliseconds."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())

    def process_bind_param(self, value: datetime | None, _: Dialect) -> int | None:
        return None if value is None else to_ms(value)

    def process_result_value(self, value: int | None, _: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


class Document(TypeDecorator[Any]):
    """A value of one type as JSON; a member that a later version adds reads as its default."""

    impl = Text
    cache_ok = True

    def __init__(self, of: Any) -> None:
        super().__init__()
        self.of = of
        self._encoder = msgspec.json.Encoder(order="deterministic")
        self._decoder = msgspec.json.Decoder(of)

    def process_bind_param(self, value: Any, _: Dialect) -> str | None:
        return None if value is None else self._encoder.encode(value).decode()

    def process_result_value(self, value: str | None, _: Dialect) -> Any:
        return None if value is None else self._decoder.decode(value)


def _index(name: str, *columns: Any, where: ColumnElement[bool] | None = None, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True)


watches = _table(
    "watches",
    Column("id", Whole, primary_key=True),
    Column("account", Text, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("order_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Whole, nullable=False),
    Column("status", Text),
    Column("phase", Text),
    Column("expect", Document(Expectation)),
    Column("tags", Document(frozenset[str]), nullable=False),
    Column("until_at", Instant),
    Column("initial", Text, nullable=False),
    Column("routing_id", Text),
    Column("mandate_id", Text),
    Column("registered_at", Instant, nullable=False),
    UniqueConstraint("account", "order_key"),
    Index("watches_state", "account", "state", "id"),
    Index("watches_status", "account", "status", "id"),
)

_index("watches_mandate", watches.c.account, watches.c.mandate_id, where=watches.c.mandate_id.is_not(None))

# The tags of `watches` once more, to be searched.
watch_tags = _table(
    "watch_tags",
    Column("account", Text, primary_key=True),
    Column("tag", Text, primary_key=True),
    Column("watch_id", Whole, ForeignKey("watches.id"), primary_key=True),
    Index("watch_tags_watch", "watch_id"),
)

looks = _table(
    "looks",
    Column("id", Whole, primary_key=True),
    Column("watch_id", Whole, ForeignKey("watches.id"), nullable=False),
    Column("account", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("digest", LargeBinary),
    Column("reader", Document(Reader)),
    Column("next_poll_at", Instant),
    Column("why", Text),
    Column("asked_at", Instant),
    Column("doubted_at", Instant),
    Column("last_polled_at", Instant),
    Column("last_changed_at", Instant, nullable=False),
    Column("polls", Whole, nullable=False),
    Column("failures", Whole, nullable=False),
    Column("error", Text),
    Column("deadline_at", Instant),
    Column("stuck_at", Instant),
    Column("overdue_at", Instant),
    Column("mismatch_at", Instant),
    Column("settle_at", Instant),
    Column("until_at", Instant),
    Column("parts", Text),
    Column("pace", Whole),
    Column("attended_until", Instant),
    UniqueConstraint("watch_id", "source"),
)
_index("looks_due", looks.c.account, looks.c.next_poll_at, where=looks.c.next_poll_at.is_not(None))
is_urgent = looks.c.asked_at.is_not(None) | looks.c.attended_until.is_not(None)
_index("looks_urgent", looks.c.account, looks.c.next_poll_at, where=is_urgent)

# What the workers learned of how orders behave; one row for each kind of knowledge.
learned = _table(
    "learned",
    Column("name", Text, primary_key=True),
    Column("document", Document(dict[str, Any]), nullable=False),
    Column("saved_at", Instant, nullable=False),
)

snapshots = _table(
    "snapshots",
    Column("watch_id", Whole, ForeignKey("watches.id"), primary_key=True),
    Column("version", Whole, primary_key=True),
    Column("source", Text, nullable=False),
    Column("document", Document(Snapshot), nullable=False),
    Column("observed_at", Instant, nullable=False),
    Column("not_before", Instant),
    Index("snapshots_age", "observed_at"),
)

accounts = _table(
    "accounts",
    Column("name", Text, primary_key=True),
    Column("sequence", Whole, nullable=False),
    Column("pruned_through", Whole, nullable=False, server_default="0"),
)

counters = _table(
    "counters",
    Column("account", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("value", Whole, nullable=False),
)

events = _table(
    "events",
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("sequence", Whole, nullable=False),
    Column("watch_id", Whole, ForeignKey("watches.id")),
    Column("order_key", Text),
    Column("order_id", Text),
    Column("order_version", Whole, nullable=False),
    Column("type", Text, nullable=False),
    Column("observed_at", Instant, nullable=False),
    Column("document", Document(Event), nullable=False),
    Column("owed", Whole),
    UniqueConstraint("account", "sequence"),
    Index("events_order", "account", "order_key", "sequence"),
    Index("events_watch", "watch_id", "order_version"),
    Index("events_age", "observed_at"),
)

subscriptions = _table(
    "subscriptions",
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("name", Text),
    Column("ordering", Text, nullable=False),
    Column("order_key", Text),
    Column("document", Document(Subscription), nullable=False),
    Column("secrets", LargeBinary),
    Column("sequence", Whole, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("deleted_at", Instant),
    Column("listens_after", Whole, nullable=False, server_default="0"),
)
_index(
    "subscriptions_name",
    subscriptions.c.account,
    subscriptions.c.name,
    where=subscriptions.c.deleted_at.is_(None),
    unique=True,
)
_index(
    "subscriptions_order",
    subscriptions.c.account,
    subscriptions.c.order_key,
    where=subscriptions.c.deleted_at.is_(None),
)

bodies = _table(
    "bodies",
    Column("id", Text, primary_key=True),
    Column("event_id", Text, ForeignKey("events.id"), nullable=False),
    Column("content", LargeBinary, nullable=False),
    Index("bodies_event", "event_id"),
)
"""What is sent, once for all who are told an event alike: the rows that point here stay narrow."""

deliveries = _table(
    "deliveries",
    Column("seq", Whole, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("account", Text, nullable=False),
    Column("subscription_id", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("event_id", Text, ForeignKey("events.id"), nullable=False),
    Column("replay_id", Text, nullable=False),
    Column("watch_id", Whole),
    Column("collapse_key", Text),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("attempts", Whole, nullable=False),
    Column("due_at", Instant),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("lease_until", Instant),
    Column("token", Text),
    Column("sequence", Whole),
    Column("skipped", Document(tuple[str, ...])),
    Column("body_id", Text, ForeignKey("bodies.id")),
    UniqueConstraint("subscription_id", "event_id", "replay_id"),
    Index("deliveries_account", "account", "seq"),
    Index("deliveries_event", "event_id"),
)
_pending = deliveries.c.state == "pending"
_owed = deliveries.c.state.in_(["pending", "held"])
_index("deliveries_due", deliveries.c.due_at, where=_pending)
IS_NEWS = deliveries.c.watch_id >= literal_column(str(FIRST_LANE))
"""Whether it is of an incident; written out, for the index speaks of this very number."""
_index("deliveries_news", deliveries.c.due_at, where=and_(_pending, IS_NEWS))
_index("deliveries_line", deliveries.c.subscription_id, deliveries.c.due_at, where=_pending)
_index("deliveries_lane", deliveries.c.subscription_id, deliveries.c.watch_id, deliveries.c.seq, where=_owed)
_index("deliveries_expiry", deliveries.c.expires_at, where=_owed)
_index("deliveries_age", deliveries.c.finished_at, where=deliveries.c.finished_at.is_not(None))
_index("deliveries_replay", deliveries.c.replay_id, deliveries.c.state, where=deliveries.c.replay_id != "")

replays = _table(
    "replays",
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("subscription_id", Text, ForeignKey("subscriptions.id"), nullable=False),
    Column("state", Text, nullable=False),
    Column("finished_at", Instant),
    Column("document", Document(Replay), nullable=False),
    Index("replays_age", "finished_at"),
)
_index("replays_running", replays.c.subscription_id, where=replays.c.state == "running")

attempts = _table(
    "attempts",
    Column("seq", Whole, primary_key=True),
    Column("delivery_id", Text, ForeignKey("deliveries.id"), nullable=False),
    Column("number", Whole, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("duration_ms", Whole, nullable=False),
    Column("reason", Text, nullable=False),
    Column("http_status", Whole),
    Column("retry_after_ms", Whole),
    Column("answer", Text),
    Index("attempts_delivery", "delivery_id", "seq"),
)
_index("attempts_answers", attempts.c.started_at, where=attempts.c.answer.is_not(None))

sources = _table(
    "sources",
    Column("account", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("since", Instant),
    Column("failures", Whole, nullable=False),
    Column("probes", Whole, nullable=False),
)

# Rows only for those that are not well.
targets = _table(
    "targets",
    Column("id", Text, primary_key=True),
    Column("failures", Whole, nullable=False),
    Column("trips", Whole, nullable=False),
    Column("rests_until", Instant),
    Column("is_tried", Whole, nullable=False),
)

listeners = _table(
    "listeners",
    Column("subscription_id", Text, ForeignKey("subscriptions.id"), primary_key=True),
    Column("failures", Whole, nullable=False),
    Column("since", Instant),
)

conversations = _table(
    "conversations",
    Column("subscription_id", Text, ForeignKey("subscriptions.id"), primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("subject_id", Text, primary_key=True),
    Column("handle", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("conversations_age", "updated_at"),
)
"""The message that later ones of a subject go on from, by what its channel calls it."""

api_keys = _table(
    "api_keys",
    Column("digest", LargeBinary, primary_key=True),
    Column("name", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)

answers = _table(
    "idempotency",
    Column("key", Text, primary_key=True),
    Column("route", Text, primary_key=True),
    Column("account", Text, primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("http_status", Whole, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index("idempotency_age", "created_at"),
)

templates = _table(
    "templates",
    Column("account", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("channel", Text, nullable=False),
    Column("parts", Text, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

meta = _table(
    "meta",
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)
