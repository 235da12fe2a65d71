"""Verifying the signatures of a push: of many objects on threads, all processors at once, while the event loop serves others."""

import asyncio
import os
from collections.abc import Sequence

from hub.domain.signing.verification import Signed, Verified
from hub.errors import Invalid

_AT_ONCE_MAX = 4  # are verified where they are asked for: to change threads would take as long as one of them


async def verify_all(signed: Sequence[Signed]) -> list[Verified | Invalid]:
    """Return for each object whose signatures it has, or why it is refused."""
    if sum(bool(one.own) for one in signed) <= _AT_ONCE_MAX:
        return _verify_some(signed)
    share = -(-len(signed) // (os.cpu_count() or 1))
    parts = (asyncio.to_thread(_verify_some, signed[first : first + share]) for first in range(0, len(signed), share))
    return [result for part in await asyncio.gather(*parts) for result in part]


def _verify_some(signed: Sequence[Signed]) -> list[Verified | Invalid]:
    return [_verify(one) for one in signed]


def _verify(signed: Signed) -> Verified | Invalid:
    try:
        return signed.verify()
    except Invalid as e:
        return e
