"""The hub's countersignature: a statement of who gave a version, for whoever may see it.

It is made when it is asked for, of what the accepting transaction wrote: so it costs a push nothing, and says the same each time.
"""

from functools import partial

from hub.domain.directory import Directory
from hub.domain.label import Attribution
from hub.domain.member import Principal
from hub.domain.signing.attestation import Attestation, Attested
from hub.domain.signing.extension import definition_ids
from hub.errors import NotFound
from hub.service.administer import require_active
from hub.service.context import Hub
from hub.service.hub_keys import keys_of, signed
from hub.service.proofs import find_visible, leaves_about
from hub.store.trust import Given, find_given_version, find_kids


async def attest(hub: Hub, directory: Directory, principal: Principal, digest: str) -> str:
    """Return the hub's attestation of the version with this d (in hex), as a compact JSON Web Signature.

    Raises:
        Withheld: the caller's member is suspended.
        NotFound: there is none, or none that the caller may see; what came in a moment ago is found in the next.
    """
    require_active(principal)
    content, leaves = await leaves_about(hub, digest)
    leaf = await find_visible(hub, directory, principal, leaves)
    if leaf.version_row is None:
        raise NotFound("the hub holds no version of this digest, or none that you may see")
    async with hub.db.read() as conn:
        given = await find_given_version(conn, leaf.version_row)
        kids = tuple((await find_kids(conn, [leaf.version_row])).get(leaf.version_row, ()))
    attested = _attested(directory, given, kids)
    is_named = given.known_to is Attribution.EVERYONE and given.producer in directory.members
    statement = Attestation(
        directory.identity, content, given.stix_id, given.version, attested, given.accepted_us,
        given.producer if is_named else None, kids if is_named else (),
    )  # fmt: skip
    signer = (await keys_of(hub)).object
    return await signed(signer, partial(statement.sign, signer))


def _attested(directory: Directory, given: Given, kids: tuple[str, ...]) -> Attested:
    if given.producer == directory.identity:
        return Attested.OWN if given.stix_id in {*definition_ids(), directory.identity} else Attested.ANONYMOUS
    return Attested.SIGNED if kids else Attested.UNSIGNED
