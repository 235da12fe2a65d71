"""A hub whose members energy and water have registered keys, and a collection that takes signed objects only."""

from dataclasses import dataclass

from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.possession import prove
from hub.domain.signing.registered import MemberKey
from hub.service.administer import COMMAND_LINE
from hub.service.collections import add_collection
from hub.service.context import Hub
from hub.service.member_keys import issue_challenge, register_key
from tests.taxii.community import ENERGY, WATER
from tests.taxii.content import Object
from tests.taxii.site import Site

ENERGYS, WATERS = PrivateKey.generate(), PrivateKey.generate()


async def register(hub: Hub, key: PrivateKey, member: str, **times: int) -> MemberKey:
    """Register a key as an administrator and its member do together."""
    issued = issue_challenge(hub, await hub.directory(), COMMAND_LINE, key.public.jwk(), member=member)
    proof = prove(key, issued.text)
    return await register_key(hub, COMMAND_LINE, name="signing", jwk=key.public.jwk(), challenge=issued.text, proof=proof, **times)


@dataclass
class Signing:
    site: Site
    signed: str  # the path of the collection that requires signatures

    async def failure(self, obj: Object) -> str:
        """Push an object of energy's that must be refused, and return why."""
        return await self.site.energy.failure(self.signed, obj)


async def settle(site: Site) -> Signing:
    """Register a key for energy and one for water, and make a collection that requires signatures."""
    await register(site.hub, ENERGYS, ENERGY.slug)
    await register(site.hub, WATERS, WATER.slug)
    signed = await add_collection(
        site.hub, COMMAND_LINE, title="Signed", alias="signed", readers=["everyone"], writers=["everyone"], signature_required=True
    )
    return Signing(site, f"/taxii2/hub/collections/{signed.id}/")
