"""Signatures of requests: the cases of RFC 9421, another implementation, and everything that must be refused."""

import base64
import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import http_message_signatures as other
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from http_message_signatures import algorithms
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.http_signature.digest import Digests, content_digest
from hub.domain.http_signature.message import Component, normal_uri
from hub.domain.http_signature.push import AGE_MAX_S, AHEAD_MAX_S, find_signature, require_fresh
from hub.domain.http_signature.signature import COVERED_MAX, NONCE_MAX, SIGNATURES_MAX, Signature, base_of, read_signatures, sign
from hub.domain.signing import base64url
from hub.domain.signing.keys import Algorithm, PrivateKey, PublicKey
from hub.errors import NotUnderstood, Unauthenticated
from tests.signing import rfc9421
from tests.signing.messages import BODY, KEY, KEYS, NOW_S, URI, Plain, Sent

# RFC 9421, appendix B


def test_the_base_of_each_case_of_the_standard_is_made_as_it_shows():
    request, answer = rfc9421.messages()
    for heading, count in {
        "Minimal Signature Using rsa-pss-sha512": 0,
        "Full Coverage using rsa-pss-sha512": 8,
        "Signing a Request using hmac-sha256": 3,
        "Signing a Request using ed25519": 6,
    }.items():
        case = rfc9421.case(heading)
        (signature,) = read_signatures(replace(request, lines=rfc9421.lines_of(case.fields)))
        assert len(signature.covered) == count
        assert base_of(request, signature.covered, signature.parameters).decode() == case.base, heading
    case = rfc9421.case("Signing a Response using ecdsa-p256-sha256")
    fields = {name: list(answer.lines(name)) for name in ("content-type", "content-length")} | case.fields
    # The standard's own answer has another digest than its case.
    fields["content-digest"] = [line.split(": ")[1] for line in case.base.splitlines() if line.startswith('"content-digest"')]
    answered = replace(answer, lines=rfc9421.lines_of(fields))
    (signature,) = read_signatures(answered)
    assert base_of(answered, signature.covered, signature.parameters).decode() == case.base
    key = PublicKey.from_jwk({name: value for name, value in rfc9421.key("Example ECC P-256 Test Key").items() if name != "d"})
    assert signature.is_made_with(key, answered)


def test_the_ed25519_case_of_the_standard_verifies_and_is_made_anew_byte_for_byte():
    request, _ = rfc9421.messages()
    case = rfc9421.case("Signing a Request using ed25519")
    seed = base64url.decode(rfc9421.key("Example Ed25519 Test Key")["d"])
    key = PrivateKey(Ed25519PrivateKey.from_private_bytes(seed))
    (signature,) = read_signatures(replace(request, lines=rfc9421.lines_of(case.fields)))
    assert signature.is_made_with(key.public, request)
    assert not signature.is_made_with(key.public, replace(request, method="PUT"))
    made = sign(request, signature.label, signature.covered, signature.parameters, key)
    assert {name.lower(): [value] for name, value in made.items()} == case.fields


def test_a_component_that_the_hub_cannot_look_at_is_refused_and_not_passed_over():
    request, _ = rfc9421.messages()
    case = rfc9421.case("Selective Covered Components using rsa-pss-sha512")  # with a parameter of the query
    with pytest.raises(NotUnderstood, match='cannot look at "@query-param";name="Pet"'):
        read_signatures(replace(request, lines=rfc9421.lines_of(case.fields)))


# Another implementation


OTHERS = {Algorithm.ED25519: algorithms.ED25519, Algorithm.ES256: algorithms.ECDSA_P256_SHA256}


@pytest.mark.parametrize("algorithm", OTHERS)
def test_another_implementation_and_the_hub_verify_each_others_signatures(algorithm: Algorithm):
    key = KEYS[algorithm]
    kid, loaded = key.public.kid, load_pem_private_key(key.to_pem(), None)
    resolver = other.MappingKeyResolver(public_keys={kid: loaded.public_key()}, private_keys={kid: loaded})  # type: ignore[dict-item, union-attr]
    parts = {"signature_algorithm": OTHERS[algorithm], "key_resolver": resolver}

    ours = Plain(Sent().signed(key, now_s=int(datetime.now(UTC).timestamp())))
    (verified,) = other.HTTPMessageVerifier(**parts).verify(ours, expect_tag="hub-push", body=BODY)  # type: ignore[arg-type]
    assert verified.parameters["keyid"] == kid

    theirs = Plain(Sent())
    other.HTTPMessageSigner(**parts).sign(  # type: ignore[arg-type]
        theirs,
        key_id=kid,
        created=datetime.fromtimestamp(NOW_S, UTC),
        nonce="theirs",
        tag="hub-push",
        use_existing_digest=True,
        covered_component_ids=("@method", "@target-uri", "content-type", "content-digest", "@authority", "@path", "@query"),
    )
    sent = Sent().put(**theirs.headers)
    assert sent.is_good(key)
    assert sent.found().text("alg")


