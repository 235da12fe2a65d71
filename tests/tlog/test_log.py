"""The hub's own log: what comes in is in it once, it only grows, and it is not signed where it contradicts what was published."""

import asyncio
import hashlib
import json
from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import bindparam, make_url, update

from hub.config import load_config
from hub.domain.audit_chain import START
from hub.domain.canonical import digest
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import object_digest, sign_object
from hub.domain.taxii import ALL_VERSIONS, Query
from hub.domain.tlog.leaf import LeafKind
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import check_receipt
from hub.errors import NotFound, Unavailable
from hub.service.administer import COMMAND_LINE
from hub.service.collections import add_collection
from hub.service.context import now_us, open_hub
from hub.service.log_keeping import follow, is_behind, is_sound, memory_of, open_log, rename_log, sign
from hub.service.proofs import get_checkpoint, get_receipt, get_tile
from hub.service.remove import delete_object
from hub.service.sequence import enter
from hub.store.audit import add_audit, list_audit
from hub.store.audit_chain import last_link
from hub.store.database import Connection, Duplicate, open_database, prepare
from hub.store.tables import table
from hub.store.tlog import add_pending, has_pending
from hub.work.tlog import catch_up, keep_log
from tests.postgres import PostgresServer
from tests.taxii.community import AGENCY
from tests.taxii.content import DAY_2, Object, domain_name, indicator, version_of
from tests.taxii.site import prepare as install
from tests.tlog.place import COLLECTION, backup_of, digests, give, keep, look, member, opened, receipt, restore, served, told

TILE = table("log_tile")
_PUT_TILE = prepare(
    update(TILE).where(TILE.c.level == bindparam("at_level"), TILE.c.number == bindparam("at")).values(hashes=bindparam("content"))
)


@pytest.fixture
async def url(database_url: str) -> str:
    await install(database_url)
    return database_url


@pytest.fixture
async def sqlite(sqlite_url: str) -> str:
    await install(sqlite_url)
    return sqlite_url


async def test_all_that_is_accepted_is_in_the_log_once(url: str) -> None:
    many, first = [indicator() for _ in range(600)], indicator()
    revoked = version_of(first, DAY_2, revoked=True)
    async with opened(url, push_inline_objects_max=1_000) as hub:
        await keep(hub)
        seen = (await look(hub)).seen
        await give(hub, *many)
        await give(hub, first)
        await keep(hub)
        seen = (await look(hub, seen)).seen
        await give(hub, first, revoked)
        await keep(hub)
        await delete_object(hub, await hub.directory(), await member(hub), "hub", COLLECTION, first["id"], Query(versions=ALL_VERSIONS))
        await keep(hub)
        await keep(hub)
        found = await look(hub, seen)
        async with hub.db.read() as conn:
            assert not await has_pending(conn, hub.now_us())
        entered = Counter(await digests(hub))
        wanted = Counter(digest(obj) for obj in many) + Counter({digest(first): 2, digest(revoked): 2})
        assert wanted <= entered
        kinds = Counter(one.kind for one in told(await served(hub)))
        assert kinds[LeafKind.ADD] == 601
        assert (kinds[LeafKind.REVOKE], kinds[LeafKind.DELETE]) == (1, 2)
        assert found.checkpoint.size == kinds.total()


async def test_a_receipt_is_for_who_may_see_what_it_is_about(url: str) -> None:
    open_to_all, private = indicator(), indicator()
    async with opened(url) as hub:
        await keep(hub)
        await give(hub, open_to_all)
        await give(hub, private, to="private")
        for obj, slug in ((private, "agency"), (open_to_all, "energy")):
            with pytest.raises(Unavailable, match="waits to be entered") as waiting:
                await receipt(hub, obj, slug)
            assert waiting.value.retry_after_s == 1
        for obj, slug in ((private, "energy"), (private, "observer"), (indicator(), "agency")):
            with pytest.raises(NotFound, match="nothing of this digest, or nothing that you may see"):
                await receipt(hub, obj, slug)
        await keep(hub)
        key = await open_log(hub)
        for obj, slugs in ((open_to_all, ("agency", "energy")), (private, ("agency",))):
            for slug in slugs:
                proved = check_receipt(ProofFile.parse(await receipt(hub, obj, slug)), key, object_digest(obj), whole=digest(obj))
                assert proved.told.kind is LeafKind.ADD
        for obj, slug in ((private, "energy"), (private, "observer"), (indicator(), "agency")):
            with pytest.raises(NotFound, match="nothing of this digest, or nothing that you may see"):
                await receipt(hub, obj, slug)
        with pytest.raises(NotFound):  # an administrator sees no content
            await get_receipt(hub, await hub.directory(), COMMAND_LINE, object_digest(open_to_all).hex())
        await delete_object(hub, await hub.directory(), await member(hub), "hub", COLLECTION, open_to_all["id"], Query())
        assert await receipt(hub, open_to_all)
        with pytest.raises(NotFound):
            await receipt(hub, open_to_all, "energy")


