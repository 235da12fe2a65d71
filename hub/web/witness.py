"""A witness of transparency logs (C2SP tlog-witness): a server of its own, which another organisation runs.

* Of each log it keeps the last checkpoint that it cosigned, in a file; that is on disk before the cosignature is given.
* One request at a time is looked at, so none can bring a log back behind another.
* It knows no callers: whoever has a checkpoint that a known log signed may bring it.
"""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from aiohttp import hdrs, web

from hub.domain.signing.keys import Signer
from hub.domain.tlog.checkpoint import Checkpoint, verify_checkpoint
from hub.domain.tlog.cosignature import cosign
from hub.domain.tlog.note import Note, VerifierKey
from hub.domain.tlog.witness import REQUEST_BYTES_MAX, SIZE_MEDIA_TYPE, AddCheckpoint, require_growth
from hub.errors import Conflict, HubError, Invalid, NotFound, Withheld
from hub.keys.remembered import read_remembered, remember
from hub.web.errors import STATUS

_TEXT = "text/plain; charset=utf-8"

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Witness:
    """Who cosigns, which logs it knows, and where it keeps what it cosigned."""

    name: str
    signer: Signer
    logs: Mapping[str, VerifierKey]  # by the log's name
    directory: Path
    now_s: Callable[[], int] = field(default=lambda: int(time.time()))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def add(self, content: str) -> str:
        """Cosign a checkpoint, if it goes on from the one cosigned last; return the signature line.

        Raises:
            NotUnderstood: the request is not of the form that it has to have.
            NotFound: the log is not known.
            Withheld: the log did not sign the checkpoint.
            Conflict: it does not begin at the size cosigned last, which the context names.
            Invalid: the tree does not go on from the one cosigned last.
        """
        request = AddCheckpoint.parse(content)
        checkpoint = self._verified(request.note)
        path = self.file_of(checkpoint.origin)
        async with self.turn:
            held = await asyncio.to_thread(read_remembered, path)
            require_growth(None if held is None else Checkpoint.in_note(held), request, checkpoint)
            line = cosign(request.note.text, self.name, self.signer, at_s=self.now_s())
            own = self.logs[checkpoint.origin].own(request.note.signatures)
            await asyncio.to_thread(remember, path, str(Note(request.note.text, (*own, line))))
        return line.line()

    def file_of(self, origin: str) -> Path:
        """Return where the last checkpoint of a log is kept."""
        return self.directory / f"{_hash(origin)}.checkpoint"

    def _verified(self, note: Note) -> Checkpoint:
        key = self.logs.get(note.text.partition("\n")[0])
        if key is None:
            raise NotFound("this witness does not know the log")
        try:
            return verify_checkpoint(note, key)
        except Invalid as e:
            raise Withheld(e.detail) from e


WITNESS = web.AppKey("witness", Witness)


def build_witness(witness: Witness) -> web.Application:
    """Return a witness as a web application."""
    app = web.Application(client_max_size=REQUEST_BYTES_MAX)
    app[WITNESS] = witness
    app.add_routes([web.post("/add-checkpoint", add_checkpoint), web.get("/{origin_hash}/checkpoint", get_checkpoint)])
    return app


async def add_checkpoint(request: web.Request) -> web.Response:
    """Answer a cosignature, or in the protocol's words why not."""
    try:
        line = await request.app[WITNESS].add((await request.read()).decode("utf-8", "replace"))
    except Conflict as e:
        return _answer(f"{e.context['size']}\n", STATUS[e.code], SIZE_MEDIA_TYPE)
    except HubError as e:
        log.warning("not cosigned: %s", e.detail)
        return _answer(f"{e.detail}\n", STATUS[e.code])
    return _answer(line)


async def get_checkpoint(request: web.Request) -> web.Response:
    """Answer the last checkpoint of a log that was cosigned."""
    witness = request.app[WITNESS]
    origin = next((origin for origin in witness.logs if _hash(origin) == request.match_info["origin_hash"]), None)
    held = None if origin is None else await asyncio.to_thread(read_remembered, witness.file_of(origin))
    return _answer("no such checkpoint\n", STATUS[NotFound.code]) if held is None else _answer(held)


def _answer(text: str, status: HTTPStatus = HTTPStatus.OK, content_type: str = _TEXT) -> web.Response:
    return web.Response(status=status, body=text.encode(), headers={hdrs.CONTENT_TYPE: content_type})


def _hash(origin: str) -> str:
    return hashlib.sha256(origin.encode()).hexdigest()
