"""Who takes part in the demo: members, people, one sharing group, and the collections with their rights.

Ids are fixed, so that notes, scripts and screenshots made with one demo hold for the next. Names are made up.
"""

import hashlib
import uuid
from dataclasses import dataclass

from hub.domain.ids import CollectionId, GroupId, MemberId
from hub.domain.label import Tlp
from hub.domain.member import Member, MemberKind, Role, Standing
from hub.domain.taxii import Collection, Grantee, GranteeKind

_EVERYONE = Grantee(GranteeKind.EVERYONE)
_AGENCIES = Grantee(GranteeKind.KIND, MemberKind.AGENCY)
_OPERATORS = Grantee(GranteeKind.KIND, MemberKind.OPERATOR)
_PARTNERS = Grantee(GranteeKind.KIND, MemberKind.PARTNER)


def stable_uuid(name: str) -> str:
    """Return the UUID that stands for `name` in every demo, in the form of version 4 that STIX and TAXII ask for."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"fusion-hub demo: {name}".encode()).digest()[:16], version=4))


def member_id(slug: str) -> MemberId:
    """Return the STIX identity of a member of the demo."""
    return MemberId(f"identity--{stable_uuid(slug)}")


@dataclass(frozen=True, slots=True)
class Circle:
    """A sharing group of the demo and the slugs of its members."""

    id: GroupId
    slug: str
    name: str
    members: tuple[str, ...]


OT_CIRCLE = Circle(
    GroupId(f"marking-definition--{stable_uuid('ot-circle')}"),
    "ot-circle",
    "Operational Technology Circle",
    ("cyber-agency", "energy", "water"),
)


def members() -> list[Member]:
    """Return the members of the demo. The standing is where each would begin; what moves it comes from what they give."""
    agency, operator, partner = MemberKind.AGENCY, MemberKind.OPERATOR, MemberKind.PARTNER
    return [
        _member("cyber-agency", "National Cyber Resilience Agency", agency, "government", Standing.PARTNER),
        _member("ip-office", "Office for Intellectual Property Protection", agency, "government", Standing.PARTNER),
        _member("energy", "Northmoor Grid plc", operator, "energy", Standing.PARTNER),
        _member("water", "Calder Vale Water", operator, "water", Standing.CONTRIBUTOR),
        _member("telecoms", "Meridian Telecom", operator, "communications telecommunications", Standing.CONTRIBUTOR),
        _member("transport", "Crossway Rail and Ports", operator, "transport transportation", Standing.CONTRIBUTOR),
        _member("soc", "Harrier Security Operations", partner, "energy water", Standing.PARTNER),
        _member("observer", "Tarnside Chemicals", operator, "chemicals", Standing.OBSERVER),
    ]


def role_of(member: Member) -> Role:
    """Return the role of the one person who signs in for a member: the agency that runs the sharing groups also manages them."""
    return Role.COORDINATOR if member.slug == "cyber-agency" else Role.PUBLISHER


def collections(api_root: str) -> list[Collection]:
    """Return the collections of the demo, in the API Root `api_root`."""
    return [
        Collection(
            _collection_id("advisories"), api_root, "Advisories", "advisories",
            "What agencies advise on threats to essential services, with the objects that an advisory stands on.",
            readers=frozenset({_EVERYONE}), writers=frozenset({_AGENCIES}), default_tlp=Tlp.GREEN,
        ),
        Collection(
            _collection_id("ip-protection"), api_root, "Intellectual property protection", "ip-protection",
            "Advice on keeping know-how, designs and research from theft and coercion, online and off.",
            readers=frozenset({_EVERYONE}), writers=frozenset({_only("ip-office")}), default_tlp=Tlp.GREEN, topic="ip-protection",
        ),
        Collection(
            _collection_id("indicators"), api_root, "Indicators", "indicators",
            "What operators and agencies see: indicators, observations, sightings and what they think of them.",
            readers=frozenset({_OPERATORS, _AGENCIES, _PARTNERS}), writers=frozenset({_OPERATORS, _AGENCIES}),
        ),
        Collection(
            _collection_id("sandbox"), api_root, "Sandbox", "sandbox",
            "Empty: a place to try a push and a poll.",
            readers=frozenset({_only("energy"), _only("water")}), writers=frozenset({_only("energy")}),
        ),
    ]  # fmt: skip


def _member(slug: str, name: str, kind: MemberKind, sectors: str, standing: Standing) -> Member:
    return Member(member_id(slug), slug, name, kind, frozenset(sectors.split()), standing)


def _collection_id(alias: str) -> CollectionId:
    return CollectionId(stable_uuid(f"collection {alias}"))


def _only(slug: str) -> Grantee:
    return Grantee(GranteeKind.MEMBER, member_id(slug))
