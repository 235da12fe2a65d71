"""Where the parts of the hub meet: settings, database, services, loops and the web application."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from functools import partial

import structlog
from aiohttp import web

from hub.config import Config
from hub.service.connectors import configured_sources
from hub.service.context import Hub, open_hub
from hub.service.helping import helped
from hub.service.hub_keys import open_keys
from hub.service.introducing import introduce_everywhere
from hub.service.policies import require_fit_policies
from hub.service.sending import sending
from hub.service.witnessing import configured_witnesses
from hub.store.database import open_database
from hub.store.schema import check_migrated
from hub.web import health, metrics, taxii, tlog, trust
from hub.web.addresses import ORIGINS, Origins
from hub.web.api import routes as api
from hub.web.connections import CONNECTIONS, Connections
from hub.web.errors import render_errors
from hub.web.health import HEALTH, Health
from hub.web.keys import CONFIG, HUB
from hub.web.limits import OBJECTS, REQUESTS, Allowance
from hub.web.message_signatures import sign_response, verify_message
from hub.web.metrics import METRICS, Metrics
from hub.web.middleware import authenticate_request, finish_headers, identify_request
from hub.web.stream import STREAMS, Streams, end_streams
from hub.work.anonymity import publish
from hub.work.assess import assess_ledger
from hub.work.clock import tick
from hub.work.connectors import poll
from hub.work.loops import Loop, Loops
from hub.work.notices import exchange_notices
from hub.work.own_keys import follow
from hub.work.pushes import finish_pushes, forget_old_pushes
from hub.work.reviews import remind
from hub.work.tlog import keep_log
from hub.work.webhooks import forget_old_deliveries, make_deliveries, send_deliveries
from hub.work.witnesses import ask_witnesses

log = structlog.get_logger(__name__)


def build_app(config: Config) -> web.Application:
    """Return the hub as a web application. Starting it opens the database and begins the loops.

    Raises:
        ConfigError: a setting cannot be used; from the start-up: the database is not there or not migrated.
    """
    middlewares = [identify_request, render_errors, authenticate_request, verify_message]
    app = web.Application(middlewares=middlewares, client_max_size=config.body_bytes_max)
    app[CONFIG] = config
    app[ORIGINS] = Origins(config)
    app[METRICS] = Metrics()
    app[HEALTH] = Health()
    app[CONNECTIONS] = Connections(config, tell_number=app[METRICS].connections.set)
    app[REQUESTS] = Allowance(config.requests_per_min, "requests")
    app[OBJECTS] = Allowance(config.objects_per_min, "objects pushed")
    app[STREAMS] = Streams(config, tell_number=app[METRICS].streams.set)
    app.cleanup_ctx.extend([_open, _work])
    app.on_shutdown.append(end_streams)
    app.on_response_prepare.extend([finish_headers, sign_response])
    app.add_routes([*taxii.routes(), *api.routes(), *tlog.routes(), *trust.routes(), *health.routes(), *metrics.routes(config)])
    return app


def _loops(app: web.Application, hub: Hub) -> list[Loop]:
    """Return what goes on while the hub serves. A new loop is one more line."""
    holder = f"{socket.gethostname()}:{os.getpid()}"
    return [
        Loop("pushes", partial(finish_pushes, hub)),
        Loop("old-pushes", partial(forget_old_pushes, hub)),
        Loop("clock", partial(tick, hub, holder=holder)),
        Loop("anonymity", partial(publish, hub)),
        Loop("keys", partial(follow, hub)),
        Loop("log", partial(keep_log, hub, holder=holder)),
        Loop("witnesses", partial(ask_witnesses, hub, configured_witnesses(hub.config))),
        Loop("reviews", partial(remind, hub, tell_number=app[METRICS].reviews_due.set)),
        Loop("ledger", partial(assess_ledger, hub, holder=holder)),
        *(Loop(f"connector {source.name}", partial(poll, hub, source)) for source in configured_sources(hub.config)),
        Loop("deliveries", partial(make_deliveries, hub)),
        Loop("webhooks", partial(send_deliveries, hub, holder=holder)),
        Loop("old-deliveries", partial(forget_old_deliveries, hub)),
        *((Loop("notices", partial(exchange_notices, hub)),) if not hub.config.is_sqlite else ()),
        Loop("streams", partial(app[STREAMS].wake, hub)),
        Loop("metrics", partial(app[METRICS].sample, writing=lambda: hub.db.writing, log=hub.log)),
    ]


async def _open(app: web.Application) -> AsyncIterator[None]:
    """Open the database and the hub on it."""
    config = app[CONFIG]
    db = await open_database(config.database_url)
    try:
        await check_migrated(db)
        app[HUB] = await open_hub(config, db)
        await require_fit_policies(app[HUB])
        await open_keys(app[HUB])
        await introduce_everywhere(app[HUB])
        async with helped(app[HUB]), sending(app[HUB]):
            yield
    finally:
        await db.close()


async def _work(app: web.Application) -> AsyncIterator[None]:
    """Run the loops; at the end let them finish what they have begun."""
    stop = asyncio.Event()
    loops = Loops(_loops(app, app[HUB]), tell_failure=lambda name: app[METRICS].loop_failures.labels(name).inc())
    app[HEALTH].failing = loops.failing
    task = asyncio.create_task(loops.run(stop), name="loops")
    yield
    stop.set()
    try:
        async with asyncio.timeout(app[CONFIG].drain_s):
            await task
    except TimeoutError:
        log.warning("loops were cut off at the stop", seconds=app[CONFIG].drain_s)
