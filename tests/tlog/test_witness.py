"""Witnesses: what they cosign, what the hub does with that, and how they stop a log that went back, but not by their word alone."""

import asyncio
import contextlib
import hashlib
import json
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from sqlalchemy import bindparam, delete, update
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.config import Config
from hub.domain.canonical import digest
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.auditing import audit
from hub.domain.tlog.checkpoint import Checkpoint, log_key, sign_checkpoint
from hub.domain.tlog.cosignature import cosigned_at, witness_key
from hub.domain.tlog.note import Note, VerifierKey, parse_signatures
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import check_receipt
from hub.domain.tlog.tiles import Tile
from hub.domain.tlog.tree import hash_children, hash_leaf
from hub.domain.tlog.witness import AddCheckpoint
from hub.errors import ConfigError, Invalid, NotFound, Unavailable
from hub.outbound.witness import WitnessClient
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.log_keeping import is_behind, is_sound, memory_of, open_log, rename_log
from hub.service.proofs import get_checkpoint
from hub.service.witnessing import Witness as Known
from hub.service.witnessing import configured_witnesses, have_cosigned
from hub.store.database import Connection, prepare
from hub.store.tables import table
from hub.store.tlog import read_tiles
from hub.web.witness import Witness, build_witness
from hub.work.tlog import keep_log
from tests.taxii.content import indicator
from tests.taxii.site import prepare as install
from tests.taxii.site import serve_again
from tests.tlog.place import backup_of, give, keep, opened, receipt, restore, served
from tests.tlog.test_served import until

ORIGIN, NAME = "hub.example.org/log", "witness.example/w1"
LOG, STRANGER = PrivateKey.generate(), PrivateKey.generate()
A, B, C = (hash_leaf(name) for name in (b"a", b"b", b"c"))
ROOTS = {1: A, 2: hash_children(A, B), 3: hash_children(hash_children(A, B), C)}
LEAF, TILE, CHECKPOINT, COSIGNATURE = (table(f"log_{name}") for name in ("leaf", "tile", "checkpoint", "cosignature"))
_FORGET = prepare(delete(COSIGNATURE))
_UNDO_LEAVES = prepare(delete(LEAF).where(LEAF.c.number >= bindparam("size")))
_UNDO_TILE = prepare(update(TILE).where(TILE.c.level == 0, TILE.c.number == 0).values(hashes=bindparam("kept")))
_UNDO_SIGNED = [prepare(delete(signed).where(signed.c.size > bindparam("size"))) for signed in (COSIGNATURE, CHECKPOINT)]


@contextlib.asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


CLOCK_S = 1_800_000_000  # the witness's time


def witness_of(key: VerifierKey, directory: Path) -> Witness:
    directory.mkdir(exist_ok=True)
    return Witness(NAME, PrivateKey.generate(), {key.name: key}, directory, now_s=lambda: CLOCK_S)


def request(old: int, size: int, *proof: bytes, root: bytes | None = None, origin: str = ORIGIN, signer: PrivateKey = LOG) -> str:
    return str(AddCheckpoint(old, proof, sign_checkpoint(Checkpoint(origin, size, root or ROOTS[size]), signer)))


async def test_a_witness_answers_as_the_protocol_says(tmp_path: Path) -> None:
    witness = witness_of(log_key(ORIGIN, LOG), tmp_path)
    async with listening(build_witness(witness)) as url, aiohttp.ClientSession() as session:

        async def add(content: str) -> tuple[int, str, str]:
            async with session.post(f"{url}/add-checkpoint", data=content.encode()) as answer:
                return answer.status, await answer.text(), answer.headers["Content-Type"]

        watched = f"{url}/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint"
        async with session.get(watched) as answer:
            assert answer.status == 404
        assert (await add(request(0, 1, origin="other.example/log")))[0] == 404
        assert (await add(request(0, 1, signer=STRANGER)))[0] == 403
        assert (await add("old 0\n\nnonsense"))[0] == 400
        assert (await add(request(2, 1)))[0] == 400
        assert (await add(request(0, 1, A)))[0] == 422
        assert await add(request(1, 2, B)) == (409, "0\n", "text/x.tlog.size")
        status, lines, _ = await add(request(0, 1))
        text = Checkpoint(ORIGIN, 1, A).text()
        assert (status, cosigned_at(Note(text, parse_signatures(lines)), witness_key(NAME, witness.signer))) == (200, CLOCK_S)
        # Of two that come at once, one goes on from what is no longer the last.
        together = await asyncio.gather(add(request(1, 2, B)), add(request(1, 3, hash_children(B, B), root=C)), add(request(1, 2, B)))
        assert sorted(status for status, _, _ in together)[:1] == [200]
        assert {status for status, _, _ in together} <= {200, 409, 422}
        assert (await add(request(2, 2, root=C)))[0] == 422
        assert (await add(request(2, 3, C)))[0] == 200
    # Another process goes on where this one was.
    async with listening(build_witness(witness)) as url, aiohttp.ClientSession() as session:
        async with session.post(f"{url}/add-checkpoint", data=request(2, 3, C).encode()) as answer:
            assert (answer.status, await answer.text()) == (409, "3\n")
        async with session.get(f"{url}/{hashlib.sha256(ORIGIN.encode()).hexdigest()}/checkpoint") as answer:
            note = Note.parse(await answer.text())
    note.require(log_key(ORIGIN, LOG))
    assert cosigned_at(note, witness_key(NAME, witness.signer)) is not None


