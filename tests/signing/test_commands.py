"""`hub keygen`, `sign` and `verify`, which need no hub, and `hub key` and `hub own-key`, as people type them."""

import json
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import stix2
from typer.testing import CliRunner

from hub.__main__ import cli
from hub.cli.signing_key import read_signing_key
from hub.domain.ids import MemberId
from hub.domain.label import Tlp
from hub.domain.marking import TLP2_IDS, TLP_DEFINITIONS
from hub.domain.signing.attestation import Attestation, Attested
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import object_digest
from hub.domain.signing.registered import HubKey, MemberKey, Purpose
from tests.taxii.community import ENERGY, WATER
from tests.taxii.content import Object, indicator

MINUTE_US = 60_000_000
HUB = MemberId("identity--hub")


@dataclass(frozen=True)
class Shell:
    """Runs `hub` in a folder."""

    folder: Path
    environ: dict[str, str]

    def run(self, *words: object, code: int = 0) -> str:
        """Return what a command prints, which ends with `code`: its output, or what it says about its failure, after it."""
        result = CliRunner().invoke(cli(), [str(word) for word in words], env=self.environ, catch_exceptions=False)
        assert result.exit_code == code, result.output
        return result.stdout if code == 0 else result.stdout + result.stderr

    def json(self, *words: object) -> Any:
        return json.loads(self.run(*words, "--json"))

    def write(self, name: str, document: object) -> Path:
        path = self.folder / name
        path.write_text(json.dumps(document), encoding="utf-8")
        return path

    def keygen(self, name: str, *words: str) -> Path:
        self.run("keygen", self.folder / name, *words)
        return self.folder / name

    def signed(self, key: Path, *objects: Object, words: tuple[str, ...] = ()) -> Path:
        """Return a bundle of these objects, signed."""
        given, signed = self.write("given.json", list(objects)), self.folder / "signed.json"
        self.run("sign", given, "--key", key, "-o", signed, *words)
        return signed


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path, {"HUB_DATABASE_URL": f"sqlite:///{tmp_path / 'hub.sqlite3'}"})


def objects_in(path: Path) -> list[Object]:
    objects: list[Object] = json.loads(path.read_text())["objects"]
    return objects


def test_a_key_is_made_for_its_owner_alone_and_never_overwritten(shell: Shell):
    kid = shell.run("keygen", shell.folder / "key.pem").splitlines()[0]
    private, public = shell.folder / "key.pem", shell.folder / "key.pem.jwk"
    assert stat.S_IMODE(private.stat().st_mode) == 0o400
    assert json.loads(public.read_text()) == PrivateKey.from_pem(private.read_bytes()).public.jwk()
    assert json.loads(public.read_text())["kid"] == kid
    assert "a key is never overwritten" in shell.run("keygen", shell.folder / "key.pem", code=1)
    assert "a key is never overwritten" in shell.run("keygen", shell.folder / "key.pem", "--algorithm", "ES256", code=1)


def test_a_passphrase_encrypts_a_key_and_is_needed_to_sign(shell: Shell):
    shell.environ["HUB_KEY_PASSPHRASE"] = "correct horse"
    key = shell.keygen("key.pem")
    assert b"ENCRYPTED" in key.read_bytes()
    assert objects_in(shell.signed(key, indicator()))
    del shell.environ["HUB_KEY_PASSPHRASE"]
    assert "a passphrase is needed" in shell.run("sign", shell.folder / "given.json", "--key", key, code=1)


def test_what_was_signed_verifies_and_strict_readers_take_it(shell: Shell):
    key = shell.keygen("key.pem")
    given = [indicator(created_by_ref=ENERGY.id, name="Grüße, 世界", confidence=7), indicator(created_by_ref=WATER.id)]
    signed = shell.signed(key, *given)
    lines = shell.run("verify", signed, "--keys", f"{key}.jwk").splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["good", obj["id"]] for obj in given]
    assert [{**obj, "extensions": {}} for obj in objects_in(signed)] == [{**obj, "extensions": {}} for obj in given]
    assert len(stix2.parse(json.loads(signed.read_text())).objects) == 2


