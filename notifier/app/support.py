"""What the configuration may already say and this version cannot do: refused where silence would cost money."""

from pathlib import Path

from notifier.config.model import Config
from notifier.errors import ConfigError, Problem
from notifier.source.keys import key_problems


def supported(config: Config) -> Path:
    """Return the database file, once nothing asks for what is not built and every account's keys can be used.

    Raises: ConfigError naming each setting.
    """
    problems = key_problems(config.accounts)
    path = config.storage.sqlite_path
    if path is None:
        problems.append(
            Problem("storage.url", "this version keeps SQLite only; set sqlite:FILE", "unsupported")
        )
    if problems or path is None:
        raise ConfigError(problems)
    return path
