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
    from mtcodec.networks.weights import file, store

    entries = []
    for path in store.installed(paper):
        try:
            entry = file.describe(path)
            file.model_config(entry)
            entries.append(entry)
        except WeightsInvalid as error:
            warn(str(error))
    if as_json:
        typer.echo(json.dumps([_entry(e) for e in entries]))
        return
    for e in entries:
        tasks = ",".join(t["name"] for t in e.config["tasks"])
        typer.echo(f"{e.name:<16} {e.fingerprint}  {e.config['architecture']:<12} {tasks}  {e.path}")


def _entry(e: WeightsInfo) -> dict[str, Any]:
    return {"name": e.name, "path": str(e.path), "fingerprint": e.fingerprint, "bytes": e.path.stat().st_size,
            "config": e.config, "training": e.training}  # fmt: skip


@app.command("show")
def weights_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or path of the weights.")],
    as_json: Json = False,
) -> None:
    """Show weights: tasks, training, and parameters and kMAC per pixel by part."""
    from mtcodec.networks import costs
    from mtcodec.networks.weights import file, store

    e = file.describe(store.find(name))
    parts = costs.table(file.model_config(e))
    if as_json:
        typer.echo(json.dumps({**_entry(e), "parts": [vars(p) for p in parts]}))
        return
    tasks = ", ".join(f"{t['name']} ({t['kind']})" for t in e.config["tasks"])
    typer.echo(
        f"{e.name}: {e.path}\nfingerprint {e.fingerprint}, {e.path.stat().st_size} bytes\ntasks {tasks}"
    )
    typer.echo(f"{'part':<22}{'parameters':>12}{'kMAC/pixel':>12}  used by")
    for p in parts:
        typer.echo(f"{p.name:<22}{p.parameters:>12,}{p.kmac:>12.2f}  {p.used}")
    for key, value in e.training.items():
        typer.echo(f"{key}: {value if isinstance(value, (str, int, float)) else json.dumps(value)}")
