"""Signed answers: what the hub signs of an answer whose client asks for it, and how a client finds that it can trust one.

* An answer's signature covers the request too, so that no answer passes for that to another question; the client's nonce, so that no
  earlier one does.
* What is asked for and cannot be given (RFC 9421 §5.2: another key or algorithm, a component that this answer does not have) leaves the
  answer unsigned. So does an `Accept-Signature` that cannot be read (RFC 9651 §4.2).
* An answer without a digest is a stream of events. Its signature says who answers, and to what; what is told in it, it cannot cover.
"""

from collections.abc import Mapping, Sequence

from hub.domain.http_signature.digest import FIELD as CONTENT_DIGEST
from hub.domain.http_signature.digest import Digests
from hub.domain.http_signature.fields import read_dictionary, write_dictionary
from hub.domain.http_signature.message import Answer, Component, of_request
from hub.domain.http_signature.push import AGE_MAX_S, AHEAD_MAX_S
from hub.domain.http_signature.push import TAG as PUSH_TAG
from hub.domain.http_signature.signature import ALGORITHMS, SIGNATURES_MAX, VALUE, Signature, read_signatures, sign
from hub.domain.signing.keys import PublicKey, Signer
from hub.errors import NotUnderstood, Unauthenticated

ACCEPT = "Accept-Signature"
TAG = "hub-answer"
LABEL = "answer"

_DIGEST = Component(CONTENT_DIGEST)
_ALWAYS = (Component("@status"), _DIGEST, of_request("@method"), of_request("@target-uri"))
# Where the answer has them: what it is, and where a client goes on (TAXII 2.1 §3.2).
_WHERE_PRESENT = tuple(map(Component, ("content-type", "x-taxii-date-added-first", "x-taxii-date-added-last")))
_FLAGS = ("created", "expires")  # parameters that are asked for without a value


def wanted(nonce: str) -> str:
    """Return the `Accept-Signature` with which a client asks for a signed answer.

    Args:
        nonce: never used before; printable ASCII.
    """
    components = [component.item for component in (*_ALWAYS, _WHERE_PRESENT[0])]
    return write_dictionary({LABEL: (components, {"created": True, "nonce": nonce, "tag": TAG})})


def sign_answer(answer: Answer, signer: Signer, *, now_s: int) -> dict[str, str]:
    """Return the fields that carry the signature which the client asked for; none where that cannot be given.

    Of several signatures that are asked for, the first that can be given is. It covers what was asked for, and what makes it worth
    something. The answer's `Content-Digest` is among its fields already, unless it is a stream of events.
    """
    try:
        asked = read_dictionary(ACCEPT, answer.request.lines(ACCEPT))
    except NotUnderstood:
        return {}
    for label, (components, parameters) in list(asked.items())[:SIGNATURES_MAX]:
        try:
            covered = _covered(answer, components)
            if (given := _parameters(parameters, signer.public, now_s)) is not None:
                return sign(answer, label, covered, given, signer)
        except NotUnderstood:
            continue
    return {}


def require_signed(answer: Answer, body: bytes, keys: Mapping[str, PublicKey], *, nonce: str, now_s: int) -> None:
    """Refuse an answer that the holder of one of the keys did not give to this very request, just now.

    Args:
        body: as it was sent.
        keys: by thumbprint; those that sign answers.
        nonce: as it was given to `wanted`.
    Raises:
        NotUnderstood: it is not signed, not as it was asked for, or its body is another one.
        Unauthenticated: the signature is not good.
    """
    found = [signature for signature in read_signatures(answer) if signature.text("tag") == TAG]
    if len(found) != 1:
        raise NotUnderstood("it is not signed" if not found else "it is signed twice")
    (signature,) = found
    if lacking := signature.lacks([*_ALWAYS, *_present(answer), *_signature_of_request(answer)]):
        raise NotUnderstood(f"its signature leaves out {' '.join(map(str, lacking))}")
    if signature.text("nonce") != nonce:
        raise Unauthenticated("its signature was made for another request")
    expires_s = now_s if signature.expires_s is None else signature.expires_s
    if not now_s - AGE_MAX_S <= (signature.created_s or 0) <= now_s + AHEAD_MAX_S or expires_s < now_s:
        raise Unauthenticated("its signature was not made just now: one of the two clocks is wrong, or it is an old answer")
    key = keys.get(signature.text("keyid"))
    if key is None:
        raise Unauthenticated("it is signed with a key that is not among those given")
    if not signature.is_made_with(key, answer):
        raise Unauthenticated("its signature does not fit it: it was changed on its way")
    digests = Digests(answer.lines(CONTENT_DIGEST))
    digests.update(body)
    digests.require_equal()


def _covered(answer: Answer, components: object) -> list[Component]:
    if not isinstance(components, list):
        raise NotUnderstood("Accept-Signature: a list of components is needed")
    covered = [Component.of(item) for item in components]
    if len({component.identity for component in covered}) < len(covered):
        raise NotUnderstood("Accept-Signature: a component is asked for twice")
    asked = Signature("", tuple(covered), {}, b"")
    always = _ALWAYS if answer.lines(CONTENT_DIGEST) else [component for component in _ALWAYS if component is not _DIGEST]
    return covered + asked.lacks([*always, *_present(answer), *_signature_of_request(answer)])


def _present(answer: Answer) -> list[Component]:
    return [component for component in _WHERE_PRESENT if answer.lines(component.name)]


def _signature_of_request(answer: Answer) -> Sequence[Component]:
    """Return the component that ties the answer to its request's own signature (§2.4), verified or not, where there is one."""
    try:
        signatures = read_signatures(answer.request)
    except NotUnderstood:
        return ()
    return [of_request(VALUE.lower(), signature.label) for signature in signatures if signature.text("tag") == PUSH_TAG]


def _parameters(asked: Mapping[str, object], key: PublicKey, now_s: int) -> dict[str, int | str] | None:
    """Return the parameters of a signature that does what was asked for; None where this key cannot do it."""
    mine = {"keyid": key.kid, "alg": ALGORITHMS[key.algorithm]}
    for name, value in asked.items():
        fits = value is True if name in _FLAGS else type(value) is str and value == mine.get(name, value)
        if not fits or name not in (*_FLAGS, *mine, "nonce", "tag"):
            return None
    given: dict[str, int | str] = {"created": now_s, "keyid": key.kid}
    given |= {name: str(asked[name]) for name in ("alg", "nonce") if name in asked} | {"tag": str(asked.get("tag", TAG))}
    return given | {"expires": now_s + AGE_MAX_S} if "expires" in asked else given
