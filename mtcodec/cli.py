"""The command line: the only module that prints and exits."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NoReturn

import typer

from mtcodec.errors import MtcodecError, OutputError, SceneError, UsageError
from mtcodec.quality import DEFAULT

if TYPE_CHECKING:
    from rich.table import Table

    from mtcodec.codec import Codec
    from mtcodec.container import Reader
    from mtcodec.data.layouts import SceneFiles
    from mtcodec.data.scene import Scene
    from mtcodec.errors import SectionError
    from mtcodec.targets import Outcome
    from mtcodec.weights import WeightsInfo

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Store pixel-aligned images of one scene (rgb, depth, normals, labels) as one small file.\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 damaged or hostile input, 4 weights missing. "
    "MTCODEC_DEBUG=1 shows tracebacks; MTCODEC_WEIGHTS lists directories of further weights.",
)
weights_app = typer.Typer(no_args_is_help=True, help="List and show installed weights.")
app.add_typer(weights_app, name="weights")
analyze_app = typer.Typer(no_args_is_help=True, help="What streams hold and cost: numbers and pictures.")
app.add_typer(analyze_app, name="analyze")

Output = Annotated[Path | None, typer.Option("-o", "--output", help="Output file; - is standard output.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite existing output.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Print nothing but errors.")]
Threads = Annotated[int, typer.Option("--threads", min=0, max=1024, help="Threads; 0 takes all cores.")]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
Dataset = Annotated[
    Path, typer.Argument(metavar="DATASET", help="Directory of scenes in any layout of encode --help.")
]
File = Annotated[str, typer.Argument(metavar="FILE", help="An .mtc file; - is standard input.")]


# --- helpers -------------------------------------------------------------------------------------


def _version(show: bool) -> None:
    if show:
        from mtcodec import __version__

        typer.echo(f"mtcodec {__version__}")
        raise typer.Exit()


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _warn(message: str) -> None:
    typer.echo(f"mtcodec: warning: {message}", err=True)


def _emit(data: bytes, path: Path, force: bool) -> None:
    """Write ``data`` to ``path`` or standard output, not over an existing file without ``force``."""
    from mtcodec.output import write_atomic

    if str(path) == "-":
        if sys.stdout is None:
            raise OutputError("standard output is closed")
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    _refuse_existing(path, force)
    write_atomic(path, data)


def _refuse_existing(path: Path, force: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path}: is a directory")
    if path.exists() and not force:
        raise OutputError(f"{path}: exists already (--force overwrites it)")


@contextmanager
def _open(name: str) -> Iterator[Reader]:
    """A reader of the file ``name``, or of standard input for ``-``."""
    from mtcodec.container import Reader
    from mtcodec.errors import FormatError

    if name == "-" and sys.stdin is None:
        raise SceneError("standard input is closed")
    with ExitStack() as stack:
        try:
            source: BinaryIO
            if name == "-":
                source = io.BytesIO(sys.stdin.buffer.read())
            else:
                source = stack.enter_context(Path(name).open("rb"))
            reader = Reader(source)
        except OSError as error:
            raise SceneError(f"{name}: cannot read it: {error.strerror or error}") from error
        except FormatError as error:
            raise FormatError(f"{name}: {error}") from error
        yield reader


def _load(name: str, device: str, threads: int) -> Codec:
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"device must be auto, cpu or cuda, not {device!r}")
    import torch

    from mtcodec import codec

    if threads:
        torch.set_num_threads(threads)
    return codec.load(name, device)


def _qualities(values: list[str]) -> tuple[float, dict[str, float]]:
    """``["60", "depth=80"]`` to (60.0, {"depth": 80.0})."""
    general, own = None, {}
    for value in values:
        name, equals, number = value.rpartition("=")
        try:
            quality = float(number)
        except ValueError:
            raise UsageError(f"not a quality: {value!r} (0 to 100, or task=0..100)") from None
        if not 0 <= quality <= 100:
            raise UsageError(f"quality must be 0 to 100, not {number}")
        if equals:
            own[name] = quality
        elif general is None:
            general = quality
        else:
            raise UsageError("more than one general quality")
    return (DEFAULT if general is None else general), own


def _hole_values(values: list[str]) -> dict[str, list[tuple[float, ...]]]:
    """``["depth=9999", "normal=0,0,255"]`` to {"depth": [(9999.0,)], "normal": [(0.0, 0.0, 255.0)]}."""
    result: dict[str, list[tuple[float, ...]]] = {}
    for name, numbers in _assignments(values, "the value of a hole"):
        try:
            stored = tuple(float(number) for number in numbers.split(","))
        except ValueError:
            raise UsageError(f"not the value of a hole: {numbers!r}") from None
        result.setdefault(name, []).append(stored)
    return result


def _bounds(scene: Scene, max_error: list[str], lossless: str, unit: list[str]) -> dict[str, float]:
    """``["depth=5mm"]`` and ``"normal"`` to {"depth": 5.0, "normal": 0.0}, in stored values."""
    from mtcodec import tasks as registry
    from mtcodec import units

    steps = dict(_assignments(unit, "a unit"))
    result = {}
    for name, text in _assignments(max_error, "a bound"):
        if name not in scene:
            raise UsageError(f"a bound for task {name!r}, which the scene lacks")
        task, dtype = registry.get(name), scene[name].dtype.name
        result[name] = units.stored(task, dtype, text, steps.get(name, ""))
    for name in filter(None, lossless.split(",")):
        if result.get(name):
            raise UsageError(f"task {name!r} cannot be lossless and have a bound")
        result[name] = 0.0
    return result


def _assignments(values: list[str], what: str) -> Iterator[tuple[str, str]]:
    for value in values:
        name, equals, text = value.partition("=")
        if not (name and equals and text):
            raise UsageError(f"not {what}: {value!r} (task=value)")
        yield name, text


# --- scenes --------------------------------------------------------------------------------------


@app.command(
    help="Encode one scene into a file, or several, also whole datasets, into a directory.\n\n"
    "A scene directory holds images named after tasks (rgb.png, depth.png). A dataset holds scene "
    "directories; or directories named after tasks, in which equal paths are one scene (rgb/train/1.png, "
    "depth/train/1.png; Taskonomy's and Omnidata's names are known); or it is a TUM RGB-D sequence, whose "
    "rgb and depth images are associated by time.\n\n"
    "One scene becomes the file OUT. Several scenes, or one if OUT is an existing directory or ends in /, "
    "become OUT/KEY.mtc; KEY is the name of a scene directory, or a path such as train/1. Several scenes for "
    "an OUT that ends in .mtc and is no directory are refused: a dataset was then given by mistake."
)
def encode(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="SCENES", help="Scene directories, or datasets to encode whole."),
    ],
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
    weights: Annotated[str, typer.Option(help="Name or path of the weights.")] = "clevr",
    threads: Threads = 0,
    device: Device = "auto",
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """See the help above; weights are loaded once, when the first scene has been read."""
    from mtcodec import tasks as registry
    from mtcodec.data.scene import read_scene
    from mtcodec.targets import Outcome, Target, fidelity, poor, reach

    if not output:
        raise UsageError("missing -o OUT")
    general, own = _qualities(quality or [])
    holes = _hole_values(invalid or [])
    psnrs = _psnrs(target_psnr or [])
    if bool(psnrs) + bool(target_bpp) + bool(target_bytes) + bool(quality) > 1:
        raise UsageError("a quality, a PSNR, bits per pixel and bytes: only one of them can be the target")
    wanted = registry.parse(tasks) if tasks else None
    scenes = _scenes(inputs, weights)
    outputs, several = _outputs(scenes, output)
    for scene in scenes:
        for task in wanted or []:
            if task.name not in scene.files:
                raise SceneError(f"{scene.label}: no image of task {task.name!r}")
    codec = None
    for scene, path in zip(scenes, outputs):
        if output != "-":
            _refuse_existing(path, force)
        images = read_scene(scene, wanted)
        codec = codec or _load(weights, device, threads)
        try:
            bounds = _bounds(images, max_error or [], lossless, unit or [])
            encoded = partial(codec.encode, images, task_quality=own, invalid=holes, max_error=bounds)
            size = target_bytes or int(target_bpp * _pixels(images) / 8)
            if psnrs or size:
                outcome = reach(codec, images, encoded, Target(psnrs, size))
            else:
                data = encoded(general)
                measured = fidelity(codec, images, data) if not quiet and output != "-" else {}
                outcome = Outcome(data, general, measured, True)
        except (SceneError, UsageError) as error:
            raise type(error)(f"{scene.label}: {error}") from error
        if several:
            _make_directory(path.parent)
        _emit(outcome.data, path, force)
        if not quiet and output != "-":
            _print_info(_reader(outcome.data), str(path), as_json, brief=several, psnr=outcome.psnr)
        _warn_of(outcome, poor(codec, outcome.psnr), scene.label)


def _psnrs(values: list[str]) -> dict[str, float]:
    """``["rgb=38"]`` to {"rgb": 38.0}."""
    try:
        return {name: float(text) for name, text in _assignments(values, "a PSNR")}
    except ValueError:
        raise UsageError(f"not a PSNR in dB: {' '.join(values)!r}") from None


def _pixels(scene: Scene) -> int:
    height, width = next(iter(scene.values())).shape[:2]
    return int(height * width)


def _warn_of(outcome: Outcome, poor: list[str], label: str) -> None:
    if not outcome.reached:
        _warn(f"{label}: the target is out of reach; this is quality {outcome.quality:g}, the nearest")
    if poor:
        found = ", ".join(f"{name} {outcome.psnr[name]:.1f} dB" for name in poor)
        _warn(
            f"{label}: hardly usable: {found}. Try a higher --quality, --max-error or --lossless for it, "
            "other --weights, or train your own"
        )


def _scenes(datasets: list[Path], weights: str, limit: int = 0) -> list[SceneFiles]:
    """Scenes of ``datasets``, or the first ``limit``; declares the tasks that ``weights`` (a list) bring."""
    from mtcodec import weights as store
    from mtcodec.data.layouts import find_scenes

    for given in weights.split(","):
        store.declare_tasks(given)
    found = [scene for dataset in datasets for scene in find_scenes(dataset, _warn_left_out)]
    return found[: limit or None]


def _warn_left_out(dataset: Path, count: int) -> None:
    _warn(f"{dataset}: {count} images have no partner in time and are left out")


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


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot make it: {error.strerror}") from error


def _reader(data: bytes) -> Reader:
    from mtcodec.container import Reader

    return Reader(io.BytesIO(data))


@app.command()
def decode(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory; default: FILE without its suffix.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Only these, e.g. depth; default: all.")] = "",
    weights: Annotated[str, typer.Option(help="Weights instead of those the file names.")] = "",
    threads: Threads = 0,
    device: Device = "auto",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Decode a file, or some of its tasks, to images."""
    from mtcodec import weights as store
    from mtcodec.data.output import suffix_for, write_image
    from mtcodec.errors import SectionError

    if output is None:
        if file == "-":
            raise UsageError("standard input needs -o DIR")
        output = Path(file).with_suffix("")
        if output == Path(file):
            raise UsageError(f"{file} has no suffix to leave out: name a directory with -o")
    if str(output) == "-":
        raise UsageError("images go to a directory, not to standard output")
    if output.exists() and not output.is_dir():
        raise OutputError(f"{output}: exists and is not a directory")
    with _open(file) as reader:
        header = reader.header
        wanted = [name.strip() for name in tasks.split(",")] if tasks else list(header.tasks)
        needed = {section for task in wanted for section in header.needs(task)}
        for name in wanted:
            for suffix in (".png", ".npy"):
                _refuse_existing(output / (name + suffix), force)
        if any(s.neural for s in header.sections if s.name in needed):
            path = weights or str(store.find_fingerprint(header.fingerprint))
            images, lost = _decode(_load(path, device, threads), reader, wanted, file)
        else:
            images, lost = _decode_lossless(reader, wanted)
    if images:
        _make_directory(output)
    for name, image in images.items():
        path_out = output / (name + suffix_for(image))
        write_image(path_out, image)
        if not quiet:
            typer.echo(str(path_out))
    for loss in lost:
        _warn(f"{file}: task {loss.section} is lost: {loss}")
    if lost:
        raise SectionError(f"{file}: damaged; {len(images)} of {len(wanted)} tasks decoded", lost[0].section)


