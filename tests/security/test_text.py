"""Rows 15 to 19 and 21 of the threat table: what is sent is data, wherever it comes out again, and what is odd is refused by name.

Rows 16 (links that are live) and 18 (formulas in CSV) have no place of their own yet: the hub serves no page and writes no CSV, so all
that can be held to is that content goes out as JSON, under a type that no browser renders and no spreadsheet opens.
"""

import io
import json
import logging
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.cursor import seal
from hub.domain.ids import CollectionId
from hub.domain.stix import Limits, read_object
from hub.errors import Invalid
from hub.logs import configure_logs
from tests.taxii.community import SECOND, SHARED
from tests.taxii.content import DAY_1, Object, envelope, indicator, malware
from tests.taxii.site import MEDIA_TYPE, Reply, Site
from tests.web.administered import Administered, administered

SCRIPTS = [
    "<script>alert(1)</script>", "<ScRiPt src=//x.example/a.js></ScRiPt>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>",
    "<iframe srcdoc='<script>alert(1)</script>'>", "</script><script>alert(1)</script>", "<body onload=alert(1)>",
    "<a href=javascript:alert(1)>x",
    "javascript:alert(1)", "data:text/html,<script>alert(1)</script>", "'\"><b>", "{{7*7}}", "${7*7}", "<%= 7*7 %>", "<!--<script>",
    "]]><x>",
    "<math><mtext></table><mglyph><style><img src=x onerror=alert(1)>", "&lt;script&gt;", "<x\u2028onclick=alert(1)>", "\u202e>tpircs<",
]  # fmt: skip
LINKS = ["http://malicious.example/drop.exe", "![x](http://malicious.example/pixel.png)", "[click](http://malicious.example/)"]
FORMULAS = ["=cmd|' /C calc'!A0", "+1+cmd|' /C calc'!A0", "-2+3", "@SUM(1+1)", "\t=1+1", "\r=1+1", '=HYPERLINK("http://malicious.example")']
BREAKS = ["a\r\nb", "a\nb", '"}\n{"event":"forged"}', "\x1b[31mred\x1b[0m", "a\u2028b\u2029c", "a\x85b", "\x07\x08\x7f"]


@pytest.fixture
async def api(sqlite_url: str) -> AsyncIterator[Administered]:
    async with administered(sqlite_url) as site:
        yield site


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is logged while the test runs, as `hub serve` would write it."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs("debug", stream)
    yield stream
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    logging.captureWarnings(capture=False)
    root.handlers[:], root.level = handlers, level


def assert_inert(reply: Reply) -> None:
    assert reply.headers.getall("Content-Type") == [MEDIA_TYPE]
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def everywhere(text: str) -> Object:
    """Return an object that says `text` wherever an author may write what it likes."""
    return malware(
        name=text, description=text, labels=[text], aliases=[text], x_note=text, x_deep={"x_in": [text]},
        external_references=[{"source_name": text, "description": text}],
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["row_15_scripts", "row_16_links", "row_18_formulas", "row_17_line_breaks"])
async def test_text_comes_back_as_data_of_a_type_that_nothing_renders(site: Site, shared: str, kind: str) -> None:
    texts = {"row_15_scripts": SCRIPTS, "row_16_links": LINKS, "row_18_formulas": FORMULAS, "row_17_line_breaks": BREAKS}[kind]
    objects = [everywhere(text) for text in texts]
    await site.energy.push(shared, *objects)
    page = await site.water.get(f"{shared}objects/")
    assert page.objects == objects
    for path in ("objects/", "manifest/", f"objects/{objects[0]['id']}/", f"objects/{objects[0]['id']}/versions/"):
        assert_inert(await site.water.get(shared + path))


@pytest.mark.parametrize("text", [*SCRIPTS, *BREAKS])
async def test_row_15_an_error_that_repeats_what_was_sent_is_data_too(site: Site, shared: str, text: str) -> None:
    refused = await site.energy.push_raw(shared, json.dumps({"objects": [{**malware(), "is_family": text}, {"id": text}]}).encode())
    assert refused.json["failure_count"] == 2
    quoted = "".join(f"%{byte:02x}" for byte in text.encode())
    replies = [refused]
    for path, query in ((f"{shared}objects/{quoted}/", ""), (f"/taxii2/{quoted}/", ""), (f"{shared}objects/", f"added_after={quoted}")):
        replies.append(await site.energy.get(path, query))
    for reply in replies:
        assert_inert(reply)
        assert not set("\r\n\x1b\x85\u2028\u2029") & set(reply.body.decode()), "JSON escapes it"


