"""Why a member sees an object, or does not: every decision with the policies that made it and the basis that it rests on."""

from dataclasses import dataclass

from hub.domain.agreement import Basis
from hub.domain.directory import Directory, HeldCollection
from hub.domain.feed import View
from hub.domain.label import Attribution, Label
from hub.domain.member import Member, Principal, Role
from hub.domain.policy import Decision
from hub.domain.timestamp import format_timestamp
from hub.errors import NotFound
from hub.service.administer import require_active
from hub.service.agreements import basis
from hub.service.context import Hub
from hub.service.view import Seen, rights, see
from hub.store.feed import entries_of, list_labels
from hub.store.trust import find_kids


@dataclass(frozen=True, slots=True)
class LabelAnswer:
    """Policy's answer for one label: the version's own, or that of a newer version which narrows it."""

    label: Label
    decision: Decision


@dataclass(frozen=True, slots=True)
class VersionAnswer:
    """Whether a member sees one version in one collection, and by which policies."""

    collection: HeldCollection
    version_us: int
    date_added: str  # TAXII timestamp
    seen: bool
    seen_since: str | None  # the effective date, a TAXII timestamp; None where it is not in view
    answers: tuple[LabelAnswer, ...]  # all have to allow it
    basis: Basis  # what sharing in the collection rests on
    signed_with: tuple[str, ...]  # the producer's keys whose signatures on the object were verified
    sent_with: tuple[str, ...]  # those of its keys that signed the message which brought it, and not the object
    is_suspect: bool  # one of either was in other hands by then, perhaps

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why, in sentences fit to show: what denies, or what allows where nothing does."""
        denied = [a for a in self.answers if not a.decision.allowed]
        return tuple(dict.fromkeys(reason for answer in denied or self.answers for reason in answer.decision.reasons))


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a member sees of an object, version by version, newest last."""

    object_id: str
    member: Member
    versions: tuple[VersionAnswer, ...]

    @property
    def seen(self) -> bool:
        """Whether the member sees any version anywhere."""
        return any(version.seen for version in self.versions)


async def explain(hub: Hub, directory: Directory, principal: Principal | None, member: str, object_id: str) -> Explanation:
    """Say whether and why a member sees an object.

    Administrators may ask about every member; others about their own, and only about what it may see. An original whose producer is not
    known to everyone is there for nobody but members who see it and ask for themselves: the answers for others would tell whose it is.

    Args:
        principal: who asks; None for the command line.
        member: id or slug.
    Raises:
        Withheld: the caller's member is suspended.
        NotFound: no such member or object, or none that the caller may ask about.
    """
    if principal is not None:
        require_active(principal)
    asked = directory.find_member(member)
    officer = principal is None or principal.role.includes(Role.ADMIN)
    own = principal is not None and principal.member is not None and asked is not None and principal.member.id == asked.id
    if asked is None or not (officer or own):
        raise NotFound("no such member, or none that you may ask about")
    versions: list[VersionAnswer] = []
    for held in directory.collections.values():
        versions += await _in_collection(hub, directory, asked, held, object_id)
    hidden = any(_is_original(answer.label) for version in versions for answer in version.answers)
    if not versions or not ((officer and not hidden) or (own and any(version.seen for version in versions))):
        raise NotFound("no such object, or none that you may ask about")
    return Explanation(object_id, asked, tuple(sorted(versions, key=lambda v: (v.collection.collection.id, v.version_us))))


def _is_original(label: Label) -> bool:
    """Whether it is of what others get a rendition of."""
    return label.attribution is not Attribution.EVERYONE and not label.anonymous


async def _in_collection(hub: Hub, directory: Directory, member: Member, held: HeldCollection, object_id: str) -> list[VersionAnswer]:
    async with hub.db.read() as conn:
        entries = await entries_of(conn, held.row, [object_id])
        rows = [entry.version_row for entry in entries]
        kids = await find_kids(conn, rows) if entries else {}
        sent = await find_kids(conn, rows, of_messages=True) if entries else {}
        labels = {label.id: label for label in await list_labels(conn, held.row)} if entries else {}
    if not entries:
        return []
    may_read = (await rights(hub, directory, Principal("", Role.READER, member), held.collection)).can_read
    seen = await see(hub, directory, member, held) if may_read else Seen(View((), {}, everything=False), "", 0, 0)
    bundle = await hub.policies(directory)
    found: list[VersionAnswer] = []
    for entry in entries:
        parts = [Label.from_canonical(labels[part].canonical) for part in labels[entry.label].parts]
        answers = tuple(LabelAnswer(part, bundle.explain_label(member, part, held.collection)) for part in parts)
        since = seen.view.effective_us(entry.label, entry.date_us, entry.ordinal, seen.clock_us)
        in_view = since is not None and since <= seen.clock_us
        shown = format_timestamp(since) if since is not None and in_view else None
        rests_on = basis(hub, directory, held.collection)
        signed, brought = kids.get(entry.version_row, {}), sent.get(entry.version_row, {})
        is_suspect = any(directory.keys[kid].is_suspect_at(accepted_us) for kid, accepted_us in (signed | brought).items())
        date_added = format_timestamp(entry.date_us)
        answer = VersionAnswer(
            held, entry.version_us, date_added, in_view, shown, answers, rests_on, tuple(signed), tuple(brought), is_suspect
        )
        found.append(answer)
    return found
