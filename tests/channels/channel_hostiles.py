"""Receivers on loopback that speak HTTP badly, each a conversation over a raw connection."""

import asyncio
import gzip
import socket
import struct
from contextlib import suppress

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_OF_TWO = _OK + b"Content-Length: 2\r\n\r\nok"
_BOMB = gzip.compress(b"\0" * 1_000_000) * 200  # 200 KB that unpack to 200 MB
_PACE_S = 0.02

for_ever = asyncio.Event  # nobody sets it


def says(answer: bytes):
    """Answer so, and leave the connection open."""

    async def talk(reader, writer):
        await request(reader)
        writer.write(answer)
        await for_ever().wait()

    return talk


def floods(block: bytes, *, after: bytes = b""):
    """Answer as fast as the connection takes it, for ever."""

    async def talk(reader, writer):
        await request(reader)
        writer.write(after)
        while True:
            writer.write(block * (65_536 // len(block) + 1))
            await writer.drain()
            await asyncio.sleep(0)  # with TLS a drain may hear of a lost connection only in another turn

    return talk


def drips(pieces: bytes | list[bytes], *, after: bytes = b""):
    """Answer piece by piece, each well within any wait for the next."""

    async def talk(reader, writer):
        await request(reader)
        writer.write(after)
        for piece in pieces:
            writer.write(bytes([piece]) if isinstance(piece, int) else piece)
            await writer.drain()
            await asyncio.sleep(_PACE_S)
        await for_ever().wait()

    return talk


def resets(answer: bytes = b""):
    """Answer so, and reset the connection once that is on its way."""

    async def talk(reader, writer):
        await request(reader)
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(_PACE_S)
        _reset(writer)

    return talk


def closes(answer: bytes = b""):
    """Answer so, and close."""

    async def talk(reader, writer):
        await request(reader)
        writer.write(answer)

    return talk


async def floods_when_idle(reader, writer):
    await request(reader)
    writer.write(_OF_TWO)
    await asyncio.sleep(_PACE_S)
    while True:
        writer.write(ANSWER * 2500)
        await writer.drain()


async def reads_nothing(reader, writer):
    writer.transport.pause_reading()
    await for_ever().wait()


async def answers_unread(reader, writer):
    writer.transport.pause_reading()
    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    await for_ever().wait()


async def answers_unread_and_resets(reader, writer):
    writer.transport.pause_reading()
    writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
    await asyncio.sleep(_PACE_S)
    _reset(writer)


UNREADABLE = {
    "interim answers without end": floods(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "early hints without end": floods(b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\n"),
    "interim answers of an odd number without end": floods(b"HTTP/1.1 199 Wait\r\n\r\n"),
    "a header without end": floods(b"x", after=_OK + b"X-Long: "),
    "a header's name without end": floods(b"x", after=_OK),
    "a header of a megabyte": says(_OK + b"X-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n"),
    "headers without end": floods(b"X-Many: 1\r\n", after=_OK),
    "ten thousand headers": says(_OK + b"X-Many: 1\r\n" * 10_000 + b"Content-Length: 0\r\n\r\n"),
    "a status line without end": floods(b"x", after=b"HTTP/1.1 200 "),
    "blank lines without end": floods(b"\r\n"),
    "zeros without end": floods(b"\0"),
    "HTTP/0.9": closes(b"<html>taken</html>\r\n"),
    "another protocol": says(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "TLS where there is none": says(b"\x15\x03\x01\x00\x02\x02\x28"),
    "HTTP/2 unasked": says(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00"),
    "a request for an answer": says(b"POST / HTTP/1.1\r\nHost: here\r\n\r\n"),
    "a status of two digits": says(b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"),
    "a status of four digits": says(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"),
    "a negative length": says(_OK + b"Content-Length: -5\r\n\r\nhello"),
    "a length with a sign": says(_OK + b"Content-Length: +5\r\n\r\nhello"),
    "a length in hex": says(_OK + b"Content-Length: 0x5\r\n\r\nhello"),
    "a length that overflows": says(_OK + b"Content-Length: 18446744073709551621\r\n\r\nhello"),
    "two lengths that differ": says(_OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"),
    "two lengths in one": says(_OK + b"Content-Length: 5, 6\r\n\r\nhello"),
    "a length and chunks": says(
        _OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    ),
    "a chunk that overflows": says(_CHUNKED + b"ffffffffffffffff1\r\nok"),
    "a chunk of negative size": says(_CHUNKED + b"-2\r\nok\r\n0\r\n\r\n"),
    "a chunk of no size": says(_CHUNKED + b"\r\nok\r\n0\r\n\r\n"),
    "a header with a zero in it": says(_OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n"),
    "a header without a colon": says(_OK + b"X-None\r\nContent-Length: 0\r\n\r\n"),
}
"""What it says is no answer."""

LATE = {
    "silence": says(b""),
    "a head one byte at a time": drips(_OK + b"X-Slow: " + b"x" * 1000),
    "headers one at a time": drips([b"X-Slow: 1\r\n"] * 100, after=_OK),
    "interim answers one at a time": drips([b"HTTP/1.1 100 Continue\r\n\r\n"] * 100),
    "interim answers one byte at a time": drips(b"HTTP/1.1 100 Continue\r\n\r\n" * 10),
    "half a head": says(b"HTTP/1.1 200 OK\r\nX: "),
    "a body that is never read": reads_nothing,
}
"""Its answer does not come in time."""

GONE = {
    "a reset before the answer": resets(),
    "a close before the answer": closes(),
    "a reset in the head": resets(_OK + b"X: "),
    "a close in the head": closes(_OK + b"X: "),
    "a close after an interim answer": closes(b"HTTP/1.1 100 Continue\r\n\r\n"),
}
"""Its connection ends without an answer."""

COUNTED = {
    "a body without end": floods(b"x", after=_OK + b"Content-Length: 999999999999\r\n\r\n"),
    "a body without end or length": floods(b"x", after=_OK + b"\r\n"),
    "chunks without end": floods(b"1\r\nx\r\n", after=_CHUNKED),
    "a giant chunk": floods(b"x", after=_CHUNKED + b"7fffffffffffffff\r\n"),
    "a giant chunk that stays out": says(_CHUNKED + b"7fffffff\r\nok"),
    "a chunk's extension without end": floods(b"x", after=_CHUNKED + b"2;"),
    "a body one byte at a time": drips(b"x" * 1000, after=_OK + b"Content-Length: 1000\r\n\r\n"),
    "chunks one at a time": drips([b"1\r\nx\r\n"] * 100, after=_CHUNKED),
    "a body longer than its length": says(_OF_TWO + b" and more"),
    "a body shorter than its length": says(_OK + b"Content-Length: 9\r\n\r\nok"),
    "a close in the body": closes(_OK + b"Content-Length: 9\r\n\r\nok"),
    "a reset in the body": resets(_OK + b"Content-Length: 9\r\n\r\nok"),
    "a close in a chunk": closes(_CHUNKED + b"9\r\nok"),
    "trailers one at a time": drips([b"X: 1\r\n"] * 100, after=_CHUNKED + b"2\r\nok\r\n0\r\n"),
    "a bomb in gzip": says(
        _OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(_BOMB) + _BOMB
    ),
}
"""Its status counts, whatever becomes of the rest."""

WORST = {
    name: kind[name]
    for kind, names in (
        (UNREADABLE, ("interim answers without end", "early hints without end", "headers without end",
                      "a header without end", "blank lines without end")),
        (COUNTED, ("a body without end", "chunks without end", "a chunk's extension without end",
                   "a bomb in gzip")),
    )
    for name in names
} | {"answers to what was not asked, without end": floods_when_idle}  # fmt: skip


class Hostile:
    """Speaks with its first connection as it is told, and answers 204 to each request of all others."""

    def __init__(self, talk, *, is_always=False, tls=None) -> None:
        self._talk = talk
        self._tls = tls
        self._is_always = is_always
        self._talks: set[asyncio.Task] = set()
        self.connections = 0
        self.cut = asyncio.Event()

    async def __aenter__(self):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._server = await asyncio.start_server(self._serve, sock=listener, ssl=self._tls)
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        return self

    async def __aexit__(self, *_):
        self._server.close()
        for each in self._talks:
            each.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self._talks.add(asyncio.current_task())
        self.connections += 1
        is_hostile = self._is_always or self.connections == 1
        try:
            with suppress(asyncio.IncompleteReadError, asyncio.CancelledError):
                await (self._talk if is_hostile else _is_honest)(reader, writer)
        except ConnectionError:
            self.cut.set()
        finally:
            writer.transport.abort() if writer.transport.get_write_buffer_size() else writer.close()


async def request(reader) -> None:
    """Read one request."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    await reader.readexactly(int(head.partition(b"content-length:")[2].split()[0]))


async def _is_honest(reader, writer):
    while True:
        await request(reader)
        writer.write(ANSWER)


def _reset(writer) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
