"""HTTPS and client certificates, from the hub itself and from a proxy in front of it."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest

from hub.config import Config
from hub.domain.member import Role
from hub.errors import ConfigError
from hub.serve import tls_context
from hub.service.administer import COMMAND_LINE
from hub.service.credentials import add_certificate, revoke_certificate
from tests.web.certificates import Authority, Pair
from tests.web.hubs import WITHIN_S, Running, running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def https(authority: Authority) -> dict[str, Any]:
    """Return the settings of a hub that serves HTTPS and takes the authority's client certificates."""
    server = authority.issue("server")
    return {"tls_cert_file": server.certificate, "tls_key_file": server.key, "tls_client_ca_file": authority.pair.certificate}


async def register(site: Running, client: Pair) -> str:
    certificate = await add_certificate(site.hub, COMMAND_LINE, member="energy", name="sensor", role=Role.READER, pem=client.pem)
    return certificate.spki_sha256


async def who(site: Running, tls: ssl.SSLContext | None = None, headers: Mapping[str, str] | None = None) -> int:
    """Ask with a new connection, and return the status."""
    async with aiohttp.ClientSession() as session, session.get(f"{site.url}/taxii2/", ssl=tls or False, headers=headers or {}) as answer:
        return answer.status


async def test_a_registered_certificate_is_a_credential_until_it_is_revoked(sqlite_url: str, authority: Authority):
    client = authority.issue("client")
    async with running(sqlite_url, **https(authority)) as site:
        assert site.url.startswith("https://")
        tls = authority.trusting(client)
        assert await who(site, tls) == 401
        spki = await register(site, client)
        assert await who(site, tls) == 200
        await revoke_certificate(site.hub, COMMAND_LINE, spki)
        assert await who(site, tls) == 401


async def test_https_works_without_a_client_certificate_too(sqlite_url: str, authority: Authority):
    async with running(sqlite_url, **https(authority)) as site:
        assert await who(site, authority.trusting()) == 401
        assert await who(site, authority.trusting(), site.bearer) == 200


async def test_a_certificate_of_another_authority_gets_no_connection(sqlite_url: str, authority: Authority, tmp_path: Path):
    stranger = Authority(tmp_path, "another").issue("stranger")
    async with running(sqlite_url, **https(authority)) as site:
        with pytest.raises(aiohttp.ClientError):
            await who(site, authority.trusting(stranger), site.bearer)


async def test_https_tells_browsers_to_stay_with_it(sqlite_url: str, authority: Authority):
    async with running(sqlite_url, **https(authority)) as site, site.session.get(f"{site.url}/healthz", ssl=authority.trusting()) as answer:
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


async def test_a_cipher_without_forward_secrecy_is_refused(sqlite_url: str, authority: Authority):
    async with running(sqlite_url, **https(authority)) as site:
        tls = authority.trusting()
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        assert await who(site, tls, site.bearer) == 200
        tls.set_ciphers("AES128-GCM-SHA256:AES128-SHA:ECDHE-ECDSA-AES128-SHA")
        with pytest.raises(aiohttp.ClientError):
            await who(site, tls, site.bearer)


async def test_a_handshake_that_does_not_come_is_cut_off(sqlite_url: str, authority: Authority):
    async with running(sqlite_url, headers_timeout_s=1, **https(authority)) as site:
        assert await site.raw(b"\x16\x03\x01") == b""
        assert await who(site, authority.trusting(), site.bearer) == 200


async def test_plain_http_on_the_port_of_https_harms_nobody(sqlite_url: str, authority: Authority):
    async with running(sqlite_url, **https(authority)) as site:
        reader, writer = await site.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n")
        async with asyncio.timeout(WITHIN_S):
            assert not (await reader.read()).startswith(b"HTTP")
        writer.close()
        assert await who(site, authority.trusting(), site.bearer) == 200


@pytest.mark.parametrize(("proxies", "status"), [(("127.0.0.1",), 200), (("127.0.0.0/8",), 200), (("192.0.2.1",), 401), ((), 401)])
async def test_a_certificate_that_a_proxy_passes_counts_from_that_proxy_only(
    sqlite_url: str, authority: Authority, proxies: tuple[str, ...], status: int
):
    client = authority.issue("client")
    async with running(sqlite_url, proxy_addresses=proxies) as site:
        await register(site, client)
        assert await who(site, headers={"X-Client-Certificate": quote(client.pem)}) == status


async def test_a_proxy_that_passes_no_certificate_makes_nobody_known(sqlite_url: str):
    async with running(sqlite_url, proxy_addresses=("127.0.0.1",)) as site:
        for passed in ("", "(null)", "-----BEGIN%20CERTIFICATE-----%0Ano%0A-----END%20CERTIFICATE-----%0A", "%ff%00"):
            assert await who(site, headers={"X-Client-Certificate": passed}) == 401
        assert await who(site, headers={"X-Client-Certificate": "", **site.bearer}) == 200


@pytest.mark.parametrize(("proxies", "told"), [(("127.0.0.1",), "max-age=31536000"), ((), None)])
async def test_that_a_client_came_over_tls_is_believed_from_a_proxy_only(sqlite_url: str, proxies: tuple[str, ...], told: str | None):
    async with (
        running(sqlite_url, proxy_addresses=proxies) as site,
        site.session.get(f"{site.url}/healthz", headers={"X-Forwarded-Proto": "https"}) as answer,
    ):
        assert answer.headers.get("Strict-Transport-Security") == told


@pytest.mark.parametrize("broken", ["tls_cert_file", "tls_key_file", "tls_client_ca_file"])
def test_tls_files_that_cannot_be_used_are_told_by_their_setting(authority: Authority, tmp_path: Path, broken: str):
    assert tls_context(Config(**https(authority))) is not None
    for wrong in (tmp_path / "absent", tmp_path / "rubbish"):
        (tmp_path / "rubbish").write_text("rubbish")
        with pytest.raises(ConfigError, match=broken):
            tls_context(Config(**{**https(authority), broken: wrong}))


def test_a_key_of_another_certificate_is_told(authority: Authority):
    with pytest.raises(ConfigError, match="tls_key_file"):
        tls_context(Config(**{**https(authority), "tls_key_file": authority.issue("other").key}))


async def test_proxy_addresses_that_are_none_are_told(sqlite_url: str):
    with pytest.raises(ConfigError, match=r"proxy_addresses: .*; write an address or a network"):
        async with running(sqlite_url, proxy_addresses=("proxy.example",)):
            pass
