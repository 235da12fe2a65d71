"""Attestations: what the hub says, under its own signature, of who gave a version that it holds.

* They stand beside the version and are about d, so what members gave stays as they gave it. A rendition, which the hub writes itself, says
  the same inside, in what is signed (`hub.domain.anonymity`).
* A member is named only where everybody may know it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.domain.canonical import canonicalise
from hub.domain.ids import MemberId
from hub.domain.json import read_document
from hub.domain.signing.jws import sign_compact, verify_compact
from hub.domain.signing.keys import PublicKey, Signer
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid

_TYPE = "hub-attestation+jws"
_VERSION = 1
_DEPTH_MAX = 3


class Attested(StrEnum):
    """What the hub knows of who gave a version."""

    SIGNED = "signature-verified"  # the member's signature was verified when it came
    UNSIGNED = "unsigned-accepted"  # a member gave it, by its credential alone
    ANONYMOUS = "member-verified"  # a member gave it, that is not to be known
    OWN = "hub-own"  # the hub wrote it for itself


@dataclass(frozen=True, slots=True)
class Attestation:
    """A statement of the hub about a version."""

    hub: MemberId  # the hub's identity
    digest: bytes  # d
    object_id: str
    version: str  # TAXII's
    attested: Attested
    accepted_us: int
    member: MemberId | None = None  # None: not to be known, or no member
    kids: tuple[str, ...] = ()  # of the keys whose signatures were verified

    def sign(self, signer: Signer) -> str:
        """Return the statement as a compact JSON Web Signature."""
        said: dict[str, Any] = {
            "v": _VERSION, "hub": self.hub, "d": self.digest.hex(), "object": self.object_id, "version": self.version,
            "attestation": self.attested.value, "accepted_at": format_timestamp(self.accepted_us),
        }  # fmt: skip
        said |= {"member": self.member} if self.member is not None else {}
        said |= {"keys": list(self.kids)} if self.kids else {}
        return sign_compact(signer, canonicalise(said), typ=_TYPE)


def read_attestation(text: str, key: PublicKey) -> Mapping[str, Any]:
    """Return what a hub says of a version, verified with the hub's key; `d` says of which, in hex.

    Raises:
        Invalid: it is no attestation, or was not made with this key.
    """
    said = read_document(verify_compact(text.strip(), key, typ=_TYPE), depth_max=_DEPTH_MAX).value
    if not isinstance(said, Mapping) or said.get("v") != _VERSION or said.get("attestation") not in set(Attested):
        raise Invalid("not an attestation of a hub")
    return said
