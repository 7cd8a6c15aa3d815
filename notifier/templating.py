"""The one door to Jinja2: finds a template, renders it in a sandbox, and says where it fails."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from traceback import walk_tb
from typing import Any
from zoneinfo import ZoneInfo

import jinja2
import msgspec
from jinja2.sandbox import ImmutableSandboxedEnvironment

from notifier.domain.instant import to_ms
from notifier.domain.juspay_body import juspay_body
from notifier.errors import TemplateError

MOST_CHARACTERS = 256 * 1024
"""A rendered part may be so long."""
SHIPPED = "shipped/default"
"""The name of the default template as it was shipped, whatever an operator's directory holds; no file can have it."""

_SHIPPED_FOLDER = "<shipped>"
_HERE = Path(__file__).parent
_FILE = re.compile(r"(?P<name>.+?)(\.subject|\.body)?\.(json|txt|html)\.j2")
_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_SLACK = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
# What a template's own expressions may raise on values it did not expect.
_FAILURES = (
    jinja2.TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError,
)  # fmt: skip


class Templates:
    """Templates as files `<channel>/<name>.<part>.j2`; the operator's directory stands before the shipped one.

    `sources` are templates that are no files, by the path that they would have; they stand before both.
    """

    def __init__(self, directory: Path | None = None, *, sources: Mapping[str, str] | None = None) -> None:
        installed = _HERE / "_templates"
        shipped = installed if installed.is_dir() else _HERE.parent / "templates"
        self._directories = [directory, shipped] if directory else [shipped]
        self._environment = _environment(self._directories, shipped, sources or {})
        self._find = lru_cache(maxsize=1024)(self._look_up)

    def render(
        self, channel: str, name: str | None, *, event_type: str, part: str, context: Mapping[str, Any]
    ) -> str:
        """Return one part of a message, at most MOST_CHARACTERS long.

        A name is looked up as it is; without one the event's type is tried, then its subject, then `default`. SHIPPED
        is a name, too.
        Raises: TemplateError naming file and line.
        """
        try:
            template = self._find(channel, name, event_type, part)
            chunks, length = [], 0
            for chunk in template.generate(context):
                length += len(chunk)
                if length > MOST_CHARACTERS:
                    raise jinja2.TemplateRuntimeError(f"renders more than {MOST_CHARACTERS} characters")
                chunks.append(chunk)
        except _FAILURES as error:
            raise TemplateError(f"{_place(error)}: {_told(error)}") from error
        return "".join(chunks)

    def names(self, channel: str) -> tuple[str, ...]:
        """Return the names of a channel's templates, those of event types among them, sorted."""
        files = (path.name for each in self._directories for path in (each / channel).glob("*.j2"))
        found = (_FILE.fullmatch(file) for file in files)
        return tuple(sorted({match["name"] for match in found if match}))

    def _look_up(self, channel: str, name: str | None, event_type: str, part: str) -> jinja2.Template:
        names = [event_type, event_type.partition(".")[0], "default"] if name is None else [name]
        files = [f"{channel}/{each}.{part}.j2" for each in names if _NAME.fullmatch(each)]
        if name == SHIPPED:
            files = [f"{_SHIPPED_FOLDER}/{channel}/default.{part}.j2"]
        if not files:
            raise TemplateError(f"{name!r} is no template's name; use letters, digits, '.', '_' and '-'")
        try:
            return self._environment.select_template(files)
        except jinja2.TemplatesNotFound:
            places = " or ".join(str(each) for each in self._directories)
            raise TemplateError(f"no template {' or '.join(files)} in {places}") from None


def money(amount: str | None, currency: str | None = None) -> str:
    """Return decimal text with its currency before it: `INR 386.00`."""
    return " ".join(filter(None, (currency, amount)))


def when(instant: str, zone: str = "UTC") -> str:
    """Return RFC 3339 text as people write it, in a zone of the IANA database: `22 Nov 2026, 15:45:30 IST`."""
    at = datetime.fromisoformat(instant).astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    return f"{at.day} {at:%b %Y, %H:%M:%S} {at.tzname()}"


def epoch(instant: str) -> int:
    """Return RFC 3339 text as whole seconds since 1970."""
    return to_ms(datetime.fromisoformat(instant)) // 1000


def slack(text: object) -> str:
    """Escape what Slack reads as markup: exactly `&`, `<` and `>`."""
    return str(text).translate(_SLACK)


def header(text: object) -> str:
    """Return the text as one line without control characters, fit for a header."""
    return _CONTROLS.sub(" ", str(text)).strip()


def to_json(value: object) -> str:
    """Return a value as compact JSON."""
    if isinstance(value, jinja2.Undefined):
        return str(value)  # raises, and names the missing variable
    return _ENCODER.encode(value).decode()


FILTERS = {
    "money": money, "when": when, "epoch": epoch, "slack": slack, "header": header, "json": to_json,
    "juspay": juspay_body,
}  # fmt: skip
"""What templates may call besides Jinja's own filters; all of them pure."""


def _environment(
    directories: Iterable[Path], shipped: Path, sources: Mapping[str, str]
) -> ImmutableSandboxedEnvironment:
    folder = jinja2.PrefixLoader({_SHIPPED_FOLDER: jinja2.FileSystemLoader(shipped)})
    files = jinja2.FileSystemLoader(list(directories))
    # A template needs a file's name, so that a failure in it can be placed.
    given = jinja2.FunctionLoader(lambda name: (sources[name], name, None) if name in sources else None)
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.ChoiceLoader([given, files, folder]),
        undefined=jinja2.StrictUndefined,
        autoescape=lambda name: name is not None and name.endswith(".html.j2"),
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    # Each rendering copies the globals; of Jinja's own only these two serve a message.
    environment.globals = {name: environment.globals[name] for name in ("namespace", "range")}
    return environment


def _place(error: Exception) -> str:
    """Return `file:line`, from the error itself or from the innermost frame that is a template's."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        return f"{error.filename or error.name}:{error.lineno}"
    frames = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    places = [f"{file}:{line}" for file, line in frames if file.endswith(".j2")]
    return places[-1] if places else "template"


def _told(error: Exception) -> str:
    """Return what is wrong without values: only Jinja's own words are known to carry none."""
    if isinstance(error, jinja2.TemplateError) and str(error):
        return str(error)
    return type(error).__name__