async def test_each_equal_copy_has_leaves_of_its_own_and_its_proof_for_who_sees_it(url: str) -> None:
    """Three give the same, the first two take it back: what was served and what was held beside are entered alike."""
    obj = domain_name()
    async with opened(url) as hub:
        await keep(hub)
        before = Counter(one.kind for one in told(await served(hub)))
        for slug in ("energy", "water", "agency"):
            await give(hub, obj, slug=slug)
        await keep(hub)
        for slug in ("water", "energy"):  # held beside, and served
            await delete_object(
                hub, await hub.directory(), await member(hub, slug), "hub", COLLECTION, obj["id"], Query(versions=ALL_VERSIONS)
            )
        await keep(hub)
        assert Counter(one.kind for one in told(await served(hub))) - before == {LeafKind.ADD: 3, LeafKind.DELETE: 2}
        assert Counter(await digests(hub))[digest(obj)] == 5
        await look(hub)
        key = await open_log(hub)
        receipts = [ProofFile.parse(await receipt(hub, obj, slug)) for slug in ("energy", "water", "agency", "observer")]
        proved = [check_receipt(one, key, object_digest(obj), whole=digest(obj)) for one in receipts]
        assert {one.told.kind for one in proved} == {LeafKind.ADD}
        assert receipts[3].index == receipts[2].index, "others get that of the copy that is served"


async def test_a_receipt_waits_for_the_signature(sqlite: str) -> None:
    obj = indicator()
    async with opened(sqlite) as hub:
        await keep(hub)
        await give(hub, obj)
        while await enter(hub):
            pass
        with pytest.raises(Unavailable):
            await receipt(hub, obj)
        await sign(hub)
        assert await receipt(hub, obj)


async def test_a_signed_object_is_found_by_what_is_signed_and_its_signature_is_proved_too(sqlite: str) -> None:
    plain = indicator()
    signed = sign_object(plain, PrivateKey.generate())
    async with opened(sqlite) as hub:
        await keep(hub)
        await hub.db.write(_accept_as_it_is, hub.now_us(), signed)
        with pytest.raises(Unavailable, match="waits to be entered"):
            await receipt(hub, signed)
        await keep(hub)
        entered = await digests(hub)
        assert object_digest(plain) in entered
        assert digest(signed) not in entered


async def _accept_as_it_is(conn: Connection, now_us: int, obj: Object) -> None:
    """Write a version as an append does, whatever admission thinks of its signature."""
    body = json.dumps(obj).encode()
    columns = ("row", "object_row", "version_us", "version", "spec_version", "digest", "producer_id", "accepted_us", "body")
    await conn.insert_many(table("version"), columns, [(1, 1, 0, "", "2.1", digest(obj), AGENCY.id, now_us, body)])
    await conn.insert_many(table("log_pending"), ("due_us", "kind", "about"), [(0, "add", "[1]")])


async def test_what_is_no_version_is_entered_by_its_digest(sqlite: str) -> None:
    said = hashlib.sha256(b"a key was registered").digest()
    async with opened(sqlite) as hub:
        await hub.db.write(add_pending, LeafKind.KEY, said, at_us=hub.now_us())
        await keep(hub)
        content = await get_receipt(hub, await hub.directory(), await member(hub, "observer"), said.hex())
        assert check_receipt(ProofFile.parse(content), await open_log(hub), said).told.kind is LeafKind.KEY


async def test_what_came_before_the_log_began_is_waited_for(url: str) -> None:
    given = indicator()
    async with opened(url) as hub:
        await give(hub, given)
        with pytest.raises(Unavailable, match="waits to be entered"):
            await receipt(hub, given)
        while await enter(hub):
            with pytest.raises(Unavailable, match="about to be signed"):
                await receipt(hub, given)
        with pytest.raises(NotFound, match="nothing of this digest"):
            await receipt(hub, indicator())
        await keep(hub)
        proved = check_receipt(ProofFile.parse(await receipt(hub, given)), await open_log(hub), object_digest(given))
        assert proved.told.kind is LeafKind.ADD


