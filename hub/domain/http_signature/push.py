"""Signed pushes: what a request that changes something has to sign, and what that says about it.

A signature proves who sent the request, and that it arrived whole, here, once, and now. Who wrote the objects in it is for their own
signatures to say.
"""

from hub.domain.http_signature.digest import FIELD as CONTENT_DIGEST
from hub.domain.http_signature.message import Component, Request
from hub.domain.http_signature.signature import Signature, read_signatures, sign
from hub.domain.signing.keys import Signer
from hub.errors import NotUnderstood, Unauthenticated

TAG = "hub-push"
LABEL = "push"
AGE_MAX_S = 300
AHEAD_MAX_S = 60  # how far the sender's clock may be before ours

_ALWAYS = (Component("@method"), Component("@target-uri"))
_WITH_BODY = (Component("content-type"), Component(CONTENT_DIGEST))
_NEEDED = ("created", "keyid", "nonce")

# What `Accept-Signature` says to who had to sign and did not (RFC 9421 §5.1).
WANTED = f'{LABEL}=({" ".join(map(str, _ALWAYS + _WITH_BODY))});created;tag="{TAG}"'


def sign_push(request: Request, signer: Signer, *, has_body: bool, nonce: str, now_s: int) -> dict[str, str]:
    """Return the fields that carry the signature of a request; its `Content-Digest` is among its fields already.

    Args:
        nonce: never used before with this key.
        now_s: the time, in whole seconds since the epoch.
    Raises:
        NotUnderstood: the request lacks what has to be signed.
    """
    covered = _ALWAYS + _WITH_BODY if has_body else _ALWAYS
    return sign(request, LABEL, covered, {"created": now_s, "keyid": signer.public.kid, "nonce": nonce, "tag": TAG}, signer)


def find_signature(request: Request, *, has_body: bool) -> Signature | None:
    """Return the signature that a request carries for the hub, not verified; None where it has none.

    Signatures under tags of other applications are theirs, and passed over.

    Raises:
        NotUnderstood: the request's signatures cannot be read, the hub's is not one alone, or it leaves out what must be signed.
    """
    found = [signature for signature in read_signatures(request) if signature.text("tag") in ("", TAG)]
    if not found:
        return None
    if len(found) > 1 or not found[0].text("tag"):
        raise NotUnderstood(f'Signature-Input: give one signature for the hub, with tag="{TAG}"; none without a tag is taken unchecked')
    signature = found[0]
    if lacking := signature.lacks(_ALWAYS + _WITH_BODY if has_body else _ALWAYS):
        raise NotUnderstood(f"Signature-Input: {signature.label}: it must cover {' '.join(map(str, lacking))} too")
    if missing := [name for name in _NEEDED if name not in signature.parameters or signature.parameters[name] == ""]:
        raise NotUnderstood(f"Signature-Input: {signature.label}: it needs the parameters {', '.join(missing)} too")
    return signature


def require_fresh(signature: Signature, now_s: int) -> None:
    """Refuse a signature that was made long ago, or is not to be taken any longer.

    Raises:
        Unauthenticated: says which, and what to look at.
    """
    created_s = signature.created_s or 0
    if now_s - created_s > AGE_MAX_S:
        raise Unauthenticated(f"the signature was made more than {AGE_MAX_S} s ago: sign anew, and look at your clock")
    if created_s - now_s > AHEAD_MAX_S:
        raise Unauthenticated(f"the signature was made more than {AHEAD_MAX_S} s in the future: look at your clock")
    if signature.expires_s is not None and signature.expires_s < now_s:
        raise Unauthenticated("the signature has expired: sign anew")
