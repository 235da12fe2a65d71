"""A hub that is brought to the release with the log enters what it held before."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, pool, text
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.ext.asyncio import create_async_engine

from hub.domain.canonical import digest
from hub.service.administer import COMMAND_LINE
from hub.service.audit import export_audit
from hub.store.migrate import _alembic, upgrade
from tests.taxii.site import prepare as install
from tests.tlog.place import digests, keep, look, opened

BEFORE = "0009"
COUNT = 1_100  # more than go together
_VERSION = text(
    "INSERT INTO version (object_row, version_us, version, spec_version, digest, producer_id, accepted_us, body) "
    "VALUES (:n, 1, 'v', '2.1', :digest, 'somebody', 1700000000000000, :body)"
)
_AUDIT = text("INSERT INTO audit (at_us, actor, action, target, detail) VALUES (:n, 'somebody', 'did', 'something', '{}')")


def _of(number: int) -> dict[str, object]:
    return {"id": f"indicator--{number}"}


def _fill(connection: EngineConnection) -> None:
    config = _alembic()
    config.attributes["connection"] = connection
    command.upgrade(config, BEFORE)
    rows = [{"n": n, "digest": digest(_of(n)), "body": f'{{"id":"indicator--{n}"}}'.encode()} for n in range(COUNT)]
    connection.execute(_VERSION, rows)
    connection.execute(_AUDIT, [{"n": n} for n in range(3)])


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_what_was_there_before_the_log_is_entered_once(request: pytest.FixtureRequest, tmp_path: Path, engine: str) -> None:
    if engine == "sqlite":
        url = f"sqlite:///{tmp_path / 'old.sqlite3'}"
        with create_engine(url, poolclass=pool.NullPool).begin() as connection:
            _fill(connection)
    else:
        server = request.getfixturevalue("postgres_server")
        url = server.url(server.create_database())
        old = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=pool.NullPool)
        async with old.begin() as connection:
            await connection.run_sync(_fill)
        await old.dispose()
    await asyncio.to_thread(upgrade, url)
    await install(url)
    async with opened(url, keys_dir=str(tmp_path / "keys")) as hub:
        await keep(hub)
        await look(hub)
        assert Counter(digest(_of(n)) for n in range(COUNT)) <= Counter(await digests(hub))
        assert set(Counter(await digests(hub)).values()) == {1}
        trail = [link.said["action"] async for links in export_audit(hub, COMMAND_LINE) for link in links]
        assert trail.count("did") == 3