def test_only_what_one_has_written_is_signed(shell: Shell):
    key = shell.keygen("key.pem")
    tlp = TLP_DEFINITIONS[TLP2_IDS[Tlp.GREEN]]
    signed = objects_in(
        shell.signed(key, indicator(created_by_ref=ENERGY.id), indicator(created_by_ref=WATER.id), tlp, words=("--author", ENERGY.id))
    )
    assert [obj.get("created_by_ref") for obj in signed if "signatures" in json.dumps(obj)] == [ENERGY.id]


def test_whatever_was_changed_is_found_and_named(shell: Shell):
    key = shell.keygen("key.pem")
    whole = shell.signed(key, indicator(name="one"), indicator(name="two")).read_text()
    first, second = objects_in(shell.folder / "signed.json")
    for before, after, named in (
        ('"one"', '"0ne"', first["id"]),
        (f'"{second["pattern"]}"', f'"{second["pattern"]} "', second["id"]),
        (second["extensions"].popitem()[1]["signatures"][0][-9:-1], "AAAAAAAA", second["id"]),
    ):
        tampered = shell.folder / "tampered.json"
        assert before in whole
        tampered.write_text(whole.replace(before, after))
        told = shell.run("verify", tampered, "--keys", f"{key}.jwk", code=1)
        assert [line.split("\t")[1] for line in told.splitlines() if line.startswith("bad\t")] == [named]
        assert "1 of the objects did not pass" in told


def test_objects_that_nobody_signed_pass_only_where_that_is_said(shell: Shell):
    key = shell.keygen("key.pem")
    given = shell.write("given.json", indicator())
    assert shell.run("verify", given, "--keys", f"{key}.jwk", code=1).startswith("unsigned\t")
    assert shell.run("verify", given, "--keys", f"{key}.jwk", "--unsigned").startswith("unsigned\t")


def test_a_key_of_somebody_signs_for_nobody_else_and_a_key_for_answers_no_object(shell: Shell):
    key = shell.keygen("key.pem")
    jwk = json.loads((shell.folder / "key.pem.jwk").read_text())
    signed = shell.signed(key, indicator(created_by_ref=WATER.id))
    for told, reason in (
        ({"owner": ENERGY.id}, "names"),
        ({"owner": WATER.id, "purpose": "response"}, "not known as one that may sign"),
        ({"owner": WATER.id, "compromised_from": "2026-01-01T00:00:00Z"}, "is compromised"),
    ):
        keys = shell.write("keys.json", {"keys": [{**jwk, "hub": told}]})
        assert reason in shell.run("verify", signed, "--keys", keys, code=1)
    keys = shell.write("keys.json", {"keys": [{"kty": "RSA"}, {**jwk, "hub": {"owner": WATER.id}}]})
    assert shell.run("verify", signed, "--keys", keys).startswith("good\t")


def test_a_hubs_attestation_vouches_for_what_nobody_signed(shell: Shell):
    obj, key = indicator(), PrivateKey.generate()
    attested = Attestation(HUB, object_digest(obj), obj["id"], obj["modified"], Attested.UNSIGNED, MINUTE_US)
    given, statement = shell.write("given.json", obj), shell.folder / "attestation"
    keys = shell.write("keys.json", {"keys": [HubKey(key.public, Purpose.OBJECT, MINUTE_US).jwk(HUB, MINUTE_US)]})
    statement.write_text(attested.sign(key))
    told = shell.run("verify", given, "--keys", keys, "--attestation", statement)
    assert told.startswith("good\t")
    assert "unsigned-accepted" in told
    other = shell.write("other.json", {**obj, "name": "another"})
    assert shell.run("verify", other, "--keys", keys, "--attestation", statement, code=1).startswith("unsigned\t")
    statement.write_text(attested.sign(PrivateKey.generate()))
    assert "not among those that are trusted" in shell.run("verify", given, "--keys", keys, "--attestation", statement, code=1)


