"""Client certificates, known by their public key: a renewed certificate of the same key stays known, whatever its subject says."""

import hashlib
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from hub.errors import Invalid

PEM_CHARS_MAX = 16_384


@lru_cache(maxsize=1024)
def spki_sha256(der: bytes) -> str:
    """Return the SHA-256 of a certificate's SubjectPublicKeyInfo, in hex.

    Raises:
        Invalid: it is no certificate, or of a key that the hub cannot read.
    """
    try:
        key = x509.load_der_x509_certificate(der).public_key()
        return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise Invalid("this is no X.509 certificate that the hub can read") from e


@lru_cache(maxsize=1024)
def der_of_pem(pem: str) -> bytes:
    """Return the first certificate of a PEM text as DER.

    Raises:
        Invalid: there is no certificate in it.
    """
    if len(pem) > PEM_CHARS_MAX:
        raise Invalid(f"certificate: more than {PEM_CHARS_MAX} characters; send the client's certificate alone, without its chain")
    try:
        return x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise Invalid("certificate: not PEM; it begins with -----BEGIN CERTIFICATE-----") from e
