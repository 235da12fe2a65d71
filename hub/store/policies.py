"""The policy bundles that were activated, which one is in force, and those that wait: for a second person, or in the shadow."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, insert, select, update

from hub.domain.directory import ActivatedBundle
from hub.domain.ids import LabelId, MemberId
from hub.domain.policy import Candidate
from hub.store.database import Connection, prepare
from hub.store.state import change_state
from hub.store.tables import table

BUNDLE = table("policy_bundle")
ACTIVATION = table("policy_activation")
CANDIDATE = table("policy_candidate")
DIFFERENCE = table("policy_difference")

PROPOSED, SHADOW = "proposed", "shadow"

_BUNDLES = prepare(select(BUNDLE.c.digest, BUNDLE.c.activated_us).order_by(BUNDLE.c.activated_us.desc(), BUNDLE.c.digest))
_REACTIVATE = prepare(update(BUNDLE).where(BUNDLE.c.digest == bindparam("key")).values(activated_us=bindparam("activated_us")))
_ADD_BUNDLE = prepare(insert(BUNDLE))
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
_COUNT_DIFFERENCE = prepare(
    update(DIFFERENCE)
    .where(
        DIFFERENCE.c.shadow == bindparam("digest"),
        DIFFERENCE.c.member_id == bindparam("member"),
        DIFFERENCE.c.label_id == bindparam("label"),
        DIFFERENCE.c.rule == bindparam("by"),
    )
    .values(
        in_force_s=bindparam("new_in_force_s"),
        in_shadow_s=bindparam("new_in_shadow_s"),
        times=DIFFERENCE.c.times + 1,
        last_us=bindparam("now"),
    )
)
_ADD_DIFFERENCE = prepare(insert(DIFFERENCE))
_DIFFERENCES = prepare(
    select(*(DIFFERENCE.c[name] for name in ("member_id", "label_id", "rule", "in_force_s", "in_shadow_s", "times")))
    .where(DIFFERENCE.c.shadow == bindparam("digest"))
    .order_by(DIFFERENCE.c.rule, DIFFERENCE.c.member_id, DIFFERENCE.c.label_id)
)
_DROP_DIFFERENCES = prepare(delete(DIFFERENCE))
_DROP = prepare(delete(CANDIDATE).where(CANDIDATE.c.role == bindparam("wanted"), CANDIDATE.c.digest == bindparam("key")))


@dataclass(frozen=True, slots=True)
class Difference:
    """That a bundle in the shadow decides otherwise about a label for somebody. Delays in seconds; None: denied."""

    label: LabelId
    rule: str  # of the shadow; "": no policy permits
    in_force_s: int | None
    in_shadow_s: int | None


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
    await change_state(conn, "policy", digest)
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


async def add_differences(conn: Connection, shadow: str, member: MemberId, found: Sequence[Difference], *, now_us: int) -> None:
    """Count where the bundle in the shadow decided otherwise. In an administrative transaction, or with Duplicate to be expected."""
    for one in found:
        delays = {"in_force_s": one.in_force_s, "in_shadow_s": one.in_shadow_s}
        if not await conn.execute(
            _COUNT_DIFFERENCE, digest=shadow, member=member, label=one.label, by=one.rule, now=now_us, **_new(delays)
        ):
            await conn.execute(
                _ADD_DIFFERENCE, shadow=shadow, member_id=member, label_id=one.label, rule=one.rule, times=1, last_us=now_us, **delays
            )


async def list_differences(conn: Connection, shadow: str) -> list[tuple[MemberId, Difference, int]]:
    """Return where a bundle in the shadow decided otherwise, and how often that was found, by rule, member and label."""
    return [
        (MemberId(member), Difference(LabelId(label), rule, in_force_s, in_shadow_s), times)
        for member, label, rule, in_force_s, in_shadow_s, times in await conn.fetch(_DIFFERENCES, digest=shadow)
    ]


async def drop_differences(conn: Connection) -> None:
    """Delete all that was found of bundles in the shadow."""
    await conn.execute(_DROP_DIFFERENCES)


def _new(delays: Mapping[str, int | None]) -> dict[str, int | None]:
    return {f"new_{name}": value for name, value in delays.items()}


def _text(files: Mapping[str, bytes]) -> str:
    return json.dumps({path: body.decode() for path, body in files.items()})