async def test_what_came_to_a_collection_that_is_newer_than_the_request_is_not_there_for_it(url: str) -> None:
    async with opened(url) as hub:
        before, given = await hub.directory(), indicator()
        await add_collection(hub, COMMAND_LINE, title="New", alias="new", readers=["everyone"], writers=["everyone"])
        await give(hub, given, to="new")
        await keep(hub)
        digest = object_digest(given).hex()
        with pytest.raises(NotFound, match="nothing of this digest"):
            await get_receipt(hub, before, await member(hub, "energy"), digest)
        assert await get_receipt(hub, await hub.directory(), await member(hub, "energy"), digest)


async def test_whatever_number_or_text_an_administrator_names_the_trail_is_chained(url: str) -> None:
    async with opened(url) as hub:
        detail = {"at_us": 2**62, "since_us": -(2**60), "name": "\udcff", "\ud800": [2**53, 2**53 - 1, True, None, 0.5]}
        await hub.db.write(partial(add_audit, at_us=now_us(), actor="a\ud800", action="test.do", target="\udfff", detail=detail))
        await keep(hub)
        async with hub.db.read() as conn:
            (entry, *_) = await list_audit(conn, before=None, limit=1)
            assert await last_link(conn) != (0, START)
        assert entry.detail == {
            "at_us": str(2**62), "since_us": str(-(2**60)), "name": "?", "?": [str(2**53), 2**53 - 1, True, None, 0.5]
        }  # fmt: skip
        assert not await is_behind(hub)


async def test_a_tile_is_served_once_a_published_tree_has_it(sqlite: str) -> None:
    async with opened(sqlite) as hub:
        with pytest.raises(NotFound):
            await get_checkpoint(hub)
        await keep(hub)
        size = (await look(hub)).checkpoint.size
        await give(hub, indicator())
        while await enter(hub):
            pass
        with pytest.raises(NotFound):
            await get_tile(hub, "0", f"000.p/{size + 1}")
        await sign(hub)
        assert len(await get_tile(hub, "0", f"000.p/{size + 1}")) == 32 * (size + 1)
        for level, path in (("0", "000"), ("00", "000.p/1"), ("1", "000.p/1"), ("64", "000.p/1"), ("x", "000.p/1"), ("0", "001.p/1")):
            with pytest.raises(NotFound):
                await get_tile(hub, level, path)


async def test_nodes_that_enter_at_the_same_time_make_one_log(postgresql_url: str, tmp_path: Path) -> None:
    await install(postgresql_url)

    async def work(hub: object) -> None:
        for _ in range(6):
            await give(hub, *(indicator() for _ in range(20)))  # type: ignore[arg-type]
            try:
                await catch_up(hub)  # type: ignore[arg-type]
            except Duplicate:
                continue

    async with (
        opened(postgresql_url, keys_dir=str(tmp_path / "keys")) as one,
        opened(postgresql_url, keys_dir=str(tmp_path / "keys")) as two,
    ):
        await keep(one)
        seen = (await look(one)).seen
        await asyncio.gather(work(one), work(two))
        await keep(two)
        found = await look(one, seen)
        kinds = Counter(leaf.kind for leaf in told(await served(two)))
        assert kinds[LeafKind.ADD] == 240
        assert found.checkpoint.size == kinds.total()
        assert await is_sound(one)


async def test_a_database_restored_from_before_the_last_checkpoint_is_not_signed(sqlite: str) -> None:
    async with opened(sqlite) as hub:
        await give(hub, indicator())
        await keep(hub)
    kept = backup_of(sqlite, "backup")
    async with opened(sqlite) as hub:
        await give(hub, indicator(), indicator())
        await keep(hub)
        lost = await look(hub)
    restore(sqlite, kept)
    async with opened(sqlite) as hub:
        published = await get_checkpoint(hub)
        assert not await is_sound(hub)
        assert "backup was too old" in str(hub.log.fault)
        # It goes on serving, and more leaves than were published make it none the better.
        await give(hub, *(indicator() for _ in range(5)))
        while await enter(hub):
            pass
        assert not await is_sound(hub)
        assert "not those that were published" in str(hub.log.fault)
        assert await get_checkpoint(hub) == published
        # The operator begins another log.
        await rename_log(hub, COMMAND_LINE, "hub.example.org/log/2")
        await keep(hub)
        found = await look(hub)
        assert (found.checkpoint.origin, found.checkpoint.size > lost.checkpoint.size) == ("hub.example.org/log/2", True)
        memory = memory_of(hub.config, await open_log(hub))
    assert memory is not None
    assert memory.read_text().startswith("hub.example.org/log/2\n")


