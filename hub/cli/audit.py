"""`hub explain`: what policy decided, and why."""

from typing import Annotated

import typer

from hub.cli.session import Json, show_one, with_hub
from hub.service import explain
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import models, render

app = typer.Typer()


@app.command("explain")
def explain_view(
    ctx: typer.Context,
    member: Annotated[str, typer.Option(help="Slug or id of the member.")],
    object: Annotated[str, typer.Option(help="Id of the STIX object.")],
    as_json: Json = False,
) -> None:
    """Explain whether a member sees an object, and by which policies."""

    async def work(hub: Hub) -> models.Explanation:
        return render.explanation(await explain.explain(hub, await hub.directory(), COMMAND_LINE, member, object))

    explanation = with_hub(ctx, work)
    if as_json:
        show_one(explanation, as_json=True)
        return
    typer.echo(f"{explanation.member} {'sees' if explanation.seen else 'does not see'} {explanation.object}")
    for version in explanation.versions:
        typer.echo(f"  version {version.version} in collection {version.collection}: {_seen(version)}")
        typer.echo(f"    basis: {_rests_on(version.basis)}")
        for kid in version.signed_with:
            typer.echo(f"    signed with {kid}")
        for kid in version.sent_with:
            typer.echo(f"    came in a message that was signed with {kid}")
        if version.suspect:
            typer.echo("    suspect: a key that vouches for it was in other hands by then, perhaps")
        for reason in version.reasons:
            typer.echo(f"    {reason}")
        for label in version.labels:
            for line in _decided(label):
                typer.echo(f"      {line}")


def _seen(version: models.VersionExplanation) -> str:
    return f"seen since {version.seen_since}" if version.seen else "not seen"


def _rests_on(basis: models.Basis) -> str:
    if basis.agreement is None:
        return f"{basis.title} ({basis.legal_basis})"
    return f"{basis.title} [{basis.agreement}] ({basis.legal_basis}; purpose: {basis.purpose}; review by {basis.review_at})"


def _decided(label: models.LabelExplanation) -> list[str]:
    rules = [f"{rule.effect} {rule.id} ({rule.source})" for rule in label.rules]
    return [f"TLP:{label.tlp.upper()} {line}" for line in (*rules, *(f"nearest: {near}" for near in label.nearest))]
