"""`hub policy`: check policies and try them on their scenarios, without a running hub; put them in force in one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.session import Json, show_one, with_hub
from hub.cli.simulate import simulate_population
from hub.domain.policy import PolicyBundle
from hub.domain.policy_floor import check_bundle
from hub.domain.policy_scenario import failures_of, scenarios_of
from hub.errors import ConfigError
from hub.service import policies, policy_diff, shadow
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import models, render
from hub.web.api import policy_diff as api
from hub.web.api import policy_shadow as shadow_api

app = typer.Typer(help="Check the policies that decide who sees what, try them, and put them in force.", no_args_is_help=True)

Directory = Annotated[
    Path | None,
    typer.Argument(
        help="Directory with schema.cedarschema, *.cedar, standing.toml and scenarios/*.toml.",
        show_default="the policies that come with the hub",
    ),
]
Digest = Annotated[str, typer.Argument(help="Digest of the policies, or its first eight digits or more.")]


app.command("simulate")(simulate_population)


@app.command("check")
def check_policies(directory: Directory = None) -> None:
    """Check syntax, schema, reasons and standing.toml, and that nothing breaks the safety floor; faults come with file and line."""
    bundle = _load(directory)
    files = sum(name.endswith(".cedar") for name in bundle.files)
    typer.echo(f"{len(bundle.rules)} policies in {files} files are in order (bundle {bundle.digest[:12]})")


@app.command("test")
def try_scenarios(directory: Directory = None) -> None:
    """Ask every case of DIRECTORY/scenarios/*.toml, and require at least one case that each policy decides."""
    bundle = _load(directory)
    try:
        scenarios = scenarios_of(bundle.files)
    except ConfigError as error:
        raise _failed(error.detail) from error
    failures = failures_of(bundle, scenarios)
    if failures:
        raise _failed("\n".join([*failures, f"{len(failures)} failed, {len(scenarios)} cases in all"]))
    typer.echo(f"{len(scenarios)} cases passed, every one of {len(bundle.rules)} policies decides at least one")


@app.command("activate")
def activate_policies(ctx: typer.Context, directory: Directory = None) -> None:
    """Check and test policies and put them in force on every node at once; where a second person has to approve, only propose them."""
    bundle = _load(directory)

    async def work(hub: Hub) -> bool:
        await policies.activate_policies(hub, COMMAND_LINE, bundle.files)
        return (await hub.directory()).policy == bundle.digest

    if with_hub(ctx, work):
        _tell_in_force(bundle)
    else:
        typer.echo(f"bundle {bundle.digest[:12]} is proposed; another person puts it in force: hub policy approve {bundle.digest[:12]}")


@app.command("approve")
def approve_policies(ctx: typer.Context, digest: Digest) -> None:
    """Put policies in force that another person proposed."""
    _tell_in_force(with_hub(ctx, lambda hub: policies.approve_policies(hub, COMMAND_LINE, digest)))


@app.command("withdraw")
def withdraw_policies(ctx: typer.Context, digest: Digest) -> None:
    """Drop policies that wait for approval."""
    typer.echo(f"bundle {with_hub(ctx, lambda hub: policies.withdraw_policies(hub, COMMAND_LINE, digest))[:12]} waits no longer")


@app.command("rollback")
def roll_back_policies(ctx: typer.Context) -> None:
    """Put in force again what was in force before."""
    _tell_in_force(with_hub(ctx, lambda hub: policies.roll_back_policies(hub, COMMAND_LINE)))


@app.command("status")
def show_status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show which policies are in force, since when, and which wait for approval."""

    async def work(hub: Hub) -> models.Policies:
        return render.policies(await policies.get_policy_status(hub, await hub.directory(), COMMAND_LINE))

    status = with_hub(ctx, work)
    if as_json:
        show_one(status, as_json=True)
        return
    typer.echo(f"bundle {status.digest}, in force since {status.activated_at}")
    for proposal in status.proposals or ():
        typer.echo(f"bundle {proposal.digest} waits for approval: {proposal.proposed_by} proposed it at {proposal.proposed_at}")
    for rule in status.rules:
        typer.echo(f"  {rule.effect} {rule.id} ({rule.source}): {rule.reason}")


@app.command("diff")
def diff_policies(
    ctx: typer.Context,
    old: Annotated[str, typer.Argument(help="A directory, a digest, or active.")],
    new: Annotated[str, typer.Argument(help="A directory, a digest, or active.")],
    as_json: Json = False,
) -> None:
    """Show member by member what other policies would give and take, of all that came in during the last 30 days."""

    async def work(hub: Hub) -> api.PolicyDiff:
        directory = await hub.directory()
        return api.shown(await policy_diff.diff_policies(hub, directory, COMMAND_LINE, _named(old), _named(new)))

    found = with_hub(ctx, work)
    if as_json:
        show_one(found, as_json=True)
        return
    for one in found.differences:
        rules = ", ".join(rule.id for rule in one.rules) or "no policy permits it"
        change = f"{_when(one.before_h)} -> {_when(one.after_h)}"
        typer.echo(f"{one.member} {one.effect} {one.entries} in {one.collection}: {change}, by {rules} ({', '.join(one.examples)})")
    typer.echo(f"{len({one.member for one in found.differences})} members would see something else than now")


@app.command("shadow")
def shadow_policies(
    ctx: typer.Context,
    directory: Annotated[
        str | None, typer.Argument(help="A directory to put in the shadow, or off.", show_default="show what was found")
    ] = None,
    as_json: Json = False,
) -> None:
    """Ask other policies beside those in force, which alone decide, and show what the others would do otherwise."""
    files = None if directory in (None, "off") else _load(Path(directory or "")).files

    async def work(hub: Hub) -> shadow_api.Shadow:
        if directory is not None:
            await shadow.set_shadow(hub, COMMAND_LINE, files)
        return shadow_api.shown(await shadow.get_shadow(hub, await hub.directory(), COMMAND_LINE))

    found = with_hub(ctx, work)
    if as_json:
        show_one(found, as_json=True)
        return
    typer.echo(f"bundle {found.digest} is in the shadow since {found.since}" if found.digest else "there are no policies in the shadow")
    for one in found.differences:
        change = f"{_when(one.in_force_h)} -> {_when(one.in_shadow_h)}"
        typer.echo(f"  {one.rule or 'no policy permits it'}: {change}, {one.labels} labels, {', '.join(one.members)}")


def _named(text: str) -> str | Mapping[str, bytes]:
    return _load(Path(text)).files if Path(text).is_dir() else text


def _when(delay_h: int | None) -> str:
    return "never" if delay_h is None else f"after {delay_h} h" if delay_h else "at once"


def _tell_in_force(bundle: PolicyBundle) -> None:
    typer.echo(f"{len(bundle.rules)} policies are in force (bundle {bundle.digest[:12]})")


def _load(directory: Path | None) -> PolicyBundle:
    try:
        return check_bundle(PolicyBundle.load(directory or PolicyBundle.shipped_directory()).files)
    except ConfigError as error:
        raise _failed(error.detail) from error


def _failed(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
