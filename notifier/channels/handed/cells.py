"""Renders templates that were handed in over REST, each in a process of its own with limits; two are kept."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

import msgspec

from notifier.channels.handed.cell import CPU_S, Reply, Request
from notifier.domain.handed import HandedTemplate
from notifier.errors import TemplateError

WALL_S = 5.0
"""A body may take so long on the clock of the wall."""
_START_S = 30.0
_LONGEST_LINE = 4 * 1024 * 1024
_CELLS = 2
_COMMAND = ("-B", "-m", "notifier.channels.handed.cell")

_NOT_STARTED = "the process for templates of others did not start"

_READ = msgspec.json.Decoder(Reply)


class LimitExceeded(TemplateError):
    """A template took more memory or time than it may, or broke the process that rendered it."""


class Cells:
    """Keeps processes to render in; they start when they are needed, and are replaced when they die."""

    def __init__(self, count: int = _CELLS) -> None:
        self._free: asyncio.LifoQueue[_Cell | None] = asyncio.LifoQueue()
        self._all: set[_Cell] = set()
        for _ in range(count):
            self._free.put_nowait(None)

    async def render(self, template: HandedTemplate, document: Mapping[str, Any]) -> bytes:
        """Return the body that a template makes of an event's document.

        Raises: LimitExceeded; TemplateError.
        """
        request = Request(
            channel=template.channel, name=template.name, parts=dict(template.parts), document=dict(document)
        )
        cell = await self._free.get()
        try:
            if cell is None or cell.is_gone:
                await self._ended(cell)
                cell = None
                cell = await self._started()
            reply = await cell.ask(request)
        except BaseException:
            # Nobody knows what it is at: a process that was left in the middle is of no use.
            await self._ended(cell)
            cell = None
            raise
        finally:
            self._free.put_nowait(cell)
        if reply.body is None:
            raise TemplateError(reply.error)
        return reply.body.encode()

    async def close(self) -> None:
        """End all processes."""
        for cell in self._all:
            await cell.end()
        self._all.clear()

    async def _started(self) -> "_Cell":
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *_COMMAND,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                limit=_LONGEST_LINE,
                cwd="/",
                env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
                start_new_session=True,
            )
        except OSError as error:
            raise TemplateError(f"{_NOT_STARTED}: {type(error).__name__}") from None
        cell = _Cell(process)
        self._all.add(cell)
        try:
            await cell.ready()
        except BaseException:
            await self._ended(cell)
            raise
        return cell

    async def _ended(self, cell: "_Cell | None") -> None:
        if cell is not None:
            self._all.discard(cell)
            await cell.end()


class _Cell:
    """One process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._in, self._out = process.stdin, process.stdout

    @property
    def is_gone(self) -> bool:
        """Whether it ended while it had nothing to do, which is no fault of the next template."""
        return self._process.returncode is not None

    async def ready(self) -> None:
        """Wait until it takes requests; raises TemplateError."""
        try:
            async with asyncio.timeout(_START_S):
                line = await self._out.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise TemplateError(f"{_NOT_STARTED}; see whether memory is short")

    async def ask(self, request: Request) -> Reply:
        """Return the reply; raises LimitExceeded when there is none."""
        try:
            async with asyncio.timeout(WALL_S):
                self._in.write(msgspec.json.encode(request) + b"\n")
                await self._in.drain()
                line = await self._out.readline()
        except TimeoutError:
            raise LimitExceeded(f"takes longer than {WALL_S:.0f} s") from None
        except ValueError:
            raise LimitExceeded(f"makes more than {_LONGEST_LINE} bytes") from None
        except ConnectionError:
            line = b""
        if not line.endswith(b"\n"):
            raise LimitExceeded(f"takes more than {CPU_S} s of processor time, or breaks the renderer")
        reply = _READ.decode(line)
        if reply.is_spent:
            raise LimitExceeded(reply.error)
        return reply

    async def end(self) -> None:
        """Kill it, and wait until it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        self._in.close()
        await self._process.wait()
