"""deploy/nginx.conf on a real nginx, in front of a server that tells what reached it: no client can put words in the proxy's mouth."""

import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CONF = Path(__file__).resolve().parents[2] / "deploy" / "nginx.conf"
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
FORGED = {
    "X-Client-Certificate": "forged",
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "gopher",
    "Forwarded": "for=203.0.113.9",
}

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A running nginx: where it listens, and the directory of its certificates."""

    url: str
    plain_url: str
    certificates: Path

    def tls(self, client: str | None = None) -> ssl.SSLContext:
        """Return what a client needs that shows the named certificate, or none."""
        context = ssl.create_default_context(cafile=self.certificates / "chain.pem")
        if client is not None:
            context.load_cert_chain(self.certificates / f"{client}.pem", self.certificates / f"{client}-key.pem")
        return context


def make_certificate(directory: Path, name: str, key_name: str, *, subject: str, san: bool = False) -> None:
    """Write a self-signed certificate, which is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    own_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder().subject_name(own_name).issuer_name(own_name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(now).not_valid_after(now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if san:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    (directory / name).write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (directory / key_name).write_bytes(pem)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def run_nginx(conf: Path, *arguments: str) -> None:
    """Start nginx, which returns when it listens and goes on in the background; or tell the running one to stop."""
    directory = conf.parent
    command = [str(NGINX), "-p", str(directory), "-e", str(directory / "error.log"), "-c", str(conf), *arguments]
    subprocess.run(command, check=True, capture_output=True)


async def tell(request: web.Request) -> web.Response:
    return web.json_response(dict(request.headers), headers={"Strict-Transport-Security": "max-age=1"})


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    make_certificate(tmp_path, "chain.pem", "key.pem", subject="localhost", san=True)
    make_certificate(tmp_path, "client-authorities.pem", "member-key.pem", subject="A member")
    shutil.copy(tmp_path / "client-authorities.pem", tmp_path / "member.pem")
    make_certificate(tmp_path, "stranger.pem", "stranger-key.pem", subject="A stranger")
    app = web.Application()
    app.router.add_get("/{path:.*}", tell)
    async with TestServer(app) as upstream:
        port, plain_port = free_port(), free_port()
        buffers = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        text = CONF.read_text()
        for pattern, replacement in [
            (r"listen \[::\]:\d+[^;]*;", ""),
            (r"listen 443 ", f"listen 127.0.0.1:{port} "),
            (r"listen 80 ", f"listen 127.0.0.1:{plain_port} "),
            (r"127\.0\.0\.1:8460", f"127.0.0.1:{upstream.port}"),
            (r"/etc/fusion-hub/tls|/var/log/nginx|/run(?=/nginx\.pid)", str(tmp_path)),
            (r"(?m)^http \{", "http {" + buffers),
        ]:
            text, count = re.subn(pattern, replacement, text)
            assert count, pattern
        conf = tmp_path / "nginx.conf"
        conf.write_text(text)
        run_nginx(conf)
        try:
            yield Proxy(f"https://localhost:{port}", f"http://localhost:{plain_port}", tmp_path)
        finally:
            run_nginx(conf, "-s", "stop")


async def test_forged_headers_do_not_pass(proxy: Proxy) -> None:
    async with ClientSession() as client, client.get(f"{proxy.url}/taxii2/", headers=FORGED, ssl=proxy.tls()) as answer:
        seen = await answer.json()
    assert "X-Client-Certificate" not in seen
    assert "Forwarded" not in seen
    assert (seen["X-Forwarded-For"], seen["X-Forwarded-Proto"]) == ("127.0.0.1", "https")


async def test_a_members_certificate_is_passed_in_place_of_a_forged_one(proxy: Proxy) -> None:
    async with ClientSession() as client, client.get(f"{proxy.url}/taxii2/", headers=FORGED, ssl=proxy.tls("member")) as answer:
        seen = await answer.json()
    passed = x509.load_pem_x509_certificate(unquote(seen["X-Client-Certificate"]).encode())
    assert passed == x509.load_pem_x509_certificate((proxy.certificates / "member.pem").read_bytes())


async def test_a_strangers_certificate_is_refused(proxy: Proxy) -> None:
    async with ClientSession() as client, client.get(f"{proxy.url}/taxii2/", ssl=proxy.tls("stranger")) as answer:
        assert answer.status == 400


async def test_plain_http_is_refused_and_not_redirected(proxy: Proxy) -> None:
    async with ClientSession() as client, client.get(f"{proxy.plain_url}/taxii2/", allow_redirects=False) as answer:
        assert answer.status == 403


async def test_metrics_are_not_published(proxy: Proxy) -> None:
    async with ClientSession() as client, client.get(f"{proxy.url}/metrics", ssl=proxy.tls()) as answer:
        assert answer.status == 404


async def test_strict_transport_security_is_said_once(proxy: Proxy) -> None:
    async with ClientSession() as client, client.get(f"{proxy.url}/taxii2/", ssl=proxy.tls()) as answer:
        assert answer.headers.getall("Strict-Transport-Security") == ["max-age=31536000"]
