"""`hub push` and `hub pull`: a small TAXII 2.1 client for any server."""

import asyncio
import contextlib
import json
import os
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Annotated, Any, TypeVar, cast
from urllib.parse import urljoin

import requests
import typer
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from taxii2client.common import _HTTPConnection
from taxii2client.exceptions import TAXIIServiceException
from taxii2client.v21 import ApiRoot, Collection

from hub.cli.signed_pushes import SignedPushes
from hub.cli.signing_key import read_signing_key
from hub.cli.stix_files import Format, Writer, find_files, read_file, standard_output
from hub.cli.telling import Refusals, counting, errors_told, telling
from hub.domain.connector import Connector, Cursor, Feed
from hub.domain.json import read_members
from hub.domain.naming import is_web_address
from hub.domain.retry_after import read_retry_after
from hub.domain.signing.keys import Signer
from hub.domain.unreached import tell_unreached
from hub.errors import Invalid, Unavailable
from hub.service.connectors import load_connector

T = TypeVar("T")

app = typer.Typer()

TIMEOUT_S = 60
TRIES_MAX = 5
CHUNK_OBJECTS_MAX = 1_000
DELAY_MAX_S = 300.0
TRY_AGAIN = frozenset({429, 502, 503, 504})
_WRAPPING = len(b'{"objects":[]}')

User = Annotated[str | None, typer.Option(envvar="HUB_REMOTE_USER", help="Username, or username:password.")]
Password = Annotated[str | None, typer.Option(envvar="HUB_REMOTE_PASSWORD", help="Password of the user.")]
Token = Annotated[str | None, typer.Option(envvar="HUB_REMOTE_TOKEN", help="Bearer token, instead of user and password.")]
CaFile = Annotated[Path | None, typer.Option(help="Authorities to trust instead of the system's.", exists=True)]


@app.command("push")
def push_files(
    files: Annotated[list[Path], typer.Argument(help="Bundles, envelopes, NDJSON, single objects; .gz; folders of these.", exists=True)],
    url: Annotated[str, typer.Option(help="Address of the collection, .../collections/<id>/.")],
    user: User = None,
    password: Password = None,
    token: Token = None,
    ca_file: CaFile = None,
    report: Annotated[Path | None, typer.Option(help="Write each refusal to this file, as JSON Lines.")] = None,
    allow_refused: Annotated[bool, typer.Option("--allow-refused", help="Succeed though some objects were refused.")] = False,
    wait: Annotated[int, typer.Option(help="Seconds to wait for a push that the server finishes in the background.", min=1)] = 300,
    sign: Annotated[Path | None, typer.Option(help="Sign each request with the key in this file; HUB_KEY_PASSPHRASE opens it.")] = None,
) -> None:
    """Push files to a collection of a TAXII 2.1 server, and wait for what becomes of each object."""
    with errors_told(), telling(report) as refusals:
        signer = read_signing_key(sign) if sign is not None else None
        with contextlib.closing(Target(url, Credentials.of(user, password, token), ca_file, wait, signer)) as target:
            for path in find_files(files):
                try:
                    file = read_file(path)
                    with counting(path.name, file.count) as advance:
                        for chunk in target.chunks(file.objects, str(path), refusals):
                            target.push(chunk, refusals)
                            advance(len(chunk))
                except Invalid as e:
                    refusals.refuse(str(path), e.detail)
        refusals.conclude(allow_refused=allow_refused)


