"""`hub agreement`: sharing agreements, written as TOML files."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel, ValidationError

from hub.cli.session import Json, show, show_one, with_hub
from hub.errors import Invalid
from hub.service import agreements
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import agreement_models as models
from hub.web.api.agreements import shown, terms

app = typer.Typer(help="Sharing agreements: between whom, on what basis, for what content and how long.", no_args_is_help=True)

Shape = TypeVar("Shape", bound=BaseModel)

COLUMNS = ("slug", "title", "parties", "starts_at", "ends_at", "ended_at", "review_at", "in_force", "review_due")

File = Annotated[Path, typer.Argument(metavar="FILE", help="A TOML file with the fields that the API takes; moments as TOML has them.")]
Name = Annotated[str, typer.Argument(metavar="AGREEMENT", help="Slug or id.")]


@app.command("add")
def add_agreement(ctx: typer.Context, file: File, as_json: Json = False) -> None:
    """Add a sharing agreement. It starts and ends by itself; `hub collection change --agreement` lets content flow under it."""

    async def work(hub: Hub) -> models.Agreement:
        with _faults_located(file) as written:
            sent = _understood(written, models.NewAgreement)
            added = await agreements.add_agreement(hub, COMMAND_LINE, slug=sent.slug, **terms(sent.changes()))
        return shown(await hub.directory(), added, hub.now_us())

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("change")
def change_agreement(ctx: typer.Context, agreement: Name, file: File, as_json: Json = False) -> None:
    """Change the terms that FILE holds of an agreement that has not ended; the others stay."""

    async def work(hub: Hub) -> models.Agreement:
        with _faults_located(file) as written:
            sent = _understood(written, models.AgreementChange)
            changed = await agreements.change_agreement(hub, COMMAND_LINE, agreement, **terms(sent.changes()))
        return shown(await hub.directory(), changed, hub.now_us())

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("end")
def end_agreement(
    ctx: typer.Context, agreement: Name, reason: Annotated[str, typer.Option(help="Why, for the audit trail.")], as_json: Json = False
) -> None:
    """End an agreement before its time: nothing flows under it any more, from the next request on."""

    async def work(hub: Hub) -> models.Agreement:
        ended = await agreements.end_agreement(hub, COMMAND_LINE, agreement, reason=reason)
        return shown(await hub.directory(), ended, hub.now_us())

    show_one(with_hub(ctx, work), as_json=as_json)


@app.command("list")
def list_agreements(
    ctx: typer.Context,
    due: Annotated[bool, typer.Option("--due", help="Only those whose review is past or at most 30 days ahead.")] = False,
    as_json: Json = False,
) -> None:
    """List sharing agreements."""

    async def work(hub: Hub) -> list[models.Agreement]:
        directory, now_us = await hub.directory(), hub.now_us()
        known = agreements.list_agreements(directory, COMMAND_LINE, due_at_us=now_us if due else None)
        return [shown(directory, agreement, now_us) for agreement in known]

    show(with_hub(ctx, work), COLUMNS, as_json=as_json)


@app.command("show")
def show_agreement(ctx: typer.Context, agreement: Name, as_json: Json = False) -> None:
    """Show a sharing agreement."""

    async def work(hub: Hub) -> models.Agreement:
        directory = await hub.directory()
        return shown(directory, agreements.get_agreement(directory, COMMAND_LINE, agreement), hub.now_us())

    show_one(with_hub(ctx, work), as_json=as_json)


@contextmanager
def _faults_located(path: Path) -> Iterator[dict[str, Any]]:
    """Lend what a TOML file holds, and tell what is wrong with it by file and line."""
    try:
        text = path.read_text(encoding="utf-8")
        yield _as_sent(tomllib.loads(text))
    except OSError as e:
        raise Invalid(f"{path} cannot be read: {e.strerror}") from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise Invalid(f"{path}: it is not TOML: {e}") from e
    except ValidationError as e:
        fault = e.errors(include_url=False, include_context=False, include_input=False)[0]
        raise Invalid(f"{path}{_line(text, fault['loc'])}: {_told(fault)}") from e
    except Invalid as e:
        field = e.detail.partition(":")[0]
        raise Invalid(f"{path}{_line(text, (field,))}: {e.detail}") from e


def _understood(written: Mapping[str, Any], shape: type[Shape]) -> Shape:
    return shape.model_validate(written)


def _as_sent(value: Any) -> Any:
    """Return values of TOML as the API takes them: moments as text, a date as its beginning in UTC."""
    match value:
        case dict():
            return {name: _as_sent(one) for name, one in value.items()}
        case list():
            return [_as_sent(one) for one in value]
        case datetime():
            return value.isoformat()
        case date():
            return f"{value.isoformat()}T00:00:00Z"
    return value


def _told(fault: Mapping[str, Any]) -> str:
    field = ".".join(str(part) for part in fault["loc"])
    if fault["type"] == "missing":
        return f"{field}: it is missing; an agreement needs one"
    if fault["type"] == "extra_forbidden":
        return f"{field}: there is no such field; the fields are {', '.join(models.NewAgreement.model_fields)}"
    return f"{field}: {fault['msg']}"


def _line(text: str, location: tuple[str | int, ...]) -> str:
    """Return `:LINE` of the field at fault, or "" where the file does not have it."""
    heads = [n for n, line in enumerate(text.splitlines(), 1) if re.match(rf"\s*(\[\[)?\s*{re.escape(str(location[0]))}\s*(\]\]|=)", line)]
    place = location[1] if len(location) > 1 and isinstance(location[1], int) else 0
    return f":{heads[min(place, len(heads) - 1)]}" if heads else ""
