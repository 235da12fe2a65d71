"""Members' signing keys: registered with proof of possession, two and more alive for a rotation, revoked, and called compromised.

* A member's coordinators register and end its keys, administrators everybody's. Who may know of a member may know of its keys here; who
  holds an object of a member's finds them by its identity (`published_keys`), without credentials.
* A key ends, and is never forgotten or given to another: what it signed before stays good.
* Once somebody is told that a key ended, no push is taken with it any more, on no node: who ends it has waited for what was being appended
  (`hub.service.append`). One that was answered before is finished, unless the key was in other hands when it came.
* Every event of a key is in the audit trail and in the transparency log.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from hub.domain.canonical import canonicalise
from hub.domain.directory import Directory
from hub.domain.member import Member, Principal, Role
from hub.domain.naming import checked_name
from hub.domain.signing.keys import PublicKey
from hub.domain.signing.possession import CHALLENGE_S, Challenge, require_proof
from hub.domain.signing.registered import MemberKey
from hub.domain.timestamp import format_timestamp
from hub.domain.tlog.leaf import LeafKind
from hub.domain.webhooks.event import EventKind
from hub.errors import Conflict, Invalid, NotFound
from hub.service.administer import Change, change, is_admin, require_active, require_role
from hub.service.context import Hub
from hub.service.members import get_member, list_members
from hub.store import trust as store
from hub.store.append import lock_all_collections
from hub.store.happened import StoredEvent, record_event
from hub.store.tlog import add_pending

KEYS_ALIVE_MAX = 8  # of one member at a time


@dataclass(frozen=True, slots=True)
class Issued:
    """A challenge that was handed out."""

    text: str
    key: PublicKey
    expires_us: int


def list_keys(directory: Directory, principal: Principal) -> list[MemberKey]:
    """Return the keys that `principal` may know of, by thumbprint."""
    known = {member.id for member in list_members(directory, principal)}
    return sorted((key for key in directory.keys.values() if key.member in known), key=lambda key: key.kid)


def get_key(directory: Directory, principal: Principal, kid: str) -> MemberKey:
    """Return a key by its thumbprint.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    key = directory.keys.get(kid)
    if key is None or all(member.id != key.member for member in list_members(directory, principal)):
        raise NotFound("there is no such key")
    return key


def published_keys(directory: Directory, identity: str, now_us: int) -> list[dict[str, Any]]:
    """Return the keys of the member with this identity as JSON Web Keys, for anybody who holds an object of its.

    A short name is not enough: it could be guessed, and who is a member is not for everybody.

    Raises:
        NotFound: no member of this identity has registered a key.
    """
    keys = [key.jwk(now_us) for _, key in sorted(directory.keys.items()) if key.member == identity]
    if not keys:
        raise NotFound("no keys are registered for this identity")
    return keys


def issue_challenge(hub: Hub, directory: Directory, principal: Principal, jwk: Mapping[str, Any], *, member: str | None = None) -> Issued:
    """Return what a key has to sign so that it can be registered.

    Args:
        member: slug or id of whose it is to be; None is the principal's own.
    Raises:
        Withheld, NotFound: not for this principal to do.
        Invalid: it is no key that the hub takes.
    """
    key = _key_of(hub, jwk)
    of = _member_for(directory, principal, member)
    expires_us = hub.now_us() + CHALLENGE_S * 1_000_000
    return Issued(Challenge(directory.identity, of.id, key.kid, expires_us).text(hub.secret), key, expires_us)


async def register_key(
    hub: Hub, principal: Principal, *, name: str, jwk: Mapping[str, Any], challenge: str, proof: str, not_before_us: int | None = None,
    not_after_us: int | None = None,
) -> MemberKey:  # fmt: skip
    """Register a key for the member that its challenge was issued for.

    Args:
        name: what it is for, for people.
        proof: the challenge's text, signed with the key (`hub.domain.signing.possession`).
        not_before_us: from when on it is good; None: from now on.
        not_after_us: until when; None: no end is set.
    Raises:
        Withheld, NotFound: not for this principal to do.
        Invalid: a field is not as it should be, the challenge has run out, or the proof is not good.
        Conflict: the key is registered, or was; or the member has as many as it may have.
    """
    require_role(principal, Role.COORDINATOR)
    checked_name(name)
    public = _key_of(hub, jwk)
    asked = Challenge.of(challenge, hub.secret)
    require_proof(public, challenge, proof)

    async def work(c: Change) -> MemberKey:
        member = _member_for(c.directory, principal, asked.member)
        if asked.kid != public.kid or asked.hub != c.directory.identity:
            raise Invalid("challenge: it was issued for another key")
        if c.now_us >= asked.expires_us:
            raise Invalid("challenge: it has run out; ask for another")
        key = MemberKey(public, member.id, name, c.now_us, c.now_us if not_before_us is None else not_before_us, not_after_us)
        _refuse_unfit(c, key)
        await store.add_member_key(c.conn, key)
        await _record(c, "key.register", key, name=name, algorithm=public.algorithm.value)
        return key

    return await change(hub, principal, work)