def _decode(codec: Codec, reader: Reader, wanted: list[str], file: str) -> tuple[Scene, list[SectionError]]:
    from mtcodec.errors import FormatError

    lost: list[SectionError] = []
    try:
        return codec.decode(reader, wanted, lost.append), lost
    except FormatError as error:
        raise FormatError(f"{file}: {error}") from error


def _decode_lossless(reader: Reader, wanted: list[str]) -> tuple[Scene, list[SectionError]]:
    from mtcodec.errors import SectionError
    from mtcodec.exact import read

    images: Scene = {}
    lost: list[SectionError] = []
    for name in wanted:
        try:
            images[name] = read(reader, name)
        except SectionError as error:
            lost.append(error)
    return images, lost


@app.command()
def info(file: File, as_json: Json = False) -> None:
    """Show a file's sections, and what decoding each task needs."""
    with _open(file) as reader:
        _print_info(reader, file, as_json)


def _print_info(
    reader: Reader, file: str, as_json: bool, brief: bool = False, psnr: Mapping[str, float] | None = None
) -> None:
    """Print what a file holds, or one line if ``brief``, and ``psnr`` by task if just encoded."""
    from mtcodec.info import summary

    facts = summary(reader, file)
    if psnr:
        facts["psnr"] = {name: round(value, 2) for name, value in psnr.items()}
    decibels = ", ".join(f"{name} {value:.1f} dB" for name, value in (psnr or {}).items())
    if as_json:
        typer.echo(json.dumps(facts))
        return
    if brief:
        typer.echo(f"{file}  {facts['bytes']} bytes  {facts['bpp']:.4f} bpp" + f"  {decibels}" * bool(psnr))
        return
    size = f"{facts['bytes']} bytes, {facts['bpp']:.4f} bpp, {facts['width']}×{facts['height']}"
    weights = f"{facts['weights']['name'] or 'not installed'} ({facts['weights']['fingerprint']})"
    neural = any(section.neural for section in reader.header.sections)
    typer.echo(f"{file}: {size}" + (f", quality {facts['quality']:g}, weights {weights}" if neural else ""))
    if not facts["complete"]:
        _warn(f"{file}: the file ends before its last section does")
    for section in facts["sections"]:
        cost = f"{section['bytes']:>8} bytes  {section['bpp']:8.4f} bpp"
        own = f"  quality {section['quality']:g}" if "quality" in section else ""
        typer.echo(f"  {section['name']:<10} {cost}  {section['coding']}{own}")
    typer.echo(f"  {'overhead':<10} {facts['overhead_bytes']:>8} bytes")
    if psnr:
        typer.echo(f"  {'PSNR':<10} {decibels}")
    for task, needs in facts["tasks"].items():
        typer.echo(f"  to decode {task}: {needs['bytes']} bytes ({' + '.join(needs['sections'])})")