@app.command("pull")
def pull_collection(
    url: Annotated[str, typer.Argument(help="Address of the collection, .../collections/<id>/.")],
    user: User = None,
    password: Password = None,
    token: Token = None,
    ca_file: CaFile = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, an object a line.", show_default="standard output")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Keep here how far it came, and the next time add only what is new.")] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Go on asking for what is new until interrupted.")] = False,
    interval: Annotated[int, typer.Option(help="Seconds between two questions of --follow.", min=1)] = 30,
    verify: Annotated[
        str | None, typer.Option(metavar="JWKS", help="Take only answers signed with a key of this file, or of this https address.")
    ] = None,
) -> None:
    """Pull every version in a collection of a TAXII 2.1 server, oldest first, as NDJSON."""
    with errors_told():
        connector, settings = _source(url, Credentials.of(user, password, token), ca_file, verify)
    with errors_told(), _output(output, append=state is not None and state.exists()) as file:
        count = 0

        async def work() -> None:
            nonlocal count
            cursor = _read_state(state)
            while True:
                async with contextlib.aclosing(connector.pull(Feed(settings, cursor))) as batches:
                    async for batch in batches:
                        _append(file, batch.objects)
                        cursor = batch.cursor
                        _keep_state(state, cursor)  # after what it covers: killed in between, some objects come twice
                        count += len(batch.objects)
                if not follow:
                    return
                await asyncio.sleep(interval)

        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(work())
        typer.echo(f"pulled {count} objects", err=True)


@dataclass(frozen=True, slots=True)
class Credentials:
    """How to sign in at a server."""

    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, user: str | None, password: str | None, token: str | None) -> "Credentials":
        """Return what the options say; a user may carry the password, as with curl.

        Raises:
            Invalid: half of what is needed, or both kinds.
        """
        if user is not None and password is None and ":" in user:
            user, password = user.split(":", 1)
        if (user is None) != (password is None):
            raise Invalid("give --user and --password together, or --user name:password")
        if user is not None and token is not None:
            raise Invalid("give a user or a token, not both")
        return cls(user, password, token)


class Target:
    """A collection of another server, for writing."""

    def __init__(self, url: str, credentials: Credentials, ca_file: Path | None, wait_s: int, signer: Signer | None) -> None:
        if not is_web_address(url):
            raise Invalid("--url: write the whole address of the collection, such as https://hub.example.org/taxii2/hub/collections/<id>/")
        auth = _Bearer(credentials.token) if credentials.token else None
        self._connection = _HTTPConnection(
            credentials.user, credentials.password, version="2.1", auth=auth, verify=str(ca_file) if ca_file else True
        )
        if signer is not None:
            SignedPushes(self._connection.session, signer)
        for scheme in ("http://", "https://"):
            self._connection.session.mount(scheme, _TimedAdapter())
        self._collection = Collection(url, conn=self._connection)
        self._root = ApiRoot(urljoin(self._collection.url, "../../"), conn=self._connection)
        self._wait_s = wait_s

    def close(self) -> None:
        self._connection.close()

    def chunks(self, objects: Iterable[bytes], source: str, refusals: Refusals) -> Iterator[list[bytes]]:
        """Yield objects in chunks that the server takes; what would spoil a chunk, or is too large alone, is refused here."""
        bytes_max = _asked(lambda: int(self._root.max_content_length))
        chunk: list[bytes] = []
        size = _WRAPPING
        for raw in objects:
            try:
                read_members(raw)
            except Invalid as e:
                refusals.refuse(source, e.detail)
                continue
            if len(raw) + _WRAPPING > bytes_max:
                refusals.refuse(source, f"an object of {len(raw)} bytes; the server takes {bytes_max} at once")
                continue
            if chunk and (size + len(raw) + 1 > bytes_max or len(chunk) == CHUNK_OBJECTS_MAX):
                yield chunk
                chunk, size = [], _WRAPPING
            chunk.append(raw)
            size += len(raw) + 1
        if chunk:
            yield chunk

    def push(self, chunk: list[bytes], refusals: Refusals) -> None:
        """Push objects, wait until the server is done with them, and tell what became of each.

        Raises:
            Unavailable: the server did not take them.
        """
        envelope = b'{"objects":[' + b",".join(chunk) + b"]}"
        status = _asked(lambda: self._collection.add_objects(envelope, poll_interval=1, timeout=self._wait_s))
        if status.status != "complete":
            raise Unavailable(f"the server is still at it after {self._wait_s} s; it will go on, see {status.url}")
        refusals.accept(status.success_count)
        for failure in status.failures:
            refusals.refuse("the server", failure.get("message", "no reason given"), id=failure.get("id"), version=failure.get("version"))
        for _ in range(status.failure_count - len(status.failures)):
            refusals.refuse("the server", "an object that the server did not name")


