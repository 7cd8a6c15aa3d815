"""Headers that a subscription may add to its callbacks."""

import re
from collections.abc import Mapping

from notifier.errors import InvalidValue

_MOST = 20
_LONGEST = 4096
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_VALUE = re.compile(r"[\x21-\x7e]([\t\x20-\x7e]*[\x21-\x7e])?")
# Ours, the connection's own, and what decides where the message ends.
_TAKEN = frozenset(
    {"accept-encoding", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect",
     "host", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "user-agent"}
)  # fmt: skip
_TAKEN_PREFIXES = ("webhook-", "notifier-", "proxy-")


def check_headers(headers: Mapping[str, str]) -> None:
    """Accept headers that a user typed.

    Raises: InvalidValue naming `headers` and the header, never its value.
    """
    if len(headers) > _MOST:
        raise InvalidValue("headers", f"are {len(headers)}; at most {_MOST} are allowed", "length")
    if len({name.lower() for name in headers}) < len(headers):
        raise InvalidValue("headers", "name one header twice", "twice")
    for name, value in headers.items():
        if not _NAME.fullmatch(name):
            raise InvalidValue("headers", f"{name!r} is no header's name", "name")
        if is_taken(name):
            raise InvalidValue(f"headers.{name}", "is set by the notifier itself", "reserved")
        if len(value) > _LONGEST or not _VALUE.fullmatch(value):
            rule = f"should be 1 to {_LONGEST} printable ASCII characters, no blank at its ends"
            raise InvalidValue(f"headers.{name}", rule, "value")


def is_taken(name: str) -> bool:
    """Return whether the notifier or the connection sets this header itself."""
    return name.lower() in _TAKEN or name.lower().startswith(_TAKEN_PREFIXES)
