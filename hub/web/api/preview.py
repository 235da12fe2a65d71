"""The operation that says who would see a draft."""

import json
from typing import Any

from aiohttp import hdrs
from pydantic import Field

from hub.domain.label import Attribution, Severity, Tlp
from hub.domain.member import Role
from hub.domain.timestamp import format_timestamp
from hub.service import preview
from hub.service.install import DEFAULT_ROOT
from hub.web.api import models, render
from hub.web.api.models import Given, Shown
from hub.web.api.operation import Call, Operation


class Draft(Given):
    """Objects that are not pushed yet."""

    collection: models.Reference = Field(description="alias or id of the collection")
    root: models.Reference = Field(DEFAULT_ROOT, description="slug of its API Root")
    objects: list[dict[str, Any]] = Field(description="STIX objects as they would be pushed", min_length=1)


class Share(Shown):
    """The members to whom the same happens for the same reasons. Where a number is null, it is one below `members_min`."""

    seen: bool
    delay_h: int = Field(description="where seen: after how many hours; 0 is at once")
    seen_at: models.Moment | None = Field(description="if it were pushed now; null where it is never seen")
    rules: list[models.PolicyRule] = Field(description="what lets them see it, makes them wait, or refuses; empty: no policy permits it")
    members: int | None
    names: list[str] | None = Field(description="slugs; null for who is neither coordinator nor an agency")
    kinds: dict[str, int | None]
    sectors: dict[str, int | None] = Field(description="a member counts in each of its own")
    standings: dict[str, int | None]


class Audience(Shown):
    """Who would see the objects that have one label."""

    objects: list[str]
    tlp: Tlp
    severity: Severity
    attribution: Attribution
    reciprocal: bool
    shares: list[Share] = Field(description="who sees it at once first, who never does last")


class Refusal(Shown):
    """An object that the hub would not take."""

    object: str
    reason: str


class Preview(Shown):
    """What would become of a draft."""

    members_min: int = Field(description="a number of members below this is shown to coordinators and agencies only")
    audiences: list[Audience]
    refused: list[Refusal]


async def preview_draft(call: Call[Draft]) -> Preview:
    """Say who would see a draft: now, later and when, or never and by which rule. Nothing is kept of it."""
    body = json.dumps({"objects": call.sent.objects}).encode()
    found = await preview.preview(call.hub, call.directory, call.principal, call.sent.root, call.sent.collection, body)
    return shown(found)


def shown(found: preview.Preview) -> Preview:
    """Show what would become of a draft."""
    return Preview(
        members_min=found.members_min,
        audiences=[
            Audience(
                objects=list(audience.object_ids), tlp=audience.label.tlp, severity=audience.label.severity,
                attribution=audience.label.attribution, reciprocal=audience.label.reciprocal,
                shares=[_share(share, found.at_us) for share in audience.shares],
            )
            for audience in found.audiences
        ],
        refused=[Refusal(object=outcome.id, reason=outcome.failure or "") for outcome in found.refused],
    )  # fmt: skip


def _share(share: preview.Share, at_us: int) -> Share:
    return Share(
        seen=share.seen, delay_h=share.delay_s // 3_600,
        seen_at=format_timestamp(at_us + share.delay_s * 1_000_000) if share.seen else None,
        rules=[render.rule(rule) for rule in share.rules], members=share.count, names=None if share.names is None else list(share.names),
        kinds=dict(share.kinds), sectors=dict(share.sectors), standings=dict(share.standings),
    )  # fmt: skip


OPERATIONS = (Operation(hdrs.METH_POST, "/preview", preview_draft, Role.PUBLISHER, takes=Draft, gives=Preview),)
