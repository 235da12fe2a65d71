"""Everything that the members of the demo share, as pushes in the order in which they were made."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import orjson

from hub.demo import agency, intellectual_property, networks, relays, utilities
from hub.demo.author import Author
from hub.domain.ids import GroupId


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one member pushes into one collection: a TAXII envelope."""

    member: str  # slug
    collection: str  # alias
    envelope: bytes


_DESKS: tuple[tuple[str, str, Callable[[Author], None]], ...] = (
    ("cyber-agency", "advisories", agency.advise),
    ("cyber-agency", "indicators", relays.share_relays),
    ("energy", "indicators", utilities.share_energy),
    ("water", "indicators", utilities.share_water),
    ("telecoms", "indicators", networks.share_telecoms),
    ("transport", "indicators", networks.share_transport),
    ("ip-office", "ip-protection", intellectual_property.advise),
)


def contributions(as_of: datetime, circle: GroupId) -> Iterator[Contribution]:
    """Yield the pushes of the demo. Nothing in them is dated after `as_of` (aware UTC); equal arguments give equal bytes."""
    for slug, collection, write in _DESKS:
        author = Author(slug, as_of, circle)
        write(author)
        objects = b",".join(orjson.dumps(orjson.loads(written.serialize())) for written in author.objects)
        yield Contribution(slug, collection, b'{"objects":[' + objects + b"]}")
