"""The transparency log does not tie what was given anonymously to what the same push brought by name."""

import base64
import hashlib
import json
from collections import Counter

import pytest

from hub.domain.canonical import digest
from hub.domain.signing.object_signature import object_digest
from hub.domain.tlog.leaf import LeafKind
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import Proved, check_receipt
from hub.errors import NotFound, Unavailable
from hub.service.hub_keys import open_keys
from hub.service.log_keeping import open_log
from hub.service.proofs import get_receipt
from tests.anonymity.world import MINUTE_US, Anonymous, hidden
from tests.taxii.content import Object, indicator
from tests.tlog.place import keep, served, told


async def proved(anonymous: Anonymous, slug: str, obj: Object) -> Proved | None:
    """Return what a member can prove of an object; None where the log has nothing for it."""
    hub = anonymous.world.hub
    try:
        receipt = await get_receipt(hub, await hub.directory(), await anonymous.world.principal(slug), object_digest(obj).hex())
    except NotFound:
        return None
    return check_receipt(ProofFile.parse(receipt), await open_log(hub), object_digest(obj), whole=digest(obj))


async def test_the_leaf_of_what_was_given_anonymously_comes_with_its_rendition_and_tells_the_minute(anonymous: Anonymous) -> None:
    hub = anonymous.world.hub
    await open_keys(hub)
    await keep(hub)
    named, secret = indicator(), indicator(**hidden())
    before = Counter(leaf.kind for leaf in told(await served(hub)))
    await anonymous.push("energy", named, secret)
    await keep(hub)
    added = [leaf for leaf in told(await served(hub)) if leaf.kind is LeafKind.ADD][before[LeafKind.ADD] :]
    assert len(added) == 1, "of two, as long as the rendition is not there"
    assert await proved(anonymous, "water", named) is not None
    with pytest.raises(Unavailable) as waiting:
        await proved(anonymous, "energy", secret)
    assert 1 < waiting.value.retry_after_s <= 60
    assert await proved(anonymous, "water", secret) is None
    await anonymous.publish()
    await keep(hub)
    own = await proved(anonymous, "energy", secret)
    assert own is not None
    assert own.told.at.endswith(":00Z")
    assert own.told.at > added[0].at
    (rendition,) = [obj for obj in await anonymous.renditions() if obj.get("pattern") == secret["pattern"]]
    shown = await proved(anonymous, "water", rendition)
    assert shown is not None
    assert await proved(anonymous, "water", secret) is None
    # Whoever has the rendition's receipt can test no guess at the original's leaf.
    receipt = await get_receipt(hub, await hub.directory(), await anonymous.world.principal("water"), object_digest(rendition).hex())
    salts = json.loads(ProofFile.parse(receipt).extra)
    guesses = {_commitment(salts[name], digest(secret)) for name in ("o", "s")}
    assert guesses.isdisjoint(commitment for leaf in told(await served(hub)) for commitment in (leaf.content, leaf.whole))


async def test_what_is_deleted_anonymously_is_entered_at_the_whole_minute_and_after_it_was_added(anonymous: Anonymous) -> None:
    hub, world = anonymous.world.hub, anonymous.world
    await open_keys(hub)
    await keep(hub)
    before = len(told(await served(hub)))

    async def since() -> list[tuple[LeafKind, bool]]:
        await keep(hub)
        return [(leaf.kind, leaf.at.endswith(":00Z")) for leaf in told(await served(hub))[before:] if leaf.kind is not LeafKind.AUDIT]

    world.now_us += MINUTE_US - world.now_us % MINUTE_US + MINUTE_US // 3
    await anonymous.push("energy", at_once := indicator(**hidden()))
    await anonymous.delete(at_once)
    assert await since() == []
    await anonymous.publish()
    assert await since() == [(LeafKind.ADD, True), (LeafKind.DELETE, True)]
    before = len(told(await served(hub)))
    await anonymous.give(later := indicator(**hidden()))
    assert Counter(kind for kind, _ in await since())[LeafKind.ADD] >= 2, "the original, and its rendition as soon as it is public"
    before = len(told(await served(hub)))
    await anonymous.delete(later)
    assert await since() == []
    await anonymous.publish()
    assert await since() == [(LeafKind.DELETE, True)] * 2


def _commitment(salt: str, value: bytes) -> str:
    """Return a commitment as connectors/TRANSPARENCY-LOG.md has it."""
    made = hashlib.sha256(base64.urlsafe_b64decode(salt + "=") + value).digest()
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


async def test_commitments_open_as_the_documents_say(anonymous: Anonymous) -> None:
    hub = anonymous.world.hub
    await open_keys(hub)
    obj = indicator()
    await anonymous.push("energy", obj)
    await keep(hub)
    receipt = ProofFile.parse(await get_receipt(hub, await hub.directory(), await anonymous.world.principal("water"), digest(obj).hex()))
    extra = json.loads(receipt.extra)
    leaf = json.loads(extra["leaf"])
    assert (leaf["o"], leaf["s"]) == (_commitment(extra["o"], digest(obj)), _commitment(extra["s"], digest(obj)))
    assert (leaf["n"], leaf["e"], leaf["v"]) == (receipt.index, "add", 1)
