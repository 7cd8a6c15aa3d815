"""Connections that wait for their next request, by what they were opened for."""

import asyncio
from collections.abc import Hashable

from notifier.channels.exchange import Wire

_KEEPALIVE_S = 4.0
"""Many servers close after five seconds of rest; what is written while their end is on its way is lost."""
_MOST_EACH = 128
_MOST = 512


class Pool:
    """Keeps connections for a while, so many for one purpose and so many in all; lends the last one used first."""

    def __init__(self) -> None:
        self._idle: dict[Hashable, list[Wire]] = {}
        self._open: set[Wire] = set()
        self._is_closed = False

    def take(self, purpose: Hashable) -> Wire | None:
        """Return a connection that was opened for this, or None when one has to be made."""
        idle = self._idle.get(purpose)
        while idle:
            wire = idle.pop()
            if wire.is_quiet:
                return wire
            wire.end()
        return None

    def add(self, wire: Wire) -> None:
        """Answer for a new connection until it ends."""
        self._open.add(wire)
        wire.on_end = self._forget

    def keep(self, wire: Wire) -> None:
        """Take a connection back after its exchange."""
        if not wire.is_open:
            return
        idle = self._idle.setdefault(wire.purpose, [])
        if self._is_closed or len(idle) >= _MOST_EACH or len(self._open) > _MOST:
            wire.end()
        else:
            idle.append(wire)
            wire.rest(_KEEPALIVE_S)

    async def close(self) -> None:
        """End every connection, in use or not; none is kept from now on."""
        self._is_closed = True
        for wire in list(self._open):
            wire.end()
        await asyncio.sleep(0)  # the loop closes their sockets

    def _forget(self, wire: Wire) -> None:
        self._open.discard(wire)
        idle = self._idle.get(wire.purpose, [])
        if wire in idle:
            idle.remove(wire)
        if not idle:
            self._idle.pop(wire.purpose, None)
