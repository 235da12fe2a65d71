"""`hub keygen`, `hub sign` and `hub verify`: signatures of objects, for who gives and who takes them. No hub is needed."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.signing_key import OPENED_BY, new_passphrase, read_signing_key
from hub.cli.stix_files import Format, find_files, read_file, writing
from hub.cli.telling import errors_told, fail
from hub.domain.json import read_document
from hub.domain.marking import TLP_OF
from hub.domain.signing.extension import definition_ids
from hub.domain.signing.keys import Algorithm, PrivateKey
from hub.domain.signing.object_signature import object_digest, sign_object
from hub.domain.signing.trusted import Finding, TrustedKey, judge, read_trusted, read_trusted_attestation
from hub.domain.stix_limits import Limits
from hub.errors import Invalid

app = typer.Typer()

Files = Annotated[list[Path], typer.Argument(help="Bundles, envelopes, NDJSON, single objects; .gz; folders of these.", exists=True)]
KeyFiles = Annotated[
    list[Path], typer.Option("--keys", help="JWK Set of whom you trust; give it once for each.", exists=True, dir_okay=False)
]


@app.command("keygen")
def make_key(
    file: Annotated[Path, typer.Argument(help="Where the private key goes; the public one goes beside it, with .jwk at the end.")],
    algorithm: Annotated[
        Algorithm, typer.Option(help="What it signs with; ML-DSA stands beside another key's signature.")
    ] = Algorithm.ED25519,
) -> None:
    """Make a key that signs objects and pushes, and beside it the public key that hubs register."""
    public = file.with_name(f"{file.name}.jwk")
    for path in (file, public):
        if path.exists():
            fail(f"{path} is there already; a key is never overwritten")
    passphrase = new_passphrase()
    key = PrivateKey.generate(algorithm)
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as private:
            private.write(key.to_pem(passphrase))
        public.write_text(json.dumps(key.public.jwk(), indent=2) + "\n", encoding="utf-8")
    except OSError as e:
        fail(f"{e.filename} cannot be written: {e.strerror}")
    typer.echo(f"{key.public.kid}\nprivate, for nobody else: {file}\npublic, to be registered: {public}")
    if passphrase is None:
        typer.echo(f"note: the private key is not encrypted; {OPENED_BY} would have encrypted it", err=True)


@app.command("sign")
def sign_files(
    files: Files,
    key: Annotated[list[Path], typer.Option(help="Private key (PEM); a second one may stand beside it.", exists=True, dir_okay=False)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; .gz compresses.", show_default="standard output")
    ] = None,
    format: Annotated[Format, typer.Option(help="A bundle, or an object a line.")] = Format.BUNDLE,
    author: Annotated[str | None, typer.Option(help="Sign only what names this identity as its author; the rest stays as it is.")] = None,
) -> None:
    """Sign objects, and write them with their signatures."""
    with errors_told():
        signers = [read_signing_key(path) for path in key]
        common = {*TLP_OF, *definition_ids()}
        with writing(output, format) as writer:
            for body in _objects(files):
                obj = _read(body)
                is_ours = obj.get("id") not in common and (author is None or obj.get("created_by_ref") == author)
                writer.write([json.dumps(sign_object(obj, *signers), ensure_ascii=False).encode() if is_ours else body])


@app.command("verify")
def verify_files(
    files: Files,
    keys: KeyFiles,
    attestation: Annotated[
        list[Path] | None,
        typer.Option(help="What a hub attests of one of the objects; its keys are among --keys.", exists=True, dir_okay=False),
    ] = None,
    unsigned: Annotated[bool, typer.Option("--unsigned", help="Let objects pass that nobody signed.")] = False,
) -> None:
    """Verify the signatures of objects, one line for each; fail if any is bad, suspect or missing."""
    with errors_told():
        trusted = read_trusted(path.read_bytes() for path in keys)
        attested = dict(_attested(path, trusted) for path in attestation or ())
        passing = {Finding.GOOD, *([Finding.UNSIGNED] if unsigned else [])}
        common = {*TLP_OF, *definition_ids()}
        failed = 0
        for body in _objects(files):
            id, finding, told = _judged(body, trusted, attested)
            is_common = id in common and finding is Finding.UNSIGNED
            failed += finding not in passing and not is_common
            typer.echo(f"{finding}\t{id}\t{told}")
    if failed:
        fail(f"{failed} of the objects did not pass")


def _judged(body: bytes, trusted: Mapping[str, TrustedKey], attested: Mapping[str, Mapping[str, Any]]) -> tuple[str, Finding, str]:
    """Return the id of an object, what it turned out to be, and why."""
    try:
        obj = _read(body)
        statement = attested.get(object_digest(obj).hex())
    except Invalid as e:
        return "?", Finding.BAD, e.detail
    id = str(obj.get("id", "?"))
    verdict = judge(obj, trusted, statement)
    if statement is None:
        return id, verdict.finding, verdict.told
    finding = Finding.GOOD if verdict.finding is Finding.UNSIGNED else verdict.finding
    return id, finding, f"{verdict.told}; {statement['attestation']}, taken by {statement['hub']} at {statement['accepted_at']}"


def _attested(path: Path, trusted: Mapping[str, TrustedKey]) -> tuple[str, Mapping[str, Any]]:
    """Return the d that an attestation is about, and what it says.

    Raises:
        Invalid: it is none, or of no key that may attest for its hub.
    """
    try:
        statement = read_trusted_attestation(path.read_text(encoding="utf-8"), trusted)
    except (Invalid, UnicodeDecodeError) as e:
        raise Invalid(f"{path}: {e.detail if isinstance(e, Invalid) else 'not an attestation of a hub'}") from e
    return statement["d"], statement


def _objects(files: Sequence[Path]) -> Iterator[bytes]:
    for file in find_files(files):
        try:
            yield from read_file(file).objects
        except Invalid as e:
            raise Invalid(f"{file}: {e.detail}") from e


def _read(body: bytes) -> dict[str, Any]:
    obj = read_document(body, depth_max=Limits().depth_max).value
    if not isinstance(obj, dict):
        raise Invalid("a STIX object is a JSON object")
    return obj
