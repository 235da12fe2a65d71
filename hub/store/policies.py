"""The policy bundles that were activated, which one is in force, and those that wait: for a second person, or in the shadow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from hub.domain.directory import ActivatedBundle
from hub.domain.policy import Candidate
from hub.store.database import Connection, prepare
from hub.store.tables import table

BUNDLE = table("policy_bundle")
ACTIVATION = table("policy_activation")
CANDIDATE = table("policy_candidate")
STATE = table("hub_state")

PROPOSED, SHADOW = "proposed", "shadow"

_BUNDLES = prepare(select(BUNDLE.c.digest, BUNDLE.c.activated_us).order_by(BUNDLE.c.activated_us.desc(), BUNDLE.c.digest))
_REACTIVATE = prepare(update(BUNDLE).where(BUNDLE.c.digest == bindparam("key")).values(activated_us=bindparam("activated_us")))
_ADD_BUNDLE = prepare(insert(BUNDLE))
_PUT_IN_FORCE = prepare(update(STATE).where(STATE.c.name == "policy").values(value=bindparam("digest")))
_ACTIVATION_COLUMNS = (ACTIVATION.c.row, ACTIVATION.c.digest, ACTIVATION.c.actor, ACTIVATION.c.before)
_LAST = prepare(select(*_ACTIVATION_COLUMNS).where(ACTIVATION.c.row == select(func.max(ACTIVATION.c.row)).scalar_subquery()))
_ACTIVATION = prepare(select(*_ACTIVATION_COLUMNS).where(ACTIVATION.c.row == bindparam("number")))
_ADD_ACTIVATION = prepare(insert(ACTIVATION))
_ADD_CANDIDATE = prepare(insert(CANDIDATE))
_CANDIDATES = prepare(
    select(CANDIDATE.c.digest, CANDIDATE.c.at_us, CANDIDATE.c.actor, CANDIDATE.c.files)
    .where(CANDIDATE.c.role == bindparam("role"))
    .order_by(CANDIDATE.c.at_us, CANDIDATE.c.digest)
)
_DROP = prepare(delete(CANDIDATE).where(CANDIDATE.c.role == bindparam("wanted"), CANDIDATE.c.digest == bindparam("key")))


@dataclass(frozen=True, slots=True)
class Activation:
    """That a bundle was put in force."""

    row: int
    digest: str
    actor: str
    before: int | None  # the activation that rolling this one back returns to


async def list_bundles(conn: Connection) -> list[ActivatedBundle]:
    """Return every bundle that was ever activated, the latest activation first."""
    return [ActivatedBundle(digest, activated_us) for digest, activated_us in await conn.fetch(_BUNDLES)]


async def put_in_force(
    conn: Connection, digest: str, files: Mapping[str, bytes], *, actor: str, approver: str | None, now_us: int, before: int | None
) -> None:
    """Keep a bundle, if it is not kept already, and let it decide from now on. In an administrative transaction.

    Args:
        before: the activation that rolling this one back shall return to.
    """
    if not await conn.execute(_REACTIVATE, key=digest, activated_us=now_us):
        await conn.execute(_ADD_BUNDLE, digest=digest, files=_text(files), activated_us=now_us)
    await conn.execute(_PUT_IN_FORCE, digest=digest)
    last = await find_activation(conn)
    row = last.row + 1 if last is not None else 1
    await conn.execute(_ADD_ACTIVATION, row=row, digest=digest, at_us=now_us, actor=actor, approver=approver, before=before)


async def find_activation(conn: Connection, row: int | None = None) -> Activation | None:
    """Return an activation: the last one where `row` is None."""
    found = await conn.fetch_one(_LAST) if row is None else await conn.fetch_one(_ACTIVATION, number=row)
    return Activation(*found) if found is not None else None


async def list_candidates(conn: Connection, role: str) -> list[Candidate]:
    """Return the bundles that are PROPOSED, or the one in the SHADOW, oldest first."""
    return [
        Candidate(digest, at_us, actor, {path: text.encode() for path, text in json.loads(files).items()})
        for digest, at_us, actor, files in await conn.fetch(_CANDIDATES, role=role)
    ]


async def add_candidate(conn: Connection, role: str, candidate: Candidate) -> None:
    """Insert a bundle that decides nothing."""
    await conn.execute(
        _ADD_CANDIDATE, role=role, digest=candidate.digest, files=_text(candidate.files), at_us=candidate.at_us, actor=candidate.actor
    )


async def drop_candidates(conn: Connection, role: str, digests: Sequence[str]) -> None:
    """Delete bundles that decide nothing."""
    for digest in digests:
        await conn.execute(_DROP, wanted=role, key=digest)


def _text(files: Mapping[str, bytes]) -> str:
    return json.dumps({path: body.decode() for path, body in files.items()})
