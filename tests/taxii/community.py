"""The community that the TAXII tests run against: members, their tokens, API Roots and collections.

| collection (alias) | agency     | energy, water | observer   |
|--------------------|------------|---------------|------------|
| shared             | read write | read write    | read write |
| second             | read write | read write    | read write |
| advisories         | read write | read          | read       |
| dropbox            | read write | write         | write      |
| private            | read write | none          | none       |

The root `annexe` has a collection `shared` too, another one. Content without a marking is TLP:GREEN.
"""

from hub.domain.directory import Token
from hub.domain.ids import CollectionId, GroupId, MemberId
from hub.domain.label import Tlp
from hub.domain.member import Member, MemberKind, Role, SharingGroup, Standing
from hub.domain.taxii import ApiRoot, Collection, Grantee, GranteeKind
from hub.domain.token import TEST, hash_secret, new_token
from hub.store.collections import add_collection, add_root
from hub.store.credentials import add_token
from hub.store.database import Connection
from hub.store.directory import bump_revision
from hub.store.members import add_group, add_member, join_group

AGENCY = Member(MemberId("identity--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a01"), "agency", "Cyber Agency", MemberKind.AGENCY)
ENERGY = Member(
    MemberId("identity--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a02"), "energy", "Energy Grid", MemberKind.OPERATOR, frozenset({"energy"})
)
WATER = Member(
    MemberId("identity--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a03"), "water", "Water Works", MemberKind.OPERATOR, frozenset({"water"}),
    Standing.STEWARD,  # so that the settings alone limit its pages
)  # fmt: skip
OBSERVER = Member(MemberId("identity--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a04"), "observer", "Observer Ltd", MemberKind.OPERATOR)
MEMBERS = (AGENCY, ENERGY, WATER, OBSERVER)
CIRCLE = SharingGroup(GroupId("marking-definition--3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0b01"), "circle", "The Circle")

_EVERYONE = frozenset({Grantee(GranteeKind.EVERYONE)})
_AGENCY = frozenset({Grantee(GranteeKind.MEMBER, AGENCY.id)})


def _collection(id: str, alias: str, readers: frozenset[Grantee], writers: frozenset[Grantee], root: str = "hub") -> Collection:
    return Collection(
        CollectionId(id), root, alias.capitalize(), alias, f"About {alias}", readers, writers, default_tlp=Tlp.GREEN
    )  # fmt: skip


SHARED = _collection("c0ffee00-0000-4000-8000-000000000004", "shared", _EVERYONE, _EVERYONE)
SECOND = _collection("c0ffee00-0000-4000-8000-000000000003", "second", _EVERYONE, _EVERYONE)
ADVISORIES = _collection("c0ffee00-0000-4000-8000-000000000005", "advisories", _EVERYONE, _AGENCY)
DROPBOX = _collection("c0ffee00-0000-4000-8000-000000000002", "dropbox", _AGENCY, _EVERYONE)
PRIVATE = _collection("c0ffee00-0000-4000-8000-000000000001", "private", _AGENCY, _AGENCY)
ANNEXE = _collection("c0ffee00-0000-4000-8000-000000000006", "shared", _EVERYONE, _EVERYONE, root="annexe")
COLLECTIONS = (SHARED, SECOND, ADVISORIES, DROPBOX, PRIVATE, ANNEXE)

Credential = tuple[str, str]  # what Basic takes: the token's id, and the token whole


async def seed(conn: Connection, secret: bytes, now_us: int) -> dict[str, Credential]:
    """Insert the community, and return a credential for each member's slug and for `reader` (of energy) and `admin` (of no member)."""
    await add_root(conn, ApiRoot("annexe", "Annexe", "A second API Root"))
    for member in MEMBERS:
        await add_member(conn, member, now_us=now_us)
    await add_group(conn, CIRCLE, now_us=now_us)
    for member in (AGENCY, ENERGY):
        await join_group(conn, CIRCLE.id, member.id, now_us=now_us)
    for collection in COLLECTIONS:
        await add_collection(conn, collection, now_us=now_us)
    credentials = {member.slug: await _token(conn, secret, now_us, member.id, Role.PUBLISHER) for member in MEMBERS}
    credentials["reader"] = await _token(conn, secret, now_us, ENERGY.id, Role.READER)
    credentials["admin"] = await _token(conn, secret, now_us, None, Role.ADMIN)
    await bump_revision(conn)
    return credentials


async def _token(conn: Connection, secret: bytes, now_us: int, member: MemberId | None, role: Role) -> Credential:
    token, text = new_token(TEST)
    await add_token(conn, Token(token.id, member, "test", role, hash_secret(secret, token.secret), now_us, None, None))
    return token.id, text
