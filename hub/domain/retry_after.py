"""Retry-After, by which a server says when to ask again (RFC 9110 §10.2.3)."""

from datetime import UTC
from email.utils import parsedate_to_datetime

MOST_S = 86_400  # whoever asks for more is asked again after a day


def read_retry_after(text: str | None, *, now_s: float) -> int | None:
    """Return the seconds that a Retry-After asks for, from 0 to MOST_S; None where it says nothing that is understood."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return int(text) if len(text) < 9 and int(text) < MOST_S else MOST_S
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return min(max(round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() - now_s), 0), MOST_S)
