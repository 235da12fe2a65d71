"""Logs as JSON lines on one stream: one object a line, ASCII, times in UTC, with the id of the request that a line belongs to.

Nothing that a client sends can break a line or colour a terminal, since JSON escapes it. Bodies, credentials and queries are not
logged: whoever writes a log line sees to that by naming the fields.

Lines about requests that succeeded are gathered for a moment and written together, before any other line: so the log stays in order.
"""

import asyncio
import contextlib
import json
import logging
import sys
import threading
from datetime import UTC, datetime
from typing import TextIO, cast

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger


def _plain(value: object) -> str:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else repr(value)


# For the few lines that orjson, ten times as fast, cannot write in ASCII.
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=_plain)
_GATHER_S = 0.05  # that long a line about a request waits for others
_GATHERED_MAX = 256


class _Careful:
    """A stream that writes what it can: its reader may be gone, or its disk full, and that is no reason to fail a request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._gathered: list[EventDict] = []
        self._lock = threading.Lock()  # libraries log from their own threads

    def gather(self, event: EventDict) -> bool:
        """Keep a line for the next `flush`; return whether it is the first of those that wait."""
        with self._lock:
            self._gathered.append(event)
            waiting = len(self._gathered)
        if waiting >= _GATHERED_MAX:
            self.flush()
        return waiting == 1

    def write(self, text: str) -> None:
        with self._lock:
            self._write_gathered()
            self._write(text)

    def flush(self) -> None:
        with self._lock:
            self._write_gathered()
            with contextlib.suppress(OSError, ValueError):
                self._stream.flush()

    def _write_gathered(self) -> None:
        if self._gathered:
            self._write("".join([f"{_line(event)}\n" for event in self._gathered]))
            self._gathered.clear()

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)


class _Loggers:
    """What structlog asks for loggers: each writes to `stream`."""

    def __init__(self, stream: _Careful) -> None:
        self.stream = stream

    def __call__(self, *_: object) -> structlog.WriteLogger:
        return structlog.WriteLogger(cast("TextIO", self.stream))


class AccessLines:
    """The log's lines about requests: the same as other lines, but a tenth of their cost, as many are written together."""

    def __init__(self, stream: _Careful) -> None:
        self._stream = stream

    def write(self, event: EventDict, *, at_once: bool) -> None:
        """Write a line within a moment, or `at_once`. Called from the event loop."""
        event["level"] = "info"
        event["time"] = datetime.now(UTC)
        is_first = self._stream.gather(event)
        if at_once:
            self._stream.flush()
        elif is_first:
            asyncio.get_running_loop().call_later(_GATHER_S, self._stream.flush)

    def flush(self) -> None:
        """Write the lines that wait."""
        self._stream.flush()


def configure_logs(level: str, stream: TextIO) -> None:
    """Send every log line, the libraries' included, to `stream`.

    Args:
        level: one of Config.log_level.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    careful = _Careful(stream)
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=_Loggers(careful),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(cast("TextIO", careful))
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    handler.addFilter(_calm)
    logging.basicConfig(level=number, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def access_log(level: str) -> AccessLines | None:
    """Return what writes lines about requests to the stream of `configure_logs`; None where the level leaves them out."""
    if logging.getLevelNamesMapping()[level.upper()] > logging.INFO:
        return None
    loggers = structlog.get_config()["logger_factory"]
    return AccessLines(loggers.stream if isinstance(loggers, _Loggers) else _Careful(sys.stdout))  # where structlog itself would write


def _render(_: WrappedLogger, __: str, event: EventDict) -> str:
    return _line(event)


def _line(event: EventDict) -> str:
    try:
        line = orjson.dumps(event, default=repr, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # lone surrogates and the like
        return _ENCODER.encode(event)
    return line if line.isascii() else _ENCODER.encode(event)


def _calm(record: logging.LogRecord) -> bool:
    """Keep malformed requests, which anybody can send, from filling the log with tracebacks."""
    if record.exc_info is None:
        return True
    # Here and not above: commands that serve nothing log as well, and start a tenth sooner without the web server's library.
    from aiohttp.http_exceptions import HttpProcessingError  # noqa: PLC0415

    if isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