@app.command()
def extract(
    file: File,
    tasks: Annotated[str, typer.Option(help="Tasks to keep, e.g. depth,normal.")],
    output: Output = None,
    force: Force = False,
) -> None:
    """Copy some tasks of a file into a new file, without re-encoding."""
    from mtcodec import container
    from mtcodec.errors import FormatError

    if output is None:
        raise UsageError("missing -o FILE")
    with _open(file) as reader:
        try:
            data = container.extract(reader, [t.strip() for t in tasks.split(",")])
        except FormatError as error:
            raise FormatError(f"{file}: {error}") from error
    _emit(data, output, force)


# --- training, evaluation, weights ---------------------------------------------------------------


@app.command()
def train(
    dataset: Dataset,
    tasks: Annotated[str, typer.Option(help="Tasks, e.g. rgb,depth,normal or rgb,albedo:image:3.")],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Weights file (.safetensors).")
    ] = None,
    init: Annotated[str, typer.Option(help="Weights to start from: a name or path.")] = "",
    minutes: Annotated[float, typer.Option(min=0, help="Train for this long.")] = 0.0,
    steps: Annotated[int, typer.Option(min=0, help="Train for this many steps.")] = 0,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint beside the output.")
    ] = False,
    architecture: Annotated[
        str, typer.Option(help="single, mixed, disjoint, shared or conditional (the default).")
    ] = "",
    backbone: Annotated[str, typer.Option(help="fast (the default) or scale-hyperprior.")] = "",
    preset: Annotated[str, typer.Option(help="Settings where none are given: fast or paper.")] = "fast",
    batch: Annotated[int | None, typer.Option(min=1, help="Crops a step (fast: 4, paper: 64).")] = None,
    crop: Annotated[
        int | None, typer.Option(min=64, help="Side of the crops, a multiple of 64 (fast: 128, paper: 256).")
    ] = None,
    rate: Annotated[float | None, typer.Option(help="Peak learning rate (fast: 6e-3, paper: 1e-5).")] = None,
    lambdas: Annotated[
        str, typer.Option("--lambda", help="Fixed λ, e.g. 0.001,0.01,0.1; else drawn over the whole range.")
    ] = "",
    balance: Annotated[
        str | None, typer.Option(help="Weights of tasks' errors: declared, uncertainty or equal.")
    ] = None,
    own_quality: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="Share of crops with a quality for each task (fast: 0.3)."),
    ] = None,
    absent: Annotated[
        float | None, typer.Option(min=0, max=1, help="Share of crops that lack some tasks (fast: 0.2).")
    ] = None,
    shared_weight: Annotated[
        float,
        typer.Option(
            min=0, help="Cost of a shared bit, relative to a task's own: more makes tasks alone cheaper."
        ),
    ] = 1.0,
    held_out: Annotated[int, typer.Option(min=0, help="Scenes kept for validation.")] = 24,
    precision: Annotated[str, typer.Option(help="auto, float32 or bfloat16.")] = "auto",
    seed: Annotated[int, typer.Option(help="Of the initial weights and the crops.")] = 0,
    threads: Threads = 0,
    device: Device = "auto",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train weights on a dataset; the log and the checkpoint lie beside the output."""
    from mtcodec import tasks as registry
    from mtcodec.training import run

    if output is None or output.suffix != ".safetensors":
        raise UsageError("missing -o FILE.safetensors")
    if not resume:
        _refuse_existing(output, force)
    declared = registry.parse(tasks)
    given = {
        "minutes": minutes, "steps": steps, "batch": batch, "crop": crop, "rate": rate,
        "lambdas": _lambdas(lambdas), "balance": balance, "own": own_quality, "drop": absent,
        "shared_weight": shared_weight, "precision": precision, "seed": seed, "device": device,
    }  # fmt: skip
    run.train_weights(
        dataset, declared, output, init=init, resume=resume, held_out=held_out, threads=threads,
        config=run.configuration(declared, architecture, backbone),
        settings=run.settings(preset, given),
        report=(lambda _: None) if quiet else _print_training, left_out=_warn_left_out,
    )  # fmt: skip


def _lambdas(text: str) -> tuple[float, ...] | None:
    """``"0.001,0.1"`` to (0.001, 0.1), or None for nothing."""
    try:
        values = tuple(float(item) for item in text.split(",")) if text else None
    except ValueError:
        raise UsageError(f"not a list of λ: {text!r}") from None
    if values and not all(0 < v < 100 for v in values):
        raise UsageError("λ must lie between 0 and 100")
    return values


def _print_training(record: dict[str, Any]) -> None:
    """One line of progress for a record of the training log."""
    if "loss" in record:
        bpp = sum(v for n, v in record.items() if n.startswith("bpp_"))
        text = (
            f"step {record['step']} ({100 * record['done']:.1f} %)  loss {record['loss']:.4f}  bpp {bpp:.4f}"
        )
    elif record.get("validation"):
        parts = [f"{q}: {v['bpp']:.4f} bpp {v['psnr']}" for q, v in record["validation"].items()]
        text = f"step {record['step']} validation  " + "  ".join(parts)
    else:
        return
    typer.echo(text, err=True)


@app.command()
def evaluate(
    dataset: Dataset,
    weights: Annotated[
        str, typer.Option(help="Names or paths of the weights to compare, separated by commas.")
    ] = "clevr",
    against: Annotated[
        str, typer.Option(help="Codecs to compare with: jpeg, webp, avif, jxl, hyperprior; empty for none.")
    ] = "jpeg,webp,avif,jxl",
    reference: Annotated[
        str,
        typer.Option(help="What BD-rates refer to; default: the first weights of architecture single."),
    ] = "",
    hyperprior_checkpoints: Annotated[
        str,
        typer.Option(
            metavar="DIR", help="Checkpoints of hyperprior: a directory, or a path with {q} for the quality."
        ),
    ] = "",
    quality: Annotated[str, typer.Option(help="Qualities, separated by commas.")] = "0,20,40,60,80,100",
    limit: Annotated[int, typer.Option(min=0, help="Only the first so many scenes; 0 takes all.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory for CSV, JSON and plot.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes for classical codecs.")] = 1,
    threads: Threads = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Encode and decode every scene of a dataset; report bytes, quality and the ratio to classical codecs."""
    from mtcodec.evaluation import report

    try:
        qualities = [float(q) for q in quality.split(",")]
    except ValueError:
        raise UsageError(f"not a list of qualities: {quality!r}") from None
    scenes = _scenes([dataset], weights, limit)
    codecs = _systems(weights, device, threads)
    names = [name for name in against.split(",") if name]
    with _progress() as progress:
        results = report.evaluate(
            codecs, scenes, qualities, names, output, progress,
            about={name: _about(codec) for name, codec in codecs.items()},
            reference=Path(reference).name.removesuffix(".safetensors") or None,
            checkpoints=hyperprior_checkpoints or None, workers=workers,
        )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(results))
    else:
        from rich.console import Console

        console = Console(width=None if sys.stdout.isatty() else 160)
        for table in (report.format_table(results), report.format_bd_rates(results)):
            if table is not None:
                console.print(table)


