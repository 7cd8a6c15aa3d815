"""`notifier keys`: the key that seals secrets in the database."""

from typing import TYPE_CHECKING

from cyclopts import App

from notifier.cli.database import configured, tell
from notifier.cli.options import COMMON, Common, Misuse
from notifier.cli.screen import safe

if TYPE_CHECKING:
    from notifier.config.model import Server
    from notifier.storage.keyring import Rotation

keys = App(name="keys", help="The key that seals secrets in the database.")


@keys.command
async def rotate_master(*, options: Common = COMMON) -> None:
    """Seal every secret in the database under a new master key; the daemon must not run.

    A key that lies beside the database is replaced by one that is made. A key that was given by NOTIFIER_MASTER_KEY
    or a file of yours is replaced by that in NOTIFIER_MASTER_KEY_NEW, which you give as the present one afterwards.
    """
    from notifier.clock import SystemClock
    from notifier.storage.engine import rotate_master as rotate

    config, path = configured(options)
    server = config.server
    _check_next(server)
    done = await rotate(
        path, clock=SystemClock(), master_key=server.master_key, next_master_key=server.next_master_key
    )
    files = {"key_file": done.key_file, "old_key_file": done.old_key_file}
    members = {name: None if file is None else str(file) for name, file in files.items()}
    tell(
        {"database": str(path), "sealed": done.sealed} | members,
        f"{safe(path)}: {_said(done, server.next_master_key_env)}",
        options,
    )


def _check_next(server: "Server") -> None:
    if server.master_key is not None and server.next_master_key is None:
        raise Misuse(
            f"set {server.next_master_key_env} to the new master key; make one by: openssl rand -base64 32"
        )
    if server.master_key is not None and server.master_key == server.next_master_key:
        raise Misuse(
            f"{server.next_master_key_env} holds the present master key; make another by: openssl rand -base64 32"
        )


def _said(done: "Rotation", variable: str) -> str:
    count = f"{done.sealed} values are" if done.sealed else "everything is, and was before,"
    if done.key_file is None:
        return (
            f"{count} sealed under the key in {variable}. Make that the present one, then unset {variable};"
            " meanwhile the daemon opens with either. Backups made until now open with the old key alone."
        )
    return (
        f"{count} sealed under a new master key, in {safe(done.key_file)}. The old one is kept in"
        f" {safe(done.old_key_file)}: backups made until now open with it alone. Delete it with the last of them."
    )
