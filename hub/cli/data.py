"""`hub import` and `hub export`: moving objects between files and this hub."""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.session import with_hub
from hub.cli.stix_files import Format, find_files, read_file, writing
from hub.cli.telling import Refusals, counting, errors_told, telling
from hub.domain.member import Principal, Role
from hub.domain.taxii import ALL_VERSIONS, Query, VersionMatch
from hub.errors import Invalid
from hub.service.administer import COMMAND_LINE, get_any_member
from hub.service.context import Hub
from hub.service.exporting import export_objects
from hub.service.importing import CHUNK_OBJECTS_MAX, import_objects
from hub.service.install import DEFAULT_ROOT

app = typer.Typer()

Collection = Annotated[str, typer.Option(help="Alias or id of the collection.")]
Root = Annotated[str, typer.Option(help="API Root of the collection.")]


@app.command("import")
def import_files(
    ctx: typer.Context,
    files: Annotated[list[Path], typer.Argument(help="Bundles, envelopes, NDJSON, single objects; .gz; folders of these.", exists=True)],
    collection: Collection,
    member: Annotated[str, typer.Option(help="Slug or id of the member as whose content it is taken in.")],
    root: Root = DEFAULT_ROOT,
    report: Annotated[Path | None, typer.Option(help="Write each refusal to this file, as JSON Lines.")] = None,
    allow_refused: Annotated[bool, typer.Option("--allow-refused", help="Succeed though some objects were refused.")] = False,
) -> None:
    """Take files into a collection, through the same admission as a push of the member."""

    async def work(hub: Hub) -> None:
        # This process finishes nothing in the background: every chunk is done before the next one.
        hub.config = replace(hub.config, push_inline_objects_max=CHUNK_OBJECTS_MAX)
        principal = await _acting_for(hub, member, Role.PUBLISHER)
        for path in find_files(files):
            await _import_file(hub, principal, root, collection, path, refusals)

    with errors_told(), telling(report) as refusals:
        with_hub(ctx, work)
        refusals.conclude(allow_refused=allow_refused)


@app.command("export")
def export_collection(
    ctx: typer.Context,
    collection: Collection,
    member: Annotated[str, typer.Option(help="Slug or id of the member whose view of the collection is exported.")],
    root: Root = DEFAULT_ROOT,
    format: Annotated[Format, typer.Option(help="One STIX bundle, or an object a line.")] = Format.BUNDLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write; .gz packs it.", show_default="standard output")
    ] = None,
    all_versions: Annotated[bool, typer.Option("--all-versions", help="Every version, not only the latest of each object.")] = False,
) -> None:
    """Write what a member may see of a collection."""

    async def work(hub: Hub) -> None:
        query = Query(limit=hub.config.page_objects_max, versions=ALL_VERSIONS if all_versions else VersionMatch())
        principal = await _acting_for(hub, member, Role.READER)
        with writing(output, format) as writer, counting(collection) as advance:
            async for objects in export_objects(hub, principal, root, collection, query):
                writer.write(objects)
                advance(len(objects))

    with_hub(ctx, work)


async def _acting_for(hub: Hub, member: str, role: Role) -> Principal:
    return Principal(COMMAND_LINE.credential, role, get_any_member(await hub.directory(), member))


async def _import_file(hub: Hub, principal: Principal, root: str, collection: str, path: Path, refusals: Refusals) -> None:
    try:
        file = read_file(path)
        with counting(path.name, file.count) as advance:
            while chunk := list(islice(file.objects, CHUNK_OBJECTS_MAX)):
                for outcome in await import_objects(hub, principal, root, collection, chunk):
                    if outcome.failure is None:
                        refusals.accept(1)
                    else:
                        refusals.refuse(str(path), outcome.failure, id=outcome.id, version=outcome.version)
                advance(len(chunk))
    except Invalid as e:  # of the file as a whole: the others go on
        refusals.refuse(str(path), e.detail)
