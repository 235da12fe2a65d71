"""The log over HTTP and by command: for everybody what tells nothing, receipts for who may see, and every changed byte named."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web
from click.testing import Result
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.domain.signing.object_signature import object_digest
from hub.service.log_keeping import is_sound, memory_of, open_log
from hub.store.tlog import has_pending
from tests.taxii.community import PRIVATE, SHARED
from tests.taxii.content import Object, indicator
from tests.taxii.site import Site, serve
from tests.tlog.test_auditing import KEY, Log, entry

SHARED_PATH, PRIVATE_PATH = (f"/taxii2/hub/collections/{collection.id}/" for collection in (SHARED, PRIVATE))
WITHIN_S = 30


async def run(*arguments: object, **environ: str) -> Result:
    """Run `hub …` on a thread of its own: it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, cli(), [str(argument) for argument in arguments], env=environ)


async def get(site: Site, path: str, authorization: str | None = None) -> tuple[int, bytes, dict[str, str]]:
    headers = {"Authorization": authorization} if authorization else {}
    async with site.session.get(site.url + path, headers=headers) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again, as a client would, until something is so."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if await is_so():
                return
            await asyncio.sleep(0.02)


async def logged(site: Site, *objects: Object, to: str = SHARED_PATH) -> None:
    """Push objects as the agency, and wait until the log holds them."""
    await site.agency.push(to, *objects)
    agency = site.agency.authorization

    async def is_proved() -> bool:
        answers = [await get(site, f"/trust/v1/proof/{object_digest(obj).hex()}", agency) for obj in objects]
        return all(status == 200 for status, _, _ in answers)

    await until(is_proved)


def file_of(path: Path, *objects: Object) -> Path:
    path.write_text("".join(json.dumps(obj) + "\n" for obj in objects))
    return path


async def test_the_log_is_open_and_receipts_take_a_credential(site: Site) -> None:
    public, private = indicator(), indicator()
    await logged(site, public)
    await logged(site, private, to=PRIVATE_PATH)
    status, note, headers = await get(site, "/log/checkpoint")
    size = int(note.split(b"\n")[1])
    assert (status, headers["Content-Type"], headers["Cache-Control"]) == (200, "text/plain; charset=utf-8", "no-cache")
    for path in (f"/log/tile/0/000.p/{size}", f"/log/tile/entries/000.p/{size}"):
        status, body, headers = await get(site, path)
        assert (status, headers["Content-Type"]) == (200, "application/octet-stream")
        assert "immutable" in headers["Cache-Control"]
        for obj in (public, private):
            assert obj["id"].encode() not in body
            assert object_digest(obj) not in body
    for path in (f"/log/tile/0/000.p/{size + 1}", "/log/tile/0/000", "/log/tile/1/000.p/1", "/log/tile/entries/x", "/log/tile/0/../0/000"):
        assert (await get(site, path))[0] == 404
    path = f"/trust/v1/proof/{object_digest(private).hex()}"
    answers = {who: (await get(site, path, getattr(site, who).authorization))[0] for who in ("agency", "energy", "observer", "admin")}
    assert answers == {"agency": 200, "energy": 404, "observer": 404, "admin": 404}
    assert (await get(site, path))[0] == 401
    status, _, headers = await get(site, path, site.agency.authorization)
    assert (headers["Cache-Control"], ".tlog-proof" in headers["Content-Disposition"]) == ("no-store", True)


async def test_receipts_are_fetched_and_checked_again_without_the_hub(site: Site, tmp_path: Path) -> None:
    held, token = [indicator(), indicator()], site.credentials["energy"][1]
    await logged(site, *held)
    files, receipts = file_of(tmp_path / "held.ndjson", *held), tmp_path / "receipts"
    proved = await run("prove", site.url, files, "--receipts", receipts, "--token", token)
    assert proved.exit_code == 0, proved.output
    assert proved.stdout.count(": add at ") == 2
    key = str(await open_log(site.hub))
    nowhere = "http://127.0.0.1:1"
    again = ("prove", nowhere, files, "--receipts", receipts, "--offline")
    assert (await run(*again, "--log-key", key)).exit_code == 0
    assert "--offline needs --log-key" in (await run(*again)).stderr
    one = receipts / f"{object_digest(held[0]).hex()}.tlog-proof"
    one.write_text(one.read_text().replace("index ", "index 9"))
    spoilt = await run(*again, "--log-key", key)
    assert spoilt.exit_code == 1
    other = receipts / f"{object_digest(held[1]).hex()}.tlog-proof"
    good = other.read_bytes()
    for place in (place for place, byte in enumerate(good) if byte == ord("\n")):
        other.write_bytes(good[:place] + b"\r" + good[place + 1 :])
        returned = await run(*again, "--log-key", key)
        assert (returned.exit_code, returned.stderr.count("\n")) == (1, 2), f"byte {place}"
    other.write_bytes(good)
    assert spoilt.stderr.startswith(held[0]["id"])
    assert spoilt.stderr.count("\n") == 1, "the other one is good"
    changed = file_of(tmp_path / "changed.ndjson", {**held[0], "name": "Changed"})
    unknown = await run("prove", site.url, changed, "--receipts", receipts, "--token", token)
    assert (unknown.exit_code, "nothing of this digest" in unknown.stderr) == (1, True)