# Pushes


@pytest.mark.parametrize("algorithm", Algorithm)
def test_what_was_signed_is_verified_with_its_key_and_no_other(algorithm: Algorithm):
    sent = Sent().signed(KEYS[algorithm])
    assert sent.is_good(KEYS[algorithm])
    assert not sent.is_good(PrivateKey.generate(algorithm))


CHANGES: dict[str, Callable[[Sent], Any]] = {
    "another method": lambda sent: setattr(sent, "method", "DELETE"),
    "another query": lambda sent: setattr(sent, "uri", URI + "?limit=1"),
    "another scheme": lambda sent: setattr(sent, "uri", URI.replace("https", "http")),
    "another host": lambda sent: setattr(sent, "uri", URI.replace("hub.", "hub2.")),
    "another path": lambda sent: setattr(sent, "uri", URI.replace("objects", "Objects")),
    "another type": lambda sent: sent.put(content_type="application/stix+json;version=2.1"),
    "another digest": lambda sent: sent.put(content_digest=content_digest(BODY + b" ")),
    "another time": lambda sent: sent.change(f"created={NOW_S}", f"created={NOW_S + 1}"),
    "another nonce": lambda sent: sent.change('nonce="n-1"', 'nonce="n-2"'),
    "an expiry": lambda sent: sent.change(";tag=", f";expires={NOW_S + 9};tag="),
    "another order": lambda sent: sent.change('("@method" "@target-uri"', '("@target-uri" "@method"'),
    "another algorithm": lambda sent: sent.change(";tag=", ';alg="ecdsa-p256-sha256";tag='),
    "an algorithm, though it is the right one": lambda sent: sent.change(";tag=", ';alg="ed25519";tag='),
    "another signature": lambda sent: sent.put(signature=f"push=:{base64.b64encode(bytes(64)).decode()}:"),
    "an empty signature": lambda sent: sent.put(signature="push=::"),
}


@pytest.mark.parametrize("changed", CHANGES)
def test_a_signature_fits_nothing_but_what_it_was_made_over(changed: str):
    sent = Sent().signed()
    CHANGES[changed](sent)
    assert not sent.is_good()


