"""The operation that says what a change of policies would give and take."""

from aiohttp import hdrs
from pydantic import Field

from hub.domain.member import Role
from hub.service import policy_diff
from hub.service.policy_diff import IN_FORCE, Effect
from hub.web.api import models, render
from hub.web.api.models import Given, Shown
from hub.web.api.operation import Call, Operation


class Comparison(Given):
    """Two sets of policies."""

    old: str = Field(IN_FORCE, description="active, or a digest of eight digits or more")
    new: str = Field(IN_FORCE, description="active, or a digest of eight digits or more; where files are sent: those")
    files: dict[str, str] | None = Field(None, description="contents by file name, instead of `new`")


class Difference(Shown):
    """What would change for one member in one collection, by the same rules."""

    member: str
    collection: str
    effect: Effect
    before_h: int | None = Field(description="after how many hours it is seen; null: never")
    after_h: int | None
    rules: list[models.PolicyRule] = Field(description="of the new policies; empty: none permits it")
    entries: int = Field(description="of the last 30 days")
    examples: list[str] = Field(description="STIX ids, three at most")


class PolicyDiff(Shown):
    """What a change of policies would give and take."""

    old: str
    new: str
    differences: list[Difference]


async def diff_policies(call: Call[Comparison]) -> PolicyDiff:
    """Say member by member what other policies would give and take, of all that came in during the last 30 days."""
    sent = call.sent
    new = sent.new if sent.files is None else {name: text.encode() for name, text in sent.files.items()}
    return shown(await policy_diff.diff_policies(call.hub, call.directory, call.principal, sent.old, new))


def shown(found: policy_diff.PolicyDiff) -> PolicyDiff:
    """Show what a change of policies would give and take."""
    return PolicyDiff(
        old=found.old,
        new=found.new,
        differences=[
            Difference(
                member=one.member.slug, collection=one.collection.collection.id, effect=one.effect, before_h=_hours(one.before_s),
                after_h=_hours(one.after_s), rules=[render.rule(rule) for rule in one.rules], entries=one.entries,
                examples=list(one.examples),
            )
            for one in found.differences
        ],
    )  # fmt: skip


def _hours(delay_s: int | None) -> int | None:
    return None if delay_s is None else delay_s // 3_600


OPERATIONS = (Operation(hdrs.METH_POST, "/policies/diff", diff_policies, Role.ADMIN, takes=Comparison, gives=PolicyDiff),)
