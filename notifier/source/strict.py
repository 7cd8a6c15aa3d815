"""What all answers of the upstream have in common: declared members, strict JSON, a digest over what is declared."""

import math
from collections.abc import Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

_DIGEST_BYTES = 16
_ENCODER = msgspec.json.Encoder(order="deterministic")
_T = TypeVar("_T")

Odd = list[Any] | str | int | float | bool | None
"""What may stand where an object was expected; together with the object it is every JSON value."""


class Wire(msgspec.Struct, omit_defaults=True, gc=False):
    """Members as the upstream names them. No cycles can arise, so the collector need not look."""


def decoded(decoder: "msgspec.json.Decoder[_T]", body: bytes) -> _T:
    """Return the declared members of a body.

    Raises: one of UNREADABLE.
    """
    if not body.isascii():
        body.decode()  # the decoder does not look into the text of members that it skips
    try:
        return decoder.decode(body)
    except msgspec.ValidationError:  # perhaps a number beyond all bounds where an object was expected
        return decoder.decode(_AGAIN.encode(_ANYTHING.decode(body)))


def _bounded(number: str) -> Decimal | str:
    return Decimal(number) if math.isfinite(float(number)) else number


_ANYTHING = msgspec.json.Decoder(float_hook=_bounded)
_AGAIN = msgspec.json.Encoder(decimal_format="number")


def digest_of(declared: Wire | Sequence[Any]) -> bytes:
    """Return sixteen bytes over every declared member; those that are None do not count."""
    return blake2b(_ENCODER.encode(declared), digest_size=_DIGEST_BYTES).digest()
