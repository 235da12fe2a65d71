"""Writing tokens and client certificates. Reading is `hub.store.directory`'s."""

from sqlalchemy import bindparam, insert, update

from hub.domain.directory import Certificate, Token
from hub.domain.ids import TokenId
from hub.store.database import Connection, prepare
from hub.store.tables import table

TOKEN = table("token")
CERTIFICATE = table("certificate")

_ADD_TOKEN = prepare(insert(TOKEN))
_REVOKE_TOKEN = prepare(update(TOKEN).where(TOKEN.c.id == bindparam("key")).values(revoked_us=bindparam("revoked_us")))
_ADD_CERTIFICATE = prepare(insert(CERTIFICATE))
_REVOKE_CERTIFICATE = prepare(
    update(CERTIFICATE).where(CERTIFICATE.c.spki_sha256 == bindparam("key")).values(revoked_us=bindparam("revoked_us"))
)


async def add_token(conn: Connection, token: Token) -> None:
    """Insert a token."""
    await conn.execute(
        _ADD_TOKEN, id=token.id, member_id=token.member, name=token.name, role=token.role.value, secret_hash=token.secret_hash,
        created_us=token.created_us, expires_us=token.expires_us, revoked_us=token.revoked_us,
    )  # fmt: skip


async def revoke_token(conn: Connection, id: TokenId, *, now_us: int) -> None:
    """Write when a token was revoked."""
    await conn.execute(_REVOKE_TOKEN, key=id, revoked_us=now_us)


async def add_certificate(conn: Connection, certificate: Certificate) -> None:
    """Insert a certificate's key."""
    await conn.execute(
        _ADD_CERTIFICATE, spki_sha256=certificate.spki_sha256, member_id=certificate.member, name=certificate.name,
        role=certificate.role.value, created_us=certificate.created_us, revoked_us=certificate.revoked_us,
    )  # fmt: skip


async def revoke_certificate(conn: Connection, spki_sha256: str, *, now_us: int) -> None:
    """Write when a certificate's key was revoked."""
    await conn.execute(_REVOKE_CERTIFICATE, key=spki_sha256, revoked_us=now_us)
