"""Operations on standing: what a member has and why, what sectors have, joint practice, contests."""

from datetime import date, timedelta
from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.anonymity import MINUTE_US
from hub.domain.ledger import LedgerEvent
from hub.domain.member import Member, Role
from hub.domain.placing import Placed
from hub.domain.standing import Aggregate, Part
from hub.domain.standing_explain import Line
from hub.domain.standing_rules import EventKind
from hub.domain.timestamp import format_timestamp
from hub.errors import NotFound
from hub.service import contests, standing
from hub.service.contests import Appeal
from hub.service.standing import Explained
from hub.web.api import standing_models as models
from hub.web.api.models import Listing, NamePage, RowPage
from hub.web.api.operation import Call, Operation, page
from hub.web.api.render import moment

_EPOCH = date(1970, 1, 1)


async def get_own_standing(call: Call[None]) -> models.StandingShown:
    """Show your member's standing, and what raised and lowered it."""
    return shown(await standing.get_standing(call.hub, call.directory, call.principal))


async def get_standing(call: Call[None]) -> models.StandingShown:
    """Show a member's standing, explained: coordinators and administrators see all, others their own."""
    return shown(await standing.get_standing(call.hub, call.directory, call.principal, call.path["member"]))


async def list_standings(call: Call[NamePage]) -> Listing[models.StandingBrief]:
    """List score and tier of every member."""
    known = await standing.list_standings(call.hub, call.directory, call.principal)
    found, following = page(known, call.sent, key=lambda one: one[0].slug)
    return Listing[models.StandingBrief](items=[brief(*one) for one in found], next=following)


async def list_sectors(call: Call[None]) -> Listing[models.SectorStanding]:
    """List what sectors have on the whole; those of few members are left out."""
    found = await standing.list_sectors(call.hub, call.directory, call.principal)
    return Listing[models.SectorStanding](items=[sector(name, known) for name, known in found.items()], next=None)


async def record_practice(call: Call[models.NewPractice]) -> models.LedgerLine:
    """Enter that a member attended an exercise, published a lesson, had one reused, or kept its capabilities current."""
    kind = EventKind(call.sent.kind)
    return models.LedgerLine(event=await standing.record_practice(call.hub, call.principal, call.path["member"], kind, call.sent.reason))


async def list_events(call: Call[RowPage]) -> Listing[models.LedgerEvent]:
    """List what the ledger says of your member, the latest first: each event can be contested."""
    found = await contests.list_own_events(call.hub, call.principal, before=call.sent.after, limit=call.sent.limit)
    following = found[-1][0].row if len(found) == call.sent.limit else None
    return Listing[models.LedgerEvent](items=[event(*one) for one in found], next=following)


async def list_contests(call: Call[RowPage]) -> Listing[models.Contest]:
    """List contests: coordinators and administrators see all, others their member's."""
    found = await contests.list_appeals(call.hub, call.directory, call.principal, after=call.sent.after or 0, limit=call.sent.limit)
    following = found[-1].contest.row if len(found) == call.sent.limit else None
    return Listing[models.Contest](items=[contest(one) for one in found], next=following)


async def contest_event(call: Call[models.NewContest]) -> models.Contest:
    """Contest an event about your member, of those that `/ledger` tells."""
    return contest(await contests.contest_event(call.hub, call.principal, call.sent.event, call.sent.reason))


async def answer_contest(call: Call[models.ContestAnswer]) -> models.Contest:
    """Answer a contest by name; where it is upheld, what follows from the event is put right."""
    row, sent = number(call.path["contest"]), call.sent
    return contest(await contests.answer(call.hub, call.directory, call.principal, row, upheld=sent.upheld, reason=sent.reason))


