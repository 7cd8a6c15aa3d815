"""The operator's key to the REST API: configured, or on loopback made once (interface 2)."""

import hashlib
import os
import secrets
from pathlib import Path

from notifier.clock import Clock
from notifier.config.model import Config
from notifier.config.secret import Secret
from notifier.errors import ConfigError, Problem
from notifier.storage.contract import Storage

GENERATED = "generated"


def check_exposure(config: Config) -> None:
    """Refuse to listen beyond this machine without a key.

    Raises: ConfigError naming `server.api_key_env`.
    """
    server = config.server
    if server.api_key is None and not server.is_loopback:
        raise ConfigError(
            [
                Problem(
                    "server.api_key_env",
                    f"{server.api_key_env} is not set; listening on {server.host} needs an API key",
                    "missing",
                )
            ]
        )


async def generated_key(storage: Storage, clock: Clock) -> Secret | None:
    """Make a key at the first start and keep its digest; None when there is one already."""
    async with storage.writing() as tx:
        if await tx.has_api_key():
            return None
        key = f"ntf_{secrets.token_urlsafe(32)}"
        await tx.add_api_key(hashlib.sha256(key.encode()).digest(), GENERATED, now=clock.now())
    return Secret(key)


def keep_key(path: Path, key: Secret) -> None:
    """Write a key of make-believe money where the command line looks for it; a real one is never written."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(key.reveal())
