"""Answers of a TAXII server that are signed, so that a consumer need not trust the path (RFC 9421, RFC 9530).

- Each request asks for a signature with a nonce of its own. An answer from which something is taken has to carry one, by a key that the
  consumer knows, over this very request, and its body has to be the one that was signed.
- An answer that says that something failed is taken as it is: no data comes from it, and a proxy in between could not sign it.
"""

import ipaddress
import secrets
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.auth import AuthBase

from hub.domain.http_signature.answer import ACCEPT, require_signed, wanted
from hub.domain.http_signature.message import Answer, Lines, Request, normal_uri
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.registered import KeyStatus, Purpose
from hub.domain.signing.trusted import read_trusted
from hub.domain.unreached import tell_unreached
from hub.errors import HubError, Invalid, Unavailable

KEYS_BYTES_MAX = 1024 * 1024
_TIMEOUT_S = 30


class BadSignature(Unavailable):
    """An answer that should be signed is not, or was changed."""


class SignedAnswers(AuthBase):
    """Asks for signed answers beside what signs in, and refuses those that are not. Used by one thread at a time."""

    def __init__(self, session: requests.Session, keys: dict[str, PublicKey]) -> None:
        """Take the place of what signs in, and see every answer."""
        self._keys = keys
        self._sign_in = session.auth
        self._nonce = ""
        session.auth = self
        session.hooks["response"].insert(0, self._check)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Ask for a signature."""
        if isinstance(self._sign_in, AuthBase):
            request = self._sign_in(request)
        self._nonce = secrets.token_urlsafe(16)
        request.headers[ACCEPT] = wanted(self._nonce)
        request.headers["Accept-Encoding"] = "identity"  # what is signed is what was sent
        return request

    def _check(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        if answer.status_code >= 400:
            return
        body = answer.content
        sent = answer.request
        request = Request(str(sent.method), normal_uri(str(sent.url)), _lines(sent.headers))
        told = Answer(answer.status_code, _lines(answer.headers), request)
        try:
            require_signed(told, body, self._keys, nonce=self._nonce, now_s=int(time.time()))
        except HubError as e:
            raise BadSignature(f"the server's answer cannot be trusted: {e.detail}") from e


def load_keys(place: str, *, ca_file: str | None) -> dict[str, PublicKey]:
    """Return the keys with which a server signs its answers, by thumbprint.

    Args:
        place: a file with a JWK Set, or the https address of one; http only on this machine.
        ca_file: authorities to trust instead of the system's.
    Raises:
        Invalid: it is no such place, or what is there is no set of such keys.
        Unavailable: the address does not answer as it should.
    """
    url = urlsplit(place)
    if url.scheme not in ("https", "http"):
        try:
            return _answer_keys(Path(place).read_bytes())
        except OSError as e:
            raise Invalid(f"cannot read the keys in {place}: {e.strerror}") from e
    if url.scheme == "http" and not _is_here(url.hostname or ""):
        raise Invalid("keys are taken from a file, or over https: over http anybody on the path could put in others")
    try:
        with requests.get(place, timeout=_TIMEOUT_S, verify=ca_file or True, stream=True, allow_redirects=False) as answer:
            document = answer.raw.read(KEYS_BYTES_MAX, decode_content=True)
    except (requests.RequestException, OSError) as e:
        raise Unavailable(f"the keys at {place} cannot be fetched: {tell_unreached(e)}") from e
    if answer.status_code != 200:
        raise Unavailable(f"the keys at {place} cannot be fetched: it answered {answer.status_code}")
    return _answer_keys(document)


def _answer_keys(document: bytes) -> dict[str, PublicKey]:
    """Return those keys of a JWK Set that sign answers now: of a hub's own keys, one for something else does not."""
    listed = read_trusted([document]).items()
    keys = {kid: key.public for kid, key in listed if key.purpose in (None, Purpose.RESPONSE) and key.status == KeyStatus.ACTIVE}
    if not keys:
        raise Invalid("there is no key in the JWK Set that signs answers")
    return keys


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _lines(headers: Any) -> Lines:
    return lambda name: [headers[name]] if name in headers else []