def _systems(weights: str, device: str, threads: int) -> dict[str, Codec]:
    """Codecs by the name of their weights, for a list such as ``clevr,runs/other.safetensors``."""
    from mtcodec import weights as store

    codecs: dict[str, Codec] = {}
    for given in weights.split(","):
        name = store.find(given).stem
        if name in codecs:
            raise UsageError(f"two weights called {name!r}: rename one of the files")
        codecs[name] = _load(given, device, threads)
    return codecs


def _about(codec: Codec) -> dict[str, str]:
    config = codec.model.config
    return {"architecture": config.architecture, "backbone": config.backbone,
            "fingerprint": codec.info.fingerprint}  # fmt: skip


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """A progress bar on standard error, if that is a terminal: call with what, done, total."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<20}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("")

        def update(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total)

        yield update


# --- analyses ------------------------------------------------------------------------------------

Weights = Annotated[str, typer.Option("--weights", help="Names or paths of weights, separated by commas.")]
Quality = Annotated[float, typer.Option("--quality", min=0, max=100, help="Quality of all streams.")]
Limit = Annotated[int, typer.Option("--limit", min=0, help="Only the first so many scenes; 0 takes all.")]
Into = Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Directory for JSON and pictures.")]


def _prepare_analysis(output: Path) -> None:
    """Find out what is missing before any work, and make ``output``."""
    from mtcodec.analysis.pictures import require_matplotlib

    require_matplotlib()
    _make_directory(output)


def _finish_analysis(
    name: str, results: dict[str, Any], drawn: dict[str, bytes], table: Table, output: Path, as_json: bool
) -> None:
    """Write ``<name>.json`` and pictures; print the table, or the JSON."""
    from mtcodec.output import write_atomic

    text = json.dumps(results, indent=1)
    for file, data in {f"{name}.json": text.encode(), **drawn}.items():
        write_atomic(output / file, data)
    if as_json:
        typer.echo(json.dumps(results))
        return
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _numbers(text: str, what: str, low: float, high: float) -> list[float]:
    """``"10,20"`` to [10.0, 20.0], each within the limits."""
    try:
        values = [float(item) for item in text.split(",")]
    except ValueError:
        raise UsageError(f"not a list of {what}: {text!r}") from None
    if not all(low <= value <= high for value in values):
        raise UsageError(f"{what} must be {low:g} to {high:g}, not {text}")
    return values


@analyze_app.command("channels")
def analyze_channels(
    dataset: Dataset,
    output: Into,
    weights: Weights = "clevr",
    quality: Quality = DEFAULT,
    limit: Limit = 0,
    threads: Threads = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Bits of every channel of every stream, and of every task by stream."""
    from mtcodec.analysis import channels

    sources = _scenes([dataset], weights, limit)
    _prepare_analysis(output)
    codecs = _systems(weights, device, threads)
    with _progress() as progress:
        results = channels.analyse(codecs, sources, quality, progress)
    drawn = channels.draw(results)
    _finish_analysis("channels", results, drawn, channels.format_table(results), output, as_json)


