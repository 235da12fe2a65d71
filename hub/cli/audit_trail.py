"""`hub audit`: the audit trail of this hub, and checking the transparency log of any hub from outside."""

import base64
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.held_objects import held_objects, read_receipt
from hub.cli.log import LogKey, Url, Witnesses
from hub.cli.log_client import LogClient, read_key, read_witnesses
from hub.cli.remote import CaFile, Credentials, Password, Token, User
from hub.cli.session import Json, show, with_hub
from hub.cli.telling import errors_told, fail
from hub.domain.audit_chain import Link, check_chain
from hub.domain.json import read_document
from hub.domain.signing.base64url import decode, encode
from hub.domain.tlog.auditing import Audit, Seen, audit, check_inclusion_of
from hub.domain.tlog.note import VerifierKey
from hub.domain.tlog.proof_file import ProofFile
from hub.domain.tlog.receipt import Proved, check_receipt
from hub.domain.tlog.tiles import Tile
from hub.errors import HubError, Invalid
from hub.service import audit as trail
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import models, render

audit_app = typer.Typer(help="What administrators did, and whether a hub's log is what it seems.", no_args_is_help=True)

_DEPTH_MAX = 64  # of a line
AUDIT_COLUMNS = ("row", "at", "actor", "action", "target", "detail")


