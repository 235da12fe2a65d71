"""Signatures of HTTP messages: reading them, what they are made over, making and verifying them (RFC 9421 §2.5, §3, §4).

* What a message says of its signatures is read strictly: all of it is understood, or the message is refused.
* What must be covered, how old a signature may be and whose key counts is not decided here: see `push` and `answer`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hub.domain.http_signature.fields import read_dictionary, write_dictionary, write_parameters
from hub.domain.http_signature.message import Component, Message
from hub.domain.signing.keys import Algorithm, PublicKey, Signer
from hub.errors import NotUnderstood

INPUT, VALUE = "Signature-Input", "Signature"
SIGNATURES_MAX = 8
COVERED_MAX = 32
NONCE_MAX = 256

# As RFC 9421 §6.2.2 and, for ML-DSA, C2SP's httpsig-pq write the names of what `Algorithm` lists.
ALGORITHMS: Mapping[Algorithm, str] = {
    Algorithm.ED25519: "ed25519",
    Algorithm.ES256: "ecdsa-p256-sha256",
    Algorithm.ML_DSA_44: "ml-dsa-44",
    Algorithm.ML_DSA_65: "ml-dsa-65",
}
_PARAMETERS = {"created": int, "expires": int, "nonce": str, "alg": str, "keyid": str, "tag": str}


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature, and what it says of itself: nothing of that is true before it is verified."""

    label: str
    covered: tuple[Component, ...]
    parameters: Mapping[str, int | str]
    value: bytes

    @property
    def created_s(self) -> int | None:
        """When it was made, in seconds since the epoch."""
        return self._number("created")

    @property
    def expires_s(self) -> int | None:
        """The last second at which it is to be taken; None: its age alone counts."""
        return self._number("expires")

    def text(self, parameter: str) -> str:
        """Return the parameter `nonce`, `alg`, `keyid` or `tag`; empty where it is not given."""
        return str(self.parameters.get(parameter, ""))

    def lacks(self, components: Iterable[Component]) -> list[Component]:
        """Return those of the components that it does not cover."""
        covered = {component.identity for component in self.covered}
        return [component for component in components if component.identity not in covered]

    def is_made_with(self, key: PublicKey, message: Message) -> bool:
        """Whether the private key to this one made it over this very message.

        Raises:
            NotUnderstood: it covers what the message does not have.
        """
        if self.text("alg") not in ("", ALGORITHMS[key.algorithm]):
            return False
        return key.verifies(self.value, base_of(message, self.covered, self.parameters))

    def _number(self, parameter: str) -> int | None:
        value = self.parameters.get(parameter)
        return value if isinstance(value, int) else None


def read_signatures(message: Message) -> list[Signature]:
    """Return the signatures of a message, none of them verified.

    Raises:
        NotUnderstood: they cannot be read, or not all of what they say is known here.
    """
    told = read_dictionary(INPUT, message.lines(INPUT))
    values = read_dictionary(VALUE, message.lines(VALUE))
    if told.keys() != values.keys():
        raise NotUnderstood("Signature-Input and Signature: each label stands in both (RFC 9421 §4)")
    if len(told) > SIGNATURES_MAX:
        raise NotUnderstood(f"Signature: more than {SIGNATURES_MAX}")
    return [_signature(label, *told[label], *values[label]) for label in told]


def base_of(message: Message, covered: Iterable[Component], parameters: Mapping[str, int | str]) -> bytes:
    """Return the bytes that are signed (§2.5).

    Raises:
        NotUnderstood: the message has no such component.
    """
    covered = list(covered)
    return _base(message, covered, _stated(covered, parameters))


def sign(message: Message, label: str, covered: Iterable[Component], parameters: Mapping[str, int | str], signer: Signer) -> dict[str, str]:
    """Return the fields that carry a new signature of a message that has none.

    Raises:
        NotUnderstood: the message has no such component.
    """
    covered = list(covered)
    stated = _stated(covered, parameters)
    value = signer.sign(_base(message, covered, stated))
    return {INPUT: f"{label}={stated}", VALUE: write_dictionary({label: (value, {})})}


def _stated(covered: Iterable[Component], parameters: Mapping[str, int | str]) -> str:
    """Return what a signature says of itself, as it stands in the field and in the base."""
    return f"({' '.join(map(str, covered))}){write_parameters(parameters)}"


def _base(message: Message, covered: Iterable[Component], stated: str) -> bytes:
    lines = [f"{component}: {component.value_in(message)}" for component in covered]
    return "\n".join([*lines, f'"@signature-params": {stated}']).encode("ascii")


def _signature(label: str, covered: object, parameters: Mapping[str, object], value: object, of_value: Mapping[str, object]) -> Signature:
    if not isinstance(covered, list) or len(covered) > COVERED_MAX:
        raise NotUnderstood(f"Signature-Input: {label}: a list of at most {COVERED_MAX} components is needed")
    if type(value) is not bytes or of_value:
        raise NotUnderstood(f"Signature: {label}: a byte sequence between colons is needed, and nothing else")
    checked: dict[str, int | str] = {}
    for name, parameter in parameters.items():
        if type(parameter) is not _PARAMETERS.get(name) or not isinstance(parameter, int | str):
            raise NotUnderstood(f"Signature-Input: {label}: the parameter {name} is not known, or not of its type (RFC 9421 §2.3)")
        checked[name] = parameter
    if len(str(checked.get("nonce", ""))) > NONCE_MAX:
        raise NotUnderstood(f"Signature-Input: {label}: a nonce of more than {NONCE_MAX} characters")
    components = tuple(Component.of(item) for item in covered)
    if len({component.identity for component in components}) < len(components):
        raise NotUnderstood(f"Signature-Input: {label}: a component is covered twice")
    return Signature(label, components, checked, value)
