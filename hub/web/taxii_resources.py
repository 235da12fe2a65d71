"""TAXII resources as bytes, from the domain's values.

Rules:
* Objects go out as the bytes that came in: a page is stored bytes joined.
* No empty lists: a list that would be empty is left out (TAXII 2.1 §2). What remains is never shorter than four bytes.
* `next` goes with `more`, always both or neither: clients look at one or the other.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from hub.domain.policy import CollectionDecision
from hub.domain.taxii import (
    MEDIA_TYPE_STIX,
    MEDIA_TYPE_TAXII,
    ApiRoot,
    Collection,
    ManifestPage,
    ObjectPage,
    Outcome,
    Status,
    VersionPage,
)
from hub.domain.timestamp import format_timestamp

# Clients that guess the encoding of short bodies read a bare `{}` as UTF-16.
_EMPTY = b"{}  \n"


def discovery(title: str, description: str | None, contact: str | None, roots: Sequence[ApiRoot], base_url: str) -> bytes:
    """Return the discovery resource (§4.1.1), naming the API Roots under `base_url`, which does not end in a slash."""
    urls = {root.slug: f"{base_url}/taxii2/{root.slug}/" for root in roots}
    default = next((root.slug for root in roots if root.default), next(iter(urls), None))
    return _resource(
        title=title,
        description=description,
        contact=contact,
        default=urls[default] if default else None,
        api_roots=list(urls.values()),
    )


def api_root(root: ApiRoot, *, content_length_max: int) -> bytes:
    """Return an API Root resource (§4.2.1)."""
    return _resource(title=root.title, description=root.description, versions=[MEDIA_TYPE_TAXII], max_content_length=content_length_max)


def collection(found: Collection, decision: CollectionDecision) -> bytes:
    """Return a collection resource (§5.2.1) with the rights of the caller."""
    return orjson.dumps(_collection(found, decision))


def collections(found: Iterable[tuple[Collection, CollectionDecision]]) -> bytes:
    """Return a collections resource (§5.1.1)."""
    return _resource(collections=[_collection(one, decision) for one, decision in found])


def envelope(page: ObjectPage) -> bytes:
    """Return an envelope (§3.7) around the objects of a page."""
    if not page.objects:
        return _EMPTY
    if page.next is None:
        return b'{"objects":[%b]}' % page.objects
    return b'{"objects":[%b],"more":true,"next":"%b"}' % (page.objects, page.next.encode())


def manifest(page: ManifestPage) -> bytes:
    """Return a manifest resource (§5.3.1), with `next` beside `more`, as clients' pagers need it."""
    records = [
        {"id": object_id, "date_added": format_timestamp(date_us), "version": version, "media_type": MEDIA_TYPE_STIX}
        for object_id, date_us, version in page.records
    ]
    return _resource(objects=records, more=page.next is not None or None, next=page.next)


def versions(page: VersionPage) -> bytes:
    """Return a versions resource (§5.8.1), with `next` beside `more`, as clients' pagers need it."""
    return _resource(versions=page.versions, more=page.next is not None or None, next=page.next)


def status(found: Status) -> bytes:
    """Return a status resource (§4.3.1); its counts add up at every moment."""
    return _resource(
        id=found.id,
        status="complete" if found.complete else "pending",
        request_timestamp=format_timestamp(found.request_us),
        total_count=found.total,
        success_count=len(found.successes),
        failure_count=len(found.failures),
        pending_count=found.total - len(found.successes) - len(found.failures),
        successes=_details(found.successes),
        failures=_details(found.failures),
        pendings=_details(found.pendings),
    )


def _details(outcomes: Iterable[Outcome]) -> list[dict[str, str]]:
    return [_without_absent({"id": o.id, "version": o.version, "message": o.failure or o.warning}) for o in outcomes]


def _collection(found: Collection, decision: CollectionDecision) -> dict[str, Any]:
    described = {
        "id": found.id,
        "title": found.title,
        "description": found.description,
        "alias": found.alias,
        "can_read": decision.can_read,
        "can_write": decision.can_write,
        "media_types": found.media_types,
    }
    return _without_absent(described)


def _resource(**properties: Any) -> bytes:
    present = _without_absent(properties)
    return orjson.dumps(present) if present else _EMPTY


def _without_absent(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value not in (None, [], ())}
