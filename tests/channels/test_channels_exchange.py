"""Exchanges over one connection, and the connections that wait for the next: no time passes here."""

import asyncio

import pytest
from channel_hostiles import ANSWER
from channel_time import Line, at_once
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels import pool as pooling
from notifier.channels.exchange import Wire
from notifier.channels.pool import Pool
from notifier.channels.reading import Reply, Unreadable

_TAKEN = Reply(status=204, retry_after=None, body=b"")
_REQUEST = b"POST / HTTP/1.1\r\n\r\n"


def a_wire(purpose="here") -> tuple[Wire, Line]:
    wire = Wire(purpose)
    line = Line(wire)
    wire.connection_made(line)
    return wire, line


def in_s(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


def later(seconds: float, do, *given) -> None:
    asyncio.get_running_loop().call_later(seconds, do, *given)


async def posted(wire: Wire, line: Line, answer: bytes = ANSWER, within_s: float = 5) -> Reply:
    later(0.1, line.brings, answer)
    return await wire.exchange(_REQUEST, until=in_s(within_s))


def test_exchanges_follow_one_another_and_one_timer_serves_them_all():
    async def main():
        wire, line = a_wire()
        timers = set()
        for _ in range(3):
            assert await posted(wire, line) == _TAKEN
            timers.add(wire._timer)
        assert len(line.written) == 3
        assert len(timers) == 1
        wire.end()
        assert wire._timer is None
        assert all(each.cancelled() for each in timers)

    at_once(main())


@pytest.mark.parametrize("before_s", [None, 0.1, 60])
def test_a_deadline_holds_whatever_the_one_before_was(before_s):
    async def main():
        wire, line = a_wire()
        if before_s:
            await posted(wire, line, within_s=before_s + 0.1)
            await asyncio.sleep(0.05)
        began = in_s(0)
        with pytest.raises(TimeoutError):
            await wire.exchange(_REQUEST, until=in_s(7))
        assert in_s(0) - began == pytest.approx(7)
        assert line.is_cut

    at_once(main())


def test_a_deadline_that_is_due_gives_way_to_the_next_on_any_loop():
    uvloop = pytest.importorskip("uvloop")

    async def main():
        wire, line = a_wire()
        posting = asyncio.ensure_future(wire.exchange(_REQUEST, until=in_s(0.0003)))
        await asyncio.sleep(0)
        line.brings(ANSWER)
        wire.rest(0)
        wire.rest(9)
        assert await posting == _TAKEN
        await asyncio.sleep(0.002)
        assert not line.is_cut
        wire.end()

    uvloop.run(main())


@given(
    st.lists(st.tuples(st.floats(0, 3), st.one_of(st.binary(max_size=50), st.just(ANSWER[:20]))), max_size=9)
)
def test_whatever_comes_and_whenever_an_exchange_is_over_by_its_deadline(pieces):
    async def main():
        wire, line = a_wire()
        for at, piece in pieces:
            later(at, line.brings, piece)
        try:
            await wire.exchange(_REQUEST, until=in_s(2))
        except (TimeoutError, Unreadable):
            assert line.is_cut
        assert in_s(0) <= 2 + 1e-6

    at_once(main())


def test_a_status_counts_when_the_rest_comes_too_late_or_not_at_all():
    async def main():
        for ends in (lambda wire: None, Wire.eof_received, lambda wire: wire.connection_lost(OSError())):
            wire, line = a_wire()
            later(0.1, line.brings, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok")
            later(0.2, ends, wire)
            reply = await wire.exchange(_REQUEST, until=in_s(1))
            assert reply == Reply(status=200, retry_after=None, body=b"ok")
            assert line.is_cut

    at_once(main())


def test_a_connection_that_ends_is_told_as_what_ended_it():
    async def main():
        for ends, expected in (
            (Wire.eof_received, ConnectionError),
            (lambda wire: wire.connection_lost(None), ConnectionError),
            (lambda wire: wire.connection_lost(BrokenPipeError()), BrokenPipeError),
        ):
            wire, _ = a_wire()
            later(0.1, ends, wire)
            with pytest.raises(expected):
                await wire.exchange(_REQUEST, until=in_s(1))
            with pytest.raises(ConnectionError):  # and carries nothing more
                await wire.exchange(_REQUEST, until=in_s(1))

    at_once(main())


def test_who_gives_up_takes_the_connection_along():
    async def main():
        wire, line = a_wire()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await wire.exchange(_REQUEST, until=in_s(9))
        assert line.is_cut
        assert wire._timer is None

    at_once(main())


def test_an_answer_before_the_request_was_sent_off_counts_and_ends_the_connection():
    async def main():
        wire, line = a_wire()
        line.unsent = 100
        assert await posted(wire, line) == _TAKEN
        assert line.is_cut

    at_once(main())


def a_pool(count: int, *, purpose="here", pool: Pool | None = None):
    pool, made = pool or Pool(), [a_wire(purpose) for _ in range(count)]
    for wire, _ in made:
        pool.add(wire)
        pool.keep(wire)
    return pool, made


def test_the_last_one_used_is_lent_first_and_for_its_own_purpose_only():
    async def main():
        pool, made = a_pool(2)
        assert pool.take("elsewhere") is None
        assert [pool.take("here"), pool.take("here"), pool.take("here")] == [made[1][0], made[0][0], None]
        await pool.close()

    at_once(main())


@pytest.mark.parametrize(
    "end",
    [
        lambda wire, line: line.brings(b"\r\n"),
        lambda wire, line: wire.eof_received(),
        lambda wire, line: wire.connection_lost(None),
        lambda wire, line: setattr(line, "is_cut", True),
    ],
)
def test_a_connection_that_is_not_left_alone_is_lent_no_more(end):
    async def main():
        pool, [(wire, line)] = a_pool(1)
        end(wire, line)
        assert pool.take("here") is None
        assert line.is_cut or wire._transport is None
        wire.connection_lost(None)
        assert (pool._open, pool._idle) == (set(), {})

    at_once(main())


def test_a_connection_rests_for_a_while_and_no_longer():
    async def main():
        pool, [(wire, line)] = a_pool(1)
        await asyncio.sleep(3)
        assert pool.take("here") is wire
        assert await posted(wire, line) == _TAKEN
        pool.keep(wire)
        await asyncio.sleep(3)
        assert not line.is_cut
        await asyncio.sleep(2)
        assert line.is_cut
        assert (pool._open, pool._idle) == (set(), {})

    at_once(main())


def test_so_many_are_kept_for_one_purpose_and_so_many_in_all(monkeypatch):
    async def main():
        pool, made = a_pool(5)
        assert [line.is_cut for _, line in made] == [False, False, True, True, True]
        _, made = a_pool(2, purpose="there", pool=pool)
        assert [line.is_cut for _, line in made] == [False, True]
        await pool.close()

    monkeypatch.setattr(pooling, "_MOST_EACH", 2)
    monkeypatch.setattr(pooling, "_MOST", 3)
    at_once(main())


def test_closing_ends_all_of_them_and_keeps_none_afterwards():
    async def main():
        pool, [(idle, _)] = a_pool(1)
        busy, busy_line = a_wire()
        pool.add(busy)
        later(0.1, lambda: asyncio.ensure_future(pool.close()))
        with pytest.raises(ConnectionError):
            await busy.exchange(_REQUEST, until=in_s(9))
        assert busy_line.is_cut
        assert not idle.is_open
        _, [(late, _)] = a_pool(1, pool=pool)
        assert not late.is_open
        assert (pool._open, pool._idle) == (set(), {})

    at_once(main())
