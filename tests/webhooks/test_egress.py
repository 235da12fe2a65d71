"""Where webhooks may not go: none of the hostile addresses reaches what it names, be it judged by its text or at the socket alone.

What they name are real sockets on this machine, which count every connection. Names lead wherever the test's resolver says, also
elsewhere from one moment to the next.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given, settings
from hypothesis import strategies as st
from yarl import URL

from hub.domain.ids import DeliveryId
from hub.domain.webhooks.delivery import Attempt, Message
from hub.domain.webhooks.signature import SharedSecret
from hub.domain.webhooks.subscription import Endpoint
from hub.errors import Invalid
from hub.outbound.egress import Egress
from hub.outbound.resolver import THREADS_MAX, NameResolver
from hub.outbound.sender import Sender
from hub.outbound.target import REFUSED, Rules, check_url, may_connect, networks_of
from tests.data import find_data
from tests.sim.webhook_receiver import WITHIN_S, Answer, Receiver
from tests.web.certificates import Authority

NOW_US = 1_795_253_400_000_000
SECRET = SharedSecret(b"s" * 32).text()
LOOPBACK = ("127.0.0.0/8", "::1/128")
ANYTHING = Rules(allow_http=True, ports=frozenset())  # so that only addresses are judged
MESSAGE = Message(DeliveryId("0a4ae6e4-2f0b-5b8e-9d3c-6a1f7c7a0c11"), b'{"a":1}', "application/json")

# PORT stands for that of the sockets that nobody may reach.
HOSTILE = """
http://127.0.0.1:PORT/ http://127.1:PORT/ http://127.0.1:PORT/ http://127.127.127.127:PORT/ http://127.0.0.0:PORT/ http://0:PORT/
http://0.0.0.0:PORT/ http://2130706433:PORT/ http://017700000001:PORT/ http://0177.0.0.1:PORT/ http://0x7f000001:PORT/ http://0x7f.1:PORT/
http://0x7f.0x0.0x0.0x1:PORT/ http://127.0.0.1.:PORT/ http://127.0.0.1%2e:PORT/ http://%31%32%37.0.0.1:PORT/ http://[::1]:PORT/
http://[::]:PORT/ http://[0000::1]:PORT/ http://[0:0:0:0:0:0:0:1]:PORT/ http://[::ffff:127.0.0.1]:PORT/ http://[::ffff:7f00:1]:PORT/
http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/ http://[::127.0.0.1]:PORT/ http://[::7f00:1]:PORT/ http://[64:ff9b::7f00:1]:PORT/
http://[64:ff9b::127.0.0.1]:PORT/ http://[64:ff9b:1::7f00:1]:PORT/ http://[2002:7f00:1::]:PORT/ http://[2001:0:7f00:1::]:PORT/
http://[fe80::1%25lo]:PORT/ http://[fe80::1]:PORT/ http://[fec0::1]:PORT/ http://[fc00::1]:PORT/ http://[fd00:ec2::254]:PORT/
http://[ff02::1]:PORT/ http://[3fff::1]:PORT/ http://[5f00::1]:PORT/ http://[2001:db8::1]:PORT/ http://localhost:PORT/ http://LOCALHOST:PORT/
http://localhost.:PORT/ http://ip6-localhost:PORT/ http://ip6-loopback:PORT/ http://localtest.me:PORT/ http://127.0.0.1.nip.io:PORT/
http://rebinding.example:PORT/ http://169.254.169.254:PORT/latest/meta-data/ http://169.254.170.2:PORT/ http://2852039166:PORT/
http://0xa9fea9fe:PORT/ http://metadata.google.internal:PORT/ http://168.63.129.16:PORT/ http://100.100.100.200:PORT/ http://192.0.0.192:PORT/
http://192.0.0.8:PORT/ http://192.88.99.1:PORT/ http://10.0.0.1:PORT/ http://172.16.0.1:PORT/ http://192.168.0.1:PORT/ http://100.64.0.1:PORT/
http://198.18.0.1:PORT/ http://224.0.0.1:PORT/ http://255.255.255.255:PORT/ http://240.0.0.1:PORT/ http://192.0.2.1:PORT/
http://user@127.0.0.1:PORT/ http://127.0.0.1:PORT@good.example/ http://good.example@127.0.0.1:PORT/ http://127.0.0.1:PORT\\@good.example/
http://good.example#@127.0.0.1:PORT/ http://127.0.0.1:PORT#@good.example/ http://127.1.1.1:PORT:@@127.2.2.2:PORT/ http:127.0.0.1:PORT/
http:///127.0.0.1:PORT/ http://\u2460\u2461\u2466.0.0.1:PORT/ http://127\u30020\u30020\u30021:PORT/ http://\uff11\uff12\uff17.0.0.1:PORT/
http://\u24db\u24de\u24d2\u24d0\u24db\u24d7\u24de\u24e2\u24e3:PORT/ http://127.0.0.1:PORT\t/ http://[::1]:PORT\r\nHost:x/
//127.0.0.1:PORT/ 127.0.0.1:PORT
ftp://127.0.0.1:PORT/ file:///etc/passwd gopher://127.0.0.1:PORT/_ dict://127.0.0.1:PORT/d ldap://127.0.0.1:PORT/ jar:http://127.0.0.1:PORT!/
unix:///var/run/docker.sock ws://127.0.0.1:PORT/ data:text/plain,x
""".replace("\t", "%TAB").replace("\r\n", "%CRLF").split()  # fmt: skip


NAMED = ("https://absent.example/", "https://internal.example/")
WRITTEN = ("https://10.0.0.1/", "https://localhost/", "https://2130706433/", "https://[::1]/")


class Leading(AbstractResolver):
    """Leads every name to the next of some addresses, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        assert family == socket.AF_UNSPEC
        found = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=socket.AF_INET6 if ":" in address else socket.AF_INET, proto=0, flags=0
            )
            for address in found
        ]

    async def close(self) -> None: ...


