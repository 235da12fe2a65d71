"""Verifying the signatures of a push: of many objects on threads, all processors at once, while the event loop serves others."""

import asyncio
import os
from collections.abc import Sequence

from hub.domain.signing.verification import Signed, Verified
from hub.errors import Invalid

_AT_ONCE_MAX = 4  # are verified where they are asked for: to change threads would take as long as one of them


async def verify_all(signed: Sequence[Signed]) -> list[Verified | Invalid]:
    """Return for each object whose signatures it has, or why it is refused."""
    found: list[Verified | Invalid] = [one.comes_to for one in signed]
    places = [place for place, one in enumerate(signed) if one.own]
    if len(places) <= _AT_ONCE_MAX:
        parts = [[_verify(signed[place]) for place in places]]
    else:
        shares = min(os.cpu_count() or 1, len(places) // _AT_ONCE_MAX)
        parts = await asyncio.gather(*(asyncio.to_thread(_verify_some, [signed[p] for p in places[n::shares]]) for n in range(shares)))
        places = [place for n in range(shares) for place in places[n::shares]]
    for place, result in zip(places, (result for part in parts for result in part), strict=True):
        found[place] = result
    return found


def _verify_some(signed: Sequence[Signed]) -> list[Verified | Invalid]:
    return [_verify(one) for one in signed]


def _verify(signed: Signed) -> Verified | Invalid:
    try:
        return signed.verify()
    except Invalid as e:
        return e
