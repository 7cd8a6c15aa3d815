"""The tables of alerts, beside those of `notifier.storage.tables`."""

from typing import Any

from sqlalchemy import Column, Index, LargeBinary, Table, Text, UniqueConstraint

from notifier.domain.alert.alert import Alert
from notifier.domain.alert.incident import Incident
from notifier.domain.alert.report import Place
from notifier.domain.alert.silence import Silence
from notifier.storage.tables import Document, Instant, Whole, metadata


def _table(name: str, *parts: Any) -> Table:
    return Table(name, metadata, *parts, sqlite_strict=True)


ends = _table(
    "outcomes",
    Column("seq", Whole, primary_key=True),
    Column("account", Text, nullable=False),
    Column("order_key", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("subject_id", Text),
    Column("word", Text, nullable=False),
    Column("is_failed", Whole, nullable=False),
    Column("is_dated", Whole, nullable=False),
    Column("dimensions", Document(Place), nullable=False),
    Column("minor", Whole),
    Column("currency", Text),
    Column("ended_at", Instant, nullable=False),
    Column("observed_at", Instant, nullable=False),
    Index("outcomes_order", "account", "order_key", "seq"),
    Index("outcomes_age", "observed_at"),
)
"""How attempts ended; in the order in which we saw it, since what ended earlier may be seen later."""

alerts = _table(
    "alerts",
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("document", Document(Alert), nullable=False),
    Column("judged_through", Instant),
    Column("state_schema", Whole, nullable=False),
    Column("state", LargeBinary),
    UniqueConstraint("account", "name"),
)
"""Rules, and what each has learned: its state belongs to the one version of the detector that `state_schema` names."""

incidents = _table(
    "incidents",
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("number", Whole, nullable=False),
    Column("rule_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    Column("restate_at", Instant),
    Column("document", Document(Incident), nullable=False),
    UniqueConstraint("account", "number"),
    Index("incidents_life", "account", "resolved_at"),
)

silences = _table(
    "silences",
    Column("id", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("until_at", Instant),
    Column("document", Document(Silence), nullable=False),
    Index("silences_account", "account", "id"),
)
