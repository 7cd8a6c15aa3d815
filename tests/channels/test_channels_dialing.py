"""Names are asked for once, and what is written to a receiver is what was meant."""

import asyncio
import socket
import ssl
import threading

import pytest
import pytest_asyncio
from channel_hostiles import COUNTED, LATE, UNREADABLE, Hostile, says
from channel_targets import Answers

from notifier.channels import dialing
from notifier.channels.dialing import Names, Unresolved
from notifier.channels.egress import Egress
from notifier.channels.reach import Reach
from notifier.domain.delivery import Reason


class Slow(Answers):
    """Answers when it is let; what it knows may be a fault."""

    def __init__(self, **known) -> None:
        super().__init__()
        self.known = known
        self.let = asyncio.Event()
        self.is_closed = False

    async def resolve(self, host, port=0, family=0):
        self.asked.append(host)
        await self.let.wait()
        answer = self.known[host]
        if isinstance(answer, Exception):
            raise answer
        return [{"host": each} for each in answer]

    async def close(self):
        self.is_closed = True


@pytest_asyncio.fixture
async def asked():
    opened: list[Names] = []

    def make(**known) -> tuple[Slow, Names]:
        slow = Slow(**known)
        opened.append(Names(slow))
        return slow, opened[-1]

    yield make
    for each in opened:
        await each.close()


async def _turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_name_is_asked_for_once_for_all_who_wait_and_those_who_give_up(asked):
    slow, names = asked(shop=["1.2.3.4", "5.6.7.8"])
    waiting = [asyncio.ensure_future(names.addresses("shop", 443)) for _ in range(3)]
    await _turns()
    waiting[0].cancel()
    await _turns()
    slow.let.set()
    told = [await each for each in waiting[1:]]
    told.append(await names.addresses("shop", 443))

    assert slow.asked == ["shop"]
    assert {each["host"] for each in told[0]} == {"1.2.3.4", "5.6.7.8"}
    assert told[0] != told[1] == told[2][::-1]  # in turn
    assert waiting[0].cancelled()


async def test_a_name_is_known_for_a_while_and_not_at_another_port(asked, monkeypatch):
    slow, names = asked(shop=["1.2.3.4"])
    slow.let.set()
    for port in (443, 443, 8443):
        await names.addresses("shop", port)
    assert len(slow.asked) == 2
    monkeypatch.setattr(dialing, "_KNOWN_S", 0)
    names._known.clear()
    for _ in range(2):
        await names.addresses("shop", 443)
    assert len(slow.asked) == 4


@pytest.mark.parametrize(
    ("fault", "expected"),
    [(OSError(-2, "no such name"), Unresolved), (TimeoutError(), TimeoutError), (UnicodeError(), ValueError)],
)
async def test_a_fault_is_told_to_all_who_wait_and_not_remembered(asked, fault, expected):
    slow, names = asked(shop=fault, none=[])
    slow.let.set()
    told = await asyncio.gather(*[names.addresses("shop", 1) for _ in range(2)], return_exceptions=True)
    assert all(isinstance(each, expected) for each in told)
    assert not names._known
    with pytest.raises(Unresolved):
        await names.addresses("none", 1)


async def test_so_many_names_are_known_and_no_more(asked, monkeypatch):
    monkeypatch.setattr(dialing, "_MOST_KNOWN", 3)
    slow, names = asked(**{f"shop{number}": ["1.2.3.4"] for number in range(9)})
    slow.let.set()
    for name in slow.known:
        await names.addresses(name, 443)
    assert len(names._known) <= 3


