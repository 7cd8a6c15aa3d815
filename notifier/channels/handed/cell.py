"""The process in which templates that were handed in over REST are rendered: a line of JSON in, a line of JSON out.

It holds no secret and no connection, and its limits are the kernel's: memory, processor time, open files, no files
written, no processes. What breaks them ends this process and nothing else; `cells` starts another.
"""

import math
import resource
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from notifier.channels.catalogue import channels
from notifier.channels.contract import Channel
from notifier.clock import SystemClock
from notifier.config.model import Config
from notifier.domain.document import sample_event_document
from notifier.errors import TemplateError
from notifier.templating import Templates

MEMORY_BYTES = 96 * 1024 * 1024
"""A template may use so much beyond what the renderer itself has taken."""
CPU_S = 1
"""Processor time for one body, in whole seconds: the kernel counts no finer."""
_OPEN_FILES = 32
_WARM_UP = "order.charged"


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One body to be made; `parts` are the template's texts by part."""

    channel: str
    name: str
    parts: dict[str, str]
    document: dict[str, Any]


class Reply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of it: `body`, or why there is none, and whether the process has to go."""

    body: str | None = None
    error: str = ""
    is_spent: bool = False


_READ = msgspec.json.Decoder(Request)


def main() -> None:
    """Answer until the other end closes."""
    for channel in ("webhook", "slack", "email"):
        # Import what renderings import, before memory and files are counted.
        _channel_of(channel, "default", ()).render(sample_event_document(_WARM_UP), "default")
    _confine()
    sys.stdout.buffer.write(b"\n")
    sys.stdout.buffer.flush()
    for line in sys.stdin.buffer:
        reply = _answered(line)
        sys.stdout.buffer.write(msgspec.json.encode(reply) + b"\n")
        sys.stdout.buffer.flush()
        if reply.is_spent:
            return


def _answered(line: bytes) -> Reply:
    _grant_processor_time()
    try:
        request = _READ.decode(line)
        channel = _channel_of(request.channel, request.name, tuple(sorted(request.parts.items())))
        return Reply(body=channel.render(request.document, request.name).decode())
    except TemplateError as error:
        return Reply(error=str(error))
    except MemoryError:
        return Reply(error=f"needs more than {MEMORY_BYTES // 1024**2} MiB of memory", is_spent=True)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's template does is its own fault
        return Reply(error=type(error).__name__, is_spent=True)


@lru_cache(maxsize=16)
def _channel_of(channel: str, name: str, parts: tuple[tuple[str, str], ...]) -> Channel:
    sources = {f"{channel}/{name}.{part}.j2": text for part, text in parts}
    return channels(Config(), Templates(sources=sources), SystemClock())[channel]


def _confine() -> None:
    for limit, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (most, most))
    with suppress(OSError):  # a system that does not tell what is taken cannot be held to more
        taken = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY_BYTES, taken + MEMORY_BYTES))


def _grant_processor_time() -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime) + CPU_S, most))


if __name__ == "__main__":
    main()
