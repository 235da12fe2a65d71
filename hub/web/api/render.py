"""From the hub's values to what the API shows. What the asker may not know of is left out here, and secrets have no place in a shape."""

from hub.domain import directory as held
from hub.domain.agreement import Basis
from hub.domain.directory import Directory
from hub.domain.ids import MemberId
from hub.domain.member import Member, Principal, SharingGroup
from hub.domain.policy import Candidate, Rule
from hub.domain.taxii import ApiRoot, Collection, Grantee, GranteeKind
from hub.domain.timestamp import format_timestamp
from hub.service.administer import is_admin
from hub.service.agreements import find_agreement_of
from hub.service.context import Hub
from hub.service.explain import Explanation, LabelAnswer, VersionAnswer
from hub.service.groups import list_groups
from hub.service.policies import PolicyStatus
from hub.service.view import rights
from hub.web.api import models


def member(directory: Directory, principal: Principal, value: Member) -> models.Member:
    """Show a member, with those of its groups that `principal` may know of."""
    own = principal.member is not None and principal.member.id == value.id
    known = [directory.groups[id] for id in value.groups] if own else list_groups(directory, principal)
    return models.Member(
        id=value.id, slug=value.slug, name=value.name, kind=value.kind, sectors=sorted(value.sectors), standing=value.standing,
        suspended=value.suspended, size=value.size, owner=value.owner if own or is_admin(principal) else None,
        groups=sorted(group.slug for group in known if value.id in group.members),
        message_signatures_required=value.message_signatures_required,
    )  # fmt: skip


def person(directory: Directory, value: held.Person) -> models.Person:
    """Show somebody who signs in."""
    return models.Person(username=value.username, member=_slug(directory, value.member), role=value.role, disabled=value.disabled)


def token(directory: Directory, value: held.Token) -> models.Token:
    """Show a token, without its secret."""
    return models.Token(
        id=value.id, name=value.name, member=_slug(directory, value.member), role=value.role, created_at=format_timestamp(value.created_us),
        expires_at=moment(value.expires_us), revoked_at=moment(value.revoked_us),
    )  # fmt: skip


def issued_token(directory: Directory, value: held.Token, text: str) -> models.IssuedToken:
    """Show a token with its text, this once."""
    return models.IssuedToken(**token(directory, value).model_dump(), token=text)


def certificate(directory: Directory, value: held.Certificate) -> models.Certificate:
    """Show a client certificate's key."""
    return models.Certificate(
        spki_sha256=value.spki_sha256, name=value.name, member=directory.members[value.member].slug, role=value.role,
        created_at=format_timestamp(value.created_us), revoked_at=moment(value.revoked_us),
    )  # fmt: skip


def group(directory: Directory, value: SharingGroup) -> models.Group:
    """Show a sharing group and its members."""
    members = sorted(directory.members[id].slug for id in value.members)
    return models.Group(id=value.id, slug=value.slug, name=value.name, members=members)


def root(value: ApiRoot) -> models.Root:
    """Show an API Root."""
    return models.Root(slug=value.slug, title=value.title, description=value.description, default=value.default)


async def collection(hub: Hub, directory: Directory, principal: Principal, value: Collection) -> models.Collection:
    """Show a collection; who has rights on it is for administrators to see."""
    may = await rights(hub, directory, principal, value)
    admin = is_admin(principal)
    agreement = find_agreement_of(directory, principal, value)
    return models.Collection(
        id=value.id, root=value.api_root, alias=value.alias, title=value.title, description=value.description,
        can_read=may.can_read, can_write=may.can_write,
        readers=sorted(grantee(directory, one) for one in value.readers) if admin else None,
        writers=sorted(grantee(directory, one) for one in value.writers) if admin else None,
        default_tlp=value.default_tlp, topic=value.topic, signature_required=value.signature_required, media_types=list(value.media_types),
        reciprocal=value.reciprocal, agreement=agreement.slug if agreement is not None else None,
    )  # fmt: skip


def basis(value: Basis) -> models.Basis:
    """Show what sharing in a collection rests on."""
    return models.Basis(
        agreement=value.agreement,
        title=value.title,
        legal_basis=value.legal_basis,
        purpose=value.purpose,
        review_at=moment(value.review_us),
    )


def grantee(directory: Directory, value: Grantee) -> str:
    """Show who has a right, as it is written to give it."""
    if value.kind is GranteeKind.MEMBER:
        return f"{value.kind}:{directory.members[MemberId(value.value)].slug}"
    if value.kind is GranteeKind.GROUP:
        return f"{value.kind}:{next(group.slug for group in directory.groups.values() if group.id == value.value)}"
    return str(value)


def policies(status: PolicyStatus) -> models.Policies:
    """Show the policies in force."""
    return models.Policies(
        digest=status.bundle.digest,
        activated_at=format_timestamp(status.activated_us),
        rules=[rule(one) for one in status.bundle.rules.values()],
        proposals=None if status.proposals is None else [_proposal(one) for one in status.proposals],
    )


def _proposal(value: Candidate) -> models.PolicyProposal:
    return models.PolicyProposal(digest=value.digest, proposed_at=format_timestamp(value.at_us), proposed_by=value.actor)


def bundle(directory: Directory, value: held.ActivatedBundle) -> models.Bundle:
    """Show a set of policies that is or was in force."""
    return models.Bundle(digest=value.digest, activated_at=format_timestamp(value.activated_us), in_force=value.digest == directory.policy)


def rule(value: Rule) -> models.PolicyRule:
    """Show a policy."""
    return models.PolicyRule(id=value.id, effect=value.effect, reason=value.reason, source=value.source)


def audit_entry(value: held.AuditEntry) -> models.AuditEntry:
    """Show what an administrator did."""
    return models.AuditEntry(
        row=value.row, at=format_timestamp(value.at_us), actor=value.actor, action=value.action, target=value.target,
        detail=dict(value.detail),
    )  # fmt: skip


def explanation(value: Explanation) -> models.Explanation:
    """Show why a member sees an object, or does not."""
    versions = [_version(one) for one in value.versions]
    return models.Explanation(object=value.object_id, member=value.member.slug, seen=value.seen, versions=versions)


def _version(value: VersionAnswer) -> models.VersionExplanation:
    return models.VersionExplanation(
        collection=value.collection.collection.id, version=format_timestamp(value.version_us), date_added=value.date_added,
        seen=value.seen, seen_since=value.seen_since, basis=basis(value.basis), reasons=list(value.reasons),
        labels=[_label(answer) for answer in value.answers], signed_with=list(value.signed_with), sent_with=list(value.sent_with),
        suspect=value.is_suspect,
    )  # fmt: skip


def _label(answer: LabelAnswer) -> models.LabelExplanation:
    decision = answer.decision
    return models.LabelExplanation(
        tlp=answer.label.tlp, allowed=decision.allowed, delay_s=decision.delay_s, reasons=list(decision.reasons),
        rules=[rule(one) for one in decision.rules], nearest=[f"{near.id}: {' and '.join(near.missing)}" for near in decision.nearest],
    )  # fmt: skip


def _slug(directory: Directory, id: MemberId | None) -> str | None:
    return directory.members[id].slug if id is not None else None


def moment(us: int | None) -> str | None:
    """Show a moment, where there is one."""
    return format_timestamp(us) if us is not None else None
