"""Bodies in a table of their own, once for all who are told alike; attempts' answers as base64."""

from base64 import b64encode

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# A part at a time: a week of answers is more than memory should hold.
_KEPT = sa.text(
    "SELECT seq, bytes FROM attempts WHERE bytes IS NOT NULL AND seq > :after ORDER BY seq LIMIT 1000"
)


def upgrade() -> None:
    op.create_table(
        "bodies",
        sa.Column("id", sa.Text(), primary_key=True),
        sa.Column("event_id", sa.Text(), sa.ForeignKey("events.id"), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sqlite_strict=True,
    )
    op.create_index("bodies_event", "bodies", ["event_id"])
    op.execute("ALTER TABLE deliveries ADD COLUMN body_id TEXT REFERENCES bodies(id)")
    # A body each, under the id of its delivery: which of them are alike was not kept.
    op.execute(
        "INSERT INTO bodies (id, event_id, content) SELECT id, event_id, body FROM deliveries WHERE body IS NOT NULL"
    )
    op.execute("UPDATE deliveries SET body_id = id WHERE body IS NOT NULL")
    op.execute("ALTER TABLE deliveries DROP COLUMN body")
    _answers_as_text()


def _answers_as_text() -> None:
    op.drop_index("attempts_answers", "attempts")
    op.execute("ALTER TABLE attempts RENAME COLUMN answer TO bytes")
    op.execute("ALTER TABLE attempts ADD COLUMN answer TEXT")
    connection, last = op.get_bind(), 0
    while kept := connection.execute(_KEPT, {"after": last}).all():
        rows = [{"of": seq, "answer": b64encode(answer).decode()} for seq, answer in kept]
        connection.execute(sa.text("UPDATE attempts SET answer = :answer WHERE seq = :of"), rows)
        last = kept[-1].seq
    op.execute("ALTER TABLE attempts DROP COLUMN bytes")
    rule = sa.text("answer IS NOT NULL")
    op.create_index("attempts_answers", "attempts", ["started_at"], sqlite_where=rule, postgresql_where=rule)
