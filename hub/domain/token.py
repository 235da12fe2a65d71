"""API tokens: `hub_<environment>_<id>_<secret>_<check>`.

* The prefix lets secret scanners find tokens that leaked, and the check lets them, and the hub, tell a token from a typo.
* The id is public: it names the token in lists, logs and the audit trail.
* The secret is 32 random bytes, so a plain keyed hash of it is enough (ASVS 5.0, 6.5.2): nothing slow stands on the way of a poll.
"""

import hmac
import re
import secrets
import zlib
from dataclasses import dataclass, field

from hub.domain.ids import TokenId

LIVE, TEST = "live", "test"
SECRET_BYTES = 32
ID_CHARS = 12

_ID_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that is misread for something else
_TOKEN = re.compile(r"(hub_[a-z]{1,8}_([a-z0-9]{12})_([A-Za-z0-9_-]{43}))_([0-9a-f]{8})", re.ASCII)
_PREFIX = "hub_"


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as its holder has it."""

    id: TokenId
    secret: str = field(repr=False)


def new_token(environment: str) -> tuple[TokenText, str]:
    """Return a new token, and it whole as text, to be shown once. `environment` is `LIVE` or `TEST`."""
    token = TokenText(TokenId("".join(secrets.choice(_ID_ALPHABET) for _ in range(ID_CHARS))), secrets.token_urlsafe(SECRET_BYTES))
    body = f"{_PREFIX}{environment}_{token.id}_{token.secret}"
    return token, f"{body}_{_check(body)}"


def read_token(text: str) -> TokenText | None:
    """Return the token that `text` is, or None where it is none, or was cut or mistyped."""
    match = _TOKEN.fullmatch(text)
    if match is None or _check(match[1]) != match[4]:
        return None
    return TokenText(TokenId(match[2]), match[3])


def hash_secret(key: bytes, secret: str) -> bytes:
    """Return what the hub keeps of a token's secret: HMAC-SHA-256 under the hub's key."""
    return hmac.digest(key, b"token\0" + secret.encode("utf-8", "surrogateescape"), "sha256")


def _check(body: str) -> str:
    return f"{zlib.crc32(body.encode()):08x}"
