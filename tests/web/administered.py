"""A hub with a small community, and callers of its JSON API in every role.

`energy` and `water` are operators of the group `circle`; `gone` is suspended. Each caller named for a role acts for energy; `chief` is an
administrator that belongs to energy, `admin` one that belongs to nobody, `suspended` would be an administrator if gone took part.
"""

import asyncio
import base64
import contextlib
import datetime
import functools
import io
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from hub.config import Config
from hub.domain.directory import Directory
from hub.domain.handle import Handles
from hub.domain.label import Tlp
from hub.domain.marking import SHARING_EXTENSION
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.possession import prove
from hub.domain.token import TEST, new_token
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.agreements import Signature, add_agreement
from hub.service.assess import assess_all
from hub.service.authenticate import authenticate
from hub.service.collections import add_collection
from hub.service.contests import contest_event
from hub.service.context import Hub, open_hub
from hub.service.credentials import add_certificate, issue_token
from hub.service.groups import add_group
from hub.service.member_keys import issue_challenge
from hub.service.members import add_member, suspend_member
from hub.service.people import add_person
from hub.service.releases import ask_release
from hub.service.sending import sending
from hub.service.subscriptions import Wish, add_subscription
from hub.store.contests import list_events
from hub.store.database import open_database
from hub.store.migrate import upgrade
from tests.signing.community import register
from tests.taxii.content import envelope, indicator
from tests.web.hubs import Running, prepare, running

NOBODY = "https://receiver.invalid/hook"
PASSWORD = "correct horse battery staple"
CALLERS = {
    "reader": ("energy", Role.READER),
    "publisher": ("energy", Role.PUBLISHER),
    "coordinator": ("energy", Role.COORDINATOR),
    "chief": ("energy", Role.ADMIN),
    "admin": (None, Role.ADMIN),
    "suspended": ("gone", Role.ADMIN),
    "water": ("water", Role.COORDINATOR),
}


@dataclass(frozen=True)
class Answer:
    """An answer of the API, read whole."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])


@dataclass(frozen=True)
class Community:
    """The ids of what is in the hub."""

    tokens: Mapping[str, str]  # by caller: the whole token
    collection: str  # that energy and water read
    hidden: str  # a collection of water's
    object: str  # that energy may see
    object_of_water: str  # that energy may see, too
    certificate: str  # of energy
    certificate_of_water: str
    key: str  # a signing key of energy, by its thumbprint
    key_of_water: str
    release: str  # that water asked of energy
    release_of_others: str  # that water asked of gone
    item: str  # of energy, with a request for reports back
    item_of_water: str  # that energy may see
    item_hidden: str  # of water, that energy may not see
    event: str  # the line of the ledger of energy's item
    contest: str  # of water
    subscription: str  # of energy, to an endpoint that is not there
    subscription_of_water: str


@dataclass(frozen=True)
class Administered:
    """A hub that serves, and its community."""

    running: Running
    community: Community

    @property
    def hub(self) -> Hub:
        return self.running.hub

    async def ask(self, who: str | None, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """Send a request as a caller of the community, as an `Authorization` that is given whole, or (None) without a credential."""
        if who is not None:
            headers["Authorization"] = f"Bearer {self.community.tokens[who]}" if who in self.community.tokens else who
        url = f"{self.running.url}/api/v1{path}"
        async with self.running.session.request(method, url, json=body, headers=headers) as response:
            answer = Answer(response.status, response.headers, await response.text())
        check_answer(answer)
        return answer

    async def get(self, who: str | None, path: str) -> Answer:
        return await self.ask(who, "GET", path)

    async def ask_for_raw(self, who: str, method: str, path: str, body: bytes, content_type: str = "application/json") -> Answer:
        headers = {"Authorization": f"Bearer {self.community.tokens[who]}", "Content-Type": content_type}
        async with self.running.session.request(
            method, f"{self.running.url}/api/v1{path}", data=io.BytesIO(body), headers=headers
        ) as response:
            answer = Answer(response.status, response.headers, await response.text())
        check_answer(answer)
        return answer


def check_answer(answer: Answer) -> None:
    """Check what holds of every answer of the API."""
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Server" not in answer.headers
    if answer.status < 400:
        assert answer.headers["Content-Type"] in ("application/json", "text/event-stream")
        return
    assert answer.status < 500, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json.keys() == {"type", "title", "status", "detail", "error_id"}
    assert answer.json["status"] == answer.status
    assert ("WWW-Authenticate" in answer.headers) == (answer.status == 401)


@contextlib.asynccontextmanager
async def administered(database_url: str, **settings: Any) -> AsyncIterator[Administered]:
    """Serve a hub with the community in it, on a fresh and migrated database."""
    settings = {"requests_per_min": 0, **settings}
    if database_url.startswith("sqlite:///"):
        files, token, community = _settled()
        await asyncio.to_thread(_replace, Path(database_url.removeprefix("sqlite:///")), files)
        async with running(database_url, token=token, **settings) as site:
            yield Administered(site, community)
    else:
        async with running(database_url, **settings) as site:
            yield Administered(site, await settle(site.hub))


@functools.cache
def _settled() -> tuple[dict[Path, bytes], str, Community]:
    """Return a SQLite database with the community in it, the hub's keys, and its tokens: to make one takes longer than most tests."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(1) as pool:  # a loop of its own, beside those of the tests
        path = Path(directory) / "hub.sqlite3"
        pool.submit(upgrade, f"sqlite:///{path}").result()
        token, community = pool.submit(asyncio.run, _settle_at(f"sqlite:///{path}")).result()
        assert [file.name for file in path.parent.glob(f"{path.name}*")] == [path.name], "all of it is in the one file"
        files = {file.relative_to(path.parent): file.read_bytes() for file in path.parent.rglob("*") if file.is_file()}
        return files, token, community


