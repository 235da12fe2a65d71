"""`hub standing`, `hub practice` and `hub contest`: what members' standings are and why, joint practice, contested events."""

from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.standing import Part
from hub.domain.standing_rules import EventKind
from hub.service import contests, standing
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import standing as render
from hub.web.api import standing_models as models

app = typer.Typer()
practice_app = typer.Typer(help="Enter that a member took part in joint practice.", no_args_is_help=True)
contest_app = typer.Typer(help="Events that members contest, and the answers.", no_args_is_help=True)

BRIEF_COLUMNS = ("member", "score", "standing", "ground", "why")
SECTOR_COLUMNS = ("sector", "members", "median", "standings")
CONTEST_COLUMNS = ("id", "event", "kind", "object", "member", "at", "reason", "reviewer", "upheld", "answer")
LINES_SHOWN_MAX = 5  # of each part; --json has all

Reason = Annotated[str, typer.Option(help="Why; the member concerned reads it.")]


@app.command("standing")
def show_standing(
    ctx: typer.Context,
    member: Annotated[str | None, typer.Argument(help="Slug or id; without it, all members are listed.")] = None,
    sectors: Annotated[bool, typer.Option("--sectors", help="Show what sectors have on the whole, as every member may see it.")] = False,
    as_json: Json = False,
) -> None:
    """Show members' standings, or explain one: what raised and lowered it, and the next step."""
    if sectors:
        show(with_hub(ctx, _sectors), SECTOR_COLUMNS, as_json=as_json)
    elif member is None:
        show(with_hub(ctx, _all), BRIEF_COLUMNS, as_json=as_json)
    else:
        explained = with_hub(ctx, lambda hub: _one(hub, member))
        if as_json:
            show_one(explained, as_json=True)
        else:
            for line in _told(explained):
                typer.echo(line)


@practice_app.command("add")
def record_practice(
    ctx: typer.Context,
    member: Annotated[str, typer.Argument(help="Slug or id.")],
    kind: Annotated[EventKind, typer.Option(help="exercise, lesson, reuse or capability.")],
    reason: Reason,
) -> None:
    """Enter that a member attended an exercise, published a lesson, had one reused, or kept its capabilities current."""
    event = with_hub(ctx, lambda hub: standing.record_practice(hub, COMMAND_LINE, member, kind, reason))
    typer.echo(f"entered as event {event}")


@contest_app.command("list")
def list_contests(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(help="Contests at most.", min=1, max=10_000)] = 100,
    after: Annotated[int, typer.Option(help="Begin after this contest.", min=0)] = 0,
    as_json: Json = False,
) -> None:
    """List contests, the oldest first."""

    async def work(hub: Hub) -> list[models.Contest]:
        found = await contests.list_appeals(hub, await hub.directory(), COMMAND_LINE, after=after, limit=limit)
        return [render.contest(one) for one in found]

    show(with_hub(ctx, work), CONTEST_COLUMNS, as_json=as_json)


@contest_app.command("add")
def contest_event(
    ctx: typer.Context, event: Annotated[int, typer.Argument(help="The event, as `hub standing` shows it.")], reason: Reason
) -> None:
    """Contest an event for the member that it is about."""
    appeal = with_hub(ctx, lambda hub: contests.contest_event(hub, COMMAND_LINE, event, reason))
    typer.echo(f"contested as {appeal.contest.row}")


@contest_app.command("answer")
def answer_contest(
    ctx: typer.Context,
    contest: Annotated[int, typer.Argument(help="The contest.")],
    upheld: Annotated[bool, typer.Option("--upheld/--rejected", help="Whether the member is right.")],
    reason: Reason,
) -> None:
    """Answer a contest; where it is upheld, what follows from the event is put right."""

    async def work(hub: Hub) -> None:
        await contests.answer(hub, await hub.directory(), COMMAND_LINE, contest, upheld=upheld, reason=reason)

    with_hub(ctx, work)
    typer.echo("upheld: what follows from the event is put right" if upheld else "rejected")


async def _all(hub: Hub) -> list[models.StandingBrief]:
    return [render.brief(*one) for one in await standing.list_standings(hub, await hub.directory(), COMMAND_LINE)]


async def _sectors(hub: Hub) -> list[models.SectorStanding]:
    found = await standing.list_sectors(hub, await hub.directory(), COMMAND_LINE)
    return [render.sector(name, known) for name, known in found.items()]


async def _one(hub: Hub, member: str) -> models.StandingShown:
    return render.shown(await standing.get_standing(hub, await hub.directory(), COMMAND_LINE, member))


def _told(value: models.StandingShown) -> list[str]:
    told = [f"{value.member}: {value.standing} ({value.ground}). {value.why}"]
    for part in Part:
        against = f", against {value.expected_per_day:g} items a day of its size and sectors" if part is Part.CONTRIBUTION else ""
        told.append(f"  {part}: {value.parts[part]}{against}")
        lines = [line for line in value.lines if line.part is part]
        told += [f"    {line.points:>7}  {_event(line)}" for line in lines[:LINES_SHOWN_MAX]]
        if len(lines) > LINES_SHOWN_MAX:
            told.append(f"             and {len(lines) - LINES_SHOWN_MAX} more")
    told += [f"  next: {step.count} x {step.kind} in {step.days} days, {step.cost_h:g} hours: {step.tier}" for step in value.steps]
    told += [f"  the next tier opens in {one.title}: {one.more} entries of today, and {one.sooner} sooner" for one in value.opens]
    told += [f"  {moment.at}: {moment.before} to {moment.standing}. {moment.why}" for moment in value.history if moment.why]
    return told


def _event(line: models.StandingLine) -> str:
    if line.event is None:
        return "older"
    about = f", about {line.object}" if line.object is not None else ""
    return f"{line.kind} on {line.on}{about} (event {line.event})"