@pytest.mark.parametrize("text", SCRIPTS)
async def test_row_15_the_api_answers_data_too(api: Administered, text: str) -> None:
    answer = await api.ask("admin", "POST", "/members", {"slug": text, "name": text, "kind": text})
    assert answer.status == 422
    assert answer.headers["Content-Type"] == "application/problem+json"
    named = await api.ask("coordinator", "PATCH", "/groups/circle", {"name": text})
    assert named.headers["Content-Type"] in ("application/json", "application/problem+json")


async def test_row_17_what_a_push_says_breaks_no_line_of_the_log(written: io.StringIO, site: Site, shared: str) -> None:
    for text in BREAKS:
        await site.energy.push(shared, everywhere(text))
        await site.energy.push_raw(shared, envelope({**malware(), "is_family": text}, {"id": text, "type": text}))
        await site.energy.push_raw(shared, text.encode())
        quoted = "".join(f"%{byte:02x}" for byte in text.encode())
        await site.energy.get(f"{shared}objects/{quoted}/", f"match[id]={quoted}", **{"User-Agent": "x\u2028y".encode().decode("latin-1")})
    lines = written.getvalue().splitlines()
    assert len(lines) >= 4 * len(BREAKS)
    for line in lines:
        assert line.isascii()
        assert line.isprintable()
        assert isinstance(json.loads(line), dict)


# --- 19: ids and times ----------------------------------------------------------------------------------------------------

GOOD_TIME = "2026-01-01T00:00:00.000Z"
BAD_TIMES = """2024-13-01T00:00:00Z 2024-00-01T00:00:00Z 2024-02-30T00:00:00Z 2023-02-29T00:00:00Z 2024-01-01T24:00:00Z 2024-01-01T23:60:00Z
    2024-06-30T23:59:60Z 2024-01-01T00:00:00 2024-01-01T00:00:00+00:00 2024-01-01T00:00:00z 2024-01-01 2024-1-1T0:0:0Z 24-01-01T00:00:00Z
    2024-01-01T00:00Z 2024-01-01T00:00:00.Z 0000-01-01T00:00:00Z 12024-01-01T00:00:00Z -2024-01-01T00:00:00Z ２024-01-01T00:00:00Z
    """.split()  # noqa: RUF001
GOOD_TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.1Z", "2026-01-01T00:00:00.123456789Z", "2024-02-29T23:59:59.999999Z"]
UUID = "3a1f4f3c-6b0e-4a43-8b39-0d7d7a1f0a99"
BAD_IDS = [
    "", "malware", "malware--", f"malware-{UUID}", f"malware--{UUID}--{UUID}", f"indicator--{UUID}", f" malware--{UUID}",
    f"malware--{UUID} ",
    f"malware--{UUID}\n", "malware--3a1f4f3c6b0e4a438b390d7d7a1f0a99", f"malware--{{{UUID}}}", f"malware--urn:uuid:{UUID}",
    f"Malware--{UUID}",
    "malware--3a1f4f3c-6b0e-0a43-8b39-0d7d7a1f0a99", "malware--3a1f4f3c-6b0e-9a43-8b39-0d7d7a1f0a99",
    "malware--3a1f4f3c-6b0e-4a43-cb39-0d7d7a1f0a99",
    "malware--00000000-0000-0000-0000-000000000000", f"malware--{UUID[:-1]}", f"malware--{UUID}0", f"malware--{UUID[:-1]}g",
    "malware--" + "a" * 100_000,
]  # fmt: skip


def refusal(obj: Object) -> str:
    with pytest.raises(Invalid) as refused:
        read_object(json.dumps(obj).encode(), limits=Limits())
    return refused.value.detail


