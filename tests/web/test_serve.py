"""`hub serve`, `hub migrate` and `hub check-config`, as processes that are signalled and killed."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import aiohttp
import pytest
from typer.testing import CliRunner

from hub.__main__ import cli
from tests.web.certificates import Authority
from tests.web.hubs import WITHIN_S, Process, command, environment, is_running, prepare, serve_process, until

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"


async def ask(hub: Process, path: str = "/healthz", **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(hub.url + path, headers=headers) as answer:
        return answer.status, await answer.text()


async def until_logged(event: str, hub: Process) -> None:
    await until(lambda: any(json.loads(line)["event"] == event for line in hub.logged()))


async def until_refused(hub: Process) -> None:
    """Wait until nobody listens on the hub's port."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", hub.port)
            except ConnectionError:  # refused; or reset, where it came at the very moment
                return
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def invoke(*words: str, database_url: str, **settings: Any) -> tuple[int, str, str]:
    """Run `hub …` in this process, where it needs none of its own, and return its code, its output and what it says on stderr."""
    environ = environment(database_url, **settings)
    done = await asyncio.to_thread(CliRunner().invoke, cli(), words, env=environ)
    return done.exit_code, done.stdout, done.stderr


# --- start


async def test_a_database_that_is_not_there_or_not_migrated_is_refused_with_what_to_run(tmp_path: Path, postgresql_url: str):
    path = tmp_path / "hub.sqlite3"
    code, output, said = await command("serve", database_url=f"sqlite:///{path}")
    assert (code, output, said) == (1, "", f"there is no database {path}; run `hub migrate` first\n")
    assert not path.exists()
    path.touch()
    code, output, said = await command("serve", database_url=f"sqlite:///{path}")
    assert (code, output, said) == (1, "", "the database is empty; run `hub migrate` first\n")
    # Migrated, as every database of the tests, but never made a hub.
    code, output, said = await command("serve", database_url=postgresql_url, workers=2)
    assert (code, output) == (1, "")
    assert said.splitlines() == [
        "the database holds no hub yet; run `hub migrate` first",
        "the hub could not start; its first worker said why",
    ]


