"""``mtcodec weights …``."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from mtcodec.cli.common import show, warn
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.options import JSON

if TYPE_CHECKING:
    from mtcodec.networks.costs import PartCost
    from mtcodec.networks.weights.file import WeightsInfo

app = typer.Typer(add_completion=False, no_args_is_help=True, help="List and show installed weights.")


@app.command("list")
@takes_groups
def weights_list(
    *,
    paper: bool = option(False, None, "Those too that are there to be compared, and never chosen."),
    as_json: bool = JSON,
) -> None:
    """List the installed weights."""
    from mtcodec.errors import WeightsInvalid
    from mtcodec.networks.weights import store
    from mtcodec.networks.weights.file import describe, model_config

    entries = []
    for path in store.installed(paper):
        try:
            entry = describe(path)
            model_config(entry)  # may be of a later version
            entries.append(entry)
        except WeightsInvalid as error:
            warn(str(error))
    show([_facts(entry) for entry in entries], map(_line, entries), as_json)


def _line(entry: WeightsInfo) -> str:
    """What people read of a file of weights."""
    config = entry.config
    tasks = ",".join(task["name"] for task in config["tasks"])
    return f"{entry.name:<16} {entry.fingerprint}  {config['architecture']:<12} {tasks}  {entry.path}"


def _facts(entry: WeightsInfo) -> dict[str, Any]:
    """What ``--json`` prints of a file of weights."""
    return {
        "name": entry.name, "path": str(entry.path), "fingerprint": entry.fingerprint,
        "bytes": entry.path.stat().st_size, "config": entry.config, "training": entry.training,
    }  # fmt: skip


@app.command("show")
@takes_groups
def weights_show(
    *,
    name: str = typer.Argument(metavar="NAME", help="Name or path of the weights."),
    as_json: bool = JSON,
) -> None:
    """Show weights: tasks, training, and parameters and kMAC per pixel by part."""
    from mtcodec.networks import costs
    from mtcodec.networks.weights import store
    from mtcodec.networks.weights.file import describe, model_config

    entry = describe(store.find(name))
    parts = costs.table(model_config(entry))
    show({**_facts(entry), "parts": [vars(part) for part in parts]}, _description(entry, parts), as_json)


def _description(entry: WeightsInfo, parts: Sequence[PartCost]) -> Iterator[str]:
    """What people read of weights and the parts of their networks."""
    tasks = ", ".join(f"{task['name']} ({task['kind']})" for task in entry.config["tasks"])
    yield f"{entry.name}: {entry.path}"
    yield f"fingerprint {entry.fingerprint}, {entry.path.stat().st_size} bytes"
    yield f"tasks {tasks}"
    yield f"{'part':<22}{'parameters':>12}{'kMAC/pixel':>12}  used by"
    for part in parts:
        yield f"{part.name:<22}{part.parameters:>12,}{part.kmac:>12.2f}  {part.used}"
    for key, value in entry.training.items():
        yield f"{key}: {value if isinstance(value, (str, int, float)) else json.dumps(value)}"
