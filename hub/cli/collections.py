"""`hub root` and `hub collection`."""

from typing import Annotated

import typer

from hub.cli.session import Json, show, show_one, with_hub
from hub.domain.label import Tlp
from hub.domain.taxii import MEDIA_TYPE_STIX, Collection, Right
from hub.service import collections
from hub.service.administer import COMMAND_LINE
from hub.service.collections import CollectionChanges, RootChanges
from hub.service.context import Hub
from hub.service.install import DEFAULT_ROOT
from hub.web.api import models, render

root_app = typer.Typer(help="TAXII API Roots.", no_args_is_help=True)
collection_app = typer.Typer(help="TAXII collections, and who may read and write them.", no_args_is_help=True)

ROOT_COLUMNS = ("slug", "title", "description", "default")
COLLECTION_COLUMNS = ("alias", "root", "title", "readers", "writers", "default_tlp", "topic", "signature_required", "id")

CollectionName = Annotated[str, typer.Argument(metavar="COLLECTION", help="Id, ROOT/ALIAS, or an alias that is in one API Root only.")]
RightName = Annotated[Right, typer.Argument(help="The right.")]
GranteeName = Annotated[str, typer.Argument(metavar="GRANTEE", help="everyone, kind:KIND, sector:SECTOR, group:SLUG or member:SLUG.")]
Grantees = Annotated[list[str] | None, typer.Option(metavar="GRANTEE", help="Who has the right; give the option once for each.")]
MediaTypes = Annotated[list[str] | None, typer.Option("--media-type", help="A media type that it takes; give the option once for each.")]


@root_app.command("add")
def add_root(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="Last part of its path.")],
    title: Annotated[str, typer.Option(help="Its title.")],
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    default: Annotated[bool, typer.Option("--default", help="Name it in discovery as the default.")] = False,
    as_json: Json = False,
) -> None:
    """Add an API Root."""

    async def work(hub: Hub) -> models.Root:
        added = await collections.add_root(hub, COMMAND_LINE, slug=slug, title=title, description=description, default=default)
        return render.root(added)

    show_one(with_hub(ctx, work), as_json=as_json)


@root_app.command("list")
def list_roots(ctx: typer.Context, as_json: Json = False) -> None:
    """List all API Roots."""

    async def work(hub: Hub) -> list[models.Root]:
        return [render.root(root) for root in collections.list_roots(await hub.directory(), COMMAND_LINE)]

    show(with_hub(ctx, work), ROOT_COLUMNS, as_json=as_json)


@root_app.command("change")
def change_root(
    ctx: typer.Context,
    slug: Annotated[str, typer.Argument(help="Which.")],
    title: Annotated[str | None, typer.Option(help="Its title.")] = None,
    description: Annotated[str | None, typer.Option(help='What it is for; "" for none.')] = None,
    default: Annotated[bool, typer.Option("--default", help="Name it in discovery as the default.")] = False,
    as_json: Json = False,
) -> None:
    """Change an API Root; what is not given stays."""
    changes: RootChanges = {}
    if title is not None:
        changes["title"] = title
    if description is not None:
        changes["description"] = description or None
    if default:
        changes["default"] = True

    async def work(hub: Hub) -> models.Root:
        return render.root(await collections.change_root(hub, COMMAND_LINE, slug, **changes))

    show_one(with_hub(ctx, work), as_json=as_json)


