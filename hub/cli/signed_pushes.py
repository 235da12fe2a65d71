"""Signing what `hub push` sends (RFC 9421)."""

import secrets
import time
from typing import Any

import requests
from requests.auth import AuthBase

from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Request, normal_uri
from hub.domain.http_signature.push import sign_push
from hub.domain.signing.keys import Signer

_READING = frozenset({"GET", "HEAD", "OPTIONS"})


class SignedPushes(AuthBase):
    """Signs every request that changes something, beside what signs in."""

    def __init__(self, session: requests.Session, signer: Signer) -> None:
        """Take the place of what signs in."""
        self._signer = signer
        self._sign_in = session.auth
        session.auth = self

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Sign a request that is ready to be sent."""
        if isinstance(self._sign_in, AuthBase):
            request = self._sign_in(request)
        method = str(request.method)
        if method in _READING:
            return request
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        assert isinstance(body, bytes), "the client sends nothing that it has not read whole"
        if body:
            request.headers["Content-Digest"] = content_digest(body)
        message = Request(method, normal_uri(str(request.url)), lambda name: _lines(request.headers, name))
        nonce = secrets.token_urlsafe(16)
        request.headers.update(sign_push(message, self._signer, has_body=bool(body), nonce=nonce, now_s=int(time.time())))
        return request


def _lines(headers: Any, name: str) -> list[str]:
    return [headers[name]] if name in headers else []
