"""Base64 as the C2SP formats have it (RFC 4648 §4), in the one spelling that each sequence of bytes has."""

import base64
import binascii

from hub.errors import Invalid


def encode(data: bytes) -> str:
    """Return the text for `data`."""
    return base64.b64encode(data).decode("ascii")


def decode(text: str) -> bytes:
    """Return the bytes that `text` stands for.

    Raises:
        Invalid: it is not base64, or is another spelling of what `encode` would write: two texts must not say the same.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        data = None
    if data is None or encode(data) != text:
        raise Invalid("not base64 (RFC 4648)")
    return data
