"""Whether the daemon lives, whether it works, and what it counts."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from notifier.domain.instant import EPOCH
from notifier.domain.order import Source
from notifier.errors import StorageError
from notifier.storage.records import SourceState
from notifier.web.routing import Answer, Call
from notifier.web.services import Services

_PATIENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """What storage says."""

    due_lag_s: float
    refused: tuple[str, ...]
    is_writable: bool


async def healthz(_: Call) -> Answer:
    """Say that the process answers."""
    return Answer(body={"status": "ok"})


async def readyz(call: Call) -> Answer:
    """Say whether storage reads and writes and every loop turns; refused accounts are told but fail nothing.

    A restart or another instance would not mend a refused key, so it must not take this one out of service; nor
    would it mend a budget that cannot carry the longest intervals.
    """
    seen = await _look(call.services)
    loops = dict(call.services.liveness())
    is_ready = seen is not None and seen.is_writable and all(loops.values())
    return Answer(
        status=200 if is_ready else 503,
        body={
            "status": "ready" if is_ready else "not_ready",
            "storage": _storage_word(seen),
            "loops": {name: "alive" if is_alive else "dead" for name, is_alive in loops.items()},
            "oldest_due_lag_s": seen.due_lag_s if seen else None,
            "refused_accounts": seen.refused if seen else (),
            "stretched_accounts": {name: round(by, 2) for name, by in call.services.stretched().items()},
        },
    )


def _storage_word(seen: _Seen | None) -> str:
    if seen is None:
        return "unreachable"
    return "ok" if seen.is_writable else "unwritable"


async def metrics(call: Call) -> web.StreamResponse:
    """Give the counts to Prometheus."""
    body, content_type = call.services.metrics.render()
    return web.Response(body=body, headers={"Content-Type": content_type})


async def _look(services: Services) -> _Seen | None:
    now = services.clock.now()
    dues: list[datetime] = []
    refused = []
    try:
        async with asyncio.timeout(_PATIENCE_S), services.storage.reading() as tx:
            for account in services.accounts:
                due_at = await tx.next_look_at(account, after=EPOCH)
                dues += [due_at] if due_at else []
                states = [(await tx.source_health(account, source)).state for source in Source]
                refused += [account] if SourceState.REFUSED in states else []
    except (StorageError, TimeoutError):
        return None
    lag_s = (now - min(dues)).total_seconds() if dues else 0.0
    return _Seen(max(0.0, lag_s), tuple(refused), services.storage.is_writable)
