"""Tokens, passwords and client certificates: what is taken, what is not, and what a guesser meets."""

import asyncio
import timeit
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest

from hub.config import Config
from hub.domain.member import MemberKind, Principal, Role
from hub.domain.token import LIVE, TEST, hash_secret, new_token, read_token
from hub.errors import Conflict, Invalid, TooMany, Unauthenticated, Unavailable
from hub.service import credentials, people
from hub.service.administer import COMMAND_LINE
from hub.service.authenticate import authenticate, certificate_from_header
from hub.service.context import Hub, open_hub
from hub.service.install import install
from hub.service.logins import CHECKS_MAX, REMEMBERED_US, WINDOW_US
from hub.service.members import add_member, suspend_member
from hub.store.database import open_database
from tests.web.administered import PASSWORD, basic, certificate, token_of_nobody

START_US = 1_795_000_000_000_000


@dataclass
class Door:
    """A hub whose clock stands, and who comes to it."""

    hub: Hub
    now_us: list[int] = field(default_factory=lambda: [START_US])

    async def enter(self, authorization: str | None = None, *, der: bytes | None = None, address: str = "192.0.2.1") -> Principal | None:
        directory = await self.hub.directory()
        return await authenticate(self.hub, directory, authorization=authorization, certificate=der, address=address)

    async def guess(self, username: str, password: str = "wrong", *, address: str = "192.0.2.1") -> str:
        """Try a password and return what came of it."""
        try:
            await self.enter(basic(username, password), address=address)
        except (Unauthenticated, TooMany) as e:
            return e.code
        return "in"

    async def token(self, **given: Any) -> str:
        _, text = await credentials.issue_token(
            self.hub, COMMAND_LINE, **{"name": "t", "role": Role.PUBLISHER, "member": "energy", **given}
        )
        return text


async def opened(database_url: str, **settings: Any) -> Door:
    db = await open_database(database_url)
    await install(db, now_us=START_US, title="Main")
    hub = await open_hub(Config(database_url=database_url, **settings), db)
    door = Door(hub)
    hub.now_us = lambda: door.now_us[0]
    await add_member(hub, COMMAND_LINE, slug="energy", name="Energy", kind=MemberKind.OPERATOR)
    await people.add_person(hub, COMMAND_LINE, username="ann", password=PASSWORD, role=Role.READER, member="energy")
    return door


@pytest.fixture
async def door(sqlite_url: str) -> AsyncIterator[Door]:
    door = await opened(sqlite_url, login_failures_max=3)
    yield door
    await door.hub.db.close()


async def test_who_brings_nothing_is_nobody(door: Door):
    assert await door.enter() is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Token", "token"])
async def test_a_token_is_taken_whole_under_either_scheme(door: Door, scheme: str):
    principal = await door.enter(f"{scheme} {await door.token()}")
    assert principal is not None
    assert principal.credential.startswith("token:")
    assert principal.member is not None
    assert (principal.member.slug, principal.role) == ("energy", Role.PUBLISHER)


async def test_basic_takes_a_tokens_id_with_the_whole_token_or_its_secret_alone(door: Door):
    text = await door.token()
    token = read_token(text)
    assert token is not None
    for password in (text, token.secret):
        principal = await door.enter(basic(token.id, password))
        assert principal is not None
        assert principal.credential == f"token:{token.id}"


async def test_a_tokens_id_does_not_go_with_another_tokens_text(door: Door):
    first, second = read_token(await door.token()), await door.token()
    assert first is not None
    with pytest.raises(Unauthenticated):
        await door.enter(basic(first.id, second))


async def test_a_token_that_is_not_whole_not_ours_or_changed_is_refused(door: Door):
    text = await door.token()
    head, _, check = text.rpartition("_")
    flipped = head[:-1] + ("A" if head[-1] != "A" else "B")
    for bad in ("", "x", text[:-1], text + "0", head, f"{flipped}_{check}", token_of_nobody(), text.upper(), "hub_test__ _"):
        with pytest.raises(Unauthenticated):
            await door.enter(f"Bearer {bad}")


