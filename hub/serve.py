"""Serving from one process: the socket, TLS, the event loop, and an orderly end.

* SIGTERM (or SIGINT): accept what has connected already, answer it and whatever is under way within `drain_s`, and end.
* SIGUSR1, sent by the supervisor only: others have taken over the socket. Each answer asks its client to connect anew, so that no
  request is lost with a connection.
* SIGHUP: read the TLS certificate again.

`python -m hub.serve` is how `hub.supervise` starts a worker.
"""

import asyncio
import contextlib
import gc
import ipaddress
import os
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import structlog
from aiohttp import web

from hub.app import build_app
from hub.config import Config, load_config
from hub.errors import ConfigError, HubError
from hub.logs import AccessLines, access_log, configure_logs
from hub.store.sole import sole
from hub.supervise import READY, Supervisor
from hub.web.access import AccessLog, Recorder
from hub.web.connections import CONNECTIONS
from hub.web.health import HEALTH
from hub.web.keys import CONFIG
from hub.web.metrics import METRICS
from hub.web.stream import STREAMS

try:
    import uvloop
except ImportError:  # not on every system; asyncio's own loop does the same, slower
    uvloop: ModuleType | None = None  # type: ignore[no-redef]

_BACKLOG = 1024
_LINGER_S = 10.0  # for the rest of a body that nobody reads, so that its sender reads the answer
_NEW_CLIENTS_WAIT_S = 1.0  # at the end: for the first request of whoever has just connected
_TAKE_OVER_WAIT_S = 5.0  # after a take-over: for idle clients to ask once more, and be told to connect anew

log = structlog.get_logger(__name__)


def listen(config: Config) -> socket.socket:
    """Return a socket that listens where the settings say.

    Raises:
        ConfigError: the address is taken, or not one of this machine's.
    """
    family = socket.AF_INET6 if ":" in config.listen_host else socket.AF_INET
    try:
        return socket.create_server((config.listen_host, config.listen_port), family=family, backlog=_BACKLOG)
    except OSError as e:
        reason = (e.strerror or str(e)).partition(" (while ")[0]  # attempting what the line says anyway
        port = f" port {config.listen_port}" if config.listen_port else ""
        raise ConfigError(f"cannot listen on {config.listen_host}{port}: {reason}") from e


def tls_context(config: Config) -> ssl.SSLContext | None:
    """Return TLS as the settings say; None for plain HTTP.

    Raises:
        ConfigError: a file cannot be read, or a key does not belong to its certificate.
    """
    if config.tls_cert_file is None or config.tls_key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM:ECDHE+CHACHA20")  # TLS 1.3 has its own, all good
    context.set_alpn_protocols(["http/1.1"])
    context.options |= ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(config.tls_cert_file, config.tls_key_file)
    except (OSError, ValueError) as e:  # ssl.SSLError is an OSError
        raise ConfigError(f"tls_cert_file, tls_key_file: {e}") from e
    if config.tls_client_ca_file is not None:
        try:
            context.load_verify_locations(config.tls_client_ca_file)
        except OSError as e:
            raise ConfigError(f"tls_client_ca_file: {e}") from e
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def make_runner(app: web.Application, lines: AccessLines | None) -> web.AppRunner:
    """Return aiohttp's runner for the hub, with its limits; `lines` takes a line about each request."""
    config = app[CONFIG]
    return web.AppRunner(
        app,
        access_log_class=AccessLog,
        access_log=Recorder(lines.write if lines is not None else None, app[METRICS], app[CONNECTIONS].request_ended),
        keepalive_timeout=config.keepalive_s,
        max_line_size=config.request_line_bytes_max,
        max_field_size=config.request_line_bytes_max,
        lingering_time=min(_LINGER_S, config.body_timeout_s),
        auto_decompress=False,  # it would take what the hub does not; hub.web.limits decompresses
        shutdown_timeout=config.drain_s,
    )


@contextlib.asynccontextmanager
async def serving(app: web.Application, sock: socket.socket) -> AsyncIterator[None]:
    """Serve the hub on a listening socket for as long as the context lasts; at its end, finish within `drain_s` what is under way.

    Raises:
        ConfigError: the database is not there or not migrated, or TLS cannot be set up.
    """
    tls = tls_context(app[CONFIG])
    lines = access_log(app[CONFIG].log_level)
    runner = make_runner(app, lines)
    try:
        await runner.setup()
        assert runner.server is not None
        async with app[CONNECTIONS].accepting(sock, runner.server, tls):
            if tls is not None:
                asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, _reload, app[CONFIG], tls)
            yield
    finally:
        await runner.cleanup()
        if lines is not None:
            lines.flush()


