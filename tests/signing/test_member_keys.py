"""Members' keys: whose they are is proven, who may end them is checked, and everybody is told what a compromised one signed."""

import asyncio
import json
from dataclasses import replace

import pytest

from hub.domain.member import Principal, Role
from hub.domain.signing.attestation import read_attestation
from hub.domain.signing.base64url import encode
from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.signing.object_signature import object_digest, sign_object
from hub.domain.signing.possession import CHALLENGE_S, Challenge, prove
from hub.domain.signing.trusted import Finding, judge, read_trusted
from hub.domain.timestamp import format_timestamp
from hub.domain.webhooks.event import EventKind
from hub.errors import Conflict, HubError, Invalid, NotFound, Withheld
from hub.service.administer import COMMAND_LINE
from hub.service.attestations import attest
from hub.service.audit import list_audit
from hub.service.explain import explain
from hub.service.member_keys import KEYS_ALIVE_MAX, get_key, issue_challenge, list_keys, register_key, revoke_key, tell_compromised
from hub.service.members import change_member
from hub.service.suspects import list_suspects
from hub.store.happened import HUB_ROW, events_after
from tests.signing.community import ENERGYS, Signing, register
from tests.signing.tricks import plain, signed
from tests.taxii.community import ENERGY, OBSERVER, WATER
from tests.taxii.content import DAY_2, Object, indicator, version_of
from tests.taxii.site import Reply

WITHIN_S = 60.0
SECOND_US = 1_000_000


def coordinator(signing: Signing, member: str = ENERGY.id, role: Role = Role.COORDINATOR) -> Principal:
    held = signing.site.hub.assumed_directory()
    assert held is not None
    return Principal(f"person:{member}", role, held.find_member(member))


# --- registration ---------------------------------------------------------------------------------------------------------


async def test_a_member_registers_a_key_that_it_proves_to_hold(signing: Signing):
    hub, key, who = signing.site.hub, PrivateKey.generate(Algorithm.ES256), coordinator(signing)
    issued = issue_challenge(hub, await hub.directory(), who, key.public.jwk())
    held = await register_key(hub, who, name="a second one", jwk=key.public.jwk(), challenge=issued.text, proof=prove(key, issued.text))
    assert (held.member, held.kid) == (ENERGY.id, key.public.kid)
    await signing.site.energy.push(signing.signed, sign_object(plain(), key))
    entry = (await list_audit(hub, COMMAND_LINE, limit=1))[0]
    assert (entry.action, entry.target, entry.actor) == ("key.register", key.public.kid, who.credential)


async def test_what_proves_nothing_registers_nothing(signing: Signing):
    hub, key, other, who = signing.site.hub, PrivateKey.generate(), PrivateKey.generate(), coordinator(signing)
    directory = await hub.directory()
    jwk, issued = key.public.jwk(), issue_challenge(hub, directory, who, key.public.jwk())
    of_another = issue_challenge(hub, directory, who, other.public.jwk()).text
    elsewhere = Challenge(WATER.id, ENERGY.id, key.public.kid, 2**52).text(hub.secret)
    forged = Challenge(directory.identity, ENERGY.id, key.public.kid, 2**52).text(b"not the hub's")
    stale = Challenge(directory.identity, ENERGY.id, key.public.kid, hub.now_us()).text(hub.secret)
    for challenge, proof, reason in (
        (issued.text, prove(other, issued.text), "was not made with this key"),
        (issued.text, prove(key, of_another), "was not made with this key"),
        (issued.text, sign_object(plain(), key)["extensions"].popitem()[1]["signatures"][0], "typ must be"),
        (of_another, prove(key, of_another), "issued for another key"),
        (elsewhere, prove(key, elsewhere), "issued for another key"),
        (forged, prove(key, forged), "not one of this hub's"),
        ("nonsense", prove(key, "nonsense"), "not one of this hub's"),
        (stale, prove(key, stale), "has run out"),
    ):
        with pytest.raises(Invalid, match=reason):
            await register_key(hub, who, name="new", jwk=jwk, challenge=challenge, proof=proof)
    assert key.public.kid not in (await hub.directory()).keys
    assert issued.expires_us == pytest.approx(hub.now_us() + CHALLENGE_S * SECOND_US, abs=60 * SECOND_US)


async def test_a_key_is_registered_once_and_for_one_member(signing: Signing):
    hub = signing.site.hub
    for member in (ENERGY.slug, WATER.slug):
        with pytest.raises(Conflict, match="is registered, or was"):
            await register(hub, ENERGYS, member)
    await revoke_key(hub, COMMAND_LINE, ENERGYS.public.kid)
    with pytest.raises(Conflict, match="is registered, or was"):
        await register(hub, ENERGYS, ENERGY.slug)


