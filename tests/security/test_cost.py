"""Rows 6 to 9 and 27 of the threat table: what a push may cost the hub and everybody else."""

import asyncio
import contextlib
import gc
import gzip
import io
import json
import time
import uuid
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from hub.domain.stix import Limits, read_object
from hub.errors import Invalid
from tests.taxii.content import DAY_1, Object, indicator, malware, statement
from tests.taxii.site import MEDIA_TYPE, Site
from tests.web.hubs import prepare, serve_process

MIB = 1024 * 1024
LIMITS = Limits(object_bytes_max=MIB)


# --- 6: decompression -----------------------------------------------------------------------------------------------------


def of_one_member() -> Iterator[bytes]:
    """Yield a gzip member of 1 GiB of spaces, in pieces: the deflated MiB is the same each time."""
    packer = zlib.compressobj(9, wbits=31)
    yield packer.compress(b" " * MIB) + packer.flush(zlib.Z_FULL_FLUSH)
    yield from [packer.compress(b" " * MIB) + packer.flush(zlib.Z_FULL_FLUSH)] * 1023


def of_many_members() -> Iterator[bytes]:
    yield from [gzip.compress(b" " * MIB)] * 1024


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process has ever held."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


async def test_row_6_a_gibibyte_in_a_mebibyte_is_refused_and_hardly_touches_memory(sqlite_url: str, tmp_path: Path) -> None:
    token = await prepare(sqlite_url)
    bodies = [b"".join(bomb()) for bomb in (of_one_member, of_many_members)]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": MEDIA_TYPE, "Content-Encoding": "gzip"}
    async with serve_process(sqlite_url, tmp_path) as hub, aiohttp.ClientSession() as session:
        url = f"{hub.url}/taxii2/hub/collections/any/objects/"
        async with session.post(url, data=gzip.compress(b'{"objects":[{}]}'), headers=headers) as reply:
            assert reply.status == 404
        before = peak_bytes(hub.process.pid)
        for body in [body for body in bodies for _ in range(3)]:
            assert len(body) < 10 * MIB
            async with session.post(url, data=io.BytesIO(body), headers=headers) as reply:
                assert reply.status == 413
        assert peak_bytes(hub.process.pid) - before < 100 * MIB


# --- 7, 8: time -----------------------------------------------------------------------------------------------------------


def scaled(unit: str, count: int, *, around: tuple[str, str] = ("", "")) -> str:
    return around[0] + unit * count + around[1]


def sdo(kind: str, **properties: Any) -> Object:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid.uuid4()}", "created": DAY_1, "modified": DAY_1, **properties}


def sco(kind: str, **properties: Any) -> Object:
    return {"type": kind, "spec_version": "2.1", "id": f"{kind}--{uuid.uuid4()}", **properties}


# Up to a mebibyte each, built to be slow in the JSON reader, the schema validator, its error messages, or the rules beyond.
HOSTILE: dict[str, Object] = {
    "references_that_are_none": sdo("report", name="x", published=DAY_1, object_refs=["x"] * 90_000),
    "numbers_for_labels": malware(labels=[1] * 49_000),
    "external_references_of_nothing": malware(external_references=[{}] * 20_000),
    "parts_of_a_mail_of_nothing": sco("email-message", is_multipart=True, body_multipart=[{}] * 20_000),
    "streams_of_nothing": sco("file", name="x", extensions={"ntfs-ext": {"alternate_data_streams": [{}] * 20_000}}),
    "values_of_a_registry_key_of_nothing": sco("windows-registry-key", key="x", values=[{}] * 20_000),
    "observed_objects_of_nothing": sdo(
        "observed-data", first_observed=DAY_1, last_observed=DAY_1, number_observed=1, objects={str(n): {} for n in range(20_000)}
    ),
    "wrong_names": malware(**{f"X{n}": 1 for n in range(49_000)}),
    "unknown_hashes": sco("file", hashes={f"h{n}": "x" for n in range(49_000)}),
    "very_many_values": malware(x_many=[[]] * 300_000),
    "many_selectors": malware(x_a=[[1]], granular_markings=[{"selectors": ["x_a.[0].[0]"] * 45_000, "lang": "en"}]),
    "a_language_of_very_many_parts": malware(lang="a-" * 450_000),
    "base64_that_ends_wrongly": sco("artifact", payload_bin="AAAA" * 230_000 + "="),
    "a_fraction_of_very_many_digits": malware(modified=f"2026-01-01T00:00:00.{'1' * 900_000}Z"),
    "escaped_names": {**malware(), **{f"\u00e9{n}": 1 for n in range(20_000)}},
}
PATTERNS = {
    "chain": scaled("[a:b=1] OR ", 2_900, around=("", "[a:b=1]")),
    "comments": "/*" * 16_000,
    "spaces": " " * 32_000 + "[",
    "path": scaled("bb.", 10_000, around=("[aaa:", "ccc=1]")),
    "set": scaled("1,", 16_000, around=("[aaa:bbb IN (", "1)]")),
    "digits": f"[aaa:bbb={'1' * 32_000}]",
    "parentheses": "(" * 32_000,
    "quotes": "[aaa:bbb='" + "\\'" * 16_000,
}


