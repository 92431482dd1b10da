"""``mtcodec analyze …``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mtcodec import extras
from mtcodec.cli.common import find, make_directory, progress_bar, systems
from mtcodec.cli.options import Dataset, Device, Json, Limit, Threads
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
Into = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Directory for JSON and pictures.")]


def _scenes(dataset: Path, weights: str, limit: int) -> list[SceneFiles]:
    from mtcodec.codec.api import Codec

    return find([dataset], Codec(weights.split(",")).tasks, limit=limit)


def _networks(weights: str, device: str, threads: int) -> dict[str, TorchNetworks]:
    """Networks by the name of their weights."""
    from mtcodec.networks.pytorch import networks as torch_networks

    codecs = systems(weights, device, threads)
    return {name: torch_networks.load(codec.paths[0], device) for name, codec in codecs.items()}


def _require_libraries() -> None:
    """Raise DependencyError where a library is missing."""
    for library in ("torch", "matplotlib"):
        extras.load(library, "an analysis", "train,evaluate")


def _finish_analysis(
    name: str, results: dict[str, Any], drawn: dict[str, bytes], table: Table, output: Path, as_json: bool
) -> None:
    """Write ``<name>.json`` and pictures; print the table, or the JSON."""
    from mtcodec.files.output import write_atomic

    text = json.dumps(results, indent=1)
    for file, data in {f"{name}.json": text.encode(), **drawn}.items():
        write_atomic(output / file, data)
    if as_json:
        typer.echo(json.dumps(results))
        return
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(table)


@app.command("channels")
def analyze_channels(
    dataset: Dataset,
    output: Into,
    weights: Weights = "clevr",
    quality: Quality = f"{DEFAULT:g}",
    limit: Limit = 0,
    threads: Threads = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Bits of every channel of every stream, and of every task by stream."""
    _require_libraries()
    from mtcodec.paper import channels

    sources = _scenes(dataset, weights, limit)
    make_directory(output)
    networks = _networks(weights, device, threads)
    with progress_bar() as progress:
        results = channels.analyse(networks, sources, number_of(quality), progress)
    drawn = channels.draw(results)
    _finish_analysis("channels", results, drawn, channels.format_table(results), output, as_json)


@app.command("reconstructions")
def analyze_reconstructions(
    dataset: Dataset,
    output: Into,
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
    threads: Threads = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Originals beside reconstructions of all weights at equal bits per pixel; the quality is searched."""
    _require_libraries()
    from mtcodec.paper import reconstructions

    targets = numbers(bpp, "bits per pixel", 1e-4, 100)
    sources = _scenes(dataset, weights, 0 if scenes else limit)
    if scenes:
        known = {source.key: source for source in sources}
        for name in scenes.split(","):
            if name not in known:
                raise SceneError(f"no scene {name!r}", path=dataset)
        sources = [known[name] for name in scenes.split(",")]
    make_directory(output)
    networks = _networks(weights, device, threads)
    with progress_bar() as progress:
        results, drawn = reconstructions.analyse(networks, sources, targets, progress)
    table = reconstructions.format_table(results)
    _finish_analysis("reconstructions", results, drawn, table, output, as_json)


@app.command("shared")
def analyze_shared(
    dataset: Dataset,
    output: Into,
    weights: Weights = "clevr",
    quality: Quality = f"{DEFAULT:g}",
    limit: Limit = 0,
    threads: Threads = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """What the shared latent holds: swapped between scenes, averaged away, knocked out by channel."""
    _require_libraries()
    from mtcodec.paper import shared

    sources = _scenes(dataset, weights, limit)
    make_directory(output)
    networks = _networks(weights, device, threads)
    with progress_bar() as progress:
        results, drawn = shared.analyse(networks, sources, number_of(quality), progress)
    _finish_analysis("shared", results, drawn, shared.format_table(results), output, as_json)


@app.command("subsets")
def analyze_subsets(
    dataset: Dataset,
    output: Into,
    single: Annotated[
        str,
        typer.Option("--single", metavar="WEIGHTS", help="Weights of architecture single to compare with."),
    ],
    weights: Weights = "clevr",
    quality: Annotated[
        str, typer.Option("--quality", metavar="QUALITIES", help="Qualities, separated by commas.")
    ] = "10,30,50,70,90",
    limit: Limit = 0,
    threads: Threads = 0,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Price of every subset of tasks: bytes over those of single-task codecs at equal PSNR."""
    _require_libraries()
    from mtcodec.paper import subsets

    qualities = quality_list(quality)
    sources = _scenes(dataset, f"{single},{weights}", limit)
    make_directory(output)
    (reference,) = _networks(single, device, threads).values()
    networks = _networks(weights, device, threads)
    with progress_bar() as progress:
        results = subsets.analyse(networks, reference, sources, qualities, progress)
    drawn = subsets.draw(results)
    _finish_analysis("subsets", results, drawn, subsets.format_table(results), output, as_json)