async def test_migrate_makes_a_hub_once_which_one_process_serves_alone(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/folder/hub.sqlite3"
    code, first, _ = await invoke("migrate", database_url=url)
    assert code == 0
    assert first.splitlines()[0].startswith(f"{url} has schema ")
    assert "initialised a new hub" in first
    code, second, _ = await invoke("migrate", database_url=url)
    assert code == 0
    assert "left as it is" in second
    async with serve_process(url, tmp_path) as hub:
        assert (await ask(hub, "/readyz"))[0] == 200
        assert "public_url" not in hub.logged()[0], "nobody but this machine reaches it"
        # Another hub is told that the port is taken, and a hangup changes nothing: one process has no workers to replace.
        code, _, said = await command("serve", database_url=url, listen_port=hub.port)
        assert (code, said) == (1, f"cannot listen on 127.0.0.1 port {hub.port}: Address already in use\n")
        code, _, said = await command("serve", database_url=url)
        assert code == 1
        assert said.startswith(f"another process serves {tmp_path}/folder/hub.sqlite3, and SQLite serves one: end that process, or set ")
        hub.tell(signal.SIGHUP)
        await until_logged("there is no certificate to read again; settings take a restart", hub)
        assert (await ask(hub, "/readyz"))[0] == 200


async def test_serving_others_without_a_public_address_is_warned_of(sqlite_url: str, tmp_path: Path):
    await prepare(sqlite_url)
    async with serve_process(sqlite_url, tmp_path, listen_host="0.0.0.0") as hub:
        assert "public_url is not set" in hub.logged()[0]


async def test_check_config_shows_what_counts_without_passwords_and_what_is_wrong(tmp_path: Path, sqlite_url: str):
    await prepare(sqlite_url)
    code, output, said = await invoke("check-config", database_url=sqlite_url, title="Our Hub")
    assert (code, said) == (0, "")
    assert "title = 'Our Hub'" in output.splitlines()
    code, output, said = await invoke(
        "check-config", database_url="postgresql://hub:geheim@127.0.0.1:1/hub", proxy_addresses="nobody",
        tls_cert_file=tmp_path / "absent.pem", tls_key_file=tmp_path / "absent.key",
    )  # fmt: skip
    assert code == 1
    assert "geheim" not in output + said
    problems = [line.partition(": ")[2].partition(":")[0] for line in said.splitlines()]
    assert problems == ["proxy_addresses", "tls_cert_file, tls_key_file", "cannot connect to PostgreSQL"]
    code, output, said = await invoke("check-config", database_url=sqlite_url, workers=0)
    assert (code, output, said) == (1, "", "workers: 0 is too small; 1 is the least\n")


async def test_check_config_tells_what_would_keep_the_hub_from_serving_and_makes_nothing(tmp_path: Path, sqlite_url: str):
    await prepare(sqlite_url)
    (tmp_path / "file").touch()
    before = names(tmp_path)

    async def problem(**settings: Any) -> str:
        code, _, said = await invoke("check-config", database_url=sqlite_url, public_url="https://hub.example", **settings)
        assert (code, said.count("\n")) == (1, 1), said
        return said.removeprefix("problem: ")

    assert (await invoke("check-config", database_url=sqlite_url))[0] == 0
    assert (await problem(keys_dir=tmp_path / "file" / "keys")).startswith("keys_dir: cannot write to ")
    assert names(tmp_path) == before, "the first keys are made by who serves"
    assert (await problem(log_witnesses="nobody https://w.example")).startswith("log_witnesses: ")
    assert await problem(listen_host="::zz") == "cannot listen on ::zz: Name or service not known\n"

    async with serve_process(sqlite_url, tmp_path) as hub:
        assert (await invoke("check-config", database_url=sqlite_url, listen_port=hub.port))[0] == 0, "beside the hub that serves"
    assert "is not here: copy it" in await problem(keys_dir=tmp_path / "elsewhere")
    assert not (tmp_path / "elsewhere").exists()
    (tmp_path / "passphrase").write_text("another")
    (tmp_path / "passphrase").chmod(0o400)
    assert "the passphrase is wrong" in await problem(keys_passphrase_file=tmp_path / "passphrase")


async def test_a_secret_key_that_is_short_or_cannot_be_read_is_refused(tmp_path: Path):
    url = f"sqlite:///{tmp_path}/hub.sqlite3"
    key = tmp_path / "secret-key"
    key.write_text("x" * 31 + "\n")
    code, _, said = await invoke("migrate", database_url=url, secret_key_file=key)
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith(f"secret_key_file: {key} holds 31 bytes, and 32 are the least; `openssl rand -base64 48` ")
    assert not (tmp_path / "hub.sqlite3").exists()
    key.write_text("x" * 32 + "\n")
    assert (await invoke("migrate", database_url=url, secret_key_file=key))[0] == 0
    assert (await invoke("check-config", database_url=url, secret_key_file=key))[0] == 0
    for file, reason in ((tmp_path / "none", "No such file or directory"), (tmp_path, "Is a directory")):
        for words in ("serve", "migrate"):
            code, _, said = await command(words, database_url=url, secret_key_file=file)
            assert (code, said) == (1, f"secret_key_file: cannot read {file}: {reason}\n")


async def test_an_address_that_is_none_is_told_in_one_line(sqlite_url: str):
    code, _, said = await command("serve", "--host", "::zz", database_url=sqlite_url)
    assert (code, said) == (1, "cannot listen on ::zz: Name or service not known\n")


async def test_a_database_that_cannot_be_opened_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "hub.sqlite3").write_text("no database at all, but a text that is long enough to be taken for one" * 9)
    for words in ("serve", "check-config", "migrate"):
        code, _, said = await command(words, database_url=f"sqlite:///{tmp_path}/hub.sqlite3")
        assert (code, said.removeprefix("problem: ")) == (
            1, f"cannot open the SQLite database {tmp_path}/hub.sqlite3: file is not a database\n"
        )  # fmt: skip


