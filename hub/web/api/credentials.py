"""Operations on tokens and client certificates."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.member import Role
from hub.domain.timestamp import parse_timestamp
from hub.errors import Invalid, NotUnderstood
from hub.service import credentials
from hub.web.api import models, render
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation, page


async def list_tokens(call: Call[NamePage]) -> Listing[models.Token]:
    """List the tokens that you may know of: administrators see all, others those of their member up to their own role."""
    found, following = page(credentials.list_tokens(call.directory, call.principal), call.sent, key=lambda token: str(token.id))
    return Listing[models.Token](items=[render.token(call.directory, token) for token in found], next=following)


async def issue_token(call: Call[models.NewToken]) -> models.IssuedToken:
    """Issue a token, up to your own role and lifetime. Its text is shown this once."""
    sent = call.sent
    token, text = await credentials.issue_token(
        call.hub, call.principal, name=sent.name, role=sent.role, member=sent.member, expires_us=_expiry(sent.expires_at)
    )
    return render.issued_token(await call.after(), token, text)


async def get_token(call: Call[None]) -> models.Token:
    """Show a token, without its secret."""
    return render.token(call.directory, credentials.get_token(call.directory, call.principal, call.path["token"]))


async def revoke_token(call: Call[None]) -> models.Token:
    """Let a token be good no longer, from the next request on."""
    token = await credentials.revoke_token(call.hub, call.principal, call.path["token"])
    return render.token(await call.after(), token)


async def list_certificates(call: Call[NamePage]) -> Listing[models.Certificate]:
    """List the client certificates that you may know of: administrators see all, others those of their member up to their own role."""
    known = credentials.list_certificates(call.directory, call.principal)
    found, following = page(known, call.sent, key=lambda certificate: certificate.spki_sha256)
    return Listing[models.Certificate](items=[render.certificate(call.directory, certificate) for certificate in found], next=following)


async def add_certificate(call: Call[models.NewCertificate]) -> models.Certificate:
    """Register a client certificate's public key for a member."""
    certificate = await credentials.add_certificate(call.hub, call.principal, **call.sent.changes())
    return render.certificate(await call.after(), certificate)


async def get_certificate(call: Call[None]) -> models.Certificate:
    """Show a client certificate's public key."""
    return render.certificate(call.directory, credentials.get_certificate(call.directory, call.principal, call.path["spki_sha256"]))


async def revoke_certificate(call: Call[None]) -> models.Certificate:
    """Let a client certificate's key be good no longer, from the next request on."""
    certificate = await credentials.revoke_certificate(call.hub, call.principal, call.path["spki_sha256"])
    return render.certificate(await call.after(), certificate)


def _expiry(text: str | None) -> int | None:
    try:
        return parse_timestamp(text) if text is not None else None
    except NotUnderstood as e:
        raise Invalid(f"expires_at: {e.detail}") from e


OPERATIONS = (
    Operation(hdrs.METH_GET, "/tokens", list_tokens, takes=NamePage, gives=Listing[models.Token]),
    Operation(hdrs.METH_POST, "/tokens", issue_token, takes=models.NewToken, gives=models.IssuedToken, status=HTTPStatus.CREATED),
    Operation(hdrs.METH_GET, "/tokens/{token}", get_token, gives=models.Token),
    Operation(hdrs.METH_DELETE, "/tokens/{token}", revoke_token, gives=models.Token),
    Operation(hdrs.METH_GET, "/certificates", list_certificates, takes=NamePage, gives=Listing[models.Certificate]),
    Operation(
        hdrs.METH_POST, "/certificates", add_certificate, Role.ADMIN,
        takes=models.NewCertificate, gives=models.Certificate, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/certificates/{spki_sha256}", get_certificate, gives=models.Certificate),
    Operation(hdrs.METH_DELETE, "/certificates/{spki_sha256}", revoke_certificate, gives=models.Certificate),
)  # fmt: skip
