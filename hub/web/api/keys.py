"""Operations on members' signing keys."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.directory import Directory
from hub.domain.member import Role
from hub.domain.signing.registered import MemberKey
from hub.domain.timestamp import format_timestamp, parse_timestamp
from hub.errors import Invalid, NotUnderstood
from hub.service import member_keys
from hub.service.suspects import list_suspects
from hub.store.trust import SignedVersion
from hub.web.api import key_models, render
from hub.web.api.models import Listing, NamePage, RowPage
from hub.web.api.operation import Call, Operation, page


async def list_keys(call: Call[NamePage]) -> Listing[key_models.SigningKey]:
    """List the signing keys that you may know of: coordinators see all, others those of their own member. Those that ended stay listed."""
    found, following = page(member_keys.list_keys(call.directory, call.principal), call.sent, key=lambda key: key.kid)
    return Listing[key_models.SigningKey](items=[signing_key(call.directory, key, call.hub.now_us()) for key in found], next=following)


async def issue_challenge(call: Call[key_models.NewChallenge]) -> key_models.KeyChallenge:
    """Ask for the text that a key has to sign before it can be registered."""
    issued = member_keys.issue_challenge(call.hub, call.directory, call.principal, call.sent.jwk, member=call.sent.member)
    return key_models.KeyChallenge(challenge=issued.text, kid=issued.key.kid, expires_at=format_timestamp(issued.expires_us))


async def register_key(call: Call[key_models.NewKey]) -> key_models.SigningKey:
    """Register a key with which your member signs what it gives."""
    sent = call.sent
    key = await member_keys.register_key(
        call.hub, call.principal, name=sent.name, jwk=sent.jwk, challenge=sent.challenge, proof=sent.proof,
        not_before_us=moment_in("not_before", sent.not_before), not_after_us=moment_in("not_after", sent.not_after),
    )  # fmt: skip
    return signing_key(await call.after(), key, call.hub.now_us())


async def get_key(call: Call[None]) -> key_models.SigningKey:
    """Show a signing key."""
    return signing_key(call.directory, member_keys.get_key(call.directory, call.principal, call.path["kid"]), call.hub.now_us())


async def revoke_key(call: Call[key_models.KeyEnd]) -> key_models.SigningKey:
    """End a key, now or later. What it signed before stays good."""
    key = await member_keys.revoke_key(call.hub, call.principal, call.path["kid"], at_us=moment_in("at", call.sent.at))
    return signing_key(await call.after(), key, call.hub.now_us())


async def tell_compromised(call: Call[key_models.KeyCompromise]) -> key_models.SigningKey:
    """Tell since when a key may have been in other hands: it ends, what came in since is suspect, and all members are told."""
    since_us = moment_in("since", call.sent.since)
    assert since_us is not None, "the shape requires it"
    key = await member_keys.tell_compromised(call.hub, call.principal, call.path["kid"], since_us=since_us)
    return signing_key(await call.after(), key, call.hub.now_us())


async def list_suspect_versions(call: Call[RowPage]) -> Listing[key_models.SuspectVersion]:
    """List what a compromised key vouched for since it may have been in other hands, and what came anonymously since, as you see it."""
    sent = call.sent
    found, following = await list_suspects(
        call.hub, call.directory, call.principal, call.path["kid"], after=sent.after, limit=sent.limit
    )  # fmt: skip
    return Listing[key_models.SuspectVersion](items=[suspect(one) for one in found], next=following)


def signing_key(directory: Directory, key: MemberKey, now_us: int) -> key_models.SigningKey:
    """Show a member's key."""
    return key_models.SigningKey(
        kid=key.kid, member=directory.members[key.member].slug, name=key.name, algorithm=key.public.algorithm.value,
        status=key.status_at(now_us), registered_at=format_timestamp(key.registered_us), not_before=format_timestamp(key.not_before_us),
        not_after=render.moment(key.not_after_us), revoked_at=render.moment(key.revoked_us),
        compromised_from=render.moment(key.compromised_from_us), jwk=dict(key.public.jwk()),
    )  # fmt: skip


def suspect(version: SignedVersion) -> key_models.SuspectVersion:
    """Show a suspect version."""
    signed = key_models.Signed.OBJECT if version.is_of_object else key_models.Signed.MESSAGE
    return key_models.SuspectVersion(
        object=version.stix_id, version=version.version, accepted_at=format_timestamp(version.accepted_us),
        signed=None if version.is_rendition else signed, anonymous=version.is_rendition,
    )  # fmt: skip


def moment_in(field: str, text: str | None) -> int | None:
    """Return the moment that a field names.

    Raises:
        Invalid: it names none.
    """
    try:
        return parse_timestamp(text) if text is not None else None
    except NotUnderstood as e:
        raise Invalid(f"{field}: {e.detail}") from e


OPERATIONS = (
    Operation(hdrs.METH_GET, "/keys", list_keys, takes=NamePage, gives=Listing[key_models.SigningKey]),
    Operation(
        hdrs.METH_POST, "/keys/challenge", issue_challenge, Role.COORDINATOR,
        takes=key_models.NewChallenge, gives=key_models.KeyChallenge,
    ),
    Operation(
        hdrs.METH_POST, "/keys", register_key, Role.COORDINATOR,
        takes=key_models.NewKey, gives=key_models.SigningKey, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/keys/{kid}", get_key, gives=key_models.SigningKey),
    Operation(
        hdrs.METH_POST, "/keys/{kid}/revocation", revoke_key, Role.COORDINATOR, takes=key_models.KeyEnd, gives=key_models.SigningKey
    ),
    Operation(
        hdrs.METH_POST, "/keys/{kid}/compromise", tell_compromised, Role.COORDINATOR,
        takes=key_models.KeyCompromise, gives=key_models.SigningKey,
    ),
    Operation(hdrs.METH_GET, "/keys/{kid}/suspects", list_suspect_versions, takes=RowPage, gives=Listing[key_models.SuspectVersion]),
)  # fmt: skip