async def test_one_postgresql_url_serves_migrate_check_config_and_serve(tmp_path: Path, postgresql_url: str):
    url = f"{postgresql_url}&sslmode=disable&application_name=hub%20one&password=geheim"
    code, output, said = await invoke("migrate", database_url=url)
    assert code == 0, said
    assert "geheim" not in output
    code, output, said = await invoke("check-config", database_url=url)
    assert code == 0, said
    assert "geheim" not in output
    async with serve_process(url, tmp_path) as hub:
        assert (await ask(hub, "/readyz"))[0] == 200
    for words in ("serve", "check-config", "migrate"):
        code, _, said = await command(words, database_url=f"{postgresql_url}&sslmode=bogus")
        assert (code, said.splitlines()[0].removeprefix("problem: ").partition(" parameter")[0]) == (
            1, "cannot connect to PostgreSQL: `sslmode`"
        )  # fmt: skip
        assert "Traceback" not in said


async def test_a_database_that_only_reads_is_told_in_one_line(tmp_path: Path, postgresql_url: str):
    await prepare(postgresql_url)
    async with serve_process(postgresql_url, tmp_path) as hub:  # which makes the keys
        assert (await ask(hub))[0] == 200
    url = f"{postgresql_url}&default_transaction_read_only=on"
    for words in (("migrate",), ("group", "add", "circle", "--name", "Circle")):
        code, _, said = await command(*words, database_url=url)
        assert (code, said) == (1, "the database cannot take this now; try again later\n")
    async with serve_process(url, tmp_path) as hub:
        await asyncio.sleep(1.5)  # all loops have tried
        assert (await ask(hub))[0] == 200
        assert not any("exception" in json.loads(line) for line in hub.logged())


# --- end


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_hub_that_is_told_to_end_answers_what_it_was_sent_and_then_ends(sqlite_url: str, tmp_path: Path, number: signal.Signals):
    token = await prepare(sqlite_url)
    async with serve_process(sqlite_url, tmp_path) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        idle, idle_writer = await asyncio.open_connection("127.0.0.1", hub.port)
        idle_writer.write(HEALTH)
        await idle.readuntil(b"}")
        path = "/taxii2/hub/collections/none/objects/"
        head = [f"POST {path} HTTP/1.1", "Host: hub", f"Authorization: Bearer {token}", "Content-Type: application/taxii+json;version=2.1"]
        writer.write("\r\n".join([*head, "Content-Length: 4", "Expect: 100-continue", "", ""]).encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        hub.tell(number)
        await until_refused(hub)
        writer.write(b"null")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 4"), answer
        assert b"Connection: close" in answer
        assert await idle.read() == b""
        assert await hub.end() == 0
        writer.close()
        idle_writer.close()


async def test_what_is_not_finished_in_time_is_cut_off(sqlite_url: str, tmp_path: Path):
    token = await prepare(sqlite_url)
    async with serve_process(sqlite_url, tmp_path, drain_s=1) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(
            f"POST /api/v1/tokens HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {token}\r\nExpect: 100-continue\r\n"
            "Content-Type: application/json\r\nContent-Length: 4\r\n\r\n".encode()
        )
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        hub.tell(signal.SIGTERM)
        assert await hub.end() == 0
        writer.close()


async def test_a_certificate_is_read_anew_at_a_hangup(sqlite_url: str, tmp_path: Path):
    await prepare(sqlite_url)
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    server = old.issue("server")
    async with serve_process(sqlite_url, tmp_path, tls_cert_file=server.certificate, tls_key_file=server.key) as hub:

        async def trusted(authority: Authority) -> bool:
            async with aiohttp.ClientSession() as session:
                try:
                    async with session.get(f"{hub.url}/healthz", ssl=authority.trusting()) as answer:
                        return answer.status == 200
                except aiohttp.ClientConnectorCertificateError:
                    return False

        assert (await trusted(old), await trusted(new)) == (True, False)
        new.issue("server")  # in the same files
        hub.tell(signal.SIGHUP)
        await until_logged("the TLS certificate was read again", hub)
        assert (await trusted(old), await trusted(new)) == (False, True)


# --- several processes


@pytest.fixture
async def workers(postgresql_url: str, tmp_path: Path) -> AsyncIterator[tuple[Process, str]]:
    token = await prepare(postgresql_url)
    async with serve_process(postgresql_url, tmp_path, workers=2, requests_per_min=0, keys_dir=tmp_path / "keys") as hub:
        yield hub, token


class Load:
    """Clients that ask all the time: one on a connection that it keeps, one on a new connection each time."""

    def __init__(self, hub: Process, token: str) -> None:
        self._hub = hub
        self._headers = {"Authorization": f"Bearer {token}"}
        self.statuses: list[int] = []
        self._stop = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._ask(keep=keep)) for keep in (True, False)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop.set()
        await asyncio.gather(*self._tasks)

    async def _ask(self, *, keep: bool) -> None:
        connector = aiohttp.TCPConnector(force_close=not keep)
        async with aiohttp.ClientSession(connector=connector, headers=self._headers) as session:
            while not self._stop.is_set():
                async with session.post(f"{self._hub.url}/taxii2/", data=b"") as answer:  # a POST is not sent again by itself
                    self.statuses.append(answer.status)
                async with session.get(f"{self._hub.url}/taxii2/hub/collections/") as answer:
                    self.statuses.append(answer.status)


