"""Where the hub may send to: the form of an address, and the networks behind it.

* The URL is judged when an endpoint is saved and again before each request. That alone proves little: a name can lead anywhere, and
  elsewhere the next moment. So `hub.outbound.egress` judges, with `may_connect`, the very address that a socket is about to connect to.
* What is not the public internet is closed. An administrator opens private networks to one endpoint; addresses at which clouds and hosts
  keep what is theirs alone stay closed to everyone.
* A name that is not found and an address that is closed are told in the same words: else the hub would answer questions about the
  network that it stands in.
"""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from yarl import URL

from hub.config import Config
from hub.errors import Invalid

REFUSED = "url: the address cannot be found, or is not one that the hub may send to"
URL_CHARS_MAX = 2_048
NETWORKS_MAX = 16  # that are opened to one endpoint

Network = IPv4Network | IPv6Network

# Beside what `is_global` knows: it calls multicast, 6to4 relays and some of the platforms' own addresses global.
_CLOSED_V4 = [
    IPv4Network(text)
    for text in ("0.0.0.0/8", "100.64.0.0/10", "168.63.129.16/32", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "224.0.0.0/3")
]
_UNICAST_V6 = IPv6Network("2000::/3")  # all that has been given out
# Of that: protocol assignments (Teredo among them), documentation, and 6to4, whose address holds another.
_CLOSED_V6 = [IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
_NAT64 = IPv6Network("64:ff9b::/96")  # the last four bytes are the IPv4 address that it leads to
# Never opened to anybody: link-local, multicast, and where clouds serve credentials to their machines.
_NEVER = [
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "100.100.100.200/32", "168.63.129.16/32", "169.254.0.0/16", "192.0.0.192/32", "224.0.0.0/3",
        "::/128", "fd00:ec2::254/128", "fd20:ce::254/128", "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip
_VISIBLE = re.compile(r"[!-~]+", re.ASCII)
_LOOKS_NUMERIC = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)\.?", re.IGNORECASE | re.ASCII)  # as the last label of a host: an IPv4 address


@dataclass(frozen=True, slots=True)
class Rules:
    """What addresses of endpoints may look like, by the hub's settings."""

    allow_http: bool = False
    ports: frozenset[int] = frozenset({443, 8443})  # none: any

    @classmethod
    def of(cls, config: Config) -> "Rules":
        """Return what the settings say."""
        return cls(config.webhooks_allow_http, frozenset(int(port) for port in config.webhooks_ports))


@lru_cache(maxsize=4_096)  # it is asked with each delivery, and an address that a name resolves to is none of its questions
def check_url(text: str, rules: Rules, opened: tuple[Network, ...] = ()) -> URL:
    """Return the URL of an endpoint, if the hub may send there as far as the URL tells.

    Args:
        opened: private networks that this endpoint may be in.
    Raises:
        Invalid: it is no such URL; `REFUSED` where it names an address that is closed.
    """
    if len(text) > URL_CHARS_MAX or not _VISIBLE.fullmatch(text) or "\\" in text:
        raise Invalid(f"url: at most {URL_CHARS_MAX} visible ASCII characters; write an international name in its xn-- form")
    try:
        url = URL(text)
        port, host = url.port, url.host  # a host in xn-- form is read only here
    except ValueError as e:
        raise Invalid("url: this is no URL") from e
    if url.scheme != "https" and not (rules.allow_http and url.scheme == "http"):
        raise Invalid("url: it begins with https://")
    if not host or "@" in _authority(text) or url.raw_fragment or text.endswith("#"):
        raise Invalid("url: a host is needed, and neither a username, a password nor a fragment is taken")
    if rules.ports and port not in rules.ports:
        raise Invalid(f"url: the port must be one of {', '.join(map(str, sorted(rules.ports)))}")
    _check_host(host, opened)
    return url


def _authority(text: str) -> str:
    return re.split("[/?#]", text.partition("://")[2], maxsplit=1)[0]


def _check_host(host: str, opened: Sequence[Network]) -> None:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2]
        # A name of this machine or this network, or an address in a spelling that only some programs read as one.
        if _LOOKS_NUMERIC.fullmatch(last) or (not opened and "." not in host.rstrip(".")):
            raise Invalid(REFUSED) from None
    else:
        if not may_connect(host, opened):
            raise Invalid(REFUSED)


def may_connect(address: str, opened: Sequence[Network] = ()) -> bool:
    """Whether the hub may connect to an IP address.

    Args:
        address: as a socket has it; one with a zone (`fe80::1%eth0`) is never taken.
        opened: networks that are closed to others and open here.
    """
    try:
        ip = _unwrapped(ipaddress.ip_address(address))
    except ValueError:
        return False
    if (isinstance(ip, IPv6Address) and ip.scope_id is not None) or any(ip in network for network in _NEVER):
        return False
    return any(ip in network for network in opened) or _is_public(ip)


@lru_cache(maxsize=4_096)
def networks_of(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """Return the networks that an administrator opens to one endpoint.

    Raises:
        Invalid: one is no network, holds addresses outside it, or there are too many.
    """
    if len(texts) > NETWORKS_MAX:
        raise Invalid(f"private_cidrs: at most {NETWORKS_MAX}")
    return tuple(_network(text) for text in texts)


def _network(text: str) -> Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as e:
        raise Invalid(f"private_cidrs: {text[:64]!r} is no network; write it like 10.20.0.0/16") from e
    if not _is_within(network, _PRIVATE):
        raise Invalid(f"private_cidrs: {text[:64]!r} is no private network; only those need to be opened")
    return network


_PRIVATE = [
    ipaddress.ip_network(text)
    for text in ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "::1/128", "fc00::/7")
]


def _is_within(network: Network, outer: Iterable[Network]) -> bool:
    return any(network.version == other.version and network.subnet_of(other) for other in outer)  # type: ignore[arg-type]


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in _NAT64:
            return IPv4Address(ip.packed[-4:])
    return ip


def _is_public(ip: IPv4Address | IPv6Address) -> bool:
    if isinstance(ip, IPv4Address):
        return ip.is_global and not any(ip in network for network in _CLOSED_V4)
    return ip.is_global and ip in _UNICAST_V6 and not any(ip in network for network in _CLOSED_V6)
