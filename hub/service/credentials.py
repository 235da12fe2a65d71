"""Tokens and client certificates. Nobody gives what they do not have: not another member's, not a higher role, not a longer life."""

from dataclasses import replace

from hub.domain.certificate import der_of_pem, spki_sha256
from hub.domain.directory import Certificate, Directory, Token
from hub.domain.ids import MemberId, TokenId
from hub.domain.member import Principal, Role
from hub.domain.naming import checked_name
from hub.domain.token import LIVE, TEST, hash_secret, new_token
from hub.errors import Conflict, Invalid, NotFound, Withheld
from hub.service.administer import Change, change, get_any_member, is_admin, require_active, require_role
from hub.service.context import Hub
from hub.store import credentials as store

TIME_US_MAX = 253_402_300_799_999_999  # the end of the year 9999, which is as far as timestamps go


def list_tokens(directory: Directory, principal: Principal) -> list[Token]:
    """Return the tokens that `principal` may know of, by id: an administrator all, others those of their member up to their role."""
    require_active(principal)
    return sorted((token for token in directory.tokens.values() if _may_hold(principal, token)), key=lambda token: token.id)


def get_token(directory: Directory, principal: Principal, id: str) -> Token:
    """Return a token.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    token = directory.tokens.get(TokenId(id))
    if token is None or not _may_hold(principal, token):
        raise NotFound("there is no such token")
    return token


async def issue_token(
    hub: Hub, principal: Principal, *, name: str, role: Role, member: str | None = None, expires_us: int | None = None
) -> tuple[Token, str]:
    """Issue a token; return it, and its text, which is shown this once and kept nowhere.

    Args:
        name: what it is for, for people.
        member: slug or id of whom it acts for; None is the principal's own member, and for a hub's administrator none.
        expires_us: None for never.
    Raises:
        Withheld: a higher role or a longer life than the principal's own.
        NotFound: no such member, or none that the principal may know of.
        Invalid: a field is not as it should be.
    """
    require_active(principal)
    checked_name(name)
    now_us = hub.now_us()
    if expires_us is not None and not now_us < expires_us <= TIME_US_MAX:
        raise Invalid("expires_at: write a moment to come, and none after the year 9999")
    if not principal.role.includes(role):
        raise Withheld(f"role: yours is {principal.role}, so you cannot issue a token with the role {role}")
    text, whole = new_token(LIVE if hub.config.public_url else TEST)
    secret_hash = hash_secret(hub.secret, text.secret)

    async def work(c: Change) -> tuple[Token, str]:
        of = _member_for(c.directory, principal, member, role)
        token = Token(text.id, of, name, role, secret_hash, c.now_us, expires_us, revoked_us=None)
        _refuse_longer_life(c.directory, principal, token)
        await store.add_token(c.conn, token)
        await c.record("token.issue", token.id, name=name, role=role, member=_slug(c.directory, of), expires_us=expires_us)
        return token, whole

    return await change(hub, principal, work)


async def revoke_token(hub: Hub, principal: Principal, id: str) -> Token:
    """Let a token be good no longer, from the next request on every node. To revoke it again changes nothing.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """

    async def work(c: Change) -> Token:
        token = get_token(c.directory, principal, id)
        if token.revoked_us is not None:
            return token
        await store.revoke_token(c.conn, token.id, now_us=c.now_us)
        await c.record("token.revoke", token.id, name=token.name, member=_slug(c.directory, token.member))
        return replace(token, revoked_us=c.now_us)

    return await change(hub, principal, work)


def list_certificates(directory: Directory, principal: Principal) -> list[Certificate]:
    """Return the certificates that `principal` may know of, by key: an administrator all, others those of their member up to their role."""
    require_active(principal)
    known = (certificate for certificate in directory.certificates.values() if _may_hold(principal, certificate))
    return sorted(known, key=lambda certificate: certificate.spki_sha256)


def get_certificate(directory: Directory, principal: Principal, spki: str) -> Certificate:
    """Return a certificate by the SHA-256 of its public key, in hex.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """
    require_active(principal)
    certificate = directory.certificates.get(spki.lower())
    if certificate is None or not _may_hold(principal, certificate):
        raise NotFound("there is no such certificate")
    return certificate


async def add_certificate(hub: Hub, principal: Principal, *, member: str, name: str, role: Role, pem: str) -> Certificate:
    """Register the public key of a client certificate for a member.

    Raises:
        Withheld: `principal` is no administrator.
        Invalid: a field is not as it should be, or the text is no certificate.
        NotFound: there is no such member.
        Conflict: the key is registered, or was and has been revoked.
    """
    require_role(principal, Role.ADMIN)
    checked_name(name)
    spki = spki_sha256(der_of_pem(pem))

    async def work(c: Change) -> Certificate:
        of = get_any_member(c.directory, member)
        held = c.directory.certificates.get(spki)
        if held is not None:
            raise Conflict("this key was revoked; make a new one" if held.revoked_us is not None else "this key is registered already")
        certificate = Certificate(spki, of.id, name, role, c.now_us, revoked_us=None)
        await store.add_certificate(c.conn, certificate)
        await c.record("certificate.add", spki, name=name, role=role, member=of.slug)
        return certificate

    return await change(hub, principal, work)


async def revoke_certificate(hub: Hub, principal: Principal, spki: str) -> Certificate:
    """Let a certificate's key be good no longer. To revoke it again changes nothing.

    Raises:
        NotFound: there is none, or none that `principal` may know of.
    """

    async def work(c: Change) -> Certificate:
        certificate = get_certificate(c.directory, principal, spki)
        if certificate.revoked_us is not None:
            return certificate
        await store.revoke_certificate(c.conn, certificate.spki_sha256, now_us=c.now_us)
        await c.record("certificate.revoke", certificate.spki_sha256, name=certificate.name, member=_slug(c.directory, certificate.member))
        return replace(certificate, revoked_us=c.now_us)

    return await change(hub, principal, work)


def _may_hold(principal: Principal, credential: Token | Certificate) -> bool:
    if is_admin(principal):
        return True
    return principal.member is not None and credential.member == principal.member.id and principal.role.includes(credential.role)


def _member_for(directory: Directory, principal: Principal, name: str | None, role: Role) -> MemberId | None:
    own = principal.member.id if principal.member is not None else None
    if name is None:
        if own is None and role is not Role.ADMIN:
            raise Invalid("member: name the member that the token acts for; only an admin's may belong to none")
        return own
    member = directory.find_member(name)
    if member is None or not (is_admin(principal) or member.id == own):
        raise NotFound("there is no such member")
    return member.id


def _refuse_longer_life(directory: Directory, principal: Principal, token: Token) -> None:
    kind, _, id = principal.credential.partition(":")
    issuer = directory.tokens.get(TokenId(id)) if kind == "token" else None
    if issuer is None or issuer.expires_us is None:
        return
    if token.expires_us is None or token.expires_us > issuer.expires_us:
        raise Withheld("expires_at: a token cannot issue one that outlives it; name an earlier moment, or sign in as a person")


def _slug(directory: Directory, member: MemberId | None) -> str | None:
    return directory.members[member].slug if member is not None else None
