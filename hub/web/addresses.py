"""Where a request comes from: the connection's peer, or what a trusted proxy says about it.

A proxy's headers are believed only where the connection itself comes from one of `proxy_addresses`; from anybody else they are
as if they had not been sent.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import hdrs, web

from hub.config import Config
from hub.errors import ConfigError
from hub.service.authenticate import certificate_from_header

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Networks:
    """Addresses and networks as a setting lists them."""

    def __init__(self, setting: str, texts: Iterable[str]) -> None:
        """Read the texts of a setting.

        Raises:
            ConfigError: one of them is neither an address nor a network.
        """
        try:
            self._networks: tuple[Network, ...] = tuple(ipaddress.ip_network(text, strict=False) for text in texts)
        except ValueError as e:
            raise ConfigError(f"{setting}: {e}; write an address or a network such as 10.1.0.0/16") from e
        self._holds = lru_cache(maxsize=4096)(self._look)

    def __contains__(self, address: str) -> bool:
        return bool(self._networks) and self._holds(address)

    def _look(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self._networks)


class Origins:
    """Tells what is known of a request's sender: its address, its certificate, and whether it came over TLS."""

    def __init__(self, config: Config) -> None:
        """Read the settings.

        Raises:
            ConfigError: `proxy_addresses` holds something that is no address.
        """
        self._proxies = Networks("proxy_addresses", config.proxy_addresses)
        self._certificate_header = config.proxy_certificate_header
        # Where nothing of the kind is set, a request need not be asked.
        self._behind_proxies = bool(config.proxy_addresses)
        self._takes_certificates = config.tls_client_ca_file is not None
        self._serves_tls = config.tls_cert_file is not None

    def address_of(self, request: web.Request) -> str:
        """Return the client's address: behind proxies, the last one in X-Forwarded-For that is no proxy of ours."""
        peer = request.remote or ""
        if not self._behind_proxies or peer not in self._proxies:
            return peer
        told = [part.strip() for header in request.headers.getall(hdrs.X_FORWARDED_FOR, ()) for part in header.split(",")]
        return next((address for address in reversed(told) if address and address not in self._proxies), peer)

    def certificate_of(self, request: web.Request) -> bytes | None:
        """Return the client's certificate (DER), verified by this process's TLS or by a trusted proxy; None where it showed none.

        Raises:
            Unauthenticated: the proxy passed on something that is no certificate.
        """
        if self._behind_proxies and (request.remote or "") in self._proxies:
            passed = request.headers.get(self._certificate_header)
            return certificate_from_header(passed) if passed else None
        if not self._takes_certificates:
            return None
        tls = request.get_extra_info("ssl_object")
        return tls.getpeercert(binary_form=True) if tls is not None else None

    def is_secure(self, request: web.Request) -> bool:
        """Whether the client speaks TLS, to this process or to a trusted proxy."""
        if self._behind_proxies and (request.remote or "") in self._proxies:
            return request.headers.get(hdrs.X_FORWARDED_PROTO, "").lower() == "https"
        return self._serves_tls and request.get_extra_info("ssl_object") is not None


ORIGINS = web.AppKey("origins", Origins)
