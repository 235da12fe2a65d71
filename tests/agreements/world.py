"""Two nodes on one database, members, and a collection whose sharing agreement comes and goes; and a plain account of who may see what.

The nodes' clocks differ by SKEW_US and jump together. A node's time never goes back as far as agreements go.
"""

import contextlib
import itertools
import json
from dataclasses import dataclass, field

from hub.config import load_config
from hub.domain.directory import Directory
from hub.domain.label import Tlp
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.signing.extension import definition_ids
from hub.domain.taxii import ALL_VERSIONS, Query
from hub.errors import Conflict, Invalid
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.agreements import Signature, add_agreement, change_agreement, end_agreement
from hub.service.collections import add_collection, change_collection
from hub.service.context import Hub, open_hub
from hub.service.install import install
from hub.service.members import add_member
from hub.service.retrieve import list_objects
from hub.store.database import Database, open_database
from tests.taxii.content import envelope, indicator

MINUTE_US = 60_000_000
SKEW_US = 40 * MINUTE_US
START_US = 1_780_000_000_000_000
SOURCE = "source"  # who pushes
MEMBERS = {SOURCE: (MemberKind.OPERATOR, "water"), "energy": (MemberKind.OPERATOR, "energy"), "soc": (MemberKind.PARTNER, "water")}
# Whom an agreement may bind, and which members that is.
PARTIES = {
    "everyone": {"source", "energy", "soc"},
    "kind:operator": {"source", "energy"},
    "sector:water": {"source", "soc"},
    "member:energy": {"energy"},
}

_numbers = itertools.count(1)


@dataclass(repr=False)
class Site:
    """One database with two nodes, opened once and used by many worlds."""

    db: Database
    nodes: tuple[Hub, Hub]
    now_us: int = START_US

    @classmethod
    async def open(cls, url: str) -> "Site":
        db = await open_database(url)
        await install(db, now_us=START_US, title="Test")
        config = load_config(environ={}, database_url=url)
        site = cls(db, (await open_hub(config, db), await open_hub(config, db)))
        site.nodes[0].now_us = lambda: site.now_us
        site.nodes[1].now_us = lambda: site.now_us - SKEW_US
        for slug, (kind, sector) in MEMBERS.items():
            await add_member(site.nodes[0], COMMAND_LINE, slug=slug, name=f"The {slug}", kind=kind, sectors=[sector])
        return site


@dataclass
class Terms:
    """An agreement, as the plain account has it."""

    slug: str
    parties: set[str]
    starts_us: int
    ends_us: int | None
    ended: bool = False

    def has_ended(self, at_us: int) -> bool:
        return self.ended or (self.ends_us is not None and at_us >= self.ends_us)

    def is_in_force(self, member: str, at_us: int) -> bool:
        return member in self.parties and at_us >= self.starts_us and not self.has_ended(at_us)


@dataclass
class Reader:
    """A client of a member that follows the collection by date, now at one node, now at the other."""

    member: str
    after_us: int | None = None
    got: set[str] = field(default_factory=set)