@audit_app.command("list")
def list_audit(
    ctx: typer.Context,
    limit: Annotated[int, typer.Option(help="Entries at most.", min=1, max=10_000)] = 50,
    before: Annotated[int | None, typer.Option(help="Begin below this row.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """List what administrators did, the latest first."""

    async def work(hub: Hub) -> list[models.AuditEntry]:
        return [render.audit_entry(entry) for entry in await trail.list_audit(hub, COMMAND_LINE, before=before, limit=limit)]

    show(with_hub(ctx, work), AUDIT_COLUMNS, as_json=as_json)


@audit_app.command("export")
def export_audit(ctx: typer.Context, output: Annotated[Path, typer.Argument(help="File to write, a line of JSON for each entry.")]) -> None:
    """Write the whole audit trail with its chain, and the receipt for the chain's end from the transparency log."""

    async def work(hub: Hub) -> int:
        with output.open("w", encoding="utf-8") as file:
            async for links in trail.export_audit(hub, COMMAND_LINE):
                file.writelines(f"{json.dumps({'number': one.number, **one.said, 'chain': encode(one.chain)})}\n" for one in links)
                end = links[-1]
            file.write(json.dumps({"receipt": await trail.anchor(hub, COMMAND_LINE, end.chain)}) + "\n")
        return end.number

    try:
        typer.echo(f"wrote {with_hub(ctx, work)} entries", err=True)
    except OSError as e:
        fail(f"{output} cannot be written: {e.strerror}")


@audit_app.command("verify")
def verify_audit(
    file: Annotated[Path, typer.Argument(help="What `hub audit export` wrote.", exists=True, dir_okay=False)],
    log_key: Annotated[str, typer.Option("--log-key", help="Verifier key of the hub's log, or a file with it.")],
) -> None:
    """Check that an exported audit trail is whole and unchanged, and that the transparency log holds its end. Asks nobody."""
    with errors_told():
        *lines, last = _json_lines(file)
        end = check_chain(_links(lines))
        if not isinstance(receipt := last.get("receipt"), str):
            raise Invalid(f"{file}: its last line is not the receipt: it is cut off")
        proved = check_receipt(ProofFile.parse(receipt), read_key(log_key), end)
    typer.echo(f"{len(lines)} entries, whole and unchanged; their end is leaf {proved.told.index} of the log, of {proved.told.at}")


@audit_app.command("check")
def check_log(
    url: Url,
    files: Annotated[list[Path] | None, typer.Argument(help="Objects that you hold: files and folders of STIX.", exists=True)] = None,
    state: Annotated[Path | None, typer.Option(help="Keep here what was seen, and hold the log to it the next time.")] = None,
    receipts: Annotated[
        Path | None, typer.Option(help="Directory of receipts that you have; others are asked for.", exists=True, file_okay=False)
    ] = None,
    log_key: LogKey = None,
    witness: Witnesses = None,
    user: User = None,
    password: Password = None,
    token: Token = None,
    ca_file: CaFile = None,
    everything: Annotated[bool, typer.Option("--everything", help="Check all entries again, not only those since the last time.")] = False,
) -> None:
    """Check a hub's transparency log from outside: that it only grows, is what it signs, and holds the objects that you hold.

    Whatever is wrong is named, and ends the command with code 1.
    """
    with errors_told(), contextlib.closing(LogClient(url, Credentials.of(user, password, token), ca_file)) as client:
        before = _State.read(state)
        key = _key(client, log_key, before)
        findings: list[str] = []
        witnesses = read_witnesses(witness)
        proved = list(_prove(client, key, witnesses, files or [], receipts, findings))
        found = _audit(client, key, witnesses, before, everything=everything)
        findings += found.findings
        for name, one in proved:
            try:
                check_inclusion_of(one, client.fetch, found.checkpoint)
            except HubError as e:
                findings.append(f"{name}: {e.detail}")
        for finding in findings:
            typer.echo(f"WRONG: {finding}", err=True)
        if findings:
            raise typer.Exit(1)
        _State(str(key), found.seen).write(state)
    typer.echo(
        f"{found.checkpoint.origin}: {found.checkpoint.size} leaves, {found.entries} of them checked now, {len(proved)} objects proved; "
        "nothing is wrong"
    )


def _audit(client: LogClient, key: VerifierKey, witnesses: list[VerifierKey], before: "_State | None", *, everything: bool) -> Audit:
    seen = before.seen if before is not None else None
    if everything and seen is not None:
        whole = audit(client.fetch, key, None, witnesses)
        since = audit(client.fetch, key, seen, witnesses)  # that what was seen is still its beginning
        since.entries = whole.entries
        since.findings = list(dict.fromkeys([*whole.findings, *since.findings]))
        return since
    return audit(client.fetch, key, seen, witnesses)


def _prove(
    client: LogClient, key: VerifierKey, witnesses: list[VerifierKey], files: list[Path], receipts: Path | None, findings: list[str]
) -> Iterator[tuple[str, Proved]]:
    for held in held_objects(files):
        try:
            kept = held.receipt_in(receipts) if receipts is not None else None
            content = read_receipt(kept) if kept is not None and kept.exists() else client.receipt(held.digest)
            yield held.name, held.check(content, key, witnesses)
        except HubError as e:
            findings.append(f"{held.name}: {e.detail}")


def _key(client: LogClient, given: str | None, before: "_State | None") -> VerifierKey:
    if given is None and before is None:
        key = client.key()
        typer.echo(f"no --log-key: believing the hub that its log's key is {key}", err=True)
        return key
    known = VerifierKey.parse(before.key) if before is not None else None
    asked = read_key(given) if given is not None else known
    assert asked is not None, "one of both is there"
    if known is not None and str(known) != str(asked):
        raise Invalid(f"--state is of the log {known}, and --log-key of {asked}")
    return asked


class _State:
    """What `hub audit check` keeps in a file."""

    def __init__(self, key: str, seen: Seen) -> None:
        self.key, self.seen = key, seen

    @classmethod
    def read(cls, path: Path | None) -> "_State | None":
        if path is None or not path.exists():
            return None
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
            tiles = {Tile(level, number): base64.b64decode(hashes, validate=True) for level, number, hashes in said["tiles"]}
            return cls(str(said["key"]), Seen(str(said["note"]), tiles))
        except (OSError, ValueError, TypeError, KeyError) as e:
            raise Invalid(f"--state: {path} is not what an earlier check wrote") from e

    def write(self, path: Path | None) -> None:
        if path is None:
            return
        tiles = [[tile.level, tile.number, base64.b64encode(hashes).decode()] for tile, hashes in self.seen.tiles.items()]
        part = path.with_name(f".{path.name}.part")
        try:
            part.write_text(json.dumps({"key": self.key, "note": self.seen.note, "tiles": tiles}), encoding="utf-8")
            part.replace(path)
        except OSError as e:
            raise Invalid(f"--state: {path} cannot be written: {e.strerror}") from e


def _json_lines(file: Path) -> list[dict[str, Any]]:
    lines = []
    try:
        for number, raw in enumerate(file.read_bytes().removesuffix(b"\n").split(b"\n"), 1):
            lines.append(_read_line(raw, f"{file}: line {number} is not what `hub audit export` wrote"))
    except OSError as e:
        raise Invalid(f"{file} cannot be read: {e.strerror}") from e
    return lines


def _read_line(raw: bytes, refusal: str) -> dict[str, Any]:
    try:
        line = read_document(raw, depth_max=_DEPTH_MAX).value
    except HubError as e:
        raise Invalid(f"{refusal}: {e.detail}") from e
    if not isinstance(line, dict):
        raise Invalid(refusal)
    return line


def _links(lines: list[dict[str, Any]]) -> Iterator[Link]:
    for line in lines:
        match line:
            case {"number": int(number), "chain": str(chain), **said}:
                yield Link(number, said, decode(chain))
            case _:
                raise Invalid("audit trail: a line is without its number or its link")
