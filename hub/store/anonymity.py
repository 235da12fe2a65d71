"""Settings of members who do not want to be known, their renditions, and proposals to learn who somebody is."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, insert, select, update

from hub.domain.ids import CollectionId, LiftId, MemberId
from hub.domain.label import Attribution
from hub.domain.lifting import Lift
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.tables import table

ATTRIBUTION = table("attribution")
NAME = table("member_name")
RENDITION = table("rendition")
VERSION = table("rendition_version")
WORK = table("rendition_work")
LIFT = table("anonymity_lift")
OBJECT = table("object")
STORED = table("version")

_ATTRIBUTIONS = prepare(select(ATTRIBUTION.c.member_id, ATTRIBUTION.c.collection_id, ATTRIBUTION.c.known_to))
_UNSET = prepare(
    delete(ATTRIBUTION).where(ATTRIBUTION.c.member_id == bindparam("member"), ATTRIBUTION.c.collection_id == bindparam("collection"))
)
_SET = prepare(insert(ATTRIBUTION))
_NAMES = prepare(select(NAME.c.member_id, NAME.c.name))
_FORGET_NAMES = prepare(delete(NAME).where(NAME.c.member_id == bindparam("member")))
_GIVEN = prepare(select(OBJECT.c.stix_id, OBJECT.c.owner_id, OBJECT.c.attribution).where(among(OBJECT.c.stix_id, "ids")))
_BODY = prepare(
    select(STORED.c.body)
    .join(OBJECT, OBJECT.c.row == STORED.c.object_row)
    .where(OBJECT.c.stix_id == bindparam("id"), OBJECT.c.lineage == "")
    .order_by(STORED.c.version_us.desc())
    .limit(1)
)
_RENDITIONS = prepare(
    select(RENDITION.c.stix_id, RENDITION.c.created_us, RENDITION.c.version_us, RENDITION.c.sealed).where(among(RENDITION.c.stix_id, "ids"))
)
_VERSIONS = prepare(select(VERSION.c.token, VERSION.c.version_us).where(among(VERSION.c.token, "tokens")))
_DUE = prepare(
    select(WORK.c.collection_row, WORK.c.due_us).where(WORK.c.due_us <= bindparam("now")).order_by(WORK.c.due_us, WORK.c.row).limit(1)
)
_WORK = prepare(
    select(WORK.c.row, WORK.c.label, VERSION.c.body, VERSION.c.version_us)
    .join(VERSION, VERSION.c.token == WORK.c.token)
    .where(WORK.c.collection_row == bindparam("collection"), WORK.c.due_us <= bindparam("now"))
    .order_by(WORK.c.due_us, WORK.c.row)
    .limit(bindparam("limit"))
)
_DONE = prepare(delete(WORK).where(among(WORK.c.row, "rows")))
_CALL_OFF = prepare(delete(WORK).where(WORK.c.collection_row == bindparam("collection"), among(WORK.c.token, "tokens")))
_LIFT_COLUMNS = (
    LIFT.c.id, LIFT.c.stix_id, LIFT.c.reason, LIFT.c.proposed_by, LIFT.c.proposed_us, LIFT.c.answered_by, LIFT.c.answered_us,
    LIFT.c.approved,
)  # fmt: skip
_ADD_LIFT = prepare(insert(LIFT))
_FIND_LIFT = prepare(select(*_LIFT_COLUMNS).where(LIFT.c.id == bindparam("lift")))
_LIFTS = prepare(select(*_LIFT_COLUMNS).order_by(LIFT.c.id))
_OPEN_LIFT = prepare(select(LIFT.c.id).where(LIFT.c.stix_id == bindparam("rendition"), LIFT.c.answered_us.is_(None)))
_ANSWER_LIFT = prepare(
    update(LIFT)
    .where(LIFT.c.id == bindparam("lift"), LIFT.c.answered_us.is_(None))
    .values(answered_by=bindparam("officer"), answered_us=bindparam("now"), approved=bindparam("is_approved"))
)


@dataclass(frozen=True, slots=True)
class StoredRendition:
    """A rendition as it is stored."""

    stix_id: str
    created_us: int
    version_us: int
    sealed: bytes


@dataclass(frozen=True, slots=True)
class RenditionVersion:
    """A version of a rendition."""

    token: str
    stix_id: str
    version_us: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """A version of a rendition that is to be appended to a collection."""

    row: int
    label: str  # canonical
    body: bytes
    version_us: int


async def load_attributions(conn: Connection) -> dict[tuple[MemberId, CollectionId], Attribution]:
    """Return to whom members want to be known, where it is not everyone."""
    rows = await conn.fetch(_ATTRIBUTIONS)
    return {(MemberId(member), CollectionId(collection)): Attribution(known_to) for member, collection, known_to in rows}


async def set_attribution(conn: Connection, member: MemberId, collection: CollectionId, known_to: Attribution) -> None:
    """Keep to whom a member wants to be known for what it gives to a collection."""
    await conn.execute(_UNSET, member=member, collection=collection)
    if known_to is not Attribution.EVERYONE:
        await conn.execute(_SET, member_id=member, collection_id=collection, known_to=known_to.value)


async def load_names(conn: Connection) -> dict[MemberId, frozenset[str]]:
    """Return the names and domains that were kept of members."""
    names: dict[MemberId, set[str]] = {}
    for member, name in await conn.fetch(_NAMES):
        names.setdefault(MemberId(member), set()).add(name)
    return {member: frozenset(known) for member, known in names.items()}


async def set_names(conn: Connection, member: MemberId, names: Collection[str]) -> None:
    """Keep these names and domains of a member, and no others."""
    await conn.execute(_FORGET_NAMES, member=member)
    await conn.insert_many(NAME, ("member_id", "name"), [(member, name) for name in sorted(names)])


async def find_given(conn: Connection, ids: Collection[str]) -> list[tuple[str, MemberId, Attribution]]:
    """Return of those objects that the hub holds who gave them, and to whom that is known; an observable may have several givers."""
    rows = await conn.fetch(_GIVEN, ids=sorted(ids))
    return [(id, MemberId(owner), Attribution(known_to or Attribution.EVERYONE)) for id, owner, known_to in rows]


async def find_latest_body(conn: Connection, stix_id: str) -> bytes | None:
    """Return the latest version of an object that somebody owns, as it was received."""
    body = await conn.fetch_value(_BODY, id=stix_id)
    return None if body is None else bytes(body)


async def find_renditions(conn: Connection, ids: Collection[str]) -> dict[str, StoredRendition]:
    """Return the renditions with these STIX ids."""
    rows = await conn.fetch(_RENDITIONS, ids=sorted(ids))
    return {id: StoredRendition(id, created_us, version_us, bytes(sealed)) for id, created_us, version_us, sealed in rows}


async def find_versions(conn: Connection, tokens: Collection[str]) -> dict[str, int]:
    """Return the versions of renditions that there are for these versions of originals."""
    return {str(token): int(version_us) for token, version_us in await conn.fetch(_VERSIONS, tokens=sorted(tokens))}


def rendition_changes(
    new: Sequence[StoredRendition],
    changed: Sequence[StoredRendition],
    versions: Sequence[RenditionVersion],
    work: Iterable[tuple[int, str, str, int]],
) -> list[Change]:
    """Return what keeps renditions, and what is to be appended: (collection, token, canonical label, when)."""
    rows = [(r.stix_id, r.created_us, r.version_us, r.sealed) for r in new]
    return [
        Change(RENDITION, ("stix_id", "created_us", "version_us", "sealed"), rows),
        Change(RENDITION, ("stix_id", "version_us", "sealed"), [(r.stix_id, r.version_us, r.sealed) for r in changed], keys=1),
        Change(VERSION, ("token", "stix_id", "version_us", "body"), [(v.token, v.stix_id, v.version_us, v.body) for v in versions]),
        Change(WORK, ("collection_row", "token", "label", "due_us"), list(work)),
    ]


async def find_due(conn: Connection, now_us: int) -> int | None:
    """Return the collection to which a rendition is to be appended now."""
    row = await conn.fetch_one(_DUE, now=now_us)
    return None if row is None else int(row[0])


async def list_work(conn: Connection, collection_row: int, now_us: int, limit: int) -> list[Work]:
    """Return what is to be appended to a collection now, the longest due first."""
    rows = await conn.fetch(_WORK, collection=collection_row, now=now_us, limit=limit)
    return [Work(row, label, bytes(body), version_us) for row, label, body, version_us in rows]


async def finish_work(conn: Connection, rows: Collection[int]) -> None:
    """Forget what was appended."""
    await conn.execute(_DONE, rows=sorted(rows))


async def call_off(conn: Connection, collection_row: int, tokens: Collection[str]) -> None:
    """Let versions of originals not be appended as renditions any more."""
    await conn.execute(_CALL_OFF, collection=collection_row, tokens=sorted(tokens))


async def add_lift(conn: Connection, lift: Lift) -> None:
    """Insert a proposal that nobody has answered."""
    await conn.execute(
        _ADD_LIFT, id=lift.id, stix_id=lift.rendition, reason=lift.reason, proposed_by=lift.proposed_by, proposed_us=lift.proposed_us,
        answered_by=None, answered_us=None, approved=None,
    )  # fmt: skip


async def answer_lift(conn: Connection, lift: LiftId, officer: str, *, approved: bool, now_us: int) -> bool:
    """Write a second officer's answer, and return whether there was none before."""
    return bool(await conn.execute(_ANSWER_LIFT, lift=lift, officer=officer, now=now_us, is_approved=int(approved)))


async def find_lift(conn: Connection, id: str) -> Lift | None:
    """Return a proposal."""
    row = await conn.fetch_one(_FIND_LIFT, lift=id)
    return None if row is None else _lift(row)


async def list_lifts(conn: Connection) -> list[Lift]:
    """Return all proposals, by id."""
    return [_lift(row) for row in await conn.fetch(_LIFTS)]


async def is_lift_open(conn: Connection, rendition: str) -> bool:
    """Whether a proposal for a rendition waits for an answer."""
    return await conn.fetch_value(_OPEN_LIFT, rendition=rendition) is not None


def _lift(row: Row) -> Lift:
    id, rendition, reason, proposed_by, proposed_us, answered_by, answered_us, approved = row
    answer = None if approved is None else bool(approved)
    return Lift(LiftId(id), rendition, reason, proposed_by, proposed_us, answered_by, answered_us, answer)
