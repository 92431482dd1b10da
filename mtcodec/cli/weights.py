"""``mtcodec weights …``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec.cli.common import warn
from mtcodec.cli.options import Json

if TYPE_CHECKING:
    from mtcodec.networks.weights.file import WeightsInfo

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List and show installed weights.")


@app.command("list")
def weights_list(
    paper: Annotated[
        bool, typer.Option("--paper", help="Those too that are there to be compared, and never chosen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the installed weights."""
    from mtcodec.errors import WeightsInvalid
    from mtcodec.networks.weights import file as weights_file
    from mtcodec.networks.weights import store

    entries = []
    for path in store.installed(paper):
        try:
            entry = weights_file.describe(path)
            weights_file.model_config(entry)
            entries.append(entry)
        except WeightsInvalid as error:
            warn(str(error))
    if as_json:
        typer.echo(json.dumps([_facts(entry) for entry in entries]))
        return
    for entry in entries:
        tasks = ",".join(task["name"] for task in entry.config["tasks"])
        architecture = entry.config["architecture"]
        typer.echo(f"{entry.name:<16} {entry.fingerprint}  {architecture:<12} {tasks}  {entry.path}")


def _facts(entry: WeightsInfo) -> dict[str, Any]:
    """What ``--json`` prints of a file of weights."""
    return {
        "name": entry.name, "path": str(entry.path), "fingerprint": entry.fingerprint,
        "bytes": entry.path.stat().st_size, "config": entry.config, "training": entry.training,
    }  # fmt: skip


@app.command("show")
def weights_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or path of the weights.")],
    as_json: Json = False,
) -> None:
    """Show weights: tasks, training, and parameters and kMAC per pixel by part."""
    from mtcodec.networks import costs
    from mtcodec.networks.weights import file as weights_file
    from mtcodec.networks.weights import store

    entry = weights_file.describe(store.find(name))
    parts = costs.table(weights_file.model_config(entry))
    if as_json:
        typer.echo(json.dumps({**_facts(entry), "parts": [vars(part) for part in parts]}))
        return
    tasks = ", ".join(f"{task['name']} ({task['kind']})" for task in entry.config["tasks"])
    size = entry.path.stat().st_size
    typer.echo(f"{entry.name}: {entry.path}\nfingerprint {entry.fingerprint}, {size} bytes\ntasks {tasks}")
    typer.echo(f"{'part':<22}{'parameters':>12}{'kMAC/pixel':>12}  used by")
    for part in parts:
        typer.echo(f"{part.name:<22}{part.parameters:>12,}{part.kmac:>12.2f}  {part.used}")
    for key, value in entry.training.items():
        typer.echo(f"{key}: {value if isinstance(value, (str, int, float)) else json.dumps(value)}")
