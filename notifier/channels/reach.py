"""Which addresses somebody may make us call: the rules, without the sockets."""

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

    def refusal_of_name(self, port: int, *, is_plain: bool) -> str | None:
        """Return what forbids a name whose addresses are not known yet; the rest is said on connecting."""
        return None if self.depends_on_address else self._refusal_in_public(port, is_plain=is_plain)

    def refusal(self, address: str, port: int, *, is_plain: bool) -> str | None:
        """Return which rule forbids to connect to a literal address, or None; an unreadable one is forbidden."""
        try:
            ip = ip_address(address.partition("%")[0])
        except ValueError:
            return "is no IP address"
        inner = _unwrapped(ip)
        if any(each in network for each in (ip, inner) for network in self.networks):
            return None
        if self.only_loopback:
            return None if inner.is_loopback else "is not on this machine, and the sandbox calls nobody else"
        if not is_public(ip):
            return None if self.allow_private else "leads to a private or reserved address"
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
    ip = _unwrapped(ip)
    if isinstance(ip, IPv6Address):
        return ip in _GLOBAL_V6 and ip.is_global and not any(ip in each for each in _DENIED_V6)
    is_ordinary = ip.is_global and not ip.is_multicast and not ip.is_reserved
    return is_ordinary and not any(ip in each for each in _DENIED_V4)


def _unwrapped(ip: Ip) -> Ip:
    """Return the IPv4 address inside of a mapped, 6to4 or NAT64 one. Teredo is never public, so needs none."""
    if isinstance(ip, IPv4Address):
        return ip
    if ip in _NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour or ip


def _host(text: str) -> Host:
    """Read `host`, `host:port`, `[v6]:port` or a bare address."""
    try:
        return str(ip_address(text.strip("[]"))), None
    except ValueError:
        name, colon, port = text.rpartition(":")
    if not colon:
        return text, None
    return name.strip("[]"), int(port)
