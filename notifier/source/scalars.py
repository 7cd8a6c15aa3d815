"""What a single JSON value of the upstream means; anything that is no such value is None, unknown.

The forms are those seen upstream: numbers and truths as text, and four ways to say that there is nothing.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from notifier.domain.instant import from_ms
from notifier.domain.money import Money, exponent_of
from notifier.errors import InvalidValue

_NOTHING = frozenset({"", "null", "NA", "FILTERED"})
_LONGEST_TEXT = 256
_MAX_INT = 2**63 - 1
_LARGE = 10**12
_LONGEST_DECIMAL = 30
_NUMBERS = frozenset({int, Decimal})
_TRUTHS = {"true": True, "false": False}

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_AMOUNT = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_EPOCH_S = re.compile(r"[0-9]{9,11}")
_INSTANT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?"
    r"(?: ?(?:Z|UTC)|([+-])([0-9]{2}):?([0-9]{2}))"
)
_HANDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,63}")


def text(value: Any) -> str | None:
    """Return text without what cannot be printed, at most 256 characters; a number counts as its digits."""
    if type(value) is str:
        if not value.isprintable():
            value = "".join(filter(str.isprintable, value))
        value = value.strip()[:_LONGEST_TEXT]
        return None if value in _NOTHING else value
    if type(value) in _NUMBERS:
        return str(value).removesuffix(".0")[:_LONGEST_TEXT]
    return None


def truth(value: Any) -> bool | None:
    """Return a JSON truth, also when it comes as text of any case."""
    if type(value) is str:
        return _TRUTHS.get(value.lower())
    return value if type(value) is bool else None


def integer(value: Any) -> int | None:
    """Return a whole number of at most 63 bits, also when it comes as text or with a point."""
    if type(value) is str and _INTEGER.fullmatch(value):
        return int(value)
    if type(value) is Decimal and abs(value) < _LARGE and value == int(value):
        return int(value)
    return value if type(value) is int and abs(value) <= _MAX_INT else None


def decimal(value: Any) -> str | None:
    """Return a number in its shortest decimal text, however it is spelled: 10, 10.0 and "10.00" are `10`."""
    if type(value) is str and not _AMOUNT.fullmatch(value):
        return None
    if type(value) is not str and type(value) not in _NUMBERS:
        return None
    number = Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > _LONGEST_DECIMAL:
        return None
    plain = f"{number:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def currency(value: Any) -> str | None:
    """Return an ISO 4217 code."""
    return value if type(value) is str and _is_code(value) else None


@lru_cache(maxsize=64)
def _is_code(value: str) -> bool:
    return _CURRENCY.fullmatch(value) is not None


class _MinorOfOne(dict[str, int]):
    """How many minor units one of a currency has: found in half the time of a call that is remembered."""

    def __missing__(self, code: str) -> int:
        one = self[code] = int(10 ** exponent_of(code))
        return one


_MINOR_OF_ONE = _MinorOfOne()


def minor_units(value: Any, code: str | None) -> int | None:
    """Return an amount of major units of the currency in its minor ones; without a currency no number is an amount.

    Raises: InvalidValue when a digit would be lost or 63 bits do not hold it; an amount is never rounded.
    """
    if value is None or code is None:
        return None
    if type(value) is int and -_LARGE < value < _LARGE:
        return value * _MINOR_OF_ONE[code]
    if type(value) in _NUMBERS or (type(value) is str and _AMOUNT.fullmatch(value)):
        return Money.parse(value, code).minor
    return None


def fitting_minor_units(value: Any, code: str | None) -> int | None:
    """Return an amount in minor units; one that its currency cannot express is unknown."""
    if value is None:
        return None
    try:
        return minor_units(value, code)
    except InvalidValue:
        return None


def money(minor: int | None, code: str | None) -> Money | None:
    """Return an amount when both its number and its currency are known."""
    return None if minor is None or code is None else Money(minor, code)


def instant(value: Any) -> datetime | None:
    """Return an aware UTC instant in whole milliseconds, cut off, never rounded up.

    Forms: ISO with `T` or a blank, with up to nine digits of a second, ended by `Z`, `UTC` or an offset; seconds
    since the epoch, as number or text. A form without a zone is not guessed at.
    """
    try:
        if type(value) is not str and type(value) is not int:
            return None
        if _EPOCH_S.fullmatch(str(value)):
            return from_ms(int(value) * 1000)
        found = _INSTANT.fullmatch(str(value))
        return None if found is None else _from_parts(found)
    except (ValueError, OverflowError):
        return None


def _from_parts(found: re.Match[str]) -> datetime:
    date, time, fraction, sign, hours, minutes = found.groups()
    at = datetime.fromisoformat(f"{date}T{time}").replace(tzinfo=UTC)
    at += timedelta(milliseconds=int((fraction or "").ljust(3, "0")[:3]))
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return at + offset if sign == "-" else at - offset


def handle(address: Any) -> str | None:
    """Return the provider's part of a virtual payment address; the part before the @ is a person's."""
    if type(address) is not str or "@" not in address:
        return None
    provider = address.rpartition("@")[2]
    return provider if _HANDLE.fullmatch(provider) else None