@analyze_app.command("reconstructions")
def analyze_reconstructions(
    dataset: Dataset,
    output: Into,
    weights: Weights = "clevr",
    bpp: Annotated[str, typer.Option(help="Bits per pixel of all tasks, separated by commas.")] = "0.2,0.04",
    scenes: Annotated[str, typer.Option(help="Names of scenes, separated by commas.")] = "",
    limit: Annotated[int, typer.Option(min=0, help="Without --scenes: the first so many; 0 takes all.")] = 2,
    threads: Threads = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Originals beside reconstructions of all weights at equal bits per pixel; the quality is searched."""
    from mtcodec.analysis import reconstructions

    targets = _numbers(bpp, "bits per pixel", 1e-4, 100)
    sources = _scenes([dataset], weights, 0 if scenes else limit)
    if scenes:
        known = {source.key: source for source in sources}
        for name in scenes.split(","):
            if name not in known:
                raise SceneError(f"{dataset}: no scene {name!r}")
        sources = [known[name] for name in scenes.split(",")]
    _prepare_analysis(output)
    codecs = _systems(weights, device, threads)
    with _progress() as progress:
        results, drawn = reconstructions.analyse(codecs, sources, targets, progress)
    table = reconstructions.format_table(results)
    _finish_analysis("reconstructions", results, drawn, table, output, as_json)


@analyze_app.command("shared")
def analyze_shared(
    dataset: Dataset,
    output: Into,
    weights: Weights = "clevr",
    quality: Quality = DEFAULT,
    limit: Limit = 0,
    threads: Threads = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """What the shared latent holds: swapped between scenes, averaged away, knocked out by channel."""
    from mtcodec.analysis import shared

    sources = _scenes([dataset], weights, limit)
    _prepare_analysis(output)
    codecs = _systems(weights, device, threads)
    with _progress() as progress:
        results, drawn = shared.analyse(codecs, sources, quality, progress)
    _finish_analysis("shared", results, drawn, shared.format_table(results), output, as_json)


@analyze_app.command("subsets")
def analyze_subsets(
    dataset: Dataset,
    output: Into,
    single: Annotated[str, typer.Option(help="Weights of architecture single to compare with.")],
    weights: Weights = "clevr",
    quality: Annotated[str, typer.Option(help="Qualities, separated by commas.")] = "10,30,50,70,90",
    limit: Limit = 0,
    threads: Threads = 0,
    device: Device = "auto",
    as_json: Json = False,
) -> None:
    """Price of every subset of tasks: bytes over those of single-task codecs at equal PSNR."""
    from mtcodec.analysis import subsets

    qualities = _numbers(quality, "qualities", 0, 100)
    sources = _scenes([dataset], f"{single},{weights}", limit)
    _prepare_analysis(output)
    reference = _load(single, device, threads)
    codecs = _systems(weights, device, threads)
    with _progress() as progress:
        results = subsets.analyse(codecs, reference, sources, qualities, progress)
    drawn = subsets.draw(results)
    _finish_analysis("subsets", results, drawn, subsets.format_table(results), output, as_json)


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """List the installed weights."""
    from mtcodec import weights
    from mtcodec.errors import WeightsInvalid

    entries = []
    for path in weights.installed():
        try:
            entry = weights.describe(path)
            weights.model_config(entry)
            entries.append(entry)
        except WeightsInvalid as error:
            _warn(str(error))
    if as_json:
        typer.echo(json.dumps([_weights_entry(e) for e in entries]))
        return
    for e in entries:
        tasks = ",".join(t["name"] for t in e.config["tasks"])
        typer.echo(f"{e.name:<16} {e.fingerprint}  {e.config['architecture']:<12} {tasks}  {e.path}")


def _weights_entry(e: WeightsInfo) -> dict[str, Any]:
    return {"name": e.name, "path": str(e.path), "fingerprint": e.fingerprint, "bytes": e.path.stat().st_size,
            "config": e.config, "training": e.training}  # fmt: skip


@weights_app.command("show")
def weights_show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name or path of the weights.")],
    as_json: Json = False,
) -> None:
    """Show weights: tasks, training, and parameters and kMAC per pixel by part."""
    from mtcodec import weights
    from mtcodec.models import costs

    e = weights.describe(weights.find(name))
    parts = costs.table(weights.model_config(e))
    if as_json:
        typer.echo(json.dumps({**_weights_entry(e), "parts": [vars(p) for p in parts]}))
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


# --- entry ---------------------------------------------------------------------------------------


def main() -> NoReturn:
    """Run the command line; every :class:`MtcodecError` becomes one line and its exit code."""
    try:
        app(standalone_mode=True)
    except MtcodecError as error:
        if os.environ.get("MTCODEC_DEBUG"):
            raise
        typer.echo(f"mtcodec: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # of standard output: its reader has gone, or it is full
        if not isinstance(error, BrokenPipeError):
            if os.environ.get("MTCODEC_DEBUG"):
                raise
            typer.echo(f"mtcodec: {error}", err=True)
        if sys.stdout is not None:  # what it still holds back would fail once more at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(0)