async def test_nobody_registers_or_ends_keys_of_others(signing: Signing):
    hub, directory = signing.site.hub, await signing.site.hub.directory()
    water, publisher = coordinator(signing, WATER.id), coordinator(signing, role=Role.PUBLISHER)
    jwk = PrivateKey.generate().public.jwk()
    with pytest.raises(NotFound):
        issue_challenge(hub, directory, water, jwk, member=ENERGY.slug)
    with pytest.raises(Withheld):
        issue_challenge(hub, directory, publisher, jwk)
    for who, error in ((water, NotFound), (publisher, Withheld), (replace(water, member=None), NotFound)):
        with pytest.raises(error):
            await revoke_key(hub, who, ENERGYS.public.kid)
        with pytest.raises(error):
            await tell_compromised(hub, who, ENERGYS.public.kid, since_us=0)
    assert get_key(await hub.directory(), COMMAND_LINE, ENERGYS.public.kid).ends_us is None


@pytest.mark.parametrize(
    ("times", "reason"),
    [
        (lambda now_us: {"not_before_us": now_us - SECOND_US}, "not_before"),
        (lambda now_us: {"not_before_us": now_us + 60 * SECOND_US, "not_after_us": now_us + 60 * SECOND_US}, "not_after"),
    ],
)
async def test_a_key_begins_in_the_future_and_ends_after_that(signing: Signing, times, reason: str):  # noqa: ANN001
    with pytest.raises(Invalid, match=reason):
        await register(signing.site.hub, PrivateKey.generate(), ENERGY.slug, **times(signing.site.hub.now_us()))


async def test_keys_of_algorithms_that_the_settings_do_not_name_are_refused(signing: Signing):
    with pytest.raises(Invalid, match="this hub takes keys for Ed25519, ES256, ML-DSA-44"):
        await register(signing.site.hub, PrivateKey.generate(Algorithm.ML_DSA_65), ENERGY.slug)


async def test_a_member_has_so_many_keys_at_a_time_and_no_more(signing: Signing):
    hub = signing.site.hub
    for _ in range(KEYS_ALIVE_MAX - 1):
        await register(hub, PrivateKey.generate(), ENERGY.slug)
    with pytest.raises(Conflict, match="revoke one first"):
        await register(hub, PrivateKey.generate(), ENERGY.slug)
    await revoke_key(hub, COMMAND_LINE, ENERGYS.public.kid)
    await register(hub, PrivateKey.generate(), ENERGY.slug)


async def test_private_and_worthless_keys_are_refused(signing: Signing):
    hub, directory = signing.site.hub, await signing.site.hub.directory()
    jwk = PrivateKey.generate().public.jwk()
    for wrong, reason in (
        ({**jwk, "d": jwk["x"]}, "holds a private key"),
        ({**jwk, "use": "enc"}, "not meant for signatures"),
        ({**jwk, "alg": "ES256"}, "alg does not fit"),
        ({**jwk, "x": encode(b"too short")}, "no public key"),
        ({**jwk, "x": "AQ" + "A" * 41}, "would verify what nobody signed"),
        ({"kty": "oct", "k": "AAAA"}, "private key"),
        ({}, "a JSON Web Key"),
    ):
        with pytest.raises(Invalid, match=reason):
            issue_challenge(hub, directory, COMMAND_LINE, wrong, member=ENERGY.slug)


# --- the end of a key -----------------------------------------------------------------------------------------------------


async def test_an_end_can_be_set_for_later_and_only_be_brought_forward(signing: Signing):
    hub, kid = signing.site.hub, ENERGYS.public.kid
    later_us = hub.now_us() + 3600 * SECOND_US
    assert (await revoke_key(hub, COMMAND_LINE, kid, at_us=later_us)).ends_us == later_us
    await signing.site.energy.push(signing.signed, signed())
    assert (await revoke_key(hub, COMMAND_LINE, kid, at_us=later_us + 1)).ends_us == later_us
    sooner_us = later_us - SECOND_US
    assert (await revoke_key(hub, COMMAND_LINE, kid, at_us=sooner_us)).ends_us == sooner_us
    with pytest.raises(Invalid, match="from now on"):
        await revoke_key(hub, COMMAND_LINE, kid, at_us=hub.now_us() - SECOND_US)
    assert (await revoke_key(hub, COMMAND_LINE, kid)).ends_us < sooner_us
    assert "is revoked since" in await signing.failure(signed())


