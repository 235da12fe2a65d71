"""The TAXII connector by itself, against the manners of other servers."""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from connectors.taxii import CONNECTOR, PageTooLarge
from hub.domain.connector import Batch, Cursor, Feed
from hub.errors import Unavailable
from tests.sim.taxii_peer import Fault, Paging, TaxiiPeer


@pytest.fixture
async def peer() -> AsyncIterator[TaxiiPeer]:
    async with TaxiiPeer().serving() as serving:
        yield serving


def indicators(count: int) -> list[bytes]:
    return [
        # Spaces and the order of properties are the author's own.
        b'{ "type":"indicator", "id":"indicator--%s", "name": "number %d" }' % (str(uuid.uuid4()).encode(), number)
        for number in range(count)
    ]


def feed(peer: TaxiiPeer, cursor: Cursor | None = None, **settings: Any) -> Feed:
    table = {"url": peer.url, "page_objects": 10, "timeout_s": 5, "tries_max": 2, **settings}
    return Feed(CONNECTOR.check(table, place="test"), cursor)


async def pull(peer: TaxiiPeer, cursor: Cursor | None = None, *, batches_max: int | None = None, **settings: Any) -> list[Batch]:
    batches: list[Batch] = []
    async with contextlib.aclosing(CONNECTOR.pull(feed(peer, cursor, **settings))) as pulled:
        async for batch in pulled:
            # The store keeps it as JSON.
            batches.append(Batch(batch.objects, json.loads(json.dumps(batch.cursor))))
            if len(batches) == batches_max:
                break
    return batches


def objects(batches: list[Batch]) -> list[bytes]:
    return [body for batch in batches for body in batch.objects]


@pytest.mark.parametrize("paging", Paging)
async def test_every_object_comes_once_in_order_and_as_it_was_written(peer: TaxiiPeer, paging: Paging):
    held = indicators(45)
    peer.paging = paging
    peer.add(held)
    assert objects(await pull(peer)) == held
    assert {request["match[version]"] for request in peer.requests} == {"all"}


@pytest.mark.parametrize("paging", Paging)
async def test_the_next_run_asks_for_what_is_new_only(peer: TaxiiPeer, paging: Paging):
    peer.paging = paging
    peer.add(indicators(25))
    first = await pull(peer)
    assert objects(await pull(peer, first[-1].cursor)) == []
    new = indicators(12)
    peer.add(new)
    assert objects(await pull(peer, first[-1].cursor)) == new


@pytest.mark.parametrize("paging", [Paging.POSITION, Paging.MEMORY])
async def test_objects_of_one_date_are_not_lost_at_the_end_of_a_page(peer: TaxiiPeer, paging: Paging):
    held = indicators(40)
    peer.paging = paging
    peer.add(held[:5])
    peer.add(held[5:], at_us=10_000_000)
    assert objects(await pull(peer)) == held


async def test_a_run_that_was_cut_off_goes_on_after_its_last_batch(peer: TaxiiPeer):
    held = indicators(40)
    peer.add(held)
    begun = await pull(peer, batches_max=2)
    assert objects(begun) + objects(await pull(peer, begun[-1].cursor)) == held


@pytest.mark.parametrize("tied_from", [0, 5, 15, 40])
async def test_a_forgotten_next_costs_repetition_but_no_object(peer: TaxiiPeer, tied_from: int):
    held = indicators(40)
    peer.paging = Paging.MEMORY
    peer.add(held[:tied_from])
    peer.add(held[tied_from:], at_us=10_000_000)
    begun = await pull(peer, batches_max=2)
    peer.forget()
    rest = objects(await pull(peer, begun[-1].cursor))
    assert rest[-20:] == held[20:]
    assert set(objects(begun) + rest) == set(held)


async def test_a_server_that_never_takes_back_its_next_is_given_up(peer: TaxiiPeer):
    peer.add(indicators(30))
    peer.faults.extend([Fault(200, body=b'{"more":true,"next":"1"}'), Fault(400), Fault(200, body=b'{"more":true,"next":"1"}'), Fault(400)])
    with pytest.raises(Unavailable, match="does not take back its own next"):
        await pull(peer)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
async def test_a_busy_server_is_asked_again_when_it_says(peer: TaxiiPeer, status: int):
    held = indicators(5)
    peer.add(held)
    peer.faults.append(Fault(status, {"Retry-After": "0"}))
    assert objects(await pull(peer)) == held


