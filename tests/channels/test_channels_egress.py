"""The guarded door: which addresses are called, and how an exchange ends."""

import errno
import socket
from ipaddress import ip_address

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.abc import AbstractResolver
from channel_sinks import answers

from notifier.channels.dialing import Names as Lookups
from notifier.channels.dialing import Place, dial
from notifier.channels.egress import MOST_BYTES_KEPT, Egress, Forbidden, Reply
from notifier.channels.reach import Reach, is_public
from notifier.config.model import Delivery
from notifier.domain.delivery import Reason, Verdict
from notifier.errors import InvalidValue

PUBLIC = "93.184.215.14"


class Names(AbstractResolver):
    """Resolves as it was told; counts, so that a test knows whether it was asked."""

    def __init__(self, **names: list[str] | OSError) -> None:
        self.names = {name.replace("_", "."): found for name, found in names.items()}
        self.asked: list[str] = []

    async def resolve(self, host, port=0, family=socket.AF_INET):
        self.asked.append(host)
        found = self.names[host]
        if isinstance(found, OSError):
            raise found
        return [
            {"hostname": host, "host": each, "port": port, "family": _family(each), "proto": 0, "flags": 0}
            for each in found
        ]

    async def close(self):
        pass


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


@pytest_asyncio.fixture
async def open_egress():
    made: list[Egress] = []

    def make(reach: Reach, names: Names | None = None) -> Egress:
        made.append(Egress(reach, resolver=names))
        return made[-1]

    yield make
    for egress in made:
        await egress.close()


async def post(egress: Egress, url: str, timeout_s: float = 5):
    return await egress.post(url, body=b"{}", headers={}, timeout_s=timeout_s)


INSIDE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "192.0.0.8", "192.0.0.192", "192.88.99.1", "198.18.0.1", "192.0.2.1",
    "203.0.113.7", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255", "168.63.129.16", "::", "::1",
    "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:0:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:0:a9fe:a9fe::", "2001:db8::1",
    "2002:7f00:1::1", "2002:a00:1::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1", "4000::1",
]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_leads_inside_is_refused_by_name_of_its_rule(address):
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(InvalidValue) as refused:
        Egress(Reach()).check_url(f"https://{host}/")
    assert refused.value.problem.path == "target"
    assert refused.value.problem.code == "forbidden"


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700::1111", "64:ff9b::808:808", "2002:808:808::1"]
)
def test_an_address_of_the_internet_at_large_is_public(address):
    host = f"[{address}]" if ":" in address else address
    Egress(Reach()).check_url(f"https://{host}/")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.1/", "https://0x7f.1/", "https://0177.0.0.1/", "https://2130706433/", "https://0x7f000001/",
        "https://0/", "https://127。0。0。1/", "https://①②⑦.⓪.⓪.①/", "https://localhost/", "https://LOCALHOST./",
        "https://a.localhost/", "https://127.0.0.1./", "https://[::ffff:7f00:1]/", "https://[fe80::1%25lo]/",
        "https://user@shop.example.com/", "https://user:pass@shop.example.com/", "https://shop.example.com:22/",
        "http://shop.example.com/", "ftp://shop.example.com/", "file:///etc/passwd", "//shop.example.com/", "",
        "https:///hook", "https://shop.example.com\\@127.0.0.1/", "https://shop.example.com /", "https://a\tb/",
        "https://shop.example.com:0/", "https://shop.example.com:99999/", "https://" + "a" * 2048,
        "https://[]@", "https://[::1]@/",
    ],
)  # fmt: skip
def test_a_trick_in_an_address_is_refused_as_it_is_typed(url):
    with pytest.raises(InvalidValue) as refused:
        Egress(Reach()).check_url(url)
    assert refused.value.problem.path == "target"


@pytest.mark.parametrize(
    "url", ["https://shop.example.com/h?x=1", "https://shop.example.com:8443/", "https://bücher.example/"]
)
def test_a_plain_https_address_is_accepted(url):
    Egress(Reach()).check_url(url)


