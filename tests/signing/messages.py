"""Requests that tests sign and change, and how another implementation looks at them."""

from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Request
from hub.domain.http_signature.push import find_signature, sign_push
from hub.domain.http_signature.signature import Signature
from hub.domain.signing.keys import Algorithm, PrivateKey

NOW_S = 1_795_000_000
BODY = b'{"objects":[]}'
URI = "https://hub.example.org/taxii2/hub/collections/c/objects/"
KEYS = {algorithm: PrivateKey.generate(algorithm) for algorithm in Algorithm}
KEY = KEYS[Algorithm.ED25519]


class Sent:
    """A request with header fields that a test may change."""

    def __init__(self, method: str = "POST", uri: str = URI, body: bytes = BODY) -> None:
        self.method, self.uri, self.body = method, uri, body
        self.fields = {"content-type": ["application/taxii+json;version=2.1"], "content-digest": [content_digest(body)]}

    @property
    def request(self) -> Request:
        return Request(self.method, self.uri, lambda name: self.fields.get(name.lower(), []))

    def put(self, **fields: str) -> "Sent":
        self.fields |= {name.replace("_", "-").lower(): [value] for name, value in fields.items()}
        return self

    def signed(self, key: PrivateKey = KEY, *, nonce: str = "n-1", now_s: int = NOW_S) -> "Sent":
        return self.put(**sign_push(self.request, key, has_body=bool(self.body), nonce=nonce, now_s=now_s))

    def change(self, old: str, new: str, field: str = "signature-input") -> "Sent":
        assert old in self.fields[field][0]
        return self.put(**{field: self.fields[field][0].replace(old, new)})

    def found(self) -> Signature:
        found = find_signature(self.request, has_body=bool(self.body))
        assert found is not None
        return found

    def is_good(self, key: PrivateKey = KEY) -> bool:
        return self.found().is_made_with(key.public, self.request)


class Plain:
    """A request as http-message-signatures looks at it."""

    def __init__(self, sent: Sent) -> None:
        self.method, self.url = sent.method, sent.uri
        self.headers = {name.title(): lines[0] for name, lines in sent.fields.items()}
