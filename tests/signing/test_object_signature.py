"""What of an object is signed: its values, however they are spelt, and nothing of what holds the signatures."""

import json
import random
from typing import Any

import pytest
import stix2
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.json import read_document
from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION, SIGNATURES_MAX, object_digest, sign_object, signed_bytes, verify_object
from hub.errors import Invalid
from tests.taxii.content import Object, domain_name, indicator, statement

KEYS = {algorithm: PrivateKey.generate(algorithm) for algorithm in Algorithm}
ED25519 = KEYS[Algorithm.ED25519]
KNOWN = {key.public.kid: key.public for key in KEYS.values()}
OTHER = "extension-definition--00000000-0000-4000-8000-000000000000"


def shuffled(value: Any, order: random.Random) -> Any:
    """Return an equal value whose names stand in another order."""
    if isinstance(value, dict):
        names = list(value)
        order.shuffle(names)
        return {name: shuffled(value[name], order) for name in names}
    return [shuffled(one, order) for one in value] if isinstance(value, list) else value


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
leaves = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9) | texts
custom = st.dictionaries(texts, st.recursive(leaves, lambda inner: st.lists(inner, max_size=3), max_leaves=4), max_size=4)


@settings(max_examples=60)
@given(custom, st.randoms(use_true_random=False), st.booleans())
def test_any_spelling_of_what_was_signed_verifies(values: dict[str, Any], order: random.Random, ascii_only: bool):  # noqa: FBT001
    obj = sign_object(indicator(x_custom=values), ED25519)
    text = json.dumps(shuffled(obj, order), indent=order.choice([None, 3]), ensure_ascii=ascii_only)
    assert verify_object(read_document(text.encode(), depth_max=32).value, KNOWN.get) == (ED25519.public,)


def test_numbers_are_signed_by_their_value():
    obj = sign_object(indicator(x_numbers=[1, 100, 0.5]), ED25519)
    text = json.dumps(obj).replace("[1, 100, 0.5]", "[1.0, 1E2, 5e-1]")
    assert verify_object(read_document(text.encode(), depth_max=32).value, KNOWN.get) == (ED25519.public,)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path to each part of a value, but for the extension that holds the signatures."""
    found = [path] if path else []
    for name, part in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if name != SIGNATURE_EXTENSION:
            found += paths(part, (*path, name))
    return found


def without(value: Any, path: tuple[Any, ...]) -> Any:
    """Return a copy of a value without one of its parts."""
    copy = json.loads(json.dumps(value))
    part = copy
    for name in path[:-1]:
        part = part[name]
    del part[path[-1]]
    return copy


def test_no_part_can_be_taken_away():
    extensions = {OTHER: {"extension_type": "property-extension", "note": "x"}}
    obj = sign_object(
        indicator(labels=["a", "b"], kill_chain_phases=[{"kill_chain_name": "x", "phase_name": "y"}], extensions=extensions), ED25519
    )
    every = [path for path in paths(obj) if path != ("extensions",)]
    assert len(every) > 15
    for path in every:
        with pytest.raises(Invalid):
            verify_object(without(obj, path), KNOWN.get)


@pytest.mark.parametrize("make", [indicator, domain_name, statement])
def test_signing_changes_neither_what_is_signed_nor_the_digest(make):  # noqa: ANN001
    obj = make()
    once = sign_object(obj, ED25519)
    twice = sign_object(once, KEYS[Algorithm.ES256], KEYS[Algorithm.ML_DSA_65])
    assert signed_bytes(obj) == signed_bytes(once) == signed_bytes(twice)
    assert object_digest(obj) == object_digest(twice)
    assert {**twice, "extensions": {}} == {**obj, "extensions": {}}
    assert [key.algorithm for key in verify_object(twice, KNOWN.get)] == ["Ed25519", "ES256", "ML-DSA-65"]


def test_an_object_takes_so_many_signatures_and_no_more():
    obj = sign_object(indicator(), *(PrivateKey.generate() for _ in range(SIGNATURES_MAX)))
    with pytest.raises(Invalid, match="at most"):
        sign_object(obj, ED25519)


def test_signing_again_replaces_only_what_is_not_good_any_more():
    es256 = KEYS[Algorithm.ES256]
    obj = sign_object(indicator(), ED25519, es256)
    assert sign_object(obj, es256, ED25519) == obj
    changed = {**obj, "name": "changed"}
    with pytest.raises(Invalid):
        verify_object(sign_object(changed, ED25519), KNOWN.get)
    assert verify_object(sign_object(changed, ED25519, es256), KNOWN.get) == (ED25519.public, es256.public)


@pytest.mark.parametrize("obj", [{}, {"type": "indicator"}, {"type": "x", "id": 1}, indicator(extensions=[])])
def test_what_is_no_object_is_not_signed(obj: Object):
    with pytest.raises(Invalid):
        sign_object(obj, ED25519)


def test_strict_readers_take_signed_objects_alone_and_in_bundles():
    obj = sign_object(indicator(), *KEYS.values())
    assert stix2.parse(obj, allow_custom=False).id == obj["id"]
    bundle = {"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": [obj]}
    assert stix2.parse(bundle, allow_custom=False).objects[0].id == obj["id"]


def test_a_key_in_a_file_is_the_same_afterwards_and_needs_its_passphrase():
    for key in KEYS.values():
        assert PrivateKey.from_pem(key.to_pem(b"secret"), b"secret").public == key.public
        for passphrase, reason in ((None, "is needed"), (b"wrong", "passphrase is wrong")):
            with pytest.raises(Invalid, match=reason):
                PrivateKey.from_pem(key.to_pem(b"secret"), passphrase)
        assert "kid=" in repr(key)
        assert key.to_pem().decode() not in repr(key)
