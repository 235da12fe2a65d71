"""The definitions of the hub's extensions are in every collection from its beginning, for whoever reads there."""

import stix2
from sqlalchemy import bindparam, delete

from hub.domain.signing.extension import definitions
from hub.service.administer import COMMAND_LINE
from hub.service.collections import add_collection
from hub.store.database import open_database, prepare
from hub.store.tables import table
from tests.signing.tricks import plain
from tests.taxii.community import COLLECTIONS
from tests.taxii.site import Site, serve, serve_again
from tests.taxii.site import prepare as settle

OWN = [one.id for one in definitions()]
_FORGET = prepare(delete(table("hub_state")).where(table("hub_state").c.name == bindparam("fact")))


async def _dates(site: Site, collection: str) -> list[tuple[str, str]]:
    """Return what the agency finds in a collection, and since when it is there."""
    reply = await site.agency.get(f"/taxii2/{collection}/manifest/", "match[version]=all")
    return [(record["id"], record["date_added"]) for record in reply.objects]


async def test_a_collection_holds_the_definitions_before_anybody_gives_anything(database_url: str):
    async with serve(database_url) as site:
        for title in ("One", "Other"):  # the objects are new to the hub in the first
            added = await add_collection(site.hub, COMMAND_LINE, title=title, readers=["member:water"], writers=["everyone"])
            path = f"/taxii2/hub/collections/{added.id}/"
            (page,) = await site.water.pages(f"{path}objects/")
            assert page.objects == [dict(one.properties) for one in definitions()]
            assert stix2.parse(page.objects[1]).extension_types == ["property-extension"]
            assert (await site.observer.get(f"{path}objects/")).status == 403
            given = plain()
            await site.energy.push(path, *(dict(one.properties) for one in definitions()), given)
            assert await site.water.ids(f"{path}objects/", "match[version]=all") == [*OWN, given["id"]], (
                "those who send them again, send nothing"
            )


async def test_collections_from_before_get_the_definitions_at_a_start_and_once(database_url: str):
    credentials = await settle(database_url)
    db = await open_database(database_url)
    await db.write(lambda conn: conn.execute(_FORGET, fact="extensions_introduced"))
    await db.close()
    held = [f"{collection.api_root}/collections/{collection.id}" for collection in COLLECTIONS]
    found = []
    for _ in range(2):
        async with serve_again(database_url, credentials) as site:
            found.append([await _dates(site, collection) for collection in held])
    assert [[id for id, _ in entries] for entries in found[0]] == [OWN] * len(COLLECTIONS)
    assert found[1] == found[0]