async def serve(config: Config, sock: socket.socket, *, on_ready: Callable[[], None], supervisor: socket.socket | None = None) -> None:
    """Serve until a signal says to end.

    Args:
        on_ready: called when the hub answers.
        supervisor: the other end of a worker's line to its supervisor: where that is no more, the worker ends too.
    Raises:
        ConfigError: as of `serving`.
    """
    app = build_app(config)
    ending = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, ending.set)
    if supervisor is None:
        loop.add_signal_handler(signal.SIGINT, ending.set)
        loop.add_signal_handler(signal.SIGHUP, _reload, config, None)
    else:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # from the terminal; the supervisor gets it too, and says what to do
        loop.add_reader(supervisor, ending.set)
        loop.add_signal_handler(signal.SIGUSR1, _hand_over, app, ending)
    async with serving(app, sock):
        _spare_the_collector()
        on_ready()
        await ending.wait()
        await _finish(app, sock)


def _spare_the_collector() -> None:
    """Keep the cyclic collector from walking all that was loaded at the start, each time that a few pages were served."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def _hand_over(app: web.Application, ending: asyncio.Event) -> None:
    app[HEALTH].handed_over = True
    ending.set()


async def _finish(app: web.Application, sock: socket.socket) -> None:
    """Let go of the socket without losing a client: whoever has connected is answered, here or by those who have taken over."""
    health, connections = app[HEALTH], app[CONNECTIONS]
    health.draining = True
    app[STREAMS].end()
    connections.refuse(leave_queued=health.handed_over)
    sock.close()
    within_s = _TAKE_OVER_WAIT_S if health.handed_over else _NEW_CLIENTS_WAIT_S
    await connections.wait_until_answered(idle_too=health.handed_over, within_s=min(within_s, app[CONFIG].drain_s))


def run(config: Config, environ: Mapping[str, str], *, on_ready: Callable[[str], None]) -> None:
    """Serve until a signal says to end, from this process alone on SQLite, else from `workers` processes under a supervisor.

    Args:
        environ: an environment from which `load_config` makes the same settings: workers read it, at each SIGHUP anew.
        on_ready: called with the hub's own address (http://…) once it answers.
    Raises:
        ConfigError: the hub cannot start, and why.
    """
    with listen(config) as sock:
        address = address_of(config, sock)
        if config.public_url is None and not is_loopback(config.listen_host):
            log.warning("public_url is not set: discovery names API Roots relative to the address that a client happens to use")

        def ready() -> None:
            log.info("the hub serves", address=address, pid=os.getpid())
            on_ready(address)

        if config.is_sqlite:
            with sole(Path(config.database_url.removeprefix("sqlite:///"))):
                run_loop(serve(config, sock, on_ready=ready))
        else:
            asyncio.run(Supervisor(config, environ, sock).run(on_ready=ready))


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine on the fastest event loop there is."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop is not None else None) as runner:
        runner.run(work)


def address_of(config: Config, sock: socket.socket) -> str:
    """Return the hub's own address; its port is the one that was taken where the settings leave it open."""
    host = f"[{config.listen_host}]" if ":" in config.listen_host else config.listen_host
    return f"{'https' if config.tls_cert_file else 'http'}://{host}:{sock.getsockname()[1]}"


def is_loopback(host: str) -> bool:
    """Whether `listen_host` is an address that only this machine reaches."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reload(config: Config, tls: ssl.SSLContext | None) -> None:
    """Read certificate and key again at SIGHUP; connections that are open keep the old ones. Settings are read at a start only."""
    if tls is None:
        log.info("there is no certificate to read again; settings take a restart")
        return
    try:
        tls.load_cert_chain(str(config.tls_cert_file), str(config.tls_key_file))
    except OSError as e:
        log.error("the TLS certificate could not be read again; the old one stays", reason=str(e))  # noqa: TRY400
    else:
        log.info("the TLS certificate was read again")


def main() -> None:
    """Be a worker: `python -m hub.serve SOCKET SUPERVISOR`, both the numbers of inherited descriptors."""
    sock, supervisor = (socket.socket(fileno=int(number)) for number in sys.argv[1:])

    def say_ready() -> None:
        supervisor.send(READY)

    try:
        config = load_config()
        configure_logs(config.log_level, sys.stderr)
        run_loop(serve(config, sock, on_ready=say_ready, supervisor=supervisor))
    except HubError as e:
        sys.stderr.write(f"{e.detail}\n")
        sys.exit(1)


if __name__ == "__main__":
    main()
