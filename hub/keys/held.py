"""The hub's own keys, one for each purpose, as a hub at work holds them."""

from dataclasses import dataclass

from hub.domain.signing.keys import Algorithm, PrivateKey, Signer
from hub.domain.signing.registered import Purpose


@dataclass(frozen=True, slots=True)
class HubKeys:
    """What signs in the hub's name."""

    object: Signer  # objects and attestations
    log: Signer  # checkpoints of the transparency log; Ed25519
    response: Signer  # answers over HTTP
    beside: Signer | None = None  # the same objects once more, with a post-quantum algorithm; None: not wanted

    @property
    def for_objects(self) -> tuple[Signer, ...]:
        """All that sign an object of the hub's."""
        return (self.object,) if self.beside is None else (self.object, self.beside)

    @property
    def kids(self) -> dict[Purpose, str]:
        """Their thumbprints."""
        signers = {Purpose.OBJECT: self.object, Purpose.LOG: self.log, Purpose.RESPONSE: self.response, Purpose.BESIDE: self.beside}
        return {purpose: signer.public.kid for purpose, signer in signers.items() if signer is not None}

    @classmethod
    def generate(cls, beside: Algorithm | None = None) -> "HubKeys":
        """Return new keys that are kept nowhere."""
        second = PrivateKey.generate(beside) if beside is not None else None
        return cls(PrivateKey.generate(), PrivateKey.generate(), PrivateKey.generate(), second)

    @classmethod
    def of(cls, signers: dict[Purpose, Signer]) -> "HubKeys":
        """Return the keys of all purposes together."""
        return cls(signers[Purpose.OBJECT], signers[Purpose.LOG], signers[Purpose.RESPONSE], signers.get(Purpose.BESIDE))
