"""Limits on what one client may ask of the hub: the body of a request, and requests and objects per minute.

The limits on connections (headers, idle time, their number) are kept by `hub.web.connections`.
"""

import asyncio
import math
import time
import zlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

from aiohttp import hdrs, web

from hub.config import Config
from hub.domain.http_signature.digest import FIELD as CONTENT_DIGEST
from hub.domain.http_signature.digest import Digests
from hub.errors import NotUnderstood, TooLarge, TooMany, Unsupported
from hub.web.keys import PRINCIPAL

_GZIP = 16 + zlib.MAX_WBITS
_UNPACKED_STEP_BYTES = 256 * 1024
_BUCKETS_MAX = 10_000  # credentials that are remembered at a time


async def read_body(request: web.Request, config: Config) -> bytes:
    """Return the whole body, decompressed, and the one that its `Content-Digest` speaks of, where there is such a header.

    Raises:
        Unsupported: a Content-Encoding other than gzip and identity.
        TooLarge: more than `body_bytes_max`, as sent or as decompressed.
        NotUnderstood: what was sent is not what the Content-Encoding says, does not have the digest, or ended early.
        web.HTTPRequestTimeout: it did not arrive within `body_timeout_s`.
    """
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding not in ("identity", "gzip"):
        raise Unsupported("Content-Encoding: the hub takes gzip and identity")
    bytes_max = config.body_bytes_max
    if request.content_length is not None and request.content_length > bytes_max:
        raise _too_large(bytes_max)
    try:
        async with asyncio.timeout(config.body_timeout_s):
            sent = _chunks(request)
            if digests := request.headers.getall(CONTENT_DIGEST, ()):
                sent = _compared(sent, Digests(digests))
            return await _joined(_unpacked(sent) if encoding == "gzip" else sent, bytes_max)
    except TimeoutError as e:
        raise web.HTTPRequestTimeout from e
    except (web.RequestPayloadError, zlib.error) as e:
        raise NotUnderstood(f"the body cannot be read as {encoding}") from e
    except ConnectionError as e:
        raise NotUnderstood("the connection ended before the body did") from e


async def _chunks(request: web.Request) -> AsyncIterator[bytes]:
    while chunk := await request.content.readany():
        yield chunk


async def _compared(chunks: AsyncIterator[bytes], digests: Digests) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        digests.update(chunk)
        yield chunk
    digests.require_equal()


async def _unpacked(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Decompress gzip, in steps so small that others are served in between; members may follow one another (RFC 1952 §2.2)."""
    member = zlib.decompressobj(wbits=_GZIP)
    async for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=_GZIP)
            yield member.decompress(rest, _UNPACKED_STEP_BYTES)
            rest = member.unused_data if member.eof else member.unconsumed_tail
            await asyncio.sleep(0)
    if not member.eof:
        raise zlib.error("it ends early")


async def _joined(chunks: AsyncIterator[bytes], bytes_max: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in chunks:
        size += len(part)
        if size > bytes_max:
            raise _too_large(bytes_max)
        parts.append(part)
    return b"".join(parts)


def _too_large(bytes_max: int) -> TooLarge:
    return TooLarge(f"the body is larger than {bytes_max} bytes; send it in parts")


@dataclass(frozen=True, slots=True)
class _Bucket:
    """What was left of an allowance at some time, and how it fills up again."""

    left: float
    since: float
    per_s: float
    burst: float

    def left_at(self, now: float) -> float:
        return min(self.burst, self.left + (now - self.since) * self.per_s)


class Allowance:
    """So much a minute for each credential, with bursts of a quarter of it: a token bucket in this process's memory.

    Where a credential has less than the others, it may use what it has for a minute at once.
    """

    def __init__(self, per_min: int, what: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make an allowance of `per_min` (0: no limit) of `what`, which names it in the refusal."""
        self._per_min = per_min
        self._what = what
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def require(self, credential: str, *, per_min: int | None = None) -> None:
        """Refuse where nothing is left of a credential's allowance, which is `per_min` where that is given and less.

        Raises:
            TooMany: nothing is left.
        """
        if not self._per_min:
            return
        bucket = self._bucket(credential, per_min, self._clock())
        if bucket.left < 1:
            retry_after_s = math.ceil((1 - bucket.left) / bucket.per_s)
            told = f"more than {round(bucket.per_s * 60)} {self._what} a minute"
            raise TooMany(told, retry_after_s=retry_after_s, credential=credential)

    def charge(self, credential: str, count: int = 1, *, per_min: int | None = None) -> None:
        """Take `count` from a credential's allowance. It may be more than what is left: the rest is owed, and waited for."""
        if not self._per_min:
            return
        now = self._clock()
        if len(self._buckets) >= _BUCKETS_MAX:
            # Those that have filled up again are as new ones.
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if bucket.left_at(now) < bucket.burst}
        bucket = self._bucket(credential, per_min, now)
        self._buckets[credential] = replace(bucket, left=bucket.left - count)

    def _bucket(self, credential: str, per_min: int | None, now: float) -> _Bucket:
        """Return a credential's bucket as of now: what is left of it, at the rate that it has now."""
        held = self._buckets.get(credential)
        if per_min is None or per_min >= self._per_min:
            per_min, burst = self._per_min, max(self._per_min / 4, 1.0)
        else:
            burst = max(float(per_min), 1.0)
        left = burst if held is None else min(burst, held.left_at(now))
        return _Bucket(left, now, per_min / 60, burst)


REQUESTS = web.AppKey("requests_allowance", Allowance)
OBJECTS = web.AppKey("objects_allowance", Allowance)


def require_objects(request: web.Request) -> None:
    """Refuse a push, before its body is read, by a credential that has pushed `objects_per_min` already.

    Raises:
        TooMany: it has.
    """
    request.app[OBJECTS].require(request[PRINCIPAL].credential)


def charge_objects(request: web.Request, count: int) -> None:
    """Take the objects of a push from what its credential may push in a minute: a big one is taken whole, and then there is a pause."""
    request.app[OBJECTS].charge(request[PRINCIPAL].credential, count)
