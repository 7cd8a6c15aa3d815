"""Everything that can go wrong, as one tree.

NotifierError
├── ConfigError            problems with dotted paths, all of them at once
├── InvalidValue           a member given from outside is refused; names its field
├── StorageError
│   ├── NotFound           no such row
│   ├── Conflict           the row exists already, or changed under the writer
│   ├── StorageLocked      another process holds the database; names it
│   └── SchemaMismatch     the database is of another version; refuses to start
├── TemplateError          a template cannot be read, or fails on a sample
└── ChannelMisconfigured   a subscription's channel lacks what it needs to send

What an upstream or a receiver does wrong is a value (`notifier.source.contract.Failure`,
`notifier.domain.delivery.Outcome`), not an exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class NotifierError(Exception):
    """What happened, to which thing, and what to do."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at one place; `path` is dotted, `code` a stable word for programs."""

    path: str
    message: str
    code: str = "invalid"

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ConfigError(NotifierError):
    """The configuration cannot be used; carries every problem found, never only the first."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class InvalidValue(NotifierError, ValueError):
    """A value from outside breaks a rule; `problem.path` names the member."""

    def __init__(self, path: str, message: str, code: str = "invalid") -> None:
        self.problem = Problem(path, message, code)
        super().__init__(str(self.problem))


class StorageError(NotifierError):
    """The database refused or is out of reach."""


class NotFound(StorageError):
    """No such row."""


class Conflict(StorageError):
    """The row exists already, or changed under the writer."""


class SealBroken(StorageError):
    """The secrets of a subscription do not open: its row was changed from outside."""

    def __init__(self, message: str, *, account: str, subscription: str) -> None:
        super().__init__(message)
        self.account = account
        self.subscription = subscription


class StorageLocked(StorageError):
    """Another process holds this database; the message names it."""


class SchemaMismatch(StorageError):
    """The database was written by another version of the notifier."""


class TemplateError(NotifierError):
    """A template cannot be found, read or rendered; names the file and the line."""


class ChannelMisconfigured(NotifierError):
    """A channel lacks what it needs (a bot token, an SMTP host) to send at all."""
