"""Replays; and what the audit goes by: how many an event was owed to, and from where on that can be relied on."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_REPLAYED = sa.text("replay_id != ''")
_RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    op.create_table(
        "replays",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("subscription_id", sa.Text(), sa.ForeignKey("subscriptions.id"), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("finished_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite")),
        sa.Column("document", sa.Text(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("replays_age", "replays", ["finished_at"])
    _create_partial("replays_running", "replays", ["subscription_id"], _RUNNING)
    _create_partial("deliveries_replay", "deliveries", ["replay_id", "state"], _REPLAYED)
    # What was owed and pruned before is not known: the audit begins with the next event.
    op.execute("ALTER TABLE events ADD COLUMN owed INTEGER")
    op.execute("ALTER TABLE accounts ADD COLUMN pruned_through INTEGER DEFAULT '0' NOT NULL")
    op.execute("ALTER TABLE subscriptions ADD COLUMN listens_after INTEGER DEFAULT '0' NOT NULL")
    op.execute("UPDATE accounts SET pruned_through = sequence")
    op.execute(
        "UPDATE subscriptions SET listens_after ="
        " coalesce((SELECT a.sequence FROM accounts a WHERE a.name = subscriptions.account), 0)"
    )


def _create_partial(name: str, table: str, columns: list[str], rule: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=rule, postgresql_where=rule)
