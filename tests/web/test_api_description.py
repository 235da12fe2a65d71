"""The description of the API says what the API does, and nothing that a client can send breaks it."""

import asyncio
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from hub.app import build_app
from hub.config import Config
from hub.web.api.openapi import describe
from hub.web.api.routes import OPERATIONS
from tests.web.administered import Community, administered

EXAMPLES = 8  # of each operation that takes a body or a query, half of them about things that are there
EXAMPLES_OF_A_NAME = 3  # of each that takes no more than names: those of things that are there are all alike
PATH_PARAMETERS = {
    "member": "energy", "username": "ann", "group": "circle", "root": "hub", "right": "read", "grantee": "kind:operator",
    "agreement": "accord", "digest": "0123456789abcdef",
}  # fmt: skip
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


@pytest.fixture
def served(sqlite_url: str) -> Iterator[tuple[str, Community]]:
    """A hub that serves from a thread, since schemathesis waits for each answer."""
    ready: list[tuple[str, Community]] = []
    started, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with administered(sqlite_url) as site:
            ready.append((site.running.url, site.community))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert started.wait(30)
    yield ready[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


def test_every_route_is_described_with_its_models():
    document = describe(Config(contact="someone"), OPERATIONS)
    assert document["openapi"] == "3.1.0"
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    routes = {(route.method, route.resource.canonical) for route in build_app(Config()).router.routes() if route.resource is not None}
    assert described == {
        (method, path.removeprefix("/api/v1")) for method, path in routes if path.startswith("/api/") and method != "HEAD"
    } - {("GET", "/openapi.json")}
    ids = [operation["operationId"] for methods in document["paths"].values() for operation in methods.values()]
    assert len(ids) == len(set(ids))


def test_every_reference_of_the_description_leads_somewhere_and_every_schema_is_used():
    document = describe(Config(), OPERATIONS)
    references = set(re.findall(r"'\$ref': '#/components/(\w+/[^']+)'", str(document)))
    held = {f"{kind}/{name}" for kind in ("schemas", "responses") for name in document["components"][kind]}
    queries = {f"schemas/{operation.takes.__name__}" for operation in OPERATIONS if operation.reads and operation.takes}  # as parameters
    assert references - held == set()
    assert held - references <= queries | {"responses/" + status for status in ("bad_request", "conflict")}


def test_no_secret_has_a_place_in_what_is_shown():
    schemas = describe(Config(), OPERATIONS)["components"]["schemas"]
    given = {name for name in schemas if name.startswith("New") or name.endswith("Change")}
    shown = {field for name in schemas.keys() - given for field in schemas[name].get("properties", {})}
    assert shown.isdisjoint({"password", "password_hash", "secret", "secret_hash", "pem", "epoch"})


def test_nothing_that_a_client_can_send_breaks_the_api(served: tuple[str, Community]):
    """Each answer is one that the description names, in the shape that it gives."""
    url, community = served
    there = PATH_PARAMETERS | {
        "token": community.tokens["reader"].split("_")[2], "spki_sha256": community.certificate, "collection": community.collection,
        "release": community.release, "item": community.item_of_water, "request": community.item, "contest": community.contest,
        "subscription": community.subscription,
        "lift": "3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99", "kid": community.key,
    }  # fmt: skip
    headers = {"Authorization": f"Bearer {community.tokens['admin']}"}
    schema = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json", headers=headers)
    asked = [try_operation(found.ok(), there, headers) for found in schema.get_all_operations()]
    assert len(asked) == len(OPERATIONS)


def try_operation(operation: Any, there: dict[str, str], headers: dict[str, str]) -> None:
    examples = EXAMPLES if operation.body or operation.query else EXAMPLES_OF_A_NAME

    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )  # fmt: skip
    @given(case=operation.as_strategy(), known=st.booleans())
    def ask(case: Any, known: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        if known:
            case.path_parameters = {name: there[name] for name in case.path_parameters or {}}
        if operation.path == "/stream":
            case.query = {**(case.query or {}), "wait": "false"}  # else an answer has no end
        case.validate_response(case.call(headers=headers), checks=CHECKS)

    ask()
