"""The one place where signature algorithms are named."""

from enum import StrEnum


class Algorithm(StrEnum):
    """What a signature is made with, by the names that JSON Web Signatures use."""

    ED25519 = "Ed25519"  # RFC 9864; "EdDSA" is its older name
    ES256 = "ES256"  # RFC 7518, for security modules that know no Ed25519
    ML_DSA_44 = "ML-DSA-44"  # RFC 9964, against quantum computers: beside one of the others, where the settings say so
    ML_DSA_65 = "ML-DSA-65"

    @property
    def is_post_quantum(self) -> bool:
        """Whether it withstands quantum computers, as far as anybody knows."""
        return self in {Algorithm.ML_DSA_44, Algorithm.ML_DSA_65}


OLDER_NAMES = {"EdDSA": Algorithm.ED25519}  # taken from others where the key is of that algorithm; never written