def test_lines_of_a_field_are_signed_together_and_in_their_order():
    sent = Sent()
    sent.fields["x-seen"] = [" one ", "two"]
    covered = tuple(map(Component, ("@method", "@target-uri", "content-type", "content-digest", "x-seen")))
    sent.put(**sign(sent.request, "push", covered, {"created": NOW_S, "keyid": "k", "nonce": "n", "tag": "hub-push"}, KEY))
    sent.fields["x-seen"] = ["one, two"]
    assert sent.is_good()
    sent.fields["x-seen"] = ["two", "one"]
    assert not sent.is_good()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda sent: sent.change('"@method" ', ""), "must cover"),
        (lambda sent: sent.change('"@target-uri" ', ""), "must cover"),
        (lambda sent: sent.change('"content-type" ', ""), "must cover"),
        (lambda sent: sent.change(' "content-digest"', ""), "must cover"),
        (lambda sent: sent.change('"@method"', '"@method";req'), "must cover"),
        (lambda sent: sent.change('"content-digest"', '"content-digest";key="sha-256"'), "must cover"),
        (lambda sent: sent.change('"@method"', '"@method" "@method"'), "covered twice"),
        (lambda sent: sent.change('"@method"', '"@method" "a";key="x";req "a";req;key="x"'), "covered twice"),
        (lambda sent: sent.change('"@method"', '"@method" "@Method"'), "lower case"),
        (lambda sent: sent.change('"@method"', '"@method" token'), "named by a string"),
        (lambda sent: sent.change('"@method"', '"@method" ""'), "named by a string"),
        (lambda sent: sent.change('"@method"', '"@method" "x";sf'), "cannot look at"),
        (lambda sent: sent.change('"@method"', '"@method" "x";bs'), "cannot look at"),
        (lambda sent: sent.change('"@method"', '"@method" "x";tr'), "cannot look at"),
        (lambda sent: sent.change('"@method"', '"@method" "x";req=?0'), "cannot look at"),
        (lambda sent: sent.change(f"created={NOW_S}", f"created={NOW_S}.0"), "the parameter created"),
        (lambda sent: sent.change(f"created={NOW_S}", f'created="{NOW_S}"'), "the parameter created"),
        (lambda sent: sent.change(f"created={NOW_S}", "created"), "the parameter created"),
        (lambda sent: sent.change('nonce="n-1"', "nonce=n-1"), "the parameter nonce"),
        (lambda sent: sent.change(";tag=", ";made-up=1;tag="), "the parameter made-up"),
        (lambda sent: sent.change(";tag=", ";created=1;tag="), "stands there twice"),
        (lambda sent: sent.change(f"created={NOW_S};", ""), "needs the parameters created"),
        (lambda sent: sent.change('nonce="n-1";', ""), "needs the parameters nonce"),
        (lambda sent: sent.change('nonce="n-1"', 'nonce=""'), "needs the parameters nonce"),
        (lambda sent: sent.change(f'keyid="{KEY.public.kid}";', ""), "needs the parameters keyid"),
        (lambda sent: sent.change('nonce="n-1"', f'nonce="{"n" * (NONCE_MAX + 1)}"'), "a nonce of more"),
        (lambda sent: sent.change(';tag="hub-push"', ""), "none without a tag"),
        (lambda sent: sent.put(signature_input="push"), "a list of at most"),
        (lambda sent: sent.put(signature_input="push=(%s)" % ('"a" ' * (COVERED_MAX + 1))), "a list of at most"),
        (lambda sent: sent.put(signature="push=abc"), "a byte sequence"),
        (lambda sent: sent.put(signature=sent.fields["signature"][0] + ";x=1"), "and nothing else"),
        (lambda sent: sent.put(signature="push=:not base64:"), "no structured field"),
        (lambda sent: sent.put(signature=""), "each label stands in both"),
        (lambda sent: sent.put(signature_input=""), "each label stands in both"),
        (lambda sent: sent.change("push=", "other=", "signature"), "each label stands in both"),
        (lambda sent: sent.put(signature_input=", ".join([sent.fields["signature-input"][0]] * 2)), "stands there twice"),
    ],
)
def test_a_signature_that_is_not_all_understood_or_covers_too_little_is_refused(change: Callable[[Sent], Any], why: str):
    sent = Sent().signed()
    change(sent)
    with pytest.raises(NotUnderstood, match=why):
        sent.found()


def test_what_cannot_be_in_a_base_is_refused():
    sent = Sent().signed().change('"@method"', '"@method" "x-odd"')
    for line in ("a\nb", "a\x00b", "é"):
        sent.fields["x-odd"] = [line]
        with pytest.raises(NotUnderstood, match="cannot be signed"):
            sent.is_good()
    del sent.fields["x-odd"]
    with pytest.raises(NotUnderstood, match="is not in the message"):
        sent.is_good()


def test_of_several_signatures_the_one_for_the_hub_counts():
    sent = Sent().signed()
    stated, value = sent.fields["signature-input"][0], sent.fields["signature"][0]
    sent.fields["signature-input"] = ['proxy=("@method");created=1;keyid="p";tag="a-proxy"', stated]
    sent.fields["signature"] = [f"proxy=:{base64.b64encode(bytes(64)).decode()}:", value]
    assert sent.found().label == "push"
    assert sent.is_good()

    sent.fields["signature-input"][0] = sent.fields["signature-input"][0].replace("a-proxy", "hub-push")
    with pytest.raises(NotUnderstood, match="give one signature for the hub"):
        sent.found()

    many = range(SIGNATURES_MAX + 1)
    sent.put(signature_input=", ".join(f"s{n}=()" for n in many), signature=", ".join(f"s{n}=::" for n in many))
    with pytest.raises(NotUnderstood, match="more than 8"):
        sent.found()


def test_a_signature_may_be_as_large_as_the_limits_and_no_larger():
    covered = [*map(Component, ("@method", "@target-uri", "content-type", "content-digest"))]
    more = [Component(f"x-{n}") for n in range(COVERED_MAX - len(covered))]
    sent = Sent().put(**{component.name: "" for component in more})
    named = {"created": NOW_S, "keyid": "k", "nonce": "n" * NONCE_MAX, "tag": "hub-push"}
    sent.put(**sign(sent.request, "push", covered + more, named, KEY))
    assert sent.is_good()
    others = range(SIGNATURES_MAX - 1)
    sent.fields["signature-input"] += [", ".join(f's{n}=();tag="theirs"' for n in others)]
    sent.fields["signature"] += [", ".join(f"s{n}=::" for n in others)]
    assert sent.is_good()


