"""OpenTAXII 0.9.3, the release that PyPI has, in an environment of its own, with the same objects in its SQLite database.

* It is asked for a public collection, so it checks no credential, which is to its advantage.
* It is served by gunicorn with a worker for each of two cores; they close each connection after its answer.
* With SQLAlchemy 2 it does not run; the newest 1.4 is used.
* Its POST answers 500 for every envelope, though it stores the objects, so they are put into its tables by its own model.
"""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.bench.content import indicator
from tests.bench.databases import Unmeasured
from tests.bench.processes import Server, free_port, peer_server

NAME = "OpenTAXII 0.9.3"
_REQUIREMENTS = ("opentaxii==0.9.3", "sqlalchemy<2", "gunicorn", "setuptools<80")
_SEED = Path(__file__).with_name("peer_seed.py")
_INSTALL_S_MAX = 180
_CONFIG = """
domain: localhost
taxii1:
auth_api:
  class: opentaxii.auth.sqldb.SQLDatabaseAPI
  parameters: {{db_connection: "sqlite:///{folder}/auth.db", create_tables: yes, secret: bench}}
taxii2:
  title: Bench
  max_content_length: 104857600
  persistence_api:
    class: opentaxii.persistence.sqldb.Taxii2SQLDatabaseAPI
    parameters: {{db_connection: "sqlite:///{folder}/data.db", create_tables: yes}}
logging: {{root: warning}}
"""


@contextlib.asynccontextmanager
async def server(entries: int) -> AsyncIterator[tuple[Server, str]]:
    """Run it with indicators 0 to `entries` stored; gives the path of the collection's objects too.

    Raises:
        Unmeasured: it cannot be installed here.
    """
    binaries = await asyncio.to_thread(_installed)
    with tempfile.TemporaryDirectory(prefix="hub-bench-opentaxii-") as folder:
        config = Path(folder) / "opentaxii.yml"
        config.write_text(_CONFIG.format(folder=folder))
        environment = {"OPENTAXII_CONFIG": str(config)}
        path = await asyncio.to_thread(_seeded, binaries, environment, entries)
        port = free_port()
        command = [str(binaries / "gunicorn"), "opentaxii.http:app", f"--bind=127.0.0.1:{port}", "--workers=2", "--log-level=warning"]
        async with peer_server(command, environment, port) as peer:
            yield peer, path


def _installed() -> Path:
    """Return the programs of its environment, which is made where there is none: it is kept in the user's cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = cache / "fusion-hub-bench" / "opentaxii-0.9.3"
    if not (home / "bin" / "gunicorn").exists():
        uv = Path(sys.executable).with_name("uv")
        for command in (
            ["venv", "--quiet", "--clear", f"--python={sys.executable}", str(home)],
            ["pip", "install", "--quiet", f"--python={home}/bin/python", *_REQUIREMENTS],
        ):
            done = subprocess.run([uv, *command], check=False, capture_output=True, text=True, timeout=_INSTALL_S_MAX)
            if done.returncode:
                raise Unmeasured(f"it cannot be installed: {done.stderr.strip()[-300:]}")
    return home / "bin"


def _seeded(binaries: Path, environment: dict[str, str], entries: int) -> str:
    done = subprocess.run(
        [binaries / "python", _SEED], check=False, capture_output=True, env={**os.environ, **environment},
        input=b"\n".join(indicator(n) for n in range(entries)),
    )  # fmt: skip
    if done.returncode:
        raise Unmeasured(f"it cannot be filled: {done.stderr.decode(errors='replace').strip()[-300:]}")
    return str(json.loads(done.stdout.splitlines()[-1])["path"])