async def test_names_whose_server_is_silent_hold_up_no_other_and_no_end(monkeypatch):
    """The loop's own pool has a handful of threads, which the upstream's name would have waited for, too."""
    let, asked = threading.Event(), socket.getaddrinfo

    def slow(host, *rest, **named):
        if host.startswith("silent"):
            let.wait(20)
        return asked("127.0.0.1", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    names = Names(None)
    silent = [asyncio.ensure_future(names.addresses(f"silent{number}.example", 443)) for number in range(60)]
    try:
        await _turns()
        async with asyncio.timeout(5):
            [found] = await names.addresses("shop.example", 443)
            assert found["host"] == "127.0.0.1"
            await names.close()
        assert all(thread.daemon for thread in threading.enumerate() if thread.name == "resolve")
        told = await asyncio.gather(*silent, return_exceptions=True)
        assert {type(each) for each in told} == {ConnectionAbortedError}
    finally:
        let.set()


async def test_a_name_that_the_system_does_not_know_has_no_address(monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    names = Names(None)
    with pytest.raises(Unresolved):
        await names.addresses("shop.example", 443)
    await names.close()


async def test_closing_waits_for_no_name_and_tells_those_who_do():
    slow = Slow()
    egress = Egress(Reach(), resolver=slow)
    posting = asyncio.ensure_future(egress.post("https://slow.example/", body=b"", headers={}, timeout_s=9))
    await _turns()
    await egress.close()

    assert (await posting).reason is Reason.CONNECTION
    assert slow.is_closed


async def test_a_request_is_written_to_the_letter():
    heads = []

    async def talk(reader, writer):
        heads.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(6))
        writer.write(b"HTTP/1.1 204 Taken\r\n\r\n")

    async with Hostile(talk) as receiver:
        egress = Egress(Reach(allow_private=True))
        await egress.post(
            f"{receiver.url}a%20b/ü?q=1&r=%26#part",
            body=b'{"\xc3\xbc"}',
            headers={"X-One": "ü", "B": "2"},
            timeout_s=5,
        )
        await egress.close()

    first, *lines = heads[0].split(b"\r\n")
    assert first == b"POST /a%20b/%C3%BC?q=1&r=%26 HTTP/1.1"
    assert lines[0] == b"Host: 127.0.0.1:%d" % receiver.port
    assert lines[1].startswith(b"User-Agent: notifier/")
    assert lines[2:] == [b"Accept: */*", b"Accept-Encoding: identity", b"X-One: \xfc", b"B: 2",
                         b"Content-Length: 6", b"", b'{"\xc3\xbc"}']  # fmt: skip


@pytest.mark.parametrize(
    "headers", [{"X": "a\nb"}, {"X": "a\rb"}, {"X\r\nY": "b"}, {"X": "\0"}, {"X": "€"}, {"X": "a\r\n b"}]
)
async def test_no_header_reaches_beyond_its_line(http_sink, headers):
    egress = Egress(Reach(allow_private=True))
    outcome = await egress.post(http_sink.url, body=b"", headers={"Fair": "1"} | headers, timeout_s=5)
    await egress.close()

    assert outcome.reason is Reason.TARGET_FORBIDDEN
    assert http_sink.got == []


async def _on_the_fast_loop(tls: ssl.SSLContext) -> list[object]:
    told = []
    for talk in (*UNREADABLE.values(), *LATE.values(), *COUNTED.values()):
        async with Hostile(talk) as receiver:
            egress = Egress(Reach(allow_private=True))
            for timeout_s in (0.2, 5):
                reply = await egress.post(receiver.url, body=b"{}", headers={}, timeout_s=timeout_s)
                told.append(getattr(reply, "status", None) or reply.reason)
            await egress.close()
    async with Hostile(
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), is_always=True, tls=tls
    ) as receiver:
        egress = Egress(Reach(allow_private=True))
        reply = await egress.post(f"https://127.0.0.1:{receiver.port}/", body=b"{}", headers={}, timeout_s=5)
        told.append(reply.status)
        await egress.close()
    return told


def test_another_loop_changes_nothing(certificate, monkeypatch):
    uvloop = pytest.importorskip("uvloop")
    trusting = ssl.create_default_context(cafile=str(certificate))
    monkeypatch.setattr("notifier.channels.dialing._verifying", lambda: trusting)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    expected = (
        [Reason.ANSWER_UNREADABLE] * len(UNREADABLE) + [Reason.TIMEOUT] * len(LATE) + [200] * len(COUNTED)
    )

    told = uvloop.run(_on_the_fast_loop(server))
    assert told == [each for first in expected for each in (first, 204)] + [200]
