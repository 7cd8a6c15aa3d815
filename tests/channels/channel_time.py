"""A loop whose time passes at once when there is nothing to do, and a transport that goes nowhere."""

import asyncio
import os
import selectors
from collections.abc import Coroutine
from typing import Any


class _Skipping(selectors.DefaultSelector):
    skipped_s = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everything waits and nothing will come: a hang"
            self.skipped_s += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return self._skipping.skipped_s


def at_once(main: Coroutine[Any, Any, Any]) -> Any:
    """Run it on a loop that never waits, and fail where it would wait for ever."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


_WRITABLE = os.pipe()[1]


class Line(asyncio.Transport):
    """Keeps what is written; the test says what is read."""

    def __init__(self, protocol: asyncio.BufferedProtocol) -> None:
        super().__init__()
        self.protocol = protocol
        self.written: list[bytes] = []
        self.unsent = 0
        self.is_cut = False

    def brings(self, data: bytes) -> None:
        buffer = self.protocol.get_buffer(-1)
        buffer[: len(data)] = data
        self.protocol.buffer_updated(len(data))

    def get_extra_info(self, name, default=None):
        return _WRITABLE if name == "socket" else default

    def write(self, data):
        self.written.append(data)

    def get_write_buffer_size(self):
        return self.unsent

    def is_closing(self):
        return self.is_cut

    def abort(self):
        self.is_cut = True
