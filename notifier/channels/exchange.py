"""One connection to a receiver: a request written whole, its answer awaited until a deadline, then the next."""

import asyncio
import select
from collections.abc import Callable, Hashable
from typing import cast

from notifier.channels.reading import Reading, Reply, Unreadable

_READ_BYTES = 8192
"""Answers are short. With a buffer of its own the loop need not get and give back 256 KiB for each."""
_Told = Reply | OSError | Unreadable


class Wire(asyncio.BufferedProtocol):
    """Carries one exchange at a time. Whatever does not end in good order ends the connection."""

    __slots__ = (
        "_answer",
        "_buffer",
        "_loop",
        "_reading",
        "_rings_at",
        "_state",
        "_timer",
        "_transport",
        "_until",
        "on_end",
        "purpose",
    )

    def __init__(self, purpose: Hashable) -> None:
        self.purpose = purpose
        self.on_end: Callable[[Wire], None] | None = None
        self._loop = asyncio.get_running_loop()
        self._reading = Reading()
        self._buffer = memoryview(bytearray(_READ_BYTES))
        self._state = select.poll()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[_Told] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._until = self._rings_at = 0.0

    @property
    def is_open(self) -> bool:
        """Whether another request may be written."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def is_quiet(self) -> bool:
        """Whether it is open, nothing came since the last answer, and nothing of a request waits to be sent.

        The system is asked: the loop may have yet to read, and TLS does not say what it holds back.
        """
        return self.is_open and [event for _, event in self._state.poll(0)] == [select.POLLOUT]

    async def exchange(self, request: bytes, *, until: float) -> Reply:
        """Return the answer; `until` is an instant of the loop's clock. A status counts once it has come.

        Raises: Unreadable, TimeoutError, and OSError for a connection that ended.
        """
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError
        self._answer = self._loop.create_future()
        self._reading.begin()
        self._watch(until)
        self._transport.write(request)
        try:
            told = await self._answer
        except asyncio.CancelledError:
            self.end()
            raise
        if isinstance(told, Reply):
            return told
        raise told

    def rest(self, seconds: float) -> None:
        """Stay open for so long with nothing to carry."""
        self._watch(self._loop.time() + seconds)

    def end(self, error: OSError | None = None) -> None:
        """Close at once, whatever is under way."""
        if self._answer is not None:
            self._settle(self._reading.so_far() or error or ConnectionAbortedError())
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        if self.on_end is not None:
            self.on_end(self)
            self.on_end = None

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._state.register(transport.get_extra_info("socket"), select.POLLIN | select.POLLOUT)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - the loop's contract
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        if self._answer is None:  # nobody asked
            self.end()
            return
        told: _Told | None
        try:
            told = self._reading.feed(bytes(self._buffer[:nbytes]))
        except Unreadable as error:
            told = error
        if told is not None:
            self._settle(told)
            if not self._is_clear():
                self.end()

    def eof_received(self) -> None:
        self.end()

    def connection_lost(self, exc: Exception | None) -> None:
        self.end(exc if isinstance(exc, OSError) else None)

    def _is_clear(self) -> bool:
        return (
            self._reading.is_sound
            and self._transport is not None
            and not self._transport.get_write_buffer_size()
        )

    def _settle(self, told: _Told) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_result(told)

    def _watch(self, until: float) -> None:
        """End at that instant, unless told otherwise. One timer serves many exchanges: it looks again when it rings."""
        self._until = until
        if self._timer is not None and until < self._rings_at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            # Kept by ourselves: with uvloop the handle of a timer that is due cannot say when it rings.
            self._timer, self._rings_at = self._loop.call_at(until, self._ring), until

    def _ring(self) -> None:
        self._timer = None
        if self._loop.time() < self._until:
            self._watch(self._until)
        else:
            self.end(TimeoutError())
