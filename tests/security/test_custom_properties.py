"""A custom property has whatever form its author likes (STIX 2.1 §11.1), also where it has the name of another type's property."""

from hub.domain.webhooks.subscription import Format
from hub.service.assess import is_behind
from tests.sim.webhook_receiver import Receiver
from tests.taxii.every_type import FORMS, every_type, with_custom_properties
from tests.taxii.site import Site
from tests.webhooks.hooks import subscribe, until


async def test_whatever_is_in_custom_properties_every_part_of_the_hub_goes_on(hooked: Site, receiver: Receiver, shared: str) -> None:
    for format in Format:
        await subscribe(hooked.hub, receiver.url, "water", name=format, format=format)
    objects = [with_custom_properties(obj, form) for form in FORMS for obj in every_type()]
    await hooked.energy.push(shared, *objects)
    seen = await hooked.water.get(f"{shared}objects/", f"limit={2 * len(objects)}")
    assert [obj["id"] for obj in seen.objects[-len(objects) :]] == [obj["id"] for obj in objects]

    async def is_all_assessed() -> bool:
        return not await is_behind(hooked.hub)

    await until(is_all_assessed)
    await receiver.until(len(Format) * len(objects))