@contextlib.asynccontextmanager
async def going_out(*, resolver: AbstractResolver | None = None, rules: Rules = ANYTHING) -> AsyncIterator[Egress]:
    egress = Egress(rules, resolver=resolver)
    try:
        yield egress
    finally:
        await egress.close()


@contextlib.asynccontextmanager
async def sending(*answers: Sequence[str]) -> AsyncIterator[Sender]:
    async with going_out(resolver=Leading(*answers) if answers else None) as egress:
        yield Sender(egress)


@contextlib.asynccontextmanager
async def guarded() -> AsyncIterator[list[Receiver]]:
    """What nobody may reach: a server on each loopback address, at one port."""
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(Receiver().serving())
        others = [await stack.enter_async_context(Receiver().serving(host=host, port=first.port)) for host in ("127.0.0.2", "::1")]
        yield [first, *others]


def _endpoint(url: str, *opened: str) -> Endpoint:
    return Endpoint(url, (SECRET,), private_cidrs=opened)


def _hostile(port: int) -> list[str]:
    return [text.replace("PORT", str(port)).replace("%TAB", "\t").replace("%CRLF", "\r\n") for text in HOSTILE]


async def test_no_hostile_address_reaches_what_it_names():
    async with guarded() as receivers, sending(["127.0.0.1", "::1"]) as sender:
        urls = _hostile(receivers[0].port)
        assert len(urls) >= 90
        for url in urls:
            attempt = await sender.send(_endpoint(url), MESSAGE, now_us=NOW_US)
            assert attempt.status is None, url
            assert attempt.error is not None, url
            assert attempt.error.startswith("url: "), url
        assert [receiver.connections for receiver in receivers] == [0, 0, 0]
        control = _endpoint(receivers[0].url.replace("127.0.0.1", "some.example"), *LOOPBACK)
        assert (await sender.send(control, MESSAGE, now_us=NOW_US)).status == 200  # so what did not come could have come


