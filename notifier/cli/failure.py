"""How an error ends the program: lines on standard error and an exit status."""

from cyclopts import CycloptsError

from notifier.cli.options import Misuse
from notifier.errors import ChannelMisconfigured, ConfigError, InvalidValue, NotifierError

FAILED, MISUSED, INTERRUPTED = 1, 2, 130


def status_of(error: BaseException) -> int:
    """Return 2 for wrong use or configuration, 1 for everything that merely failed."""
    wrong = Misuse | ConfigError | InvalidValue | ChannelMisconfigured | CycloptsError
    return MISUSED if isinstance(error, wrong) else FAILED


def lines_of(error: BaseException) -> list[str]:
    """Return what happened, to which thing, and what to do; one line, but all of a configuration's problems."""
    if isinstance(error, ConfigError):
        return [_one_line(str(problem)) for problem in error.problems]
    if isinstance(error, CycloptsError):
        verb = " ".join(["notifier", *(error.command_chain or ())])
        return [f"{_one_line(str(error))} See `{verb} --help`."]
    if isinstance(error, OSError) and error.filename is not None:
        return [_one_line(f"{error.filename}: {error.strerror}")]
    if isinstance(error, NotifierError | OSError):
        return [_one_line(str(error))]
    return [_one_line(f"{type(error).__name__}: {error}; this is a defect, --debug shows where")]


def single(error: BaseException) -> BaseException:
    """Return the first error of a group, which is the one that stopped the others."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _one_line(text: str) -> str:
    return text if text.isprintable() else " ".join(repr(line)[1:-1] for line in text.splitlines())
