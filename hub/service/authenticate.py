"""Who makes a request: from a token, a password or a client certificate to a principal.

All that is looked up lies in the directory, which is as of this request: so whatever was revoked, suspended or changed counts at
once, and a token costs no query.
"""

import base64
import hashlib
import hmac
from urllib.parse import unquote

from hub.domain.certificate import der_of_pem, spki_sha256
from hub.domain.directory import Directory
from hub.domain.ids import MemberId, TokenId
from hub.domain.member import Principal, Role
from hub.domain.token import hash_secret, read_token
from hub.errors import Invalid, Unauthenticated
from hub.service.context import Hub
from hub.service.kept import Bearer


async def authenticate(
    hub: Hub, directory: Directory, *, authorization: str | None, certificate: bytes | None, address: str
) -> Principal | None:
    """Return who makes a request, or None where it carries no credential at all.

    A credential in the header counts before the certificate of the connection. A member that is suspended is still told who it is:
    that it sees and writes nothing is for policy and for each use case to say.

    Args:
        authorization: the header's value: Basic (username and password, or token id and token), Bearer or Token.
        certificate: the client's certificate (DER), verified by whoever ended TLS.
        address: the client's, for the limit on guessing.
    Raises:
        Unauthenticated: a credential that is not, or no longer, good.
        TooMany: too many wrong passwords for the account or from the address.
        Unavailable: too many passwords wait to be checked.
    """
    if authorization is not None:
        return await _by_header(hub, directory, authorization, address)
    if certificate is not None:
        return _by_certificate(directory, certificate)
    return None


def certificate_from_header(text: str) -> bytes:
    """Return the certificate (DER) that a proxy passes as URL-escaped PEM.

    Raises:
        Unauthenticated: it is no certificate.
    """
    try:
        return der_of_pem(unquote(text))
    except Invalid as e:
        raise Unauthenticated("the client certificate could not be read") from e


async def _by_header(hub: Hub, directory: Directory, authorization: str, address: str) -> Principal:
    # Whom a token proves is kept under a hash of what was sent, whose key only this process knows.
    kept = hub.kept.of(directory)
    sent = hashlib.blake2b(authorization.encode("utf-8", "surrogateescape"), key=hub.kept.key, digest_size=32).digest()
    bearer = kept.bearers.get(sent)
    if bearer is None:
        scheme, _, value = authorization.strip().partition(" ")
        value = value.strip()
        match scheme.lower():
            case "bearer" | "token":
                bearer = _by_token(hub, directory, value)
            case "basic":
                username, password = _basic(value)
                if username not in directory.tokens:
                    return await _by_password(hub, directory, username, password, address)
                bearer = _by_token(hub, directory, password, id=TokenId(username))
            case _:
                raise Unauthenticated("the hub takes the schemes Basic, Bearer and Token")
        kept.keep_bearer(sent, bearer)
    if bearer.expires_us is not None and bearer.expires_us <= hub.now_us():
        raise Unauthenticated(f"{bearer.principal.credential.replace(':', ' ')} has expired")
    return bearer.principal


def _basic(value: str) -> tuple[str, str]:
    try:
        username, colon, password = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError as e:
        raise Unauthenticated("the Basic credential is not base64 of username:password in UTF-8") from e
    if not colon:
        raise Unauthenticated("the Basic credential is not base64 of username:password in UTF-8")
    return username, password


def _by_token(hub: Hub, directory: Directory, text: str, *, id: TokenId | None = None) -> Bearer:
    """Take a whole token, or, where `id` names the token, its secret alone."""
    token = read_token(text)
    if token is None and id is None:
        raise Unauthenticated("this is no token of the hub, or not all of it; copy it again")
    claimed, secret = (token.id, token.secret) if token is not None else (id, text)
    held = directory.tokens.get(claimed) if claimed is not None and id in (None, claimed) else None
    # An unknown id costs a hash too, so that the answer's time does not tell which ids there are.
    if not hmac.compare_digest(hash_secret(hub.secret, secret), held.secret_hash if held is not None else b"") or held is None:
        raise Unauthenticated("there is no such token")
    if held.revoked_us is not None:
        raise Unauthenticated(f"token {held.id} was revoked")
    return Bearer(_principal(directory, f"token:{held.id}", held.role, held.member), held.expires_us)


async def _by_password(hub: Hub, directory: Directory, username: str, password: str, address: str) -> Principal:
    person = directory.people.get(username)
    if person is not None and person.disabled:
        person = None  # checked like a name that nobody has, so it takes as long
    failures_max = hub.config.login_failures_max
    good = await hub.logins.check(username, person, password, address=address, now_us=hub.now_us(), failures_max=failures_max)
    if not good or person is None:
        raise Unauthenticated("the username or the password is wrong")
    return _principal(directory, f"person:{username}", person.role, person.member)


def _by_certificate(directory: Directory, der: bytes) -> Principal:
    try:
        spki = spki_sha256(der)
    except Invalid as e:
        raise Unauthenticated("the client certificate could not be read") from e
    held = directory.certificates.get(spki)
    if held is None or held.revoked_us is not None:
        raise Unauthenticated("the key of this client certificate is not registered, or no longer")
    return _principal(directory, f"cert:{spki}", held.role, held.member)


def _principal(directory: Directory, credential: str, role: Role, member: MemberId | None) -> Principal:
    return Principal(credential, role, directory.members[member] if member is not None else None)
