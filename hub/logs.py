"""Logs as JSON lines on one stream: one object a line, ASCII, times in UTC, with the id of the request that a line belongs to.

Nothing that a client sends can break a line or colour a terminal, since JSON escapes it. Bodies, credentials and queries are not
logged: whoever writes a log line sees to that by naming the fields.
"""

import contextlib
import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO, cast

import orjson
import structlog
from aiohttp.http_exceptions import HttpProcessingError
from structlog.typing import EventDict, Processor, WrappedLogger

# For the few lines that orjson, ten times as fast, cannot write in ASCII.
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), default=repr)


class _Careful:
    """A stream that writes what it can: its reader may be gone, or its disk full, and that is no reason to fail a request."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def configure_logs(level: str, stream: TextIO) -> None:
    """Send every log line, the libraries' included, to `stream`.

    Args:
        level: one of Config.log_level.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    careful = cast("TextIO", _Careful(stream))
    common: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*common, _render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(careful),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(careful)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *common],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _render],
        )
    )
    handler.addFilter(_calm)
    logging.basicConfig(level=number, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def access_log(level: str) -> Callable[[EventDict], None] | None:
    """Return what writes one line a request to the stream of `configure_logs`: the same lines, without what only other lines need.

    None where the level leaves these lines out.
    """
    if logging.getLevelNamesMapping()[level.upper()] > logging.INFO:
        return None
    logger = structlog.get_config()["logger_factory"]()

    def write(event: EventDict) -> None:
        event["level"] = "info"
        event["time"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        logger.msg(_render(logger, "info", event))

    return write


def _render(_: WrappedLogger, __: str, event: EventDict) -> str:
    try:
        line = orjson.dumps(event, default=repr).decode()
    except TypeError:  # lone surrogates and the like
        return _ENCODER.encode(event)
    return line if line.isascii() else _ENCODER.encode(event)


def _calm(record: logging.LogRecord) -> bool:
    """Keep malformed requests, which anybody can send, from filling the log with tracebacks."""
    if record.exc_info is not None and isinstance(record.exc_info[1], HttpProcessingError):
        record.exc_info = None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
