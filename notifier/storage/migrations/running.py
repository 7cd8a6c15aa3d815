"""Bringing a database to the present version, all or nothing."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from notifier.errors import SchemaMismatch

HERE = Path(__file__).parent


def revisions(connection: Connection, scripts: Path = HERE) -> tuple[str | None, str | None]:
    """Return the revision a database is at (None: empty) and the one that this program knows last."""
    return MigrationContext.configure(connection).get_current_revision(), _directory(
        scripts
    ).get_current_head()


def upgrade(connection: Connection, scripts: Path = HERE) -> None:
    """Run what is missing inside the connection's transaction.

    Raises: SchemaMismatch when the database is at a revision this program has never heard of.
    """
    directory = _directory(scripts)
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in directory.walk_revisions()}
    if current is not None and current not in known:
        raise SchemaMismatch(
            f"the database is at revision {current!r}, which this version does not know;"
            " run the newer notifier that wrote it, or restore a backup"
        )
    if current == directory.get_current_head():
        return
    with EnvironmentContext(
        Config(), directory, fn=lambda revision, _: directory._upgrade_revs("head", revision)  # noqa: SLF001 - alembic's own recipe without an env.py
    ) as environment:  # fmt: skip
        environment.configure(
            connection=connection, transaction_per_migration=True, render_as_batch=True, target_metadata=None
        )
        with environment.begin_transaction():
            environment.run_migrations()


def _directory(scripts: Path) -> ScriptDirectory:
    return ScriptDirectory(str(scripts), version_locations=[str(scripts / "versions")])
