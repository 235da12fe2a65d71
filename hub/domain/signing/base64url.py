"""Base64url without padding (RFC 7515 §2), in the one spelling that each sequence of bytes has."""

import base64
import re

from hub.errors import Invalid

_ALPHABET = re.compile(r"[A-Za-z0-9_-]*")


def encode(data: bytes) -> str:
    """Return the text for `data`."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that `text` stands for.

    Raises:
        Invalid: it is not base64url, is padded, or is another spelling of what `encode` would write.
    """
    if _ALPHABET.fullmatch(text) and len(text) % 4 != 1:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        if encode(data) == text:
            return data
    raise Invalid("not base64url without padding (RFC 7515 §2)")
