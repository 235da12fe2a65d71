"""A hub with members whose rights change, time that jumps, and a plain account of what each may see."""

import asyncio
import itertools
import json
import uuid
from dataclasses import dataclass, field

from sqlalchemy import bindparam, delete, insert, select, update

from hub.config import load_config
from hub.domain.ids import GroupId, MemberId, new_uuid
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.taxii import ALL_VERSIONS, ObjectPage, Query, VersionMatch
from hub.domain.timestamp import parse_timestamp
from hub.service.admit import push
from hub.service.context import Hub, open_hub
from hub.service.install import install
from hub.service.remove import delete_object
from hub.service.retrieve import list_objects
from hub.store.database import Connection, Database, open_database, prepare
from hub.store.directory import bump_revision
from hub.store.tables import table
from hub.store.views import tick_clocks

HOUR_US = 3_600_000_000
START_US = 1_780_000_000_000_000
TLP_RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"
TLP_GREEN = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"
TLP_AMBER = "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421"
SHARING = "extension-definition--b1f1a0c2-6d0e-4c5b-9f57-2f1d7c3e8a41"

# What the shipped policies let standings wait for, where a peer releases reciprocally.
DELAY_US = {"steward": 0, "partner": 6 * HOUR_US, "contributor": 24 * HOUR_US, "observer": 72 * HOUR_US}

_MEMBER, _IN_GROUP, _CLOCKS = table("member"), table("sharing_group_member"), table("collection_clock")
_ADD_MEMBER = prepare(insert(_MEMBER))
_ADD_GROUP = prepare(insert(table("sharing_group")))
_ADD_COLLECTION = prepare(insert(table("collection")))
_ADD_RIGHT = prepare(insert(table("collection_right")))
_ADD_CLOCK = prepare(insert(_CLOCKS))
_SET_MEMBER = prepare(update(_MEMBER).where(_MEMBER.c.id == bindparam("member")).values(suspended=bindparam("s"), standing=bindparam("t")))
_JOIN = prepare(insert(_IN_GROUP))
_LEAVE = prepare(delete(_IN_GROUP).where(_IN_GROUP.c.member_id == bindparam("member"), _IN_GROUP.c.group_id == bindparam("group")))
_CLOCK = prepare(select(_CLOCKS.c.clock_us).where(_CLOCKS.c.collection_row == bindparam("collection")))

# What an object can be marked with: everybody, one member, a group, a sector, everybody but later for some.
MARKS = ("green", "named", "group", "sector", "slow")

_numbers = itertools.count(1)


@dataclass
class Reader:
    """A client of a member: follows the feed, by date or by `next`, latest versions or all, and keeps what it got."""

    member: int
    by_date: bool
    versions: VersionMatch
    limit: int
    after_us: int | None = None
    next: str | None = None
    got: set[tuple[str, str]] = field(default_factory=set)


@dataclass
class Held:
    """A version that was accepted: the plain account of it."""

    id: str
    version: str
    mark: str
    first_seen_at_us: int  # collection's clock when it was appended
    accepted_at: int  # place in the history
    deleted_at: int | None = None

    @property
    def deleted(self) -> bool:
        return self.deleted_at is not None

    def is_narrowed_by(self, other: "Held") -> bool:
        """Whether `other` is newer and was ever there together with this one: a deletion loosens nothing."""
        met = other.deleted_at is None or other.deleted_at > self.accepted_at
        return other.id == self.id and other.version > self.version and met


@dataclass(repr=False)
class Site:
    """One database, opened once and used by many worlds."""

    hub: Hub
    db: Database
    now_us: int = START_US

    @classmethod
    async def open(cls, url: str) -> "Site":
        db = await open_database(url)
        await install(db, now_us=START_US, title="Test")
        hub = await open_hub(load_config(environ={}, database_url=url), db)
        site = cls(hub, db)
        hub.now_us = lambda: site.now_us
        return site


