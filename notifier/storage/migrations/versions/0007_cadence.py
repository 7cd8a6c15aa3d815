"""What the cadence goes by: the live parts of each look and its pace, orders under suspicion, what was learned."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_URGENT = sa.text("asked_at IS NOT NULL OR attended_until IS NOT NULL")


def upgrade() -> None:
    # An old look has no parts: its next answer is looked at thoroughly, and finds them.
    op.execute("ALTER TABLE looks ADD COLUMN parts TEXT")
    op.execute("ALTER TABLE looks ADD COLUMN pace INTEGER")
    op.execute("ALTER TABLE looks ADD COLUMN attended_until INTEGER")
    op.create_index(
        "looks_urgent", "looks", ["account", "next_poll_at"], sqlite_where=_URGENT, postgresql_where=_URGENT
    )
    op.create_table(
        "learned",
        sa.Column("name", sa.Text(), primary_key=True),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("saved_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sqlite_strict=True,
    )