async def test_any_worker_answers_for_all_and_all_are_replaced_under_load_without_losing_a_request(workers: tuple[Process, str]):
    hub, token = workers
    for _ in range(20):  # each on a connection of its own, so both workers get some
        assert (await ask(hub, "/taxii2/", Authorization=f"Bearer {token}"))[0] == 200
    text, counted = "", 'hub_requests_total{method="GET",route="/taxii2/",status="200"} 20.0'
    async with asyncio.timeout(WITHIN_S):  # an answer is counted once it was given
        while counted not in text.splitlines():
            _, text = await ask(hub, "/metrics")
    for _ in range(4):
        _, text = await ask(hub, "/metrics")
        assert counted in text.splitlines()
    async with asyncio.timeout(WITHIN_S):  # the other worker may not have noticed yet that a connection was closed
        while "hub_connections 1.0" not in text.splitlines():
            _, text = await ask(hub, "/metrics")

    before = hub.workers()
    async with Load(hub, token) as load:
        hub.tell(signal.SIGHUP)
        await until_logged("replaced the workers", hub)
    after = hub.workers()
    assert len(before) == len(after) == 2
    assert not set(before) & set(after)
    assert set(load.statuses) == {200, 405}
    assert len(load.statuses) > 100

    hub.tell(signal.SIGTERM)
    assert await hub.end() == 0
    assert not any(map(is_running, after))
    assert all(json.loads(line)["level"] == "info" for line in hub.logged())


async def test_a_worker_that_is_killed_is_replaced_and_none_outlives_a_supervisor_that_is_killed(workers: tuple[Process, str]):
    hub, _ = workers
    killed, other = hub.workers()
    os.kill(killed, signal.SIGKILL)
    await until_logged("a worker ended by itself", hub)
    assert (await ask(hub))[0] == 200
    await until(lambda: len(hub.workers()) == 2)
    assert other in hub.workers()
    assert killed not in hub.workers()

    pids = hub.workers()
    hub.tell(signal.SIGKILL)
    await hub.end()
    await until_refused(hub)
    await until(lambda: not any(map(is_running, pids)))
