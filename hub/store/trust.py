"""Keys that sign, and which versions they vouched for: by a signature on the object, or on the message that brought it."""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, func, insert, select, update

from hub.domain.anonymity import MINUTE_US
from hub.domain.appending import Batch
from hub.domain.ids import MemberId
from hub.domain.label import Attribution
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.registered import OVERLAP_US, HubKey, MemberKey, Purpose
from hub.store.database import Change, Connection, Row, among, prepare
from hub.store.tables import table

MEMBER_KEY = table("member_key")
HUB_KEY = table("hub_key")
SIGNATURE = table("version_signature")
VERSION = table("version")
OBJECT = table("object")
RENDITION = table("rendition")

_MEMBER_KEY_COLUMNS = (
    MEMBER_KEY.c.jwk, MEMBER_KEY.c.member_id, MEMBER_KEY.c.name, MEMBER_KEY.c.registered_us, MEMBER_KEY.c.not_before_us,
    MEMBER_KEY.c.not_after_us, MEMBER_KEY.c.revoked_us, MEMBER_KEY.c.compromised_from_us,
)  # fmt: skip
_MEMBER_KEYS = prepare(select(*_MEMBER_KEY_COLUMNS))
_THESE_MEMBER_KEYS = prepare(select(*_MEMBER_KEY_COLUMNS).where(among(MEMBER_KEY.c.kid, "kids")))
_ADD_MEMBER_KEY = prepare(insert(MEMBER_KEY))
_END_MEMBER_KEY = prepare(
    update(MEMBER_KEY)
    .where(MEMBER_KEY.c.kid == bindparam("key"))
    .values(revoked_us=bindparam("revoked"), compromised_from_us=bindparam("compromised"))
)
_HUB_KEYS = prepare(
    select(HUB_KEY.c.jwk, HUB_KEY.c.purpose, HUB_KEY.c.since_us, HUB_KEY.c.until_us, HUB_KEY.c.sealed).order_by(HUB_KEY.c.since_us)
)
_ADD_HUB_KEY = prepare(insert(HUB_KEY))
_END_HUB_KEY = prepare(
    update(HUB_KEY).where(HUB_KEY.c.purpose == bindparam("of"), HUB_KEY.c.until_us.is_(None)).values(until_us=bindparam("end"))
)
_SIGNED_BY = prepare(
    select(VERSION.c.row, OBJECT.c.stix_id, VERSION.c.version, VERSION.c.accepted_us, OBJECT.c.attribution, SIGNATURE.c.of_object)
    .select_from(SIGNATURE)
    .join(VERSION, VERSION.c.row == SIGNATURE.c.version_row)
    .join(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .where(SIGNATURE.c.kid == bindparam("key"), SIGNATURE.c.version_row > bindparam("after"), VERSION.c.accepted_us >= bindparam("since"))
    .order_by(SIGNATURE.c.version_row)
    .limit(bindparam("limit"))
)
_RENDITIONS = prepare(
    select(VERSION.c.row, OBJECT.c.stix_id, VERSION.c.version, VERSION.c.accepted_us, OBJECT.c.attribution)
    .select_from(RENDITION)
    .join(OBJECT, and_(OBJECT.c.stix_id == RENDITION.c.stix_id, OBJECT.c.owner_id == bindparam("hub")))
    .join(VERSION, VERSION.c.object_row == OBJECT.c.row)
    .where(RENDITION.c.version_us >= bindparam("minute"), VERSION.c.row > bindparam("after"), VERSION.c.accepted_us >= bindparam("since"))
    .order_by(VERSION.c.row)
    .limit(bindparam("limit"))
)
_GIVEN = prepare(
    select(OBJECT.c.stix_id, VERSION.c.version, VERSION.c.producer_id, VERSION.c.accepted_us, OBJECT.c.attribution)
    .join(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .where(VERSION.c.row == bindparam("sought"))
)
_COUNT_SIGNED = prepare(
    select(func.count())
    .select_from(SIGNATURE)
    .join(VERSION, VERSION.c.row == SIGNATURE.c.version_row)
    .join(OBJECT, OBJECT.c.row == VERSION.c.object_row)
    .where(SIGNATURE.c.kid == bindparam("key"), VERSION.c.accepted_us >= bindparam("since"), OBJECT.c.attribution.is_(None))
)
_KEYS_OF = prepare(
    select(SIGNATURE.c.version_row, SIGNATURE.c.kid, VERSION.c.accepted_us)
    .join(VERSION, VERSION.c.row == SIGNATURE.c.version_row)
    .where(among(SIGNATURE.c.version_row, "versions"), SIGNATURE.c.of_object == bindparam("of_object"))
)


@dataclass(frozen=True, slots=True)
class HeldHubKey:
    """A key of the hub's own; `sealed` is the private key, encrypted, where the database keeps it."""

    key: HubKey
    sealed: bytes | None


@dataclass(frozen=True, slots=True)
class SignedVersion:
    """A version that a member's key vouched for, or may have."""

    row: int
    stix_id: str
    version: str  # TAXII's version
    accepted_us: int
    known_to: Attribution  # to whom it is known who gave it
    is_of_object: bool = False  # the object is signed with it; otherwise the message that brought it is, as far as that is told
    is_rendition: bool = False  # of what some member gave anonymously, with whichever key, or none: which, and what it signed, is not told


@dataclass(frozen=True, slots=True)
class Given:
    """A version, and who gave it."""

    stix_id: str
    version: str  # TAXII's version
    producer: MemberId
    accepted_us: int
    known_to: Attribution  # to whom the producer is known


async def load_member_keys(conn: Connection) -> dict[str, MemberKey]:
    """Return all keys that members registered, by thumbprint."""
    return _by_kid(await conn.fetch(_MEMBER_KEYS))


async def find_member_keys(conn: Connection, kids: Collection[str]) -> dict[str, MemberKey]:
    """Return those of the keys that members registered, by thumbprint."""
    return _by_kid(await conn.fetch(_THESE_MEMBER_KEYS, kids=sorted(kids)))


async def add_member_key(conn: Connection, key: MemberKey) -> None:
    """Insert a member's key."""
    await conn.execute(
        _ADD_MEMBER_KEY, kid=key.kid, member_id=key.member, name=key.name, jwk=json.dumps(key.public.jwk()),
        registered_us=key.registered_us, not_before_us=key.not_before_us, not_after_us=key.not_after_us, revoked_us=key.revoked_us,
        compromised_from_us=key.compromised_from_us,
    )  # fmt: skip


async def end_member_key(conn: Connection, key: MemberKey) -> None:
    """Write when a key ends, and since when it was in other hands."""
    await conn.execute(_END_MEMBER_KEY, key=key.kid, revoked=key.revoked_us, compromised=key.compromised_from_us)


async def list_hub_keys(conn: Connection) -> list[HeldHubKey]:
    """Return the hub's own keys, those that it uses no longer included, the oldest first."""
    rows = await conn.fetch(_HUB_KEYS)
    return [
        HeldHubKey(
            HubKey(PublicKey.from_jwk(json.loads(jwk)), Purpose(purpose), since_us, until_us), None if sealed is None else bytes(sealed)
        )
        for jwk, purpose, since_us, until_us, sealed in rows
    ]


async def put_hub_key(conn: Connection, held: HeldHubKey) -> None:
    """Insert a key of the hub's, which takes the place of the one for the same purpose, if there is one; that one ends a little later."""
    key = held.key
    await conn.execute(_END_HUB_KEY, of=key.purpose.value, end=key.since_us + OVERLAP_US)
    await conn.execute(
        _ADD_HUB_KEY, kid=key.public.kid, purpose=key.purpose.value, jwk=json.dumps(key.public.jwk()), since_us=key.since_us,
        until_us=key.until_us, sealed=held.sealed,
    )  # fmt: skip


def signed(batch: Batch) -> Change:
    """Return the lines for the signatures that vouch for versions which a batch brings."""
    rows = [(version.row, kid, int(is_of_object)) for version, incoming in batch.vouched for kid, is_of_object in incoming.vouched_by]
    return Change(SIGNATURE, ("version_row", "kid", "of_object"), rows)


async def list_signed(conn: Connection, kid: str, *, since_us: int, after: int, limit: int) -> list[SignedVersion]:
    """Return versions that a key vouched for and that came in since then, in their rows' order, from after the row `after`."""
    rows = await conn.fetch(_SIGNED_BY, key=kid, since=since_us, after=after, limit=limit)
    return [_signed_version(row, is_of_object=bool(of_object)) for *row, of_object in rows]


async def list_renditions_since(conn: Connection, hub: MemberId, *, since_us: int, after: int, limit: int) -> list[SignedVersion]:
    """Return versions of renditions of what came in since then, whoever gave it, in their rows' order, from after the row `after`.

    Args:
        hub: the hub's identity, in whose name they are.
    """
    minute_us = since_us - since_us % MINUTE_US
    rows = await conn.fetch(_RENDITIONS, hub=hub, minute=minute_us, since=since_us, after=after, limit=limit)
    return [_signed_version(row, is_rendition=True) for row in rows]


async def find_given_version(conn: Connection, row: int) -> Given:
    """Return a version that there is."""
    found = await conn.fetch_one(_GIVEN, sought=row)
    assert found is not None, "versions are never deleted"
    stix_id, version, producer, accepted_us, known_to = found
    return Given(stix_id, version, MemberId(producer), accepted_us, Attribution(known_to or Attribution.EVERYONE))


async def count_signed(conn: Connection, kid: str, *, since_us: int) -> int:
    """Return how many versions a key vouched for that came in since then, of those whose producer everybody may know."""
    return int(await conn.fetch_value(_COUNT_SIGNED, key=kid, since=since_us))


async def find_kids(conn: Connection, version_rows: Collection[int], *, of_messages: bool = False) -> dict[int, dict[str, int]]:
    """Return the keys that signed these versions, by the row of the version, each with when the version was accepted.

    Args:
        of_messages: those that signed nothing of it but the message that brought it, instead.
    """
    found: dict[int, dict[str, int]] = {}
    for row, kid, accepted_us in await conn.fetch(_KEYS_OF, versions=sorted(version_rows), of_object=int(not of_messages)):
        found.setdefault(row, {})[kid] = accepted_us
    return found


def _signed_version(row: Row, *, is_of_object: bool = False, is_rendition: bool = False) -> SignedVersion:
    number, stix_id, version, accepted_us, known_to = row
    return SignedVersion(number, stix_id, version, accepted_us, Attribution(known_to or Attribution.EVERYONE), is_of_object, is_rendition)


def _by_kid(rows: Iterable[Row]) -> dict[str, MemberKey]:
    keys = (MemberKey(_public(jwk), MemberId(member), name, *times) for jwk, member, name, *times in rows)
    return {key.kid: key for key in keys}


def _public(jwk: str) -> PublicKey:
    return PublicKey.from_jwk(json.loads(jwk))