class World:
    """A collection that all may read and write, up to three agreements that it may rest on, and clients that follow."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.name = f"c{next(_numbers)}"
        self.agreements: list[Terms] = []
        self.resting_on: Terms | None = None
        # By id: whether it came under an agreement, and is its source's own whatever comes. The hub's definitions are there before.
        self.accepted: dict[str, bool] = dict.fromkeys(definition_ids(), False)
        self.latest_us = [0, 0]  # by node: the latest moment that it was asked at
        self.readers = [Reader(member) for member in MEMBERS for _ in range(2)]

    async def begin(self) -> None:
        # Nodes remember the latest moment of the worlds before this one.
        self.site.now_us = max(self.site.now_us, START_US) + 10_000 * MINUTE_US
        everyone = ["everyone"]
        await add_collection(
            self.site.nodes[0], COMMAND_LINE, title=self.name, alias=self.name, readers=everyone, writers=everyone, default_tlp=Tlp.GREEN
        )

    async def agree(self, party: str, starts_in: int, minutes: int | None) -> None:
        """Add an agreement that starts so many minutes from now, and lasts so long."""
        starts_us = self.site.now_us + starts_in * MINUTE_US
        ends_us = None if minutes is None else starts_us + minutes * MINUTE_US
        slug = f"{self.name}-{len(self.agreements)}"
        signatory = min(PARTIES[party])
        await add_agreement(
            self.site.nodes[0], COMMAND_LINE, slug=slug, title=slug, parties=[party], legal_basis="A contract", purpose="Defence",
            starts_us=starts_us, ends_us=ends_us, review_us=starts_us, signatories=[Signature(signatory, "Ann", "Director", 0)],
        )  # fmt: skip
        self.agreements.append(Terms(slug, PARTIES[party], starts_us, ends_us))

    async def rest_on(self, which: int | None) -> None:
        """Let the collection rest on one of the agreements, or on the terms of membership."""
        terms = self.agreements[which % len(self.agreements)] if which is not None and self.agreements else None
        with contextlib.suppress(Invalid):  # it has ended
            await change_collection(self.site.nodes[0], COMMAND_LINE, self.name, agreement=terms.slug if terms else None)
            self.resting_on = terms

    async def end_one(self, which: int) -> None:
        if self.agreements:
            terms = self.agreements[which % len(self.agreements)]
            await end_agreement(self.site.nodes[0], COMMAND_LINE, terms.slug, reason="It is over.")
            terms.ended |= not terms.has_ended(self.site.now_us)  # one that has ended by its terms stays as it is

    async def admit_others(self, which: int, party: str) -> None:
        """Let another party take the place of those of an agreement."""
        if self.agreements:
            terms = self.agreements[which % len(self.agreements)]
            signature = Signature(min(PARTIES[party]), "Ann", "Director", 0)
            with contextlib.suppress(Conflict):  # it has ended
                await change_agreement(self.site.nodes[0], COMMAND_LINE, terms.slug, parties=[party], signatories=[signature])
                terms.parties = PARTIES[party]

    async def push(self, count: int, node: int) -> None:
        objects = [indicator() for _ in range(count)]
        directory, at_us = await self.enter(node)
        principal = Principal("test", Role.PUBLISHER, directory.find_member(SOURCE))
        status = await push(self.site.nodes[node], directory, principal, "hub", self.name, envelope(*objects))
        terms = self.resting_on
        welcome = terms is None or (SOURCE in terms.parties and not terms.has_ended(at_us))
        taken = {obj["id"] for obj in objects} if welcome else set()
        assert {outcome.id for outcome in status.successes} == taken, (status.failures, terms, at_us)
        self.accepted |= {outcome.id: terms is not None for outcome in status.successes}

    async def poll(self, reader: Reader, node: int) -> int:
        """Fetch a page at a node as a client would, check that nothing leaked, and return how many objects there were."""
        directory, at_us = await self.enter(node)
        principal = Principal("test", Role.READER, directory.find_member(reader.member))
        query = Query(added_after_us=reader.after_us, limit=2, versions=ALL_VERSIONS)
        page = await list_objects(self.site.nodes[node], directory, principal, "hub", self.name, query)
        found = {json.loads(body)["id"] for body in page.bodies}
        leaked = found - self.visible(reader.member, at_us)
        assert not leaked, f"{reader.member} was served {leaked} under {self.resting_on} at {at_us}"
        reader.got |= found
        reader.after_us = page.last_us if page.last_us is not None else reader.after_us
        return len(found)

    async def enter(self, node: int) -> tuple[Directory, int]:
        """Begin a request at a node; return the directory, and the moment that the request is judged by."""
        hub = self.site.nodes[node]
        self.latest_us[node] = max(self.latest_us[node], hub.now_us())
        return await hub.directory(), self.latest_us[node]

    def visible(self, member: str, at_us: int) -> set[str]:
        """The plain reading of the rules: what rests on membership, or on an agreement in force for the member; and what is its own."""
        if self.resting_on is None or self.resting_on.is_in_force(member, at_us):
            return set(self.accepted)
        return {id for id, is_own in self.accepted.items() if is_own and member == SOURCE}

    async def end(self) -> dict[str, set[str]]:
        """Let every client follow to the end, let the agreements be over, and return what any member has missed."""
        missed: dict[str, set[str]] = {}
        for reader in self.readers:
            for _ in range(3):  # a grant that is found moves the clock only past itself
                while await self.poll(reader, 0):
                    pass
            wanting = self.visible(reader.member, self.latest_us[0]) - reader.got
            if wanting:
                missed[reader.member] = wanting
        for which in range(len(self.agreements)):
            await self.end_one(which)
        return missed
