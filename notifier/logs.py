"""Logs: one set-up for our own lines and those of libraries, on standard error, with nothing secret in them.

Events are named noun.verb_past (`app.started`, `delivery.attempted`); what varies goes into keys.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import msgspec
import structlog
from structlog.typing import FilteringBoundLogger, Processor

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["console", "json"]

_HIDDEN = re.compile(r"authorization|password|secret|token|api_?key", re.IGNORECASE)
_CHATTY = ("aiohttp.access", "apscheduler", "slack_sdk", "mail.log")


def get_logger(name: str) -> FilteringBoundLogger:
    """Return the logger of a module; `configure` may come later, if before its first line."""
    logger: FilteringBoundLogger = structlog.get_logger(name)
    return logger


def configure(level: Level, form: Form) -> None:
    """Send every line of `level` and above to standard error, for people ("console") or as JSON lines."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    last = _json() if form == "json" else _console()
    structlog.configure(
        processors=[_add_name, *shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=_StandardError,
        cache_logger_on_first_use=True,
    )
    _adopt_libraries(threshold, shared, last)


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace the value of every key that names a credential, at any depth, by `***`."""
    return {key: "***" if _HIDDEN.search(key) else _clean(value) for key, value in event.items()}


def _clean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "***" if _HIDDEN.search(str(key)) else _clean(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner) for inner in value]
    return value


def _add_name(logger: Any, _: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    event["logger"] = logger.name
    return event


def _json() -> list[Processor]:
    def encode(event: Any, **_: Any) -> str:
        return msgspec.json.encode(event, enc_hook=repr).decode()

    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=encode)]


def _console() -> list[Processor]:
    # The rich traceback of structlog's default prints local variables, and so secrets and personal data.
    plain = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    return [_on_one_line, plain]


def _on_one_line(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters, so that foreign text cannot forge a line or steer the terminal."""
    for key, value in event.items():
        if isinstance(value, str) and not value.isprintable():
            event[key] = repr(value)[1:-1]
    return event


def _adopt_libraries(threshold: int, shared: list[Processor], last: list[Processor]) -> None:
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(threshold, logging.WARNING))


class _StandardError:
    """Write lines to whatever standard error is at that moment; a captured one may be closed by the next."""

    def __init__(self, name: str = "") -> None:
        self.name = name

    def msg(self, line: str) -> None:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()

    debug = info = warning = error = critical = exception = log = msg


class _Handler(logging.Handler):
    """Lines of the standard library's loggers, written the same way."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _StandardError().msg(self.format(record))
        except Exception:  # noqa: BLE001 - a line that cannot be written must not stop the work
            self.handleError(record)
