"""Subscriptions: who may have which, how endpoints come to be sent to, and how that ends.

* A subscription is its member's. Publishers of the member manage it, an administrator any member's; only an administrator opens private
  networks to an endpoint.
* Nothing is sent before the endpoint has agreed (`verify_subscription`), so nobody can point the hub at a server that wants nothing.
* Secrets are told where they are made, this once. While they rotate two are good.
"""

import contextlib
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, Unpack
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hub.domain.directory import Directory
from hub.domain.ids import DeliveryId, MemberId, SubscriptionId, new_uuid
from hub.domain.label import Severity, Tlp
from hub.domain.member import Member, Principal, Role
from hub.domain.naming import checked_member_id, checked_name, checked_sectors, checked_topic, checked_type, is_uuid
from hub.domain.webhooks.delivery import Attempt
from hub.domain.webhooks.event import Event, EventKind
from hub.domain.webhooks.formats import render
from hub.domain.webhooks.signature import SECRET_BYTES, PrivateKey, SharedSecret, signing_key
from hub.domain.webhooks.subscription import (
    CHOSEN_EVENTS,
    VALUES_MAX,
    Endpoint,
    Filter,
    Format,
    Subscription,
    SubscriptionState,
    checked_headers,
    checked_value,
)
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import get_any_member, is_admin, require_active, require_role
from hub.service.context import Hub, tier_of
from hub.service.happenings import subscribed, view_of
from hub.service.members import get_member
from hub.service.view import rights
from hub.store import subscriptions as store
from hub.store.audit import add_audit
from hub.store.database import Connection
from hub.store.happened import HUB_ROW, StoredEvent, read_clocks, record_event
from hub.store.lanes import rouse
from hub.store.subscriptions import Position, count_subscriptions, find_removed, find_subscription, move_edition, write_subscription

_KEYS_MAX = 2
_HUB = "hub"  # who disables


@dataclass(frozen=True, slots=True)
class FilterWish:
    """A filter as somebody writes it. What is empty leaves nothing out."""

    events: Sequence[EventKind] = ()
    collections: Sequence[str] = ()  # ids or aliases
    types: Sequence[str] = ()
    tlp_max: Tlp | None = None
    sectors: Sequence[str] = ()
    topics: Sequence[str] = ()
    severity: Severity | None = None
    producers: Sequence[str] = ()  # slugs or ids
    values: Sequence[str] = ()  # addresses, domains, hashes


@dataclass(frozen=True, slots=True)
class Wish:
    """A subscription as somebody asks for it."""

    name: str
    url: str
    filter: FilterWish = FilterWish()
    format: Format = Format.CLOUDEVENTS
    full: bool = False
    ordered: bool = False
    scheme: str = "v1"  # "v1a": signed with Ed25519
    key: str | None = None  # the secret that the receiver has already; None: the hub makes one
    headers: Mapping[str, str] | None = None
    client_certificate: str | None = None
    ca: str | None = None
    private_cidrs: Sequence[str] = ()


class SubscriptionChanges(TypedDict, total=False):
    """What may change of a subscription. What it is about stays: what it has been told so far is told by that."""

    name: str
    url: str
    headers: Mapping[str, str]
    client_certificate: str | None
    ca: str | None
    private_cidrs: Sequence[str]


@dataclass(frozen=True, slots=True)
class Added:
    """A new subscription, or one with a new secret."""

    subscription: Subscription
    key: str  # what the receiver needs: the shared secret, or the public key
    problem: str | None = None  # why the endpoint has not agreed yet


async def list_subscriptions(hub: Hub, principal: Principal) -> list[Subscription]:
    """Return the subscriptions that `principal` may know of, by id: its member's, an administrator all."""
    require_active(principal)
    return sorted((s for s in (await subscribed(hub)).by_row.values() if _may_know(principal, s)), key=lambda s: s.id)


