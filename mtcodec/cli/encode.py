"""``mtcodec encode``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli.common import (
    Device,
    FilesFrom,
    Force,
    Json,
    Quiet,
    Threads,
    emit,
    find,
    load_codec,
    make_directory,
    refuse_existing,
    warn,
    with_listed,
)
from mtcodec.cli.decode import print_info, reader_of
from mtcodec.cli.values import bounds_of, hole_values, psnrs, qualities
from mtcodec.errors import OutputError, SceneError, UsageError
from mtcodec.format.quality import DEFAULT

if TYPE_CHECKING:
    from mtcodec.codec.codec import Codec
    from mtcodec.codec.targets import Outcome
    from mtcodec.files.layouts import SceneFiles
    from mtcodec.files.scene import Scene


def encode(
    inputs: Annotated[
        list[Path] | None,
        typer.Argument(metavar="SCENES", help="Scene directories, or datasets to encode whole."),
    ] = None,
    files_from: FilesFrom = "",
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="File, or directory; - is standard output.")
    ] = "",
    tasks: Annotated[str, typer.Option(help="Only these, e.g. rgb,depth; default: all images.")] = "",
    quality: Annotated[
        list[str] | None,
        typer.Option(
            "--quality", help=f"0 to 100 (default {DEFAULT:g}), or task=0..100 for one task; repeatable."
        ),
    ] = None,
    invalid: Annotated[
        list[str] | None,
        typer.Option(
            "--invalid",
            metavar="TASK=VALUE",
            help="A stored value that means a hole, e.g. depth=9999 or normal=255,255,255; repeatable. Holes "
            "come back exactly. Known without it: 0, 65535, NaN and infinity in depth, zero vectors.",
        ),
    ] = None,
    max_error: Annotated[
        list[str] | None,
        typer.Option(
            "--max-error",
            metavar="TASK=VALUE",
            help="No pixel is off by more, on any machine: depth=5mm, or rgb=2 in stored values; repeatable.",
        ),
    ] = None,
    lossless: Annotated[str, typer.Option(help="Tasks that come back exactly, e.g. depth,normal.")] = "",
    unit: Annotated[
        list[str] | None,
        typer.Option(
            "--unit",
            metavar="TASK=LENGTH",
            help="What one stored step means, e.g. depth=0.2mm; default: 1mm (integers), 1m (floats).",
        ),
    ] = None,
    target_psnr: Annotated[
        list[str] | None,
        typer.Option(
            "--target-psnr",
            metavar="TASK=DB",
            help="The lowest quality that reaches it, e.g. rgb=38; repeatable.",
        ),
    ] = None,
    target_bpp: Annotated[
        float, typer.Option(min=0, help="The best quality within so many bits per pixel, for all tasks.")
    ] = 0.0,
    target_bytes: Annotated[int, typer.Option(min=0, help="The best quality within so many bytes.")] = 0,
    coding: Annotated[
        str,
        typer.Option(
            help="auto: AV1 or JPEG XL for tasks where it needs fewer bytes than the networks at equal PSNR; "
            "neural: never (faster); classical: wherever it reaches that PSNR."
        ),
    ] = "auto",
    weights: Annotated[
        str,
        typer.Option(
            help="Name or path of the weights; auto: general or clevr, whichever suits the scene better."
        ),
    ] = "auto",
    threads: Threads = 0,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Encode one scene into a file, or several, also whole datasets, into a directory.

    A scene directory holds images named after tasks (rgb.png, depth.png). A dataset holds scene
    directories; or directories named after tasks, in which equal paths are one scene (rgb/train/1.png,
    depth/train/1.png; Taskonomy's and Omnidata's names are known); or it is a TUM RGB-D sequence, whose rgb
    and depth images are associated by time.

    One scene becomes the file OUT. Several scenes, or one if OUT is an existing directory or ends in /,
    become OUT/KEY.mtc; KEY is the name of a scene directory, or a path such as train/1. Several scenes for
    an OUT that ends in .mtc and is no directory are refused: a dataset was then given by mistake.
    """
    from mtcodec.codec.choice import CODINGS, Request, best_of
    from mtcodec.codec.targets import Target
    from mtcodec.files.scene import read_scene
    from mtcodec.tasks import task as registry
    from mtcodec.weights import store

    if not output:
        raise UsageError("missing -o OUT")
    if coding not in CODINGS:
        raise UsageError(f"coding must be {', '.join(CODINGS)}, not {coding!r}")
    general, own = qualities(quality or [])
    holes = hole_values(invalid or [])
    wanted_psnr = psnrs(target_psnr or [])
    if bool(wanted_psnr) + bool(target_bpp) + bool(target_bytes) + bool(quality) > 1:
        raise UsageError("a quality, a PSNR, bits per pixel and bytes: only one of them can be the target")
    wanted = registry.parse(tasks) if tasks else None
    scenes = find(with_listed(inputs, files_from), weights)
    outputs, several = _outputs(scenes, output)
    for scene in scenes:
        for task in wanted or []:
            if task.name not in scene.files:
                raise SceneError(f"{scene.label}: no image of task {task.name!r}")
    codecs: list[Codec] = []
    for scene, path in zip(scenes, outputs):
        if output != "-":
            refuse_existing(path, force)
        images = read_scene(scene, wanted)
        codecs = codecs or [load_codec(name, device, threads) for name in store.resolve(weights)]
        try:
            bounds = bounds_of(images, max_error or [], lossless, unit or [])
            size = target_bytes or int(target_bpp * _pixels(images) / 8)
            request = Request(general, own, holes, bounds, Target(wanted_psnr, size), coding)
            outcome, poor = best_of(codecs, images, request)
        except (SceneError, UsageError) as error:
            raise type(error)(f"{scene.label}: {error}") from error
        if several:
            make_directory(path.parent)
        emit(outcome.data, path, force)
        if not quiet and output != "-":
            print_info(reader_of(outcome.data), str(path), as_json, brief=several, psnr=outcome.psnr)
        _warn_of(outcome, poor, scene.label)


def _pixels(scene: Scene) -> int:
    height, width = next(iter(scene.values())).shape[:2]
    return int(height * width)


def _warn_of(outcome: Outcome, poor: list[str], label: str) -> None:
    if not outcome.reached:
        warn(f"{label}: the target is out of reach; this is quality {outcome.quality:g}, the nearest")
    if poor:
        found = ", ".join(f"{name} {outcome.psnr[name]:.1f} dB" for name in poor)
        warn(
            f"{label}: hardly usable: {found}. Try a higher --quality, --max-error or --lossless for it, "
            "other --weights, or train your own"
        )


def _outputs(scenes: list[SceneFiles], output: str) -> tuple[list[Path], bool]:
    """Where each scene goes, and whether that is in a directory (see :func:`encode`)."""
    path, several = Path(output), len(scenes) > 1
    if output == "-":
        if several:
            raise UsageError(f"{len(scenes)} scenes do not go to standard output")
        return [path], False
    slash = output.endswith(("/", os.sep))
    if not several and not slash and not path.is_dir():
        return [path], False
    if not path.is_dir():
        if path.exists():
            raise OutputError(f"{path}: exists and is not a directory")
        if path.suffix == ".mtc" and not slash:
            raise UsageError(f"{len(scenes)} scenes go to a directory: if {path} is to be one, add a /")
    labels: dict[str, str] = {}
    for scene in scenes:
        if scene.key in labels:
            raise UsageError(f"two scenes are called {scene.key!r}: {labels[scene.key]} and {scene.label}")
        labels[scene.key] = scene.label
    return [path / f"{key}.mtc" for key in labels], True
