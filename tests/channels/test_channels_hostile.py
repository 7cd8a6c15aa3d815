"""Hostile receivers: the attempt ends in time with an honest reason, and nothing of it is left for the next."""

import asyncio
import socket
import ssl
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from channel_hostiles import (
    ANSWER,
    COUNTED,
    GONE,
    LATE,
    UNREADABLE,
    WORST,
    Hostile,
    answers_unread,
    answers_unread_and_resets,
    closes,
    floods_when_idle,
    for_ever,
    reads_nothing,
    request,
    says,
)

from notifier.channels.egress import MOST_BYTES_KEPT, Egress, Reply
from notifier.channels.reach import Reach
from notifier.domain.delivery import Outcome, Reason, Verdict

_TIMEOUT_S = 0.3
_LARGE = b"x" * 1_000_000  # more than a connection holds when nobody reads


@pytest_asyncio.fixture
async def egress():
    made = Egress(Reach(allow_private=True))
    yield made
    await made.close()


async def post(
    egress: Egress, url: str, body: bytes = b"{}", timeout_s: float = _TIMEOUT_S
) -> Reply | Outcome:
    """Post, and hold that the slot is free again within a second of its deadline."""
    async with asyncio.timeout(timeout_s + 1):
        return await egress.post(url, body=body, headers={}, timeout_s=timeout_s)


def _cases(expected: Reason, kind):
    return [pytest.param(talk, expected, id=name) for name, talk in kind.items()]


@pytest.mark.parametrize(
    ("talk", "reason"),
    [
        *_cases(Reason.ANSWER_UNREADABLE, UNREADABLE),
        *_cases(Reason.TIMEOUT, LATE),
        *_cases(Reason.CONNECTION, GONE),
    ],
)
async def test_what_is_no_answer_is_told_as_what_it_was_and_its_connection_is_not_used_again(
    egress, talk, reason
):
    async with Hostile(talk) as receiver:
        timeout_s = _TIMEOUT_S if reason is Reason.TIMEOUT else 5  # the others end by themselves
        outcome = await post(egress, receiver.url, _LARGE if talk is reads_nothing else b"{}", timeout_s)
        after = await post(egress, receiver.url, timeout_s=5)

        assert outcome == Outcome(verdict=Verdict.RETRY, reason=reason)
        assert after == Reply(status=204, retry_after=None, body=b"")
        assert receiver.connections == 2


@pytest.mark.parametrize("talk", COUNTED.values(), ids=COUNTED)
async def test_a_status_counts_and_the_rest_is_neither_kept_nor_waited_for(egress, talk):
    async with Hostile(talk) as receiver:
        reply = await post(egress, receiver.url)
        after = await post(egress, receiver.url, timeout_s=5)

        assert reply.status == 200
        assert len(reply.body) <= MOST_BYTES_KEPT
        assert after.status == 204
        assert receiver.connections == 2


async def test_a_bomb_is_kept_as_it_came(egress):
    async with Hostile(COUNTED["a bomb in gzip"]) as receiver:
        reply = await post(egress, receiver.url)

    assert reply.body[:2] == b"\x1f\x8b"
    assert len(reply.body) == MOST_BYTES_KEPT


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 305, 307, 308])
async def test_a_redirect_is_an_answer_and_no_more(egress, status):
    async with Hostile(says(ANSWER)) as elsewhere:
        head = f"HTTP/1.1 {status} Go\r\nLocation: {elsewhere.url}\r\nRefresh: 0; url={elsewhere.url}\r\n"
        async with Hostile(says(f"{head}Content-Length: 0\r\n\r\n".encode())) as receiver:
            assert (await post(egress, receiver.url)).status == status
        assert elsewhere.connections == 0


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        + b"x" * 200_000,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + ANSWER,
    ],
)
async def test_a_protocol_that_was_switched_is_not_spoken(egress, answer):
    async with Hostile(says(answer)) as receiver:
        assert (await post(egress, receiver.url)).status == 101
        assert (await post(egress, receiver.url)).status == 204
        assert receiver.connections == 2


