"""Who takes part in a benchmark, what they share, and how that is spread over labels.

| member   | belongs to groups    | sees of what is seeded                                  |
|----------|----------------------|---------------------------------------------------------|
| producer | all                  | everything; it seeds                                    |
| whole    | all                  | everything                                              |
| most     | all but one          | three entries in four, in some fifty labels             |
| rare     | the two rare ones    | one entry in a thousand, in twelve labels               |
| pusher   | none                 | what carries no group; it pushes what is measured       |
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.domain.directory import Token
from hub.domain.ids import CollectionId, GroupId, MemberId
from hub.domain.label import Label, Tlp
from hub.domain.labelling import label_of
from hub.domain.marking import TLP_OF, resolve
from hub.domain.member import Member, MemberKind, Role, SharingGroup, Standing
from hub.domain.stix import Limits, read_object
from hub.domain.taxii import Collection, Grantee, GranteeKind
from hub.domain.token import TEST, hash_secret, new_token
from hub.store.collections import add_collection
from hub.store.credentials import add_token
from hub.store.database import Connection
from hub.store.directory import bump_revision
from hub.store.members import add_group, add_member, join_group
from tests.bench.content import indicator

RARE_ONE_IN = 1_000
_GROUPS = [SharingGroup(GroupId(f"marking-definition--0b5e0000-0000-4000-8000-{n:012x}"), f"circle-{n}", f"Circle {n}") for n in range(10)]
_COMMON, _RARE = _GROUPS[:8], _GROUPS[8:]
_EVERYONE = frozenset({Grantee(GranteeKind.EVERYONE)})
_SLUGS = ("producer", "whole", "most", "rare", "pusher")

COLLECTION = Collection(
    CollectionId("0b5e0000-0000-4000-8000-00000000c011"), "hub", "Indicators", "indicators",
    readers=_EVERYONE, writers=_EVERYONE, default_tlp=Tlp.GREEN,
)  # fmt: skip
OBJECTS_PATH = f"/taxii2/hub/collections/{COLLECTION.id}/objects/"


@dataclass(frozen=True, slots=True)
class Marked:
    """Markings that seeded objects carry, and the label that the hub gives to objects with them."""

    markings: tuple[str, ...]
    label: Label


@dataclass(frozen=True, slots=True)
class Community:
    """The members, by slug, and what they authenticate with."""

    members: Mapping[str, Member]
    tokens: Mapping[str, str]


async def add_community(conn: Connection, secret: bytes, *, now_us: int) -> Community:
    """Insert members, groups, tokens and the collection into a hub that is installed."""
    joined = {"producer": _GROUPS, "whole": _GROUPS, "most": _GROUPS[1:], "rare": _RARE, "pusher": []}
    members, tokens = {}, {}
    for group in _GROUPS:
        await add_group(conn, group, now_us=now_us)
    for n, slug in enumerate(_SLUGS):
        id = MemberId(f"identity--0b5e0000-0000-4000-8000-{n:012x}")
        groups = frozenset(group.id for group in joined[slug])
        members[slug] = Member(id, slug, slug.capitalize(), MemberKind.OPERATOR, standing=Standing.STEWARD, groups=groups)
        await add_member(conn, members[slug], now_us=now_us)
        for group in sorted(groups):
            await join_group(conn, group, id, now_us=now_us)
        token, tokens[slug] = new_token(TEST)
        await add_token(conn, Token(token.id, id, "bench", Role.PUBLISHER, hash_secret(secret, token.secret), now_us, None, None))
    await add_collection(conn, COLLECTION, now_us=now_us)
    await bump_revision(conn)
    return Community(members, tokens)


def common_labels(producer: Member) -> list[Marked]:
    """Return the labels of all but one object in a thousand: pairs of the common groups, in each colour but RED."""
    return [_marked(producer, tlp, pair) for pair in itertools.combinations(_COMMON, 2) for tlp in _COLOURS]


def rare_labels(producer: Member) -> list[Marked]:
    """Return the labels that are all that the member `rare` sees."""
    return [_marked(producer, tlp, groups) for groups in ([_RARE[0]], [_RARE[1]], _RARE) for tlp in _COLOURS]


_COLOURS = (Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER, Tlp.AMBER_STRICT)
_MARKING_OF = {tlp: next(id for id, colour in TLP_OF.items() if colour is tlp) for tlp in _COLOURS}


def _marked(producer: Member, tlp: Tlp, groups: Sequence[SharingGroup]) -> Marked:
    markings = (_MARKING_OF[tlp], *(group.id for group in groups))
    obj = read_object(indicator(0, markings), limits=Limits())
    resolution = resolve(obj, known={}, groups=[group.id for group in _GROUPS], default=COLLECTION.default_tlp)
    return Marked(markings, label_of(resolution, producer, COLLECTION))
