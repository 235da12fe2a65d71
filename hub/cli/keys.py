"""`hub key` and `hub own-key`: members' signing keys, and the hub's own."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.cli.signing_key import read_signing_key
from hub.cli.telling import errors_told, fail
from hub.domain.signing.possession import prove
from hub.domain.signing.registered import Purpose
from hub.domain.timestamp import format_timestamp
from hub.service import hub_keys, member_keys
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.service.suspects import list_suspects
from hub.web.api import key_models
from hub.web.api.keys import moment_in, signing_key, suspect
from hub.web.api.models import Shown

key_app = typer.Typer(help="Members' signing keys.", no_args_is_help=True)
own_key_app = typer.Typer(help="The hub's own signing keys.", no_args_is_help=True)

_DASHED = {"ignore_unknown_options": True}  # a thumbprint may begin with a dash

KEY_COLUMNS = ("member", "name", "algorithm", "status", "not_before", "not_after", "revoked_at", "compromised_from", "kid")
SUSPECT_COLUMNS = ("object", "version", "accepted_at", "signed", "anonymous")
HUB_KEY_COLUMNS = ("purpose", "algorithm", "since", "until", "kid")
SUSPECTS_MAX = 10_000

Kid = Annotated[str, typer.Argument(metavar="KID", help="The key's thumbprint.")]
PublicKeyFile = Annotated[
    Path, typer.Argument(help="The public key, as `hub keygen` writes it (JSON Web Key).", exists=True, dir_okay=False)
]


class OwnKey(Shown):
    """A key of the hub's own."""

    purpose: Purpose
    algorithm: str
    since: str
    until: str | None
    kid: str


@key_app.command("challenge")
def issue_challenge(
    ctx: typer.Context, file: PublicKeyFile, member: Annotated[str, typer.Option(help="Slug or id of whose key it is to be.")]
) -> None:
    """Print what a key has to sign so that it can be registered: give it to the member, who answers with `hub key prove`."""
    jwk = _jwk_in(file)

    async def work(hub: Hub) -> str:
        return member_keys.issue_challenge(hub, await hub.directory(), COMMAND_LINE, jwk, member=member).text

    typer.echo(with_hub(ctx, work))


@key_app.command("prove")
def prove_possession(
    key: Annotated[Path, typer.Argument(help="The private key (PEM).", exists=True, dir_okay=False)],
    challenge: Annotated[str, typer.Argument(help="What the hub handed out.")],
) -> None:
    """Answer a hub's challenge with a private key, where that is: no hub is needed."""
    with errors_told():
        typer.echo(prove(read_signing_key(key), challenge))


@key_app.command("register")
def register_key(
    ctx: typer.Context,
    file: PublicKeyFile,
    challenge: Annotated[str, typer.Option(help="What `hub key challenge` printed.")],
    proof: Annotated[str, typer.Option(help="What `hub key prove` answered.")],
    name: Annotated[str, typer.Option(help="What it is for.")],
    not_before: Annotated[str | None, typer.Option(help="From when on it is good, as RFC 3339.", show_default="now")] = None,
    not_after: Annotated[str | None, typer.Option(help="Until when.", show_default="for good")] = None,
    as_json: Json = False,
) -> None:
    """Register a member's key: what it signs from now on counts as signed."""
    jwk = _jwk_in(file)

    async def work(hub: Hub) -> key_models.SigningKey:
        key = await member_keys.register_key(
            hub, COMMAND_LINE, name=name, jwk=jwk, challenge=challenge, proof=proof,
            not_before_us=moment_in("--not-before", not_before), not_after_us=moment_in("--not-after", not_after),
        )  # fmt: skip
        return signing_key(await hub.directory(), key, hub.now_us())

    show_one(with_hub(ctx, work), as_json=as_json)


@key_app.command("list")
def list_keys(ctx: typer.Context, as_json: Json = False) -> None:
    """List all members' keys, those that have ended included."""

    async def work(hub: Hub) -> list[key_models.SigningKey]:
        directory = await hub.directory()
        return [signing_key(directory, key, hub.now_us()) for key in member_keys.list_keys(directory, COMMAND_LINE)]

    show(with_hub(ctx, work), KEY_COLUMNS, as_json=as_json)


