"""What a filter takes, and how an endpoint's failures count: rules without input or output."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.ids import CollectionId, MemberId
from hub.domain.item_facts import keys_of
from hub.domain.label import Label, Severity, Tlp
from hub.domain.member import MemberKind
from hub.domain.retry_after import MOST_S
from hub.domain.webhooks.delivery import Attempt
from hub.domain.webhooks.event import EventKind
from hub.domain.webhooks.schedule import (
    ATTEMPTS_MAX,
    FAILURES_MAX,
    REST_MAX_S,
    WAITS_S,
    Health,
    next_try_us,
)
from hub.domain.webhooks.subscription import Filter, Happening, checked_headers, checked_value
from hub.errors import Invalid
from tests.taxii.content import indicator

COLLECTION = CollectionId("c0ffee00-0000-4000-8000-000000000004")
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
FAILED, TAKEN = Attempt(1_000, 500), Attempt(1_000, 204)


def label(tlp: Tlp = Tlp.GREEN, *sectors: str, topic: str = "threat", severity: Severity = Severity.ROUTINE) -> Label:
    return Label(COLLECTION, tlp, MemberKind.AGENCY, sectors=frozenset(sectors), topic=topic, severity=severity)


def takes(filter: Filter, *labels: Label, pattern: str = "[ipv4-addr:value = '203.0.113.7']") -> bool:
    observables = keys_of(indicator(pattern=pattern))
    happening = Happening((EventKind.ADDED,), COLLECTION, labels or (label(),), "indicator", MemberId("identity--a"), observables)
    return filter.kind_of(happening) is not None


def test_a_filter_that_says_nothing_takes_everything():
    assert takes(Filter(), label(Tlp.RED, "water", topic="ip-protection"))


@pytest.mark.parametrize(
    ("filter", "taken", "refused"),
    [
        (Filter(tlp_max=Tlp.GREEN), [label(Tlp.GREEN)], [label(Tlp.AMBER)]),
        (Filter(tlp_max=Tlp.GREEN), [label(Tlp.CLEAR)], [label(Tlp.CLEAR), label(Tlp.RED)]),  # a narrowed version is as strict as both
        (Filter(sectors=frozenset({"energy"})), [label(Tlp.GREEN, "energy", "water")], [label(Tlp.GREEN, "water")]),
        (Filter(sectors=frozenset({"energy"})), [label()], [label(Tlp.GREEN, "space")]),  # what names no sector concerns all
        (Filter(topics=frozenset({"threat"})), [label()], [label(topic="vulnerability")]),
        (Filter(severity=Severity.IMMINENT), [label(severity=Severity.IMMINENT)], [label()]),
    ],
)
def test_a_filter_looks_at_the_label(filter: Filter, taken: list[Label], refused: list[Label]):
    assert takes(filter, *taken)
    assert not takes(filter, *refused)


@pytest.mark.parametrize(
    ("value", "pattern"),
    [
        ("203.0.113.7", "[ipv4-addr:value = '203.0.113.7']"),
        ("203.0.113.7", "[url:value = 'http://203.0.113.7:8080/x']"),
        ("2001:DB8::1", "[ipv6-addr:value = '2001:db8:0:0:0:0:0:1']"),
        ("evil.example", "[domain-name:value = 'EVIL.example']"),
        ("evil.example", "[domain-name:value = 'a.b.evil.example']"),
        ("Evil.Example.", "[url:value = 'https://www.evil.example/login']"),
        ("evil.example", "[email-addr:value = 'ceo@mail.evil.example']"),
        ("203.0.113.7", "[network-traffic:dst_ref.value = '203.0.113.7']"),
        ("2001:db8::1", "[network-traffic:src_ref.value = '2001:DB8::1' AND network-traffic:dst_port = 443]"),
        ("evil.example", "[network-traffic:dst_ref.value = 'www.evil.example']"),
        ("203.0.113.7", "[domain-name:resolves_to_refs[*].value = '203.0.113.7']"),
        ("203.0.113.7", "[domain-name:value = 'a.example' AND domain-name:resolves_to_refs[0].value IN ('203.0.113.7')]"),
        ("evil.example", "[email-message:from_ref.value = 'ceo@evil.example']"),
        ("evil.example", "[email-message:subject = 'x' AND email-message:to_refs[*].value = 'CEO@Evil.example']"),
        ("evil.example", "[url:value = 'WWW.evil.example:8080/login']"),
        ("d41d8cd98f00b204e9800998ecf8427e", "[process:binary_ref.hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"),
        ("d41d8cd98f00b204e9800998ecf8427e", "[process:image_ref.hashes.'MD5' = 'd41d8cd98f00b204e9800998ecf8427e']"),
        ("d41d8cd98f00b204e9800998ecf8427e", "[artifact:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"),
        ("d41d8cd98f00b204e9800998ecf8427e", "[x509-certificate:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"),
        ("D41D8CD98F00B204E9800998ECF8427E", "[file:hashes.MD5 = 'd41d8cd98f00b204e9800998ecf8427e']"),
    ],
)
def test_a_value_is_found_however_it_is_written(value: str, pattern: str):
    assert takes(Filter(values=frozenset({checked_value(value)})), pattern=pattern)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("[network-traffic:dst_ref.value = '203.0.113.7/32']", "[ipv4-addr:value = '203.0.113.7']"),
        ("[network-traffic:dst_ref.value = 'Evil.example.']", "[domain-name:value = 'evil.example']"),
        ("[email-message:sender_ref.value = 'A@b.example']", "[email-addr:value = 'a@b.example']"),
        ("[process:image_ref.hashes.'SHA-256' = 'AB']", "[file:hashes.SHA256 = 'ab']"),
        ("[url:value = 'Evil.example/A']", "[url:value = 'evil.example/A#x']"),
    ],
)
def test_what_is_the_same_has_one_key_wherever_a_pattern_names_it(one: str, other: str):
    assert keys_of(indicator(pattern=one)) == keys_of(indicator(pattern=other)) != set()


@pytest.mark.parametrize(
    "pattern", ["[domain-name:value = 'notevil.example']", "[domain-name:value = 'example']", "[ipv4-addr:value = '1.1.1.1']"]
)
def test_a_domain_is_not_one_that_only_ends_alike(pattern: str):
    assert not takes(Filter(values=frozenset({checked_value("evil.example")})), pattern=pattern)


@pytest.mark.parametrize(
    "text",
    [
        "203.0.113.033",
        "0x7f.0.0.1",
        "203.0.113",
        "fe80::1%eth0",
        "fe80::1%1",
        "",
        "localhost",
        "10.0.0.0/8",
        "d41d8cd9",
        "a b.example",
        "x" * 300,
    ],
)
def test_what_is_no_address_domain_or_hash_is_refused(text: str):
    with pytest.raises(Invalid):
        checked_value(text)


def test_the_most_telling_kind_that_is_wanted_is_told():
    happening = Happening((EventKind.ADVISORY_IMMINENT, EventKind.ADDED), COLLECTION, (label(),), "indicator")
    assert Filter().kind_of(happening) is EventKind.ADVISORY_IMMINENT
    assert Filter(events=frozenset({EventKind.ADDED})).kind_of(happening) is EventKind.ADDED
    assert Filter(events=frozenset({EventKind.REVOKED})).kind_of(happening) is None


@pytest.mark.parametrize(
    "headers",
    [{"Host": "x"}, {"webhook-id": "1"}, {"X-A": "a\r\nB: c"}, {"X A": "b"}, {"Content-Length": "1"}, {f"X-{n}": "a" for n in range(17)}],
)
def test_headers_that_are_the_hubs_own_or_out_of_order_are_refused(headers: dict[str, str]):
    with pytest.raises(Invalid):
        checked_headers(headers.items())


@given(st.integers(1, ATTEMPTS_MAX + 3), st.none() | st.integers(0, 10**7), st.floats(0, 1))
def test_a_wait_is_the_schedules_spread_by_a_fifth_and_at_most_doubled_on_request(attempts: int, asked_s: int | None, chance: float):
    due_us = next_try_us(attempts, Attempt(0, 503, retry_after_s=asked_s), now_us=0, chance=chance)
    if attempts >= ATTEMPTS_MAX:
        assert due_us is None
        return
    assert due_us is not None
    step_s = WAITS_S[attempts - 1]
    assert 0.8 * step_s <= due_us / SECOND_US <= max(1.2, 2 if asked_s is not None else 0) * step_s
    if asked_s is not None:
        assert due_us / SECOND_US >= min(asked_s, 2 * step_s, MOST_S)


def test_an_endpoint_that_keeps_failing_rests_ever_longer_until_it_answers():
    health, now_us, rests = Health(), DAY_US, []
    for _ in range(FAILURES_MAX - 1):
        now_us += 120 * SECOND_US
        health = health.after(FAILED, now_us=now_us)
        assert health.rest_until_us == 0
    for _ in range(12):
        health = health.after(FAILED, now_us=now_us)
        rests.append((health.rest_until_us - now_us) // SECOND_US)
        now_us = health.rest_until_us
    assert rests[:3] == [30, 60, 120]
    assert rests[-1] == REST_MAX_S
    assert health.after(TAKEN, now_us=now_us).rest_until_us == 0


def test_seven_failures_of_ten_within_half_a_minute_are_enough_for_a_rest():
    health = Health()
    for n, attempt in enumerate([FAILED, FAILED, TAKEN, FAILED, FAILED, TAKEN, FAILED, TAKEN, FAILED]):
        health = health.after(attempt, now_us=DAY_US + n * SECOND_US)
    assert health.rest_until_us == 0
    assert health.after(FAILED, now_us=DAY_US + 10 * SECOND_US).rest_until_us > 0
    assert health.after(FAILED, now_us=DAY_US + 60 * SECOND_US).rest_until_us == 0, "that was long ago"


def test_an_endpoint_is_disabled_after_five_days_of_nothing_but_failures_or_when_it_is_gone():
    health = Health()
    for n in range(10):
        assert health.disables(FAILED, now_us=DAY_US * n // 2) is None
        health = health.after(FAILED, now_us=DAY_US * n // 2)
    assert health.disables(FAILED, now_us=DAY_US * 4) is None
    assert health.disables(FAILED, now_us=DAY_US * 5) == "it has only failed for 5 days, 10 times"
    assert health.after(TAKEN, now_us=DAY_US * 5).disables(FAILED, now_us=DAY_US * 9) is None
    assert Health().disables(Attempt(0, 410), now_us=0) == "it answered 410 Gone"