async def test_an_answer_before_the_body_was_read_counts_and_a_reset_is_told(egress):
    async with Hostile(answers_unread) as receiver:
        assert (await post(egress, receiver.url, _LARGE)).status == 413
        # What the kernel took for a receiver that reads nothing cannot be told from what it has read.
        assert (await post(egress, receiver.url)).reason is Reason.TIMEOUT
        assert (await post(egress, receiver.url)).status == 204
        assert receiver.connections == 2
    async with Hostile(answers_unread_and_resets) as receiver:
        told = await post(egress, receiver.url, _LARGE)
        assert getattr(told, "status", None) == 413 or told.reason is Reason.CONNECTION


async def test_behind_a_request_that_was_answered_unread_no_other_is_written_by_tls_either(egress, trusted):
    async with Hostile(answers_unread, tls=trusted) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        assert (await post(egress, url, _LARGE * 8, timeout_s=5)).status == 413
        assert (await post(egress, url, timeout_s=5)).status == 204
        assert receiver.connections == 2


async def test_a_listener_that_accepts_nobody_is_waited_for_no_longer_than_allowed(egress):
    with socket.create_server(("127.0.0.1", 0), backlog=1) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        told = await asyncio.gather(*(post(egress, url) for _ in range(5)))

    assert {each.reason for each in told} == {Reason.TIMEOUT}