@pytest.mark.parametrize("name", ["created", "modified", "first_seen", "last_seen"])
@pytest.mark.parametrize("text", BAD_TIMES)
def test_row_19_a_moment_that_is_none_is_refused_by_its_name(name: str, text: str) -> None:
    assert name in refusal(malware(**{name: text}))


@pytest.mark.parametrize("text", GOOD_TIMES)
def test_row_19_a_moment_of_any_precision_is_taken(text: str) -> None:
    assert read_object(json.dumps(malware(first_seen=text)).encode(), limits=Limits())


@pytest.mark.parametrize("id", BAD_IDS)
def test_row_19_an_id_that_is_none_is_refused_by_its_name(id: str) -> None:
    assert "id" in refusal(malware(id=id)).split()[0]


@settings(max_examples=150, deadline=None, database=None)
@given(text=st.text(max_size=40) | st.from_regex(r"[a-z-]{1,12}--[0-9a-fA-F-]{30,40}", fullmatch=True))
def test_row_19_an_id_is_the_type_and_a_uuid_or_refused(text: str) -> None:
    try:
        obj = read_object(json.dumps(malware(id=text)).encode(), limits=Limits())
    except Invalid:
        return
    kind, _, name = obj.id.partition("--")
    assert kind == "malware"
    assert uuid.UUID(name).version in range(1, 6)
    assert str(uuid.UUID(name)) == name.lower()


@settings(max_examples=150, deadline=None, database=None)
@given(text=st.text(max_size=30) | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z", fullmatch=True))
def test_row_19_a_moment_exists_or_is_refused(text: str) -> None:
    try:
        obj = read_object(json.dumps({**malware(), "first_seen": text}).encode(), limits=Limits())
    except Invalid:
        return
    year, month, day = map(int, text[:10].split("-"))
    assert (1 <= month <= 12, 1 <= day <= 31, year >= 1) == (True, True, True)
    assert (int(text[11:13]) < 24, int(text[14:16]) < 60, int(text[17:19]) < 60) == (True, True, True)
    assert obj.properties["first_seen"] == text


# --- 21: cursors ----------------------------------------------------------------------------------------------------------


async def test_row_21_a_forged_next_is_refused_and_a_real_one_only_works_in_its_collection(
    either_site: Site, shared: str, second: str
) -> None:
    site = either_site
    for collection in (shared, second):
        await site.energy.push(collection, indicator(), indicator())
    real = (await site.energy.get(f"{shared}objects/", "limit=1")).next
    assert real is not None
    last = real[-1]
    changed = [real[:n] + ("A" if real[n] != "A" else "B") + real[n + 1 :] for n in range(len(real))]
    with_another_key = [seal(b"another key", CollectionId(SHARED.id), us) for us in (0, 2**62)]
    other = [real[:-1], real + last, real * 2, real.upper(), "AAAA" * 6, "0", "-1", "%00", "null", "9" * 60, real.replace(last, "=", 1)]
    for forged in [*changed, *with_another_key, *other]:
        for path in (f"{shared}objects/", f"{shared}manifest/"):
            reply = await site.energy.get(path, f"next={forged}")
            assert (reply.status, "next" in reply.json.get("description", "")) == (400, True), forged
    assert (await site.energy.get(f"{shared}objects/", f"next={real}")).status == 200
    assert (await site.energy.get(f"{second}objects/", f"next={real}")).status == 400, SECOND.id


@pytest.mark.parametrize("limit", ["1000000000", "9" * 400, "18446744073709551616"])
async def test_row_21_a_limit_without_measure_is_cut_to_the_hubs(site: Site, shared: str, limit: str) -> None:
    await site.energy.push(shared, *[indicator(created=DAY_1) for _ in range(3)])
    assert len((await site.energy.get(f"{shared}objects/", f"limit={limit}")).objects) == 3


async def test_row_21_a_filter_of_ten_thousand_ids_is_refused(site: Site, shared: str) -> None:
    ids = ",".join(f"malware--3a1f4f3c-6b0e-4a43-8b39-{n:012d}" for n in range(1_200))
    assert (await site.energy.get(f"{shared}objects/", f"match[id]={ids}")).status == 400
    assert (await site.energy.get(f"{shared}objects/", "&".join(f"match[id]=malware--{n}" for n in range(1_000)))).status == 400
