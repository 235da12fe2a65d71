"""The recipe for consumers in the documents, run as it stands there, by a Python that knows nothing of the hub's code."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hub.domain.signing.base64url import decode, encode
from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION, sign_object
from tests.taxii.community import ENERGY, WATER
from tests.taxii.content import Object, indicator

DOCUMENT = Path(__file__).resolve().parents[2] / "connectors" / "SIGNED-OBJECTS.md"
OTHER_EXTENSION = "extension-definition--00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    (code,) = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    path = tmp_path_factory.mktemp("recipe") / "verify.py"
    path.write_text(code, encoding="utf-8")
    return path


def verify(recipe: Path, obj: Object, *keys: dict[str, object]) -> str:
    """Return what the recipe prints, or the name of what it raises."""
    return verify_text(recipe, json.dumps(obj), *keys)


def verify_text(recipe: Path, obj: str, *keys: dict[str, object]) -> str:
    recipe.with_name("object.json").write_text(obj, encoding="utf-8")
    recipe.with_name("jwks.json").write_text(json.dumps({"keys": keys}), encoding="utf-8")
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; sys.argv[1:] = ['object.json', 'jwks.json'];"]
    command[-1] += "import runpy; runpy.run_path('verify.py', run_name='__main__')"
    done = subprocess.run(command, cwd=recipe.parent, check=False, capture_output=True, text=True, timeout=60)
    return done.stdout.strip() if done.returncode == 0 else done.stderr.strip().splitlines()[-1].partition(":")[0]


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ES256])
def test_the_recipe_takes_what_is_good_and_nothing_else(recipe: Path, algorithm: Algorithm):
    key = PrivateKey.generate(algorithm)
    published = {**key.public.jwk(), "hub": {"owner": ENERGY.id, "status": "active"}}
    other = {OTHER_EXTENSION: {"extension_type": "property-extension", "note": "x"}}
    obj = sign_object(indicator(created_by_ref=ENERGY.id, name="Überall", extensions=other), key)
    stripped = {**obj, "extensions": {SIGNATURE_EXTENSION: obj["extensions"][SIGNATURE_EXTENSION]}}
    assert verify(recipe, obj, published) == f"['{ENERGY.id}']"
    quantum = PrivateKey.generate(Algorithm.ML_DSA_44)
    assert verify(recipe, sign_object(obj, quantum), published, quantum.public.jwk()) == f"['{ENERGY.id}']"
    for bad, jwk in (
        ({**obj, "name": "Uberall"}, published),
        (stripped, published),
        (obj, {**published, "hub": {"owner": WATER.id}}),
        (obj, {**published, "hub": {"owner": ENERGY.id, "compromised_from": "2026-01-01T00:00:00Z"}}),
        (obj, PrivateKey.generate(algorithm).public.jwk()),
        (sign_object(indicator(created_by_ref=ENERGY.id), quantum), quantum.public.jwk()),
        (indicator(), published),
    ):
        assert verify(recipe, bad, jwk) == "cryptography.exceptions.InvalidSignature"


@pytest.mark.parametrize("algorithm", [Algorithm.ED25519, Algorithm.ES256])
def test_the_recipe_refuses_another_spelling_of_a_signature_and_a_name_that_comes_twice(recipe: Path, algorithm: Algorithm):
    key = PrivateKey.generate(algorithm)
    obj = sign_object(indicator(created_by_ref=ENERGY.id), key)
    published = {**key.public.jwk(), "hub": {"owner": ENERGY.id}}
    whole = json.dumps(obj)
    assert verify_text(recipe, whole, published) == f"['{ENERGY.id}']"
    (signature,) = obj["extensions"][SIGNATURE_EXTENSION]["signatures"]
    protected, _, made = signature.split(".")
    assert len(decode(made)) == 64, "so the last character has bits to spare"
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    spare = digits[digits.index(made[-1]) ^ 1]
    twice = encode(decode(protected).replace(b'{"', b'{"kid":"other","', 1))
    for changed in (
        f"{protected}..{made[:9]}!{made[9:]}", f"{protected}..{made[:-1]}{spare}", f"{protected}..{made}=", f"{protected}..{made}A",
        f"{protected}..{encode(decode(made)[:32] + bytes(1) + decode(made)[32:])}", f"{protected[:9]}!{protected[9:]}..{made}",
        f"{twice}..{made}",
    ):  # fmt: skip
        assert verify_text(recipe, whole.replace(signature, changed), published) == "cryptography.exceptions.InvalidSignature", changed
    named = whole.replace('{"', '{"pattern": "[ipv4-addr:value = \'203.0.113.9\']", "', 1)
    assert verify_text(recipe, named, published) == "cryptography.exceptions.InvalidSignature"