async def test_a_tokens_check_tells_every_changed_character():
    token, text = new_token(LIVE)
    assert read_token(text) == token
    for place in range(len(text)):
        other = "a" if text[place] != "a" else "b"
        assert read_token(text[:place] + other + text[place + 1 :]) is None


async def test_a_known_id_with_another_secret_is_refused(door: Door):
    text = await door.token()
    token = read_token(text)
    assert token is not None
    forged = new_token(TEST)[0]
    with pytest.raises(Unauthenticated):
        await door.enter(basic(token.id, forged.secret))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Basic",
        "Basic !!!",
        "Basic " + "QQ==",
        "Basic /w==",
        "Digest username=x",
        "Bearer \udcff",
        "Basic \udcff",
        basic("", ""),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused(door: Door, header: str):
    with pytest.raises(Unauthenticated):
        await door.enter(header)


async def test_the_hub_keeps_no_secret(door: Door):
    text = await door.token()
    token = read_token(text)
    assert token is not None
    held = (await door.hub.directory()).tokens[token.id]
    assert held.secret_hash == hash_secret(door.hub.secret, token.secret)
    assert token.secret.encode() not in held.secret_hash
    assert token.secret not in repr(token)


async def test_a_token_is_good_to_the_last_microsecond_before_it_expires(door: Door):
    text = await door.token(expires_us=START_US + 100)
    door.now_us[0] = START_US + 99
    assert await door.enter(f"Bearer {text}") is not None
    door.now_us[0] = START_US + 100
    with pytest.raises(Unauthenticated, match="expired"):
        await door.enter(f"Bearer {text}")


async def test_a_revoked_token_is_refused_at_once(door: Door):
    text = await door.token()
    token = read_token(text)
    assert token is not None
    assert await door.enter(f"Bearer {text}") is not None
    await credentials.revoke_token(door.hub, COMMAND_LINE, token.id)
    with pytest.raises(Unauthenticated, match="revoked"):
        await door.enter(f"Bearer {text}")


async def test_a_token_costs_no_more_than_a_few_microseconds(door: Door):
    header, directory = f"Bearer {await door.token()}", await door.hub.directory()

    def once() -> None:
        with pytest.raises(StopIteration):  # it awaits nothing, so one step runs all of it
            authenticate(door.hub, directory, authorization=header, certificate=None, address="192.0.2.1").send(None)

    once()
    assert min(timeit.repeat(once, number=100, repeat=10)) / 100 < 200e-6


async def test_a_tokens_text_tells_hubs_that_are_served_from_those_on_a_desk(door: Door, sqlite_url: str):
    assert (await door.token()).startswith("hub_test_")
    served = await open_hub(Config(database_url=sqlite_url, public_url="https://hub.example.org"), door.hub.db)
    _, text = await credentials.issue_token(served, COMMAND_LINE, name="t", role=Role.ADMIN)
    assert text.startswith("hub_live_")


# --- passwords ------------------------------------------------------------------------------------------------------------


async def test_a_person_signs_in_with_their_password_and_no_other(door: Door):
    principal = await door.enter(basic("ann", PASSWORD))
    assert principal is not None
    assert (principal.credential, principal.role) == ("person:ann", Role.READER)
    assert await door.guess("ann") == "unauthenticated"
    assert await door.guess("bob", PASSWORD) == "unauthenticated"


async def test_a_password_is_the_same_however_its_accents_are_typed(door: Door):
    await people.change_person(door.hub, COMMAND_LINE, "ann", password="crème brûlée, twice")
    assert await door.guess("ann", "cre\u0300me bru\u0302le\u0301e, twice") == "in"


