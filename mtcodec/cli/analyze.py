"""``mtcodec analyze …``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec import extras
from mtcodec.cli.common import make_directory, print_tables, progress_bar
from mtcodec.cli.groups import Group, takes_groups
from mtcodec.cli.options import Dataset, Json, Limit, MachineOptions
from mtcodec.cli.scenes import codecs_by_name, find
from mtcodec.cli.values import numbers, quality_list
from mtcodec.errors import SceneError
from mtcodec.quality import DEFAULT, WORDS, number_of

if TYPE_CHECKING:
    from rich.table import Table

    from mtcodec.files.layouts import SceneFiles
    from mtcodec.networks.pytorch.networks import TorchNetworks

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What streams hold and cost: numbers and pictures."
)

Weights = Annotated[
    str,
    typer.Option("--weights", metavar="WEIGHTS", help="Names or paths of weights, separated by commas."),
]
Quality = Annotated[
    str, typer.Option("--quality", metavar="Q", help=f"Quality of all streams: 0 to 100, {', '.join(WORDS)}.")
]


class FileOptions(Group):
    """What an analysis reads, and where its results go."""

    dataset: Dataset
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Directory for JSON and pictures.")
    ]


@app.command("channels")
@takes_groups
def analyze_channels(
    *,
    files: FileOptions,
    weights: Weights = "clevr",
    quality: Quality = f"{DEFAULT:g}",
    limit: Limit = 0,
    machine: MachineOptions,
    as_json: Json = False,
) -> None:
    """Bits of every channel of every stream, and of every task by stream."""
    scenes = _scenes(files, weights, limit)
    networks = _networks(weights, machine)
    from mtcodec.paper import channels

    with progress_bar() as progress:
        results = channels.analyse(networks, scenes, number_of(quality), progress)
    pictures = channels.draw(results)
    _finish("channels", results, pictures, channels.format_table(results), files.output, as_json)


@app.command("reconstructions")
@takes_groups
def analyze_reconstructions(
    *,
    files: FileOptions,
    weights: Weights = "clevr",
    bpp: Annotated[
        str, typer.Option("--bpp", metavar="BITS", help="Bits per pixel of all tasks, separated by commas.")
    ] = "0.2,0.04",
    scenes: Annotated[
        str, typer.Option("--scenes", metavar="KEYS", help="Names of scenes, separated by commas.")
    ] = "",
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="Without --scenes: the first N; 0: all.")
    ] = 2,
    machine: MachineOptions,
    as_json: Json = False,
) -> None:
    """Originals beside reconstructions of all weights at equal bits per pixel; the quality is searched."""
    targets = numbers(bpp, "bits per pixel", 1e-4, 100)
    sources = _scenes(files, weights, limit, scenes)
    networks = _networks(weights, machine)
    from mtcodec.paper import reconstructions

    with progress_bar() as progress:
        results, pictures = reconstructions.analyse(networks, sources, targets, progress)
    table = reconstructions.format_table(results)
    _finish("reconstructions", results, pictures, table, files.output, as_json)


@app.command("shared")
@takes_groups
def analyze_shared(
    *,
    files: FileOptions,
    weights: Weights = "clevr",
    quality: Quality = f"{DEFAULT:g}",
    limit: Limit = 0,
    machine: MachineOptions,
    as_json: Json = False,
) -> None:
    """What the shared latent holds: swapped between scenes, averaged away, knocked out by channel."""
    scenes = _scenes(files, weights, limit)
    networks = _networks(weights, machine)
    from mtcodec.paper import shared

    with progress_bar() as progress:
        results, pictures = shared.analyse(networks, scenes, number_of(quality), progress)
    _finish("shared", results, pictures, shared.format_table(results), files.output, as_json)


@app.command("subsets")
@takes_groups
def analyze_subsets(
    *,
    files: FileOptions,
    single: Annotated[
        str,
        typer.Option("--single", metavar="WEIGHTS", help="Weights of architecture single to compare with."),
    ],
    weights: Weights = "clevr",
    quality: Annotated[
        str, typer.Option("--quality", metavar="QUALITIES", help="Qualities, separated by commas.")
    ] = "10,30,50,70,90",
    limit: Limit = 0,
    machine: MachineOptions,
    as_json: Json = False,
) -> None:
    """Price of every subset of tasks: bytes over those of single-task codecs at equal PSNR."""
    qualities = quality_list(quality)
    scenes = _scenes(files, f"{single},{weights}", limit)
    (reference,) = _networks(single, machine).values()
    networks = _networks(weights, machine)
    from mtcodec.paper import subsets

    with progress_bar() as progress:
        results = subsets.analyse(networks, reference, scenes, qualities, progress)
    pictures = subsets.draw(results)
    _finish("subsets", results, pictures, subsets.format_table(results), files.output, as_json)


def _scenes(files: FileOptions, weights: str, limit: int, keys: str = "") -> list[SceneFiles]:
    """The first ``limit`` scenes (0: all), or those of ``keys``; makes the directory of results.

    Raises:
        DependencyError: a library is missing.
        SceneError: no scenes, or none of a key.
        OutputError: the directory cannot be made.
    """
    for library in ("torch", "matplotlib"):
        extras.load(library, "an analysis", "train,evaluate")
    from mtcodec.codec.api import Codec

    scenes = find([files.dataset], Codec(weights.split(",")).tasks)
    if keys:
        scenes = _selected(scenes, keys.split(","), files.dataset)
    else:
        scenes = scenes[: limit or None]
    make_directory(files.output)
    return scenes


def _selected(scenes: list[SceneFiles], keys: list[str], dataset: Path) -> list[SceneFiles]:
    """Scenes of ``keys``, in their order."""
    scenes_by_key = {scene.key: scene for scene in scenes}
    for key in keys:
        if key not in scenes_by_key:
            raise SceneError(f"no scene {key!r}", path=dataset)
    return [scenes_by_key[key] for key in keys]


def _networks(weights: str, machine: MachineOptions) -> dict[str, TorchNetworks]:
    """Networks by the name of their weights."""
    from mtcodec.networks.pytorch import networks as torch_networks

    codecs = codecs_by_name(weights, machine)
    return {name: torch_networks.load(codec.paths[0], machine.device) for name, codec in codecs.items()}


def _finish(
    name: str, results: dict[str, Any], pictures: dict[str, bytes], table: Table, output: Path, as_json: bool
) -> None:
    """Write ``<name>.json`` and pictures; print the table, or the JSON."""
    from mtcodec.files.output import write_atomic

    text = json.dumps(results, indent=1)
    for file, data in {f"{name}.json": text.encode(), **pictures}.items():
        write_atomic(output / file, data)
    if as_json:
        typer.echo(json.dumps(results))
    else:
        print_tables(table)
