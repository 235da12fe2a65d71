"""Who takes part in the demo: members, one sharing group, and the collections with their rights. Names are made up.

Members' ids are fixed, so that notes, scripts and screenshots made with one demo hold for the next.
"""

import hashlib
import uuid
from dataclasses import dataclass

from hub.domain.ids import MemberId
from hub.domain.label import Tlp
from hub.domain.member import Member, MemberKind, Role, Standing

SIGNING_MEMBERS = ("cyber-agency", "energy")  # they sign what they write
CIRCLE_SLUG = "ot-circle"
CIRCLE_NAME = "Operational Technology Circle"
CIRCLE_MEMBERS = ("cyber-agency", "energy", "water")

AGREEMENT_SLUG = "cni-threat-sharing"
AGREEMENT_TITLE = "CNI threat sharing arrangement"
AGREEMENT_PARTIES = ("everyone",)
AGREEMENT_BASIS = "Memorandum of the agencies and operators"
AGREEMENT_PURPOSE = "defence, not supervision"
SIGNATORIES = (
    ("cyber-agency", "Imogen Hale", "Director of Operations"),
    ("energy", "Rowan Tate", "Chief Operating Officer"),
    ("water", "Priya Dale", "Head of Resilience"),
)  # member, person, role


@dataclass(frozen=True, slots=True)
class SampleCollection:
    """A collection of the demo; readers and writers as the administration takes them."""

    alias: str
    title: str
    description: str
    readers: tuple[str, ...]
    writers: tuple[str, ...]
    default_tlp: Tlp = Tlp.AMBER
    topic: str = "threat"
    agreement: str | None = None


COLLECTIONS = (
    SampleCollection(
        "advisories",
        "Advisories",
        "What agencies advise on threats to essential services, with the objects that an advisory stands on.",
        readers=("everyone",),
        writers=("kind:agency",),
        default_tlp=Tlp.GREEN,
    ),
    SampleCollection(
        "ip-protection",
        "Intellectual property protection",
        "Advice on keeping know-how, designs and research from theft and coercion, online and off.",
        readers=("everyone",),
        writers=("member:ip-office",),
        default_tlp=Tlp.GREEN,
        topic="ip-protection",
    ),
    SampleCollection(
        "indicators",
        "Indicators",
        "What operators and agencies see: indicators, observations, sightings and what they think of them.",
        readers=("kind:operator", "kind:agency", "member:soc"),
        writers=("kind:operator", "kind:agency"),
        agreement=AGREEMENT_SLUG,
    ),
    SampleCollection(
        "sandbox",
        "Sandbox",
        "Nothing is here yet: a place to try a push and a poll.",
        readers=("member:energy", "member:water"),
        writers=("member:energy",),
    ),
)


def stable_uuid(name: str) -> str:
    """Return the UUID that stands for `name` in every demo, in the form of version 4 that STIX asks for."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"fusion-hub demo: {name}".encode()).digest()[:16], version=4))


def member_id(slug: str) -> MemberId:
    """Return the STIX identity of a member of the demo."""
    return MemberId(f"identity--{stable_uuid(slug)}")


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


def _member(slug: str, name: str, kind: MemberKind, sectors: str, standing: Standing) -> Member:
    return Member(member_id(slug), slug, name, kind, frozenset(sectors.split()), standing)