@contextlib.asynccontextmanager
async def witnessed(hub: Hub, tmp_path: Path) -> AsyncIterator[tuple[Known, WitnessClient]]:
    witness = witness_of(await open_log(hub), tmp_path / "witness")
    async with listening(build_witness(witness)) as url, WitnessClient() as client:
        yield Known(witness_key(NAME, witness.signer), url), client


async def test_what_a_witness_cosigned_is_served_and_stands_in_receipts(database_url: str, tmp_path: Path) -> None:
    await install(database_url)
    obj = indicator()
    async with opened(database_url, keys_dir=str(tmp_path / "keys")) as hub, witnessed(hub, tmp_path) as (known, client):
        for _ in range(3):
            await give(hub, obj, indicator())
            await keep(hub)
            assert await have_cosigned(hub, client, known)
            assert cosigned_at(Note.parse(await get_checkpoint(hub)), known.key) == CLOCK_S
        # What it is asked again it has said already.
        assert await have_cosigned(hub, client, known)
        # A checkpoint that nobody cosigned yet is served, but receipts go by the last one that is.
        await give(hub, indicator())
        await keep(hub)
        assert cosigned_at(Note.parse(await get_checkpoint(hub)), known.key) is None
        assert cosigned_at(ProofFile.parse(await receipt(hub, obj)).note, known.key) == CLOCK_S
        # A hub that knows less than the witness is told, and goes on from there, be it behind or at the same size.
        for _ in range(2):
            await hub.db.write(lambda conn: conn.execute(_FORGET))
            assert await have_cosigned(hub, client, known)
            assert cosigned_at(Note.parse(await get_checkpoint(hub)), known.key) == CLOCK_S


async def test_a_hub_that_serves_has_its_checkpoints_cosigned(sqlite_url: str, tmp_path: Path) -> None:
    await install(sqlite_url)
    async with opened(sqlite_url) as hub:
        witness = witness_of(await open_log(hub), tmp_path / "witness")
    key = witness_key(NAME, witness.signer)
    async with (
        listening(build_witness(witness)) as url,
        serve_again(sqlite_url, {}, log_witnesses=(f"{key} {url}",)) as site,
        asyncio.timeout(30),
    ):
        cosigned_s = None
        while cosigned_s is None:
            await asyncio.sleep(0.05)
            async with site.session.get(f"{site.url}/log/checkpoint") as answer:
                cosigned_s = cosigned_at(Note.parse(await answer.text()), key) if answer.status == 200 else None
    assert cosigned_s == CLOCK_S


async def test_a_witness_stops_a_log_that_went_back_where_nothing_else_remembers(sqlite_url: str, tmp_path: Path) -> None:
    await install(sqlite_url)
    async with opened(sqlite_url) as hub:
        await keep(hub)
    kept = backup_of(sqlite_url, "backup")
    async with opened(sqlite_url) as hub, witnessed(hub, tmp_path) as (known, client):
        await give(hub, indicator())
        await keep(hub)
        assert await have_cosigned(hub, client, known)
        await hub.db.close()
        restore(sqlite_url, kept)
        memory = memory_of(hub.config, await open_log(hub))
        assert memory is not None
        memory.unlink()
        async with opened(sqlite_url) as restored:
            assert await is_sound(restored)
            await keep(restored)
            with pytest.raises(Unavailable, match="does not cosign"):
                await have_cosigned(restored, client, known)
            assert not await is_sound(restored)
            assert "backup was too old" in str(restored.log.fault)


