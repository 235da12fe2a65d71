"""Proof that who registers a key holds its private part: the key signs a challenge of this hub, for this member.

The challenge needs no memory: it says what it is for and until when, under a seal that only the hub can make. Used twice it registers
nothing twice, as a key is registered once.
"""

import hmac
from dataclasses import dataclass

from hub.domain.canonical import canonicalise
from hub.domain.ids import MemberId
from hub.domain.json import read_document
from hub.domain.signing.base64url import decode, encode
from hub.domain.signing.jws import read_detached, sign_detached
from hub.domain.signing.keys import PublicKey, Signer
from hub.errors import Invalid

CHALLENGE_S = 24 * 3600  # the key may be in another building
CHALLENGE_CHARS_MAX = 1_000

_TYPE = "hub-key-proof+jws"
_DEPTH_MAX = 2


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a key is to sign so that it can be registered."""

    hub: MemberId  # the hub's identity
    member: MemberId  # for whom
    kid: str
    expires_us: int

    def text(self, secret: bytes) -> str:
        """Return the challenge as it is handed out."""
        said = canonicalise({"hub": self.hub, "member": self.member, "kid": self.kid, "expires_us": self.expires_us})
        return f"{encode(said)}.{encode(_seal(secret, said))}"

    @classmethod
    def of(cls, text: str, secret: bytes) -> "Challenge":
        """Read a challenge that this hub handed out.

        Raises:
            Invalid: it did not.
        """
        try:
            said, seal = (decode(part) for part in text.split("."))
        except (Invalid, ValueError) as e:
            raise Invalid("challenge: not one of this hub's") from e
        if not hmac.compare_digest(seal, _seal(secret, said)):
            raise Invalid("challenge: not one of this hub's")
        return cls(**read_document(said, depth_max=_DEPTH_MAX).value)


def prove(signer: Signer, challenge: str) -> str:
    """Return the proof that the signer answers a challenge with."""
    return sign_detached(signer, challenge.encode(), typ=_TYPE)


def require_proof(key: PublicKey, challenge: str, proof: str) -> None:
    """Refuse a proof that was not made with this key over this challenge.

    Raises:
        Invalid: it was not.
    """
    try:
        is_good = read_detached(proof, typ=_TYPE).is_good(key, challenge.encode())
    except Invalid as e:
        raise Invalid(f"proof: {e.detail}") from e
    if not is_good:
        raise Invalid("proof: it was not made with this key over this challenge")


def _seal(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(secret, b"fusion-hub key challenge\0" + said, "sha256")
