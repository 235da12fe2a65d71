"""Who is told that a key is compromised is told to look at anonymous content again, too, and never whose it is."""

from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.object_signature import sign_object
from hub.domain.timestamp import format_timestamp
from hub.domain.webhooks.event import EventKind
from hub.service.administer import COMMAND_LINE
from hub.service.audit import list_audit
from hub.service.member_keys import tell_compromised
from hub.service.suspects import list_suspects
from hub.store.happened import HUB_ROW, events_after
from hub.web.api.keys import suspect
from tests.anonymity.world import Anonymous, hidden
from tests.signing.community import register
from tests.taxii.content import domain_name, indicator


async def suspects(anonymous: Anonymous, slug: str, key: PrivateKey, *, limit: int = 100) -> list[tuple[str, bool]]:
    """Return what a member is told of as suspect: ids, and whether somebody gave it anonymously."""
    hub, found, after = anonymous.world.hub, [], None
    while True:
        page, after = await list_suspects(
            hub, await hub.directory(), await anonymous.world.principal(slug), key.public.kid, after=after, limit=limit
        )
        found += [(version.stix_id, version.is_rendition) for version in page]
        if after is None:
            return found


async def test_what_came_anonymously_since_a_key_was_stolen_is_suspect_whoever_gave_it(either_anonymous: Anonymous):
    hub, key, silent = either_anonymous.world.hub, await either_anonymous.key(), PrivateKey.generate()
    await register(hub, silent, "sister")  # who gives nothing
    before = indicator(**hidden(), name="before")
    await either_anonymous.give(sign_object(before, key))
    since_us = either_anonymous.world.now_us
    by_name, unsigned, observable = sign_object(indicator(), key), indicator(**hidden()), domain_name(**hidden())
    await either_anonymous.push("telecoms", indicator(**hidden()))
    await either_anonymous.give(sign_object(indicator(**hidden()), key), by_name, unsigned, observable)
    renditions = {obj["id"] for obj in await either_anonymous.renditions() if obj.get("name") != "before"} - {by_name["id"]}
    assert len(renditions) == 4
    for stolen in (key, silent):
        await tell_compromised(hub, COMMAND_LINE, stolen.public.kid, since_us=since_us)
    signed = {stolen: {(by_name["id"], False)} if stolen is key else set() for stolen in (key, silent)}
    for stolen, own in signed.items():
        for limit in (1, 100):
            found = await suspects(either_anonymous, "water", stolen, limit=limit)
            assert len(found) == len(set(found))
            assert set(found) == {(id, True) for id in renditions} | own
    async with hub.db.read() as conn:
        events = await events_after(conn, HUB_ROW, after_us=0, until_us=2**62, limit=10)
    assert [(event.kind, event.subject, event.facts) for event in events] == [
        (EventKind.KEY_COMPROMISED, stolen.public.kid, {"since": format_timestamp(since_us)}) for stolen in (key, silent)
    ]


async def test_what_came_anonymously_in_a_message_of_a_stolen_key_is_told_from_nothing_else(either_anonymous: Anonymous):
    hub, key, silent = either_anonymous.world.hub, await either_anonymous.key(), PrivateKey.generate()
    await register(hub, silent, "sister")  # who gives nothing
    since_us = either_anonymous.world.now_us
    by_name, to_hub, to_agencies = indicator(), indicator(**hidden()), indicator(**hidden("agencies"))
    await either_anonymous.push("telecoms", indicator(**hidden()))
    await either_anonymous.give(by_name, to_hub, to_agencies, sent_with=key)
    for stolen, counted in ((key, 1), (silent, 0)):
        await tell_compromised(hub, COMMAND_LINE, stolen.public.kid, since_us=since_us)
        entry = (await list_audit(hub, COMMAND_LINE, limit=1))[0]
        assert (entry.action, entry.detail["suspect"]) == ("key.compromised", counted)

    async def told(slug: str | None, stolen: PrivateKey) -> set[tuple[str, str | None, bool]]:
        who = await either_anonymous.world.principal(slug) if slug is not None else COMMAND_LINE
        found, _ = await list_suspects(hub, await hub.directory(), who, stolen.public.kid, limit=100)
        return {(one.object, one.signed, one.anonymous) for one in map(suspect, found)}

    renditions = {(obj["id"], None, True) for obj in await either_anonymous.renditions() if obj["id"] != by_name["id"]}
    named, original = (by_name["id"], "message", False), (to_agencies["id"], "message", False)
    assert len(renditions) == 3
    assert await told("water", key) == renditions | {named}
    assert await told("water", silent) == renditions
    assert original in await told("agency", key)
    assert original not in await told("agency", silent)
    assert await told(None, key) == {named}
    assert await told(None, silent) == set()
    assert to_hub["id"] not in {id for slug in ("agency", "water", None) for id, *_ in await told(slug, key)}
