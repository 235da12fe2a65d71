"""Operations on sharing agreements."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from aiohttp import hdrs

from hub.domain.agreement import Agreement
from hub.domain.directory import Directory
from hub.domain.member import Role
from hub.domain.timestamp import format_timestamp, parse_timestamp
from hub.errors import Invalid, NotUnderstood
from hub.service import agreements
from hub.service.agreements import AgreementChanges, Signature
from hub.web.api import agreement_models as models
from hub.web.api import render
from hub.web.api.models import Listing
from hub.web.api.operation import Call, Operation, page


async def list_agreements(call: Call[models.AgreementPage]) -> Listing[models.Agreement]:
    """List the sharing agreements that you may know of: coordinators and administrators see all, others those that they are a party to."""
    now_us = call.hub.now_us()
    known = agreements.list_agreements(call.directory, call.principal, due_at_us=now_us if call.sent.due else None)
    found, following = page(known, call.sent, key=lambda agreement: agreement.slug)
    return Listing[models.Agreement](items=[shown(call.directory, agreement, now_us) for agreement in found], next=following)


async def add_agreement(call: Call[models.NewAgreement]) -> models.Agreement:
    """Add a sharing agreement. It starts and ends by itself; content flows under it where a collection names it."""
    added = await agreements.add_agreement(call.hub, call.principal, slug=call.sent.slug, **terms(call.sent.changes()))
    return shown(await call.after(), added, call.hub.now_us())


async def get_agreement(call: Call[None]) -> models.Agreement:
    """Show a sharing agreement."""
    agreement = agreements.get_agreement(call.directory, call.principal, call.path["agreement"])
    return shown(call.directory, agreement, call.hub.now_us())


async def change_agreement(call: Call[models.AgreementChange]) -> models.Agreement:
    """Change the terms of a sharing agreement that has not ended."""
    changed = await agreements.change_agreement(call.hub, call.principal, call.path["agreement"], **terms(call.sent.changes()))
    return shown(await call.after(), changed, call.hub.now_us())


async def end_agreement(call: Call[models.AgreementEnd]) -> models.Agreement:
    """End a sharing agreement before its time: nothing flows under it any more, from the next request on."""
    ended = await agreements.end_agreement(call.hub, call.principal, call.path["agreement"], reason=call.sent.reason)
    return shown(await call.after(), ended, call.hub.now_us())


def shown(directory: Directory, value: Agreement, now_us: int) -> models.Agreement:
    """Show a sharing agreement as it stands at this moment."""
    return models.Agreement(
        id=value.id, slug=value.slug, title=value.title, parties=sorted(render.grantee(directory, party) for party in value.parties),
        legal_basis=value.legal_basis, purpose=value.purpose, topics=sorted(value.topics), tlp_max=value.tlp_max,
        starts_at=format_timestamp(value.starts_us), ends_at=render.moment(value.ends_us), review_at=format_timestamp(value.review_us),
        signatories=[
            models.Signatory(
                member=directory.members[one.member].slug, person=one.person, role=one.role, signed_at=format_timestamp(one.signed_us)
            )
            for one in value.signatories
        ],
        ended_at=render.moment(value.ended_us), in_force=value.is_in_force(now_us), review_due=value.is_due(now_us),
    )  # fmt: skip


def terms(sent: Mapping[str, Any]) -> AgreementChanges:
    """Return what was sent of an agreement, as the use cases take it; its slug is not one of its terms.

    Raises:
        Invalid: a moment is none; the detail begins with the field.
    """
    understood: dict[str, Any] = {name: value for name, value in sent.items() if name != "slug" and not name.endswith("_at")}
    for name in ("starts_at", "ends_at", "review_at"):
        if name in sent:
            understood[name.replace("_at", "_us")] = _moment(name, sent[name]) if sent[name] is not None else None
    if "signatories" in sent:
        understood["signatories"] = [
            Signature(one.member, one.person, one.role, _moment("signatories: signed_at", one.signed_at)) for one in sent["signatories"]
        ]
    return cast("AgreementChanges", understood)  # the fields of the models, their moments renamed


def _moment(field: str, text: str) -> int:
    try:
        return parse_timestamp(text)
    except NotUnderstood as e:
        raise Invalid(f"{field}: {e.detail}") from e


OPERATIONS = (
    Operation(hdrs.METH_GET, "/agreements", list_agreements, takes=models.AgreementPage, gives=Listing[models.Agreement]),
    Operation(
        hdrs.METH_POST, "/agreements", add_agreement, Role.ADMIN,
        takes=models.NewAgreement, gives=models.Agreement, status=HTTPStatus.CREATED,
    ),
    Operation(hdrs.METH_GET, "/agreements/{agreement}", get_agreement, gives=models.Agreement),
    Operation(
        hdrs.METH_PATCH, "/agreements/{agreement}", change_agreement, Role.ADMIN, takes=models.AgreementChange, gives=models.Agreement
    ),
    Operation(hdrs.METH_POST, "/agreements/{agreement}/end", end_agreement, Role.ADMIN, takes=models.AgreementEnd, gives=models.Agreement),
)  # fmt: skip