async def test_a_server_that_stays_busy_is_given_up_after_the_last_try(peer: TaxiiPeer):
    peer.faults.extend([Fault(503, {"Retry-After": "0"})] * 3)
    with pytest.raises(Unavailable, match="503"):
        await pull(peer, tries_max=3)
    assert len(peer.requests) == 3


@pytest.mark.parametrize(("status", "hint"), [(401, "credentials"), (403, "may not read"), (404, "url"), (418, "418")])
async def test_a_refusal_is_told_and_not_repeated(peer: TaxiiPeer, status: int, hint: str):
    peer.faults.append(Fault(status))
    with pytest.raises(Unavailable, match=hint):
        await pull(peer)
    assert len(peer.requests) == 1


async def test_a_server_that_is_not_there_is_told(peer: TaxiiPeer):
    gone = feed(peer, url=peer.url.replace(peer.url.split("/")[2], "127.0.0.1:1"), tries_max=1)
    with pytest.raises(Unavailable, match="cannot be reached: Connection refused"):
        await anext(CONNECTOR.pull(gone))


@pytest.mark.parametrize("packed", [False, True])
async def test_a_page_over_the_cap_is_asked_for_with_fewer_objects(peer: TaxiiPeer, *, packed: bool):
    held = indicators(40)
    peer.packed = packed
    peer.add(held)
    assert objects(await pull(peer, page_objects=40, page_bytes_max=2_000)) == held
    assert [request["limit"] for request in peer.requests[:3]] == ["40", "10", "10"]


async def test_an_object_over_the_cap_ends_the_run_and_says_what_to_set(peer: TaxiiPeer):
    peer.add(indicators(2))
    with pytest.raises(PageTooLarge, match="page_bytes_max"):
        await pull(peer, page_bytes_max=50)


async def test_a_body_that_does_not_come_is_given_up_in_time(peer: TaxiiPeer):
    peer.stall = asyncio.Event()
    with pytest.raises(Unavailable, match="cannot be reached: it did not answer in time"):
        await pull(peer, timeout_s=1, tries_max=1)
    peer.stall.set()


@pytest.mark.parametrize(
    "fault",
    [
        Fault(body=b"<html>Sign in</html>", content_type="text/html"),
        Fault(body=b"{", content_type="application/taxii+json;version=2.1"),
        Fault(body=b'{"objects": {"type": "indicator"}}'),
        Fault(body=b'["objects"]'),
        Fault(body=b"[" * 100_000),
        Fault(body=b'{"objects":[]}', content_type="application/vnd.oasis.taxii+json;version=2.0"),
    ],
    ids=["a web page", "cut off", "no list", "no object", "too deep", "TAXII 2.0"],
)
async def test_what_is_not_taxii_is_told(peer: TaxiiPeer, fault: Fault):
    peer.faults.append(fault)
    with pytest.raises(Unavailable, match="not TAXII"):
        await pull(peer)


async def test_more_without_a_way_to_get_it_is_told(peer: TaxiiPeer):
    peer.paging, peer.page_max, peer.dated = Paging.DATE, 5, False
    peer.add(indicators(10))
    with pytest.raises(Unavailable, match="neither next nor the date"):
        await pull(peer)


async def test_a_server_that_never_comes_to_an_end_is_given_up(peer: TaxiiPeer):
    peer.faults.extend([Fault(body=b'{"more":true,"next":"again"}')] * 3)
    with pytest.raises(Unavailable, match="again and again"):
        await pull(peer)
    assert len(peer.requests) == 2


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        ({"username": "us", "password": "s3cret-word"}, "Basic dXM6czNjcmV0LXdvcmQ="),
        ({"token": "s3cret-word"}, "Bearer s3cret-word"),
        ({"token": "s3cret-word", "token_scheme": "Token"}, "Token s3cret-word"),
        ({}, None),
    ],
    ids=["basic", "bearer", "token", "none"],
)
async def test_credentials_reach_the_server_and_no_log(
    peer: TaxiiPeer, settings: dict[str, str], sent: str | None, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    peer.faults.append(Fault(503, {"Retry-After": "0"}))
    peer.faults.append(Fault(401))
    with pytest.raises(Unavailable) as told:
        await pull(peer, **settings)
    assert peer.signed_in[0] == sent
    assert "s3cret" not in caplog.text + str(told.value)
