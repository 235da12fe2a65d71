"""The policies in force: everybody may read which they are, administrators put others in force.

* A bundle is put in force whole, checked and proven by its scenarios, by one administrative change: it decides from the next request on,
  on every node, or not at all.
* Where the setting `policy_approvals` is 2, what one person brings only waits; another person puts it in force. A credential that belongs
  to no person cannot take part: nobody would know who is behind it.
* Rolling back returns to what was in force before, again and again. It needs nobody else: what it returns to was approved.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hub.domain.directory import ActivatedBundle, Directory
from hub.domain.member import Principal, Role
from hub.domain.policy import Candidate, PolicyBundle
from hub.domain.policy_floor import check_bundle
from hub.domain.policy_scenario import failures_of, scenarios_of
from hub.errors import ConfigError, Conflict, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE, Change, change, is_admin, require_active, require_role
from hub.service.context import Hub
from hub.store.directory import load_policy_files
from hub.store.policies import (
    PROPOSED,
    add_candidate,
    drop_candidates,
    find_activation,
    list_bundles,
    list_candidates,
    put_in_force,
)

_DIGITS_MIN = 8  # of a digest that names a proposal


@dataclass(frozen=True, slots=True)
class PolicyStatus:
    """The bundle in force, when it was put in force, and what waits to be."""

    bundle: PolicyBundle
    activated_us: int
    proposals: tuple[Candidate, ...] | None = None  # for administrators only


async def get_policy_status(hub: Hub, directory: Directory, principal: Principal) -> PolicyStatus:
    """Return the policies in force: the rules that decide about somebody are no secret to them."""
    require_active(principal)
    bundle = await hub.policies(directory)
    async with hub.db.read() as conn:
        activated = {known.digest: known.activated_us for known in await list_bundles(conn)}
        proposals = tuple(await list_candidates(conn, PROPOSED)) if is_admin(principal) else None
    return PolicyStatus(bundle, activated[bundle.digest], proposals)


async def list_policies(hub: Hub, principal: Principal) -> list[ActivatedBundle]:
    """Return every bundle that is or was in force, the latest first, for administrators only."""
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        return await list_bundles(conn)


async def activate_policies(hub: Hub, principal: Principal, files: Mapping[str, bytes]) -> PolicyBundle:
    """Check a bundle, try it on its scenarios, and put it in force; where a second person has to approve, only propose it.

    Args:
        files: contents by file name: the schema, the `*.cedar` files, `standing.toml` and `scenarios/*.toml`.
    Raises:
        Withheld: `principal` is no administrator, or has to be a person and is none.
        Invalid: a fault in a file, told with its line, or a case that the bundle does not pass.
        Conflict: it is proposed already.
    """
    require_role(principal, Role.ADMIN)
    alone = hub.config.policy_approvals < 2  # two people: who brings it, and who approves
    if not alone:
        _require_person(principal)
    bundle = await asyncio.to_thread(_proven, files)

    async def work(c: Change) -> PolicyBundle:
        if alone:
            await _put_in_force(c, bundle, actor=principal.credential, approver=None)
        else:
            await _propose(c, bundle)
        return bundle

    return await change(hub, principal, work)


async def approve_policies(hub: Hub, principal: Principal, name: str) -> PolicyBundle:
    """Put a proposed bundle in force, as another person than who proposed it.

    Args:
        name: its digest, or the first eight digits of it or more.
    Raises:
        Withheld: `principal` is no administrator, no person, or the one who proposed it.
        NotFound: no such proposal.
        Invalid: the proposal does not pass any longer, as the hub is another release now.
    """
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        proposal = _named(await list_candidates(conn, PROPOSED), name)
    _require_person(principal)
    if proposal.actor == principal.credential:
        raise Withheld("you proposed these policies yourself; another person has to approve them")
    bundle = await asyncio.to_thread(_proven, proposal.files)

    async def work(c: Change) -> PolicyBundle:
        _named(await list_candidates(c.conn, PROPOSED), proposal.digest)  # nobody has withdrawn it meanwhile
        await drop_candidates(c.conn, PROPOSED, [proposal.digest])
        await _put_in_force(c, bundle, actor=proposal.actor, approver=principal.credential)
        return bundle

    return await change(hub, principal, work)


async def withdraw_policies(hub: Hub, principal: Principal, name: str) -> str:
    """Drop a proposed bundle, and return its digest. Any administrator may: nothing that decides is touched.

    Raises:
        Withheld: `principal` is no administrator.
        NotFound: no such proposal.
    """
    require_role(principal, Role.ADMIN)

    async def work(c: Change) -> str:
        proposal = _named(await list_candidates(c.conn, PROPOSED), name)
        await drop_candidates(c.conn, PROPOSED, [proposal.digest])
        await c.record("policy.withdraw", proposal.digest, proposed_by=proposal.actor)
        return proposal.digest

    return await change(hub, principal, work)


async def roll_back_policies(hub: Hub, principal: Principal) -> PolicyBundle:
    """Put in force again what was in force before.

    Raises:
        Withheld: `principal` is no administrator.
        Conflict: nothing was in force before, or it does not fit this release of the hub.
    """
    require_role(principal, Role.ADMIN)
    async with hub.db.read() as conn:
        last = await find_activation(conn)
        target = await find_activation(conn, last.before) if last is not None and last.before is not None else None
        if last is None or target is None:
            raise Conflict("nothing was in force before these policies; activate a directory instead")
        files = await load_policy_files(conn, target.digest)
    try:
        bundle = await asyncio.to_thread(check_bundle, files)
    except ConfigError as e:
        raise Conflict(f"what was in force before does not fit this release of the hub: {e.detail}") from e

    async def work(c: Change) -> PolicyBundle:
        if await find_activation(c.conn) != last:
            raise Conflict("other policies were put in force meanwhile; look at them first")
        await put_in_force(
            c.conn, bundle.digest, bundle.files, actor=principal.credential, approver=None, now_us=c.now_us, before=target.before
        )
        await c.record("policy.rollback", bundle.digest, before=c.directory.policy)
        return bundle

    return await change(hub, principal, work)


async def require_fit_policies(hub: Hub) -> None:
    """Refuse to serve where the policies in force cannot decide under this release.

    Raises:
        ConfigError: says what is wrong with them, and what to run.
    """
    try:
        await hub.policies(await hub.directory())
    except ConfigError as e:
        advice = (
            "they were made for another release: mend your directory until `hub policy check DIR` passes, then `hub policy activate DIR`"
        )
        raise ConfigError(f"the policies in force cannot decide: {e.detail}\n{advice}") from e


def _proven(files: Mapping[str, bytes]) -> PolicyBundle:
    try:
        bundle = check_bundle(files)
        failures = failures_of(bundle, scenarios_of(files))
    except ConfigError as e:
        raise Invalid(e.detail) from e
    if failures:
        raise Invalid("\n".join(failures))
    return bundle


async def _put_in_force(c: Change, bundle: PolicyBundle, *, actor: str, approver: str | None) -> None:
    last = await find_activation(c.conn)
    again = last is not None and last.digest == bundle.digest
    # Rolling back changes what decides, whatever was put in force twice.
    before = None if last is None else last.before if again else last.row
    await put_in_force(c.conn, bundle.digest, bundle.files, actor=actor, approver=approver, now_us=c.now_us, before=before)
    detail = {} if approver is None else {"proposed_by": actor}
    await c.record("policy.activate", bundle.digest, before=c.directory.policy, policies=len(bundle.rules), **detail)


async def _propose(c: Change, bundle: PolicyBundle) -> None:
    waiting = {proposal.digest: proposal for proposal in await list_candidates(c.conn, PROPOSED)}
    if bundle.digest in waiting:
        raise Conflict(f"{waiting[bundle.digest].actor} proposed these policies already; another person has to approve them")
    await add_candidate(c.conn, PROPOSED, Candidate(bundle.digest, c.now_us, c.principal.credential, bundle.files))
    await c.record("policy.propose", bundle.digest, policies=len(bundle.rules))


def _require_person(principal: Principal) -> None:
    if not (principal.credential.startswith("person:") or principal == COMMAND_LINE):
        raise Withheld("two people change policies here: sign in with your own name, as a token or a certificate tells nobody's")


def _named(proposals: list[Candidate], name: str) -> Candidate:
    found = [proposal for proposal in proposals if len(name) >= _DIGITS_MIN and proposal.digest.startswith(name)]
    if len(found) != 1:
        raise NotFound("no policies of that digest wait for approval")
    return found[0]
