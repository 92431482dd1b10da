"""``mtcodec decode``, ``info`` and ``extract``: what is done with files."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mtcodec.cli.common import (
    Device,
    File,
    FileOrArchive,
    Force,
    Json,
    MaxPixels,
    Output,
    Quiet,
    Threads,
    emit,
    load_codec,
    make_directory,
    open_file,
    progress_bar,
    refuse_existing,
    warn,
)
from mtcodec.errors import OutputError, UsageError

if TYPE_CHECKING:
    from mtcodec.codec.codec import Codec
    from mtcodec.errors import SectionError
    from mtcodec.files.scene import Scene
    from mtcodec.format.container import Reader


def decode(
    file: File,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Directory; default: FILE without its suffix.")
    ] = None,
    tasks: Annotated[str, typer.Option(help="Only these, e.g. depth; default: all.")] = "",
    weights: Annotated[str, typer.Option(help="Weights instead of those the file names.")] = "",
    max_pixels: MaxPixels = 0,
    threads: Threads = 0,
    device: Device = "auto",
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Decode a file, or some of its tasks, to images."""
    from mtcodec.archive.read import is_archive
    from mtcodec.errors import SectionError
    from mtcodec.files.image_output import suffix_for, write_image
    from mtcodec.weights import store

    if is_archive(file):
        raise UsageError(f"{file} is an archive: mtcodec unpack decodes it")
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
    with open_file(file, max_pixels) as reader:
        header = reader.header
        wanted = [name.strip() for name in tasks.split(",")] if tasks else list(header.tasks)
        needed = {section for task in wanted for section in header.needs(task)}
        for name in wanted:
            for suffix in (".png", ".npy"):
                refuse_existing(output / (name + suffix), force)
        if any(s.neural for s in header.sections if s.name in needed):
            path = weights or str(store.find_fingerprint(header.fingerprint))
            images, lost = _decode(load_codec(path, device, threads), reader, wanted, file)
        else:
            images, lost = _decode_lossless(reader, wanted)
    if images:
        make_directory(output)
    for name, image in images.items():
        path_out = output / (name + suffix_for(image))
        write_image(path_out, image)
        if not quiet:
            typer.echo(str(path_out))
    for loss in lost:
        warn(f"{file}: task {loss.section} is lost: {loss}")
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
    from mtcodec.coders.sections import read
    from mtcodec.errors import SectionError

    images: Scene = {}
    lost: list[SectionError] = []
    for name in wanted:
        try:
            images[name] = read(reader, name)
        except SectionError as error:
            lost.append(error)
    return images, lost


def info(file: FileOrArchive, as_json: Json = False) -> None:
    """Show a file's sections, and what decoding each task needs; or the same of an archive."""
    from mtcodec.archive.read import is_archive

    if is_archive(file):
        print_archive(file, as_json)
        return
    with open_file(file) as reader:
        print_info(reader, file, as_json)


def print_archive(path: str, as_json: bool) -> None:
    """What an archive holds, as the footers of its parts tell."""
    from mtcodec.archive.read import Opened

    opened = Opened(path)
    about = opened.about
    sizes: dict[str, int] = {}
    for group in opened.groups:
        for column, size in group.sizes.items():
            sizes[column] = sizes.get(column, 0) + size
    facts = {
        "archive": path, "scenes": opened.rows, "parts": len(opened.parts), "bytes": sum(sizes.values()),
        "fingerprint": about.fingerprint, "tasks": [t.name for t in about.tasks],
        "settings": about.settings, "columns": sizes,
    }  # fmt: skip
    if as_json:
        typer.echo(json.dumps(facts))
        return
    settings = ", ".join(f"{name} {value}" for name, value in about.settings.items())
    parts = f"{len(opened.parts)} part{'s' * (len(opened.parts) != 1)}"
    typer.echo(f"{path}: {opened.rows} scenes in {parts}, weights {about.fingerprint}, {settings}")
    for column, size in sizes.items():
        typer.echo(f"  {column:<10} {size:>12} bytes  {size / max(opened.rows, 1):10.1f} a scene")
    for task in about.tasks:
        needed = about.needs([task.name])
        typer.echo(f"  to decode {task.name}: {sum(sizes[n] for n in needed)} bytes ({' + '.join(needed)})")


def reader_of(data: bytes) -> Reader:
    from mtcodec.format.container import Reader

    return Reader(io.BytesIO(data))


def print_info(
    reader: Reader, file: str, as_json: bool, brief: bool = False, psnr: Mapping[str, float] | None = None
) -> None:
    """Print what a file holds, or one line if ``brief``, and ``psnr`` by task if just encoded."""
    from mtcodec.format.info import summary

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
        warn(f"{file}: the file ends before its last section does")
    for section in facts["sections"]:
        cost = f"{section['bytes']:>8} bytes  {section['bpp']:8.4f} bpp"
        own = f"  quality {section['quality']:g}" if "quality" in section else ""
        typer.echo(f"  {section['name']:<10} {cost}  {section['coding']}{own}")
    typer.echo(f"  {'overhead':<10} {facts['overhead_bytes']:>8} bytes")
    if psnr:
        typer.echo(f"  {'PSNR':<10} {decibels}")
    for task, needs in facts["tasks"].items():
        typer.echo(f"  to decode {task}: {needs['bytes']} bytes ({' + '.join(needs['sections'])})")


def extract(
    file: FileOrArchive,
    tasks: Annotated[str, typer.Option(help="Tasks to keep, e.g. depth,normal.")],
    output: Output = None,
    force: Force = False,
) -> None:
    """Copy some tasks of a file into a new file, or of an archive into a new archive, without re-encoding."""
    from mtcodec.archive.read import Opened, is_archive
    from mtcodec.errors import FormatError
    from mtcodec.format import container

    if output is None:
        raise UsageError("missing -o OUT")
    if is_archive(file):
        from mtcodec.archive.unpack import extract as run

        with progress_bar() as bar:
            run(Opened(file), output, [t.strip() for t in tasks.split(",")],
                lambda k, total: bar("copying", k, total))  # fmt: skip
        return
    with open_file(file) as reader:
        try:
            data = container.extract(reader, [t.strip() for t in tasks.split(",")])
        except FormatError as error:
            raise FormatError(f"{file}: {error}") from error
    emit(data, output, force)
