"""`hub policy`: check policies and try them on their scenarios, without a running hub; put them in force in one."""

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.session import Json, show_one, with_hub
from hub.cli.simulate import simulate_population
from hub.domain.policy import PolicyBundle
from hub.domain.policy_scenario import load_scenarios, unproven
from hub.errors import ConfigError
from hub.service import policies
from hub.service.administer import COMMAND_LINE
from hub.service.context import Hub
from hub.web.api import models, render

app = typer.Typer(help="Check the policies that decide who sees what, and try them on their scenarios.", no_args_is_help=True)

Directory = Annotated[
    Path | None,
    typer.Argument(help="Directory with schema.cedarschema and *.cedar files.", show_default="the policies that come with the hub"),
]


app.command("simulate")(simulate_population)


@app.command("check")
def check_policies(directory: Directory = None) -> None:
    """Check syntax, schema, @id and @reason; each fault is told with file and line."""
    bundle = _load(directory)
    files = sum(name.endswith(".cedar") for name in bundle.files)
    typer.echo(f"{len(bundle.rules)} policies in {files} files are in order (bundle {bundle.digest[:12]})")


@app.command("test")
def try_scenarios(directory: Directory = None) -> None:
    """Ask every case of DIRECTORY/scenarios/*.toml, and require at least one case that each policy decides."""
    directory = directory or PolicyBundle.shipped_directory()
    bundle = _load(directory)
    try:
        scenarios = load_scenarios(directory / "scenarios")
    except ConfigError as error:
        raise _failed(error.detail) from error
    failures = [failure for scenario in scenarios if (failure := scenario.failure(bundle))]
    failures += [f"{bundle.rules[rule_id].source}: no case expects {rule_id} to decide; add one" for rule_id in unproven(bundle, scenarios)]
    if failures:
        raise _failed("\n".join([*failures, f"{len(failures)} failed, {len(scenarios)} cases in all"]))
    typer.echo(f"{len(scenarios)} cases passed, every one of {len(bundle.rules)} policies decides at least one")


@app.command("activate")
def activate_policies(ctx: typer.Context, directory: Directory = None) -> None:
    """Check policies and put them in force, from the next request on every node."""
    bundle = _load(directory)
    with_hub(ctx, lambda hub: policies.activate_policies(hub, COMMAND_LINE, bundle.files))
    typer.echo(f"{len(bundle.rules)} policies are in force (bundle {bundle.digest[:12]})")


@app.command("status")
def show_status(ctx: typer.Context, as_json: Json = False) -> None:
    """Show which policies are in force, and since when."""

    async def work(hub: Hub) -> models.Policies:
        return render.policies(await policies.get_policy_status(hub, await hub.directory(), COMMAND_LINE))

    status = with_hub(ctx, work)
    if as_json:
        show_one(status, as_json=True)
        return
    typer.echo(f"bundle {status.digest}, in force since {status.activated_at}")
    for rule in status.rules:
        typer.echo(f"  {rule.effect} {rule.id} ({rule.source}): {rule.reason}")


def _load(directory: Path | None) -> PolicyBundle:
    try:
        return PolicyBundle.load(directory or PolicyBundle.shipped_directory())
    except ConfigError as error:
        raise _failed(error.detail) from error


def _failed(message: str) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(1)
