"""`notifier render`: a template as it would be sent."""

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from cyclopts import Parameter, validators

from notifier.cli.options import COMMON, Common, Misuse
from notifier.cli.screen import show_json

if TYPE_CHECKING:
    from notifier.channels.contract import Channel
    from notifier.config.model import Config

_SAMPLE = "order.charged"
_SUFFIX = re.compile(r"(\.json|\.subject\.txt|\.body\.(txt|html))?\.j2$")


async def render(
    template: str,
    /,
    *,
    event: Annotated[Path | None, Parameter(validator=validators.Path(exists=True, dir_okay=False))] = None,
    type: str | None = None,  # noqa: A002 - the member's own name
    options: Common = COMMON,
) -> None:
    """Print a template as it would be sent.

    :param template: Channel and name: webhook/default, slack/default, email/default; default may be left out.
    :param event: A file with the event as JSON; without it a sample is taken.
    :param type: The type of the sample, such as refund.failure; order.charged by default.
    """
    from notifier.config.load import load

    if event and type:
        raise Misuse("--event and --type exclude each other: the event has a type of its own")
    document = _event(event) if event else _sample(type or _SAMPLE)
    name, _, chosen = _SUFFIX.sub("", template).partition("/")
    chosen = chosen or "default"
    channels = channels_of(load(options.config, os.environ))
    channel = channels.get(name)
    if channel is None:
        raise Misuse(
            f"{template!r} is no template; write CHANNEL or CHANNEL/NAME, where CHANNEL is {', '.join(channels)}"
        )
    try:
        body = channel.render(document, chosen)
    except (KeyError, TypeError, AttributeError) as error:
        raise Misuse(
            f"{event} is no whole event: {type_of(error)}; take one from `notifier events --json`"
        ) from error
    finally:
        for each in channels.values():
            await each.close()
    _print(body, name, chosen, document["type"], as_json=options.json)


def type_of(error: Exception) -> str:
    """Return what an event lacked, in a few words."""
    return f"{error} is missing" if isinstance(error, KeyError) else str(error)


def channels_of(config: "Config") -> dict[str, "Channel"]:
    """Return the channels as the daemon would have them.

    Raises: TemplateError.
    """
    from notifier.channels.catalogue import channels
    from notifier.clock import SystemClock
    from notifier.templating import Templates

    return channels(config, Templates(config.templates.directory), SystemClock())


def _print(body: bytes, channel: str, template: str, event_type: str, *, as_json: bool) -> None:
    if as_json:
        show_json({"channel": channel, "template": template, "type": event_type, "body": body.decode()})
        return
    if channel == "email":
        mail = msgspec.json.decode(body)
        sys.stdout.write(f"Subject: {mail['subject']}\n\n{mail['text']}\n\n{mail['html']}\n")
        return
    sys.stdout.write(body.decode())
    if sys.stdout.isatty():
        sys.stdout.write("\n")


def _sample(event_type: str) -> dict[str, Any]:
    from notifier.domain.document import SAMPLE_TYPES, sample_event_document

    if event_type not in SAMPLE_TYPES:
        import difflib

        close = difflib.get_close_matches(event_type, SAMPLE_TYPES, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are: {', '.join(SAMPLE_TYPES)}"
        raise Misuse(f"there is no sample of type {event_type!r}; {hint}")
    return sample_event_document(event_type)


def _event(file: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads(file.read_bytes())
    except ValueError as error:
        raise Misuse(f"{file} is no JSON: {error}") from None
    if not isinstance(found, dict) or not isinstance(found.get("data"), dict) or "type" not in found:
        raise Misuse(f"{file} is no event; take one from `notifier events --json`")
    return found
