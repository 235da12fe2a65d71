"""Signed messages: that a request which changes something was sent by whom its credential names, came whole, now, and once.

A credential alone can be stolen and used; what is signed takes the member's key as well.
"""

from hub.domain.directory import Directory
from hub.domain.http_signature.message import Request
from hub.domain.http_signature.push import AGE_MAX_S, find_signature, require_fresh
from hub.domain.member import Principal
from hub.errors import Unauthenticated, Unsigned
from hub.service.context import Hub
from hub.store.database import Duplicate
from hub.store.nonces import add_nonce

_SECOND_US = 1_000_000
_REMEMBERED_S = 2 * AGE_MAX_S  # from when a signature was made: another node's clock may be behind this one's


async def check_message(hub: Hub, directory: Directory, principal: Principal, request: Request | None, *, has_body: bool) -> str | None:
    """Verify the signature of a request that changes something, where it has one or has to have one; return whose key made it.

    An administrator who belongs to no member has no keys, and signs nothing.

    Args:
        request: None where it has no field in which signatures are told.
    Returns:
        The thumbprint of the member's key; None where it has none for the hub.
    Raises:
        Unsigned: it has to be signed, by the settings or as its member is set so, and is not.
        NotUnderstood: its signature cannot be read, or leaves out what must be signed.
        Unauthenticated: its signature is old, not by a key of this member, not over this request, or came before.
    """
    signature = find_signature(request, has_body=has_body) if request is not None else None
    member = principal.member
    if request is None or signature is None:
        if member is not None and (hub.config.message_signatures_required or member.message_signatures_required):
            raise Unsigned("this request has to be signed with a key of your member (RFC 9421); Accept-Signature says over what")
        return None
    now_us = hub.now_us()
    require_fresh(signature, now_us // _SECOND_US)
    key = directory.keys.get(signature.text("keyid"))
    if key is None or member is None or key.member != member.id or not key.is_good_at(now_us):
        raise Unauthenticated("keyid: it names no key of your member that is good now")
    if not signature.is_made_with(key.public, request):
        raise Unauthenticated(f"the signature does not fit what arrived here: {request.method} {request.target_uri} and its fields")
    until_us = ((signature.created_s or 0) + _REMEMBERED_S) * _SECOND_US
    try:
        await hub.db.write(add_nonce, key.kid, signature.text("nonce"), until_us=until_us)
    except Duplicate as e:
        raise Unauthenticated("the nonce came before: each request needs a new one") from e
    return key.kid
