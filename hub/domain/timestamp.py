"""TAXII timestamps: one function that writes them, one that reads what clients send."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from hub.errors import NotUnderstood

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUERY = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:([Zz])|([ +-])(\d\d):(\d\d))", re.ASCII
)  # a space stands where a `+` was not escaped


def format_timestamp(us: int) -> str:
    """Return microseconds since the epoch as a TAXII timestamp: six digits and `Z` (TAXII 2.1 §2)."""
    second, fraction = divmod(us, 1_000_000)
    return f"{_format_second(second)}.{fraction:06d}Z"


@lru_cache(maxsize=4_096)  # a manifest's dates lie close together, and this is most of its cost
def _format_second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).isoformat().removesuffix("+00:00")


def at_any_precision(text: str) -> tuple[str, str]:
    """Return a STIX timestamp as a pair that sorts by time, and is equal for "…:00Z" and "…:00.000Z"."""
    return text[:19], text[20:-1].rstrip("0")


def parse_timestamp(text: str) -> int:
    """Return microseconds since the epoch for a timestamp as clients write it: RFC 3339 with 0 to 9 fraction digits.

    Digits below the microsecond are cut, never rounded up. Offsets are taken, though TAXII asks for `Z`.

    Raises:
        NotUnderstood: it is no timestamp, or no such moment exists.
    """
    match = _QUERY.fullmatch(text)
    if match is None:
        raise NotUnderstood("not a timestamp; write it like 2026-11-21T09:30:00.000000Z")
    year, month, day, hour, minute, second, fraction, _, sign, offset_h, offset_m = match.groups()
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError as e:
        raise NotUnderstood("there is no such moment; write it like 2026-11-21T09:30:00.000000Z") from e
    us = (moment - _EPOCH) // timedelta(microseconds=1) + int((fraction or "").ljust(6, "0")[:6])
    if sign is None:
        return us
    if int(offset_h) > 23 or int(offset_m) > 59:
        raise NotUnderstood("there is no such offset from UTC")
    offset_us = (int(offset_h) * 60 + int(offset_m)) * 60_000_000
    return us + offset_us if sign == "-" else us - offset_us
