"""Reading the directory whole, and the few facts about the hub that every process needs at its start."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from sqlalchemy import bindparam, select, update

from hub.domain.agreement import Agreement, next_moment
from hub.domain.directory import Certificate, Directory, HeldCollection, Person, Token
from hub.domain.ids import AgreementId, CollectionId, GroupId, MemberId, TokenId
from hub.domain.label import Tlp
from hub.domain.member import Member, MemberKind, Role, SharingGroup, Size, Standing
from hub.domain.taxii import ApiRoot, Collection, Grantee, GranteeKind, Right
from hub.errors import ConfigError
from hub.store.agreements import load_agreements
from hub.store.anonymity import load_attributions, load_names
from hub.store.database import Connection, Row, prepare
from hub.store.state import read_state
from hub.store.tables import table
from hub.store.trust import load_member_keys

REVISION = table("revision")
MEMBER = table("member")
PERSON = table("person")
TOKEN = table("token")
CERTIFICATE = table("certificate")
GROUP = table("sharing_group")
GROUP_MEMBER = table("sharing_group_member")
ROOT = table("api_root")
COLLECTION = table("collection")
RIGHT = table("collection_right")
BUNDLE = table("policy_bundle")

_REVISION = prepare(select(REVISION.c.value).where(REVISION.c.id == 1))
_BUMP = prepare(update(REVISION).where(REVISION.c.id == 1).values(value=REVISION.c.value + 1))
_MEMBERS = prepare(
    select(
        MEMBER.c.id,
        MEMBER.c.slug,
        MEMBER.c.name,
        MEMBER.c.kind,
        MEMBER.c.sectors,
        MEMBER.c.standing,
        MEMBER.c.suspended,
        MEMBER.c.size,
        MEMBER.c.owner,
        MEMBER.c.message_signatures_required,
    )
)
_PEOPLE = prepare(select(PERSON.c.username, PERSON.c.member_id, PERSON.c.role, PERSON.c.password_hash, PERSON.c.epoch, PERSON.c.disabled))
_TOKENS = prepare(
    select(
        TOKEN.c.id, TOKEN.c.member_id, TOKEN.c.name, TOKEN.c.role, TOKEN.c.secret_hash,
        TOKEN.c.created_us, TOKEN.c.expires_us, TOKEN.c.revoked_us,
    )
)  # fmt: skip
_CERTIFICATES = prepare(
    select(
        CERTIFICATE.c.spki_sha256, CERTIFICATE.c.member_id, CERTIFICATE.c.name, CERTIFICATE.c.role,
        CERTIFICATE.c.created_us, CERTIFICATE.c.revoked_us,
    )
)  # fmt: skip
_GROUPS = prepare(select(GROUP.c.id, GROUP.c.slug, GROUP.c.name))
_GROUP_MEMBERS = prepare(select(GROUP_MEMBER.c.group_id, GROUP_MEMBER.c.member_id))
_ROOTS = prepare(select(ROOT.c.slug, ROOT.c.title, ROOT.c.description, ROOT.c.is_default).order_by(ROOT.c.slug))
_COLLECTIONS = prepare(
    select(
        COLLECTION.c.row, COLLECTION.c.id, COLLECTION.c.api_root, COLLECTION.c.title, COLLECTION.c.alias, COLLECTION.c.description,
        COLLECTION.c.default_tlp, COLLECTION.c.topic, COLLECTION.c.signature_required, COLLECTION.c.media_types,
        COLLECTION.c.reciprocal, COLLECTION.c.agreement_id,
    ).order_by(COLLECTION.c.id)
)  # fmt: skip
_RIGHTS = prepare(select(RIGHT.c.collection_id, RIGHT.c.right, RIGHT.c.grantee_kind, RIGHT.c.grantee_value))
_BUNDLE = prepare(select(BUNDLE.c.files).where(BUNDLE.c.digest == bindparam("digest")))


async def read_revision(conn: Connection) -> int:
    """Return the revision of the directory."""
    return int(await conn.fetch_value(_REVISION))


async def bump_revision(conn: Connection) -> None:
    """Tell every node, once this transaction is committed, to read the directory anew."""
    await conn.execute(_BUMP)


async def load_policy_files(conn: Connection, digest: str) -> Mapping[str, bytes]:
    """Return the files of a policy bundle, by path."""
    files = await conn.fetch_value(_BUNDLE, digest=digest)
    if files is None:
        raise ConfigError(f"the database holds no policy bundle {digest}; run `hub policy activate DIR`")
    return {path: text.encode() for path, text in json.loads(files).items()}


async def load_directory(conn: Connection, at_us: int) -> Directory:
    """Return the directory with what is in force at `at_us`. `conn` is a snapshot, so that its parts are of one revision."""
    revision = await read_revision(conn)
    agreements = await load_agreements(conn)
    memberships: dict[str, set[MemberId]] = {}
    for group_id, member_id in await conn.fetch(_GROUP_MEMBERS):
        memberships.setdefault(group_id, set()).add(MemberId(member_id))
    groups = {
        GroupId(id): SharingGroup(GroupId(id), slug, name, frozenset(memberships.get(id, ())))
        for id, slug, name in await conn.fetch(_GROUPS)
    }
    of_member: dict[MemberId, set[GroupId]] = {}
    for group in groups.values():
        for member in group.members:
            of_member.setdefault(member, set()).add(group.id)
    return Directory(
        revision=revision,
        at_us=at_us,
        until_us=next_moment(agreements.values(), at_us),
        policy=await read_state(conn, "policy"),
        members=_parties(
            [_member(row, of_member.get(MemberId(row[0]), set())) for row in await conn.fetch(_MEMBERS)],
            [agreement for agreement in agreements.values() if agreement.is_in_force(at_us)],
        ),
        people={row[0]: _person(row) for row in await conn.fetch(_PEOPLE)},
        tokens={TokenId(row[0]): _token(row) for row in await conn.fetch(_TOKENS)},
        certificates={row[0]: Certificate(row[0], row[1], row[2], Role(row[3]), row[4], row[5]) for row in await conn.fetch(_CERTIFICATES)},
        groups=groups,
        roots={slug: ApiRoot(slug, title, description, bool(default)) for slug, title, description, default in await conn.fetch(_ROOTS)},
        collections=await _collections(conn),
        agreements=agreements,
        identity=MemberId(await read_state(conn, "identity")),
        attributions=await load_attributions(conn),
        names=await load_names(conn),
        keys=await load_member_keys(conn),
    )


def _parties(members: Iterable[Member], in_force: list[Agreement]) -> dict[MemberId, Member]:
    if not in_force:
        return {member.id: member for member in members}
    return {m.id: replace(m, agreements=frozenset(a.id for a in in_force if a.includes(m))) for m in members}


def _member(row: Row, groups: set[GroupId]) -> Member:
    id, slug, name, kind, sectors, standing, suspended, size, owner, must_sign = row
    return Member(
        MemberId(id), slug, name, MemberKind(kind), frozenset(json.loads(sectors)), Standing(standing), bool(suspended), frozenset(groups),
        Size(size), owner, message_signatures_required=bool(must_sign),
    )  # fmt: skip


def _person(row: Row) -> Person:
    username, member, role, password_hash, epoch, disabled = row
    return Person(username, member, Role(role), password_hash, epoch, bool(disabled))


def _token(row: Row) -> Token:
    id, member, name, role, *rest = row
    return Token(TokenId(id), member, name, Role(role), *rest)


async def _collections(conn: Connection) -> dict[CollectionId, HeldCollection]:
    granted: dict[tuple[str, str], set[Grantee]] = {}
    for collection, right, kind, value in await conn.fetch(_RIGHTS):
        granted.setdefault((collection, right), set()).add(Grantee(GranteeKind(kind), value))
    held: dict[CollectionId, HeldCollection] = {}
    for row, id, api_root, title, alias, description, tlp, topic, signed, media_types, reciprocal, agreement in await conn.fetch(
        _COLLECTIONS
    ):
        held[CollectionId(id)] = HeldCollection(
            Collection(
                CollectionId(id),
                api_root,
                title,
                alias,
                description,
                frozenset(granted.get((id, Right.READ), ())),
                frozenset(granted.get((id, Right.WRITE), ())),
                Tlp(tlp),
                topic,
                bool(signed),
                tuple(json.loads(media_types)),
                bool(reciprocal),
                None if agreement is None else AgreementId(agreement),
            ),
            row,
        )
    return held
