"""How receivers stand: rows only for targets and subscriptions that are not well."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WHOLE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "targets",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("failures", _WHOLE, nullable=False),
        sa.Column("trips", _WHOLE, nullable=False),
        sa.Column("rests_until", _WHOLE),
        sa.Column("is_tried", _WHOLE, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "listeners",
        sa.Column("subscription_id", sa.Text(), sa.ForeignKey("subscriptions.id"), primary_key=True),
        sa.Column("failures", _WHOLE, nullable=False),
        sa.Column("since", _WHOLE),
        sqlite_strict=True,
    )
