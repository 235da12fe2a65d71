"""Asking witnesses of the transparency log (C2SP tlog-witness). Whoever runs the hub names them, so they may be anywhere."""

import hashlib
from types import TracebackType
from typing import Self

import aiohttp

from hub.errors import Unavailable

_TIMEOUT_S = 10.0
_ANSWER_BYTES_MAX = 65_536


class WitnessClient:
    """Requests to witnesses, one after another on connections that are kept."""

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S), headers={"User-Agent": "Fusion-Hub-Log"})
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._session.close()

    async def add_checkpoint(self, url: str, request: str) -> tuple[int, str]:
        """Submit a checkpoint; return the status and what the witness says.

        Raises:
            Unavailable: it does not answer.
        """
        return await self._ask("POST", f"{url.rstrip('/')}/add-checkpoint", request)

    async def get_checkpoint(self, url: str, origin: str) -> str | None:
        """Return the last checkpoint of a log that the witness cosigned; None where it has none.

        Raises:
            Unavailable: it does not answer.
        """
        status, said = await self._ask("GET", f"{url.rstrip('/')}/{hashlib.sha256(origin.encode()).hexdigest()}/checkpoint", None)
        return said if status == 200 else None

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