async def test_a_backup_that_a_witness_cosigned_is_not_signed_where_nothing_else_remembers_and_a_restart_forgets_nothing(
    database_url: str, tmp_path: Path
) -> None:
    """On PostgreSQL, a hub without `keys_dir`. The database is put back by taking away what came since."""
    await install(database_url)
    async with opened(database_url) as hub, witnessed(hub, tmp_path) as (known, client):
        await give(hub, indicator())
        await keep(hub)
        assert await have_cosigned(hub, client, known)
        before = Checkpoint.parse(Note.parse(await get_checkpoint(hub)).text).size
        await give(hub, indicator())
        await keep(hub)
        assert await have_cosigned(hub, client, known)
        await hub.db.write(_put_back, before)
        settings = {"log_witnesses": (f"{known.key} {known.url}",)}
        async with opened(database_url, **settings) as restored:
            await forget(restored)
            published = await get_checkpoint(restored)
            await give(restored, indicator(), indicator())
            await keep_for_a_while(restored)
            assert "backup was too old" in str(restored.log.fault)
            assert await get_checkpoint(restored) == published
        # The evidence outlives the process, with nobody to show it again.
        async with opened(database_url) as restarted:
            assert not await is_sound(restarted)
            assert await get_checkpoint(restarted) == published
            await rename_log(restarted, COMMAND_LINE, "hub.example.org/log/2")
            await keep(restarted)
            assert (await get_checkpoint(restarted)).startswith("hub.example.org/log/2\n")


async def test_who_knows_a_witness_finds_a_cosignature_that_is_bad_or_missing(sqlite_url: str, tmp_path: Path) -> None:
    await install(sqlite_url)
    obj = indicator()
    async with opened(sqlite_url) as hub, witnessed(hub, tmp_path) as (known, client):
        await give(hub, obj)
        await keep(hub)
        log, plain, digests = str(await open_log(hub)), await receipt(hub, obj), (object_digest(obj), digest(obj))
        assert await have_cosigned(hub, client, known)
        cosigned, files = await receipt(hub, obj), dict(await served(hub))
        before, _, last = cosigned.rpartition(" ")
        spoilt = f"{before} {last[:20]}{'A' if last[20] != 'A' else 'B'}{last[21:]}"
        key = await open_log(hub)
        for text, said in ((cosigned, None), (plain, "no cosignature of"), (spoilt, "is not over this checkpoint")):
            note = str(ProofFile.parse(text).note).encode()
            with pytest.raises(Invalid, match=said) if said else contextlib.nullcontext():
                check_receipt(ProofFile.parse(text), key, digests[0], whole=digests[1], witnesses=[known.key])
            with pytest.raises(Invalid, match=said) if said else contextlib.nullcontext():
                audit(lambda path, note=note: {**files, "checkpoint": note}[path], key, None, [known.key])  # type: ignore[misc]
    held = tmp_path / "held.json"
    held.write_text(json.dumps(obj))
    path = tmp_path / f"{digests[0].hex()}.tlog-proof"
    command = ["prove", "http://127.0.0.1:1", str(held), "--receipts", str(tmp_path), "--offline", "--log-key", log, "--witness"]
    for text, witness, said in (
        (cosigned, known.key, ""), (plain, known.key, "no cosignature of"), (spoilt, known.key, "is not over this checkpoint"),
        (cosigned, witness_key(NAME, STRANGER), "no cosignature of"), (cosigned, log, "this is a log's key"),
    ):  # fmt: skip
        path.write_text(text)
        result = CliRunner().invoke(cli(), [*command, str(witness)])
        assert (result.exit_code, said in result.stderr) == (1 if said else 0, True), result.output


SILENT = f"{witness_key(NAME, STRANGER)} http://127.0.0.1:1"


async def test_a_log_waits_for_a_witness_where_nothing_else_remembers(postgresql_url: str, tmp_path: Path) -> None:
    await install(postgresql_url)
    async with opened(postgresql_url, log_witnesses=(SILENT,)) as hub:
        await keep_for_a_while(hub)
        assert "no witness tells" in str(hub.log.hindrance)
        with pytest.raises(NotFound):
            await get_checkpoint(hub)
    # One of them tells: that will do.
    async with (
        opened(postgresql_url) as hub,
        witnessed(hub, tmp_path) as (known, _),
        opened(postgresql_url, log_witnesses=(SILENT, f"{known.key} {known.url}")) as heard,
    ):
        await give(heard, indicator())
        await keep_for_a_while(heard)
        assert heard.log.is_signed
        assert await get_checkpoint(hub)


