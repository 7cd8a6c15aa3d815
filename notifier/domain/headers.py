"""Headers that a subscription may add to its callbacks: an allow-list, since a header can change what a request is."""

import re
from collections.abc import Mapping

from notifier.errors import InvalidValue

MOST = 20
LONGEST_NAME = 64
LONGEST_VALUE = 1024
MOST_CHARACTERS = 4096
"""All names and values of a subscription together; servers refuse heads above 8 KiB, and ours stand in them, too."""

_NAME = re.compile(r"[A-Za-z0-9-]+")
_VALUE = re.compile(rf"[\x21-\x7e]([\x20-\x7e]{{0,{LONGEST_VALUE - 2}}}[\x21-\x7e])?")
_ALLOWED = re.compile(r"authorization|api-?key|[a-z0-9-]+-(key|token)|x-[a-z0-9-]+")
_OURS = re.compile(r"(webhook|notifier)-.*")
# What belongs to the connection or to the body, and what proxies and browsers say of whom they speak for.
_NOT_OURS_TO_SET = re.compile(
    r"(content|proxy|sec|idempotency|x-(forwarded|real|remote|http|original|rewrite))-.*"
    r"|x-(forwarded|host|method-override|(cluster-)?client-ip)"
)


def check_header_name(name: str) -> str:
    """Return the name of a header that may be added.

    Raises: InvalidValue naming it.
    """
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise InvalidValue(
            name, f"is no name of a header: 1 to {LONGEST_NAME} of A-Z, a-z, 0-9 and -", "name"
        )
    if _OURS.fullmatch(name.lower()):
        raise InvalidValue(name, "is set by the notifier itself", "reserved")
    if not may_be_added(name):
        raise InvalidValue(
            name,
            "may not be set; take Authorization, X-..., or a name that ends in -Key or -Token",
            "reserved",
        )
    return name


def check_header_value(value: str) -> str:
    """Return the value of a header; raises ValueError, which never shows it."""
    if not _VALUE.fullmatch(value):
        raise ValueError(f"should be 1 to {LONGEST_VALUE} printable ASCII characters, no blank at its ends")
    return value


def check_headers(headers: Mapping[str, str]) -> None:
    """Accept all headers of a subscription together, each of which is good by itself.

    Raises: InvalidValue naming `headers`, or the header that stands there twice.
    """
    if len(headers) > MOST:
        raise InvalidValue("headers", f"are {len(headers)}; at most {MOST} are allowed", "length")
    if sum(len(name) + len(value) for name, value in headers.items()) > MOST_CHARACTERS:
        raise InvalidValue("headers", f"have more than {MOST_CHARACTERS} characters in all", "length")
    seen: set[str] = set()
    for name in headers:
        if name.lower() in seen:
            raise InvalidValue(name, "stands there twice; the case of letters does not count", "twice")
        seen.add(name.lower())


def may_be_added(name: str) -> bool:
    """Return whether the name stands on the allow-list."""
    lower = name.lower()
    return (
        bool(_ALLOWED.fullmatch(lower))
        and not _OURS.fullmatch(lower)
        and not _NOT_OURS_TO_SET.fullmatch(lower)
    )