async def test_more_receipts_than_a_minute_may_ask_for_are_waited_for(sqlite_url: str, tmp_path: Path) -> None:
    held = [indicator() for _ in range(31)]
    async with serve(sqlite_url, requests_per_min=120) as site:
        await site.agency.push(SHARED_PATH, *held)
        files, token = file_of(tmp_path / "held.ndjson", *held), site.credentials["energy"][1]
        proved = await run("prove", site.url, files, "--receipts", tmp_path / "receipts", "--token", token)
        assert (proved.exit_code, proved.stdout.count(": add at ")) == (0, 31), proved.output
        assert b'status="429"' in (await get(site, "/metrics"))[1]


async def test_an_auditor_checks_a_hub_from_outside_and_holds_it_to_what_it_saw(site: Site, tmp_path: Path) -> None:
    first, second = indicator(), indicator()
    token, state = site.credentials["energy"][1], tmp_path / "state.json"
    await logged(site, first)
    check = ("audit", "check", site.url, "--state", state, "--token", token)
    done = await run(*check, file_of(tmp_path / "first.ndjson", first))
    assert done.exit_code == 0, done.output
    assert "believing the hub" in done.stderr
    assert "1 objects proved; nothing is wrong" in done.stdout
    await logged(site, second)
    done = await run(*check, file_of(tmp_path / "both.ndjson", first, second))
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert " 1 of them checked now, 2 objects proved" in done.stdout
    other = await run(*check, "--log-key", "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k")
    assert (other.exit_code, "--state is of the log" in other.stderr) == (1, True)