class _TimedAdapter(HTTPAdapter):
    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        return super().send(request, *args, **{**kwargs, "timeout": TIMEOUT_S})


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._header = f"Bearer {token}"

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = self._header
        return request


def _asked(ask: Callable[[], T]) -> T:
    """Ask a server, again where it says to come back later.

    Raises:
        Unavailable: it does not do it; says what to look at.
    """
    for number in range(1, TRIES_MAX + 1):
        try:
            return ask()
        except requests.HTTPError as e:
            answer = cast("requests.Response", e.response)  # raise_for_status names it
            if answer.status_code not in TRY_AGAIN or number == TRIES_MAX:
                hints = {401: ": check the credentials", 403: ": the credentials may not do this", 404: ": check the address"}
                raise Unavailable(f"the server answered {answer.status_code}{hints.get(answer.status_code, '')}") from e
            time.sleep(wait_s(answer, number))
        except requests.RequestException as e:
            raise Unavailable(f"the server cannot be reached: {tell_unreached(e)}") from e
        except (TAXIIServiceException, AttributeError, TypeError, KeyError, ValueError) as e:
            if "does not match the url" in str(e):
                raise Invalid("taxii2-client cannot use a collection's alias: give the address that holds its id") from e
            # The client takes the shape of an answer for granted: what it trips over is not TAXII 2.1.
            raise Unavailable(f"the server's answer is not TAXII 2.1: {str(e)[:200]}") from e
    raise AssertionError("the last try returns or raises")


def wait_s(answer: requests.Response, number: int) -> float:
    """Return how long to wait before asking again, after the try of this number."""
    asked_s = read_retry_after(answer.headers.get("Retry-After"), now_s=time.time())
    return min(2.0**number if asked_s is None else asked_s, DELAY_MAX_S)


def _source(url: str, credentials: Credentials, ca_file: Path | None, answer_keys: str | None) -> tuple[Connector, Mapping[str, Any]]:
    """Return the connector that pulls over TAXII, and its settings for one collection."""
    connector = load_connector("taxii")
    given = {"url": url, "username": credentials.user, "password": credentials.password, "token": credentials.token}
    trusted = {"ca_file": str(ca_file) if ca_file else None, "answer_keys": answer_keys}
    return connector, connector.check({**given, **trusted}, place="hub pull")


def _read_state(state: Path | None) -> Cursor | None:
    try:
        return dict(json.loads(state.read_text())) if state is not None and state.exists() else None
    except (OSError, ValueError) as e:
        raise Invalid(f"--state: {state} is not what an earlier pull wrote: {e}") from e


def _keep_state(state: Path | None, cursor: Cursor) -> None:
    if state is not None:
        part = state.with_name(f".{state.name}.part")
        try:
            part.write_text(json.dumps(cursor))
            part.replace(state)
        except OSError as e:
            raise Invalid(f"--state: {state} cannot be written: {e.strerror}") from e


@contextlib.contextmanager
def _output(output: Path | None, *, append: bool) -> Iterator[IO[bytes]]:
    if output is None:
        with standard_output() as file:
            yield file
        return
    try:
        with output.open("ab" if append else "wb") as file:
            yield file
    except OSError as e:
        raise Invalid(f"{output} cannot be written: {e.strerror or e}") from e


def _append(file: IO[bytes], objects: Iterable[bytes]) -> None:
    Writer(file, Format.NDJSON).write(objects)
    file.flush()
    if file is not sys.stdout.buffer and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        os.fsync(file.fileno())
