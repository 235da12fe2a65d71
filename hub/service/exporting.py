"""Giving out what a member may see of a collection, whole, one page in memory at a time."""

from collections.abc import AsyncIterator
from dataclasses import replace

from hub.domain.member import Principal
from hub.domain.taxii import Query
from hub.service.context import Hub
from hub.service.retrieve import list_objects


async def export_objects(hub: Hub, principal: Principal, root: str, name: str, query: Query) -> AsyncIterator[list[bytes]]:
    """Yield the objects that `query` asks for as stored bytes, page by page, oldest first.

    What is added meanwhile is included; what is withdrawn meanwhile is left out from then on.

    Raises:
        NotFound, Withheld: there is no such collection for the caller, or it may not read it.
    """
    while True:
        page = await list_objects(hub, await hub.directory(), principal, root, name, query)
        yield page.bodies
        if page.next is None:
            return
        query = replace(query, next=page.next)
