"""`hub listen`: a receiver of webhooks on this machine, for trying things out.

It agrees to be sent events when a hub asks. A hub sends here only where its settings say `webhooks_allow_http = true` and
`webhooks_ports = []`, and an administrator has opened the network to the subscription (`--private-cidr 127.0.0.0/8`).
"""

import json
import os
import socket
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Annotated, Any

import typer
from aiohttp import hdrs, web

from hub.cli.telling import errors_told
from hub.domain.json import read_document
from hub.domain.webhooks.signature import ID_HEADER, VerifyingKey, verify, verifying_key
from hub.errors import ConfigError, Invalid

app = typer.Typer()

BODY_BYTES_MAX = 1_048_576
_DEPTH_MAX = 64
_IDS_MAX = 10_000  # that are remembered
_SHOWN = ("object_id", "tlp", "version", "subject")


@app.command("listen")
def listen(
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8470,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    key: Annotated[
        list[str] | None,
        typer.Option(
            envvar="HUB_WEBHOOK_KEY", help="whsec_… or whpk_…, as the subscription shows it; repeatable. Without: nothing is verified."
        ),
    ] = None,
    answer: Annotated[
        list[int] | None, typer.Option(help="Status to answer with; of several each once, then the last.", min=200, max=599)
    ] = None,
    body: Annotated[bool, typer.Option("--body", help="Print the whole message, too.")] = False,
) -> None:
    """Receive webhooks on this machine: verify, print, and answer each."""
    with errors_told():
        listener = Listener([verifying_key(text) for text in key or ()], answer or [204], shows_body=body)
        sock = _bound(host, port)
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app.router.add_post("/{path:.*}", listener.take)
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"listening on http://{shown}:{sock.getsockname()[1]}/")
    web.run_app(app, sock=sock, print=None, access_log=None)


@dataclass(slots=True)
class Listener:
    """What came so far, and how the next message is answered."""

    keys: list[VerifyingKey]  # none: signatures are not looked at
    answers: list[int]  # statuses; the last one stays
    shows_body: bool = False
    _ids: OrderedDict[str, int] = field(default_factory=OrderedDict)  # how often each came
    _sequences: dict[str, int] = field(default_factory=dict)  # the highest of each collection

    async def take(self, request: web.Request) -> web.Response:
        """Verify a message, print it and answer it."""
        raw = await request.read()
        try:
            if self.keys:
                verify(self.keys, request.headers, raw, now_s=int(time.time()))
            message = read_document(raw, depth_max=_DEPTH_MAX).value
        except Invalid as e:
            typer.echo(f"refused: {e.detail}", err=True)
            return web.Response(status=401)
        if not isinstance(message, dict):
            typer.echo("refused: no JSON object", err=True)
            return web.Response(status=400)
        if message.get("type") == "challenge":
            typer.echo("a hub asked whether it may send here: yes")
            return web.json_response({"challenge": message.get("challenge")})
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        typer.echo(f"{status} {self._line(request.headers.get(ID_HEADER, ''), message)}")
        if self.shows_body:
            typer.echo(json.dumps(message, indent=2, ensure_ascii=True))
        return web.Response(status=status, headers={hdrs.CACHE_CONTROL: "no-store"})

    def _line(self, message_id: str, message: dict[str, Any]) -> str:
        data = message.get("data")
        data = data if isinstance(data, dict) else {}
        told = [str(message.get("type", "a card for a chat")), *(f"{name}={data[name]}" for name in _SHOWN if name in data)]
        told += [part for part in (self._of_sequence(data), self._of_id(message_id)) if part]
        told.append("signature good" if self.keys else "not verified: give --key")
        return ascii(" ".join(told))[1:-1]  # whatever came, the terminal is told nothing

    def _of_id(self, message_id: str) -> str:
        """Say which message it is, and whether it came before."""
        times = self._ids[message_id] = self._ids.pop(message_id, 0) + 1
        if len(self._ids) > _IDS_MAX:
            self._ids.popitem(last=False)
        return f"id={message_id}" + (f" again, {times} times by now" if times > 1 else "")

    def _of_sequence(self, data: dict[str, Any]) -> str:
        """Say which number an event has among those of its collection, and what is missing before it."""
        number, collection = data.get("sequence"), str(data.get("collection"))
        if not isinstance(number, int):
            return ""
        highest = self._sequences.get(collection, number - 1)
        self._sequences[collection] = max(highest, number)
        missing = number - highest - 1
        return f"sequence={number}" + (f" with {missing} to come before it" if missing > 0 else "")


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as e:
        raise ConfigError(f"cannot listen on {host} port {port}: {os.strerror(e.errno) if e.errno else e}") from e
