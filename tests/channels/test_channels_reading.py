"""Answers are the same however they are cut, and no bytes do more than make one unreadable."""

from itertools import pairwise

import pytest
from channel_hostiles import ANSWER
from hypothesis import example, given
from hypothesis import strategies as st

from notifier.channels.reading import MOST_BYTES_KEPT, MOST_BYTES_TAKEN, Reading, Reply, Unreadable

_OK = b"HTTP/1.1 200 OK\r\n"
_CHUNKED = _OK + b"Transfer-Encoding: chunked\r\n\r\n"
_BODIES = st.one_of(st.binary(max_size=200), st.binary(max_size=3).map(lambda each: each * 2000),
                    st.text("\r\n0", max_size=9).map(str.encode))  # fmt: skip
_INTERIM = st.sampled_from(
    [b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early\r\nRetry-After: 9\r\n\r\n" * 3, b"\r\n"]
)


@st.composite
def answers(draw):
    """Return the bytes of a whole answer and what it is."""
    status, body = draw(st.sampled_from([200, 202, 301, 400, 410, 429, 503])), draw(_BODIES)
    retry_after = draw(st.sampled_from([None, "7", "Wed, 21 Oct 2026 07:28:00 GMT"]))
    head = f"HTTP/1.1 {status} So\r\nServer: x\r\n" + (
        f"Retry-After:  {retry_after} \r\n" if retry_after else ""
    )
    match draw(st.sampled_from(["length", "chunks", "none"])):
        case "length":
            framed = b"Content-Length: %d\r\n\r\n" % len(body) + body
        case "chunks":
            sizes = draw(st.lists(st.integers(1, 700), max_size=3))
            ends = sorted({0, len(body), *(each for each in sizes if each < len(body))})
            chunks = (b"%x\r\n" % (end - at) + body[at:end] + b"\r\n" for at, end in pairwise(ends))
            framed = b"Transfer-Encoding: chunked\r\n\r\n" + b"".join(chunks) + b"0\r\nRetry-After: 1\r\n\r\n"
        case _:
            head, body, framed = head.replace(f"{status} So", "204 So"), b"", b"\r\n"
            status = 204
    reply = Reply(status=status, retry_after=retry_after, body=body[:MOST_BYTES_KEPT])
    return draw(_INTERIM) + head.encode() + framed, reply, len(body) <= MOST_BYTES_KEPT


def told(reading: Reading, pieces: list[bytes]) -> Reply | str | None:
    """Return what a reader makes of the pieces."""
    reading.begin()
    try:
        for piece in pieces:
            if (reply := reading.feed(piece)) is not None:
                return reply
    except Unreadable:
        return "unreadable"
    return None


def cut(answer: bytes, at: list[int]) -> list[bytes]:
    ends = sorted({0, len(answer), *(each % (len(answer) + 1) for each in at)})
    return [answer[begin:end] for begin, end in pairwise(ends)]


_CUTS = st.lists(st.integers(0, 10_000), max_size=6)


@given(answers(), _CUTS, st.data())
def test_an_answer_is_the_same_however_it_is_cut(made, at, data):
    answer, reply, is_whole = made
    reading = Reading()

    assert told(reading, cut(answer, at)) == reply
    assert reading.is_sound is is_whole
    if is_whole:  # and the next on the same connection is read alike
        answer, reply, is_whole = data.draw(answers())
        assert told(reading, [bytes([each]) for each in answer[:400]] + [answer[400:]]) == reply
        assert reading.is_sound is is_whole


_BAD = [
    _OK + b"Content-Length: -5\r\n\r\nhello", _OK + b"Content-Length: 5, 6\r\n\r\nhello",
    _OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    _CHUNKED + b"ffffffffffffffff1\r\nok", _CHUNKED + b"\r\nok\r\n0\r\n\r\n", _CHUNKED + b"2\r\nokok\r\n0\r\n\r\n",
    _OK + b"X: a\0b\r\nContent-Length: 0\r\n\r\n", _OK + b"X-None\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 000 None\r\n\r\n", b"HTTP/1.1 099 Odd\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n", b"<html>taken</html>\r\n",
]  # fmt: skip


@given(st.sampled_from(_BAD), _CUTS)
def test_what_is_malformed_is_no_answer_however_it_is_cut(bad, at):
    assert told(Reading(), cut(bad, at)) == "unreadable"


@given(
    st.lists(
        st.one_of(st.binary(max_size=300), st.sampled_from([_OK, _CHUNKED, ANSWER, b"\r\n", b"0" * 70_000]))
    )
)
def test_no_bytes_do_more_than_make_an_answer_unreadable(pieces):
    reading = Reading()

    outcome = told(reading, pieces)
    assert outcome in {None, "unreadable"} or len(outcome.body) <= MOST_BYTES_KEPT
    if outcome is None:
        assert sum(map(len, pieces)) <= MOST_BYTES_TAKEN


@given(answers(), st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_an_answer_with_a_few_other_bytes_in_it_is_read_or_not_and_no_more(made, at, other):
    answer = made[0][: at % len(made[0])] + other + made[0][at % len(made[0]) + len(other) :]

    assert told(Reading(), [answer]) == told(Reading(), cut(answer, list(range(len(answer)))))


@given(st.binary(min_size=1, max_size=5))
@example(b"\r\n")
@example(b"\n")
@example(ANSWER)
@pytest.mark.parametrize(
    "answer", [ANSWER, _OK + b"Content-Length: 2\r\n\r\nok", _CHUNKED + b"2\r\nok\r\n0\r\n\r\n"]
)
def test_a_single_byte_behind_an_answer_spoils_its_connection(answer, behind):
    reading = Reading()

    assert told(reading, [answer + behind]) == told(Reading(), [answer, behind])
    assert not reading.is_sound


@pytest.mark.parametrize(
    "answer",
    [
        _OK + b"Content-Length: 2\r\n\r\nok\xc3\xbc",  # its length in letters
        b"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        _OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok and more",
    ],
)
@given(at=_CUTS)
def test_a_delivery_that_was_taken_is_not_called_failed_for_what_stands_behind_the_answer(answer, at):
    reading = Reading()

    assert told(reading, cut(answer, at)).status in {200, 204}


@pytest.mark.parametrize(
    "answer",
    [
        _OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        _OK + b"Content-Length: 9999\r\n\r\n" + b"x" * 9999,
    ],
)
def test_a_connection_that_is_over_brings_no_other_answer(answer):
    reading = Reading()

    assert isinstance(told(reading, [answer]), Reply)
    assert not reading.is_sound


def test_an_answer_without_a_length_ends_when_its_connection_does():
    reading = Reading()

    assert reading.so_far() is None
    assert reading.feed(_OK + b"\r\nto the end") is None
    assert reading.so_far() == Reply(status=200, retry_after=None, body=b"to the end")


def test_the_first_of_two_headers_counts_and_none_of_an_interim_answer_or_a_trailer():
    interim = b"HTTP/1.1 103 Early\r\nRetry-After: 3\r\n\r\n"
    head = b"HTTP/1.1 503 Busy\r\nretry-AFTER: 5\r\nRetry-After: 6\r\nContent-Length: 0\r\n\r\n"

    assert told(Reading(), [interim + head]).retry_after == "5"
    assert told(Reading(), [interim + _CHUNKED + b"0\r\nRetry-After: 3\r\n\r\n"]).retry_after is None
