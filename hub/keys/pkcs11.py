"""Keys in a security module, over PKCS#11: they never leave it.

* A key is found by its label, `fusion-hub-PURPOSE`. Made by the hub, it is of Ed25519, or of ES256 where the module knows no EdDSA.
* A session is used by one thread at a time. The module is opened after any fork: it cannot be used across one.
"""

import hashlib
import secrets
from pathlib import Path
from threading import Lock
from typing import Any

from hub.domain.signing.keys import Algorithm, PublicKey
from hub.domain.signing.registered import Purpose
from hub.errors import ConfigError, Invalid, Unavailable

_OCTET_STRING = b"\x04"  # a point comes as DER; what follows the tag and its length is the point
_ID_BYTES = 16
_CURVES = {Algorithm.ED25519: "1.3.101.112", Algorithm.ES256: "1.2.840.10045.3.1.7"}


class TokenKey:
    """A `Signer` whose key is in a security module."""

    __slots__ = ("_fault", "_key", "_lock", "_mechanism", "_public")
    is_prompt = False  # the module may be at the other end of a network

    def __init__(self, key: Any, public: PublicKey, mechanism: Any, lock: Lock, fault: type[Exception]) -> None:
        self._key, self._public, self._mechanism, self._lock, self._fault = key, public, mechanism, lock, fault

    @property
    def public(self) -> PublicKey:
        """The key that verifies what it signs."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the signature over `data`.

        Raises:
            Unavailable: the module does not sign, as it was taken away or started anew.
        """
        if self._public.algorithm is Algorithm.ES256:
            data = hashlib.sha256(data).digest()  # the mechanism takes the digest, and returns the two numbers as they are needed
        try:
            with self._lock:
                return bytes(self._key.sign(data, mechanism=self._mechanism))
        except self._fault as e:
            raise Unavailable(f"the security module does not sign: {str(e) or type(e).__name__}") from e


class Token:
    """A token of a security module, opened."""

    def __init__(self, module: Path, label: str, pin: str, *, knows_eddsa: bool | None = None) -> None:
        """Open the token.

        Args:
            knows_eddsa: whether keys of Ed25519 are made; None: where the module says that it can.
        Raises:
            ConfigError: python-pkcs11 is not installed, or the token cannot be opened.
        """
        try:
            import pkcs11.util.ec  # noqa: PLC0415 - optional: only who uses a security module has it
        except ImportError as e:
            raise ConfigError("pkcs11_module: needs the extra `fusion-hub[pkcs11]`") from e
        self._pkcs11: Any = pkcs11  # what it says of its types is not all there is
        self._lock = Lock()
        try:
            token: Any = pkcs11.lib(str(module)).get_token(token_label=label)
            try:
                self._session = token.open(rw=True, user_pin=pin)
            except pkcs11.UserAlreadyLoggedIn:  # another session of this process is: that counts for all
                self._session = token.open(rw=True)
            self._knows_eddsa = pkcs11.Mechanism.EDDSA in token.slot.get_mechanisms() if knows_eddsa is None else knows_eddsa
        except (pkcs11.PKCS11Error, RuntimeError) as e:
            raise ConfigError(f"the token {label} of {module} cannot be opened: {str(e) or type(e).__name__}") from e

    def find_key(self, purpose: Purpose, kid: str | None = None) -> TokenKey | None:
        """Return the key for a purpose with this thumbprint, or any that there is where none is named; None where the token has none.

        Raises:
            ConfigError: the token cannot be read.
        """
        attribute, kinds = self._pkcs11.Attribute, self._pkcs11.ObjectClass
        try:
            with self._lock:
                for public in list(self._session.get_objects({attribute.CLASS: kinds.PUBLIC_KEY, attribute.LABEL: _label(purpose)})):
                    known = self._read(public)
                    if known is not None and kid in {None, known.kid}:
                        private = self._session.get_key(object_class=kinds.PRIVATE_KEY, label=_label(purpose), id=public.id)
                        eddsa, ecdsa = self._pkcs11.Mechanism.EDDSA, self._pkcs11.Mechanism.ECDSA
                        mechanism = eddsa if known.algorithm is Algorithm.ED25519 else ecdsa
                        return TokenKey(private, known, mechanism, self._lock, self._pkcs11.PKCS11Error)
        except self._pkcs11.PKCS11Error as e:
            raise ConfigError(f"pkcs11_token: the key {_label(purpose)} cannot be read: {str(e) or type(e).__name__}") from e
        return None

    def create_key(self, purpose: Purpose) -> TokenKey:
        """Make a key for a purpose in the token.

        Raises:
            ConfigError: the module cannot make what the purpose needs.
        """
        if purpose is Purpose.LOG and not self._knows_eddsa:
            raise ConfigError("pkcs11_module: the log is signed with Ed25519, which this module does not know")
        kind = self._pkcs11.KeyType.EC_EDWARDS if self._knows_eddsa else self._pkcs11.KeyType.EC
        curve = _CURVES[Algorithm.ED25519 if self._knows_eddsa else Algorithm.ES256]
        encoded = self._pkcs11.util.ec.encode_named_curve_parameters(curve)
        mechanism = {"mechanism": self._pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN} if self._knows_eddsa else {}
        try:
            with self._lock:
                parameters = self._session.create_domain_parameters(kind, {self._pkcs11.Attribute.EC_PARAMS: encoded}, local=True)
                id = secrets.token_bytes(_ID_BYTES)
                public, _ = parameters.generate_keypair(store=True, label=_label(purpose), id=id, **mechanism)
                known = self._read(public)
        except self._pkcs11.PKCS11Error as e:
            raise ConfigError(f"pkcs11_token: cannot make the key {_label(purpose)}: {str(e) or type(e).__name__}") from e
        made = self.find_key(purpose, known.kid) if known is not None else None
        assert made is not None, "it was just made"
        return made

    def _read(self, public: Any) -> PublicKey | None:
        """Return a public key of the token; None where it is of another algorithm."""
        algorithms = {self._pkcs11.KeyType.EC_EDWARDS: Algorithm.ED25519, self._pkcs11.KeyType.EC: Algorithm.ES256}
        algorithm = algorithms.get(public.key_type)
        try:
            return PublicKey(algorithm, _point(public[self._pkcs11.Attribute.EC_POINT])) if algorithm is not None else None
        except Invalid:
            return None


def _label(purpose: Purpose) -> str:
    return f"fusion-hub-{purpose}"


def _point(der: bytes) -> bytes:
    """Return the point in a DER octet string; some modules leave the string out."""
    return der[2:] if der[:1] == _OCTET_STRING and len(der) == der[1] + 2 else der