async def test_the_socket_alone_stops_them_all():
    """Whatever becomes of the check of texts: a session given out connects to nothing that is closed."""
    resolver = Leading(["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    async with guarded() as receivers, going_out(resolver=resolver) as egress:
        tried = [text for text in _hostile(receivers[0].port) if text.startswith("http")]
        assert len(tried) > 80
        for text in tried:
            async with await egress.session(_endpoint(text)) as session:
                with pytest.raises((aiohttp.ClientError, ValueError)):
                    await session.post(text, data=b"x", allow_redirects=False)
        assert [receiver.connections for receiver in receivers] == [0, 0, 0]


async def test_the_public_list_of_hostile_addresses_reaches_nothing():
    text = (find_data("vectors/ssrf") / "ssrf-readme.md").read_text()
    urls = re.findall(r"\b[a-z]{2,6}:(?://)?[^\s`\"'<>|)]+", "\n".join(re.findall(r"```powershell\n(.*?)```", text, re.DOTALL)))
    assert len(urls) > 40
    async with guarded() as receivers, sending(["127.0.0.1", "::1"]) as sender:
        for url in urls:
            for sent in (url, _at_port(url, receivers[0].port)):
                attempt = await sender.send(_endpoint(sent), MESSAGE, now_us=NOW_US)
                assert attempt.status is None, sent
        assert [receiver.connections for receiver in receivers] == [0, 0, 0]


def _at_port(url: str, port: int) -> str:
    try:
        return str(URL(url).with_port(port))
    except ValueError:
        return url


async def test_a_name_that_turns_elsewhere_after_it_was_good_is_refused():
    async with guarded() as receivers, sending(["127.0.0.2"], ["127.0.0.1"]) as sender:
        receivers[1].answers.append(Answer(headers={"Connection": "close"}))
        endpoint = _endpoint(f"http://rebinding.example:{receivers[0].port}/", "127.0.0.2/32")
        assert (await sender.send(endpoint, MESSAGE, now_us=NOW_US)).status == 200
        assert (await sender.send(endpoint, MESSAGE, now_us=NOW_US)).error == REFUSED
        assert [receiver.connections for receiver in receivers] == [0, 1, 0]


async def test_of_several_addresses_only_those_that_are_open_are_tried():
    async with guarded() as receivers, sending(["127.0.0.1", "::1", "127.0.0.2"]) as sender:
        endpoint = _endpoint(f"http://several.example:{receivers[0].port}/", "127.0.0.2/32")
        assert (await sender.send(endpoint, MESSAGE, now_us=NOW_US)).status == 200
        assert [receiver.connections for receiver in receivers] == [0, 1, 0]


async def test_what_is_opened_for_one_endpoint_is_closed_for_others():
    async with guarded() as receivers, sending(["127.0.0.1"]) as sender:
        url = f"http://shared.example:{receivers[0].port}/"
        assert (await sender.send(_endpoint(url, *LOOPBACK), MESSAGE, now_us=NOW_US)).status == 200  # its connection stays open
        assert (await sender.send(_endpoint(url), MESSAGE, now_us=NOW_US)).error == REFUSED
        assert receivers[0].connections == 1


async def test_a_closed_address_and_a_name_that_is_not_found_are_told_alike():
    class Finding(Leading):
        async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
            if host == "absent.example":
                raise OSError(None, "no such name")
            return await super().resolve(host, port, family)

    async with going_out(resolver=Finding(["10.0.0.1"]), rules=Rules()) as egress:
        told = {url: (await Sender(egress).send(_endpoint(url), MESSAGE, now_us=NOW_US)).error for url in NAMED + WRITTEN}
    assert set(told.values()) == {REFUSED}


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700:4700::1111", "2620:fe::fe", "223.255.255.254"]
)
def test_the_public_internet_is_open(address: str):
    assert may_connect(address)


@pytest.mark.parametrize(
    "address",
    [
        "224.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:0808:0808::", "fec0::1", "3fff::1", "5f00::1", "192.88.99.1",
        "192.0.0.8", "168.63.129.16", "::ffff:10.0.0.1", "100.64.0.1", "2001:20::1", "fe80::1%eth0", "2606:4700::1111%eth0", "::", "text",
    ],
)  # fmt: skip
def test_what_looks_public_to_the_library_and_is_not_is_closed(address: str):
    assert not may_connect(address)


@settings(max_examples=400, deadline=None)
@given(ip=st.ip_addresses())
def test_nothing_that_the_library_calls_private_is_open_and_an_address_is_the_same_in_each_of_its_forms(ip: IPv4Address | IPv6Address):
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_link_local:
        stands_for_another = ip in IPv6Network("64:ff9b::/96") or ip in IPv6Network("::ffff:0:0/96")
        assert stands_for_another or not may_connect(str(ip))
    if isinstance(ip, IPv4Address):
        forms = [str(ip), f"::ffff:{ip}", str(IPv6Address(int(IPv6Address("64:ff9b::")) + int(ip)))]
        assert len({may_connect(form) for form in forms}) == 1
        assert not may_connect(str(IPv6Address((0x2002 << 112) + (int(ip) << 80))))  # 6to4


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "0.0.0.0", "fe80::1", "100.100.100.200"])
def test_where_clouds_keep_credentials_is_closed_to_everyone(address: str):
    assert not may_connect(address, networks_of(("100.64.0.0/10", "fc00::/7", "10.0.0.0/8")))


@pytest.mark.parametrize(
    "network", ["0.0.0.0/0", "8.8.8.0/24", "169.254.0.0/16", "::/0", "10.0.0.1/8", "10.0.0.0/7", "text", "224.0.0.0/4"]
)
def test_only_private_networks_are_opened(network: str):
    with pytest.raises(Invalid, match="private_cidrs"):
        networks_of((network,))


