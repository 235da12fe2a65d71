"""Whatever a client sends, no answer is a 5xx, and each is a TAXII resource. Hypothesis makes up the requests; the hub is the real one."""

import asyncio
import copy
import http.client
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.data import read_documents
from tests.taxii.content import Object, domain_name, indicator, malware, statement
from tests.taxii.site import MEDIA_TYPE, Site

SETTINGS = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

WORDS = [
    *["", "indicator", "2.1", "2.0", "2026-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "0000-00-00T00:00:00Z", "\x00", "\ud800"],
    *["[a:b = 1]", "identity--x", "marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1"],
    "extension-definition--b1f1a0c2-6d0e-4c5b-9f57-2f1d7c3e8a41",
]
NAMES = """id type spec_version created modified created_by_ref object_marking_refs granular_markings extensions labels pattern
    pattern_type valid_from valid_until revoked external_references definition definition_type name value confidence lang
    defanged object_refs x_any""".split()
SEGMENTS = ["taxii2", "hub", "collections", "shared", "objects", "manifest", "versions", "status", ""]

numbers = st.integers() | st.integers(-(2**70), 2**70) | st.floats()
words, names = st.sampled_from(WORDS), st.sampled_from(NAMES)
scalars = st.none() | st.booleans() | numbers | st.text() | words
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(names | st.text(), v, max_size=4), max_leaves=12)
queries = st.lists(
    st.tuples(
        st.sampled_from(["added_after", "limit", "next", "match[id]", "match[type]", "match[version]", "match[spec_version]", "x"]),
        st.text(max_size=20) | words | st.sampled_from(["1", "all", "last", "first,last", "9" * 30, "-1"]),
    ),
    max_size=3,
)
segments = st.lists(st.sampled_from(SEGMENTS) | st.text(), max_size=7)


def mutants(objects: list[Object]) -> st.SearchStrategy[Object]:
    """Return objects of which up to three properties, at any depth of the first two levels, are lost or something else."""

    @st.composite
    def mutated(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Object:
        obj = copy.deepcopy(draw(st.sampled_from(objects)))
        for _ in range(draw(st.integers(1, 3))):
            inner = [value for value in obj.values() if isinstance(value, dict) and value]
            target = draw(st.sampled_from([obj, *inner]))
            name = draw(st.sampled_from(sorted(target)) | names) if target else draw(names)
            if draw(st.booleans()):
                target[name] = draw(values)
            else:
                target.pop(name, None)
        return obj

    return mutated()


class Client:
    """A blocking client that sends anything and checks every answer."""

    def __init__(self, site: Site) -> None:
        self._conn = http.client.HTTPConnection(urlsplit(site.url).netloc, timeout=20)
        self._headers = {"Authorization": str(site.energy.authorization), "Content-Type": MEDIA_TYPE}

    def send(self, method: str, path: str, body: bytes | None = None) -> int:
        self._conn.putrequest(method, path, skip_accept_encoding=True)
        for name, value in self._headers.items():
            self._conn.putheader(name, value)
        if body is not None:
            self._conn.putheader("Content-Length", str(len(body)))
        self._conn.endheaders(body)
        response = self._conn.getresponse()
        answer = response.read()
        assert response.status < 500, answer
        assert response.getheader("Content-Type") == MEDIA_TYPE
        assert not answer or isinstance(json.loads(answer), dict)
        return response.status

    def push(self, body: bytes) -> int:
        return self.send("POST", "/taxii2/hub/collections/shared/objects/", body)

    def close(self) -> None:
        self._conn.close()


async def fuzz(site: Site, run: Callable[[Client], None]) -> None:
    client = Client(site)
    try:
        await asyncio.to_thread(run, client)
    finally:
        client.close()
    assert (await site.energy.get("/taxii2/hub/collections/shared/objects/")).status == 200


def written(value: Any) -> bytes:
    return json.dumps(value).encode()


async def test_any_json_and_any_bytes_as_a_push(either_site: Site) -> None:
    bodies = (
        st.binary(max_size=200)
        | values.map(written)
        | st.fixed_dictionaries({"objects": values}).map(written)
        | st.lists(values, max_size=3).map(lambda v: written({"objects": v}))
    )

    @settings(max_examples=150, **SETTINGS)
    @given(bodies)
    def run_on(client: Client, body: bytes) -> None:
        assert client.push(body) in (202, 400, 413, 422)

    await fuzz(either_site, run_on)


async def test_objects_that_are_nearly_right(either_site: Site) -> None:
    @settings(max_examples=250, **SETTINGS)
    @given(objects=st.lists(mutants([indicator(), malware(), domain_name(), statement()]), min_size=1, max_size=3))
    def run_on(client: Client, objects: list[Object]) -> None:
        assert client.push(written({"objects": objects})) in (202, 400, 422)

    await fuzz(either_site, run_on)


async def test_real_objects_that_were_mutated(site: Site) -> None:
    documents = [json.loads(body) for _, body in read_documents("stix21/oasis-examples")]
    real = [obj for document in documents if isinstance(document, dict) for obj in document.get("objects", [document])]

    @settings(max_examples=250, **SETTINGS)
    @given(objects=st.lists(mutants(real), min_size=1, max_size=3))
    def run_on(client: Client, objects: list[Object]) -> None:
        assert client.push(written({"objects": objects})) in (202, 400, 422)

    await fuzz(site, run_on)


async def test_any_path_query_and_method(either_site: Site) -> None:
    def quoted(text: str) -> str:
        return "".join(f"%{byte:02X}" for byte in text.encode("utf-8", "surrogatepass"))

    @settings(max_examples=250, **SETTINGS)
    @given(path=segments, query=queries, method=st.sampled_from(["GET", "GET", "GET", "DELETE", "HEAD", "OPTIONS", "PUT"]))
    def run_on(client: Client, path: list[str], query: list[tuple[str, str]], method: str) -> None:
        start = "/taxii2/hub/collections/shared" if len(path) < 4 else "/taxii2"
        url = "/".join([start, *map(quoted, path)])
        status = client.send(method, f"{url}?{'&'.join(f'{quoted(name)}={quoted(value)}' for name, value in query)}")
        assert 200 <= status < 500

    await fuzz(either_site, run_on)
