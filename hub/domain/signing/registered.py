"""Keys that are registered: the members' and the hub's own, and when each of them is good.

* A signature is judged by the moment at which the hub took what is signed, never by a time that the signer names.
* Revoked: good for what was taken before. Compromised: not good from that moment on, which may lie in the past; what was taken since, and
  before it was told, is suspect.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from hub.domain.ids import MemberId
from hub.domain.signing.keys import PublicKey
from hub.domain.timestamp import format_timestamp


class Purpose(StrEnum):
    """What a key of the hub's signs: one key for each, so that nothing signed for one can pass for another."""

    OBJECT = "object"  # objects and attestations in the hub's name
    BESIDE = "beside"  # the same objects once more, against quantum computers, where the settings say so
    LOG = "log"  # checkpoints of the transparency log
    RESPONSE = "response"  # answers over HTTP


class KeyStatus(StrEnum):
    """What a registered key is good for."""

    ACTIVE = "active"
    PENDING = "pending"  # not good yet
    EXPIRED = "expired"
    REVOKED = "revoked"
    COMPROMISED = "compromised"


@dataclass(frozen=True, slots=True)
class MemberKey:
    """A public key with which a member signs objects and messages."""

    public: PublicKey
    member: MemberId
    name: str  # what it is for, for people
    registered_us: int
    not_before_us: int
    not_after_us: int | None = None  # None: no end is set
    revoked_us: int | None = None  # from when on it is good no longer; None: not revoked
    compromised_from_us: int | None = None  # since when somebody else may have had it; None: nothing is known

    @property
    def kid(self) -> str:
        """The key's thumbprint."""
        return self.public.kid

    @property
    def ends_us(self) -> int | None:
        """The first moment from which it is good no longer, as far as is known; None: no end is set."""
        ends = [end for end in (self.not_after_us, self.revoked_us, self.compromised_from_us) if end is not None]
        return min(ends, default=None)

    def is_good_at(self, at_us: int) -> bool:
        """Whether a signature with it counts on what the hub takes at `at_us`."""
        return self.not_before_us <= at_us and (self.ends_us is None or at_us < self.ends_us)

    def is_suspect_at(self, at_us: int) -> bool:
        """Whether what the hub took at `at_us` may have been signed by somebody else."""
        return self.compromised_from_us is not None and at_us >= self.compromised_from_us

    def status_at(self, at_us: int) -> KeyStatus:
        """Return what it is good for."""
        if self.compromised_from_us is not None:
            return KeyStatus.COMPROMISED
        if self.revoked_us is not None and at_us >= self.revoked_us:
            return KeyStatus.REVOKED
        if at_us < self.not_before_us:
            return KeyStatus.PENDING
        return KeyStatus.ACTIVE if self.is_good_at(at_us) else KeyStatus.EXPIRED

    def jwk(self, at_us: int) -> dict[str, Any]:
        """Return the key as a JSON Web Key, with what the hub knows of it under `hub`."""
        times = {
            "not_before": self.not_before_us, "not_after": self.not_after_us, "revoked_at": self.revoked_us,
            "compromised_from": self.compromised_from_us,
        }  # fmt: skip
        told = {name: format_timestamp(us) for name, us in times.items() if us is not None}
        return {**self.public.jwk(), "hub": {"owner": self.member, "status": self.status_at(at_us).value, **told}}


OVERLAP_US = 86_400_000_000  # for which a key of the hub's stays good beside the one that takes its place: until each node has that


@dataclass(frozen=True, slots=True)
class HubKey:
    """A public key of the hub's own."""

    public: PublicKey
    purpose: Purpose
    since_us: int
    until_us: int | None = None  # until when nodes may sign with it, since another took its place; None: it is in use

    def jwk(self, owner: MemberId, at_us: int) -> dict[str, Any]:
        """Return the key as a JSON Web Key, with its status at a moment; `owner` is the hub's identity."""
        ended = {} if self.until_us is None else {"not_after": format_timestamp(self.until_us)}
        status = KeyStatus.ACTIVE if self.until_us is None or at_us < self.until_us else KeyStatus.EXPIRED
        told = {
            "owner": owner,
            "purpose": self.purpose.value,
            "status": status.value,
            "not_before": format_timestamp(self.since_us),
            **ended,
        }
        return {**self.public.jwk(), "hub": told}
