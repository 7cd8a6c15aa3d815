"""What every verb takes, and the refusals of the command line itself."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from notifier.errors import NotifierError

_COMMON = Group("Common options", sort_key=9)

Flag = Annotated[bool, Parameter(show_default=False)]
"""Something that is asked for or not; there is no `--no-…`."""


@Parameter(name="*", group=_COMMON)
@dataclass(frozen=True, slots=True, kw_only=True)
class Common:
    """Options of every verb."""

    config: Annotated[Path, Parameter(env_var="NOTIFIER_CONFIG")] = Path("config.toml")
    """The configuration file."""
    json: Flag = False
    """Print JSON for programs."""
    debug: Flag = False
    """Show the traceback of an error."""


@Parameter(name="*", group=_COMMON)
@dataclass(frozen=True, slots=True, kw_only=True)
class Remote(Common):
    """Options of verbs that talk to a running daemon; the key comes from $NOTIFIER_API_KEY."""

    url: Annotated[str | None, Parameter(env_var="NOTIFIER_URL")] = None
    """Address of the daemon; by default that of the configuration."""
    account: str | None = None
    """The account meant, where there are several."""


COMMON = Common()
REMOTE = Remote()


def place(text: str) -> str | int:
    """Return a place in the log as REST takes it: a sequence as a number, an instant as it is."""
    return int(text) if text.isascii() and text.isdigit() else text


class Misuse(NotifierError):
    """The command line asks for what cannot be."""


class Failed(NotifierError):
    """The thing that was asked for did not happen."""