@collection_app.command("add")
def add_collection(
    ctx: typer.Context,
    title: Annotated[str, typer.Argument(help="Its title, by which clients find it: without . and , and for good.")],
    root: Annotated[str, typer.Option(help="Its API Root.")] = DEFAULT_ROOT,
    alias: Annotated[str | None, typer.Option(help="Short name that stands in for the id in every path.")] = None,
    description: Annotated[str | None, typer.Option(help="What it is for.")] = None,
    reader: Grantees = None,
    writer: Grantees = None,
    default_tlp: Annotated[Tlp, typer.Option(help="For content without a marking.")] = Tlp.AMBER,
    topic: Annotated[str, typer.Option(help="For content that does not say.")] = "threat",
    signature_required: Annotated[bool, typer.Option("--signature-required", help="Refuse objects without a signature.")] = False,
    media_type: MediaTypes = None,
    reciprocal: Annotated[bool, typer.Option("--reciprocal", help="Content that does not say takes part in reciprocal release.")] = False,
    agreement: Annotated[str | None, typer.Option(help="The sharing agreement under which its content flows.")] = None,
    as_json: Json = False,
) -> None:
    """Add a collection."""

    async def work(hub: Hub) -> models.Collection:
        added = await collections.add_collection(
            hub, COMMAND_LINE, title=title, root=root, alias=alias, description=description, readers=reader or (), writers=writer or (),
            default_tlp=default_tlp, topic=topic, signature_required=signature_required, media_types=media_type or (MEDIA_TYPE_STIX,),
            reciprocal=reciprocal, agreement=agreement,
        )  # fmt: skip
        return await _shown(hub, added)

    show_one(with_hub(ctx, work), as_json=as_json)


@collection_app.command("list")
def list_collections(ctx: typer.Context, as_json: Json = False) -> None:
    """List all collections, and who may read and write them."""

    async def work(hub: Hub) -> list[models.Collection]:
        known = await collections.list_collections(hub, await hub.directory(), COMMAND_LINE)
        return [await _shown(hub, collection) for collection in known]

    show(with_hub(ctx, work), COLLECTION_COLUMNS, as_json=as_json)


@collection_app.command("change")
def change_collection(
    ctx: typer.Context,
    collection: CollectionName,
    alias: Annotated[str | None, typer.Option(help='Short name in paths; "" for none.')] = None,
    description: Annotated[str | None, typer.Option(help='What it is for; "" for none.')] = None,
    default_tlp: Annotated[Tlp | None, typer.Option(help="For content without a marking.")] = None,
    topic: Annotated[str | None, typer.Option(help="For content that does not say.")] = None,
    signature_required: Annotated[bool | None, typer.Option(help="Whether objects without a signature are refused.")] = None,
    media_type: MediaTypes = None,
    reciprocal: Annotated[bool | None, typer.Option(help="Whether content that does not say takes part in reciprocal release.")] = None,
    agreement: Annotated[str | None, typer.Option(help='The sharing agreement under which its content flows; "" for none.')] = None,
    as_json: Json = False,
) -> None:
    """Change a collection; what is not given stays."""
    changes: CollectionChanges = {}
    if alias is not None:
        changes["alias"] = alias or None
    if description is not None:
        changes["description"] = description or None
    if default_tlp is not None:
        changes["default_tlp"] = default_tlp
    if topic is not None:
        changes["topic"] = topic
    if signature_required is not None:
        changes["signature_required"] = signature_required
    if media_type is not None:
        changes["media_types"] = media_type
    if reciprocal is not None:
        changes["reciprocal"] = reciprocal
    if agreement is not None:
        changes["agreement"] = agreement or None

    async def work(hub: Hub) -> models.Collection:
        return await _shown(hub, await collections.change_collection(hub, COMMAND_LINE, collection, **changes))

    show_one(with_hub(ctx, work), as_json=as_json)


@collection_app.command("grant")
def grant_right(ctx: typer.Context, collection: CollectionName, right: RightName, grantee: GranteeName) -> None:
    """Give a right on a collection, from the next request on."""
    with_hub(ctx, lambda hub: collections.grant_right(hub, COMMAND_LINE, collection, right, grantee))
    typer.echo(f"{grantee} may {right} {collection}")


@collection_app.command("revoke-right")
def revoke_right(ctx: typer.Context, collection: CollectionName, right: RightName, grantee: GranteeName) -> None:
    """Take a right on a collection back, from the next request on."""
    with_hub(ctx, lambda hub: collections.revoke_right(hub, COMMAND_LINE, collection, right, grantee))
    typer.echo(f"{grantee} has no right of its own to {right} {collection}")


async def _shown(hub: Hub, collection: Collection) -> models.Collection:
    return await render.collection(hub, await hub.directory(), COMMAND_LINE, collection)
