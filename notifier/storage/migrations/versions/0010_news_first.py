"""News of incidents that is due is found at once, however much else is due before it."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_NEWS = sa.text("state = 'pending' AND watch_id >= 2305843009213693952")


def upgrade() -> None:
    op.create_index("deliveries_news", "deliveries", ["due_at"], sqlite_where=_NEWS, postgresql_where=_NEWS)
