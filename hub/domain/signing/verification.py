"""Signatures at the door: who may have signed an object, and whether that is so.

* Keys are those that the producer registered, good at the moment at which the object is taken.
* One bad signature refuses the object, however good the others are.
* An object that names an author from elsewhere may carry signatures that nobody here can verify: they are kept, for those who can, and
  count for nothing here. They are never of a key that belongs to a member. Cyber-observables name no author, so theirs may be such, too.
* Who gave an object is attested by a hub, under its signature: a member may pass that on, and attests nothing itself.
* A post-quantum signature stands beside another one, as these algorithms are young.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.domain.ids import MemberId
from hub.domain.signing.extension import ATTESTATION_EXTENSION
from hub.domain.signing.jws import Signature
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.object_signature import signatures_of, signed_bytes
from hub.domain.signing.registered import MemberKey
from hub.domain.stix import StixObject
from hub.domain.stix_vocabulary import SCO_TYPES
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid


@dataclass(frozen=True, slots=True)
class Verified:
    """What an object's signatures come to."""

    kids: tuple[str, ...] = ()  # of the producer's keys that signed it
    warning: str | None = None  # about signatures that could not be verified


@dataclass(frozen=True, slots=True)
class Signed:
    """What of an object's signatures is still to be verified. That needs nothing else, and takes longer than all the rest of admission."""

    comes_to: Verified  # where all are good
    payload: bytes = b""
    own: tuple[tuple[Signature, PublicKey], ...] = ()  # that have to be the producer's, each with its key

    def verify(self) -> Verified:
        """Return whose signatures the object has.

        Raises:
            Invalid: one of them is bad.
        """
        for signature, key in self.own:
            if not signature.is_good(key, self.payload):
                raise Invalid(f"signature: it was not made with the key {key.kid} over this content")
        return self.comes_to


UNSIGNED = Signed(Verified())


@dataclass(frozen=True, slots=True)
class Verifier:
    """Reads the signatures on what one producer sends at one moment."""

    keys: Mapping[str, MemberKey]  # all members', by thumbprint
    producer: MemberId
    now_us: int

    def read(self, obj: StixObject) -> Signed:
        """Return what there is to verify of an object.

        Raises:
            Invalid: one of its signatures is of a key that may not sign it now, or what stands where signatures are is none.
        """
        if "extensions" not in obj.properties:
            return UNSIGNED
        signatures = signatures_of(obj.properties)
        if not signatures:
            _refuse_attestation(obj)
            return UNSIGNED
        own = [signature for signature in signatures if self._is_own(obj, signature)]
        keyed = tuple((signature, self._good_key(signature.kid).public) for signature in own)
        if own and all(signature.algorithm.is_post_quantum for signature in own):
            raise Invalid("signature: a post-quantum signature stands beside one of Ed25519 or ES256, never alone")
        kids = tuple(dict.fromkeys(signature.kid for signature in own))
        unknown = [signature.kid for signature in signatures if signature not in own]
        if not unknown:
            _refuse_attestation(obj)
        return Signed(Verified(kids, self._warning(obj, kids, unknown)), signed_bytes(obj.properties), keyed)

    def _warning(self, obj: StixObject, kids: Sequence[str], unknown: Sequence[str]) -> str | None:
        if unknown:
            return f"signature: nobody here can verify that of the key {', '.join(unknown)}; it is kept, and counts for nothing here"
        if kids and obj.created_by_ref not in {None, self.producer}:
            return f"signature: who verifies it will not take it, as the key {', '.join(kids)} is yours and the object names another author"
        return None

    def _is_own(self, obj: StixObject, signature: Signature) -> bool:
        """Whether a signature has to be the producer's: one of an unknown key may only be an author's from elsewhere."""
        may_be_anothers = obj.created_by_ref != self.producer and (obj.created_by_ref is not None or obj.type in SCO_TYPES)
        return signature.kid in self.keys or not may_be_anothers

    def _good_key(self, kid: str) -> MemberKey:
        key = self.keys.get(kid)
        if key is None or key.member != self.producer:
            raise Invalid(f"signature: the key {kid} is not registered as yours")
        if not key.is_good_at(self.now_us):
            since = "" if key.ends_us is None or self.now_us < key.ends_us else f" since {format_timestamp(key.ends_us)}"
            raise Invalid(f"signature: the key {kid} is {key.status_at(self.now_us)}{since}; sign with one that is good")
        return key


def _refuse_attestation(obj: StixObject) -> None:
    if any(id.lower() == ATTESTATION_EXTENSION for id in obj.properties["extensions"]):
        raise Invalid("attestation: only a hub attests who gave an object, under its own signature; leave that extension out")