@pytest.mark.parametrize(
    ("rules", "good", "bad"),
    [
        ({"allow_http": True, "allowed_ports": (80,)}, "http://shop.example.com/", "http://10.0.0.1/"),
        ({"allowed_ports": (9443,)}, "https://shop.example.com:9443/", "https://shop.example.com/"),
        ({"allow_private_targets": True}, "http://10.0.0.1:9000/", f"http://{PUBLIC}/"),
        ({"allow_private_targets": True}, "http://localhost:9000/", f"https://{PUBLIC}:9000/"),
        ({"allowed_targets": ("hooks.internal",)}, "http://HOOKS.internal:81/", "http://other.internal:81/"),
        ({"allowed_targets": ("hooks.internal:81",)}, "http://hooks.internal:81/", "http://hooks.internal:82/"),
        ({"allowed_targets": ("127.0.0.1:9000",)}, "http://127.0.0.1:9000/", "http://127.0.0.1:9001/"),
        ({"allowed_targets": ("[::1]:9000",)}, "http://[::1]:9000/", "http://[::1]:9001/"),
        ({"allowed_targets": ("[0:0::01]:9000",)}, "http://[::1]:9000/", "http://[::1]:9001/"),
        ({"allowed_targets": ("::1",)}, "http://[::1]:9000/", "http://[::2]:9000/"),
        ({"allowed_targets": ("10.1.0.0/16",)}, "http://10.1.2.3:9000/", "http://10.2.2.3:9000/"),
        ({"allowed_targets": ("10.1.0.0/16",)}, "http://[::ffff:10.1.2.3]:9000/", "http://[::ffff:10.2.2.3]:9000/"),
    ],
)  # fmt: skip
def test_the_operators_exceptions_let_through_what_they_name_and_no_more(rules, good, bad):
    egress = Egress(Reach.of(Delivery(**rules)))
    egress.check_url(good)
    with pytest.raises(InvalidValue):
        egress.check_url(bad)


async def test_a_sandbox_calls_nobody_but_this_machine(open_egress, http_sink):
    names = Names(shop_example=[PUBLIC], lan_example=["192.168.1.1"])
    egress = open_egress(Reach(only_loopback=True), names)
    assert (await post(egress, http_sink.url)).status == 200
    for url in ("https://shop.example/", "https://lan.example/"):
        assert (await post(egress, url)).reason is Reason.TARGET_FORBIDDEN


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["::1"], [PUBLIC, "127.0.0.1"], ["2606:4700::1111", "169.254.169.254"], ["64:ff9b::7f00:1"]]
)  # fmt: skip
async def test_a_name_with_one_address_inside_is_never_connected_to(open_egress, http_sink, found):
    names = Names(rebind_example=found)
    egress = open_egress(Reach(ports=frozenset({http_sink.port})), names)
    egress.check_url(f"https://rebind.example:{http_sink.port}/")
    outcome = await post(egress, f"https://rebind.example:{http_sink.port}/")
    assert (outcome.verdict, outcome.reason) == (Verdict.REFUSED, Reason.TARGET_FORBIDDEN)
    assert names.asked == ["rebind.example"]
    assert not http_sink.got
    assert not any(address in repr(outcome) for address in found)


async def test_a_literal_address_is_stopped_before_a_socket_is_made(http_sink):
    reach, place = Reach(), Place("127.0.0.1", http_sink.port, False, "tls")
    with pytest.raises(Forbidden):
        await dial(place, Lookups(None), lambda address, port: reach.refusal(address, port, is_plain=False))
    assert not http_sink.got


async def test_plain_http_is_for_private_addresses_only_when_names_are_let_through(open_egress, http_sink):
    names = Names(inner_example=["127.0.0.1"], outer_example=[PUBLIC])
    egress = open_egress(Reach(allow_private=True), names)
    assert (await post(egress, f"http://inner.example:{http_sink.port}/")).status == 200
    assert (await post(egress, f"http://outer.example:{http_sink.port}/")).reason is Reason.TARGET_FORBIDDEN


