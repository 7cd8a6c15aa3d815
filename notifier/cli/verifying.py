"""`notifier verify`: whether a received callback is ours, whole, and fresh."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter, validators

from notifier.cli.failure import FAILED
from notifier.cli.options import COMMON, Common, Misuse
from notifier.cli.screen import safe, say, show_json

_FORMS = (
    'give headers as lines, an empty line and the body, or JSON: {"headers": {…}, "body": "the body as text"}'
)


def verify(
    file: Annotated[Path, Parameter(validator=validators.Path(exists=True, dir_okay=False))],
    /,
    *,
    secret: list[str],
    options: Common = COMMON,
) -> int:
    """Check a received callback and say why it fails; exit status 1 when it does.

    The file holds the callback's headers as they stand in a log, an empty line, and the body byte for byte; or JSON:
    {"headers": {…}, "body": "the body as text"}.

    :param file: What was received.
    :param secret: The subscription's signing secret, whsec_…; may be given again, one that fits is enough.
    """
    from notifier.channels.webhook import signature
    from notifier.clock import SystemClock

    headers, body = received(file.read_bytes())
    now = SystemClock().now()
    reason = signature.verify(secret, headers, body, now)
    if reason is not None and body.endswith(b"\n"):
        # Editors end a file with a line break that was never part of the body.
        trimmed = body.removesuffix(b"\n").removesuffix(b"\r")
        reason = reason if signature.verify(secret, headers, trimmed, now) else None
    if options.json:
        show_json({"valid": reason is None, "reason": reason})
    elif reason is None:
        say(f"[green]valid[/]: signed with {_which(secret)}, and sent within {signature.TOLERANCE_S} s")
    else:
        say(f"[red]not valid[/]: {safe(reason)}")
    return 0 if reason is None else FAILED


def _which(secrets: list[str]) -> str:
    return "this secret" if len(secrets) == 1 else "one of these secrets"


def received(raw: bytes) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of a callback in a file.

    Raises: Misuse when there is no telling which is which.
    """
    if raw.lstrip()[:1] == b"{":
        return _of_json(raw)
    head, separator, body = _split(raw)
    headers = dict(filter(None, map(_header, head.decode("latin-1").splitlines())))
    if not separator or not headers:
        raise Misuse(f"the file holds no callback; {_FORMS}")
    length = next((value for name, value in headers.items() if name.lower() == "content-length"), "")
    return headers, body[: int(length)] if length.isascii() and length.isdigit() else body


def _split(raw: bytes) -> tuple[bytes, bytes, bytes]:
    """Split at the first empty line, whichever way lines end."""
    parts = [raw.partition(empty) for empty in (b"\r\n\r\n", b"\n\n")]
    return min(parts, key=lambda part: len(part[0]))


def _header(line: str) -> tuple[str, str] | None:
    """Read a line such as `Name: value`, or `> Name: value` as curl prints it; None for a request's first line."""
    name, colon, value = line.lstrip("<> \t").partition(":")
    is_header = bool(colon) and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return (name.strip(), value.strip()) if is_header else None


def _of_json(raw: bytes) -> tuple[dict[str, str], bytes]:
    import json

    try:
        document: Any = json.loads(raw)
        headers, body = document["headers"], document["body"]
        pairs = headers.items() if isinstance(headers, dict) else headers
        named = {str(name): str(value[0] if isinstance(value, list) else value) for name, value in pairs}
    except (ValueError, KeyError, TypeError, IndexError):
        raise Misuse(f"the file is no JSON of a callback; {_FORMS}") from None
    if not isinstance(body, str):
        raise Misuse(
            "`body` should be the text as it was received; a parsed body cannot be verified byte for byte"
        )
    return named, body.encode()