def test_nobody_but_the_hub_attests_when_it_took_what_a_compromised_key_signed(shell: Shell):
    key = shell.keygen("key.pem")
    members, hubs = read_signing_key(key), PrivateKey.generate()
    signed = shell.signed(key, indicator(created_by_ref=ENERGY.id))
    compromised = MemberKey(members.public, ENERGY.id, "signing", 0, 0, revoked_us=MINUTE_US, compromised_from_us=MINUTE_US).jwk(MINUTE_US)
    published = [HubKey(hubs.public, purpose, 0).jwk(HUB, MINUTE_US) for purpose in (Purpose.OBJECT, Purpose.RESPONSE)]
    statement = shell.folder / "attestation"
    (obj,) = objects_in(signed)

    def attested(what: Attested, *kids: str, hub: MemberId = HUB) -> Attestation:
        return Attestation(hub, object_digest(obj), obj["id"], obj["modified"], what, 0, kids=kids)

    for signer, hub, told, words in (
        (members, HUB, published[:1], "attests nothing in the name of"),
        (members, ENERGY.id, published[:1], "attests nothing in the name of"),
        (hubs, HUB, published[1:], "attests nothing in the name of"),
        (hubs, MemberId("identity--another"), published[:1], "attests nothing in the name of"),
        (hubs, HUB, published[:1], None),
    ):
        keys = shell.write("keys.json", {"keys": [compromised, *told]})
        statement.write_text(attested(Attested.SIGNED, members.public.kid, hub=hub).sign(signer))
        said = shell.run("verify", signed, "--keys", keys, "--attestation", statement, code=0 if words is None else 1)
        assert words in said if words is not None else said.startswith("good\t")
    # Of what came unsigned, or signed with another key, it tells nothing of when this signature was made.
    for one in (attested(Attested.UNSIGNED), attested(Attested.SIGNED), attested(Attested.SIGNED, hubs.public.kid)):
        statement.write_text(one.sign(hubs))
        assert shell.run("verify", signed, "--keys", keys, "--attestation", statement, code=1).startswith("suspect\t")


def test_a_members_key_is_registered_ended_and_told_to_be_compromised(shell: Shell):
    shell.run("migrate")
    shell.run("member", "add", "energy", "--name", "Energy Grid", "--kind", "operator")
    key = shell.keygen("key.pem")
    challenge = shell.run("key", "challenge", f"{key}.jwk", "--member", "energy").strip()
    proof = shell.run("key", "prove", key, challenge).strip()
    registered = shell.json("key", "register", f"{key}.jwk", "--challenge", challenge, "--proof", proof, "--name", "signing")
    assert (registered["member"], registered["status"]) == ("energy", "active")
    kid = registered["kid"]
    assert "is registered, or was" in shell.run(
        "key", "register", f"{key}.jwk", "--challenge", challenge, "--proof", proof, "--name", "again", code=1
    )
    for command in (["revoke"], ["suspects"], ["compromised", "--since", registered["registered_at"]]):
        assert "no such key" in shell.run("key", *command, "-no-option-but-a-thumbprint", code=1)
    shell.run("key", "revoke", kid)
    assert [(one["kid"], one["status"]) for one in shell.json("key", "list")] == [(kid, "revoked")]
    assert shell.json("key", "compromised", kid, "--since", registered["registered_at"]) == []
    assert shell.json("key", "suspects", kid) == []
    assert shell.json("key", "list")[0]["status"] == "compromised"


def test_the_hubs_own_keys_are_made_listed_and_rotated(shell: Shell):
    shell.run("migrate")
    shell.run("own-key", "init")
    made = {one["purpose"]: one["kid"] for one in shell.json("own-key", "list")}
    assert made.keys() == {"object", "log", "response"}
    shell.run("own-key", "rotate", "object")
    assert "never replaced" in shell.run("own-key", "rotate", "log", code=1)
    listed = shell.json("own-key", "list")
    assert [one["purpose"] for one in listed if one["until"] is not None] == ["object"]
    assert made["object"] in {one["kid"] for one in listed}