async def get_subscription(hub: Hub, principal: Principal, id: str, role: Role = Role.READER) -> Subscription:
    """Return a subscription.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
        Withheld: its role does not include `role`.
    """
    require_role(principal, role)
    found = next((s for s in (await subscribed(hub)).by_row.values() if s.id == id and _may_know(principal, s)), None)
    if found is None:
        raise NotFound("there is no such subscription")
    return found


async def row_with_log(hub: Hub, principal: Principal, id: str) -> int:
    """Return the row of a subscription that has a log: also of one that was removed.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    with contextlib.suppress(NotFound):
        return (await get_subscription(hub, principal, id)).row
    async with hub.db.read() as conn:
        removed = await find_removed(conn, id) if is_uuid(id) else None
    if removed is None or not _is_of(principal, removed.member):
        raise NotFound("there is no such subscription")
    return removed.row


async def add_subscription(hub: Hub, directory: Directory, principal: Principal, wish: Wish, *, member: str | None = None) -> Added:
    """Subscribe a member from this moment on, and ask the endpoint whether it agrees.

    Args:
        member: whose it is; only an administrator names another's than its own.
    Raises:
        Withheld: the caller may not, or its member's standing opens no more subscriptions.
        NotFound: what a filter names is not there, or not for the member to know of.
        Invalid: a field is not as it should be.
    """
    require_role(principal, Role.PUBLISHER)
    owner = _owner(directory, principal, member)
    if wish.private_cidrs and not is_admin(principal):
        raise Withheld("private_cidrs: only an administrator opens private networks to an endpoint")
    key = _key(wish)
    endpoint = Endpoint(
        wish.url, (key.text(),), checked_headers((wish.headers or {}).items()), wish.client_certificate, wish.ca, tuple(wish.private_cidrs)
    )
    await hub.sends.check(endpoint)
    found = Subscription(
        SubscriptionId(new_uuid()), 0, owner.id, checked_name(wish.name), endpoint, await filter_of(hub, directory, owner, wish.filter),
        wish.format, wish.full, wish.ordered, created_us=hub.now_us(), created_by=principal.credential,
    )  # fmt: skip
    allowed = (await tier_of(hub, directory, owner)).webhooks
    stored = await hub.db.write(_add, hub.secret, found, await _beginnings(hub, directory, owner), allowed)
    subscription, problem = await _verified(hub, stored)
    return Added(subscription, key.receiver_text(), problem)


async def verify_subscription(hub: Hub, principal: Principal, id: str) -> tuple[Subscription, str | None]:
    """Ask an endpoint whether it agrees to be sent events; return the subscription, and why it does not, or None."""
    return await _verified(hub, await get_subscription(hub, principal, id, Role.PUBLISHER))


async def send_test_event(hub: Hub, principal: Principal, id: str) -> Attempt:
    """Send a test event to an endpoint at once, and return what became of it. One that has not agreed is asked first.

    Raises:
        Conflict: it does not agree; the detail says why.
    """
    subscription, problem = await verify_subscription(hub, principal, id)
    if problem is not None:
        raise Conflict(f"the endpoint has not agreed to be sent events: {problem}")
    event = Event(new_uuid(), EventKind.TEST, hub.now_us(), subject=subscription.name)
    message = render(event, subscription.format, hub.config.public_url or "")
    return await hub.sends.send(subscription.endpoint, message, now_us=hub.now_us())


async def pause_subscription(hub: Hub, principal: Principal, id: str) -> Subscription:
    """Send nothing for now. What happens meanwhile is sent afterwards."""

    def paused(current: Subscription) -> Subscription:
        if current.state is not SubscriptionState.ACTIVE:
            raise Conflict(f"the subscription is {current.state}")
        return replace(current, state=SubscriptionState.PAUSED)

    return await _change(hub, principal, await get_subscription(hub, principal, id, Role.PUBLISHER), paused, "subscription.pause")


async def resume_subscription(hub: Hub, principal: Principal, id: str) -> Subscription:
    """Send again what waits, also after the hub has disabled the endpoint."""

    def resumed(current: Subscription) -> Subscription:
        if current.state is SubscriptionState.ACTIVE:
            raise Conflict("the subscription is active")
        return replace(current, state=SubscriptionState.ACTIVE, reason=None)

    return await _change(hub, principal, await get_subscription(hub, principal, id, Role.PUBLISHER), resumed, "subscription.resume")


async def remove_subscription(hub: Hub, principal: Principal, id: str) -> Subscription:
    """Send nothing any more. The log stays for a while."""

    def removed(current: Subscription) -> Subscription:
        return replace(current, state=SubscriptionState.REMOVED)

    return await _change(hub, principal, await get_subscription(hub, principal, id, Role.PUBLISHER), removed, "subscription.remove")


async def change_subscription(
    hub: Hub, principal: Principal, id: str, **changes: Unpack[SubscriptionChanges]
) -> tuple[Subscription, str | None]:
    """Change a subscription's name or endpoint: nothing is lost, and what waits is sent as it then is.

    A new address has to agree before it counts. Headers and a client certificate are for the host that they were given for: at another
    one they are gone, unless they are given anew.

    Returns: the subscription, and why its endpoint does not agree yet, where it never has.
    Raises:
        Withheld: private networks are opened to the endpoint, or are to be: an administrator changes that.
        Conflict: the new address does not agree, or somebody changed the endpoint meanwhile.
        Invalid: a field is not as it should be.
    """
    found = await get_subscription(hub, principal, id, Role.PUBLISHER)
    before, after = found.endpoint, _changed_endpoint(found.endpoint, changes)
    has_moved = after.url != before.url
    if not is_admin(principal) and (after.private_cidrs != before.private_cidrs or (has_moved and before.private_cidrs)):
        raise Withheld("private networks are opened to this endpoint by an administrator, who alone changes its address or the networks")
    if after != before:
        await hub.sends.check(after)
    if has_moved and found.verified_us is not None:
        problem = await _ask(hub, replace(found, endpoint=after))
        if problem is not None:
            raise Conflict(f"url: the endpoint there has not agreed to be sent events, so nothing was changed: {problem}")
    name = checked_name(changes.get("name", found.name))

    def changed(current: Subscription) -> Subscription:
        if replace(current.endpoint, keys=()) != replace(before, keys=()):
            raise Conflict("somebody changed this endpoint just now; look at it and try again")
        return replace(current, name=name, endpoint=replace(after, keys=current.endpoint.keys))

    return await _verified(hub, await _change(hub, principal, found, changed, "subscription.change", changed_fields=sorted(changes)))


def _changed_endpoint(before: Endpoint, changes: SubscriptionChanges) -> Endpoint:
    url = changes.get("url", before.url)
    kept = before if _has_host(url, urlsplit(before.url).netloc) else replace(before, headers=(), client_certificate=None)
    return Endpoint(
        url, before.keys,
        checked_headers(changes["headers"].items()) if "headers" in changes else kept.headers,
        changes.get("client_certificate", kept.client_certificate), changes.get("ca", before.ca),
        tuple(changes.get("private_cidrs", before.private_cidrs)),
    )  # fmt: skip


def _has_host(url: str, netloc: str) -> bool:
    try:
        return urlsplit(url).netloc == netloc
    except ValueError:  # brackets that do not match: the check of the endpoint says so
        return False


async def rotate_key(hub: Hub, principal: Principal, id: str, *, finish: bool = False) -> Added:
    """Make a new secret, with which messages are signed beside the one before; or, to finish, drop the one before.

    Raises:
        Conflict: there is nothing to finish.
    """

    def rotated(current: Subscription) -> Subscription:
        newest = current.endpoint.keys[0]
        if finish and len(current.endpoint.keys) < _KEYS_MAX:
            raise Conflict("there is one secret only: rotate first")
        keys = (newest,) if finish else (_new_key(signing_key(newest).scheme).text(), newest)
        return replace(current, endpoint=replace(current.endpoint, keys=keys))

    found = await get_subscription(hub, principal, id, Role.PUBLISHER)
    changed = await _change(hub, principal, found, rotated, "subscription.rotate")
    return Added(changed, signing_key(changed.endpoint.keys[0]).receiver_text())


async def disable_subscription(hub: Hub, subscription: Subscription, reason: str) -> None:
    """Send nothing any more to an endpoint that is gone or only fails, and tell its member by its other subscriptions."""

    def disabled(current: Subscription) -> Subscription:
        if current.state is not SubscriptionState.ACTIVE:
            raise Conflict("somebody was first")
        return replace(current, state=SubscriptionState.DISABLED, reason=reason)

    facts = {"subscription": subscription.id, "name": subscription.name, "reason": reason}
    notice = StoredEvent(EventKind.ENDPOINT_DISABLED, subscription.id, member=subscription.member, facts=facts)
    with contextlib.suppress(Conflict, NotFound):
        await _change(hub, Principal(_HUB, Role.ADMIN), subscription, disabled, "subscription.disable", notice)


async def _change(
    hub: Hub, principal: Principal, subscription: Subscription, changed: Callable[[Subscription], Subscription], action: str,
    notice: StoredEvent | None = None, *, changed_fields: Sequence[str] = (),
) -> Subscription:  # fmt: skip
    """Write what `changed` makes of a subscription as it then stands, its trace, and whether its lane is served."""
    now_us = hub.now_us()

    async def work(conn: Connection) -> Subscription:
        await move_edition(conn)
        before = await find_subscription(conn, hub.secret, subscription.row)
        if before is None:
            raise NotFound("there is no such subscription")
        after = changed(before)
        await write_subscription(conn, hub.secret, after)
        detail = {"name": after.name, "member": after.member, "state": after.state, "reason": after.reason}
        if changed_fields:
            detail |= {"changed": ", ".join(changed_fields), "host": urlsplit(after.endpoint.url).hostname}
        await add_audit(conn, at_us=now_us, actor=principal.credential, action=action, target=after.id, detail=detail)
        if before.state is not after.state or before.endpoint != replace(after.endpoint, keys=before.endpoint.keys):
            await rouse(conn, after.row, now_us if after.state is SubscriptionState.ACTIVE else None)
        if notice is not None:
            await record_event(conn, notice, now_us=now_us)
        return after

    after = await hub.db.write(work)
    hub.tell_moved()
    hub.deliveries_waiting.set()
    return after


async def _add(
    conn: Connection, secret: bytes, subscription: Subscription, beginnings: Mapping[int, Position], allowed: int
) -> Subscription:  # fmt: skip
    await move_edition(conn)
    if await count_subscriptions(conn, subscription.member) >= allowed:
        raise Withheld(f"the member's standing opens {allowed} subscriptions, and it has as many")
    detail = {"name": subscription.name, "member": subscription.member, "host": urlsplit(subscription.endpoint.url).hostname}
    at_us, actor = subscription.created_us, subscription.created_by
    await add_audit(conn, at_us=at_us, actor=actor, action="subscription.add", target=subscription.id, detail=detail)
    return await store.add_subscription(conn, secret, subscription, beginnings.items())


async def _beginnings(hub: Hub, directory: Directory, member: Member) -> dict[int, Position]:
    """Return where a new subscription begins: at the end of each view that its member has. What it cannot read yet comes whole later."""
    beginnings = {}
    for held in directory.collections.values():
        seen = await view_of(hub, directory, member, held)
        if seen is not None:
            beginnings[held.row] = Position.at(seen.clock_us)
    async with hub.db.read() as conn:
        clock_us = (await read_clocks(conn))[HUB_ROW].clock_us
    return beginnings | {HUB_ROW: Position.at(clock_us)}


async def _verified(hub: Hub, subscription: Subscription) -> tuple[Subscription, str | None]:
    if subscription.verified_us is not None:
        return subscription, None
    now_us = hub.now_us()
    problem = await _ask(hub, subscription)
    if problem is not None:
        return subscription, problem

    def agreed(current: Subscription) -> Subscription:
        if current.endpoint.url != subscription.endpoint.url:
            raise Conflict("somebody changed this endpoint just now; look at it and try again")
        return replace(current, verified_us=now_us)

    principal = Principal(subscription.created_by, Role.PUBLISHER)
    return await _change(hub, principal, subscription, agreed, "subscription.verify"), None


async def _ask(hub: Hub, subscription: Subscription) -> str | None:
    """Ask an endpoint whether it agrees; return why it does not, or None."""
    origin = urlsplit(hub.config.public_url or "").hostname or "fusion-hub"
    return await hub.sends.ask(
        subscription.endpoint, subscription.format, message_id=DeliveryId(new_uuid()), nonce=secrets.token_urlsafe(24),
        now_us=hub.now_us(), origin=origin,
    )  # fmt: skip


def _owner(directory: Directory, principal: Principal, name: str | None) -> Member:
    own = principal.member
    if name is None:
        if own is None:
            raise Invalid("member: say for whom; you belong to no member")
        return own
    member = get_any_member(directory, name) if is_admin(principal) else get_member(directory, principal, name)
    if own is not None and member.id == own.id:
        return own
    if not is_admin(principal):
        raise Withheld("member: only an administrator subscribes another member")
    return member


def _may_know(principal: Principal, subscription: Subscription) -> bool:
    return _is_of(principal, subscription.member)


def _is_of(principal: Principal, member: MemberId) -> bool:
    return is_admin(principal) or (principal.member is not None and principal.member.id == member)


def _key(wish: Wish) -> SharedSecret | PrivateKey:
    if wish.key is None:
        return _new_key(wish.scheme)
    key = signing_key(wish.key)
    if key.scheme != wish.scheme:
        raise Invalid(f"key: this is one for {key.scheme}, and {wish.scheme} is asked for")
    return key


def _new_key(scheme: str) -> SharedSecret | PrivateKey:
    if scheme == "v1":
        return SharedSecret(secrets.token_bytes(SECRET_BYTES))
    if scheme == "v1a":
        return PrivateKey(Ed25519PrivateKey.generate())
    raise Invalid("scheme: v1 (a shared secret) or v1a (Ed25519)")


async def filter_of(hub: Hub, directory: Directory, member: Member, wish: FilterWish) -> Filter:
    """Return the filter that is wished for. What the member may not know of cannot be named."""
    events = frozenset(wish.events) or CHOSEN_EVENTS
    if not events <= CHOSEN_EVENTS:
        raise Invalid(f"events: choose among {', '.join(sorted(CHOSEN_EVENTS))}")
    if len(wish.values) > VALUES_MAX:
        raise Invalid(f"values: at most {VALUES_MAX}")
    reader = Principal("", Role.READER, member)
    collections = set()
    for name in wish.collections:
        named = (held.collection for held in directory.collections.values() if name in (held.collection.id, held.collection.alias))
        seen = [collection.id for collection in named if (await rights(hub, directory, reader, collection)).can_see]
        if not seen:
            raise NotFound(f"collections: there is no {name[:64]!r}")
        collections.update(seen)
    return Filter(
        events, frozenset(collections), frozenset(map(checked_type, wish.types)), wish.tlp_max, checked_sectors(wish.sectors),
        frozenset(checked_topic(topic, "topics") for topic in wish.topics), wish.severity,
        frozenset(_producer(directory, reader, name) for name in wish.producers), frozenset(map(checked_value, wish.values)),
    )  # fmt: skip


def _producer(directory: Directory, principal: Principal, name: str) -> MemberId:
    # Of an id nobody is told whether it is there.
    return checked_member_id(name) if name.startswith("identity--") else get_member(directory, principal, name).id
