"""`hub demo`: a hub with a fictional community, in one directory of its own."""

import asyncio
import contextlib
import json
import os
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import stix2.v21
import typer
from rich.console import Console
from rich.table import Table

from hub.cli.session import on_hub
from hub.cli.telling import fail
from hub.config import Config, load_config
from hub.demo.community import SIGNING_MEMBERS
from hub.domain.directory import Directory
from hub.domain.label import Tlp
from hub.domain.marking import TLP2_IDS
from hub.domain.signing.keys import PrivateKey
from hub.errors import ConfigError, HubError
from hub.logs import configure_logs
from hub.serve import listen, run
from hub.service.context import Hub, now_us
from hub.service.demo import Seed, describe_demo, is_inhabited, register_keys, settle_community, share_content, usernames
from hub.service.install import install, renew_policies
from hub.store.database import open_database
from hub.store.migrate import upgrade

app = typer.Typer()


@dataclass(frozen=True, slots=True)
class DemoDirectory:
    """The files of a demo. All hold passwords or content, so only their owner may read them."""

    path: Path

    @property
    def facts(self) -> Path:
        """What tools read; there only while the hub answers, or after it was killed."""
        return self.path / "demo.json"

    @property
    def database_url(self) -> str:
        return f"sqlite:///{self.path.absolute() / 'hub.sqlite3'}"

    def find_seed(self) -> Seed | None:
        """Return what an earlier start began with."""
        with contextlib.suppress(FileNotFoundError):
            return Seed.from_json(self._seed.read_text())
        return None

    def keep_seed(self, seed: Seed) -> None:
        _write(self._seed, seed.to_json())

    def keep_facts(self, facts: Mapping[str, Any]) -> None:
        _write(self.facts, json.dumps(facts, indent=2))

    @property
    def has_content(self) -> bool:
        """Whether the sample content was put in, which is done once: what is deleted afterwards stays deleted."""
        return self._content.exists()

    def content_is_in(self) -> None:
        _write(self._content, "the sample content was put in\n")

    def signers(self) -> dict[str, PrivateKey]:
        """Return the keys of the members that sign, by slug; made at the first start."""
        return {slug: self._signer(self.path / f"{slug}.pem") for slug in SIGNING_MEMBERS}

    def write_sample(self, author: str) -> Path:
        """Write an object that a member may push as its own, and return where it is; the same one at each start."""
        path = self.path / "sample.json"
        if not path.exists():
            today = datetime.now(UTC)
            indicator = stix2.v21.Indicator(
                created_by_ref=author,
                name="My first indicator",
                pattern="[domain-name:value = 'first.example']",
                pattern_type="stix",
                valid_from=today,
                object_marking_refs=[TLP2_IDS[Tlp.GREEN]],
            )
            _write(path, stix2.v21.Bundle(indicator).serialize())
        return path

    def _signer(self, path: Path) -> PrivateKey:
        if not path.exists():
            _write(path, PrivateKey.generate().to_pem().decode())
        return PrivateKey.from_pem(path.read_bytes())

    @property
    def _seed(self) -> Path:
        return self.path / "seed.json"

    @property
    def _content(self) -> Path:
        return self.path / "content"


@app.command("demo")
def run_demo(
    port: Annotated[int, typer.Option(help="Port to listen on, on this machine only.")] = 8460,
    data: Annotated[Path, typer.Option(help="Directory of the demo; made and filled where it is empty.")] = Path("demo-data"),
    public_url: Annotated[str | None, typer.Option(help="Address that clients use, if another; discovery then names it.")] = None,
    database_url: Annotated[str | None, typer.Option(help="An empty PostgreSQL database, instead of SQLite in the directory.")] = None,
    content: Annotated[bool, typer.Option(help="Fill the collections with the sample content.")] = True,
    limits: Annotated[bool, typer.Option(help="Keep the rate limits.")] = True,
    workers: Annotated[int, typer.Option(help="Processes that serve; more than one needs PostgreSQL.")] = 1,
) -> None:
    """Run a hub with a fictional community, and say what to try."""
    directory = DemoDirectory(data)
    given = {
        "HUB_DATABASE_URL": database_url or directory.database_url,
        "HUB_LISTEN_HOST": "127.0.0.1",
        "HUB_LISTEN_PORT": str(port),
        "HUB_PUBLIC_URL": public_url,
        "HUB_WORKERS": str(workers),
        "HUB_TITLE": "Fusion Hub demo",
        "HUB_REQUESTS_PER_MIN": None if limits else "0",
        "HUB_LOG_LEVEL": os.environ.get("HUB_LOG_LEVEL", "warning"),
    }
    # Settings for a real hub have no say here, lest the demo fills its database.
    environ = {name: value for name, value in os.environ.items() if name not in ("HUB_CONFIG", *given)}
    environ.update({name: value for name, value in given.items() if value is not None})
    try:
        config = load_config(environ=environ)
        configure_logs(config.log_level, sys.stderr)
        listen(config).close()  # a port that is taken is found out before anything is made or removed
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.facts.unlink(missing_ok=True)
        with _only_for_the_owner():
            seed, community = _prepare(config, directory, content=content)
        try:
            run(config, environ, on_ready=lambda address: _announce(directory, describe_demo(community, seed, public_url or address)))
        finally:
            directory.facts.unlink(missing_ok=True)
    except HubError as e:
        fail(e.detail)