def _replace(path: Path, files: dict[Path, bytes]) -> None:
    for part in path.parent.glob(f"{path.name}*"):  # the file, and what it may have left in its write-ahead log
        part.unlink()
    for name, content in files.items():
        file = path.parent / name
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_bytes(content)
        file.chmod(0o600)


async def _settle_at(database_url: str) -> tuple[str, Community]:
    token = await prepare(database_url)  # not served, as each copy of the database makes keys of its own
    db = await open_database(database_url)
    try:
        return token, await settle(await open_hub(Config(database_url=database_url), db))
    finally:
        await db.close()


async def settle(hub: Hub) -> Community:
    """Add the community to a hub that has the member energy and nothing else."""
    for slug, sector in (("water", "water"), ("gone", "transport")):
        await add_member(hub, COMMAND_LINE, slug=slug, name=f"The {slug} firm", kind=MemberKind.OPERATOR, sectors=[sector])
    await add_group(hub, COMMAND_LINE, slug="circle", name="The Circle", members=["energy", "water"])
    await add_group(hub, COMMAND_LINE, slug="others", name="The Others", members=["water"])
    shared = await add_collection(
        hub, COMMAND_LINE, title="Shared", alias="shared", readers=["everyone"], writers=["kind:operator"], default_tlp=Tlp.GREEN
    )
    hidden = await add_collection(hub, COMMAND_LINE, title="Hidden", alias="hidden", readers=["member:water"], writers=["member:water"])
    for slug, parties in (("accord", ["member:energy"]), ("elsewhere", ["member:water"])):
        await add_agreement(
            hub, COMMAND_LINE, slug=slug, title=f"The {slug}", parties=parties, legal_basis="A contract", purpose="Defence",
            starts_us=0, review_us=hub.now_us(), signatories=[Signature(parties[0].removeprefix("member:"), "Ann", "Director", 0)],
        )  # fmt: skip
    for username, (member, role) in {"ann": ("energy", Role.READER), "root": (None, Role.ADMIN), "wat": ("water", Role.READER)}.items():
        await add_person(hub, COMMAND_LINE, username=username, password=PASSWORD, role=role, member=member)
    certificates = [
        await add_certificate(hub, COMMAND_LINE, member=member, name="node", role=Role.READER, pem=certificate(member).pem)
        for member in ("energy", "water")
    ]
    tokens = {}
    for name, (member, role) in CALLERS.items():
        _, tokens[name] = await issue_token(hub, COMMAND_LINE, name=name, role=role, member=member)
    seen = indicator()
    directory = await hub.directory()
    publisher = await authenticate(
        hub, directory, authorization=f"Bearer {tokens['publisher']}", certificate=None, address="127.0.0.1"
    )  # fmt: skip
    assert publisher is not None
    await push(hub, directory, publisher, "hub", "shared", envelope(seen))
    others = {slug: await share(hub, slug) for slug in ("water", "gone")}
    water = Principal("test", Role.PUBLISHER, directory.find_member("water"))
    requests = [
        (await ask_release(hub, directory, water, object_id, to="everyone", reason="All are hit.")).request.id
        for object_id in (seen["id"], others["gone"])
    ]
    await suspend_member(hub, COMMAND_LINE, "gone")
    spki = [one.spki_sha256 for one in certificates]
    kids = [(await register(hub, PrivateKey.generate(), slug)).kid for slug in ("energy", "water")]
    return Community(tokens, shared.id, hidden.id, seen["id"], others["water"], *spki, *kids, *requests, **await give(hub))


