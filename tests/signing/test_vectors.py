"""Keys and signatures against published vectors: RFC 7515, 7638, 7797, 8037 and Wycheproof."""

import json
from typing import Any

import pytest

from hub.domain.signing import base64url
from hub.domain.signing.jws import signing_input
from hub.domain.signing.keys import PublicKey
from hub.errors import Invalid
from tests.data import find_data


def read(name: str) -> Any:
    return json.loads(find_data(f"vectors/{name}").read_text())


def test_ed25519_verifies_what_the_rules_of_wycheproof_let_through():
    cases = [
        (PublicKey.from_jwk(group["publicKeyJwk"]), case)
        for group in read("wycheproof/ed25519_test.json")["testGroups"]
        for case in group["tests"]
    ]
    wrong = [
        case["tcId"]
        for key, case in cases
        if key.verifies(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"])) != (case["result"] == "valid")
    ]
    assert len(cases) > 100
    assert wrong == []


def test_es256_verifies_what_the_rules_of_wycheproof_let_through():
    groups = [
        group for group in read("wycheproof/json_web_signature_test.json")["testGroups"] if group.get("public", {}).get("crv") == "P-256"
    ]
    cases = [
        (PublicKey.from_jwk(group["public"]), case) for group in groups for case in group["tests"] if group["public"].get("alg") == "ES256"
    ]
    wrong = [case["comment"] for key, case in cases if verifies(key, case["jws"]) != (case["result"] != "invalid")]
    assert len(cases) > 30
    assert wrong == []


def test_other_keys_of_wycheproof_are_not_taken():
    groups = read("wycheproof/json_web_signature_test.json")["testGroups"]
    others = [group.get("public") or group["private"] for group in groups]
    others = [jwk for jwk in others if jwk.get("crv") != "P-256"]
    assert {jwk["kty"] for jwk in others} == {"RSA", "oct", "EC"}
    for jwk in others:
        with pytest.raises(Invalid):
            PublicKey.from_jwk(jwk)


def test_the_example_of_rfc_8037_is_signed_and_named_alike():
    vector = read("jose/curve25519/jws.json")
    jwk = {name: value for name, value in vector["input"]["key"].items() if name != "d"}
    key = PublicKey.from_jwk(jwk)
    assert key.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"  # RFC 8037 appendix A.3
    assert key.verifies(base64url.decode(vector["signing"]["sig"]), vector["signing"]["sig-input"].encode())


def test_the_signing_input_is_that_of_rfc_7797():
    vector = read("jose/rfc7797/4.2.hmac-sha2_b64_false.json")
    signing = vector["signing"]
    assert signing_input(signing["protected_b64u"], vector["input"]["payload"].encode()) == signing["sig-input"].encode()


@pytest.mark.parametrize("name", ["3_2.ec_private_key", "3_3.rsa_public_key", "3_1.ec_public_key"])
def test_keys_of_the_jose_cookbook_are_refused_that_are_private_or_of_other_kinds(name: str):
    with pytest.raises(Invalid):
        PublicKey.from_jwk(read(f"jose/jwk/{name}.json"))


def verifies(key: PublicKey, jws: str) -> bool:
    try:
        protected, payload, signature = jws.split(".")
        header = json.loads(base64url.decode(protected))
        if header.get("alg") != key.algorithm or "crit" in header:
            return False
        return key.verifies(base64url.decode(signature), f"{protected}.{payload}".encode())
    except (Invalid, ValueError):
        return False
