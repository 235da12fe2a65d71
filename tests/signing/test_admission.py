"""Signatures at the door of a hub that serves: what is good is taken, and of what is not the reason is told."""

import asyncio
from dataclasses import replace

import stix2

from hub.domain.signing.extension import ATTESTATION_EXTENSION, definitions
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import sign_object, verify_object
from hub.service.administer import COMMAND_LINE
from hub.service.member_keys import revoke_key, tell_compromised
from hub.store.trust import list_signed
from tests.signing.community import ENERGYS, WATERS, Signing, register
from tests.signing.tricks import QUANTUMS, TRICKS, plain, signed
from tests.taxii.community import ENERGY
from tests.taxii.content import domain_name, envelope, indicator

SECOND_US = 1_000_000
WITHIN_S = 60.0


async def test_every_trick_is_refused_for_its_signature(signing: Signing, shared: str):
    await register(signing.site.hub, QUANTUMS, ENERGY.slug)
    made = {name: make() for name, (make, _) in TRICKS.items()}
    reply = await signing.site.energy.push_raw(shared, envelope(*made.values()))
    told = {entry["id"]: entry["message"] for entry in reply.json["failures"]}
    wrong = {
        name: told.get(made[name]["id"], "taken") for name, (_, reason) in TRICKS.items() if reason not in told.get(made[name]["id"], "")
    }
    assert len(TRICKS) >= 40
    assert wrong == {}


async def test_each_object_of_a_push_is_judged_by_its_own_signature(signing: Signing, shared: str):
    objects = [signed() for _ in range(40)]
    changed = {obj["id"] for obj in objects[::3]}
    for obj in objects[::3]:
        obj["name"] = "Changed on the way"
    bare = [plain() for _ in range(5)]
    sent = [*objects[:20], *bare, *objects[20:]]
    status = (await signing.site.energy.push_raw(shared, envelope(*sent))).json
    assert {entry["id"]: entry["message"].split(" was ")[0] for entry in status["failures"]} == dict.fromkeys(changed, "signature: it")
    assert [entry["id"] for entry in status["successes"]] == [obj["id"] for obj in sent if obj["id"] not in changed]
    async with signing.site.hub.db.read() as conn:
        signed_ids = {one.stix_id for one in await list_signed(conn, ENERGYS.public.kid, since_us=0, after=0, limit=100)}
    assert signed_ids == {obj["id"] for obj in objects} - changed


async def test_a_push_in_the_background_is_verified_as_any_other(signing: Signing, shared: str):
    hub, energy = signing.site.hub, signing.site.energy
    hub.config = replace(hub.config, push_inline_objects_max=1)
    good, bad = [signed() for _ in range(3)], [TRICKS[name][0]() for name in ("alg_none", "the_key_of_another_member")]
    status = (await energy.push_raw(shared, envelope(*good, *bad))).json
    assert status["status"] == "pending"
    async with asyncio.timeout(WITHIN_S):
        while status["status"] == "pending":
            status = (await energy.get(f"/taxii2/hub/status/{status['id']}/")).json
    assert {entry["id"] for entry in status["failures"]} == {obj["id"] for obj in bad}
    assert await energy.ids(f"{shared}objects/") == [obj["id"] for obj in good]
    async with hub.db.read() as conn:
        assert len(await list_signed(conn, ENERGYS.public.kid, since_us=0, after=0, limit=10)) == len(good)


async def test_a_signed_object_comes_back_equal_and_verifies(signing: Signing):
    obj = signed()
    await signing.site.energy.push(signing.signed, obj)
    page = await signing.site.water.get(f"{signing.signed}objects/{obj['id']}/")
    (got,) = page.objects
    assert got == obj
    assert [key.kid for key in verify_object(got, {ENERGYS.public.kid: ENERGYS.public}.get)] == [ENERGYS.public.kid]
    assert stix2.parse(got).id == obj["id"]
    assert stix2.parse({"type": "bundle", "id": "bundle--5d0092c5-5f74-4287-9642-33f4c354e56d", "objects": page.objects}).objects


async def test_a_collection_that_requires_signatures_takes_nothing_else(signing: Signing):
    assert "takes only what its producer has signed" in await signing.failure(plain())
    foreign = indicator(created_by_ref="identity--00000000-0000-4000-8000-000000000000")
    assert "takes only what its producer has signed" in await signing.failure(sign_object(foreign, PrivateKey.generate()))


