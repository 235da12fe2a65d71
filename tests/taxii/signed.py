"""Requests that a member signs (RFC 9421), and may change before it sends them."""

import itertools

from hub.domain.http_signature.digest import content_digest
from hub.domain.http_signature.message import Request, normal_uri
from hub.domain.http_signature.push import sign_push
from hub.domain.ids import MemberId
from hub.domain.signing.keys import PrivateKey
from hub.domain.signing.registered import MemberKey
from hub.service.context import Hub
from hub.store.database import Connection
from hub.store.directory import bump_revision
from hub.store.trust import add_member_key
from tests.taxii.site import MEDIA_TYPE, Caller, Reply, Site

NONCES = (f"nonce-{n}" for n in itertools.count())
KEY = PrivateKey.generate()


async def give_key(hub: Hub, member: MemberId, key: PrivateKey = KEY, **times: int) -> None:
    """Register a key for a member."""

    async def work(conn: Connection) -> None:
        await bump_revision(conn)
        await add_member_key(conn, MemberKey(key.public, member, "test", 0, **{"not_before_us": 0, **times}))

    await hub.db.write(work)


class Signed:
    """A request that is signed, and may be changed before it is sent."""

    def __init__(
        self, site: Site, path: str, body: bytes = b"", method: str = "POST", *, base: str | None = None, key: PrivateKey = KEY,
        nonce: str | None = None, aged_s: int = 0, **headers: str,
    ) -> None:  # fmt: skip
        self.method, self.path, self.body = method, path, body
        self.headers = {"Content-Type": MEDIA_TYPE, "Content-Digest": content_digest(body), **headers} if body else headers
        now_s = site.hub.now_us() // 1_000_000 - aged_s
        request = request_of(method, (base or site.url) + path, self.headers)
        self.headers |= sign_push(request, key, has_body=bool(body), nonce=nonce or next(NONCES), now_s=now_s)

    async def send(self, caller: Caller) -> Reply:
        return await caller.send(self.method, self.path, body=self.body or None, headers=self.headers)

    async def refused(self, caller: Caller) -> tuple[int, str]:
        reply = await self.send(caller)
        return reply.status, reply.json["description"]


def request_of(method: str, uri: str, headers: dict[str, str]) -> Request:
    known = {name.lower(): value for name, value in headers.items()}
    return Request(method, normal_uri(uri), lambda name: [known[name.lower()]] if name.lower() in known else [])
