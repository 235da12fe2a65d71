"""Operations on requests for wider release."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.directory import Directory
from hub.domain.ids import MemberId
from hub.domain.member import Role
from hub.domain.timestamp import format_timestamp
from hub.service import releases
from hub.service.releases import Release
from hub.web.api import agreement_models as models
from hub.web.api import render
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation, page


async def list_releases(call: Call[NamePage]) -> Listing[models.Release]:
    """List the requests for wider release that your member made, and those that it is the source for."""
    known = await releases.list_releases(call.hub, call.principal)
    found, following = page(known, call.sent, key=lambda release: str(release.request.id))
    return Listing[models.Release](items=[shown(call.directory, release) for release in found], next=following)


async def ask_release(call: Call[models.NewRelease]) -> models.Release:
    """Ask the source of an object that your member sees to release it wider."""
    sent = call.sent
    asked = await releases.ask_release(call.hub, call.directory, call.principal, sent.object, to=sent.to, reason=sent.reason)
    return shown(call.directory, asked)


async def get_release(call: Call[None]) -> models.Release:
    """Show a request for wider release that your member made, or is the source for."""
    return shown(call.directory, await releases.get_release(call.hub, call.principal, call.path["release"]))


async def answer_release(call: Call[models.ReleaseAnswer]) -> models.Release:
    """Answer a request for wider release as the source. A yes loosens nothing: publish a newer version under the wider marking."""
    sent = call.sent
    answered = await releases.answer_release(
        call.hub, call.principal, call.path["release"], agreed=sent.agreed, reason=sent.reason, marking=sent.marking
    )
    return shown(call.directory, answered)


async def withdraw_release(call: Call[None]) -> models.Release:
    """Take back a request for wider release that your member made, before the source has answered."""
    return shown(call.directory, await releases.withdraw_release(call.hub, call.principal, call.path["release"]))


def shown(directory: Directory, value: Release) -> models.Release:
    """Show a request to its asker, without the source's name where that is not for the asker, or to the source."""
    request, answer = value.request, value.request.answer
    known = not request.is_about_rendition and (request.source_known or value.original is not None)
    return models.Release(
        id=request.id, asked_at=format_timestamp(request.asked_us), asker=directory.members[request.asker].slug,
        source=directory.members[MemberId(request.source_key)].slug if known else None,
        object=value.original or request.about.stix_id,
        version=format_timestamp(request.about.version_us), to=str(request.to), reason=request.reason, state=value.state,
        answered_at=render.moment(answer.answered_us if answer is not None else None),
        answer=answer.reason if answer is not None else None, marking=answer.marking if answer is not None else None,
        released_at=render.moment(value.released_us), withdrawn_at=render.moment(request.withdrawn_us),
    )  # fmt: skip


OPERATIONS = (
    Operation(hdrs.METH_GET, "/releases", list_releases, takes=NamePage, gives=Listing[models.Release]),
    Operation(
        hdrs.METH_POST, "/releases", ask_release, Role.PUBLISHER,
        takes=models.NewRelease, gives=models.Release, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/releases/{release}", get_release, gives=models.Release),
    Operation(
        hdrs.METH_POST, "/releases/{release}/answer", answer_release, Role.PUBLISHER, takes=models.ReleaseAnswer, gives=models.Release
    ),
    Operation(hdrs.METH_POST, "/releases/{release}/withdrawal", withdraw_release, Role.PUBLISHER, gives=models.Release),
)  # fmt: skip
