"""Operations on requests for reports back."""

from aiohttp import hdrs

from hub.domain.timestamp import format_timestamp
from hub.service import report_backs
from hub.service.adjudicate import row_after, row_of
from hub.service.report_backs import Picture, RequestAnswer
from hub.web.api import standing_models as models
from hub.web.api.models import Listing, NamePage
from hub.web.api.operation import Call, Operation
from hub.web.api.render import moment


async def list_report_backs(call: Call[NamePage]) -> Listing[models.ReportBack]:
    """List what your member is asked to report on, and what it asks for itself."""
    sent = call.sent
    after = row_after(call.hub, sent.after)
    found = await report_backs.list_report_backs(call.hub, call.directory, call.principal, after=after, limit=sent.limit)
    following = found[-1].handle if len(found) == sent.limit else None
    return Listing[models.ReportBack](items=[shown(one) for one in found], next=following)


async def get_report_back(call: Call[None]) -> models.ReportBack:
    """Show a request for reports back; who asked sees how it stands."""
    item = row_of(call.hub, call.path["request"])
    return shown(await report_backs.get_report_back(call.hub, call.directory, call.principal, item))


def shown(value: RequestAnswer) -> models.ReportBack:
    """Show a request for reports back."""
    request, receipt = value.request, value.receipt
    return models.ReportBack(
        id=value.handle, object=value.stix_id, collection=value.collection, asker=None if value.asker is None else value.asker.slug,
        by=format_timestamp(request.wanted.by_us), nil_returns=request.wanted.nil_returns, open=value.is_open,
        fetched_at=None if receipt is None else moment(receipt.fetched_us),
        reported_at=None if receipt is None else moment(receipt.reported_us), outcome="" if receipt is None else receipt.outcome,
        picture=None if value.picture is None else _picture(value.picture),
    )  # fmt: skip


def _picture(value: Picture) -> models.ReportPicture:
    reporters = [
        models.Reporter(member=member.slug, outcome=receipt.outcome, reported_at=format_timestamp(receipt.reported_us or 0))
        for member, receipt in value.reporters
    ]
    return models.ReportPicture(
        asked=value.asked, received=value.received, fetched=value.fetched, seen=value.seen, nothing=value.nothing,
        commented=value.commented, overdue=value.overdue, reporters=sorted(reporters, key=lambda one: one.member),
    )  # fmt: skip


OPERATIONS = (
    Operation(hdrs.METH_GET, "/report-backs", list_report_backs, takes=NamePage, gives=Listing[models.ReportBack]),
    Operation(hdrs.METH_GET, "/report-backs/{request}", get_report_back, gives=models.ReportBack),
)
