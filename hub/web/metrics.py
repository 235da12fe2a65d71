"""What the hub counts, for Prometheus. Labels are route templates and statuses, never anything that a client makes up.

Several worker processes share a directory of counters that their supervisor owns (prometheus_client's multiprocess mode), so
whichever of them is asked answers for all.
"""

import asyncio
import os
import time
from collections.abc import Callable

from aiohttp import hdrs, web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from hub.config import Config
from hub.domain.taxii import Status
from hub.errors import NotFound
from hub.service.log_condition import LogCondition
from hub.web.addresses import Networks
from hub.web.keys import ADDRESS

MULTIPROCESS_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # the library's own switch, which it reads when it is imported
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SAMPLE_EVERY_S = 1.0


class Metrics:
    """The hub's counters, in a registry of their own."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        self._requests = Counter("hub_requests", "Requests answered", ("method", "route", "status"), registry=registry)
        self._seconds = Histogram(
            "hub_request_seconds", "Time to answer a request", ("method", "route"), buckets=_SECONDS, registry=registry
        )
        self._of_answer: dict[tuple[str, str, int], Callable[[float], None]] = {}
        self._pushes = Counter("hub_pushes", "Envelopes taken", registry=registry)
        self._pushed = Counter("hub_objects_pushed", "Objects in those envelopes, as the answer tells", ("outcome",), registry=registry)
        self._errors = Counter("hub_errors", "Requests answered with an error, by its code", ("code",), registry=registry)
        self.loop_failures = Counter(
            "hub_loop_failures", "Times that a loop failed and began again, see the hub's log", ("loop",), registry=registry
        )
        self.connections = Gauge("hub_connections", "Open connections", registry=registry, multiprocess_mode="livesum")
        self.streams = Gauge("hub_streams", "Open live streams", registry=registry, multiprocess_mode="livesum")
        self.loop_lag = Gauge(
            "hub_loop_lag_seconds", "How late the event loop was, last measured", registry=registry, multiprocess_mode="livemax"
        )
        self.log_fault = Gauge(
            "hub_log_fault", "1 where the transparency log is not signed, see the hub's log", registry=registry, multiprocess_mode="livemax"
        )
        self.log_size = Gauge("hub_log_size", "Leaves of the last signed tree", registry=registry, multiprocess_mode="livemax")
        self.reviews_due = Gauge(
            "hub_reviews_due", "Sharing agreements whose review is past or near", registry=registry, multiprocess_mode="livemax"
        )
        self.writing = Gauge("hub_writing", "Write transactions that wait or run", registry=registry, multiprocess_mode="livesum")

    def count_answer(self, method: str, route: str, status: int, seconds: float, *, error: str | None) -> None:
        """Count one answered request. `route` is a template, `method` a well-known one, `error` the code of the answer's error."""
        if error is not None:
            self._errors.labels(error).inc()
        key = (method, route, status)
        observe = self._of_answer.get(key)
        if observe is None:
            observe = self._of_answer[key] = self._observer(*key)
        observe(seconds)

    def count_push(self, status: Status) -> None:
        """Count an envelope and what became of its objects, as far as that is known when it is answered."""
        self._pushes.inc()
        outcomes = {"accepted": status.successes, "refused": status.failures, "pending": status.pendings}
        for outcome, objects in outcomes.items():
            self._pushed.labels(outcome).inc(len(objects))

    def render(self) -> bytes:
        """Return the state of all counters in Prometheus' text format, those of this node's other processes included."""
        if MULTIPROCESS_VARIABLE not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    async def sample(self, stop: asyncio.Event, *, writing: Callable[[], int], log: LogCondition) -> None:
        """Measure, once a second until `stop`, what no event reports."""
        while not stop.is_set():
            due = time.monotonic() + _SAMPLE_EVERY_S
            try:
                async with asyncio.timeout(_SAMPLE_EVERY_S):
                    await stop.wait()
            except TimeoutError:
                self.loop_lag.set(max(0.0, time.monotonic() - due))
                self.writing.set(writing())
                self.log_fault.set(not log.is_signed)
                self.log_size.set(log.published.size if log.published is not None else 0)

    def _observer(self, method: str, route: str, status: int) -> Callable[[float], None]:
        count = self._requests.labels(method, route, str(status)).inc
        observe = self._seconds.labels(method, route).observe

        def both(seconds: float) -> None:
            count()
            observe(seconds)

        return both


METRICS = web.AppKey("metrics", Metrics)


def routes(config: Config) -> list[web.RouteDef]:
    """Return the route of /metrics."""
    readers = Networks("metrics_addresses", config.metrics_addresses)

    async def get_metrics(request: web.Request) -> web.Response:
        """Answer Prometheus; anybody but `metrics_addresses` finds nothing here."""
        if request[ADDRESS] not in readers:
            raise NotFound("there is nothing at this path")
        # Reading the counters of all processes means reading files.
        body = await asyncio.to_thread(request.app[METRICS].render)
        return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    return [web.get("/metrics", get_metrics)]
