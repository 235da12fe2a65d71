"""Taking objects in on this machine: from files and from connectors, through the same admission as a push."""

from collections.abc import Sequence

from hub.domain.json import check_depth, read_members
from hub.domain.member import Principal
from hub.domain.stix import describe
from hub.domain.taxii import Outcome
from hub.domain.timestamp import format_timestamp
from hub.errors import Invalid
from hub.service.admit import limits_of, push
from hub.service.context import Hub

CHUNK_OBJECTS_MAX = 500


async def import_objects(hub: Hub, principal: Principal, root: str, name: str, raws: Sequence[bytes]) -> list[Outcome]:
    """Push objects into a collection, chunk by chunk, and return what became of each.

    An object that would spoil the envelope it travels in is refused alone. Where the hub finishes big pushes in the background, the
    outcomes of such a chunk come later and are left out.

    Raises:
        NotFound, Withheld: the caller may not know of the collection, or not write to it.
    """
    size = max(1, min(CHUNK_OBJECTS_MAX, hub.config.push_inline_objects_max, hub.config.envelope_objects_max))
    outcomes: list[Outcome] = []
    fit: list[bytes] = []
    for raw in raws:
        reason = _unfit(hub, raw)
        if reason is None:
            fit.append(raw)
        else:
            id, version = describe(raw)
            outcomes.append(Outcome(id, version or format_timestamp(hub.now_us()), reason))
    for start in range(0, len(fit), size):
        envelope = b'{"objects":[' + b",".join(fit[start : start + size]) + b"]}"
        status = await push(hub, await hub.directory(), principal, root, name, envelope)
        outcomes += [*status.successes, *status.failures]
    return outcomes


def _unfit(hub: Hub, raw: bytes) -> str | None:
    """Return why an object cannot stand in an envelope."""
    try:
        read_members(raw)
        check_depth(raw, depth_max=limits_of(hub).object_depth_max)
    except Invalid as e:
        return e.detail
    return None
