"""Ways to make a signature pass that is none: each makes an object that has to be refused for its signature.

They are of what is known of JSON Web Signatures (RFC 8725, and reports of libraries that fell for them) and of what STIX adds.
"""

import copy
import hashlib
import hmac
import json
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any

from hub.domain.canonical import canonicalise
from hub.domain.signing.base64url import decode, encode
from hub.domain.signing.jws import signing_input
from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION, SIGNATURE_TYPE, sign_object, signed_bytes
from tests.signing.community import ENERGYS, WATERS
from tests.taxii.community import ENERGY
from tests.taxii.content import Object, indicator

Trick = Callable[[], Object]
TRICKS: dict[str, tuple[Trick, str]] = {}


def trick(reason: str) -> Callable[[Trick], Trick]:
    """Enter a trick, with what its refusal has to say."""

    def enter(make: Trick) -> Trick:
        TRICKS[make.__name__] = make, reason
        return make

    return enter


def plain(**properties: Any) -> Object:
    return indicator(created_by_ref=ENERGY.id, **properties)


def signed() -> Object:
    return sign_object(plain(), ENERGYS)


def with_signatures(obj: Object, *texts: Any, **members: Any) -> Object:
    extension = {"extension_type": "property-extension", "signatures": list(texts), **members}
    return {**obj, "extensions": {SIGNATURE_EXTENSION: extension}}


def signature_of(obj: Object) -> str:
    text: str = obj["extensions"][SIGNATURE_EXTENSION]["signatures"][0]
    return text


def jws(obj: Object, header: Mapping[str, Any] | bytes, sign: Callable[[bytes], bytes] = ENERGYS.sign) -> str:
    """Return a detached signature with any header, signed as it says."""
    protected = encode(header if isinstance(header, bytes) else json.dumps(header).encode())
    return f"{protected}..{encode(sign(signing_input(protected, signed_bytes(obj))))}"


def header(**members: Any) -> dict[str, Any]:
    said = {"alg": "Ed25519", "b64": False, "crit": ["b64"], "kid": ENERGYS.public.kid, "typ": SIGNATURE_TYPE, **members}
    return {name: value for name, value in said.items() if value is not None}


def with_header(**members: Any) -> Object:
    obj = plain()
    return with_signatures(obj, jws(obj, header(**members)))


@trick("alg must be one of")
def alg_none() -> Object:
    obj = plain()
    protected = encode(json.dumps(header(alg="none")).encode())
    return with_signatures(obj, f"{protected}..AA")


@trick("not a compact JSON Web Signature")
def alg_none_and_no_signature() -> Object:
    protected = encode(json.dumps(header(alg="none")).encode())
    return with_signatures(plain(), f"{protected}..")


@trick("alg must be one of")
def hmac_with_the_public_key_for_a_secret() -> Object:
    obj = plain()
    secret = decode(ENERGYS.public.jwk()["x"])
    return with_signatures(obj, jws(obj, header(alg="HS256"), lambda data: hmac.digest(secret, data, hashlib.sha256)))


@trick("alg must be one of")
def rsa() -> Object:
    return with_header(alg="RS256")


@trick("it was not made with the key")
def another_algorithm_than_the_keys() -> Object:
    return with_header(alg="ES256")


@trick("alg must be one of")
def algorithm_in_small_letters() -> Object:
    return with_header(alg="ed25519")


@trick("is not registered as yours")
def the_key_of_another_member() -> Object:
    return sign_object(plain(), WATERS)


@trick("it was not made with the key")
def the_name_of_ones_own_key_on_anothers_signature() -> Object:
    obj = plain()
    return with_signatures(obj, jws(obj, header(), WATERS.sign))


@trick("is not registered as yours")
def a_key_that_nobody_registered() -> Object:
    return sign_object(plain(), PrivateKey.generate())


@trick("is not registered as yours")
def an_unknown_key_where_no_author_is_named() -> Object:
    return sign_object(indicator(), PrivateKey.generate())


@trick("the protected header must have the members")
def a_key_in_the_header() -> Object:
    forger = PrivateKey.generate()
    obj = plain()
    return with_signatures(obj, jws(obj, header(kid=forger.public.kid, jwk=forger.public.jwk()), forger.sign))


@trick("the protected header must have the members")
def an_address_of_keys_in_the_header() -> Object:
    return with_header(jku="https://keys.example/jwks.json")


@trick("the protected header must have the members")
def a_certificate_in_the_header() -> Object:
    return with_header(x5c=["MIIB"])


@trick("crit must be")
def an_unknown_critical_member() -> Object:
    return with_header(crit=["b64", "exp"])


@trick("the protected header must have the members")
def a_critical_member_that_is_there() -> Object:
    return with_header(crit=["b64", "exp"], exp=0)


@trick("crit must be")
def nothing_critical() -> Object:
    return with_header(crit=[])


@trick("the protected header must have the members")
def no_critical_members() -> Object:
    return with_header(crit=None)


@trick("b64 must be false")
def an_encoded_payload() -> Object:
    obj = plain()
    protected = encode(json.dumps(header(b64=True)).encode())
    encoded = encode(signed_bytes(obj)).encode()
    return with_signatures(obj, f"{protected}..{encode(ENERGYS.sign(signing_input(protected, encoded)))}")


@trick("the protected header must have the members")
def no_word_about_the_payloads_encoding() -> Object:
    return with_header(b64=None, crit=None)


@trick("it brings a payload of its own")
def a_payload_of_its_own() -> Object:
    obj = plain()
    protected, _, signature = signature_of(sign_object(obj, ENERGYS)).split(".")
    return with_signatures(obj, f"{protected}.{encode(signed_bytes(obj))}.{signature}")