class World:
    """Three members, a collection that all read and write, a group, and clients that follow."""

    def __init__(self, site: Site) -> None:
        self.site, self.hub = site, site.hub
        number = next(_numbers)
        self.row = number
        self.alias = f"c{number}"
        self.group = GroupId(f"marking-definition--{new_uuid()}")
        self.members = [MemberId(f"identity--{new_uuid()}") for _ in range(3)]
        self.standing = ["steward", "contributor", "observer"]
        self.in_group = [True, False, False]
        self.suspended = [False, False, False]
        self.sector = ["energy", "energy", "water"]
        self.held: dict[tuple[str, str], Held] = {}
        self.least_delay_us: dict[int, int] = {}
        ways = ((True, VersionMatch(), 2), (False, ALL_VERSIONS, 3), (True, ALL_VERSIONS, 1), (False, VersionMatch(), 4))
        self.readers = [Reader(member, *way) for member in range(3) for way in ways]

    async def begin(self) -> None:
        await self.site.db.write(self._insert)

    async def _insert(self, conn: Connection) -> None:
        for n, member in enumerate(self.members):
            await conn.execute(
                _ADD_MEMBER, id=member, slug=f"m{self.row}-{n}", name=f"Member {n}", kind=MemberKind.OPERATOR.value,
                sectors=json.dumps([self.sector[n]]), standing=self.standing[n], suspended=0, size="medium", owner=None,
                message_signatures_required=0, created_us=0,
            )  # fmt: skip
        await conn.execute(_ADD_GROUP, id=self.group, slug=f"g{self.row}", name="Group", created_us=0)
        await conn.execute(_JOIN, group_id=self.group, member_id=self.members[0], joined_us=0)
        id = new_uuid()
        await conn.execute(
            _ADD_COLLECTION, id=id, row=self.row, api_root="hub", title=self.alias, alias=self.alias, description=None,
            default_tlp="green", topic="threat", signature_required=0, media_types="[]", reciprocal=0,
            agreement_id=None, created_us=0,
        )  # fmt: skip
        for right in ("read", "write"):
            for member in self.members:
                await conn.execute(_ADD_RIGHT, collection_id=id, right=right, grantee_kind="member", grantee_value=member)
        await conn.execute(_ADD_CLOCK, collection_row=self.row, clock_us=0, labels=0)
        await bump_revision(conn)

    # --- what happens ---

    async def push(self, member: int, objects: list[dict[str, object]], marks: list[str]) -> None:
        directory = await self.hub.directory()
        body = json.dumps({"objects": objects}).encode()
        status = await push(self.hub, directory, self.principal(member, directory), "hub", self.alias, body)
        clock_us = await self.clock()
        accepted = {(o.id, o.version) for o in status.successes}
        for obj, mark in zip(objects, marks, strict=True):
            key = (str(obj["id"]), str(obj["modified"]))
            if key in accepted and key not in self.held:
                self.held[key] = Held(*key, mark, clock_us, next(_numbers))

    async def delete(self, member: int, number: int, version: int | None) -> None:
        """Delete one version of an object, or all."""
        obj = self.indicator(number, version or 1, "green")
        versions = ALL_VERSIONS if version is None else VersionMatch(last=False, exact_us=(parse_timestamp(str(obj["modified"])),))
        directory = await self.hub.directory()
        principal = self.principal(member, directory)
        await delete_object(self.hub, directory, principal, "hub", self.alias, str(obj["id"]), Query(versions=versions))
        for held in self.held.values():
            if held.id == obj["id"] and (version is None or held.version == obj["modified"]):
                held.deleted_at = held.deleted_at or next(_numbers)

    async def change(self, member: int, what: str) -> None:
        """Change a right of a member: "group" and "suspended" switch, a standing is set."""
        if what == "group":
            self.in_group[member] = not self.in_group[member]
        elif what == "suspended":
            self.suspended[member] = not self.suspended[member]
        else:
            self.standing[member] = what
        await self.site.db.write(self._write_rights, member)

    async def _write_rights(self, conn: Connection, n: int) -> None:
        await conn.execute(_SET_MEMBER, member=self.members[n], s=int(self.suspended[n]), t=self.standing[n])
        await conn.execute(_LEAVE, member=self.members[n], group=self.group)
        if self.in_group[n]:
            await conn.execute(_JOIN, group_id=self.group, member_id=self.members[n], joined_us=0)
        await bump_revision(conn)

    async def tick(self) -> None:
        await self.site.db.write(tick_clocks, self.site.now_us)

    # --- what members see ---

    async def poll(self, reader: Reader) -> int:
        """Fetch one page as a client would, check that nothing leaked, and return how many objects there were."""
        directory = await self.hub.directory()
        if self.suspended[reader.member]:
            return 0
        query = Query(
            added_after_us=reader.after_us, next=None if reader.by_date else reader.next, limit=reader.limit, versions=reader.versions
        )
        page = await list_objects(self.hub, directory, self.principal(reader.member, directory), "hub", self.alias, query)
        await self.check_page(reader, page)
        if page.last_us is not None:
            if reader.by_date or page.next is None:
                reader.after_us, reader.next = page.last_us, None
            else:
                reader.next = page.next
        return len(page.bodies)

    async def check_page(self, reader: Reader, page: ObjectPage) -> None:
        assert len(page.bodies) <= reader.limit
        clock_us = await self.clock()
        for body in page.bodies:
            obj = json.loads(body)
            key = (obj["id"], obj["modified"])
            held = self.held[key]
            assert not held.deleted, f"deleted {key} was served"
            for other in self.held.values():
                if other is held or held.is_narrowed_by(other):
                    assert self.allowed(reader.member, other.mark) is not None, f"{key} leaked: {other.mark} is not for {reader.member}"
            if held.mark == "slow" and reader.member != 0:  # only the first member pushes, and its own it sees at once
                least = self.least_delay_us.get(reader.member, DELAY_US[self.standing[reader.member]])
                assert clock_us >= held.first_seen_at_us + min(least, DELAY_US[self.standing[reader.member]]) - HOUR_US, (
                    f"{key} came too soon"
                )
            reader.got.add(key)
        self.least_delay_us[reader.member] = min(self.least_delay_us.get(reader.member, 10**18), DELAY_US[self.standing[reader.member]])

    def allowed(self, member: int, mark: str) -> int | None:
        """The plain reading of the rules: the delay after which a member may see a mark, or None."""
        if self.suspended[member]:
            return None
        if mark == "green":
            return 0
        if mark == "named":
            return 0 if member in (0, 2) else None
        if mark == "group":
            return 0 if self.in_group[member] else None
        if mark == "sector":
            return 0 if self.sector[member] == "energy" else None
        return DELAY_US[self.standing[member]]

    def expected(self, reader: Reader) -> set[tuple[str, str]]:
        """What a member sees when every delay is over: versions whose own mark and all newer ones are allowed."""
        seen: set[tuple[str, str]] = set()
        for held in self.held.values():
            newer = [o for o in self.held.values() if o.id == held.id and o.version > held.version]
            if held.deleted or any(self.allowed(reader.member, o.mark) is None for o in self.narrowing(held)):
                continue
            if reader.versions.all or all(o.deleted for o in newer):
                seen.add((held.id, held.version))
        return seen

    def narrowing(self, held: Held) -> list[Held]:
        """The versions whose marks count for one: its own, those that narrowed it, and what had narrowed these before they met it."""
        return [held, *(mark for other in self.held.values() if held.is_narrowed_by(other) for mark in self.narrowing(other))]

    async def end(self) -> dict[str, set[tuple[str, str]]]:
        """Let every delay pass, let every client follow to the end, and return what any has missed."""
        missed: dict[str, set[tuple[str, str]]] = {}
        self.site.now_us = max(self.site.now_us, START_US) + 200 * HOUR_US
        for reader in self.readers:
            for _ in range(3):  # a grant that is found moves the clock only past itself
                await self.tick()
                while await self.poll(reader):
                    pass
            wanting = self.expected(reader) - reader.got
            if wanting and not self.suspended[reader.member]:
                missed[f"member {reader.member} by {'date' if reader.by_date else 'next'}"] = wanting
        return missed

    # --- helpers ---

    def principal(self, member: int, directory) -> Principal:  # noqa: ANN001
        return Principal("test", Role.PUBLISHER, directory.members[self.members[member]])

    async def clock(self) -> int:
        async with self.site.db.read() as conn:
            return int(await conn.fetch_value(_CLOCK, collection=self.row))

    def indicator(self, number: int, version: int, mark: str) -> dict[str, object]:
        """An indicator of the first member's: its `version`-th version, under a mark."""
        obj: dict[str, object] = {
            "type": "indicator", "spec_version": "2.1", "id": f"indicator--{uuid.uuid5(uuid.UUID(self.members[0][10:]), str(number))}",
            "created": "2026-01-01T00:00:00.000Z", "modified": f"2026-01-01T00:00:{version:02d}.000Z",
            "pattern": f"[ipv4-addr:value = '198.51.100.{number}']", "pattern_type": "stix", "valid_from": "2026-01-01T00:00:00Z",
        }  # fmt: skip
        marks: dict[str, dict[str, object]] = {
            "green": {"object_marking_refs": [TLP_GREEN]},
            "named": {"object_marking_refs": [TLP_RED], "extensions": _sharing(recipients=[self.members[2]])},
            "group": {"object_marking_refs": [TLP_GREEN, self.group]},
            "sector": {"object_marking_refs": [TLP_AMBER], "extensions": _sharing(sectors=["energy"])},
            "slow": {"object_marking_refs": [TLP_GREEN], "extensions": _sharing(release="reciprocal")},
        }
        return obj | marks[mark]


def _sharing(**said: object) -> dict[str, object]:
    return {SHARING: {"extension_type": "property-extension", **said}}


def run(runner: asyncio.Runner, coroutine) -> None:  # noqa: ANN001
    """Run a coroutine of a test whose examples share one event loop."""
    runner.run(coroutine)
