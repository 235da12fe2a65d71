"""`hub token` and `hub certificate`."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.cli.telling import fail
from hub.domain.member import Role
from hub.service import credentials
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import models, render

token_app = typer.Typer(help="Tokens, with which machines authenticate.", no_args_is_help=True)
certificate_app = typer.Typer(help="Client certificates, known by their public key.", no_args_is_help=True)

TOKEN_COLUMNS = ("id", "name", "member", "role", "created_at", "expires_at", "revoked_at")
CERTIFICATE_COLUMNS = ("name", "member", "role", "created_at", "revoked_at", "spki_sha256")
DAY_US = 86_400 * 1_000_000

RoleOption = Annotated[Role, typer.Option(help="What it may do.")]


@token_app.command("issue")
def issue_token(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What it is for.")],
    role: RoleOption,
    member: Annotated[str | None, typer.Option(help="Whom it acts for; none only for an administrator's.")] = None,
    days: Annotated[int | None, typer.Option(help="How long it is good; for ever where not given.", min=1, max=36_500)] = None,
    as_json: Json = False,
) -> None:
    """Issue a token. It is printed this once and kept nowhere."""

    async def work(hub: Hub) -> models.IssuedToken:
        expires_us = hub.now_us() + days * DAY_US if days is not None else None
        token, text = await credentials.issue_token(hub, COMMAND_LINE, name=name, role=role, member=member, expires_us=expires_us)
        return render.issued_token(await hub.directory(), token, text)

    show_one(with_hub(ctx, work), as_json=as_json)


@token_app.command("list")
def list_tokens(ctx: typer.Context, as_json: Json = False) -> None:
    """List all tokens, without their secrets."""

    async def work(hub: Hub) -> list[models.Token]:
        directory = await hub.directory()
        return [render.token(directory, token) for token in credentials.list_tokens(directory, COMMAND_LINE)]

    show(with_hub(ctx, work), TOKEN_COLUMNS, as_json=as_json)


@token_app.command("revoke")
def revoke_token(ctx: typer.Context, id: Annotated[str, typer.Argument(help="The token's public id.")]) -> None:
    """Let a token be good no longer, from the next request on."""
    with_hub(ctx, lambda hub: credentials.revoke_token(hub, COMMAND_LINE, id))
    typer.echo(f"{id} is revoked")


@certificate_app.command("add")
def add_certificate(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(help="The client's certificate, as PEM.", exists=True, dir_okay=False)],
    name: Annotated[str, typer.Option(help="What it is for.")],
    member: Annotated[str, typer.Option(help="Whom it acts for.")],
    role: RoleOption,
    as_json: Json = False,
) -> None:
    """Register the public key of a client certificate."""
    try:
        pem = file.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        fail(f"{file} is not PEM; it begins with -----BEGIN CERTIFICATE-----")

    async def work(hub: Hub) -> models.Certificate:
        added = await credentials.add_certificate(hub, COMMAND_LINE, member=member, name=name, role=role, pem=pem)
        return render.certificate(await hub.directory(), added)

    show_one(with_hub(ctx, work), as_json=as_json)


@certificate_app.command("list")
def list_certificates(ctx: typer.Context, as_json: Json = False) -> None:
    """List all registered certificates."""

    async def work(hub: Hub) -> list[models.Certificate]:
        directory = await hub.directory()
        return [render.certificate(directory, one) for one in credentials.list_certificates(directory, COMMAND_LINE)]

    show(with_hub(ctx, work), CERTIFICATE_COLUMNS, as_json=as_json)


@certificate_app.command("revoke")
def revoke_certificate(ctx: typer.Context, spki_sha256: Annotated[str, typer.Argument(help="SHA-256 of its public key, in hex.")]) -> None:
    """Let a certificate's key be good no longer, from the next request on."""
    with_hub(ctx, lambda hub: credentials.revoke_certificate(hub, COMMAND_LINE, spki_sha256))
    typer.echo(f"{spki_sha256} is revoked")
