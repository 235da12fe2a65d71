"""Before an append: whether the producer of an object is to be known to everyone, and what others get of it where it is not.

* What an object says and what its producer has set for the collection both count, the narrower of the two. An object that the producer
  gave before stays as it was given, unless a version says otherwise, which is refused.
* A producer cannot hide among few: where fewer than `anonymity_writers_min` members could have written an object, or fewer would get it,
  it is refused. Who may write is policy's answer for members that are not suspended.
* A push that has nothing to do with any of this costs a look at its bytes.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

import orjson

from hub.domain.anonymity import Disguise, Draft, draft_of, label_of_rendition, needs_rendition
from hub.domain.directory import Directory
from hub.domain.ids import GroupId, MemberId
from hub.domain.label import Attribution, Label, Tlp
from hub.domain.marking import MarkingMeaning, Resolution
from hub.domain.member import Member, Principal, Role
from hub.domain.named import Names, domains_in, names_of_identity
from hub.domain.policy import PolicyBundle
from hub.domain.pseudonym import Pseudonyms
from hub.domain.stix import Limits, StixObject
from hub.domain.taxii import Collection
from hub.errors import Invalid
from hub.service.context import Hub
from hub.service.hub_keys import keys_of
from hub.store.anonymity import find_given, find_latest_body

_ID = re.compile(rb"[a-z0-9-]{3,250}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ATTRIBUTION = b"attribution"
_ESCAPED = b"\\u00"  # how a letter of a name can be written so that the name is not seen in the bytes


@dataclass(frozen=True, slots=True)
class Veil:
    """What the objects of a push are checked against where some of them may be anonymous."""

    disguise: Disguise
    setting: Attribution  # the producer's, for the collection
    collection: Collection
    directory: Directory
    bundle: PolicyBundle
    limits: Limits
    writers_min: int
    now_us: int
    _enough: dict[frozenset[GroupId], bool] = field(default_factory=dict)

    def attribution_of(self, obj: StixObject, resolution: Resolution) -> Attribution:
        """Return to whom the producer of an object is to be known."""
        said, before = resolution.attribution, self.disguise.own.get(obj.id)
        if said is None and before is not None:
            return before
        return max(said or Attribution.EVERYONE, self.setting, key=lambda one: one.rank)

    def draft(self, obj: StixObject, resolution: Resolution, label: Label, *, states_colour: bool) -> Draft | None:
        """Return what others get of an object whose original has this label; None: nothing of what only names its producer.

        Raises:
            Invalid: it cannot be given anonymously.
        """
        if not needs_rendition(obj, self.disguise.producer):
            return None
        self._refuse_few(resolution)
        audience = label_of_rendition(label, resolution.recipients)
        return draft_of(obj, self.disguise, resolution, audience, states_colour=states_colour, limits=self.limits, now_us=self.now_us)

    def _refuse_few(self, resolution: Resolution) -> None:
        few = f"fewer than {self.writers_min} members"
        if resolution.unresolved:
            raise Invalid("attribution: it cannot be given anonymously under a marking that the hub does not know")
        if not self._are_enough(frozenset()):
            raise Invalid(f"attribution: {few} may write to this collection, so nobody can give anything to it anonymously")
        if resolution.groups and not self._are_enough(resolution.groups):
            raise Invalid(f"attribution: {few} of its sharing groups may write to this collection; among so few it tells who gave it")
        if resolution.recipients or resolution.tlp is Tlp.RED:
            others = [self.directory.members.get(id) for id in resolution.recipients - {self.disguise.producer}]
            if sum(member is not None and not member.suspended for member in others) < self.writers_min:
                raise Invalid(f"attribution: it is for {few}; so few can tell who gave it")

    def _are_enough(self, groups: frozenset[GroupId]) -> bool:
        known = self._enough.get(groups)
        if known is None:
            writers = islice(filter(self._may_write, self._in_groups(groups)), self.writers_min)
            known = self._enough[groups] = len(list(writers)) == self.writers_min
        return known

    def _in_groups(self, groups: frozenset[GroupId]) -> Iterable[Member]:
        return (member for member in self.directory.members.values() if groups <= member.groups)

    def _may_write(self, member: Member) -> bool:
        return not member.suspended and self.bundle.decide_collection(Principal("", Role.PUBLISHER, member), self.collection).can_write


async def veil_of(
    hub: Hub, directory: Directory, producer: Member, collection: Collection, text: bytes, known: Mapping[str, MarkingMeaning],
    limits: Limits,
) -> Veil | None:  # fmt: skip
    """Return what a push is checked against; None where nothing in it can be anonymous.

    Args:
        text: all its objects, as they were sent.
    """
    setting = directory.attribution_of(producer.id, collection.id)
    said = any(meaning.attribution is not None for meaning in known.values())
    if setting is Attribution.EVERYONE and not said and _ATTRIBUTION not in text and _ESCAPED not in text:
        return None
    ids = {match.decode() for match in set(_ID.findall(text))}
    async with hub.db.read() as conn:
        given = await find_given(conn, ids)
        identity = await find_latest_body(conn, producer.id)
    disguise = Disguise(
        Pseudonyms.of(hub.secret), directory.identity, producer.id, _names(directory, producer, identity),
        {id: known_to for id, owner, known_to in given if owner == producer.id},
        frozenset(_others(directory, producer.id, given)), (await keys_of(hub)).for_objects,
    )  # fmt: skip
    bundle = await hub.policies(directory)
    return Veil(disguise, setting, collection, directory, bundle, limits, hub.config.anonymity_writers_min, hub.now_us())


def named_to(label: Label, known_to: Attribution, producer: MemberId) -> Label:
    """Return the label of an original whose producer is not known to everyone: it stays in its producer's sight."""
    return replace(label, attribution=known_to, producer=producer)


def _others(directory: Directory, producer: MemberId, given: Iterable[tuple[str, MemberId, Attribution]]) -> Iterable[str]:
    """Return what may be referred to: what others gave by name and the producer did not give too, renditions, other members."""
    own = {id for id, owner, _ in given if owner == producer}
    yield from (
        id
        for id, owner, known_to in given
        if id not in own and (owner == directory.identity or (owner != producer and known_to is Attribution.EVERYONE))
    )
    yield directory.identity
    yield from directory.members.keys() - {producer}


def _names(directory: Directory, producer: Member, identity: bytes | None) -> Names:
    names, domains = {producer.name, producer.slug}, set[str]()
    for name in directory.names.get(producer.id, ()):
        found = domains_in(name)
        names.add(name)
        domains |= found
    if identity is not None:
        said, hosts = names_of_identity(orjson.loads(identity))
        names |= said
        domains |= hosts
    return Names.of(names, domains=domains, ids=[producer.id])