async def revoke_key(hub: Hub, principal: Principal, kid: str, *, at_us: int | None = None) -> MemberKey:
    """End a key, now or at a moment to come. What it signed before stays good. An end that is set can only be brought forward.

    Raises:
        Withheld, NotFound: not for this principal to do.
        Invalid: the moment lies in the past.
    """

    async def work(c: Change) -> MemberKey:
        key = _own_key(c.directory, principal, kid)
        ends_us = c.now_us if at_us is None else at_us
        if at_us is not None and at_us < c.now_us:
            raise Invalid("at: a key is revoked from now on, or later; if it was in other hands before, tell that it is compromised")
        if key.ends_us is not None and key.ends_us <= ends_us:
            return key
        ended = replace(key, revoked_us=ends_us)
        await _end(c, ended)
        await _record(c, "key.revoke", ended, at=format_timestamp(ends_us))
        return ended

    return await change(hub, principal, work)


async def tell_compromised(hub: Hub, principal: Principal, kid: str, *, since_us: int) -> MemberKey:
    """Tell that a key may have been in other hands since a moment in the past: it is good no longer, and what came in since is suspect.

    All members are told which key it is; what of it they see, they find out with `list_suspects`. A later telling can only name an earlier
    moment.

    Raises:
        Withheld, NotFound: not for this principal to do.
        Invalid: the moment lies in the future.
    """

    async def work(c: Change) -> MemberKey:
        key = _own_key(c.directory, principal, kid)
        if since_us > c.now_us:
            raise Invalid("since: it cannot lie in the future; to end the key later, revoke it")
        if key.compromised_from_us is not None and key.compromised_from_us <= since_us:
            return key
        ended = replace(key, revoked_us=c.now_us if key.revoked_us is None else key.revoked_us, compromised_from_us=since_us)
        await _end(c, ended)
        suspect = await store.count_signed(c.conn, kid, since_us=since_us)
        await _record(c, "key.compromised", ended, since=format_timestamp(since_us), suspect=suspect)
        told = StoredEvent(EventKind.KEY_COMPROMISED, kid, facts={"since": format_timestamp(since_us)})
        await record_event(c.conn, told, now_us=c.now_us)
        return ended

    return await change(hub, principal, work)


def _key_of(hub: Hub, jwk: Mapping[str, Any]) -> PublicKey:
    key = PublicKey.from_jwk(jwk)
    if key.algorithm not in hub.config.key_algorithms:
        raise Invalid(f"key: this hub takes keys for {', '.join(hub.config.key_algorithms)}")
    return key


def _member_for(directory: Directory, principal: Principal, name: str | None) -> Member:
    """Return the member whose keys are meant, if they are the principal's to administer."""
    require_role(principal, Role.COORDINATOR)
    if name is None and principal.member is None:
        raise Invalid("member: name the member whose key it is")
    member = get_member(directory, principal, name) if name is not None else principal.member
    if member is None or not (is_admin(principal) or member == principal.member):
        raise NotFound("there is no such member")
    return member


def _own_key(directory: Directory, principal: Principal, kid: str) -> MemberKey:
    require_role(principal, Role.COORDINATOR)
    key = directory.keys.get(kid)
    if key is None or not (is_admin(principal) or (principal.member is not None and key.member == principal.member.id)):
        raise NotFound("there is no such key")
    return key


def _refuse_unfit(c: Change, key: MemberKey) -> None:
    if key.kid in c.directory.keys:
        raise Conflict("this key is registered, or was: make a new one")
    if key.not_before_us < c.now_us:
        raise Invalid("not_before: write a moment to come, or leave it out")
    if key.not_after_us is not None and key.not_after_us <= key.not_before_us:
        raise Invalid("not_after: it has to come after not_before")
    alive = [held for held in c.directory.keys.values() if held.member == key.member and (held.ends_us is None or held.ends_us > c.now_us)]
    if len(alive) >= KEYS_ALIVE_MAX:
        raise Conflict(f"the member has {KEYS_ALIVE_MAX} keys that are good or will be; revoke one first")


async def _end(c: Change, key: MemberKey) -> None:
    await store.end_member_key(c.conn, key)
    await lock_all_collections(c.conn)


async def _record(c: Change, action: str, key: MemberKey, **detail: object) -> None:
    """Leave the trace of an event, and have it entered into the log: what the leaf commits to is what the trace says."""
    slug = c.directory.members[key.member].slug
    await c.record(action, key.kid, member=slug, **detail)
    said = {"v": 1, "event": action, "kid": key.kid, "member": key.member, "at": format_timestamp(c.now_us), **detail}
    await add_pending(c.conn, LeafKind.KEY, hashlib.sha256(canonicalise(said)).digest(), at_us=c.now_us)
