"""Every administrative change counts on the next request on every node, and no node ever reads half of one."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from hub.config import Config
from hub.domain.directory import Token
from hub.domain.ids import MemberId, TokenId
from hub.domain.label import Tlp
from hub.domain.member import Member, MemberKind, Principal, Role
from hub.domain.taxii import Collection, Right
from hub.errors import Conflict, HubError, Unauthenticated
from hub.service import collections, credentials, groups, members, people, policies
from hub.service.administer import COMMAND_LINE, Change, change
from hub.service.authenticate import authenticate
from hub.service.context import Hub, now_us, open_hub
from hub.service.install import install
from hub.service.view import rights
from hub.store import credentials as token_store
from hub.store import members as member_store
from hub.store.database import Connection, open_database
from tests.policies.bundles import unwritable_files
from tests.web.administered import PASSWORD, basic, certificate

ROUNDS = 12


@contextlib.asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[Hub]:
    db = await open_database(database_url)
    try:
        await install(db, now_us=now_us(), title="Main")
        yield await open_hub(Config(database_url=database_url), db)
    finally:
        await db.close()


@pytest.fixture
async def nodes(database_url: str) -> AsyncIterator[tuple[Hub, Hub]]:
    """Two hubs on one database: what is done on the first must count on the second."""
    async with opened(database_url) as first, opened(database_url) as second:
        await members.add_member(first, COMMAND_LINE, slug="energy", name="Energy", kind=MemberKind.OPERATOR)
        await second.directory()
        yield first, second


async def enter(hub: Hub, authorization: str | None, der: bytes | None = None) -> Principal:
    """Do what every request does first."""
    directory = await hub.directory()
    principal = await authenticate(hub, directory, authorization=authorization, certificate=der, address="192.0.2.1")
    assert principal is not None
    return principal


async def may_read(hub: Hub, principal: Principal, collection: Collection) -> bool:
    directory = await hub.directory()
    return (await rights(hub, directory, principal, directory.collections[collection.id].collection)).can_read


async def test_a_credential_counts_from_the_next_request_and_until_it_is_revoked(nodes: tuple[Hub, Hub]):
    here, there = nodes
    token, text = await credentials.issue_token(here, COMMAND_LINE, name="t", role=Role.READER, member="energy")
    assert (await enter(there, f"Bearer {text}")).credential == f"token:{token.id}"
    await credentials.revoke_token(here, COMMAND_LINE, token.id)
    with pytest.raises(Unauthenticated):
        await enter(there, f"Bearer {text}")

    made = certificate("energy")
    held = await credentials.add_certificate(here, COMMAND_LINE, member="energy", name="c", role=Role.READER, pem=made.pem)
    assert (await enter(there, None, made.der)).member is not None
    await credentials.revoke_certificate(here, COMMAND_LINE, held.spki_sha256)
    with pytest.raises(Unauthenticated):
        await enter(there, None, made.der)


async def test_a_password_that_a_node_remembers_ends_with_the_change(nodes: tuple[Hub, Hub]):
    here, there = nodes
    await people.add_person(here, COMMAND_LINE, username="ann", password=PASSWORD, role=Role.READER, member="energy")
    assert (await enter(there, basic("ann", PASSWORD))).role is Role.READER
    await people.change_person(here, COMMAND_LINE, "ann", role=Role.PUBLISHER)
    assert (await enter(there, basic("ann", PASSWORD))).role is Role.PUBLISHER
    await people.change_person(here, COMMAND_LINE, "ann", disabled=True)
    with pytest.raises(Unauthenticated):
        await enter(there, basic("ann", PASSWORD))


async def test_suspension_groups_rights_and_policies_count_on_the_next_request(nodes: tuple[Hub, Hub]):
    here, there = nodes
    _, text = await credentials.issue_token(here, COMMAND_LINE, name="t", role=Role.READER, member="energy")
    await groups.add_group(here, COMMAND_LINE, slug="circle", name="Circle")
    collection = await collections.add_collection(here, COMMAND_LINE, title="Shared", readers=["group:circle"])

    async def reads() -> bool:
        return await may_read(there, await enter(there, f"Bearer {text}"), collection)

    async def writes() -> bool:
        principal = replace(await enter(there, f"Bearer {text}"), role=Role.PUBLISHER)
        directory = await there.directory()
        return (await rights(there, directory, principal, directory.collections[collection.id].collection)).can_write

    assert not await reads()
    await groups.join_group(here, COMMAND_LINE, "circle", member="energy")
    assert await reads()
    await groups.leave_group(here, COMMAND_LINE, "circle", member="energy")
    assert not await reads()
    await collections.grant_right(here, COMMAND_LINE, collection.id, Right.READ, "kind:operator")
    assert await reads()
    await members.change_member(here, COMMAND_LINE, "energy", kind=MemberKind.PARTNER)
    assert not await reads()
    await collections.grant_right(here, COMMAND_LINE, collection.id, Right.READ, "everyone")
    assert await reads()
    await members.suspend_member(here, COMMAND_LINE, "energy")
    assert not await reads()
    await members.resume_member(here, COMMAND_LINE, "energy")
    assert await reads()
    await collections.grant_right(here, COMMAND_LINE, collection.id, Right.WRITE, "everyone")
    assert await writes()
    await policies.activate_policies(here, COMMAND_LINE, unwritable_files())
    assert not await writes()
    await policies.roll_back_policies(here, COMMAND_LINE)
    assert await writes()
    await collections.revoke_right(here, COMMAND_LINE, collection.id, Right.READ, "everyone")
    assert not await reads()


async def test_what_was_written_is_what_is_read(nodes: tuple[Hub, Hub]):
    """Every value that a use case returns equals what another node then finds in the directory."""
    here, there = nodes
    member = await members.add_member(
        here, COMMAND_LINE, slug="water", name="Wässer & Söhne", kind=MemberKind.OPERATOR, sectors=["water", "energy"]
    )  # fmt: skip
    member = await members.change_member(here, COMMAND_LINE, member.id, sectors=["water"])
    person = await people.add_person(here, COMMAND_LINE, username="ann", password=PASSWORD, role=Role.READER, member="water")
    token, _ = await credentials.issue_token(here, COMMAND_LINE, name="t", role=Role.READER, member="water", expires_us=now_us() + 10**9)
    group = await groups.add_group(here, COMMAND_LINE, slug="circle", name="Circle", members=["water", "energy"])
    root = await collections.add_root(here, COMMAND_LINE, slug="annexe", title="Annexe", description="x", default=True)
    added = await collections.add_collection(
        here, COMMAND_LINE, title="Shared", root="annexe", alias="shared", readers=["everyone", "sector:energy", "group:circle"],
        writers=["member:water", "kind:agency"], default_tlp=Tlp.RED, topic="ip-protection", signature_required=True,
        media_types=["application/stix+json;version=2.1", "application/json"],
    )  # fmt: skip
    directory = await there.directory()
    assert directory.find_member("water") == replace(member, groups=frozenset({group.id}))
    assert directory.people["ann"] == person
    assert directory.tokens[token.id] == token
    assert directory.find_group("circle") == group
    assert directory.roots["annexe"] == root
    assert not directory.roots["hub"].default
    held = directory.find_collection("annexe", "shared")
    assert held is not None
    assert held.collection == added


async def test_a_change_that_is_refused_leaves_nothing_behind(nodes: tuple[Hub, Hub]):
    here, there = nodes
    before = await there.directory()

    async def half(c: Change) -> None:
        await c.record("test", "nothing")
        raise Conflict("no")

    with pytest.raises(Conflict):
        await change(here, COMMAND_LINE, half)
    with pytest.raises(HubError):
        await groups.add_group(here, COMMAND_LINE, slug="circle", name="Circle", members=["energy", "nobody"])
    assert await there.directory() is before


async def test_collections_that_are_added_at_once_get_rows_of_their_own(nodes: tuple[Hub, Hub]):
    """Half of them on each node. Of two with one title, one is refused."""
    adding = [collections.add_collection(nodes[n % 2], COMMAND_LINE, title=f"Collection {n % 7}") for n in range(14)]
    done = await asyncio.gather(*adding, return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in done) == 7
    directory = await nodes[0].directory()
    assert len({held.row for held in directory.collections.values()}) == len(directory.collections) == 7


async def test_no_node_reads_half_of_a_change(nodes: tuple[Hub, Hub]):
    """A writer moves one member after another in and out of a group together with its name; readers must never see them differ."""
    here, there = nodes
    await groups.add_group(here, COMMAND_LINE, slug="circle", name="0", members=[])
    done = asyncio.Event()

    async def write() -> None:
        for number in range(1, ROUNDS + 1):

            async def step(c: Change, number: int = number) -> None:
                await _one_more(c, number)

            await change(here, COMMAND_LINE, step)
            await asyncio.sleep(0)
        done.set()

    async def read() -> int:
        seen = set()
        while not done.is_set():
            directory = await there.directory()
            group = directory.find_group("circle")
            assert group is not None
            assert len(group.members) == int(group.name) == len([m for m in directory.members.values() if group.id in m.groups])
            assert all(token.member in directory.members for token in directory.tokens.values() if token.member is not None)
            seen.add(directory.revision)
            await asyncio.sleep(0)
        return len(seen)

    _, *moments = await asyncio.gather(write(), read(), read())
    assert max(moments) > 1


async def _one_more(c: Change, number: int) -> None:
    """Add a member with a token, and let it into the group, which is then called by the number of its members."""
    conn: Connection = c.conn
    member = Member(MemberId(f"identity--{number}"), f"member-{number}", "M", MemberKind.OPERATOR)
    await member_store.add_member(conn, member, now_us=c.now_us)
    await token_store.add_token(conn, Token(TokenId(f"token-{number}"), member.id, "t", Role.READER, b"", c.now_us, None, None))
    group = c.directory.find_group("circle")
    assert group is not None
    await member_store.join_group(conn, group.id, member.id, now_us=c.now_us)
    await member_store.rename_group(conn, group.id, str(number))
