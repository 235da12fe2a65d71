"""Making a hub the demo: its community through the administration, its content through admission, as the members that wrote it.

Each step finds what an earlier, interrupted start has done, so that it can be run again at any time.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hub.demo.community import (
    AGREEMENT_BASIS,
    AGREEMENT_PARTIES,
    AGREEMENT_PURPOSE,
    AGREEMENT_SLUG,
    AGREEMENT_TITLE,
    CIRCLE_MEMBERS,
    CIRCLE_NAME,
    CIRCLE_SLUG,
    COLLECTIONS,
    SIGNATORIES,
    SIGNING_MEMBERS,
    SampleCollection,
    members,
    role_of,
)
from hub.demo.content import contributions
from hub.domain.directory import Directory
from hub.domain.member import Principal, Role
from hub.domain.signing.keys import Signer
from hub.domain.signing.object_signature import sign_object
from hub.domain.signing.possession import prove
from hub.domain.taxii import Outcome
from hub.errors import ConfigError
from hub.service.administer import COMMAND_LINE
from hub.service.admit import push
from hub.service.agreements import Signature, add_agreement
from hub.service.collections import add_collection
from hub.service.context import Hub
from hub.service.groups import add_group
from hub.service.install import DEFAULT_ROOT
from hub.service.member_keys import issue_challenge, register_key
from hub.service.members import add_member
from hub.service.people import add_person

ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Seed:
    """What differs from demo to demo: the passwords, by username, and the day on which the content was written."""

    passwords: Mapping[str, str]
    as_of: datetime

    def to_json(self) -> str:
        return json.dumps({"as_of": self.as_of.isoformat(), "passwords": dict(self.passwords)}, indent=2)

    @classmethod
    def from_json(cls, text: str) -> "Seed":
        """Return what `to_json` wrote."""
        held = json.loads(text)
        return cls(held["passwords"], datetime.fromisoformat(held["as_of"]).astimezone(UTC))


def usernames() -> list[str]:
    """Return everybody who signs in: the administrator, and one person for each member, named like it."""
    return [ADMIN, *(member.slug for member in members())]


async def is_inhabited(hub: Hub) -> bool:
    """Return whether the hub has members or people already."""
    directory = await hub.directory()
    return bool(directory.members or directory.people)


async def settle_community(hub: Hub, seed: Seed) -> None:
    """Add the members, people, sharing group, agreement and collections of the demo that are not there yet."""
    held = await hub.directory()
    if ADMIN not in held.people:
        await add_person(hub, COMMAND_LINE, username=ADMIN, password=seed.passwords[ADMIN], role=Role.ADMIN, member=None)
    for member in members():
        if member.id not in held.members:
            await add_member(
                hub, COMMAND_LINE, slug=member.slug, name=member.name, kind=member.kind, sectors=member.sectors,
                standing=member.standing, id=member.id,
            )  # fmt: skip
        if member.slug not in held.people:
            password = seed.passwords[member.slug]
            await add_person(
                hub, COMMAND_LINE, username=member.slug, password=password, role=role_of(member), member=member.slug
            )  # fmt: skip
    if held.find_group(CIRCLE_SLUG) is None:
        await add_group(hub, COMMAND_LINE, slug=CIRCLE_SLUG, name=CIRCLE_NAME, members=CIRCLE_MEMBERS)
    if held.find_agreement(AGREEMENT_SLUG) is None:
        await _agree(hub, seed.as_of)
    for collection in COLLECTIONS:
        if held.find_collection(DEFAULT_ROOT, collection.alias) is None:
            await _add(hub, collection)


async def register_keys(hub: Hub, signers: Mapping[str, Signer]) -> None:
    """Register the keys of the demo's members that sign, by slug, unless that was done before."""
    directory = await hub.directory()
    for slug in SIGNING_MEMBERS:
        signer = signers[slug]
        if signer.public.kid not in directory.keys:
            issued = issue_challenge(hub, directory, COMMAND_LINE, signer.public.jwk(), member=slug)
            proof = prove(signer, issued.text)
            await register_key(hub, COMMAND_LINE, name="demo", jwk=signer.public.jwk(), challenge=issued.text, proof=proof)


