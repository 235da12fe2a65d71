"""Operations on being known, and on lifting anonymity."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.member import Role
from hub.domain.timestamp import format_timestamp
from hub.service import anonymity
from hub.service.administer import get_any_member
from hub.service.anonymity import Lifted, Wish
from hub.web.api import anonymity_models as models
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation, page
from hub.web.api.render import moment


async def list_attributions(call: Call[NamePage]) -> Listing[models.AttributionShown]:
    """List to whom your member wants to be known, by collection; where nothing is set it is known to everyone."""
    known = anonymity.list_attributions(call.directory, call.principal)
    found, following = page(known, call.sent, key=lambda wish: str(wish.collection.id))
    return Listing[models.AttributionShown](items=[wish_shown(one) for one in found], next=following)


async def set_attribution(call: Call[models.NewAttribution]) -> models.AttributionShown:
    """Say to whom your member wants to be known for what it gives to a collection; what an object says counts where it is narrower."""
    return wish_shown(await anonymity.set_attribution(call.hub, call.principal, call.path["collection"], call.sent.known_to))


async def get_names(call: Call[None]) -> models.NamesShown:
    """Show the names and domains of a member that no rendition may hold, beside those that the hub knows from its registration."""
    names = anonymity.get_names(call.directory, call.principal, call.path["member"])
    return models.NamesShown(member=get_any_member(call.directory, call.path["member"]).slug, names=names)


async def set_names(call: Call[models.Names]) -> models.NamesShown:
    """Keep these names and domains of a member, and no others."""
    names = await anonymity.set_names(call.hub, call.principal, call.path["member"], call.sent.names)
    return models.NamesShown(member=get_any_member(call.directory, call.path["member"]).slug, names=names)


async def list_lifts(call: Call[NamePage]) -> Listing[models.LiftShown]:
    """List proposals to learn a producer: all for officers of the hub, those that named it for a producer."""
    known = await anonymity.list_lifts(call.hub, call.directory, call.principal)
    found, following = page(known, call.sent, key=lambda one: str(one.lift.id))
    return Listing[models.LiftShown](items=[lift_shown(one) for one in found], next=following)


async def propose_lift(call: Call[models.NewLift]) -> models.LiftShown:
    """Propose to learn who produced a rendition; another officer has to approve."""
    return lift_shown(await anonymity.propose_lift(call.hub, call.principal, call.sent.object, call.sent.reason))


async def get_lift(call: Call[None]) -> models.LiftShown:
    """Show a proposal; once it is approved, its two officers and the producer see who that is."""
    return lift_shown(await anonymity.get_lift(call.hub, call.directory, call.principal, call.path["lift"]))


async def answer_lift(call: Call[models.LiftAnswer]) -> models.LiftShown:
    """Approve or refuse a proposal, as another officer than who proposed it."""
    return lift_shown(await anonymity.answer_lift(call.hub, call.principal, call.path["lift"], approved=call.sent.approved))


def wish_shown(value: Wish) -> models.AttributionShown:
    """Show to whom a member wants to be known."""
    return models.AttributionShown(member=value.member.slug, collection=value.collection.id, known_to=value.known_to)


def lift_shown(value: Lifted) -> models.LiftShown:
    """Show a proposal, with the producer only where the service found that the caller may know it."""
    lift = value.lift
    return models.LiftShown(
        id=lift.id, object=lift.rendition, reason=lift.reason, state=lift.state, proposed_by=lift.proposed_by,
        proposed_at=format_timestamp(lift.proposed_us), answered_by=lift.answered_by, answered_at=moment(lift.answered_us),
        producer=None if value.producer is None else value.producer.slug, original=value.original,
    )  # fmt: skip


OPERATIONS = (
    Operation(hdrs.METH_GET, "/attributions", list_attributions, takes=NamePage, gives=Listing[models.AttributionShown]),
    Operation(
        hdrs.METH_PUT, "/attributions/{collection}", set_attribution, Role.PUBLISHER,
        takes=models.NewAttribution, gives=models.AttributionShown,
    ),
    Operation(hdrs.METH_GET, "/members/{member}/names", get_names, gives=models.NamesShown),
    Operation(hdrs.METH_PUT, "/members/{member}/names", set_names, Role.PUBLISHER, takes=models.Names, gives=models.NamesShown),
    Operation(hdrs.METH_GET, "/anonymity/lifts", list_lifts, takes=NamePage, gives=Listing[models.LiftShown]),
    Operation(
        hdrs.METH_POST, "/anonymity/lifts", propose_lift, Role.COORDINATOR,
        takes=models.NewLift, gives=models.LiftShown, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/anonymity/lifts/{lift}", get_lift, gives=models.LiftShown),
    Operation(
        hdrs.METH_POST, "/anonymity/lifts/{lift}/answer", answer_lift, Role.COORDINATOR, takes=models.LiftAnswer, gives=models.LiftShown
    ),
)  # fmt: skip