def cpu_s(work: Any, *args: Any, **kwargs: Any) -> float:
    """Return how long the processor works at something: what others do meanwhile does not count."""
    began = time.thread_time()
    with contextlib.suppress(Invalid):
        work(*args, **kwargs)
    return time.thread_time() - began


@pytest.mark.parametrize("what", HOSTILE)
def test_row_7_no_object_of_a_mebibyte_costs_more_than_its_size(what: str) -> None:
    raw = json.dumps(HOSTILE[what]).encode()
    assert min(cpu_s(read_object, raw, limits=LIMITS) for _ in range(2)) < 0.4


SAID = {
    "external_references_of_nothing": "external_references.0 needs the property source_name",
    "streams_of_nothing": "extensions.ntfs-ext.alternate_data_streams.0 needs the property name",
    "numbers_for_labels": "labels.0 must be of type string, not number",
    "wrong_names": "too large to say where",
}


@pytest.mark.parametrize("what", SAID)
def test_row_7_what_is_wrong_with_a_huge_object_is_said_all_the_same(what: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_object(json.dumps(HOSTILE[what]).encode(), limits=LIMITS)
    assert SAID[what] in refused.value.detail


@pytest.mark.parametrize("what", PATTERNS)
def test_row_8_no_pattern_costs_more_than_its_length(what: str) -> None:
    raw = json.dumps(indicator(pattern=PATTERNS[what])).encode()
    assert min(cpu_s(read_object, raw, limits=LIMITS) for _ in range(2)) < 0.4


@pytest.mark.parametrize(("count", "accepted"), [(49_000, True), (51_000, False)])
def test_row_7_values_of_an_object_have_a_cap(count: int, accepted: bool) -> None:  # noqa: FBT001
    for many in (["a"] * count, [{}] * (count // 2), {f"k{n}": [] for n in range(count // 2)}, [[]] * (count // 2)):
        raw = json.dumps(malware(x_many=many)).encode()
        if accepted:
            assert read_object(raw, limits=LIMITS).type == "malware"
        else:
            with pytest.raises(Invalid, match="more than 50000 values"):
                read_object(raw, limits=LIMITS)


def test_row_7_commas_in_texts_are_no_values() -> None:
    text = "one, two [and] {three} " * 10_000
    assert read_object(json.dumps(malware(description=text, x_quoted='","\\"' * 20_000)).encode(), limits=LIMITS).type == "malware"


@contextlib.asynccontextmanager
async def turns() -> AsyncIterator[list[float]]:
    """Note how long each turn of the event loop's other work takes, as time of its thread on the processor."""
    held: list[float] = []

    async def note() -> None:
        last = time.thread_time()
        while True:
            await asyncio.sleep(0)
            now = time.thread_time()
            held.append(now - last)
            last = now

    gc.collect()
    gc.freeze()  # as `hub serve` does: what the tests have in memory is not gone through meanwhile
    task = asyncio.create_task(note())
    try:
        yield held
    finally:
        task.cancel()
        gc.unfreeze()


@pytest.mark.parametrize(
    "objects",
    [
        pytest.param([indicator(pattern=PATTERNS["chain"]) for _ in range(120)], id="patterns"),
        pytest.param([statement("x" * 2_000) for _ in range(1_500)], id="marking_definitions"),
        pytest.param([malware(external_references=[{}] * 2_000) for _ in range(200)], id="objects_that_are_wrong_everywhere"),
    ],
)
async def test_row_8_a_push_of_what_is_slow_to_check_lets_others_in_between(site: Site, shared: str, objects: list[Object]) -> None:
    body = b'{"objects":[%b]}' % b",".join(json.dumps(obj).encode() for obj in objects)
    async with turns() as held:
        assert (await site.energy.push_raw(shared, body)).status == 202
    assert sum(held) > 0.2, "it is slow to check"
    assert max(held) < 0.1, "but never for long at a time"
