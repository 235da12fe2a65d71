"""Requests for wider release, and who produced what they are about."""

from collections.abc import Collection

from sqlalchemy import bindparam, func, insert, or_, select, update

from hub.domain.ids import LabelId, MemberId, ReleaseId
from hub.domain.release import AskedVersion, ReleaseAnswer, ReleaseRequest
from hub.domain.taxii import Grantee, GranteeKind
from hub.store.database import Connection, Row, among, prepare
from hub.store.tables import table

REQUEST = table("release_request")
VERSION = table("version")
MEMBER = table("member")

_COLUMNS = [
    REQUEST.c[name]
    for name in (
        "id", "asked_us", "asker_id", "source_key", "source_known", "collection_row", "object_row", "stix_id", "version_us", "label_id",
        "grantee_kind", "grantee_value", "reason", "answered_us", "agreed", "marking", "answer",
    )
]  # fmt: skip
_ADD = prepare(insert(REQUEST))
_GET = prepare(select(*_COLUMNS).where(REQUEST.c.id == bindparam("request")))
_OF_MEMBER = prepare(
    select(*_COLUMNS).where(or_(REQUEST.c.asker_id == bindparam("asker"), among(REQUEST.c.source_key, "keys"))).order_by(REQUEST.c.id)
)
_OPEN = prepare(select(func.count()).select_from(REQUEST).where(REQUEST.c.asker_id == bindparam("member"), REQUEST.c.answered_us.is_(None)))
_SAME = prepare(
    select(func.count())
    .select_from(REQUEST)
    .where(
        REQUEST.c.asker_id == bindparam("member"),
        REQUEST.c.answered_us.is_(None),
        REQUEST.c.stix_id == bindparam("object"),
        REQUEST.c.grantee_kind == bindparam("kind"),
        REQUEST.c.grantee_value == bindparam("value"),
    )
)
_ANSWER = prepare(
    update(REQUEST)
    .where(REQUEST.c.id == bindparam("request"), REQUEST.c.answered_us.is_(None))
    .values(answered_us=bindparam("now"), agreed=bindparam("is_agreed"), marking=bindparam("under"), answer=bindparam("said"))
)
_LOCK = prepare(select(MEMBER.c.id).where(MEMBER.c.id == bindparam("member")).with_for_update())
_PRODUCER = prepare(select(VERSION.c.producer_id).where(VERSION.c.row == bindparam("version_row")))


async def find_producer(conn: Connection, version_row: int) -> MemberId:
    """Return who produced a version."""
    return MemberId(str(await conn.fetch_value(_PRODUCER, version_row=version_row)))


async def lock_asker(conn: Connection, asker: MemberId) -> None:
    """Let no other request of this member be counted or added until the transaction ends."""
    await conn.fetch_value(_LOCK, member=asker)


async def add_request(conn: Connection, request: ReleaseRequest) -> None:
    """Insert a request that is not answered yet."""
    about = request.about
    await conn.execute(
        _ADD, id=request.id, asked_us=request.asked_us, asker_id=request.asker, source_key=request.source_key,
        source_known=int(request.source_known), collection_row=about.collection_row, object_row=about.object_row, stix_id=about.stix_id,
        version_us=about.version_us, label_id=about.label, grantee_kind=request.to.kind.value,
        grantee_value=request.to.value, reason=request.reason, answered_us=None, agreed=None, marking=None, answer=None,
    )  # fmt: skip


async def answer_request(conn: Connection, request: ReleaseId, answer: ReleaseAnswer) -> bool:
    """Write the source's answer, and return whether there was none before."""
    return bool(
        await conn.execute(
            _ANSWER, request=request, now=answer.answered_us, is_agreed=int(answer.agreed), under=answer.marking, said=answer.reason
        )
    )


async def withdraw_request(conn: Connection, request: ReleaseId, *, now_us: int) -> bool:
    """Write that the asker takes a request back, and return whether it was open."""
    return bool(await conn.execute(_ANSWER, request=request, now=now_us, is_agreed=None, under=None, said=None))


async def find_request(conn: Connection, request: str) -> ReleaseRequest | None:
    """Return a request by its id."""
    row = await conn.fetch_one(_GET, request=request)
    return _request(row) if row is not None else None


async def list_requests(conn: Connection, member: MemberId, keys: Collection[str]) -> list[ReleaseRequest]:
    """Return the requests that a member made, and those to the source that goes by one of `keys`, by id."""
    return [_request(row) for row in await conn.fetch(_OF_MEMBER, asker=member, keys=list(keys))]


async def count_open(conn: Connection, asker: MemberId) -> int:
    """Return how many requests of a member wait for an answer."""
    return int(await conn.fetch_value(_OPEN, member=asker))


async def is_asked(conn: Connection, asker: MemberId, stix_id: str, to: Grantee) -> bool:
    """Whether a member waits for the answer to this request already."""
    return bool(await conn.fetch_value(_SAME, member=asker, object=stix_id, kind=to.kind.value, value=to.value))


def _request(row: Row) -> ReleaseRequest:
    id, asked_us, asker, source, source_known, *about, kind, value, reason, answered_us, agreed, marking, answer = row
    collection_row, object_row, stix_id, version_us, label = about
    given = None if agreed is None else ReleaseAnswer(bool(agreed), answer, marking, answered_us)
    return ReleaseRequest(
        ReleaseId(id), asked_us, MemberId(asker), source, bool(source_known),
        AskedVersion(collection_row, object_row, stix_id, version_us, LabelId(label)), Grantee(GranteeKind(kind), value),
        reason, given, answered_us if given is None else None,
    )  # fmt: skip