async def test_who_runs_a_log_that_nothing_else_remembers_is_warned(
    postgresql_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await install(postgresql_url)
    stop = asyncio.Event()
    stop.set()
    warned = []
    for settings in ({"keys_dir": str(tmp_path / "keys")}, {}):
        db = await open_database(postgresql_url)
        await keep_log(await open_hub(load_config(environ={}, database_url=postgresql_url, **settings), db), stop, "node")
        await db.close()
        warned.append("signed on unnoticed" in caplog.text)
    assert warned == [False, True]


async def test_a_node_whose_keys_are_in_the_database_remembers_beside_it(
    postgres_server: PostgresServer, postgresql_url: str, tmp_path: Path
) -> None:
    await install(postgresql_url)
    async with opened(postgresql_url, state_dir=str(tmp_path)) as hub:
        await give(hub, indicator())
        await keep(hub)
        memory = memory_of(hub.config, await open_log(hub))
    assert memory is not None
    assert memory.read_text().startswith(memory.name.partition("+")[0].replace("%2F", "/"))
    restored = postgres_server.create_database(template=str(make_url(postgresql_url).database))
    async with opened(postgresql_url, state_dir=str(tmp_path)) as hub:
        await give(hub, indicator(), indicator())
        await keep(hub)
    async with opened(postgres_server.url(restored), state_dir=str(tmp_path)) as hub:
        assert not await is_sound(hub)
        assert "backup was too old" in str(hub.log.fault)
    postgres_server.drop_database(restored)


async def test_a_backup_of_the_last_checkpoint_is_signed_on(sqlite: str) -> None:
    async with opened(sqlite) as hub:
        await give(hub, indicator())
        await keep(hub)
        seen = (await look(hub)).seen
    restore(sqlite, backup_of(sqlite, "backup"))
    async with opened(sqlite) as hub:
        await give(hub, indicator())
        await keep(hub)
        assert (await look(hub, seen)).entries > 0


async def test_a_tree_that_was_tampered_with_is_found_at_the_start_and_not_signed(sqlite: str) -> None:
    async with opened(sqlite) as hub:
        await give(hub, *(indicator() for _ in range(300)))
        await keep(hub)
        published = await get_checkpoint(hub)
        whole = await get_tile(hub, "0", "000")
        above = await get_tile(hub, "1", "000.p/1")
    spoilt = [
        (0, bytes([whole[0] ^ 1]) + whole[1:], "tile/1/000 does not hold"),
        (0, b"", "tile/0/000 is missing"),
        (1, bytes([above[0] ^ 1]) + above[1:], "tile/1/000 does not hold"),
    ]
    for level, content, said in spoilt:
        async with opened(sqlite) as hub:
            await hub.db.write(_put_tile, level, content)
            assert not await is_sound(hub)
            assert said in str(hub.log.fault)
            await give(hub, indicator())
            assert await get_checkpoint(hub) == published
            await hub.db.write(_put_tile, level, whole if level == 0 else above)
            assert await is_sound(hub)
    async with opened(sqlite) as hub:
        await keep(hub)
        await look(hub)


async def _put_tile(conn: Connection, level: int, content: bytes) -> None:
    await conn.execute(_PUT_TILE, at_level=level, at=0, content=content)


async def test_a_checkpoint_that_cannot_be_remembered_is_not_published(sqlite: str) -> None:
    async with opened(sqlite) as hub:
        await keep(hub)
        published = await get_checkpoint(hub)
        memory = memory_of(hub.config, await open_log(hub))
        assert memory is not None
        memory.with_name(f".{memory.name}.part").mkdir()  # where it is written first
        await give(hub, indicator())
        with pytest.raises(Unavailable, match="cannot write"):
            await keep(hub)
        assert await get_checkpoint(hub) == published


async def test_what_is_remembered_never_goes_back(sqlite: str) -> None:
    async with opened(sqlite) as hub, opened(sqlite) as other:
        await keep(hub)
        earlier = await get_checkpoint(hub)
        await give(hub, indicator())
        await keep(hub)
        memory = memory_of(hub.config, await open_log(hub))
        assert memory is not None
        remembered = memory.read_text()
        await follow(other, earlier)  # a process that read it before this one published the next
        assert memory.read_text() == remembered
        memory.write_text("nonsense")
        with pytest.raises(Unavailable, match="no checkpoint"):
            await follow(other, await get_checkpoint(hub))
        assert not await is_sound(hub)
