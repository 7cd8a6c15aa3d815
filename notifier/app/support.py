"""What the configuration may already say and this version cannot do: refused where silence would cost money."""

from pathlib import Path

from notifier.config.model import Config
from notifier.errors import ConfigError, Problem
from notifier.logs import get_logger
from notifier.source.keys import key_problems

log = get_logger(__name__)


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
    if config.alerts:
        log.warning("config.without_effect", setting="alerts", advice="this version does not act on it yet")
    return path
