"""Alerts: how attempts ended, the rules that judge it and what they learned, incidents, silences."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "outcomes",
        sa.Column("seq", _WHOLE, primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("order_key", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text()),
        sa.Column("word", sa.Text(), nullable=False),
        sa.Column("is_failed", _WHOLE, nullable=False),
        sa.Column("is_dated", _WHOLE, nullable=False),
        sa.Column("dimensions", sa.Text(), nullable=False),
        sa.Column("minor", _WHOLE),
        sa.Column("currency", sa.Text()),
        sa.Column("ended_at", _WHOLE, nullable=False),
        sa.Column("observed_at", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("outcomes_order", "outcomes", ["account", "order_key", "seq"])
    op.create_index("outcomes_age", "outcomes", ["observed_at"])
    op.create_table(
        "alerts",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("judged_through", _WHOLE),
        sa.Column("state_schema", _WHOLE, nullable=False),
        sa.Column("state", sa.LargeBinary()),
        sa.UniqueConstraint("account", "name"),
        sqlite_strict=True,
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", _WHOLE, nullable=False),
        sa.Column("rule_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("opened_at", _WHOLE, nullable=False),
        sa.Column("resolved_at", _WHOLE),
        sa.Column("restate_at", _WHOLE),
        sa.Column("document", sa.Text(), nullable=False),
        sa.UniqueConstraint("account", "number"),
        sqlite_strict=True,
    )
    op.create_index("incidents_life", "incidents", ["account", "resolved_at"])
    op.create_table(
        "silences",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("until_at", _WHOLE),
        sa.Column("document", sa.Text(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("silences_account", "silences", ["account", "id"])
