"""Passwords: hashed and checked off the event loop, remembered for a minute, and slow to be guessed.

* A hash takes tens of milliseconds, so at most `CHECKS_MAX` wait for two threads; beyond that the hub says that it is busy.
* Only what was right is remembered, under a key that no other process has, and with the person's epoch: a changed password or
  role ends it at once.
* A wrong guess counts for the account and for the address. An account that is being guessed at stays open to addresses from which
  its owner signed in before, so nobody can be locked out by strangers.
* An unknown name takes as long as a known one.
"""

import asyncio
import hmac
import ipaddress
import secrets
import unicodedata
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from hub.domain.directory import Person
from hub.errors import TooMany, Unavailable

P = ParamSpec("P")
T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

WINDOW_US = 15 * 60 * 1_000_000
REMEMBERED_US = 60 * 1_000_000
CHECKS_MAX = 64  # passwords that wait to be hashed or checked
KEPT_MAX = 10_000  # entries of each table here

# OWASP's set for Argon2id: about 18 ms of one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
# Of a password that nobody knows, with the same parameters.
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$6Ra023UU/mqfISozpqKrJg$TOTV+zcObSpWQgnlkXgw8+hckjZaDpdowDw7rrFUoUc"


class Logins:
    """What a process knows of passwords that people tried. Belongs to one event loop."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(max_workers=2, thread_name_prefix="password")
        self._key = secrets.token_bytes(32)
        self._checks: dict[bytes, asyncio.Future[bool]] = {}
        self._waiting = 0
        self._remembered: OrderedDict[bytes, int] = OrderedDict()  # what was right -> until when
        self._attempts: OrderedDict[str, deque[int]] = OrderedDict()  # account or address -> when somebody guessed wrong
        self._familiar: OrderedDict[tuple[str, str], None] = OrderedDict()  # (account, address) that signed in

    async def hash(self, password: str) -> str:
        """Return the Argon2id hash of a new password."""
        return await self._run(_HASHER.hash, _normal(password))

    async def check(self, username: str, person: Person | None, password: str, *, address: str, now_us: int, failures_max: int) -> bool:
        """Return whether `password` is that of `person`; None stands for a name that nobody has.

        Raises:
            TooMany: the account or the address guessed wrong `failures_max` times within the last 15 minutes.
            Unavailable: too many passwords wait to be checked.
        """
        key = self._cache_key(username, person, password)
        if self._remembered.get(key, 0) > now_us:
            return True
        check = self._checks.get(key)
        if check is None:
            check = self._begin(key, username, person, password, _network(address), now_us, failures_max)
        # The check goes on for whoever else waits for it, and to be counted.
        return await asyncio.shield(check)

    def _begin(
        self, key: bytes, username: str, person: Person | None, password: str, network: str, now_us: int, failures_max: int
    ) -> asyncio.Future[bool]:
        counted = [f"address {network}"]
        if (username, network) not in self._familiar:
            counted.append(f"account {username}")
        for name in counted:
            self._refuse_after_failures(name, now_us, failures_max)
        check = self._run(_verify, person.password_hash if person else _NOBODY, _normal(password))
        # Counted before the answer is known, so that many guesses at once are no way around the limit.
        for name in counted:
            _kept(self._attempts, name, deque[int]()).append(now_us)
        self._checks[key] = check
        check.add_done_callback(partial(self._settle, key, username, network, counted, now_us))
        return check

    def _settle(self, key: bytes, username: str, network: str, counted: list[str], now_us: int, check: "asyncio.Future[bool]") -> None:
        del self._checks[key]
        failed = check.cancelled() or check.exception() is not None  # a fault of ours, and no guess
        if not failed and not check.result():
            return
        for name in counted:
            self._forgive(name, now_us)
        if not failed:
            self._remembered.pop(key, None)
            _kept(self._remembered, key, now_us + REMEMBERED_US)
            _kept(self._familiar, (username, network), None)

    def _refuse_after_failures(self, name: str, now_us: int, failures_max: int) -> None:
        attempts = self._attempts.get(name)
        if attempts is None:
            return
        while attempts and attempts[0] <= now_us - WINDOW_US:
            attempts.popleft()
        if len(attempts) >= failures_max:
            wait_us = attempts[-failures_max] + WINDOW_US - now_us
            raise TooMany("too many failed log-ins; wait before you try again", retry_after_s=max(1, -(-wait_us // 1_000_000)), who=name)

    def _forgive(self, name: str, now_us: int) -> None:
        attempts = self._attempts.get(name)
        if attempts is not None and now_us in attempts:
            attempts.remove(now_us)

    def _run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[T]":
        if self._waiting >= CHECKS_MAX:
            raise Unavailable("too many log-ins at once; try again in a few seconds")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, partial(work, *args, **kwargs))
        future.add_done_callback(self._done)
        return future

    def _done(self, _: "asyncio.Future[Any]") -> None:
        self._waiting -= 1

    def _cache_key(self, username: str, person: Person | None, password: str) -> bytes:
        epoch = person.epoch if person else -1
        said = f"{username}\0{epoch}\0{password}".encode("utf-8", "surrogateescape")
        return hmac.digest(self._key, said, "sha256")


def _verify(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """Return a password in the one form that all keyboards lead to."""
    return unicodedata.normalize("NFC", password)


def _network(address: str) -> str:
    """Return what guesses from an address are counted under: an IPv6 site has 2^64 addresses to guess from."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv4Address):
        return str(ip)
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Network((ip, 64), strict=False))


def _kept(table: OrderedDict[K, V], key: K, value: V) -> V:
    """Return what `table` has for `key`, or `value`, which it now has; the entry that was used least recently makes room."""
    kept = table.setdefault(key, value)
    table.move_to_end(key)
    if len(table) > KEPT_MAX:
        table.popitem(last=False)
    return kept
