"""Asking witnesses of the transparency log (C2SP tlog-witness). Whoever runs the hub names them, so they may be anywhere."""

import hashlib
from http import HTTPStatus
from types import TracebackType
from typing import Self

import aiohttp

from hub.errors import Conflict, Unavailable, Withheld

_TIMEOUT_S = 10.0
_ANSWER_BYTES_MAX = 65_536
_SIZE_CHARS_MAX = 20
_SAID_CHARS_MAX = 200


class WitnessClient:
    """Requests to witnesses, on connections that are kept."""

    def __init__(self, timeout_s: float = _TIMEOUT_S) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=self._timeout, headers={"User-Agent": "Fusion-Hub-Log"})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def add_checkpoint(self, url: str, request: str) -> str:
        """Submit a checkpoint; return the signature lines with which the witness cosigns it.

        Raises:
            Conflict: the last one that it cosigned has another size than the request says; the context names it as `size`.
            Withheld: it does not cosign this one.
            Unavailable: it does not answer.
        """
        status, said = await self._ask("POST", f"{url.rstrip('/')}/add-checkpoint", request)
        said = said.strip()
        if status == HTTPStatus.OK:
            return f"{said}\n"
        if status == HTTPStatus.CONFLICT and said.isascii() and said.isdecimal() and len(said) < _SIZE_CHARS_MAX:
            raise Conflict(f"the last checkpoint that it cosigned has {said} leaves", size=int(said))
        raise Withheld(f"it answered {status}: {said[:_SAID_CHARS_MAX]}")

    async def get_checkpoint(self, url: str, origin: str) -> str | None:
        """Return the last checkpoint of a log that the witness cosigned; None where it has none.

        Raises:
            Unavailable: it does not answer, or not that.
        """
        status, said = await self._ask("GET", f"{url.rstrip('/')}/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint", None)
        if status not in {HTTPStatus.OK, HTTPStatus.NOT_FOUND}:
            raise Unavailable(f"the witness at {url} does not show what it cosigned last: it answered {status}")
        return said if status == HTTPStatus.OK else None

    async def _ask(self, method: str, url: str, body: str | None) -> tuple[int, str]:
        try:
            sent = None if body is None else body.encode()
            async with self._session.request(method, url, data=sent, allow_redirects=False) as answer:
                parts: list[bytes] = []
                left = _ANSWER_BYTES_MAX
                while left > 0 and (part := await answer.content.read(left)):
                    parts.append(part)
                    left -= len(part)
                return answer.status, b"".join(parts).decode("utf-8", "replace")
        except (aiohttp.ClientError, OSError, ValueError) as e:  # TimeoutError is an OSError
            raise Unavailable(f"the witness at {url} does not answer: {type(e).__name__}") from e