@trick("typ must be")
def a_signature_of_another_kind() -> Object:
    return with_header(typ="hub-key-proof+jws")


@trick("the protected header must have the members")
def no_kind() -> Object:
    return with_header(typ=None)


@trick("the protected header is")
def a_name_twice_in_the_header() -> Object:
    obj = plain()
    doubled = json.dumps(header())[:-1] + f', "kid": "{WATERS.public.kid}"}}'
    return with_signatures(obj, jws(obj, doubled.encode()))


@trick("the protected header is")
def a_header_that_is_no_json() -> Object:
    obj = plain()
    return with_signatures(obj, jws(obj, b"{'alg': 'Ed25519'}"))


@trick("its extension holds")
def one_more_member_in_the_extension() -> Object:
    obj = plain()
    return with_signatures(obj, signature_of(sign_object(obj, ENERGYS)), signed_at="2026-01-01T00:00:00Z")


@trick("must not be null or an empty list")
def no_signature_in_the_extension() -> Object:
    return with_signatures(plain())


@trick("must be of type object, not null")
def nothing_for_an_extension() -> Object:
    return {**plain(), "extensions": {SIGNATURE_EXTENSION: None}}


@trick("signatures must be a list of one to 4")
def five_signatures() -> Object:
    obj = plain()
    return with_signatures(obj, *(signature_of(sign_object(obj, key)) for key in (ENERGYS, *(PrivateKey.generate() for _ in range(4)))))


@trick("each once")
def one_signature_twice() -> Object:
    obj = plain()
    text = signature_of(sign_object(obj, ENERGYS))
    return with_signatures(obj, text, text)


@trick("it was not made with the key")
def a_bad_signature_behind_a_good_one() -> Object:
    obj = plain()
    return with_signatures(obj, signature_of(sign_object(obj, ENERGYS)), signature_of(signed()))


@trick("is not registered as yours")
def a_good_signature_behind_one_of_a_stranger() -> Object:
    return sign_object(plain(), PrivateKey.generate(), ENERGYS)


@trick("it was not made with the key")
def a_signature_of_another_object() -> Object:
    return with_signatures(plain(), signature_of(signed()))


@trick("it was not made with the key")
def a_name_changed_after_signing() -> Object:
    return {**signed(), "name": "Nothing to see here"}


@trick("it was not made with the key")
def a_property_added_after_signing() -> Object:
    return {**signed(), "confidence": 100}


@trick("it was not made with the key")
def an_extension_added_after_signing() -> Object:
    obj = copy.deepcopy(signed())
    obj["extensions"][f"extension-definition--{'0' * 8}-0000-4000-8000-{'0' * 12}"] = {"extension_type": "property-extension", "note": "x"}
    return obj


@trick("it was not made with the key")
def the_signed_object_inside_another() -> Object:
    inner = signed()
    return {
        **plain(),
        "x_wrapped": {name: value for name, value in inner.items() if name != "extensions"},
        "extensions": inner["extensions"],
    }


@trick("it was not made with the key")
def a_text_in_another_normal_form() -> Object:
    obj = sign_object(plain(description="Café"), ENERGYS)
    return {**obj, "description": unicodedata.normalize("NFD", obj["description"])}


@trick("it was not made with the key")
def a_number_beside_the_one_that_was_signed() -> Object:
    return {**sign_object(plain(confidence=50), ENERGYS), "confidence": 51}


@trick("not base64url")
def padded_base64() -> Object:
    obj = plain()
    return with_signatures(obj, signature_of(sign_object(obj, ENERGYS)) + "==")


@trick("not base64url")
def another_spelling_of_the_last_digit() -> Object:
    """The last of the 86 digits has four bits that say nothing: another digit decodes to the same bytes."""
    obj = plain()
    text = signature_of(sign_object(obj, ENERGYS))
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return with_signatures(obj, text[:-1] + alphabet[alphabet.index(text[-1]) + 1])


@trick("write the id of its extension in lower case")
def the_extensions_id_in_capitals() -> Object:
    obj = signed()
    return {
        **obj,
        "extensions": {id.upper().replace("EXTENSION-DEFINITION", "extension-definition"): e for id, e in obj["extensions"].items()},
    }


@trick("a signature is a text")
def a_signature_in_the_json_form() -> Object:
    return with_signatures(plain(), {"protected": "e30", "signature": "AA"})


@trick("more than 8192 characters")
def a_signature_without_end() -> Object:
    return with_signatures(plain(), "A" * 9_000)


@trick("it was not made with the key")
def half_a_signature() -> Object:
    obj = plain()
    protected, _, signature = signature_of(sign_object(obj, ENERGYS)).split(".")
    return with_signatures(obj, f"{protected}..{encode(decode(signature)[:32])}")


@trick("is not registered as yours")
def the_key_of_another_member_in_the_name_of_a_foreign_author() -> Object:
    author = f"identity--{'0' * 8}-0000-4000-8000-{'0' * 12}"
    return sign_object(indicator(created_by_ref=author), WATERS)


@trick("it was not made with the key")
def signed_without_the_rules_of_canonical_json() -> Object:
    obj = plain()
    protected = encode(json.dumps(header()).encode())
    spaced = json.dumps(obj).encode()
    assert spaced != canonicalise(obj)
    return with_signatures(obj, f"{protected}..{encode(ENERGYS.sign(signing_input(protected, spaced)))}")


@trick("a post-quantum signature stands beside")
def a_post_quantum_signature_alone() -> Object:
    return sign_object(plain(), QUANTUMS)


QUANTUMS = PrivateKey.generate(Algorithm.ML_DSA_44)  # energy's, too
