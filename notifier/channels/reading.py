"""What a receiver answers, read as it comes: one answer after another on one connection, bounded in bytes."""

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade, HttpResponseParser
from msgspec import Struct

MOST_BYTES_KEPT = 4096
"""So much of an answer is read; the rest is not waited for."""
MOST_BYTES_TAKEN = 65_536
"""So much comes off the wire for one request, whatever it is: heads, interim answers, framing."""

_INTERIM = range(100, 200)
_SWITCHED = 101


class Reply(Struct, frozen=True, kw_only=True, gc=False):
    """What came back: at most MOST_BYTES_KEPT of the body, and `Retry-After` as it was written."""

    status: int
    retry_after: str | None
    body: bytes


class Unreadable(Exception):
    """What came is no answer."""


class _Enough(Exception):
    """Stops the parser; nothing more of this answer is wanted."""


class Reading:
    """Reads an answer to each request, in whatever pieces it comes.

    What is malformed anywhere is no answer; one that breaks off after its head is. What stands behind one takes nothing
    from it, since it might as well have come later.
    """

    __slots__ = ("_body", "_is_over", "_is_sound", "_parser", "_retry_after", "_room", "_status")

    def __init__(self) -> None:
        self._parser = HttpResponseParser(self)
        # As much as other clients let pass: a delivery that was taken should not be made again for a sloppy line.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_spaces_after_chunk_size=True
        )
        self.begin()

    def begin(self) -> None:
        """Expect the answer to a request."""
        self._room = MOST_BYTES_TAKEN
        self._status = 0
        self._retry_after: str | None = None
        self._body = b""
        self._is_over = self._is_sound = False

    @property
    def is_sound(self) -> bool:
        """Whether the answer came to its end with nothing behind it, and its connection may bring another."""
        return self._is_sound

    def so_far(self) -> Reply | None:
        """Return what has come of the answer; None before its status counts, which is with the end of its head."""
        if not self._status:
            return None
        return Reply(status=self._status, retry_after=self._retry_after, body=self._body)

    def feed(self, data: bytes) -> Reply | None:
        """Return the answer when it is over, or has all that is wanted; None while more is to come.

        Raises: Unreadable.
        """
        self._room -= len(data)
        try:
            self._parse(data if self._room >= 0 else data[: self._room])
        except HttpParserCallbackError:
            self._is_over = True
        except (HttpParserError, HttpParserUpgrade):
            if not self._is_over:
                raise Unreadable from None
            self._is_sound = False
        if not self._is_over and self._room >= 0:
            return None
        reply = self.so_far()
        if reply is None:
            raise Unreadable
        return reply

    def _parse(self, data: bytes) -> None:
        """Parse, and notice line ends behind an answer, which the parser would silently pass over."""
        text = data.rstrip(b"\r\n")
        self._parser.feed_data(text)
        for at in range(len(text), len(data)):
            if self._is_over:
                self._is_sound = False
                return
            self._parser.feed_data(data[at : at + 1])

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._is_over:
            self._is_sound = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if b"\0" in value:
            raise _Enough
        if not self._status and self._retry_after is None and name.lower() == b"retry-after":
            self._retry_after = value.strip().decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._status:
            return
        status = self._parser.get_status_code()
        if status in _INTERIM and status != _SWITCHED:
            self._retry_after = None
            return
        if status >= _INTERIM.start:
            self._status = status
        if status <= _SWITCHED:
            raise _Enough

    def on_body(self, piece: bytes) -> None:
        if not self._status or self._is_over:
            return
        self._body += piece
        if len(self._body) > MOST_BYTES_KEPT:
            self._body = self._body[:MOST_BYTES_KEPT]
            raise _Enough

    def on_message_complete(self) -> None:
        if self._status and not self._is_over:
            self._is_over = True
            self._is_sound = self._parser.should_keep_alive() and self._parser.get_http_version() == "1.1"
