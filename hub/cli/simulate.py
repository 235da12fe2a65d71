"""`hub policy simulate`: what the rules of standing make of honest members and of attackers; a check that a bundle must pass."""

import re
import statistics
from pathlib import Path
from typing import Annotated

import typer

from hub.cli.plots import Chart, Line, svg
from hub.domain.policy import PolicyBundle
from hub.domain.population import DEFENCES, SERIES_EVERY_D, Outcome, Table, failures, simulate
from hub.domain.population_types import Type
from hub.domain.standing_rules import SCORE_MAX, STANDING_FILE, StandingRules
from hub.errors import ConfigError

PUBLISHED_SEED = 1  # of the table in policies/README.md


def simulate_population(
    directory: Annotated[
        Path | None, typer.Argument(help=f"Directory with {STANDING_FILE}.", show_default="the policies that come with the hub")
    ] = None,
    *,
    seed: Annotated[int, typer.Option(help="The first seed; the same one gives the same table.")] = PUBLISHED_SEED,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 10,
    days: Annotated[int, typer.Option(min=120, help="How many days each member lives; below 270 honest ones have not yet risen.")] = 270,
    without: Annotated[list[str] | None, typer.Option(help=f"Switch a defence off: {', '.join(DEFENCES)}. Repeatable.")] = None,
    plots: Annotated[Path | None, typer.Option(help="Write a chart of score over time for each type into this directory.")] = None,
) -> None:
    """Try the rules of standing on honest members and on attackers; fail where one passes or an honest type falls short."""
    rules = _rules(directory or PolicyBundle.shipped_directory())
    if unknown := sorted(set(without or ()) - DEFENCES.keys()):
        raise typer.BadParameter(f"there is no defence {', '.join(unknown)}; write one of {', '.join(DEFENCES)}")
    table = simulate(rules, seed, seeds, days, without=frozenset(without or ()))
    typer.echo("\n".join(rows(table)))
    if plots:
        write_plots(plots, table, rules)
    if found := failures(table):
        typer.echo("\n".join(["", *found, f"{len(found)} verdicts failed"]), err=True)
        raise typer.Exit(1)
    typer.echo(f"\nevery type is where it should be ({seeds} seeds from {seed}, {days} days)")


def rows(table: Table) -> list[str]:
    """Return a Markdown table: each type, what it must be, and its median score and tier by the share of items ruled upon."""
    head = ["type", "must be", "items", *(f"{share:.0%} ruled upon" for share in table.ruled_shares)]
    lines = [head, ["-" * len(cell) for cell in head]]
    for type in table.types:
        outcomes = [table.outcomes[type.name, share] for share in table.ruled_shares]
        lines.append([type.name, _wanted(type), f"{outcomes[0].volume:.0f}", *map(_told, outcomes)])
    return ["| " + " | ".join(line) + " |" for line in lines]


def write_plots(directory: Path, table: Table, rules: StandingRules) -> None:
    """Write one SVG file for each type: the median score over time with its quartiles, a line for each of two shares of rulings."""
    directory.mkdir(parents=True, exist_ok=True)
    for type in table.types:
        name = re.sub(r"[^a-z0-9]+", "-", type.name).strip("-")
        (directory / f"{name}.svg").write_text(svg(_chart(type, table, rules)))


def _chart(type: Type, table: Table, rules: StandingRules) -> Chart:
    lines = [_line(f"{share:.0%} ruled upon", table.outcomes[type.name, share]) for share in table.ruled_shares]
    return Chart(
        title=f"{type.name} (must be {_wanted(type)}): median and quartiles",
        x_title="day since it joined",
        y_title="score",
        xs=[index * SERIES_EVERY_D for index in range(len(lines[0].middle))],
        y_max=SCORE_MAX,
        lines=lines,
        levels=[(tier.name, tier.score_min) for tier in rules.tier[1:]],
    )


def _line(name: str, outcome: Outcome) -> Line:
    quartiles = [statistics.quantiles([*scores, *scores], n=4, method="inclusive") for scores in zip(*outcome.series, strict=True)]
    low, middle, high = zip(*quartiles, strict=True)
    return Line(name, low, middle, high)


def _wanted(type: Type) -> str:
    asked = [f"at least {type.at_least}"] if type.at_least else []
    asked += [f"below {type.below}"] if type.below else []
    asked += [f"from {type.ruled_min:.0%}"] if type.ruled_min else []
    return ", ".join(asked)


def _told(outcome: Outcome) -> str:
    return f"{outcome.median:.0f} {outcome.tier} ({outcome.share_at_least(outcome.tier):.0%})"


def _rules(directory: Path) -> StandingRules:
    path = directory / STANDING_FILE
    try:
        return StandingRules.parse(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        typer.echo(f"{path}: it cannot be read: {error}", err=True)
        raise typer.Exit(1) from error
    except ConfigError as error:
        typer.echo(error.detail, err=True)
        raise typer.Exit(1) from error