def new_key(hub: Hub, directory: Directory, member: str) -> dict[str, object]:
    """Return what registers a new signing key for a member, with the proof that it is at hand."""
    key = PrivateKey.generate()
    challenge = issue_challenge(hub, directory, COMMAND_LINE, key.public.jwk(), member=member).text
    return {"name": "new", "jwk": key.public.jwk(), "challenge": challenge, "proof": prove(key, challenge)}


async def give(hub: Hub) -> dict[str, str]:
    """Let energy and water ask for reports back, water also where energy sees nothing, and contest an event; return what that became."""
    asks = {"report_back": {"by": "2099-01-01T00:00:00Z", "from": ["everyone"], "nil_returns": True}}
    extension = {SHARING_EXTENSION: {"extension_type": "property-extension", **asks}}
    directory = await hub.directory()
    items = []
    for slug, collection in (("energy", "shared"), ("water", "shared"), ("water", "hidden")):
        principal = Principal("test", Role.PUBLISHER, directory.find_member(slug))
        await push(hub, directory, principal, "hub", collection, envelope(indicator(extensions=extension)))
        async with hub.db.read() as conn:
            ((event, _),) = await list_events(conn, principal.member.id, before=None, limit=1)  # type: ignore[union-attr]
        items.append(event.row)
    await assess_all(hub)
    appeal = await contest_event(hub, Principal("test", Role.PUBLISHER, directory.find_member("water")), items[1], "It was new.")
    handles = [Handles.of(hub.secret).of_row(row) for row in items]
    names = dict(zip(("item", "item_of_water", "item_hidden"), handles, strict=True))
    subscribed = {f"subscription{of}": await _subscribe(hub, directory, slug) for of, slug in (("", "energy"), ("_of_water", "water"))}
    return {**names, **subscribed, "event": str(items[0]), "contest": str(appeal.contest.row)}


async def _subscribe(hub: Hub, directory: Directory, slug: str) -> str:
    """Let a member subscribe to everything, at an endpoint that is not there and so never agrees."""
    async with sending(hub):
        added = await add_subscription(hub, directory, COMMAND_LINE, Wish("hook", NOBODY), member=slug)
    return str(added.subscription.id)


async def share(hub: Hub, slug: str) -> str:
    """Let a member share something with everybody, and return its id."""
    directory, shared = await hub.directory(), indicator()
    await push(hub, directory, Principal("test", Role.PUBLISHER, directory.find_member(slug)), "hub", "shared", envelope(shared))
    return str(shared["id"])


@dataclass(frozen=True)
class Certified:
    """A client certificate, its key, and how to make another with the same key."""

    pem: str
    der: bytes
    key: ec.EllipticCurvePrivateKey


def certificate(name: str, key: ec.EllipticCurvePrivateKey | None = None) -> Certified:
    """Make a certificate that signs itself."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    day = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(day)
        .not_valid_after(day + datetime.timedelta(days=3650))
        .sign(key, hashes.SHA256())
    )
    return Certified(made.public_bytes(Encoding.PEM).decode(), made.public_bytes(Encoding.DER), key)


def basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()


def token_of_nobody() -> str:
    """Return a whole token that no hub issued."""
    return new_token(TEST)[1]
