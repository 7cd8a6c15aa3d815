"""What the configuration may already say and this version cannot do: refused where silence would cost money."""

from pathlib import Path

from notifier.config.model import Config
from notifier.errors import ConfigError, Problem
from notifier.logs import get_logger

log = get_logger(__name__)


def supported(config: Config) -> Path:
    """Return the database file, once nothing asks for what is not built.

    Raises: ConfigError naming each setting.
    """
    problems = [
        Problem(
            f"accounts.{name}.encryption", 'this version asks in plain only; set it to "none"', "unsupported"
        )
        for name, account in config.accounts.items()
        if account.encryption != "none"
    ]
    path = config.storage.sqlite_path
    if path is None:
        problems.append(
            Problem("storage.url", "this version keeps SQLite only; set sqlite:FILE", "unsupported")
        )
    if problems or path is None:
        raise ConfigError(problems)
    for setting in _without_effect(config):
        log.warning("config.without_effect", setting=setting, advice="this version does not act on it yet")
    return path


def _without_effect(config: Config) -> list[str]:
    named = {"alerts": bool(config.alerts), "operators": config.operators.channel is not None}
    for name, account in config.accounts.items():
        named |= {
            f"accounts.{name}.credit": account.credit is not None,
            f"accounts.{name}.hints": account.hints is not None,
        }
    return [setting for setting, is_given in named.items() if is_given]
