"""The rules of where to: a law over all addresses, and what each of the operator's exceptions does not open."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from channel_targets import CORPUS, PUBLIC, Answers
from hypothesis import given
from hypothesis import strategies as st

from notifier.channels.egress import Egress
from notifier.channels.reach import Reach, is_public
from notifier.config.model import Delivery
from notifier.domain.delivery import Reason
from notifier.errors import InvalidValue

_HOSTS = "https://{}/".format
_SHIPPED = Reach.of(Delivery())
# Ways to write an IPv4 address into an IPv6 one, each as the number that the address makes.
_WRAPPINGS = {
    "mapped": lambda v4: 0xFFFF << 32 | v4,
    "compatible": lambda v4: v4,
    "translated": lambda v4: 0xFFFF << 48 | v4,
    "nat64": lambda v4: 0x64_FF9B << 96 | v4,
    "nat64 local": lambda v4: 0x64_FF9B_0001 << 80 | v4,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "teredo": lambda v4: 0x2001 << 112 | (0x0808_0808 << 64) | (v4 ^ 0xFFFF_FFFF),
    "isatap": lambda v4: 0x2606_4700 << 96 | 0x5EFE << 32 | v4,
    "isatap unique": lambda v4: 0x2606_4700 << 96 | 0x0200_5EFE << 32 | v4,
}
_INNER = st.one_of(
    st.ip_addresses(v=4),
    *(
        st.ip_addresses(v=4, network=each)
        for each in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12",
                     "192.0.0.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4")
    ),
)  # fmt: skip


def is_refused(reach: Reach, address: str, port: int = 443, *, is_plain: bool = False) -> bool:
    return reach.refusal(address, port, is_plain=is_plain) is not None


@given(_INNER)
def test_no_address_that_is_not_global_is_called(ip: IPv4Address):
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        assert is_refused(_SHIPPED, str(ip))


@given(st.ip_addresses(v=6))
def test_no_ipv6_address_that_is_not_global_is_called(ip: IPv6Address):
    if not ip.is_global or ip.is_multicast or ip.is_site_local:
        assert is_refused(_SHIPPED, str(ip))


@given(_INNER, st.sampled_from(sorted(_WRAPPINGS)))
def test_no_wrapping_makes_an_address_public(v4: IPv4Address, wrapping: str):
    wrapped = IPv6Address(_WRAPPINGS[wrapping](int(v4)))

    if not is_public(v4):
        assert is_refused(_SHIPPED, str(wrapped)), (wrapping, wrapped)
    assert is_refused(_SHIPPED, f"::ffff:{v4}") == is_refused(_SHIPPED, str(v4))


@given(_INNER, st.sampled_from(["fc00::", "fe80::", "fec0::", "ff02::", "2001:db8::", "100::", "4000::"]))
def test_a_fair_address_inside_does_not_make_its_wrapping_fair(v4: IPv4Address, prefix: str):
    assert is_refused(_SHIPPED, str(IPv6Address(int(IPv6Address(prefix)) | 0x5EFE << 32 | int(v4))))


@given(st.text(max_size=40))
def test_what_is_no_address_is_never_let_through(text: str):
    try:
        ip_address(text.partition("%")[0])
    except ValueError:
        assert is_refused(Reach(allow_private=True, allow_http=True), text)


# What each setting opens, and beside it what it leaves shut.
_OPENED = {
    "as shipped": (
        {},
        [_HOSTS(PUBLIC), f"https://{PUBLIC}:8443/"],
        [f"http://{PUBLIC}/", f"https://{PUBLIC}:444/", "https://10.0.0.1/", "https://intranet/"],
    ),
    "http": (
        {"allow_http": True},
        [f"http://{PUBLIC}:443/", "http://shop.example:8443/", _HOSTS(PUBLIC)],
        [f"http://{PUBLIC}/", "http://shop.example/", "http://10.0.0.1:443/", "http://localhost:443/"],
    ),
    "http at its port": (
        {"allow_http": True, "allowed_ports": (80,)},
        [f"http://{PUBLIC}/", "http://shop.example/"],
        [_HOSTS(PUBLIC), f"http://{PUBLIC}:8080/", "http://169.254.169.254/", "http://127.0.0.1/"],
    ),
    "ports": (
        {"allowed_ports": (9443, 9444)},
        ["https://shop.example:9443/", f"https://{PUBLIC}:9444/"],
        ["https://shop.example/", "https://shop.example:8443/", "http://shop.example:9443/",
         "https://10.0.0.1:9443/"],
    ),
    "private": (
        {"allow_private_targets": True},
        ["http://10.0.0.1:9000/", "http://127.0.0.1/", "https://192.168.1.1:1/", "http://172.31.255.255/",
         "http://100.64.0.1/", "http://[::1]:9000/", "http://[fd00::1]/", "http://[::ffff:10.0.0.1]/",
         "http://localhost:9000/", _HOSTS(PUBLIC)],
        [f"http://{PUBLIC}/", f"https://{PUBLIC}:9000/", "http://169.254.169.254/", "http://100.100.100.200/",
         "http://[fd00:ec2::254]/", "http://[fd20:ce::254]/", "http://[::ffff:169.254.169.254]/",
         "http://168.63.129.16/", "http://192.0.0.192/", "http://169.254.1.1/", "http://[fe80::1]/",
         "http://0.0.0.0/", "http://[::]/", "http://224.0.0.1/", "http://[ff02::1]/", "http://255.255.255.255/",
         "http://198.18.0.1/", "http://192.0.2.1/", "http://[2002:a00:1::1]/", "http://[64:ff9b::a00:1]/",
         "http://[2606:4700::5efe:a00:1]/", "http://127.1/", "http://2130706433/"],
    ),
    "a host": (
        {"allowed_targets": ("hooks.internal",)},
        ["http://hooks.internal:81/", "https://hooks.internal/", "http://HOOKS.internal./"],
        ["http://a.hooks.internal:81/", "http://ahooks.internal:81/", "https://hooks.internal.example:81/",
         "http://internal:81/", "http://u:p@hooks.internal:81/", "ftp://hooks.internal/", "https://10.0.0.1/"],
    ),
    "a host at a port": (
        {"allowed_targets": ("hooks.internal:81",)},
        ["http://hooks.internal:81/", "https://hooks.internal:81/"],
        ["http://hooks.internal:82/", "https://hooks.internal/", "http://a.hooks.internal:81/"],
    ),
    "an address": (
        {"allowed_targets": ("10.0.0.5", "[fd00::5]:9000")},
        ["http://10.0.0.5:1/", "http://[fd00::5]:9000/", "http://[FD00:0::5]:9000/"],
        ["http://10.0.0.6/", "http://[fd00::5]:9001/", "http://[::ffff:10.0.0.5]/", "http://[fd00::6]:9000/",
         "http://10.0.5/", "http://167772165/", "http://[2002:a00:5::]/"],
    ),
    "a network": (
        {"allowed_targets": ("10.1.0.0/16", "fd00:1::/32")},
        ["http://10.1.0.0:1/", "http://10.1.255.255/", "http://[fd00:1::9]:9/", "http://[::ffff:10.1.2.3]:9/"],
        ["http://10.0.255.255/", "http://10.2.0.0/", "http://[fd00:2::9]/", f"http://{PUBLIC}/",
         f"https://{PUBLIC}:9/", "http://[64:ff9b::10.1.2.3]/", "http://[2002:a01:203::1]/",
         "http://127.0.0.1/", "http://169.254.169.254/"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "opened", "shut"), _OPENED.values(), ids=_OPENED)
def test_a_setting_opens_what_it_names_and_no_more(rules, opened, shut):
    egress = Egress(Reach.of(Delivery(**rules)))

    for target in opened:
        egress.check_url(target)
    for target in shut:
        with pytest.raises(InvalidValue):
            egress.check_url(target)


# Whatever is typed, no setting but a name of its own opens these.
@pytest.mark.parametrize("rules", [each[0] for each in _OPENED.values()], ids=_OPENED)
def test_no_setting_opens_an_odd_spelling(rules):
    egress = Egress(Reach.of(Delivery(**rules)))
    odd = [
        target
        for group, targets in CORPUS["typed"].items()
        if group.startswith(("spelled", "credentials", "backslashes", "schemes", "no_host"))
        for target in targets
        if not target.lower().startswith("http:")
    ]

    for target in odd:
        with pytest.raises(InvalidValue):
            egress.check_url(target)
    assert len(odd) > 80


@pytest.mark.parametrize(
    ("rules", "url", "answer", "is_let"),
    [
        ({"allowed_targets": ("10.1.0.0/16",)}, "http://in.example:9/", "10.1.2.3", True),
        ({"allowed_targets": ("10.1.0.0/16",)}, "http://out.example:9/", "10.2.2.3", False),
        ({"allowed_targets": ("10.1.0.0/16",)}, "http://fair.example:9/", PUBLIC, False),
        ({"allowed_targets": ("10.1.0.5",)}, "https://in.example/", "10.1.0.5", False),
        ({"allowed_targets": ("in.example:9",)}, "http://in.example:9/", "169.254.169.254", True),
        ({"allowed_targets": ("in.example:9",)}, "http://in.example:10/", "10.1.2.3", False),
        ({"allow_private_targets": True}, "http://in.example:9/", "10.1.2.3", True),
        ({"allow_private_targets": True}, "http://fair.example:9/", PUBLIC, False),
        ({"allow_private_targets": True}, "http://meta.example/", "169.254.169.254", False),
        ({"allow_private_targets": True}, "http://meta.example/", "100.100.100.200", False),
        ({"allow_private_targets": True}, "https://six.example/", "2002:a00:1::1", False),
        ({"allow_http": True, "allowed_ports": (9,)}, "http://in.example:9/", "10.1.2.3", False),
        ({"allow_http": True, "allowed_ports": (9,)}, "http://fair.example:9/", PUBLIC, True),
    ],
)
async def test_a_name_is_let_through_by_the_address_it_has(rules, url, answer, is_let, monkeypatch):
    def nothing_is_opened(*_):
        raise ConnectionRefusedError(111, "no test leaves this machine")

    monkeypatch.setattr("notifier.channels.dialing.socket.socket", nothing_is_opened)
    names = Answers()
    names.known = {url.split("/")[2].split(":")[0]: [answer]}
    egress = Egress(Reach.of(Delivery(**rules)), resolver=names)
    outcome = await egress.post(url, body=b"", headers={}, timeout_s=2)
    await egress.close()

    assert outcome.reason is (Reason.CONNECTION if is_let else Reason.TARGET_FORBIDDEN)


@pytest.mark.parametrize(
    ("address", "is_let"),
    [
        ("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True),
        ("64:ff9b::7f00:1", False), ("2002:7f00:1::", False), ("::127.0.0.1", False), ("0.0.0.0", False),
        ("::", False), ("10.0.0.1", False), ("169.254.169.254", False), (PUBLIC, False), ("fe80::1", False),
    ],
)  # fmt: skip
def test_the_sandbox_calls_loopback_and_nothing_that_only_wraps_it(address, is_let):
    assert is_refused(Reach(only_loopback=True), address, 9) is not is_let
