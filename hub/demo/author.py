"""A member of the demo at its desk: writes STIX 2.1 objects with the stix2 library, under a marking, at a time before the demo began.

- An object's id depends on its author and its key only, so that the same demo made twice holds the same objects.
- Whoever reads an object without knowing the hub's extensions still gets all that matters: they only say who else may read it, and how.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import stix2.v21 as stix

from hub.demo.community import member_id, stable_uuid
from hub.domain.ids import GroupId
from hub.domain.label import Severity, Tlp
from hub.domain.marking import SHARING_EXTENSION, TLP2_IDS


def object_id(slug: str, type: str, key: str) -> str:
    """Return the id of the object of a type that a member wrote under `key`."""
    return f"{type}--{stable_uuid(f'{slug}/{key}')}"


def attack(external_id: str) -> list[dict[str, str]]:
    """Return the external reference to an ATT&CK technique, group or piece of software."""
    kind = {"T": "techniques", "S": "software", "G": "groups"}[external_id[0]]
    path = external_id.replace(".", "/")
    return [{"source_name": "mitre-attack", "external_id": external_id, "url": f"https://attack.mitre.org/{kind}/{path}"}]


def phase(*names: str, chain: str = "mitre-ics-attack") -> list[dict[str, str]]:
    """Return kill chain phases."""
    return [{"kill_chain_name": chain, "phase_name": name} for name in names]


@dataclass(frozen=True, slots=True)
class Sharing:
    """Whom an author means an object for: a TLP colour, and what narrows or hastens it."""

    tlp: Tlp
    sectors: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()  # slugs of members
    in_circle: bool = False  # within the sharing group of the demo only
    severity: Severity | None = None
    reciprocal: bool = False  # those who give less get it later

    def properties(self, circle: GroupId) -> dict[str, Any]:
        """Return the properties that say so on a STIX object."""
        markings = [TLP2_IDS[self.tlp], *([circle] if self.in_circle else [])]
        said: dict[str, Any] = {}
        if self.recipients:
            said["recipients"] = [member_id(slug) for slug in self.recipients]
        if self.sectors:
            said["sectors"] = list(self.sectors)
        if self.severity:
            said["severity"] = self.severity.value
        if self.reciprocal:
            said["release"] = "reciprocal"
        extensions = {SHARING_EXTENSION: {"extension_type": "property-extension", **said}} if said else {}
        return {"object_marking_refs": markings, **({"extensions": extensions} if extensions else {})}


class Author:
    """One member's objects, in the order in which it wrote them."""

    def __init__(self, slug: str, as_of: datetime, circle: GroupId) -> None:
        self.slug, self.id, self.as_of, self.circle = slug, member_id(slug), as_of, circle
        self.objects: list[Any] = []

    def ago(self, days: float) -> datetime:
        """Return the moment `days` before the demo's day."""
        return self.as_of - timedelta(days=days)

    def write(self, kind: Any, key: str, sharing: Sharing, *, days: float, edited: float | None = None, **properties: Any) -> Any:
        """Add an SDO, an SRO or an extension definition, written `days` ago, last changed `edited` days ago, and return it."""
        properties = _with_extensions(sharing.properties(self.circle), properties)
        written = kind(
            id=object_id(self.slug, kind._type, key),  # noqa: SLF001 - the library offers no other way to a class's type
            created_by_ref=self.id,
            created=self.ago(days),
            modified=self.ago(days if edited is None else edited),
            **properties,
        )
        return self._keep(written)

    def observe(self, kind: Any, sharing: Sharing, **properties: Any) -> Any:
        """Add a cyber-observable object; its id follows from what it is."""
        return self._keep(kind(**_with_extensions(sharing.properties(self.circle), properties)))

    def relate(self, source: str, how: str, target: str, sharing: Sharing, *, days: float, **properties: Any) -> Any:
        """Add a relationship between two objects, given by id."""
        key = f"{source} {how} {target}"
        return self.write(
            stix.Relationship, key, sharing, days=days, source_ref=source, relationship_type=how, target_ref=target, **properties
        )

    def indicate(
        self, key: str, sharing: Sharing, pattern: str, *, days: float, name: str, valid_days: float = 90, **properties: Any
    ) -> Any:
        """Add an indicator with a STIX pattern, valid from when it was written."""
        return self.write(
            stix.Indicator, key, sharing, days=days, name=name, pattern=pattern, pattern_type="stix",
            valid_from=self.ago(days), valid_until=self.ago(days - valid_days), **properties,
        )  # fmt: skip

    def sight(self, key: str, what: str, sharing: Sharing, *, days: float, count: int, summary: str, **properties: Any) -> Any:
        """Add a sighting of an object by this member; a count of 0 says that it looked and found nothing."""
        return self.write(
            stix.Sighting, key, sharing, days=days, sighting_of_ref=what, where_sighted_refs=[self.id], count=count,
            description=summary, **properties,
        )  # fmt: skip

    def introduce(self, name: str, sectors: tuple[str, ...], description: str, sharing: Sharing, *, days: float) -> Any:
        """Add the identity of this member itself."""
        return self._keep(
            stix.Identity(
                id=self.id, created_by_ref=self.id, created=self.ago(days), modified=self.ago(days), name=name, description=description,
                identity_class="organization", sectors=list(sectors), **sharing.properties(self.circle),
            )
        )  # fmt: skip

    def _keep(self, written: Any) -> Any:
        self.objects.append(written)
        return written


def _with_extensions(sharing: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    extensions = {**sharing.get("extensions", {}), **properties.get("extensions", {})}
    return {**sharing, **properties, **({"extensions": extensions} if extensions else {})}