async def test_nobody_can_send_other_definitions(signing: Signing, shared: str):
    for one in definitions():
        forged = {**one.properties, "name": "Something else"}
        assert "they are the same at every hub" in await signing.site.energy.failure(shared, forged)
        await signing.site.energy.push(shared, dict(one.properties))


async def test_nobody_attests_in_the_place_of_a_hub_and_what_another_hub_attests_may_be_passed_on(signing: Signing, shared: str):
    attested = {ATTESTATION_EXTENSION: {"extension_type": "property-extension", "attestation": "member-verified"}}
    another_hub = f"identity--{'0' * 8}-0000-4000-8000-{'0' * 12}"
    own, foreign = plain(extensions=attested), indicator(created_by_ref=another_hub, extensions=attested)
    for forged in (own, sign_object(own, ENERGYS), foreign, sign_object(foreign, ENERGYS), domain_name(extensions=attested)):
        assert "only a hub attests" in await signing.site.energy.failure(shared, forged)
    for passed_on in (foreign, domain_name(extensions=attested)):
        await signing.site.energy.push(shared, sign_object(passed_on, PrivateKey.generate()))


async def test_what_an_author_from_elsewhere_signed_is_kept_with_a_warning(signing: Signing, shared: str):
    author = PrivateKey.generate()
    obj = sign_object(indicator(created_by_ref="identity--00000000-0000-4000-8000-000000000000"), author)
    reply = await signing.site.energy.push(shared, obj)
    assert "nobody here can verify" in reply.json["successes"][0]["message"]
    (got,) = (await signing.site.water.get(f"{shared}objects/{obj['id']}/")).objects
    assert verify_object(got, {author.public.kid: author.public}.get) == (author.public,)


async def test_an_observable_that_somebody_elsewhere_signed_is_kept_too_as_it_names_no_author(signing: Signing, shared: str):
    author = PrivateKey.generate()
    obj = sign_object(domain_name(), author)
    reply = await signing.site.energy.push(shared, obj)
    assert "nobody here can verify" in reply.json["successes"][0]["message"]
    (got,) = (await signing.site.energy.get(f"{shared}objects/{obj['id']}/")).objects
    assert verify_object(got, {author.public.kid: author.public}.get) == (author.public,)
    assert "is not registered as yours" in await signing.site.energy.failure(shared, sign_object(domain_name(), WATERS))


async def test_who_signs_what_another_wrote_is_told_that_nobody_takes_that_for_the_authors(signing: Signing, shared: str):
    reply = await signing.site.energy.push(
        shared, sign_object(indicator(created_by_ref=f"identity--{'0' * 8}-0000-4000-8000-{'0' * 12}"), ENERGYS)
    )
    assert "the object names another author" in reply.json["successes"][0]["message"]


async def test_two_keys_are_good_while_one_takes_the_place_of_the_other(signing: Signing):
    hub, following = signing.site.hub, PrivateKey.generate()
    await register(hub, following, ENERGY.slug)
    await signing.site.energy.push(signing.signed, signed(), sign_object(plain(), following), sign_object(plain(), ENERGYS, following))
    await revoke_key(hub, COMMAND_LINE, ENERGYS.public.kid)
    assert f"the key {ENERGYS.public.kid} is revoked since" in await signing.failure(signed())
    await signing.site.energy.push(signing.signed, sign_object(plain(), following))


async def test_a_key_counts_from_its_beginning_to_its_end_and_not_a_moment_longer(signing: Signing):
    hub, key = signing.site.hub, PrivateKey.generate()
    start_us = hub.now_us() + 60 * SECOND_US
    await register(hub, key, ENERGY.slug, not_before_us=start_us, not_after_us=start_us + SECOND_US)
    moments = {start_us - 1: "pending", start_us: None, start_us + SECOND_US - 1: None, start_us + SECOND_US: "expired"}
    for moment_us, status in moments.items():
        hub.now_us = lambda us=moment_us: us
        if status is None:
            await signing.site.energy.push(signing.signed, sign_object(plain(), key))
        else:
            assert f"is {status}" in await signing.failure(sign_object(plain(), key))


async def test_a_compromised_key_is_good_no_longer_from_the_next_push_on(signing: Signing):
    await tell_compromised(signing.site.hub, COMMAND_LINE, ENERGYS.public.kid, since_us=signing.site.hub.now_us() - SECOND_US)
    assert "is compromised since" in await signing.failure(signed())
