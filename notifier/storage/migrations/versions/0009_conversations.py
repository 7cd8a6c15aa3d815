"""The messages that live on: by which handle a channel finds what it said of a subject before."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "conversations",
        sa.Column("subscription_id", sa.Text(), sa.ForeignKey("subscriptions.id"), primary_key=True),
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("subject_id", sa.Text(), primary_key=True),
        sa.Column("handle", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("conversations_age", "conversations", ["updated_at"])
