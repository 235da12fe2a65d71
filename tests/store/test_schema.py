"""The schema that migrations make is the one that the tables say, on both databases; an old or foreign one is refused by name."""

import asyncio

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import column, create_engine, insert, pool, table, update
from sqlalchemy.engine import Connection as EngineConnection
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import hub.store.tables
from hub.errors import ConfigError, Unavailable
from hub.store.database import Duplicate, open_database, prepare
from hub.store.directory import bump_revision
from hub.store.migrate import upgrade
from hub.store.schema import MIGRATIONS, check_migrated, head, revisions


def _differences(connection: EngineConnection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_migrations_from_empty_give_the_schema_of_the_tables(database_url: str) -> None:
    assert hub.store.tables.table("entry") is not None
    if database_url.startswith("sqlite"):
        engine = create_engine(database_url, poolclass=pool.NullPool)
        with engine.connect() as connection:
            assert _differences(connection) == []
    else:
        engine = create_async_engine(database_url.replace("postgresql://", "postgresql+asyncpg://"), poolclass=pool.NullPool)
        async with engine.connect() as connection:
            assert await connection.run_sync(_differences) == []
        await engine.dispose()


def test_migrating_again_changes_nothing(database_url: str) -> None:
    assert upgrade(database_url) == head()
    assert upgrade(database_url) == head()


def test_the_revisions_are_those_of_the_migrations_in_their_order() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS))
    assert revisions() == [script.revision for script in reversed(list(scripts.walk_revisions()))]
    assert scripts.get_heads() == [head()]


async def test_a_database_of_another_schema_is_refused_saying_what_to_do(database_url: str) -> None:
    db = await open_database(database_url)
    await check_migrated(db)
    version = table("alembic_version", column("version_num"))
    set_version = prepare(update(version).values(version_num="9999"))
    await db.write(lambda conn: conn.execute(set_version))
    with pytest.raises(ConfigError, match="written by a newer one"):
        await check_migrated(db)
    await db.write(lambda conn: conn.execute(prepare(version.delete())))
    with pytest.raises(ConfigError, match="run `hub migrate` first"):
        await check_migrated(db)
    await db.close()


async def test_an_empty_database_is_refused_saying_what_to_run(tmp_path) -> None:  # noqa: ANN001
    path = tmp_path / "empty.sqlite3"
    path.touch()
    db = await open_database(f"sqlite:///{path}")
    with pytest.raises(ConfigError, match="run `hub migrate` first"):
        await check_migrated(db)
    await db.close()


async def test_a_broken_rule_is_named_as_the_schema_names_it(database_url: str) -> None:
    root = hub.store.tables.table("api_root")
    add = prepare(insert(root))
    db = await open_database(database_url)

    async def twice(conn) -> None:  # noqa: ANN001
        for _ in range(2):
            await conn.execute(add, slug="a", title="A", description=None, is_default=0)

    with pytest.raises(Duplicate) as caught:
        await db.write(twice)
    assert caught.value.constraint in ("pk_api_root", "uq_api_root_slug")
    await db.close()


async def test_writes_that_share_a_commit_fail_alone(database_url: str) -> None:
    root = hub.store.tables.table("api_root")
    add = prepare(insert(root))
    db = await open_database(database_url)

    async def insert_root(conn, slug: str) -> str:  # noqa: ANN001
        await conn.execute(add, slug=slug, title="T", description=None, is_default=0)
        return slug

    slugs = [f"r{n % 15}" for n in range(20)]
    results = await asyncio.gather(*(db.write(insert_root, slug) for slug in slugs), return_exceptions=True)
    assert sorted(r for r in results if isinstance(r, str)) == sorted({f"r{n}" for n in range(15)})
    assert sum(isinstance(r, Duplicate) for r in results) == 5
    async with db.read() as conn:
        stored = await conn.fetch(prepare(root.select().with_only_columns(root.c.slug)))
    assert {row[0] for row in stored} >= {f"r{n}" for n in range(15)}
    await db.close()


async def test_a_file_that_may_only_be_read_is_unavailable_to_who_writes(sqlite_url: str) -> None:
    db = await open_database(sqlite_url)

    async def write(conn) -> None:  # noqa: ANN001
        conn.raw.execute("PRAGMA query_only=ON")  # what a file system that is mounted anew for reading alone comes to
        await bump_revision(conn)

    with pytest.raises(Unavailable, match="the database cannot take this now"):
        await db.write(write)
    await db.close()


async def test_a_snapshot_sees_one_moment(database_url: str) -> None:
    root = hub.store.tables.table("api_root")
    count = prepare(root.select().with_only_columns(root.c.slug))
    add = prepare(insert(root))
    db = await open_database(database_url)
    async with db.snapshot() as conn:
        before = len(await conn.fetch(count))
        await db.write(lambda w: w.execute(add, slug="new", title="T", description=None, is_default=0))
        assert len(await conn.fetch(count)) == before
    async with db.read() as conn:
        assert len(await conn.fetch(count)) == before + 1
    await db.close()
