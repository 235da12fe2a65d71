"""What OASIS's reference server (medallion 3.0.0) answered in its own tests, asked of the hub: it agrees, but for DIFFERENCES.

Their API Root is ours with their objects in it. Dates added cannot be set, so what they say about `added_after` is compared by status only.
"""

import json
import re
from typing import Any

from tests.data import find_data, read_cases
from tests.taxii.site import Reply, Site

ROOT = "/taxii2/hub/"
COLLECTIONS = {
    "91a7b528-80eb-42ed-a74d-c6fbd5a26116": "shared",
    "365fed99-08fa-fdcd-a1b3-fb247eb41d01": "second",
    "64993447-4d7e-4f70-b94d-d7f33742ee63": "dropbox",
}
EXCHANGES = "http/taxii21/medallion-exchanges.jsonl"

TLP_GREEN = "marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da"  # the standard's own: accepted, and held by no collection

_ONLY_21 = "the hub holds STIX 2.1 only: 2.0 is refused at the door and not to be found"
# Why an answer differs, by the test of theirs that it belongs to and a part of the path.
DIFFERENCES = {
    ("test_get_status", "status/"): "their status was put into the store by hand; ours come from pushes only",
    ("test_get_object_spec_version_20", "spec_version"): _ONLY_21,
    ("test_get_version_spec_version_20", "spec_version"): _ONLY_21,
    ("test_get_objects_match_type_spec_version", "/objects/"): _ONLY_21,
    ("test_manifest_spec_version_2021", "=2.0,2.1"): _ONLY_21,
    ("test_SCO_versioning", "/objects/"): "their artifact has neither payload_bin nor url, which STIX 2.1 §6.1 forbids",
    ("test_object_already_present", "/objects/"): "their second copy has no `modified`, which STIX 2.1 §3.1 requires of a relationship",
    ("test_object_pagination_changing_params_400", "first&limit=2&next"): "`next` is a position, not bound to the rest of the query (Q-3)",
}


def ours(path: str) -> str:
    path = path.replace("/trustgroup1/", ROOT)
    for theirs, alias in COLLECTIONS.items():
        path = path.replace(theirs, alias)
    return path


def essence(body: str) -> Any:
    """Return what an answer says, without what is each server's own: order of keys, `more: false`, cursors, dates added, messages."""
    try:
        resource = json.loads(body) if body else {}
    except json.JSONDecodeError:
        return "an error that is no resource"
    if "total_count" in resource:
        return {name: resource[name] for name in ("status", "total_count", "success_count", "failure_count", "pending_count")}
    if "title" in resource:
        return "an error"
    return {
        "more": resource.get("more", False),
        "versions": resource.get("versions", []),
        "objects": sorted(
            (o["id"], str(o.get("version", o.get("modified", o.get("created")))))
            for o in resource.get("objects", [])
            if o["id"] != TLP_GREEN
        ),
    }


async def load(site: Site) -> None:
    """Push their objects of STIX 2.1 into our collection, in the order in which theirs were added."""
    theirs = json.loads(find_data("http/taxii21/medallion-default_data.json").read_text())["trustgroup1"]["collections"]
    held = next(collection for collection in theirs if COLLECTIONS.get(collection["id"]) == "shared")
    added = {(record["id"], record["version"]): record["date_added"] for record in held["manifest"]}
    objects = [obj for obj in held["objects"] if obj.get("spec_version") == "2.1"]
    objects.sort(key=lambda obj: added[obj["id"], obj.get("modified", obj["created"])])
    await site.energy.push(f"{ROOT}collections/shared/", *objects)


async def replay(site: Site, request: Any, cursor: str | None, status: str | None) -> Reply:
    """Send a request of theirs with our cursor and our status id in it."""
    headers = dict(request["headers"])
    path, _, query = ours(request["path"]).partition("?")
    if cursor is not None:
        query = re.sub(r"next=[^&]+", f"next={cursor}", query)
    if status is not None:
        path = re.sub(r"status/[^/]+", f"status/{status}", path)
    caller = site.energy if "Authorization" in headers else site.stranger()
    sent = {name: headers.get(name) for name in ("Accept", "Content-Type")}
    return await caller.send(request["method"], path, query=query, body=request["body"] and request["body"].encode(), headers=sent)


def recorded_tests() -> list[tuple[str, list[Any]]]:
    """Return their tests, each with its exchanges; what was recorded twice in a row happened once."""
    by_test: dict[str, list[Any]] = {}
    for exchange in read_cases(EXCHANGES):
        steps = by_test.setdefault(re.sub(r".*::|\[.*", "", exchange["test"]), [])
        if not steps or steps[-1]["request"] != exchange["request"] or exchange["request"]["method"] == "POST":
            steps.append(exchange)
    return list(by_test.items())


async def test_the_answers_of_medallion_are_ours(site: Site) -> None:
    await load(site)
    differing = set()
    for name, steps in recorded_tests():
        cursor = status = None
        for step in steps:
            path, theirs = step["request"]["path"], step["response"]
            reply = await replay(site, step["request"], cursor, status)
            if reply.body and reply.status < 300:
                cursor = reply.json.get("next", cursor)
                status = reply.json["id"] if reply.status == 202 else status
            by_status = "added_after" in path or reply.status >= 400
            if reply.status != theirs["status"] or not (by_status or essence(reply.body.decode()) == essence(theirs["body"])):
                differing |= {key for key in DIFFERENCES if key[0] == name and key[1] in path} or {(name, path)}
    assert differing == DIFFERENCES.keys()