async def test_what_is_wrong_with_a_log_is_named_and_ends_the_command_with_1(tmp_path: Path) -> None:
    log = Log([entry(number) for number in range(300)])
    spoilt = {"whole": log, "tile": log.changed("tile/0/000", 0), "entry": log.changed("tile/entries/001.p/44", 50)}
    spoilt["forked"] = Log([entry(0, said="other"), *log.leaves[1:], entry(300)])

    async def answer(request: web.Request) -> web.Response:
        content = spoilt[request.match_info["which"]].files.get(request.match_info["path"])
        return web.Response(status=404) if content is None else web.Response(body=content)

    app = web.Application()
    app.router.add_get("/{which}/log/{path:.+}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    serving = web.TCPSite(runner, "127.0.0.1", 0)
    await serving.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    key = ("--log-key", KEY)
    try:
        results = {which: await run("audit", "check", f"{url}/{which}", *key) for which in ("whole", "tile", "entry")}
        state = ("--state", tmp_path / "state.json")
        assert (await run("audit", "check", f"{url}/whole", *key, *state)).exit_code == 0
        results["forked"] = await run("audit", "check", f"{url}/forked", *key, *state)
    finally:
        await runner.cleanup()
    assert {which: result.exit_code for which, result in results.items()} == {"whole": 0, "tile": 1, "entry": 1, "forked": 1}
    assert results["tile"].stderr == "WRONG: tile/0/000: hash 0 is not that of entry 0\n"
    assert "WRONG: tile/entries/001.p/44: entry 256" in results["entry"].stderr
    assert "300 leaves seen before" in results["forked"].stderr


async def test_the_audit_trail_is_exported_whole_and_a_changed_line_is_named(site: Site, tmp_path: Path) -> None:
    settings = {"HUB_DATABASE_URL": site.hub.config.database_url}
    for slug in ("north", "south"):
        added = await run("member", "add", slug, "--name", slug.title(), "--kind", "operator", **settings)
        assert added.exit_code == 0, added.output

    async def is_chained() -> bool:
        async with site.hub.db.read() as conn:
            return not await has_pending(conn, site.hub.now_us()) and (await run("audit", "export", exported, **settings)).exit_code == 0

    exported = tmp_path / "trail.ndjson"
    await until(is_chained)
    key = str(await open_log(site.hub))
    verified = await run("audit", "verify", exported, "--log-key", key)
    assert verified.exit_code == 0, verified.output
    *lines, receipt = exported.read_text().splitlines()
    place = next(n for n, line in enumerate(lines) if "member.add" in line)
    for said, changed in (
        (f"line {place + 1} ", [*lines[:place], lines[place].replace("member.add", "member.odd"), *lines[place + 1 :], receipt]),
        (f"line {place + 1} is missing", [*lines[:place], *lines[place + 1 :], receipt]),
        ("the leaf is about other content", [*lines[:-1], receipt]),
        ("line 1 is not what", [lines[0].replace('"actor":', '"actor": "nobody", "actor":'), *lines[1:], receipt]),
        ("occurs twice", [*lines, receipt.replace('"receipt":', '"receipt": "", "receipt":')]),
        ("line 1 is not what", [f"{lines[0]}\r{lines[1]}", *lines[2:], receipt]),
        ("its last line is not the receipt", lines),
    ):
        exported.write_text("\n".join(changed) + "\n")
        failed = await run("audit", "verify", exported, "--log-key", key)
        assert (failed.exit_code, said in failed.stderr) == (1, True), failed.output


async def test_a_line_that_the_owner_of_the_database_changes_or_deletes_is_named(site: Site, tmp_path: Path) -> None:
    url, exported = site.hub.config.database_url, tmp_path / "trail.ndjson"

    async def is_chained() -> bool:
        return (await run("audit", "export", exported, HUB_DATABASE_URL=url)).exit_code == 0

    await until(is_chained)
    lines, key = len(exported.read_text().splitlines()) - 1, str(await open_log(site.hub))
    with contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        for (trigger,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'").fetchall():
            database.execute(f"DROP TRIGGER {trigger}")  # whoever owns the database can do so
        for number, tampering in (
            (lines, "DELETE FROM audit"),
            (2, "UPDATE audit SET actor = 'nobody'"),
            (1, "DELETE FROM audit"),
        ):
            with database:
                database.execute(f"{tampering} WHERE row = (SELECT audit_row FROM audit_chain WHERE number = ?)", (number,))
            assert await is_chained()
            failed = await run("audit", "verify", exported, "--log-key", key)
            assert f"line {number} (row" in failed.stderr, failed.output


async def test_a_log_that_cannot_be_signed_is_told_to_operators_while_the_hub_serves(site: Site) -> None:
    async def ready() -> dict[str, object]:
        status, body, _ = await get(site, "/readyz")
        assert status == 200
        return dict(json.loads(body))

    await logged(site, indicator())
    assert "warnings" not in await ready()
    memory = memory_of(site.hub.config, await open_log(site.hub))
    assert memory is not None
    memory.write_text(memory.read_text().replace("\n", "\n9", 1))  # more leaves than there are, signed by nobody
    assert not await is_sound(site.hub)
    assert (await ready())["warnings"] == ["the transparency log is not signed"]
    await site.agency.push(SHARED_PATH, indicator())

    async def is_alarm() -> bool:
        return b"hub_log_fault 1.0" in (await get(site, "/metrics"))[1]

    await until(is_alarm)


async def test_a_log_that_cannot_be_remembered_waits_is_told_to_operators_and_goes_on_once_it_can(site: Site) -> None:
    async def warns() -> bool:
        return "warnings" in json.loads((await get(site, "/readyz"))[1])

    async def is_well() -> bool:
        return not await warns()

    await logged(site, indicator())
    memory = memory_of(site.hub.config, await open_log(site.hub))
    assert memory is not None
    in_the_way = memory.with_name(f".{memory.name}.part")
    in_the_way.mkdir()
    await site.agency.push(SHARED_PATH, obj := indicator())
    await until(warns)
    in_the_way.rmdir()
    await until(is_well)
    assert (await get(site, f"/trust/v1/proof/{object_digest(obj).hex()}", site.agency.authorization))[0] == 200


async def test_the_operator_is_shown_what_members_and_witnesses_need(site: Site) -> None:
    await logged(site, indicator())
    shown = await run("log", "show", HUB_DATABASE_URL=site.hub.config.database_url)
    assert shown.exit_code == 0, shown.output
    assert f"verifier key: {await open_log(site.hub)}" in shown.stdout
    assert (await get(site, "/log/key"))[1].decode().strip() in shown.stdout
