"""Operations on the policies in the shadow: asked beside those in force, deciding nothing."""

from aiohttp import hdrs
from pydantic import Field

from hub.domain.member import Role
from hub.domain.timestamp import format_timestamp
from hub.service import shadow
from hub.web.api import models
from hub.web.api.models import Shown
from hub.web.api.operation import Call, Operation


class ShadowDifference(Shown):
    """What the policies in the shadow would do otherwise, by one rule."""

    rule: str = Field(description="of the policies in the shadow; empty: none permits it")
    in_force_h: int | None = Field(description="after how many hours it is seen; null: never")
    in_shadow_h: int | None
    members: list[str] = Field(description="slugs")
    labels: int = Field(description="kinds of content that it concerns")
    times: int = Field(description="how often it was found")


class Shadow(Shown):
    """The policies in the shadow, and what they would do otherwise, as far as they were asked."""

    digest: str | None = Field(description="null: there are none")
    since: models.Moment | None
    differences: list[ShadowDifference]


async def get_shadow(call: Call[None]) -> Shadow:
    """Show which policies are in the shadow, and what they would do otherwise."""
    return shown(await shadow.get_shadow(call.hub, call.directory, call.principal))


async def set_shadow(call: Call[models.NewBundle]) -> Shadow:
    """Ask other policies beside those in force, wherever a decision is made anew; they decide nothing."""
    await shadow.set_shadow(call.hub, call.principal, {name: text.encode() for name, text in call.sent.files.items()})
    return shown(await shadow.get_shadow(call.hub, await call.after(), call.principal))


async def end_shadow(call: Call[None]) -> Shadow:
    """Ask no other policies any longer, and forget what was found."""
    await shadow.set_shadow(call.hub, call.principal, None)
    return shown(None)


def shown(found: shadow.Shadow | None) -> Shadow:
    """Show the policies in the shadow."""
    if found is None:
        return Shadow(digest=None, since=None, differences=[])
    return Shadow(
        digest=found.digest,
        since=format_timestamp(found.since_us),
        differences=[
            ShadowDifference(
                rule=one.rule, in_force_h=_hours(one.in_force_s), in_shadow_h=_hours(one.in_shadow_s), members=list(one.members),
                labels=one.labels, times=one.times,
            )
            for one in found.differences
        ],
    )  # fmt: skip


def _hours(delay_s: int | None) -> int | None:
    return None if delay_s is None else delay_s // 3_600


OPERATIONS = (
    Operation(hdrs.METH_GET, "/policies/shadow", get_shadow, Role.ADMIN, gives=Shadow),
    Operation(hdrs.METH_PUT, "/policies/shadow", set_shadow, Role.ADMIN, takes=models.NewBundle, gives=Shadow),
    Operation(hdrs.METH_DELETE, "/policies/shadow", end_shadow, Role.ADMIN, gives=Shadow),
)
