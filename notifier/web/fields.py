"""What a single member of a body or a query may be."""

import re
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, PlainValidator, StringConstraints

from notifier.domain.headers import check_header_name, check_header_value, check_headers
from notifier.domain.instant import from_ms, to_ms
from notifier.domain.order import parse_order_id
from notifier.domain.subscription import check_pattern
from notifier.errors import InvalidValue

_LAST_SEQUENCE = 2**62
_LONGEST_S = timedelta(days=30).total_seconds()


def _decimal_text(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('give the amount as text such as "386.00"; a JSON number may lose digits')  # noqa: TRY004
    if not re.fullmatch(r"\d{1,18}(\.\d{1,4})?", value, re.ASCII):
        raise ValueError('is no amount; give decimal text such as "386.00"')
    return value


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("has a character that cannot be shown")
    return text


def _milliseconds(at: datetime) -> datetime:
    return from_ms(to_ms(at))


_NO_PLACE = 'should be an instant with its zone ("2026-11-22T10:00:00Z") or a sequence of the log'


def _place(value: object) -> int | datetime:
    """Read a place in the log: a sequence, or an instant."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _LAST_SEQUENCE:
        return value
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
        instant = None if at is None or at.tzinfo is None else _milliseconds(at)
    except (ValueError, OverflowError, OSError):
        raise ValueError(_NO_PLACE) from None
    if instant is None:
        raise ValueError(_NO_PLACE)
    return instant


def _type_pattern(pattern: str) -> str:
    try:
        return check_pattern(pattern)
    except InvalidValue as error:
        raise InvalidValue("types", error.problem.message, error.problem.code) from None


def _headers(headers: dict[str, str]) -> dict[str, str]:
    check_headers(headers)
    return headers


OrderName = Annotated[str, AfterValidator(parse_order_id)]
Amount = Annotated[str, BeforeValidator(_decimal_text)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}\z")]
Word = Annotated[str, StringConstraints(min_length=1, max_length=64), AfterValidator(_printable)]
Ascii = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]{1,128}\z")]
Tags = Annotated[tuple[Word, ...], Field(max_length=20)]
Instant = Annotated[AwareDatetime, AfterValidator(_milliseconds)]
Place = Annotated[int | datetime, PlainValidator(_place)]
Pattern = Annotated[str, StringConstraints(max_length=64), AfterValidator(check_pattern)]
TypePattern = Annotated[str, StringConstraints(max_length=64), AfterValidator(_type_pattern)]
TypePatterns = Annotated[tuple[TypePattern, ...], Field(min_length=1, max_length=50)]
Patterns = Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=50)]
TargetText = Annotated[str, StringConstraints(min_length=1, max_length=2048), AfterValidator(_printable)]
TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,64}\z")]
Seconds = Annotated[float, Field(gt=0, le=_LONGEST_S)]
Overlap = Annotated[float, Field(ge=0, le=7 * 86_400)]
Schedule = Annotated[tuple[Seconds, ...], Field(min_length=1, max_length=100)]
Window = Annotated[float, Field(ge=0, le=86_400)]
Rate = Annotated[float, Field(gt=0, le=10_000)]
HeaderName = Annotated[str, AfterValidator(check_header_name)]
HeaderValue = Annotated[str, AfterValidator(check_header_value)]
Headers = Annotated[dict[HeaderName, HeaderValue], AfterValidator(_headers)]
Path = Annotated[
    str,
    StringConstraints(max_length=200, pattern=r"^(id|type|timestamp|schema|livemode|data(\.[a-z0-9_]+)+)\z"),
]
Scalar = str | bool | int | float
Limit = Annotated[int, Field(ge=1, le=500)]
