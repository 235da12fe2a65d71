"""Sharing agreements: reading them for the directory, and writing them."""

import json
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from hub.domain.agreement import Agreement, Signatory
from hub.domain.ids import AgreementId, MemberId
from hub.domain.label import Tlp
from hub.domain.taxii import Grantee, GranteeKind
from hub.store.database import Connection, Row, prepare
from hub.store.state import add_state, change_state, find_state
from hub.store.tables import table

AGREEMENT = table("agreement")
PARTY = table("agreement_party")

_CHANGEABLE = ("title", "legal_basis", "purpose", "topics", "tlp_max", "starts_us", "ends_us", "review_us", "signatories", "ended_us")

_AGREEMENTS = prepare(
    select(
        AGREEMENT.c.id, AGREEMENT.c.slug, AGREEMENT.c.title, AGREEMENT.c.legal_basis, AGREEMENT.c.purpose, AGREEMENT.c.topics,
        AGREEMENT.c.tlp_max, AGREEMENT.c.starts_us, AGREEMENT.c.ends_us, AGREEMENT.c.review_us, AGREEMENT.c.signatories,
        AGREEMENT.c.ended_us,
    ).order_by(AGREEMENT.c.slug)
)  # fmt: skip
_PARTIES = prepare(select(PARTY.c.agreement_id, PARTY.c.grantee_kind, PARTY.c.grantee_value))
_ADD = prepare(insert(AGREEMENT))
_SET = prepare(update(AGREEMENT).where(AGREEMENT.c.id == bindparam("key")).values({name: bindparam(name) for name in _CHANGEABLE}))
_NO_PARTIES = prepare(delete(PARTY).where(PARTY.c.agreement_id == bindparam("agreement")))
_PARTY_COLUMNS = ("agreement_id", "grantee_kind", "grantee_value")


async def load_agreements(conn: Connection) -> dict[AgreementId, Agreement]:
    """Return all agreements, those that have ended included, by slug."""
    parties: dict[str, set[Grantee]] = {}
    for agreement, kind, value in await conn.fetch(_PARTIES):
        parties.setdefault(agreement, set()).add(Grantee(GranteeKind(kind), value))
    return {AgreementId(row[0]): _agreement(row, frozenset(parties.get(row[0], ()))) for row in await conn.fetch(_AGREEMENTS)}


async def add_agreement(conn: Connection, agreement: Agreement, *, now_us: int) -> None:
    """Insert an agreement with its parties."""
    await conn.execute(_ADD, id=agreement.id, slug=agreement.slug, created_us=now_us, **_columns(agreement))
    await _add_parties(conn, agreement)


async def set_agreement(conn: Connection, agreement: Agreement) -> None:
    """Write what may change of an agreement: all but its id and its slug."""
    await conn.execute(_SET, key=agreement.id, **_columns(agreement))
    await conn.execute(_NO_PARTIES, agreement=agreement.id)
    await _add_parties(conn, agreement)


async def was_told(conn: Connection, agreement: AgreementId, what: str) -> bool:
    """Whether the last that was told of an agreement's review is this: its date, and whether that is past."""
    return await find_state(conn, f"review {agreement}") == what


async def tell(conn: Connection, agreement: AgreementId, what: str) -> bool:
    """Keep what is told of an agreement's review; False where another node was first.

    Raises:
        Duplicate: another node tells the first of this agreement at the same moment.
    """
    name = f"review {agreement}"
    if await find_state(conn, name) is None:
        await add_state(conn, {name: what})
        return True
    return await change_state(conn, name, what)


async def _add_parties(conn: Connection, agreement: Agreement) -> None:
    await conn.insert_many(PARTY, _PARTY_COLUMNS, [(agreement.id, p.kind.value, p.value) for p in sorted(agreement.parties)])


def _columns(agreement: Agreement) -> dict[str, Any]:
    return {
        "title": agreement.title,
        "legal_basis": agreement.legal_basis,
        "purpose": agreement.purpose,
        "topics": json.dumps(sorted(agreement.topics)),
        "tlp_max": agreement.tlp_max.value if agreement.tlp_max is not None else None,
        "starts_us": agreement.starts_us,
        "ends_us": agreement.ends_us,
        "review_us": agreement.review_us,
        "signatories": json.dumps([[s.member, s.person, s.role, s.signed_us] for s in agreement.signatories]),
        "ended_us": agreement.ended_us,
    }


def _agreement(row: Row, parties: frozenset[Grantee]) -> Agreement:
    id, slug, title, legal_basis, purpose, topics, tlp_max, starts_us, ends_us, review_us, signatories, ended_us = row
    return Agreement(
        AgreementId(id), slug, title, parties, legal_basis, purpose, starts_us, review_us,
        tuple(Signatory(MemberId(member), *rest) for member, *rest in json.loads(signatories)),
        ends_us, frozenset(json.loads(topics)), None if tlp_max is None else Tlp(tlp_max), ended_us,
    )  # fmt: skip