async def test_a_listed_name_may_lead_anywhere(open_egress, http_sink):
    names = Names(hooks_internal=["127.0.0.1"])
    egress = open_egress(Reach(hosts=frozenset({("hooks.internal", None)})), names)
    assert (await post(egress, f"http://hooks.internal:{http_sink.port}/")).status == 200


async def test_a_name_that_does_not_resolve_is_told_as_that(open_egress):
    egress = open_egress(Reach(), Names(gone_example=OSError("no such name")))
    outcome = await post(egress, "https://gone.example/")
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.NAME_RESOLUTION)


async def test_a_server_without_tls_is_told_as_that(open_egress, http_sink):
    outcome = await post(open_egress(Reach(allow_private=True)), f"https://127.0.0.1:{http_sink.port}/")
    assert (outcome.verdict, outcome.reason) == (Verdict.RETRY, Reason.TLS)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENETUNREACH])
async def test_a_fault_of_ours_is_not_the_receivers(open_egress, http_sink, monkeypatch, number):
    def broken(*_):
        raise OSError(number, "ours")

    egress = open_egress(Reach(allow_private=True))
    await post(egress, http_sink.url)
    monkeypatch.setattr("notifier.channels.dialing.socket.socket", broken)
    outcome = await post(egress, f"http://127.0.0.2:{http_sink.port}/")
    assert (outcome.verdict, outcome.reason) == (Verdict.OWN_FAULT, Reason.OWN_FAULT)


async def test_a_header_that_would_break_the_request_is_refused(open_egress, http_sink):
    egress = open_egress(Reach(allow_private=True))
    outcome = await egress.post(http_sink.url, body=b"", headers={"X": "a\r\nY: b"}, timeout_s=5)
    assert (outcome.verdict, http_sink.got) == (Verdict.REFUSED, [])


async def test_connections_are_kept_and_nothing_of_the_environment_is_sent(
    open_egress, http_sink, monkeypatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    http_sink.answer = answers(200, "ok", Set_Cookie="a=b")
    egress = open_egress(Reach(allow_private=True))
    for _ in range(3):
        await post(egress, http_sink.url)
    assert len({got.peer_port for got in http_sink.got}) == 1
    assert "cookie" not in http_sink.got[-1].headers
    assert http_sink.got[-1].headers["accept-encoding"] == "identity"
    assert http_sink.got[-1].headers["user-agent"].startswith("notifier/")


async def test_an_oversized_answer_is_cut_and_its_connection_closed(open_egress, http_sink):
    http_sink.answer = http_sink.endless
    egress = open_egress(Reach(allow_private=True))
    reply = await post(egress, http_sink.url)
    assert reply == Reply(status=200, retry_after=None, body=b"x" * MOST_BYTES_KEPT)
    http_sink.answer = answers()
    await post(egress, http_sink.url)
    assert len({got.peer_port for got in http_sink.got}) == 2


async def test_a_status_counts_although_its_body_never_ends(open_egress, http_sink):
    http_sink.answer = http_sink.dripping
    reply = await post(open_egress(Reach(allow_private=True)), http_sink.url, timeout_s=0.2)
    assert (reply.status, reply.body) == (200, b"taken")


async def test_a_compressed_answer_is_not_unpacked(open_egress, http_sink):
    async def bomb(request):
        return web.Response(body=b"\x1f\x8b" + b"\0" * 100, headers={"Content-Encoding": "gzip"})

    http_sink.answer = bomb
    reply = await post(open_egress(Reach(allow_private=True)), http_sink.url)
    assert reply.body.startswith(b"\x1f\x8b")


@pytest.mark.parametrize(
    ("address", "expected"), [("::ffff:8.8.8.8", True), ("2002:7f00:1::", False), ("64:ff9b::a00:1", False)]
)
def test_a_wrapped_address_is_judged_by_what_is_inside(address, expected):
    assert is_public(ip_address(address)) is expected