@key_app.command("revoke", context_settings=_DASHED)
def revoke_key(
    ctx: typer.Context,
    kid: Kid,
    at: Annotated[str | None, typer.Option(help="When it ends, as RFC 3339; never a moment in the past.", show_default="now")] = None,
) -> None:
    """End a key. What it signed before stays good."""

    async def work(hub: Hub) -> str:
        key = await member_keys.revoke_key(hub, COMMAND_LINE, kid, at_us=moment_in("--at", at))
        return format_timestamp(key.ends_us or hub.now_us())

    typer.echo(f"{kid} is good until {with_hub(ctx, work)}")


@key_app.command("compromised", context_settings=_DASHED)
def tell_compromised(
    ctx: typer.Context,
    kid: Kid,
    since: Annotated[str, typer.Option(help="Since when it may have been in other hands, as RFC 3339.")],
    as_json: Json = False,
) -> None:
    """End a key that may be in other hands, tell all members, and list what came in with it since then: all of it is suspect."""

    async def work(hub: Hub) -> list[key_models.SuspectVersion]:
        since_us = moment_in("--since", since)
        assert since_us is not None, "the option is required"
        await member_keys.tell_compromised(hub, COMMAND_LINE, kid, since_us=since_us)
        found, _ = await list_suspects(hub, await hub.directory(), COMMAND_LINE, kid, limit=SUSPECTS_MAX)
        return [suspect(one) for one in found]

    show(with_hub(ctx, work), SUSPECT_COLUMNS, as_json=as_json)


@key_app.command("suspects", context_settings=_DASHED)
def show_suspects(ctx: typer.Context, kid: Kid, as_json: Json = False) -> None:
    """List what a compromised key signed since it may have been in other hands, and what came in messages that it signed."""

    async def work(hub: Hub) -> list[key_models.SuspectVersion]:
        found, _ = await list_suspects(hub, await hub.directory(), COMMAND_LINE, kid, limit=SUSPECTS_MAX)
        return [suspect(one) for one in found]

    show(with_hub(ctx, work), SUSPECT_COLUMNS, as_json=as_json)


@own_key_app.command("init")
def make_hub_keys(ctx: typer.Context) -> None:
    """Make the hub's keys where there are none yet; `hub serve` does the same at its first start."""
    with_hub(ctx, hub_keys.open_keys)
    typer.echo("the hub's keys are there; keep a copy of them apart from the database")


@own_key_app.command("list")
def list_hub_keys(ctx: typer.Context, as_json: Json = False) -> None:
    """List the hub's own public keys, those that it uses no longer included."""

    async def work(hub: Hub) -> list[OwnKey]:
        _, keys = await hub_keys.list_keys(hub)
        return [
            OwnKey(
                purpose=key.purpose, algorithm=key.public.algorithm.value, since=format_timestamp(key.since_us),
                until=None if key.until_us is None else format_timestamp(key.until_us), kid=key.public.kid,
            )
            for key in keys
        ]  # fmt: skip

    show(with_hub(ctx, work), HUB_KEY_COLUMNS, as_json=as_json)


@own_key_app.command("rotate")
def rotate_hub_key(ctx: typer.Context, purpose: Annotated[Purpose, typer.Argument(help="Which of the hub's keys.")]) -> None:
    """Put a new key in the place of one of the hub's own. Nodes sign with it at once; the old one stays good for a day."""
    key = with_hub(ctx, lambda hub: hub_keys.rotate_key(hub, COMMAND_LINE, purpose))
    typer.echo(
        f"{key.public.kid} takes the place of the key for the purpose {purpose}; where nodes have files of their own, copy it within a day"
    )


def _jwk_in(file: Path) -> dict[str, Any]:
    try:
        jwk = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        fail(f"{file} is no JSON Web Key")
    if not isinstance(jwk, dict):
        fail(f"{file} is no JSON Web Key")
    return jwk
