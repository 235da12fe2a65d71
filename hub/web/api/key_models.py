"""The shapes of the JSON API that are about members' signing keys."""

from enum import StrEnum
from typing import Any

from pydantic import Field

from hub.domain.signing.jws import TEXT_CHARS_MAX
from hub.domain.signing.possession import CHALLENGE_CHARS_MAX
from hub.domain.signing.registered import KeyStatus
from hub.web.api.models import Given, Moment, Name, Reference, Shown

_JWK = Field(description="a public JSON Web Key (RFC 7517)")


class NewChallenge(Given):
    """A key that is to be registered."""

    jwk: dict[str, Any] = _JWK
    member: Reference | None = Field(None, description="slug or id of whose key it is to be; null is the asker's own member")


class KeyChallenge(Shown):
    """What the key has to sign."""

    challenge: str = Field(description="the text to sign: a detached JSON Web Signature over it is the proof, as `hub key prove` makes it")
    kid: str
    expires_at: Moment


class NewKey(Given):
    """A key to be registered, with the proof that its private part is at hand."""

    name: Name = Field(description="what it is for")
    jwk: dict[str, Any] = _JWK
    challenge: str = Field(max_length=CHALLENGE_CHARS_MAX)
    proof: str = Field(max_length=TEXT_CHARS_MAX)
    not_before: Moment | None = Field(None, description="from when on it is good; null is now")
    not_after: Moment | None = Field(None, description="until when; null is for good")


class KeyEnd(Given):
    """When a key ends."""

    at: Moment | None = Field(None, description="a moment to come; null is now")


class KeyCompromise(Given):
    """Since when a key may have been in other hands."""

    since: Moment


class SigningKey(Shown):
    """A member's key."""

    kid: str = Field(description="its thumbprint (RFC 7638)")
    member: str
    name: str
    algorithm: str
    status: KeyStatus
    registered_at: Moment
    not_before: Moment
    not_after: Moment | None
    revoked_at: Moment | None
    compromised_from: Moment | None
    jwk: dict[str, Any]


class Signed(StrEnum):
    """What a signature is on."""

    OBJECT = "object"
    MESSAGE = "message"  # that brought it, alone: who wrote the object is said by nothing but that


class SuspectVersion(Shown):
    """A version that a compromised key vouched for since then, or may have."""

    object: str
    version: str
    accepted_at: Moment
    signed: Signed | None = Field(description="what this key signed, the object or only the message that brought it; null where anonymous")
    anonymous: bool = Field(description="given anonymously since then: whose it is, and whether this key signed it, is not told")