async def test_a_changed_password_or_role_or_a_disabled_person_counts_at_once(door: Door):
    assert await door.guess("ann", PASSWORD) == "in"
    await people.change_person(door.hub, COMMAND_LINE, "ann", password="another long password")
    assert await door.guess("ann", PASSWORD) == "unauthenticated"
    assert await door.guess("ann", "another long password") == "in"
    await people.change_person(door.hub, COMMAND_LINE, "ann", role=Role.COORDINATOR)
    principal = await door.enter(basic("ann", "another long password"))
    assert principal is not None
    assert principal.role is Role.COORDINATOR
    await people.change_person(door.hub, COMMAND_LINE, "ann", disabled=True)
    assert await door.guess("ann", "another long password") == "unauthenticated"


async def test_what_was_right_is_remembered_for_a_minute(door: Door):
    """While it is remembered nothing is hashed: that all places in the queue are taken does not matter."""
    assert await door.guess("ann", PASSWORD) == "in"
    door.now_us[0] += REMEMBERED_US - 1
    hashed = [asyncio.create_task(door.hub.logins.hash(f"password {n}")) for n in range(CHECKS_MAX)]
    await asyncio.sleep(0)  # each has taken its place
    assert await door.guess("ann", PASSWORD) == "in"
    door.now_us[0] += 1
    with pytest.raises(Unavailable):
        await door.guess("ann", PASSWORD)
    await asyncio.gather(*hashed)


async def test_a_suspended_member_is_still_told_who_it_is(door: Door):
    text = await door.token()
    await suspend_member(door.hub, COMMAND_LINE, "energy")
    principal = await door.enter(f"Bearer {text}")
    assert principal is not None
    assert principal.member is not None
    assert principal.member.suspended


async def test_after_too_many_wrong_passwords_an_account_has_to_wait(door: Door):
    """Each guess comes from another address; a known name and one that nobody has are treated alike."""
    for name in ("ann", "nobody"):
        answers = [await door.guess(name, address=f"198.51.100.{n}") for n in range(4)]
        assert answers == ["unauthenticated"] * 3 + ["too_many"]
    assert await door.guess("ann", PASSWORD, address="198.51.100.99") == "too_many"
    door.now_us[0] += WINDOW_US - 1
    assert await door.guess("ann", PASSWORD, address="198.51.100.99") == "too_many"
    door.now_us[0] += 1
    assert await door.guess("ann", PASSWORD, address="198.51.100.99") == "in"


async def test_it_is_said_how_long_to_wait(door: Door):
    for n in range(3):
        await door.guess("ann", f"wrong {n}")
    door.now_us[0] += 60_000_000
    with pytest.raises(TooMany) as refused:
        await door.enter(basic("ann", PASSWORD))
    assert refused.value.retry_after_s == WINDOW_US // 1_000_000 - 60


@pytest.mark.parametrize(
    ("addresses", "last"),
    [
        (["192.0.2.7"] * 3, "too_many"),
        (["192.0.2.7", "192.0.2.8", "192.0.2.9"], "unauthenticated"),
        (["2001:db8:1:2::1", "2001:db8:1:2:ffff::2", "2001:db8:1:2::3"], "too_many"),
        (["2001:db8:1:2::1", "2001:db8:1:3::1", "2001:db8:1:4::1"], "unauthenticated"),
        (["::ffff:192.0.2.7", "192.0.2.7", "::ffff:192.0.2.7"], "too_many"),
    ],
)
async def test_after_too_many_wrong_passwords_an_address_has_to_wait(door: Door, addresses: list[str], last: str):
    """Each guess is at another name. An IPv6 site is one address, and an IPv4 address in IPv6's clothes is itself."""
    for n, address in enumerate(addresses):
        assert await door.guess(f"name-{n}", address=address) == "unauthenticated"
    assert await door.guess("another", address=addresses[-1]) == last


async def test_strangers_cannot_lock_somebody_out_of_where_they_sign_in_from(door: Door):
    assert await door.guess("ann", PASSWORD, address="192.0.2.1") == "in"
    for n in range(4):
        await door.guess("ann", address=f"198.51.100.{n}")
    door.now_us[0] += REMEMBERED_US
    assert await door.guess("ann", PASSWORD, address="198.51.100.50") == "too_many"
    assert await door.guess("ann", PASSWORD, address="192.0.2.1") == "in"


