"""What a file of STIX may hold: a bundle, a TAXII envelope, a list, one object, or objects line by line."""

from collections.abc import Iterable, Iterator

from hub.domain.json import read_items, read_members
from hub.errors import Invalid, NotUnderstood


def objects_of(document: bytes) -> list[bytes]:
    """Return the objects in a document as they were written. Whether they are STIX is for admission.

    Raises:
        NotUnderstood: not JSON, and not JSON line by line either.
        Invalid: JSON, but none of the forms above.
    """
    document = document.strip()
    if document.startswith(b"["):
        return read_items(document)
    try:
        members = read_members(document)
    except NotUnderstood:
        lines = list(objects_of_lines(document.split(b"\n")))
        if len(lines) < 2:  # one broken line is a broken document
            raise
        read_members(lines[0])  # a broken document of many lines begins with a line that is no object
        return lines
    if "objects" in members:
        return read_items(members["objects"])
    if members.get("type") == b'"bundle"':
        return []  # STIX 2.1 §8: a bundle may be empty
    if "id" in members or "type" in members:
        return [document]
    raise Invalid("neither a bundle, an envelope, a list nor an object of STIX")


def objects_of_lines(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the objects of newline-delimited JSON, one a line; empty lines are passed over."""
    for line in lines:
        if stripped := line.strip():
            yield stripped