def test_a_request_without_a_signature_for_the_hub_has_none():
    assert find_signature(Sent().request, has_body=True) is None
    theirs = Sent().put(signature_input='proxy=("@method");tag="a-proxy"', signature="proxy=:AAAA:")
    assert find_signature(theirs.request, has_body=True) is None


def test_a_request_without_a_body_needs_to_sign_none_and_cannot_be_given_one():
    sent = Sent("DELETE", body=b"").signed()
    assert sent.is_good()
    with pytest.raises(NotUnderstood, match="must cover"):
        find_signature(sent.request, has_body=True)


@pytest.mark.parametrize(
    ("made_s", "expires_s", "told"),
    [
        (NOW_S - AGE_MAX_S, None, None),
        (NOW_S - AGE_MAX_S - 1, None, "ago"),
        (NOW_S + AHEAD_MAX_S, None, None),
        (NOW_S + AHEAD_MAX_S + 1, None, "in the future"),
        (NOW_S - 1, NOW_S, None),
        (NOW_S - 1, NOW_S - 1, "has expired"),
        (-(10**14), None, "ago"),
    ],
)
def test_a_signature_is_taken_for_a_while(made_s: int, expires_s: int | None, told: str | None):
    parameters: dict[str, int | str] = {"created": made_s} | ({"expires": expires_s} if expires_s is not None else {})
    signature = Signature("push", (), parameters, b"")
    if told is None:
        require_fresh(signature, NOW_S)
        return
    with pytest.raises(Unauthenticated, match=told):
        require_fresh(signature, NOW_S)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["signature-input", "signature", "content-digest"]), st.data())
def test_what_still_verifies_after_a_change_says_the_same(field: str, data: st.DataObject):
    sent = Sent().signed()
    before, text = sent.found(), sent.fields[field][0]
    at = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(at, min(len(text), at + 3)))
    sent.fields[field] = [text[:at] + data.draw(st.text(alphabet=text + ' \t;,=()":?%A0z', max_size=3)) + text[end:]]
    try:
        after = find_signature(sent.request, has_body=True)
        good = after is not None and after.is_made_with(KEY.public, sent.request)
    except NotUnderstood:
        return
    if good:  # it was written in other words, if at all
        assert after is not None
        assert (after.covered, after.parameters, after.value) == (before.covered, before.parameters, before.value)


# Digests


def sha(name: str, body: bytes = BODY) -> str:
    return f"{name}=:{base64.b64encode(hashlib.new(name.replace('-', ''), body).digest()).decode()}:"


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ([sha("sha-256")], None),
        ([sha("sha-512")], None),
        ([sha("sha-256"), sha("sha-512")], None),
        (["md5=:AAAA:, " + sha("sha-256")], None),  # RFC 9530 §2: what is not known is passed over
        ([sha("sha-256", b"other")], "this sha-256"),
        ([sha("sha-256"), sha("sha-512", b"other")], "this sha-512"),
        (["sha-256=::"], "this sha-256"),
        (["md5=:AAAA:"], "is needed"),
        (["sha-256=AAAA"], "is needed"),
        (["sha-256"], "is needed"),
        ([""], "is needed"),
        ([sha("sha-256"), sha("sha-256")], "stands there twice"),
    ],
)
def test_every_digest_of_a_body_that_the_hub_knows_must_be_right(lines: list[str], why: str | None):
    def compare() -> None:
        digests = Digests(lines)
        for start in range(0, len(BODY), 3):
            digests.update(BODY[start : start + 3])
        digests.require_equal()

    if why is None:
        compare()
        return
    with pytest.raises(NotUnderstood, match=why):
        compare()


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("HTTPS://Hub.Example.org:443/A/b%2f?Q=%41#part", "https://hub.example.org/A/b%2f?Q=%41"),
        ("http://hub.example.org:80", "http://hub.example.org/"),
        ("http://hub.example.org:443/", "http://hub.example.org:443/"),
        ("https://hub.example.org:8443?a=//b", "https://hub.example.org:8443/?a=//b"),
        ("https://[2001:DB8::1]:443//x", "https://[2001:db8::1]//x"),
        ("https://me:secret@hub.example.org/", "https://hub.example.org/"),
    ],
)
def test_both_ends_write_an_address_alike(uri: str, normal: str):
    assert normal_uri(uri) == normal
