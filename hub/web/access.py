"""What is written down of every request: a line in the log, and the counters."""

from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Protocol

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from hub.web.keys import ADDRESS, BEGAN, ERROR_CODE, OPEN_PATHS, PRINCIPAL, REQUEST_ID, ROUTE
from hub.web.metrics import Metrics

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class WriteLine(Protocol):
    """Writes a line of the log (see `hub.logs.AccessLines`): within a moment, together with others, or `at_once`."""

    def __call__(self, event: MutableMapping[str, Any], *, at_once: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Recorder:
    """Where a process writes down what it answered."""

    write: WriteLine | None  # None where the log's level leaves such lines out
    metrics: Metrics
    ended: Callable[[object], None]  # tells that the connection (aiohttp's protocol) has answered its request


class AccessLog(AbstractAccessLogger):
    """Called by aiohttp after every answer, those to malformed requests included, when its last byte was written."""

    logger: Recorder  # type: ignore[assignment]

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write down one answer.

        The path is written as its route's template, and the query not at all: either may hold what is none of the log's business.
        """
        recorder = self.logger
        recorder.ended(request.protocol)
        if (request_id := request.get(REQUEST_ID)) is None:  # no middleware has seen it
            recorder.metrics.count_answer("other", "malformed", response.status, time, error="malformed")
            return
        seconds = perf_counter() - request[BEGAN]
        route = request[ROUTE]
        method = request.method if request.method in _METHODS else "other"
        error = request.get(ERROR_CODE)
        recorder.metrics.count_answer(method, route, response.status, seconds, error=error)
        if recorder.write is None or route in OPEN_PATHS:
            return
        principal = request.get(PRINCIPAL)
        line = {
            "event": "request",
            "request_id": request_id,
            "method": method,
            "route": route,
            "status": response.status,
            "ms": round(seconds * 1000, 3),
            "bytes": response.body_length,
            "address": request[ADDRESS],
            "credential": principal and principal.credential,
            "member": principal and principal.member and principal.member.slug,
            "error": error,
        }
        recorder.write(line, at_once=error is not None)
