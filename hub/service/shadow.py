"""A bundle in the shadow: asked beside the one in force when a decision is made anew, deciding nothing. Where it differs is counted.

A poll whose decisions are kept costs nothing more; what a process keeps of the shadow's decisions is under the shadow's digest.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.domain.directory import Directory
from hub.domain.ids import LabelId
from hub.domain.label import Label
from hub.domain.member import Member, Principal, Role
from hub.domain.policy import Candidate, Decision, PolicyBundle
from hub.domain.policy_floor import check_bundle
from hub.domain.taxii import Collection
from hub.errors import ConfigError, Invalid
from hub.service.administer import Change, change, require_role
from hub.service.context import Hub
from hub.store.database import Duplicate
from hub.store.policies import SHADOW, Difference, add_candidate, add_differences, drop_candidates, drop_differences, list_candidates
from hub.store.policies import list_differences as stored_differences


@dataclass(frozen=True, slots=True)
class ShadowDifference:
    """What the bundle in the shadow would do otherwise, by one rule. Delays in seconds; None: not seen."""

    rule: str  # of the shadow; "": no policy permits
    in_force_s: int | None
    in_shadow_s: int | None
    members: tuple[str, ...]  # slugs
    labels: int
    times: int  # how often nodes found it


@dataclass(frozen=True, slots=True)
class Shadow:
    """The bundle in the shadow, since when, and what it would do otherwise."""

    digest: str
    since_us: int
    differences: tuple[ShadowDifference, ...]


async def shadow_of(hub: Hub, directory: Directory) -> PolicyBundle | None:
    """Return the bundle in the shadow, None where there is none; looked for once for each state of the directory."""
    kept = hub.kept.of(directory)
    if not kept.shadow_is_known:
        async with hub.db.read() as conn:
            held = await list_candidates(conn, SHADOW)
        kept.shadow = await asyncio.to_thread(PolicyBundle.from_files, held[0].files) if held else None
        kept.shadow_is_known = True
    return kept.shadow


async def compare(
    hub: Hub, shadow: PolicyBundle, member: Member, asked: Sequence[tuple[LabelId, Label, Decision]], collection: Collection
) -> dict[LabelId, Decision]:
    """Return what the shadow decides of labels, and count where that is not what was decided."""
    decided = shadow.decide_labels(member, [(label, collection) for _, label, _ in asked])
    differences = [
        Difference(id, _rule(other), _delay_s(in_force), _delay_s(other))
        for (id, _, in_force), other in zip(asked, decided, strict=True)
        if _delay_s(in_force) != _delay_s(other)
    ]
    if differences:
        try:
            await hub.db.write(add_differences, shadow.digest, member.id, differences, now_us=hub.now_us())
        except Duplicate:  # another node has just found the same
            await hub.db.write(add_differences, shadow.digest, member.id, differences, now_us=hub.now_us())
    return {id: decision for (id, _, _), decision in zip(asked, decided, strict=True)}


async def set_shadow(hub: Hub, principal: Principal, files: Mapping[str, bytes] | None) -> str | None:
    """Put a bundle in the shadow, in place of the one there, and return its digest; None takes it out. What was counted is forgotten.

    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a fault in a file.
    """
    require_role(principal, Role.ADMIN)
    try:
        bundle = await asyncio.to_thread(check_bundle, files) if files is not None else None
    except ConfigError as e:
        raise Invalid(e.detail) from e

    async def work(c: Change) -> str | None:
        await drop_candidates(c.conn, SHADOW, [held.digest for held in await list_candidates(c.conn, SHADOW)])
        await drop_differences(c.conn)
        if bundle is not None:
            await add_candidate(c.conn, SHADOW, Candidate(bundle.digest, c.now_us, principal.credential, bundle.files))
        await c.record("policy.shadow", bundle.digest if bundle is not None else "off")
        return bundle.digest if bundle is not None else None

    return await change(hub, principal, work)


async def get_shadow(hub: Hub, directory: Directory, principal: Principal) -> Shadow | None:
    """Return what the bundle in the shadow would do otherwise, as far as it was asked; None where there is none.

    Raises:
        Withheld: `principal` is no administrator.
    """
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        held = await list_candidates(conn, SHADOW)
        found = await stored_differences(conn, held[0].digest) if held else []
    if not held:
        return None
    parts: dict[tuple[str, int | None, int | None], list[tuple[str, LabelId, int]]] = {}
    for member, one, times in found:
        parts.setdefault((one.rule, one.in_force_s, one.in_shadow_s), []).append((directory.members[member].slug, one.label, times))
    differences = tuple(
        ShadowDifference(*part, tuple(sorted({slug for slug, _, _ in rows})), len({id for _, id, _ in rows}), sum(n for _, _, n in rows))
        for part, rows in parts.items()
    )
    return Shadow(held[0].digest, held[0].at_us, differences)


def _delay_s(decision: Decision) -> int | None:
    return decision.delay_s if decision.allowed else None


def _rule(decision: Decision) -> str:
    return next((rule.id for rule in (*decision.waits, *decision.rules)), "")
