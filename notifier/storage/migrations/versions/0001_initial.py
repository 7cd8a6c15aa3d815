"""The first version of every table."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TEXT = sa.Text()
_BYTES = sa.LargeBinary()


def upgrade() -> None:
    _accounts_to_meta()
    _sources_to_watches()
    _events_to_looks()
    _snapshots_to_watch_tags()
    _deliveries()
    _attempts()


def _accounts_to_meta() -> None:
    op.create_table(
        "accounts",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("sequence", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "api_keys",
        sa.Column("digest", _BYTES, primary_key=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "counters",
        sa.Column("account", _TEXT, primary_key=True),
        sa.Column("subject", _TEXT, primary_key=True),
        sa.Column("subject_id", _TEXT, primary_key=True),
        sa.Column("value", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "idempotency",
        sa.Column("key", _TEXT, primary_key=True),
        sa.Column("route", _TEXT, primary_key=True),
        sa.Column("account", _TEXT, primary_key=True),
        sa.Column("digest", _BYTES, nullable=False),
        sa.Column("http_status", _WHOLE, nullable=False),
        sa.Column("body", _BYTES, nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("idempotency_age", "idempotency", ["created_at"])
    op.create_table(
        "meta",
        sa.Column("name", _TEXT, primary_key=True),
        sa.Column("value", _BYTES, nullable=False),
        sqlite_strict=True,
    )


def _sources_to_watches() -> None:
    op.create_table(
        "sources",
        sa.Column("account", _TEXT, primary_key=True),
        sa.Column("source", _TEXT, primary_key=True),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("since", _WHOLE),
        sa.Column("failures", _WHOLE, nullable=False),
        sa.Column("probes", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("name", _TEXT),
        sa.Column("ordering", _TEXT, nullable=False),
        sa.Column("order_key", _TEXT),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("secrets", _BYTES),
        sa.Column("sequence", _WHOLE, nullable=False),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("deleted_at", _WHOLE),
        sqlite_strict=True,
    )
    _partial("subscriptions_name", "subscriptions", ["account", "name"], "deleted_at IS NULL", unique=True)
    _partial("subscriptions_order", "subscriptions", ["account", "order_key"], "deleted_at IS NULL")
    op.create_table(
        "watches",
        sa.Column("id", _WHOLE, primary_key=True),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("order_key", _TEXT, nullable=False),
        sa.Column("order_id", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("version", _WHOLE, nullable=False),
        sa.Column("status", _TEXT),
        sa.Column("phase", _TEXT),
        sa.Column("expect", _TEXT),
        sa.Column("tags", _TEXT, nullable=False),
        sa.Column("until_at", _WHOLE),
        sa.Column("initial", _TEXT, nullable=False),
        sa.Column("routing_id", _TEXT),
        sa.Column("mandate_id", _TEXT),
        sa.Column("registered_at", _WHOLE, nullable=False),
        sa.UniqueConstraint("account", "order_key"),
        sqlite_strict=True,
    )
    op.create_index("watches_state", "watches", ["account", "state", "id"])
    op.create_index("watches_status", "watches", ["account", "status", "id"])


def _events_to_looks() -> None:
    op.create_table(
        "events",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("sequence", _WHOLE, nullable=False),
        sa.Column("watch_id", _WHOLE, sa.ForeignKey("watches.id")),
        sa.Column("order_key", _TEXT),
        sa.Column("order_id", _TEXT),
        sa.Column("order_version", _WHOLE, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("observed_at", _WHOLE, nullable=False),
        sa.Column("document", _TEXT, nullable=False),
        sa.UniqueConstraint("account", "sequence"),
        sqlite_strict=True,
    )
    op.create_index("events_age", "events", ["observed_at"])
    op.create_index("events_order", "events", ["account", "order_key", "sequence"])
    op.create_index("events_watch", "events", ["watch_id", "order_version"])
    op.create_table(
        "looks",
        sa.Column("id", _WHOLE, primary_key=True),
        sa.Column("watch_id", _WHOLE, sa.ForeignKey("watches.id"), nullable=False),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("phase", _TEXT, nullable=False),
        sa.Column("digest", _BYTES),
        sa.Column("reader", _TEXT),
        sa.Column("next_poll_at", _WHOLE),
        sa.Column("why", _TEXT),
        sa.Column("asked_at", _WHOLE),
        sa.Column("doubted_at", _WHOLE),
        sa.Column("last_polled_at", _WHOLE),
        sa.Column("last_changed_at", _WHOLE, nullable=False),
        sa.Column("polls", _WHOLE, nullable=False),
        sa.Column("failures", _WHOLE, nullable=False),
        sa.Column("error", _TEXT),
        sa.Column("deadline_at", _WHOLE),
        sa.Column("stuck_at", _WHOLE),
        sa.Column("overdue_at", _WHOLE),
        sa.Column("mismatch_at", _WHOLE),
        sa.Column("settle_at", _WHOLE),
        sa.Column("until_at", _WHOLE),
        sa.UniqueConstraint("watch_id", "source"),
        sqlite_strict=True,
    )
    _partial("looks_due", "looks", ["account", "next_poll_at"], "next_poll_at IS NOT NULL")


def _snapshots_to_watch_tags() -> None:
    op.create_table(
        "snapshots",
        sa.Column("watch_id", _WHOLE, sa.ForeignKey("watches.id"), primary_key=True),
        sa.Column("version", _WHOLE, primary_key=True),
        sa.Column("source", _TEXT, nullable=False),
        sa.Column("document", _TEXT, nullable=False),
        sa.Column("observed_at", _WHOLE, nullable=False),
        sa.Column("not_before", _WHOLE),
        sqlite_strict=True,
    )
    op.create_index("snapshots_age", "snapshots", ["observed_at"])
    op.create_table(
        "watch_tags",
        sa.Column("account", _TEXT, primary_key=True),
        sa.Column("tag", _TEXT, primary_key=True),
        sa.Column("watch_id", _WHOLE, sa.ForeignKey("watches.id"), primary_key=True),
        sqlite_strict=True,
    )
    op.create_index("watch_tags_watch", "watch_tags", ["watch_id"])


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("seq", _WHOLE, primary_key=True),
        sa.Column("id", _TEXT, nullable=False, unique=True),
        sa.Column("account", _TEXT, nullable=False),
        sa.Column("subscription_id", _TEXT, sa.ForeignKey("subscriptions.id"), nullable=False),
        sa.Column("event_id", _TEXT, sa.ForeignKey("events.id"), nullable=False),
        sa.Column("replay_id", _TEXT, nullable=False),
        sa.Column("watch_id", _WHOLE),
        sa.Column("collapse_key", _TEXT),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("attempts", _WHOLE, nullable=False),
        sa.Column("due_at", _WHOLE),
        sa.Column("created_at", _WHOLE, nullable=False),
        sa.Column("expires_at", _WHOLE, nullable=False),
        sa.Column("finished_at", _WHOLE),
        sa.Column("lease_until", _WHOLE),
        sa.Column("token", _TEXT),
        sa.Column("sequence", _WHOLE),
        sa.Column("body", _BYTES),
        sa.Column("skipped", _TEXT),
        sa.UniqueConstraint("subscription_id", "event_id", "replay_id"),
        sqlite_strict=True,
    )
    op.create_index("deliveries_account", "deliveries", ["account", "seq"])
    _partial("deliveries_age", "deliveries", ["finished_at"], "finished_at IS NOT NULL")
    _partial("deliveries_due", "deliveries", ["due_at"], "state = 'pending'")
    op.create_index("deliveries_event", "deliveries", ["event_id"])
    _partial("deliveries_expiry", "deliveries", ["expires_at"], "state IN ('pending', 'held')")
    _partial(
        "deliveries_lane",
        "deliveries",
        ["subscription_id", "watch_id", "seq"],
        "state IN ('pending', 'held')",
    )
    _partial("deliveries_line", "deliveries", ["subscription_id", "due_at"], "state = 'pending'")


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("seq", _WHOLE, primary_key=True),
        sa.Column("delivery_id", _TEXT, sa.ForeignKey("deliveries.id"), nullable=False),
        sa.Column("number", _WHOLE, nullable=False),
        sa.Column("started_at", _WHOLE, nullable=False),
        sa.Column("duration_ms", _WHOLE, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("http_status", _WHOLE),
        sa.Column("retry_after_ms", _WHOLE),
        sa.Column("answer", _BYTES),
        sqlite_strict=True,
    )
    _partial("attempts_answers", "attempts", ["started_at"], "answer IS NOT NULL")
    op.create_index("attempts_delivery", "attempts", ["delivery_id", "seq"])


def _partial(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    rule = sa.text(where)
    op.create_index(name, table, columns, unique=unique, sqlite_where=rule, postgresql_where=rule)
