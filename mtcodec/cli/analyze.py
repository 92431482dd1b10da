"""``mtcodec analyze …``."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mtcodec import extras
from mtcodec.cli.common import make_directory, print_tables, progress_bar
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.options import DATASET, JSON, LIMIT, MachineOptions, ReadingOptions
from mtcodec.cli.scenes import codecs_by_name, find
from mtcodec.cli.values import bits_per_pixel, quality_list
from mtcodec.errors import SceneError
from mtcodec.quality import DEFAULT, WORDS, number_of

if TYPE_CHECKING:
    from mtcodec.files.trees.layouts import SceneFiles
    from mtcodec.networks.pytorch.networks import TorchNetworks

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="What streams hold and cost: numbers and pictures."
)

WEIGHTS = option("clevr", "WEIGHTS", "Names or paths of weights, separated by commas.")
QUALITY = option(f"{DEFAULT:g}", "Q", f"Quality of all streams: 0 to 100, {', '.join(WORDS)}.")


class FileOptions(ReadingOptions):
    """What an analysis reads, and where its results go."""

    dataset: Path = DATASET
    output: Path = option(..., "DIR", "Directory for JSON and pictures.", "-o", "--output")


class RunOptions(MachineOptions):
    """Where an analysis runs, and what it prints."""

    as_json: bool = JSON


@app.command("channels")
@takes_groups
def analyze_channels(
    *,
    files: FileOptions,
    weights: str = WEIGHTS,
    quality: str = QUALITY,
    limit: int = LIMIT,
    run: RunOptions,
) -> None:
    """Bits of every channel of every stream, and of every task by stream."""
    scenes = _scenes(files, weights, limit)
    _analyse("channels", files, run, weights, scenes, number_of(quality))


@app.command("reconstructions")
@takes_groups
def analyze_reconstructions(
    *,
    files: FileOptions,
    weights: str = WEIGHTS,
    bpp: str = option("0.2,0.04", "BITS", "Bits per pixel of all tasks, separated by commas."),
    scenes: str = option("", "KEYS", "Names of scenes, separated by commas."),
    limit: int = option(2, "N", "Without --scenes: the first N; 0: all.", min=0),
    run: RunOptions,
) -> None:
    """Originals beside reconstructions of all weights at equal bits per pixel; the quality is searched."""
    targets = bits_per_pixel(bpp)
    _analyse("reconstructions", files, run, weights, _scenes(files, weights, limit, scenes), targets)


@app.command("shared")
@takes_groups
def analyze_shared(
    *,
    files: FileOptions,
    weights: str = WEIGHTS,
    quality: str = QUALITY,
    limit: int = LIMIT,
    run: RunOptions,
) -> None:
    """What the shared latent holds: swapped between scenes, averaged away, ablated by channel."""
    scenes = _scenes(files, weights, limit)
    _analyse("shared", files, run, weights, scenes, number_of(quality))


@app.command("subsets")
@takes_groups
def analyze_subsets(
    *,
    files: FileOptions,
    single: str = option(..., "WEIGHTS", "Weights of architecture single to compare with."),
    weights: str = WEIGHTS,
    quality: str = option("10,30,50,70,90", "QUALITIES", "Qualities, separated by commas."),
    limit: int = LIMIT,
    run: RunOptions,
) -> None:
    """Price of every subset of tasks: bytes over those of single-task codecs at equal PSNR."""
    qualities = quality_list(quality)
    scenes = _scenes(files, f"{single},{weights}", limit)
    (reference,) = _networks(single, run).values()
    _analyse("subsets", files, run, weights, reference, scenes, qualities)


def _scenes(files: FileOptions, weights: str, limit: int, keys: str = "") -> list[SceneFiles]:
    """The first ``limit`` scenes (0: all), or those of ``keys``; makes the directory of results."""
    for library in ("torch", "matplotlib"):
        extras.load(library, "an analysis", "train,evaluate")
    from mtcodec.codec.api import Codec

    scenes = find([files.dataset], Codec(weights.split(",")).tasks, reading=files.reading())
    if keys:
        scenes_by_key = {scene.key: scene for scene in scenes}
        for key in keys.split(","):
            if key not in scenes_by_key:
                raise SceneError(f"no scene {key!r}", path=files.dataset)
        scenes = [scenes_by_key[key] for key in keys.split(",")]
    else:
        scenes = scenes[: limit or None]
    make_directory(files.output)
    return scenes


def _networks(weights: str, machine: MachineOptions) -> dict[str, TorchNetworks]:
    """Networks by the name of their weights."""
    from mtcodec.networks.pytorch import networks as torch_networks

    codecs = codecs_by_name(weights, machine)
    return {name: torch_networks.load(codec.paths[0], machine.device) for name, codec in codecs.items()}


def _analyse(name: str, files: FileOptions, run: RunOptions, weights: str, *inputs: Any) -> None:
    """Run the analysis of that name; write its ``<name>.json`` and pictures, print its table or the JSON."""
    networks = _networks(weights, run)
    analysis = import_module(f"mtcodec.paper.{name}")
    with progress_bar() as progress:
        results = analysis.analyse(networks, *inputs, progress)
    results, pictures = results if isinstance(results, tuple) else (results, analysis.draw(results))
    table = analysis.format_table(results)
    from mtcodec.files.output import write_atomic

    text = json.dumps(results, indent=1)
    for file, data in {f"{name}.json": text.encode(), **pictures}.items():
        write_atomic(files.output / file, data)
    if run.as_json:
        typer.echo(json.dumps(results))
    else:
        print_tables(table)
