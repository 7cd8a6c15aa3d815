"""Which addresses somebody may make us call: the rules, without the sockets."""

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Self

from notifier.config.model import Delivery

Ip = IPv4Address | IPv6Address
Host = tuple[str, int | None]

# What Python's is_global lets through and yet leads inside. Of IPv6 only 2000::/3 is handed out at all.
_DENIED_V4 = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments; a cloud's metadata, too
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv4Network("168.63.129.16/32"),  # a cloud's host agent behind a global address
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_DENIED_V6 = (IPv6Network("2001::/23"), IPv6Network("2001:db8::/32"), IPv6Network("3fff::/20"))
_NAT64 = IPv6Network("64:ff9b::/96")
_ISATAP, _ISATAP_BITS = 0x0000_5EFE, 0xFCFF_FFFF  # RFC 5214, 6.1: the upper half of the interface id

# What `allow_private` opens: addresses that a network of one's own is made of. Link-local and the rest stay shut.
_PRIVATE: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("10.0.0.0/8"),
    IPv4Network("100.64.0.0/10"),
    IPv4Network("127.0.0.0/8"),
    IPv4Network("172.16.0.0/12"),
    IPv4Network("192.168.0.0/16"),
    IPv6Network("::1/128"),
    IPv6Network("fc00::/7"),
)
# Clouds hand out credentials at these, in the midst of the networks above.
_METADATA: frozenset[Ip] = frozenset(
    {IPv4Address("100.100.100.200"), IPv6Address("fd00:ec2::254"), IPv6Address("fd20:ce::254")}
)
_PRIVATE_ZONES = (".internal", ".local", ".localdomain", ".home.arpa")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """The rules of [delivery]; `hosts` and `networks` are let through whatever else is said."""

    allow_http: bool = False
    ports: frozenset[int] = frozenset({443, 8443})
    allow_private: bool = False
    hosts: frozenset[Host] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    only_loopback: bool = False
    """For the sandbox: nobody but this machine is called, at any port and by http, too."""

    @classmethod
    def of(cls, rules: Delivery, *, also: tuple[Host, ...] = (), only_loopback: bool = False) -> Self:
        """Return the reach that the configuration grants, and `also` these hosts."""
        networks = [text for text in rules.allowed_targets if "/" in text]
        hosts = [_host(text) for text in rules.allowed_targets if "/" not in text]
        return cls(
            allow_http=rules.allow_http,
            ports=frozenset(rules.allowed_ports),
            allow_private=rules.allow_private_targets,
            hosts=frozenset(hosts) | frozenset(also),
            networks=tuple(ip_network(text) for text in networks),
            only_loopback=only_loopback,
        )

    @property
    def depends_on_address(self) -> bool:
        """Whether a name can only be judged once its addresses are known."""
        return self.allow_private or self.only_loopback or bool(self.networks)

    def lists(self, host: str, port: int) -> bool:
        """Return whether the operator named this host, or this host and port."""
        return (host, None) in self.hosts or (host, port) in self.hosts

    def refusal_of_name(self, host: str, port: int, *, is_plain: bool) -> str | None:
        """Return what forbids a name whose addresses are not known yet; the rest is said on connecting."""
        if self.depends_on_address:
            return None
        if "." not in host or host.endswith(_PRIVATE_ZONES):
            return "names a host of a private network"
        return self._refusal_in_public(port, is_plain=is_plain)

    def refusal(self, address: str, port: int, *, is_plain: bool) -> str | None:
        """Return which rule forbids to connect to a literal address, or None; an unreadable one is forbidden."""
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return "is no IP address"
        if isinstance(ip, IPv6Address):
            ip = ip.ipv4_mapped or ip  # the one wrapping that the kernel itself takes off
        if any(ip in network for network in self.networks):
            return None
        if self.only_loopback:
            return None if ip.is_loopback else "is not on this machine, and the sandbox calls nobody else"
        if not is_public(ip):
            is_opened = self.allow_private and _is_private(ip)
            return None if is_opened else "leads to a private or reserved address"
        return self._refusal_in_public(port, is_plain=is_plain)

    def _refusal_in_public(self, port: int, *, is_plain: bool) -> str | None:
        if is_plain and not self.allow_http:
            return "is not https"
        if port not in self.ports:
            return f"names port {port}; allowed are {', '.join(map(str, sorted(self.ports)))}"
        return None


def is_public(ip: Ip) -> bool:
    """Return whether an address belongs to the internet at large, in whatever form it is wrapped.

    Source: IANA special-purpose registries; stricter where Python's own reading is looser.
    """
    if isinstance(ip, IPv4Address):
        is_ordinary = ip.is_global and not ip.is_multicast and not ip.is_reserved
        return is_ordinary and not any(ip in each for each in _DENIED_V4)
    inner = IPv4Address(int(ip) & 0xFFFF_FFFF)
    if ip.ipv4_mapped or ip in _NAT64:
        return is_public(inner)
    if int(ip) >> 32 & _ISATAP_BITS == _ISATAP and not is_public(inner):
        return False
    if ip.sixtofour:
        return is_public(ip.sixtofour)
    return ip in _GLOBAL_V6 and ip.is_global and not any(ip in each for each in _DENIED_V6)


def _is_private(ip: Ip) -> bool:
    return ip not in _METADATA and any(ip in network for network in _PRIVATE)


def _host(text: str) -> Host:
    """Read `host`, `host:port`, `[v6]:port` or a bare address; an address in the one spelling that is compared."""
    try:
        return str(ip_address(text.strip("[]"))), None
    except ValueError:
        name, colon, port = text.rpartition(":")
    if not colon:
        return text, None
    with suppress(ValueError):
        name = str(ip_address(name.strip("[]")))
    return name, int(port)
