"""The definitions of the hub's extensions come to a collection with the first object that refers to them, just before it.

So whoever reads a signed object can resolve its extension there, and collections without any hold nothing that nobody needs. With what is
given anonymously they come when its rendition does (`hub.service.renditions`): earlier they would tell when it was given.
"""

from collections.abc import Iterable, Sequence

from hub.domain.anonymity import label_of_hub_identity
from hub.domain.appending import Incoming
from hub.domain.directory import Directory, HeldCollection
from hub.domain.label import Attribution
from hub.domain.signing.extension import definitions
from hub.domain.signing.object_signature import SIGNATURE_EXTENSION
from hub.service.context import Hub
from hub.service.line import Checked


def introductions(hub: Hub, directory: Directory, held: HeldCollection, checked: Iterable[Checked]) -> Sequence[Incoming]:
    """Return the definitions, where one of the objects refers to them and this process does not know that they are there."""
    if held.row in hub.introduced or not any(_is_signed(one) for one in checked):
        return ()
    return introduced_by(directory, held)


def introduced_by(directory: Directory, held: HeldCollection) -> Sequence[Incoming]:
    """Return the definitions, as the hub brings them to a collection."""
    label = label_of_hub_identity(held.collection)
    return [Incoming(one, label, directory.identity) for one in definitions()]


def _is_signed(checked: Checked) -> bool:
    incoming = checked.incoming
    if incoming is None or incoming.label.attribution is not Attribution.EVERYONE:
        return False
    return SIGNATURE_EXTENSION in incoming.object.properties.get("extensions", ())