@pytest.mark.parametrize(
    "junk",
    [
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 6\r\n\r\npoison", b"HTTP/1.1 410 Gone\r\n\r\n", ANSWER * 3,
        b"HTTP/1.1 100 Continue\r\n\r\n", b"garbage\r\n\r\n", b"HTTP/1.1 202 Accepted\r\nX: ",
    ],
)  # fmt: skip
async def test_what_a_receiver_wrote_unasked_is_never_the_answer_to_the_next_post(egress, junk):
    async def talk(reader, writer):
        await request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await answered.wait()
        writer.write(junk)
        written.set()
        await request(reader)
        writer.write(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n")
        await asyncio.Event().wait()

    answered, written = asyncio.Event(), asyncio.Event()
    async with Hostile(talk) as receiver:
        assert (await post(egress, receiver.url)).body == b"ok"
        answered.set()
        await written.wait()
        await _turns()
        after = await post(egress, receiver.url)

    assert after.status in {204, 503} or after.reason is Reason.ANSWER_UNREADABLE
    assert getattr(after, "body", b"") == b""


@pytest.mark.parametrize("behind", [b"HTTP/1.1 202 Poison\r\nContent-Length: 0\r\n\r\n", None])
async def test_what_the_loop_has_yet_to_hear_of_is_not_written_to(egress, behind):
    answer = b"HTTP/1.1 200 OK\r\nX-Filled: %s\r\nContent-Length: 0\r\n\r\n"
    answer %= b"x" * (
        8192 - len(answer) + 2
    )  # all that is read at once, so the rest is left for another turn

    async def talk(reader, writer):
        await request(reader)
        if behind is None:
            writer.write(answer)
            writer.close()
        else:
            writer.write(answer + behind)
            await for_ever().wait()

    async with Hostile(talk) as receiver:
        assert (await post(egress, receiver.url, timeout_s=5)).status == 200
        assert (await post(egress, receiver.url, timeout_s=5)).status == 204
        assert receiver.connections == 2


async def test_a_receiver_that_writes_without_end_to_an_idle_connection_is_cut_off(egress):
    async with Hostile(floods_when_idle) as receiver:
        assert (await post(egress, receiver.url)).status == 200
        async with asyncio.timeout(2):
            await receiver.cut.wait()
        assert (await post(egress, receiver.url)).status == 204


async def test_an_answer_in_good_order_leaves_its_connection_for_the_next(egress):
    async with Hostile(closes(), is_always=False) as receiver:
        await post(egress, receiver.url)
        for _ in range(5):
            assert (await post(egress, receiver.url)).status == 204
        assert receiver.connections == 2
    large = b"HTTP/1.1 200 OK\r\nX-Large: " + b"x" * 8000 + b"\r\nContent-Length: 4096\r\n\r\n" + b"y" * 4096
    interim = b"HTTP/1.1 100 Continue\r\n\r\n" * 3

    async def often(reader, writer):
        while True:
            await request(reader)
            writer.write(interim + large)

    async with Hostile(often) as receiver:
        for _ in range(20):  # far more than is taken for one, in all
            assert (await post(egress, receiver.url)).body == b"y" * 4096
        assert receiver.connections == 1


async def _turns() -> None:
    """Let the loop hear what loopback has brought."""
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
def trusted(certificate, monkeypatch):
    """Return the server's side of TLS, after making the door trust it."""
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("notifier.channels.dialing._verifying", lambda: trusting)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    return server


async def _says_hello_slowly(_reader, writer):
    writer.write(b"\x16\x03\x03\x40\x00")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def _is_silent(_reader, _writer):
    await asyncio.Event().wait()


async def _hangs_up(_reader, _writer):
    pass


async def _half_closes(reader, writer):
    await reader.read(5)
    writer.write_eof()
    await asyncio.Event().wait()


async def _says_nonsense(_reader, writer):
    writer.write(b"HTTP/1.1 400 Plain\r\n\r\n")
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("talk", "reasons"),
    [
        (_is_silent, {Reason.TIMEOUT}),
        (_says_hello_slowly, {Reason.TIMEOUT}),
        (_half_closes, {Reason.CONNECTION, Reason.TLS}),
        (_hangs_up, {Reason.CONNECTION, Reason.TLS}),
        (_says_nonsense, {Reason.TLS}),
    ],
)
async def test_a_handshake_that_goes_nowhere_ends_in_time(egress, talk, reasons):
    async with Hostile(talk, is_always=True) as receiver:
        outcome = await post(egress, f"https://127.0.0.1:{receiver.port}/")

    assert outcome.verdict is Verdict.RETRY
    assert outcome.reason in reasons


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        (COUNTED["a body without end"], 200),
        (COUNTED["a body one byte at a time"], 200),
        (COUNTED["a close in the body"], 200),
        (UNREADABLE["interim answers without end"], Reason.ANSWER_UNREADABLE),
        (UNREADABLE["a header without end"], Reason.ANSWER_UNREADABLE),
        (LATE["a head one byte at a time"], Reason.TIMEOUT),
        (LATE["a body that is never read"], Reason.TIMEOUT),
        (GONE["a reset before the answer"], Reason.CONNECTION),
    ],
)
async def test_tls_changes_nothing_of_this(egress, trusted, talk, expected):
    async with Hostile(talk, tls=trusted) as receiver:
        url = f"https://127.0.0.1:{receiver.port}/"
        told = await post(egress, url, _LARGE if talk is reads_nothing else b"{}", timeout_s=1)
        assert getattr(told, "status", None) == expected or told.reason is expected
        assert (await post(egress, url, timeout_s=5)).status == 204
        assert receiver.connections == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
async def test_sixty_of_the_worst_at_once_cost_little_memory_and_leave_nothing_open():
    child = Path(__file__).with_name("hostile_child.py")
    async with asyncio.timeout(40), AsyncExitStack() as stack:
        receivers = [
            await stack.enter_async_context(Hostile(talk, is_always=True)) for talk in WORST.values()
        ]
        urls = [each.url for each in receivers]
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(child), *urls, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()

    grown_kib, posts, left_open = (int(word) for word in out.split())
    assert posts == 6 * len(WORST) == 60
    assert grown_kib < 50 * 1024
    assert left_open == 0