def shown(value: Explained) -> models.StandingShown:
    """Show a standing, explained."""
    score = value.placed.score
    return models.StandingShown(
        **brief(value.member, value.placed).model_dump(),
        earned=value.placed.earned,
        parts={part: str(score.points(part)) for part in Part},
        expected_per_day=round(value.rules.contribution.expected(value.member.band), 4),
        reliability=round(score.reliability, 4),
        gate=round(score.gate, 4),
        lines=[_line(value, line) for line in value.lines],
        steps=[
            models.StandingStep(kind=s.kind, count=s.count, days=s.days, cost_h=s.cost_h, tier=s.tier, score=str(s.total))
            for s in value.steps
        ],
        opens=[
            models.StandingOpens(collection=o.collection.collection.id, title=o.collection.collection.title, more=o.more, sooner=o.sooner)
            for o in value.opens
        ],
        history=[
            models.StandingMoment(
                at=format_timestamp(r.at_us), score=_points(r.cents), standing=r.standing, ground=r.ground, before=r.before, why=r.why
            )
            for r in value.history
        ],
    )


def brief(member: Member, placed: Placed) -> models.StandingBrief:
    """Show a score and a tier."""
    return models.StandingBrief(
        member=member.slug, score=str(placed.score.total), standing=placed.standing, ground=placed.ground, why=placed.why
    )


def sector(name: str, value: Aggregate) -> models.SectorStanding:
    """Show what a sector has on the whole."""
    return models.SectorStanding(sector=name, members=value.members, median=str(value.median), standings=value.tiers)


def contest(appeal: Appeal) -> models.Contest:
    """Show a contest."""
    value = appeal.contest
    at_us = value.at_us if appeal.member is not None else value.at_us - value.at_us % MINUTE_US
    return models.Contest(
        id=value.row, event=value.event if appeal.member is not None else None, kind=appeal.kind, object=appeal.object,
        member=None if appeal.member is None else appeal.member.slug, at=format_timestamp(at_us), reason=value.reason,
        reviewer=value.reviewer, answered_at=moment(value.answered_us), upheld=value.upheld, answer=value.answer,
    )  # fmt: skip


def event(value: LedgerEvent, object: str | None) -> models.LedgerEvent:
    """Show a line of the ledger to the member that it is about."""
    return models.LedgerEvent(
        event=value.row, at=format_timestamp(value.at_us), kind=value.kind, object=object, about=value.subject,
        reason=value.detail.get("reason") or value.detail.get("why"),
    )  # fmt: skip


def number(text: str) -> int:
    """Return the number that a path names a thing by.

    Raises:
        NotFound: it is no number, so there is no such thing.
    """
    if not (text.isascii() and text.isdigit() and len(text) < len(str(2**63))):
        raise NotFound("there is no such thing; things of this kind go by numbers")
    return int(text)


def _line(value: Explained, line: Line) -> models.StandingLine:
    credited = None if line.event is None else value.events.get(line.event.ref)
    return models.StandingLine(
        part=line.part,
        points=str(line.points),
        event=None if credited is None else credited.row,
        kind=None if credited is None else credited.kind,
        on=None if credited is None else _day(credited.day),
        object=None if credited is None else credited.stix_id,
    )


def _day(number: int) -> str:
    return (_EPOCH + timedelta(days=number)).isoformat()


def _points(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"


OPERATIONS = (
    Operation(hdrs.METH_GET, "/standing", get_own_standing, gives=models.StandingShown),
    Operation(hdrs.METH_GET, "/standings", list_standings, Role.COORDINATOR, takes=NamePage, gives=Listing[models.StandingBrief]),
    Operation(hdrs.METH_GET, "/standing/sectors", list_sectors, gives=Listing[models.SectorStanding]),
    Operation(hdrs.METH_GET, "/standing/{member}", get_standing, gives=models.StandingShown),
    Operation(
        hdrs.METH_POST, "/standing/{member}/practice", record_practice, Role.ADMIN,
        takes=models.NewPractice, gives=models.LedgerLine, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/ledger", list_events, takes=RowPage, gives=Listing[models.LedgerEvent]),
    Operation(hdrs.METH_GET, "/contests", list_contests, takes=RowPage, gives=Listing[models.Contest]),
    Operation(
        hdrs.METH_POST, "/contests", contest_event, Role.PUBLISHER,
        takes=models.NewContest, gives=models.Contest, status=HTTPStatus.CREATED,
    ),
    Operation(
        hdrs.METH_POST, "/contests/{contest}/answer", answer_contest, Role.COORDINATOR, takes=models.ContestAnswer, gives=models.Contest
    ),
)  # fmt: skip
