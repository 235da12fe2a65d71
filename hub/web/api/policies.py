"""Operations on the policies, on what they decided, and on what administrators did."""

from http import HTTPStatus

from aiohttp import hdrs

from hub.domain.member import Role
from hub.service import audit, collections, explain, policies
from hub.service.administer import is_suspended
from hub.web.api import models, render
from hub.web.api.models import Listing, RowPage
from hub.web.api.operation import Call, Operation


async def list_policies(call: Call[None]) -> Listing[models.Bundle]:
    """List every set of policies that is or was in force, the latest activation first."""
    known = await policies.list_policies(call.hub, call.principal)
    return Listing[models.Bundle](items=[render.bundle(call.directory, bundle) for bundle in known], next=None)


async def activate_policies(call: Call[models.NewBundle]) -> models.Policies:
    """Check and test policies and put them in force on every node at once; where a second person has to approve, only propose them."""
    files = {name: text.encode() for name, text in call.sent.files.items()}
    await policies.activate_policies(call.hub, call.principal, files)
    return render.policies(await policies.get_policy_status(call.hub, await call.after(), call.principal))


async def approve_policies(call: Call[None]) -> models.Policies:
    """Put policies in force that another person proposed."""
    await policies.approve_policies(call.hub, call.principal, call.path["digest"])
    return render.policies(await policies.get_policy_status(call.hub, await call.after(), call.principal))


async def withdraw_policies(call: Call[None]) -> models.Policies:
    """Drop policies that wait for approval."""
    await policies.withdraw_policies(call.hub, call.principal, call.path["digest"])
    return render.policies(await policies.get_policy_status(call.hub, await call.after(), call.principal))


async def roll_back_policies(call: Call[None]) -> models.Policies:
    """Put in force again what was in force before."""
    await policies.roll_back_policies(call.hub, call.principal)
    return render.policies(await policies.get_policy_status(call.hub, await call.after(), call.principal))


async def get_policies(call: Call[None]) -> models.Policies:
    """Show the policies in force: the rules that decide about you are no secret to you."""
    return render.policies(await policies.get_policy_status(call.hub, call.directory, call.principal))


async def list_audit(call: Call[RowPage]) -> Listing[models.AuditEntry]:
    """List what administrators did, the latest first."""
    found = await audit.list_audit(call.hub, call.principal, before=call.sent.after, limit=call.sent.limit)
    following = found[-1].row if len(found) == call.sent.limit else None
    return Listing[models.AuditEntry](items=[render.audit_entry(entry) for entry in found], next=following)


async def explain_view(call: Call[models.ExplainQuery]) -> models.Explanation:
    """Explain whether a member sees an object, and by which policies."""
    answer = await explain.explain(call.hub, call.directory, call.principal, call.sent.member, call.sent.object)
    return render.explanation(answer)


async def get_me(call: Call[None]) -> models.Me:
    """Show who you are to the hub, and what you may do."""
    principal = call.principal
    known = [] if is_suspended(principal) else await collections.list_collections(call.hub, call.directory, principal)
    return models.Me(
        credential=principal.credential,
        role=principal.role,
        member=render.member(call.directory, principal, principal.member) if principal.member is not None else None,
        collections=[await render.collection(call.hub, call.directory, principal, collection) for collection in known],
    )


OPERATIONS = (
    Operation(hdrs.METH_GET, "/policies", list_policies, Role.ADMIN, gives=Listing[models.Bundle]),
    Operation(
        hdrs.METH_POST, "/policies", activate_policies, Role.ADMIN, takes=models.NewBundle, gives=models.Policies, status=HTTPStatus.CREATED
    ),
    Operation(hdrs.METH_POST, "/policies/rollback", roll_back_policies, Role.ADMIN, gives=models.Policies),
    Operation(hdrs.METH_POST, "/policies/{digest}/approval", approve_policies, Role.ADMIN, gives=models.Policies),
    Operation(hdrs.METH_DELETE, "/policies/{digest}/approval", withdraw_policies, Role.ADMIN, gives=models.Policies),
    Operation(hdrs.METH_GET, "/policies/current", get_policies, gives=models.Policies),
    Operation(hdrs.METH_GET, "/audit", list_audit, Role.ADMIN, takes=RowPage, gives=Listing[models.AuditEntry]),
    Operation(hdrs.METH_GET, "/explain", explain_view, takes=models.ExplainQuery, gives=models.Explanation),
    Operation(hdrs.METH_GET, "/me", get_me, gives=models.Me),
)