async def test_a_log_that_remembers_waits_for_no_witness(sqlite_url: str) -> None:
    await install(sqlite_url)
    async with opened(sqlite_url, log_witnesses=(SILENT,)) as hub:
        await keep_for_a_while(hub)
        assert hub.log.is_signed
        assert await get_checkpoint(hub)


async def keep_for_a_while(hub: Hub) -> None:
    """Run the loop that keeps the log until it has done, or found, what there is."""
    stop, before = asyncio.Event(), hub.log.fault
    running = asyncio.create_task(keep_log(hub, stop, "node"))

    async def is_done() -> bool:
        found = hub.log.hindrance is not None or hub.log.fault != before
        return found or (hub.log.are_witnesses_heard and not await is_behind(hub))

    await until(is_done)
    stop.set()
    await running


async def _put_back(conn: Connection, size: int) -> None:
    """Take away the leaves from `size` on, of a log of one tile, and what was signed of them."""
    await conn.execute(_UNDO_LEAVES, size=size)
    await conn.execute(_UNDO_TILE, kept=(await read_tiles(conn, [Tile(0, 0)]))[Tile(0, 0)][: size * 32])
    for statement in _UNDO_SIGNED:
        await conn.execute(statement, size=size)


async def forget(hub: Hub) -> None:
    """Remove what the node remembers of the log by itself, if it has such a place."""
    memory = memory_of(hub.config, await open_log(hub))
    if memory is not None:
        memory.unlink()


async def test_a_witness_that_lies_stops_nothing(sqlite_url: str) -> None:
    await install(sqlite_url)
    async with opened(sqlite_url) as hub:
        key = await open_log(hub)
        await keep(hub)
        app = web.Application()
        forged = str(sign_checkpoint(Checkpoint(key.name, 1_000, A), STRANGER))

        async def lie(request: web.Request) -> web.Response:
            return web.Response(status=409, text="1000\n") if request.method == "POST" else web.Response(text=forged)

        app.router.add_route("*", "/{path:.*}", lie)
        async with listening(app) as url, WitnessClient() as client:
            with pytest.raises(Unavailable, match="not this log's"):
                await have_cosigned(hub, client, Known(witness_key(NAME, STRANGER), url))
        assert await is_sound(hub)
        with pytest.raises(Unavailable, match="does not answer"):
            async with WitnessClient() as client:
                await have_cosigned(hub, client, Known(witness_key(NAME, STRANGER), "http://127.0.0.1:1"))


@pytest.mark.parametrize(
    "setting",
    [
        "nonsense https://w.example/",
        f"{log_key(ORIGIN, LOG)} https://w.example/",
        f"{witness_key(NAME, LOG)} ftp://w",
        f"{witness_key(NAME, LOG)} http://[::1",
        f"{witness_key(NAME, LOG)} https:///witness",
        f"{witness_key(NAME, LOG)} https://w.example:0/",
    ],
    ids=[
        "no_key",
        "the_key_of_a_log",
        "no_address_of_http",
        "brackets_that_do_not_match",
        "no_host",
        "no_port",
    ],  # the keys differ in each process
)
def test_a_setting_that_names_no_witness_is_refused(setting: str) -> None:
    with pytest.raises(ConfigError, match="log_witnesses"):
        configured_witnesses(Config(log_witnesses=(setting,)))


def test_a_witness_that_cannot_listen_says_so_and_nothing_else(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = ["witness", str(tmp_path), "--name", NAME, "--log-key", str(log_key(ORIGIN, LOG)), "--port", str(port)]
        result = CliRunner().invoke(cli(), command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"cannot listen on 127.0.0.1, port {port}: Address already in use; give --host or --port\n"


def test_a_witness_refuses_a_key_that_is_no_logs_and_one_of_its_own_that_others_may_read(tmp_path: Path) -> None:
    def told(log_key: object) -> str:
        result = CliRunner().invoke(cli(), ["witness", str(tmp_path), "--name", NAME, "--log-key", str(log_key)])
        assert result.exit_code == 1
        return result.stderr

    assert "this is a witness's key" in told(witness_key(NAME, LOG))
    (tmp_path / "witness.pem").write_bytes(PrivateKey.generate().to_pem())
    (tmp_path / "witness.pem").chmod(0o644)
    assert "may be read by others" in told(log_key(ORIGIN, LOG))
