"""What helpers beside the hub do for it where there is much of it, and the hub itself where there is little, or no helper."""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence

from hub.domain.stix import Limits, StixObject
from hub.domain.tlog.leaf import Fact, make_leaves
from hub.domain.tlog.tiles import Tile
from hub.errors import Invalid
from hub.helpers import Growth, HelperGone, Helpers, growth_by, read_or_refusal
from hub.service.context import Hub
from hub.service.turns import collect

# To ask for less would take as long as to do it.
_MUCH_BYTES = 32 * 1024
_MANY_LEAVES = 100


@contextlib.asynccontextmanager
async def helped(hub: Hub) -> AsyncIterator[None]:
    """Let the hub have as many helpers as the settings say, and end them at the end."""
    if not hub.config.helpers:
        yield
        return
    hub.helpers = Helpers(hub.config.helpers)
    try:
        yield
    finally:
        await hub.helpers.close()


async def read_objects(hub: Hub, raws: Sequence[bytes], limits: Limits) -> list[StixObject | Invalid]:
    """Return each object, or the error with which `hub.domain.stix.read_object` refuses it."""
    if hub.helpers is not None and sum(map(len, raws)) >= _MUCH_BYTES:
        with contextlib.suppress(HelperGone):
            return await hub.helpers.read_objects(raws, limits=limits)
    return await collect(read_or_refusal(raw, limits) for raw in raws)


async def grow_log(hub: Hub, facts: Sequence[Fact], size: int, edge: Mapping[Tile, bytes]) -> Growth:
    """Return the leaves that follow the first `size`, in an order that tells nothing, and the tiles that change."""
    if hub.helpers is not None and len(facts) >= _MANY_LEAVES:
        with contextlib.suppress(HelperGone):
            return await hub.helpers.grow_log(facts, size, edge)
    return growth_by(await collect(make_leaves(facts, size)), size, edge)