def test_private_networks_are_opened_to_the_last_address():
    opened = networks_of(("10.20.0.0/16", "fd12::/16"))
    assert [may_connect(ip, opened) for ip in ("10.20.0.0", "10.20.255.255", "::ffff:10.20.0.1", "fd12::1", "8.8.8.8")] == [True] * 5
    assert [may_connect(ip, opened) for ip in ("10.19.255.255", "10.21.0.0", "fd13::1", "127.0.0.1")] == [False] * 4
    with pytest.raises(Invalid, match="at most 16"):
        networks_of(tuple(f"10.{n}.0.0/16" for n in range(17)))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://hooks.example.org/", "https://"), ("https://hooks.example.org:444/", "the port must be one of 443, 8443"),
        ("https://hooks.example.org:0/", "the port"), ("https://u:p@hooks.example.org/", "username"),
        ("https://@hooks.example.org/", "username"),
        ("https://hooks.example.org/#x", "fragment"), ("https:///x", "host"), ("https://hooks.example.org:99999/", "no URL"),
        ("https://xn--127-0-0-1.example/", "no URL"), ("https://xn--a.example/", "no URL"), ("https://xn--1ug66c.ws/", "no URL"),
        ("https://h\u00f6oks.example.org/", "xn--"), ("https://hooks.example.org/" + "x" * 2048, "2048"), ("https://intranet/", REFUSED),
        ("https://hooks.example.org/ x", "visible"), ("", "visible"),
    ],
    ids=lambda text: text[:40],
)  # fmt: skip
def test_an_address_of_another_form_is_refused_with_what_to_mend(url: str, reason: str):
    with pytest.raises(Invalid, match=re.escape(reason)):
        check_url(url, Rules())


@pytest.mark.parametrize(
    "url", ["https://hooks.example.org/a/b?c=d", "https://hooks.example.org:8443", "https://xn--hoks-5qa.example.org./", "https://8.8.8.8/"]
)
def test_an_address_of_the_right_form_is_taken(url: str):
    assert check_url(url, Rules()).scheme == "https"


async def test_the_environments_proxies_do_not_count(monkeypatch: pytest.MonkeyPatch):
    async with guarded() as receivers, sending() as sender:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, receivers[1].url)
        assert (await sender.send(_endpoint(receivers[0].url, *LOOPBACK), MESSAGE, now_us=NOW_US)).status == 200
        assert [receiver.connections for receiver in receivers] == [1, 0, 0]


async def test_an_endpoint_is_known_by_its_own_authority_and_the_hub_by_its_certificate(tmp_path: Path):
    authority = Authority(tmp_path)
    server, client = authority.issue("server"), authority.issue("client")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.pair.certificate)
    tls.load_cert_chain(server.certificate, server.key)
    tls.verify_mode = ssl.CERT_REQUIRED
    async with Receiver().serving(tls=tls) as receiver, sending() as sender:
        certificate = client.pem + client.key.read_text()
        ca = f"# Főtanúsítvány\n{authority.pair.pem}"
        endpoint = replace(_endpoint(receiver.url, *LOOPBACK), ca=ca, client_certificate=certificate)
        assert (await sender.send(endpoint, MESSAGE, now_us=NOW_US)).status == 200
        unknown = await sender.send(replace(endpoint, ca=None), MESSAGE, now_us=NOW_US)
        assert unknown.error == "its certificate is not one that the hub trusts for this address"
        assert (await sender.send(replace(endpoint, client_certificate=None), MESSAGE, now_us=NOW_US)).status is None
        wrong = (({"ca": "text"}, "ca: "), ({"ca": "¿"}, "ca: "), ({"client_certificate": client.pem}, "client_certificate: "))
        for broken, named in wrong:
            error = (await sender.send(replace(endpoint, **broken), MESSAGE, now_us=NOW_US)).error
            assert error is not None
            assert error.startswith(named)
        assert len(receiver.received) == 1


async def test_a_name_server_that_keeps_silent_holds_up_its_own_names_only():
    silent, asked = threading.Event(), []

    def look_up(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        if host.startswith("silent"):
            silent.wait(WITHIN_S)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async with Receiver().serving() as receiver, going_out(resolver=NameResolver(look_up)) as egress:
        sender = Sender(egress)

        def send(name: str) -> asyncio.Task[Attempt]:
            endpoint = _endpoint(f"http://{name}.example:{receiver.port}/", *LOOPBACK)
            return asyncio.create_task(sender.send(endpoint, MESSAGE, now_us=NOW_US))

        waiting = [send(f"silent{n % (THREADS_MAX - 1)}") for n in range(2 * THREADS_MAX)]
        async with asyncio.timeout(WITHIN_S):
            assert (await send("healthy")).status == 200
            assert await asyncio.to_thread(lambda: "the common threads are free") == "the common threads are free"
            waiting[0].cancel()  # gives up, and spoils nothing for who waits for the same name
            silent.set()
            assert {attempt.status for attempt in await asyncio.gather(*waiting[1:])} == {200}
        assert len(asked) == THREADS_MAX


async def test_the_systems_resolver_is_asked_and_told_from_what_is_no_name():
    async with going_out() as egress:
        endpoint = _endpoint("http://localhost:1/", *LOOPBACK)
        assert (await Sender(egress).send(endpoint, MESSAGE, now_us=NOW_US)).error == "no connection could be made"
    resolver = NameResolver()
    with pytest.raises(OSError, match="no name can be so"):
        await resolver.resolve("x" * 64)
    await resolver.close()
