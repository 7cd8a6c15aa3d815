"""Watches are found by their mandate, which is all that some of the upstream's webhooks name."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAMED = sa.text("mandate_id IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "watches_mandate",
        "watches",
        ["account", "mandate_id"],
        sqlite_where=_NAMED,
        postgresql_where=_NAMED,
    )
