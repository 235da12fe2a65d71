"""Signatures of answers: who asks for one can trust the answer, and nothing that was changed, is old or is another's."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import http_message_signatures as other
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import algorithms

from hub.domain.http_signature.answer import require_signed, sign_answer, wanted
from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Answer
from hub.domain.http_signature.push import AGE_MAX_S, AHEAD_MAX_S
from hub.domain.http_signature.signature import read_signatures, sign
from hub.domain.signing.keys import PrivateKey
from hub.errors import HubError, Unauthenticated
from tests.signing.messages import BODY, KEY, NOW_S, URI, Plain, Sent


class Answered:
    """An answer with header fields that a test may change, to a request that asked for a signature."""

    def __init__(self, asked: str, *, status: int = 200, body: bytes = BODY, request: Sent | None = None) -> None:
        self.sent = (request or Sent("GET", body=b"")).put(accept_signature=asked)
        self.status, self.body = status, body
        self.fields = {"content-type": ["application/json"], "content-digest": [content_digest(body)], "x-taxii-date-added-last": ["2026"]}
        self.signed = sign_answer(self.answer, KEY, now_s=NOW_S)
        self.fields |= {name.lower(): [value] for name, value in self.signed.items()}

    @property
    def answer(self) -> Answer:
        return Answer(self.status, lambda name: self.fields.get(name.lower(), []), self.sent.request)

    def check(self, **given: Any) -> None:
        keys = given.pop("keys", {KEY.public.kid: KEY.public})
        require_signed(self.answer, self.body, keys, **{"nonce": "mine", "now_s": NOW_S, **given})


def test_an_answer_that_is_asked_for_with_a_signature_can_be_trusted():
    answered = Answered(wanted("mine"))
    answered.check()
    (signature,) = read_signatures(answered.answer)
    assert {"@status", "content-type", "content-digest", "x-taxii-date-added-last"} <= {
        c.name for c in signature.covered if not c.parameters
    }
    assert {c.name for c in signature.covered if c.parameters} == {"@method", "@target-uri"}


def test_another_implementation_verifies_an_answer_of_the_hub():
    answered = Answered(wanted("mine"), request=Sent().signed())
    theirs = Plain(answered.sent)
    answer = Plain(answered.sent)
    answer.headers = {name.title(): lines[0] for name, lines in answered.fields.items()}
    answer.status_code, answer.request = answered.status, theirs  # type: ignore[attr-defined]
    loaded = load_pem_private_key(KEY.to_pem(), None)
    resolver = other.MappingKeyResolver(public_keys={KEY.public.kid: loaded.public_key()}, private_keys={})  # type: ignore[dict-item]
    verifier = other.HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=resolver)
    aged = timedelta(seconds=abs(datetime.now(UTC).timestamp() - NOW_S) + 60)
    (verified,) = verifier.verify(answer, expect_tag="hub-answer", max_age=aged, body=BODY)
    assert verified.nonce == "mine"
    assert '"signature";req;key="push"' in verified.covered_components


def test_an_answer_to_a_signed_request_is_tied_to_its_signature():
    answered = Answered(wanted("mine"), request=Sent().signed())
    answered.check()
    assert '"signature";req;key="push"' in answered.fields["signature-input"][0]
    answered.sent.signed(nonce="n-2")
    with pytest.raises(Unauthenticated, match="does not fit"):
        answered.check()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda a: setattr(a, "status", 404), "does not fit"),
        (lambda a: setattr(a, "body", b"{}"), "this sha-256"),
        (lambda a: a.fields.update({"content-digest": [content_digest(b"{}")]}), "does not fit"),
        (lambda a: a.fields.update({"content-type": ["text/html"]}), "does not fit"),
        (lambda a: a.fields.update({"x-taxii-date-added-last": ["2027"]}), "does not fit"),
        (lambda a: a.fields.update({"x-taxii-date-added-first": ["2025"]}), "leaves out"),
        (lambda a: a.fields.pop("x-taxii-date-added-last"), "is not in the message"),
        (lambda a: setattr(a.sent, "uri", URI + "?next=1"), "does not fit"),
        (lambda a: setattr(a.sent, "method", "HEAD"), "does not fit"),
        (lambda a: a.fields.pop("signature"), "each label stands in both"),
        (lambda a: (a.fields.pop("signature"), a.fields.pop("signature-input")), "not signed"),
        (lambda a: a.fields.update({"signature-input": [a.fields["signature-input"][0].replace('"@status" ', "")]}), "leaves out"),
    ],
)
def test_an_answer_that_was_changed_or_belongs_to_another_request_is_found(change: Callable[[Answered], Any], why: str):
    answered = Answered(wanted("mine"))
    change(answered)
    with pytest.raises(HubError, match=why):
        answered.check()


def test_an_old_answer_or_one_by_somebody_else_is_found():
    answered = Answered(wanted("mine"))
    answered.check(now_s=NOW_S + AGE_MAX_S)
    answered.check(now_s=NOW_S - AHEAD_MAX_S)
    for changed, why in (
        ({"nonce": "other"}, "another request"),
        ({"now_s": NOW_S + AGE_MAX_S + 1}, "just now"),
        ({"now_s": NOW_S - AHEAD_MAX_S - 1}, "just now"),
        ({"keys": {}}, "not among those given"),
        ({"keys": {KEY.public.kid: PrivateKey.generate().public}}, "does not fit"),
    ):
        with pytest.raises(Unauthenticated, match=why):
            answered.check(**changed)


def test_an_answer_is_not_taken_beyond_the_end_that_it_sets_itself():
    answered = Answered(wanted("mine"))
    (signature,) = read_signatures(answered.answer)
    made = sign(answered.answer, "answer", signature.covered, {**signature.parameters, "expires": NOW_S + 10}, KEY)
    answered.fields |= {name.lower(): [value] for name, value in made.items()}
    answered.check(now_s=NOW_S + 10)
    with pytest.raises(Unauthenticated, match="just now"):
        answered.check(now_s=NOW_S + 11)


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("sig=()", 'sig=("@status" "content-digest"'),
        ('sig=("@status");created;expires;nonce="n";tag="t"', f"expires={NOW_S + AGE_MAX_S}"),
        ('sig=("@authority";req)', 'sig=("@authority";req "@status"'),
        ('sig=();alg="ed25519"', 'alg="ed25519"'),
        pytest.param(f'sig=();keyid="{KEY.public.kid}"', "sig=(", id="its own key"),  # another one in each process
        ('rsa=();alg="rsa-pss-sha512", sig=()', "sig=("),
        ('sig=();keyid="another"', None),
        ('sig=("x-not-there")', None),
        ('sig=("@query-param";name="a")', None),
        ('sig=("@status" "@status")', None),
        ("sig=();made-up", None),
        ("sig=();created=1", None),
        ("sig=();nonce=token", None),
        ("sig=1", None),
        ("sig", None),
        ("sig=(", None),
        ("sig=(), sig=()", None),
        ("", None),
    ],
)
def test_an_answer_is_signed_as_it_was_asked_for_or_not_at_all(asked: str, given: str | None):
    answered = Answered(asked)
    if given is None:
        assert answered.signed == {}
        return
    assert given in answered.signed["Signature-Input"]
    (signature,) = read_signatures(answered.answer)
    assert signature.is_made_with(KEY.public, answered.answer)
