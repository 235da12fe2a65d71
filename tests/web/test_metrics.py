"""What is counted, under which labels, and who may read it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.web.hubs import Running, running

Labels = frozenset[tuple[str, str]]


async def read(site: Running, **headers: str) -> dict[tuple[str, Labels], float]:
    """Return all samples, by name and labels."""
    async with site.session.get(f"{site.url}/metrics", headers=headers) as answer:
        assert answer.status == 200
        text = await answer.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def counted(samples: dict[tuple[str, Labels], float], name: str, **labels: str) -> float:
    return samples.get((name, frozenset(labels.items())), 0.0)


async def get(site: Running, path: str, *, method: str = "GET", **headers: str) -> int:
    async with site.session.request(method, site.url + path, headers=headers) as answer:
        await answer.read()
        return answer.status


async def test_requests_are_counted_by_route_and_status(sqlite_url: str):
    async with running(sqlite_url) as site:
        for _ in range(3):
            assert await get(site, "/taxii2/hub/collections/", **site.bearer) == 200
        assert await get(site, "/taxii2/hub/", Authorization="Bearer wrong") == 401
        assert await get(site, "/taxii2/nowhere/", **site.bearer) == 404
        samples = await read(site)
        route = "/taxii2/{root}/collections/"
        assert counted(samples, "hub_requests_total", method="GET", route=route, status="200") == 3
        assert counted(samples, "hub_requests_total", method="GET", route="/taxii2/{root}/", status="401") == 1
        assert counted(samples, "hub_requests_total", method="GET", route="/taxii2/{root}/", status="404") == 1
        assert counted(samples, "hub_request_seconds_count", method="GET", route=route) == 3
        assert counted(samples, "hub_request_seconds_bucket", method="GET", route=route, le="+Inf") == 3
        assert 0 < counted(samples, "hub_request_seconds_sum", method="GET", route=route) < 3
        assert counted(samples, "hub_errors_total", code="unauthenticated") == 1
        assert counted(samples, "hub_errors_total", code="not_found") == 1
        assert counted(samples, "hub_connections") == 1


async def test_what_clients_make_up_becomes_no_label(sqlite_url: str):
    async with running(sqlite_url) as site:
        for path in ("/made-up", "/taxii2/hub/made/up/too", "/api/v1/made-up"):
            assert await get(site, path, method="PROPFIND", **site.bearer) == 404
        await site.raw(b"MADE UP HTTP/9\r\n\r\n")
        samples = await read(site)
        assert counted(samples, "hub_requests_total", method="other", route="none", status="404") == 3
        assert counted(samples, "hub_requests_total", method="other", route="malformed", status="400") == 1
        assert not any("made" in value.lower() for _, labels in samples for _, value in labels)


async def test_refusals_for_too_many_requests_are_counted(sqlite_url: str):
    async with running(sqlite_url, requests_per_min=4) as site:
        assert [await get(site, "/taxii2/", **site.bearer) for _ in range(3)] == [200, 429, 429]
        assert counted(await read(site), "hub_errors_total", code="too_many") == 2


async def test_only_the_addresses_of_the_setting_may_read(sqlite_url: str):
    async with running(sqlite_url, metrics_addresses=("10.0.0.0/8",)) as site:
        assert await get(site, "/metrics") == 404
        assert await get(site, "/metrics", **site.bearer) == 404


@pytest.mark.parametrize(
    ("told", "status"), [("10.1.2.3", 200), ("192.0.2.1", 404), ("10.1.2.3, 192.0.2.1", 404), ("192.0.2.1, 10.1.2.3", 200)]
)
async def test_behind_a_proxy_the_reader_is_whom_the_proxy_tells(sqlite_url: str, told: str, status: int):
    async with running(sqlite_url, metrics_addresses=("10.0.0.0/8",), proxy_addresses=("127.0.0.1",)) as site:
        assert await get(site, "/metrics", **{"X-Forwarded-For": told}) == status


async def test_a_header_of_a_proxy_that_is_none_counts_for_nothing(sqlite_url: str):
    async with running(sqlite_url, metrics_addresses=("10.0.0.0/8",)) as site:
        assert await get(site, "/metrics", **{"X-Forwarded-For": "10.1.2.3"}) == 404