async def test_what_a_compromised_key_signed_since_is_suspect_for_whoever_sees_it(signing: Signing):
    hub, kid, energy = signing.site.hub, ENERGYS.public.kid, signing.site.energy
    before, after, unsigned = signed(), signed(), plain()
    await energy.push(signing.signed, before)
    since_us = hub.now_us()
    await energy.push(signing.signed, after, sign_object(plain(object_marking_refs=[RED]), ENERGYS))
    await energy.push("/taxii2/hub/collections/c0ffee00-0000-4000-8000-000000000004/", unsigned)
    with pytest.raises(NotFound):
        await list_suspects(hub, await hub.directory(), coordinator(signing, OBSERVER.id, Role.READER), kid, limit=10)
    await tell_compromised(hub, COMMAND_LINE, kid, since_us=since_us)
    directory = await hub.directory()
    found, following = await list_suspects(hub, directory, coordinator(signing, OBSERVER.id, Role.READER), kid, limit=10)
    assert ([one.stix_id for one in found], following) == ([after["id"]], None)
    own, following = await list_suspects(hub, directory, coordinator(signing), kid, limit=1)
    assert (len(own), following) == (1, own[0].row)
    assert len((await list_suspects(hub, directory, coordinator(signing), kid, after=following, limit=10))[0]) == 1
    told = {obj["id"]: await explain(hub, directory, None, "observer", obj["id"]) for obj in (before, after, unsigned)}
    assert [(one.versions[0].signed_with, one.versions[0].is_suspect) for one in told.values()] == [
        ((kid,), False),
        ((kid,), True),
        ((), False),
    ]
    entry = (await list_audit(hub, COMMAND_LINE, limit=1))[0]
    assert (entry.action, entry.detail["suspect"]) == ("key.compromised", 2)
    async with hub.db.read() as conn:
        (event,) = await events_after(conn, HUB_ROW, after_us=0, until_us=2**62, limit=10)
    assert (event.kind, event.subject, event.member) == (EventKind.KEY_COMPROMISED, kid, None)
    assert event.facts == {"since": format_timestamp(since_us)}


async def test_what_came_before_a_key_was_stolen_is_not_suspect_where_a_stricter_version_makes_it_enter_anew(signing: Signing, shared: str):
    hub, given = signing.site.hub, plain()
    await signing.site.energy.push(shared, sign_object(given, ENERGYS))
    since_us = hub.now_us()
    await signing.site.energy.push(shared, version_of(given, DAY_2, object_marking_refs=[RED]))
    await tell_compromised(hub, COMMAND_LINE, ENERGYS.public.kid, since_us=since_us)
    told = (await explain(hub, await hub.directory(), None, ENERGY.slug, given["id"])).versions
    assert [(one.signed_with, one.is_suspect) for one in told] == [((ENERGYS.public.kid,), False), ((), False)]
    assert told[0].date_added > format_timestamp(since_us)


async def test_a_later_telling_only_names_an_earlier_moment(signing: Signing):
    hub, kid = signing.site.hub, ENERGYS.public.kid
    now_us = hub.now_us()
    for since_us, held_us in ((now_us - 100, now_us - 100), (now_us - 50, now_us - 100), (now_us - 200, now_us - 200)):
        assert (await tell_compromised(hub, COMMAND_LINE, kid, since_us=since_us)).compromised_from_us == held_us
    with pytest.raises(Invalid, match="cannot lie in the future"):
        await tell_compromised(hub, COMMAND_LINE, kid, since_us=now_us + 3600 * SECOND_US)


# --- what is published ----------------------------------------------------------------------------------------------------

RED = "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"


async def fetch(signing: Signing, path: str) -> tuple[int, str, bytes]:
    async with signing.site.session.get(signing.site.url + path) as response:
        return response.status, response.headers["Content-Type"], await response.read()


async def test_keys_are_published_for_everybody_by_the_identity_that_objects_name(signing: Signing):
    await revoke_key(signing.site.hub, COMMAND_LINE, ENERGYS.public.kid)
    status, media_type, body = await fetch(signing, f"/trust/v1/members/{ENERGY.id}/jwks.json")
    (jwk,) = json.loads(body)["keys"]
    assert (status, media_type, jwk["kid"]) == (200, "application/jwk-set+json", ENERGYS.public.kid)
    assert (jwk["hub"]["owner"], jwk["hub"]["status"]) == (ENERGY.id, "revoked")
    verdict = judge(signed(), read_trusted([body]))
    assert verdict.finding is Finding.GOOD
    assert "has ended" in verdict.told


