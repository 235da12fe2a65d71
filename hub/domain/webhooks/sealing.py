"""Endpoints' secrets at rest: sealed under a key derived from the hub's own, each bound to its subscription.

Whoever reads the tables alone learns none of them, and a row copied into another subscription opens nothing.
"""

import json
import secrets
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from hub.domain.ids import SubscriptionId
from hub.domain.webhooks.subscription import Endpoint

_NONCE_BYTES = 12


def seal(secret: bytes, id: SubscriptionId, endpoint: Endpoint) -> bytes:
    """Return what of an endpoint is secret, for nobody but the hub: the signing keys, its headers and its client certificate."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    plain = json.dumps([endpoint.keys, endpoint.headers, endpoint.client_certificate]).encode()
    return nonce + _cipher(secret).encrypt(nonce, plain, id.encode())


def unseal(
    secret: bytes, id: SubscriptionId, sealed: bytes, *, url: str, ca: str | None, private_cidrs: tuple[str, ...]
) -> Endpoint:  # fmt: skip
    """Return the endpoint whose secrets `seal` sealed for this subscription."""
    keys, headers, certificate = json.loads(_cipher(secret).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], id.encode()))
    return Endpoint(url, tuple(keys), tuple((name, value) for name, value in headers), certificate, ca, private_cidrs)


@lru_cache(maxsize=8)
def _cipher(secret: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=b"hub: endpoints of webhooks").derive(secret))