def _prepare(config: Config, directory: DemoDirectory, *, content: bool) -> tuple[Seed, Directory]:
    """Make the hub, its community and its content, as far as they are not there yet."""
    held = directory.find_seed()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    seed = held or Seed({username: secrets.token_hex(10) for username in usernames()}, today)
    upgrade(config.database_url)
    community = asyncio.run(_settle(config, directory, seed, known=held is not None))
    if content and not directory.has_content:
        count = asyncio.run(on_hub(config, lambda hub: share_content(hub, seed, directory.signers())))
        directory.content_is_in()
        Console().print(f"The members of the demo have shared {count} objects.")
    return seed, community


async def _settle(config: Config, directory: DemoDirectory, seed: Seed, *, known: bool) -> Directory:
    db = await open_database(config.database_url)
    try:
        await install(db, now_us=now_us(), title=config.title)
        await renew_policies(db, now_us=now_us())
    finally:
        await db.close()

    async def work(hub: Hub) -> Directory:
        if not known and await is_inhabited(hub):
            raise ConfigError("the database has members already, whose passwords this directory does not know; use an empty one")
        directory.keep_seed(seed)  # before anybody is added: whoever is in the database has a password in the directory
        await settle_community(hub, seed)
        await register_keys(hub, directory.signers())
        return await hub.directory()

    return await on_hub(config, work)


def _announce(directory: DemoDirectory, facts: Mapping[str, Any]) -> None:
    """Print the facts for people and write them down for tools, now that the hub answers. Who waits for the file finds all else done."""
    console = Console(soft_wrap=True, highlight=False)  # lines to copy are not to be broken
    people = Table("sign in as", "password", "acts for", "kind", "standing", box=None, pad_edge=False)
    people.add_row(facts["admin"]["username"], facts["admin"]["password"], "the hub itself; sees no content", "", "")
    for member in facts["members"].values():
        people.add_row(member["username"], member["password"], member["name"], member["kind"], member["standing"])
    console.print(f"\n[bold]Fusion Hub answers at {facts['discovery_url']}[/bold]\n")
    console.print(people)
    console.print()
    for alias, collection in facts["collections"].items():
        console.print(f"{alias:14} {collection['url']}", markup=False)
    console.print("\nTry next:\n")
    for line in _suggestions(facts, directory.write_sample(facts["members"]["energy"]["id"])):
        console.print(f"  {line}", markup=False)
    console.print(f"\nThe same for tools: {directory.facts}. Stop with Ctrl-C; start again on the same directory to go on.\n", markup=False)
    directory.keep_facts(facts)


def _suggestions(facts: Mapping[str, Any], sample: Path) -> list[str]:
    """Return command lines that work as they are, each a step further than the one before."""
    called = sys.argv[0]
    program = shlex.quote(called) if os.access(called, os.X_OK) else f"{shlex.quote(sys.executable)} -m hub"
    energy, water, observer = (f"{slug}:{facts['members'][slug]['password']}" for slug in ("energy", "water", "observer"))
    indicators, advisories, sandbox = (facts["collections"][alias]["url"] for alias in ("indicators", "advisories", "sandbox"))
    return [
        f"curl -u {energy} {facts['discovery_url']}",
        f"curl -g -u {observer} '{advisories}objects/?match[type]=report&limit=3'",
        f"{program} pull {indicators} --user {energy} -o energy.ndjson",
        f"{program} pull {indicators} --user {observer} -o observer.ndjson   # sees less; what peers release reciprocally comes in 72 h",
        f"{program} push {shlex.quote(str(sample))} --url {sandbox} --user {energy}",
        f"{program} pull {sandbox} --user {water}",
    ]


@contextlib.contextmanager
def _only_for_the_owner() -> Iterator[None]:
    """Let files that are made meanwhile, the database among them, be readable by nobody else."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