async def test_right_passwords_do_not_count_as_guesses(door: Door):
    for _ in range(6):
        assert await door.guess("ann", PASSWORD) == "in"
        door.now_us[0] += REMEMBERED_US
    assert await door.guess("ann") == "unauthenticated"


async def test_many_guesses_at_once_are_no_way_around_the_limit(door: Door):
    answers = await asyncio.gather(*(door.guess("ann", f"wrong {n}") for n in range(20)))
    assert sorted(answers) == ["too_many"] * 17 + ["unauthenticated"] * 3


async def test_one_password_tried_many_times_at_once_is_checked_once(door: Door):
    answers = await asyncio.gather(*(door.guess("ann", PASSWORD) for _ in range(50)))
    assert answers == ["in"] * 50


async def test_a_caller_that_goes_away_does_not_undo_the_check_of_another(door: Door):
    first = asyncio.create_task(door.guess("ann", PASSWORD))
    second = asyncio.create_task(door.guess("ann", PASSWORD))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "in"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_when_too_many_passwords_wait_the_hub_says_that_it_is_busy(door: Door):
    hashed = [asyncio.create_task(door.hub.logins.hash(f"password {n}")) for n in range(CHECKS_MAX)]
    await asyncio.sleep(0)  # each has taken its place
    with pytest.raises(Unavailable):
        await door.enter(basic("ann", PASSWORD))
    await asyncio.gather(*hashed)
    assert await door.guess("ann", PASSWORD) == "in"


# --- client certificates --------------------------------------------------------------------------------------------------


async def test_a_certificate_counts_by_its_key(door: Door):
    made = certificate("energy")
    held = await credentials.add_certificate(door.hub, COMMAND_LINE, member="energy", name="node", role=Role.PUBLISHER, pem=made.pem)
    for der in (made.der, certificate("renewed, under another name", made.key).der):
        principal = await door.enter(der=der)
        assert principal is not None
        assert principal.credential == f"cert:{held.spki_sha256}"
    with pytest.raises(Unauthenticated):
        await door.enter(der=certificate("energy").der)
    with pytest.raises(Unauthenticated):
        await door.enter(der=b"no certificate")


async def test_a_revoked_certificate_is_refused_and_its_key_never_comes_back(door: Door):
    made = certificate("energy")
    given = {"member": "energy", "name": "node", "role": Role.READER}
    held = await credentials.add_certificate(door.hub, COMMAND_LINE, pem=made.pem, **given)
    await credentials.revoke_certificate(door.hub, COMMAND_LINE, held.spki_sha256)
    with pytest.raises(Unauthenticated):
        await door.enter(der=made.der)
    with pytest.raises(Conflict):
        await credentials.add_certificate(door.hub, COMMAND_LINE, pem=made.pem, **given)


async def test_a_credential_in_the_header_counts_before_the_certificate(door: Door):
    made = certificate("energy")
    await credentials.add_certificate(door.hub, COMMAND_LINE, member="energy", name="node", role=Role.READER, pem=made.pem)
    principal = await door.enter(f"Bearer {await door.token()}", der=made.der)
    assert principal is not None
    assert principal.credential.startswith("token:")
    with pytest.raises(Unauthenticated):
        await door.enter(f"Bearer {token_of_nobody()}", der=made.der)


async def test_a_proxy_passes_a_certificate_as_escaped_pem(door: Door):
    made = certificate("energy")
    assert certificate_from_header(quote(made.pem, safe="")) == made.der
    for bad in ("", "x", quote(made.pem, safe="")[:200], "%00", "-" * 20_000):
        with pytest.raises(Unauthenticated):
            certificate_from_header(bad)


async def test_what_is_no_certificate_is_not_registered(door: Door):
    for pem in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "x" * 17_000, "\udcff"):
        with pytest.raises(Invalid):
            await credentials.add_certificate(door.hub, COMMAND_LINE, member="energy", name="n", role=Role.READER, pem=pem)
