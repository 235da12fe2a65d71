"""A client of a hub's transparency log: what it serves to everybody, and receipts."""

import json
import time
from collections.abc import Sequence
from pathlib import Path

import requests

from hub.cli.remote import TIMEOUT_S, TRIES_MAX, TRY_AGAIN, Credentials, wait_s
from hub.domain.tlog.note import Kind, VerifierKey
from hub.domain.tlog.tiles import LEAF_BYTES_MAX, WIDTH
from hub.domain.unreached import tell_unreached
from hub.errors import Invalid, NotFound, Unavailable

_ANSWER_BYTES_MAX = WIDTH * (LEAF_BYTES_MAX + 2)
_PART_BYTES = 65_536


class LogClient:
    """The log of one hub, asked for one thing at a time, and again where it says to come back later."""

    def __init__(self, url: str, credentials: Credentials, ca_file: Path | None) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.verify = str(ca_file) if ca_file is not None else True
        self._session.trust_env = False  # a .netrc would sign in where nobody asked to
        self._auth = (credentials.user, credentials.password) if credentials.user and credentials.password else None
        self._headers = {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}

    def close(self) -> None:
        self._session.close()

    def fetch(self, path: str) -> bytes:
        """Return what the log serves at a path.

        Raises:
            NotFound: nothing.
            Unavailable: the hub does not answer.
        """
        return self._get(f"/log/{path}", is_known=False)

    def key(self) -> VerifierKey:
        """Return the key that the hub itself says is its log's.

        Raises:
            Invalid: it is none.
            Unavailable: the hub does not answer.
        """
        return VerifierKey.parse(self.fetch("key").decode("utf-8", "replace"))

    def receipt(self, digest: bytes) -> str:
        """Return the receipt for what has this digest.

        Raises:
            NotFound: the hub has none, or none for these credentials.
            Unavailable: the hub does not answer, or does not let them in.
        """
        return self._get(f"/trust/v1/proof/{digest.hex()}", is_known=True).decode("utf-8", "replace")

    def _get(self, path: str, *, is_known: bool) -> bytes:
        for number in range(1, TRIES_MAX + 1):
            answer, body = self._ask(path, is_known=is_known)
            if answer.status_code not in TRY_AGAIN or number == TRIES_MAX:
                break
            time.sleep(wait_s(answer, number))
        if answer.status_code == requests.codes.ok:
            return body
        if answer.status_code == requests.codes.not_found:
            raise NotFound(_detail(body))
        hints = {401: ": give --user or --token", 403: ": the credentials may not do this"}
        raise Unavailable(f"the hub answered {answer.status_code}{hints.get(answer.status_code) or f': {_detail(body)}'}")

    def _ask(self, path: str, *, is_known: bool) -> tuple[requests.Response, bytes]:
        auth, headers = (self._auth, self._headers) if is_known else (None, None)
        try:
            with self._session.get(
                f"{self._url}{path}", timeout=TIMEOUT_S, allow_redirects=False, stream=True, auth=auth, headers=headers
            ) as answer:
                return answer, _body(answer)
        except requests.RequestException as e:
            raise Unavailable(f"the hub cannot be reached: {tell_unreached(e)}") from e


def read_key(text: str) -> VerifierKey:
    """Return the verifier key that an option says, or that is in the file which it names.

    Raises:
        Invalid: it is none.
    """
    path = Path(text)
    if "+" not in text and path.exists():
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as e:
            raise Invalid(f"{path} cannot be read: {e}") from e
    return VerifierKey.parse(text)


def read_witnesses(texts: Sequence[str] | None) -> list[VerifierKey]:
    """Return the verifier keys of witnesses that options say.

    Raises:
        Invalid: one is none.
    """
    keys = [read_key(text) for text in texts or ()]
    if any(key.kind is not Kind.COSIGNATURE for key in keys):
        raise Invalid("--witness: give what `hub witness` shows, without the address; this is a log's key")
    return keys


def _body(answer: requests.Response) -> bytes:
    """Return an answer's body, unpacked; a log has nothing that is longer than a bundle of the largest entries."""
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_content(_PART_BYTES):
        parts.append(part)
        size += len(part)
        if size > _ANSWER_BYTES_MAX:
            raise Unavailable(f"the hub answers with more than {_ANSWER_BYTES_MAX} bytes")
    return b"".join(parts)


def _detail(body: bytes) -> str:
    try:
        said = json.loads(body)
    except ValueError:
        said = None
    detail = said.get("detail") if isinstance(said, dict) else None
    return detail[:200] if isinstance(detail, str) else "nothing is there"
