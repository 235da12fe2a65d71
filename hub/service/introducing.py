"""The definitions of the hub's extensions are in every collection from its beginning: whoever reads a signed object can resolve them there.

They come in the transaction that adds the collection, and to those of an earlier hub once, at the start of a node. They never come with
what members give, so they tell nothing of when that was.
"""

from hub.domain.anonymity import label_of_hub_identity
from hub.domain.appending import Incoming
from hub.domain.directory import Directory
from hub.domain.signing.extension import definitions
from hub.domain.taxii import Collection
from hub.service.administer import COMMAND_LINE, Change, change
from hub.service.context import Hub
from hub.store.append import load_batch, write_batch
from hub.store.database import Connection
from hub.store.install import are_extensions_introduced, note_extensions_introduced


async def introduce(conn: Connection, directory: Directory, collection: Collection, row: int, *, now_us: int) -> None:
    """Append the definitions to a collection, whatever of them it does not hold. The transaction holds the lock of the revision."""
    label = label_of_hub_identity(collection)
    coming = [Incoming(one, label, directory.identity) for one in definitions()]
    batch = await load_batch(conn, row, coming, directory.owners, now_us)
    for incoming in coming:
        batch.add(incoming)
    await write_batch(conn, batch)


async def introduce_everywhere(hub: Hub) -> None:
    """Append the definitions to all collections of a hub from before collections began with them; once."""
    async with hub.db.read() as conn:
        if await are_extensions_introduced(conn):
            return

    async def work(c: Change) -> None:
        if await are_extensions_introduced(c.conn):
            return
        for held in c.directory.collections.values():
            await introduce(c.conn, c.directory, held.collection, held.row, now_us=c.now_us)
        await note_extensions_introduced(c.conn)

    await change(hub, COMMAND_LINE, work)