async def share_content(hub: Hub, seed: Seed, signers: Mapping[str, Signer]) -> int:
    """Push what the members of the demo share, and return how many objects that is. What is in already stays as it is.

    Args:
        signers: of those who sign what they write, by slug.
    Raises:
        ConfigError: the hub refused some of it: the community was changed since.
    """
    count = 0
    group = (await hub.directory()).find_group(CIRCLE_SLUG)
    assert group is not None, "the community was settled before"
    for contribution in contributions(seed.as_of, group.id):
        directory = await hub.directory()
        author = directory.find_member(contribution.member)
        principal = Principal(f"person:{contribution.member}", Role.PUBLISHER, author)
        signer = signers.get(contribution.member)
        envelope = contribution.envelope if signer is None else _signed(contribution.envelope, signer)
        status = await push(hub, directory, principal, DEFAULT_ROOT, contribution.collection, envelope)
        if status.failures:
            raise ConfigError(f"the sample content of {contribution.member} was refused: {_told(status.failures[0])}")
        count += status.total
    return count


def describe_demo(directory: Directory, seed: Seed, base_url: str) -> dict[str, Any]:
    """Return the facts of the demo, as tools read them from demo.json."""
    held = {member.slug: member for member in directory.members.values()}
    described = {}
    for slug in (member.slug for member in members()):
        member = held[slug]
        described[slug] = {
            "id": member.id, "name": member.name, "kind": member.kind.value, "sectors": sorted(member.sectors),
            "standing": member.standing.value, "username": slug, "password": seed.passwords[slug],
        }  # fmt: skip
    collections = {}
    for alias in (sample.alias for sample in COLLECTIONS):
        found = directory.find_collection(DEFAULT_ROOT, alias)
        assert found is not None, "the community was settled before"
        url = f"{base_url}/taxii2/{DEFAULT_ROOT}/collections/{found.collection.id}/"
        collections[alias] = {"id": found.collection.id, "title": found.collection.title, "url": url}
    return {
        "base_url": base_url, "discovery_url": f"{base_url}/taxii2/", "console_url": f"{base_url}/", "api_url": f"{base_url}/api/v1/",
        "admin": {"username": ADMIN, "password": seed.passwords[ADMIN]},
        "members": described, "collections": collections,
    }  # fmt: skip


async def _agree(hub: Hub, as_of: datetime) -> None:
    day_us = 24 * 3600 * 1_000_000
    starts_us = int(as_of.timestamp()) * 1_000_000 - 30 * day_us
    await add_agreement(
        hub, COMMAND_LINE, slug=AGREEMENT_SLUG, title=AGREEMENT_TITLE, parties=AGREEMENT_PARTIES, legal_basis=AGREEMENT_BASIS,
        purpose=AGREEMENT_PURPOSE, starts_us=starts_us, review_us=starts_us + 365 * day_us,
        signatories=[Signature(member, person, role, starts_us - day_us) for member, person, role in SIGNATORIES],
    )  # fmt: skip


async def _add(hub: Hub, sample: SampleCollection) -> None:
    await add_collection(
        hub, COMMAND_LINE, title=sample.title, root=DEFAULT_ROOT, alias=sample.alias, description=sample.description,
        readers=sample.readers, writers=sample.writers, default_tlp=sample.default_tlp, topic=sample.topic,
        agreement=sample.agreement,
    )  # fmt: skip


def _signed(envelope: bytes, signer: Signer) -> bytes:
    """Return an envelope with all objects signed that name an author."""
    objects = [obj if "created_by_ref" not in obj else sign_object(obj, signer) for obj in json.loads(envelope)["objects"]]
    return json.dumps({"objects": objects}).encode()


def _told(outcome: Outcome) -> str:
    return f"{outcome.id}: {outcome.failure}"