async def test_who_guesses_names_of_members_learns_nothing(signing: Signing):
    answers = {
        name: await fetch(signing, f"/trust/v1/members/{name}/jwks.json") for name in (ENERGY.slug, OBSERVER.id, OBSERVER.slug, "nobody")
    }
    assert {(status, json.loads(body)["detail"]) for status, _, body in answers.values()} == {
        (404, "no keys are registered for this identity")
    }


async def test_the_hub_publishes_its_own_keys_with_their_purposes(signing: Signing):
    _, _, body = await fetch(signing, "/.well-known/jwks.json")
    keys = {jwk["hub"]["purpose"]: jwk["kid"] for jwk in json.loads(body)["keys"]}
    held = signing.site.hub.keys
    assert keys == {"object": held.object.public.kid, "log": held.log.public.kid, "response": held.response.public.kid}


async def attestation(signing: Signing, obj: Object, who: str = "water") -> Reply:
    """Ask until the version is in the log, by whose leaf it is found."""
    path = f"/trust/v1/attestations/{object_digest(obj).hex()}"
    caller = signing.site.caller(who)
    async with asyncio.timeout(WITHIN_S):
        while True:
            headers = {"Authorization": caller.authorization or ""}
            async with signing.site.session.get(signing.site.url + path, headers=headers) as response:
                if response.status == 200:
                    return Reply(response.status, response.headers, await response.read())


async def test_the_hub_attests_who_gave_what(signing: Signing, shared: str):
    hub, unsigned, verified = signing.site.hub, plain(), signed()
    await signing.site.energy.push(shared, unsigned, verified)
    for obj, said, kids in ((unsigned, "unsigned-accepted", None), (verified, "signature-verified", [ENERGYS.public.kid])):
        reply = await attestation(signing, obj)
        statement = read_attestation(reply.body.decode(), hub.keys.object.public)
        assert statement["d"] == object_digest(obj).hex()
        assert (statement["attestation"], statement["member"], statement.get("keys")) == (said, ENERGY.id, kids)
        assert (statement["object"], statement["version"]) == (obj["id"], obj["modified"])
    with pytest.raises(Invalid, match="was not made with the key"):
        read_attestation(reply.body.decode(), hub.keys.response.public)


async def test_an_attestation_is_for_who_may_see_what_it_is_about(signing: Signing, shared: str):
    secret, known = plain(object_marking_refs=[RED]), plain()
    await signing.site.energy.push(shared, secret)
    await signing.site.energy.push(shared, known)
    await attestation(signing, known)
    await attestation(signing, secret, "energy")
    status = []
    for who, obj in (("water", secret), ("admin", secret), ("water", indicator())):
        headers = {"Authorization": signing.site.caller(who).authorization or ""}
        path = f"{signing.site.url}/trust/v1/attestations/{object_digest(obj).hex()}"
        async with signing.site.session.get(path, headers=headers) as response:
            status.append((response.status, (await response.json(content_type=None))["detail"]))
    assert {code for code, _ in status} == {404}
    assert len(set(status)) == 1


async def test_a_suspended_member_is_attested_nothing(signing: Signing, shared: str):
    hub, obj = signing.site.hub, plain()
    await signing.site.energy.push(shared, obj)
    await attestation(signing, obj, "energy")
    await change_member(hub, COMMAND_LINE, ENERGY.slug, suspended=True)
    directory = await hub.directory()
    with pytest.raises(Withheld, match="suspended"):
        await attest(hub, directory, Principal("", Role.READER, directory.members[ENERGY.id]), object_digest(obj).hex())


async def test_an_attestation_tells_when_a_suspect_object_was_taken(signing: Signing, shared: str):
    hub, obj = signing.site.hub, signed()
    await signing.site.energy.push(shared, obj)
    statement = read_attestation((await attestation(signing, obj)).body.decode(), hub.keys.object.public)
    key = await tell_compromised(hub, COMMAND_LINE, ENERGYS.public.kid, since_us=hub.now_us())
    trusted = read_trusted([json.dumps({"keys": [key.jwk(hub.now_us())]}).encode()])
    assert judge(obj, trusted).finding is Finding.SUSPECT
    assert judge(obj, trusted, statement).finding is Finding.GOOD
    assert statement["accepted_at"] < format_timestamp(hub.now_us())


async def test_keys_are_listed_for_who_may_know_of_their_members(signing: Signing):
    directory = await signing.site.hub.directory()
    assert {key.member for key in list_keys(directory, coordinator(signing))} == {ENERGY.id, WATER.id}
    assert {key.member for key in list_keys(directory, coordinator(signing, role=Role.READER))} == {ENERGY.id}
    with pytest.raises(HubError):
        get_key(directory, coordinator(signing, WATER.id, Role.READER), ENERGYS.public.kid)
