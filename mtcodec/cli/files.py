"""``mtcodec info``, ``extract`` and ``verify``: what is done with files as they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import typer

from mtcodec.archive.names import is_archive
from mtcodec.cli import options, report, values
from mtcodec.cli.common import emit, note, open_archive, open_file, opened_sequence, progress_bar, show
from mtcodec.cli.groups import option, takes_groups
from mtcodec.cli.sequence_decode import parsed_frames
from mtcodec.cli.sequence_files import problems_of, write_cut
from mtcodec.cli.sequence_lines import sequence_lines
from mtcodec.container.damage import damage_of
from mtcodec.errors import FormatError, UsageError


@takes_groups
def info(*, file: str = options.FILE_OR_ARCHIVE, as_json: bool = options.JSON) -> None:
    """Show a file's sections, and what decoding each task needs; or the same of a sequence or an archive."""
    if (clip := opened_sequence(file)) is not None:
        from mtcodec.sequences.info import sequence_summary

        facts = sequence_summary(clip, file)
        show(facts, sequence_lines(facts), as_json)
        if facts["damaged"]:
            raise FormatError(f"damaged: {facts['damaged'][0]}", path=file)
        return
    if is_archive(file):
        show(*_archive(file), as_json)
        return
    with open_file(file) as reader:
        facts = report.facts(reader, file)
        show(facts, report.file_lines(facts), as_json)
        if not reader.complete:
            raise FormatError("the file ends before its last section does", path=file)


def _archive(path: str) -> tuple[dict[str, Any], Iterator[str]]:
    """What an archive holds, as its index and the footers of its shards tell: for JSON, and for people."""
    reader = open_archive(path)
    manifest, sizes = reader.manifest, dict(reader.sizes)
    facts = {
        "archive": path, "scenes": reader.rows, "shards": len(reader.shards), "bytes": sum(sizes.values()),
        "fingerprint": manifest.fingerprint, "tasks": [t.name for t in manifest.tasks],
        "settings": manifest.settings, "columns": sizes, "weights_bytes": reader.weights_size(),
    }  # fmt: skip

    def lines() -> Iterator[str]:
        settings = ", ".join(f"{name} {value}" for name, value in manifest.settings.items())
        shards = report.counted(len(reader.shards), "shard")
        yield f"{path}: {reader.rows} scenes in {shards}, weights {manifest.fingerprint}, {settings}"
        width = max([10, *map(len, sizes)])
        for column, size in sizes.items():
            yield f"  {column:<{width}} {size:>12} bytes  {size / max(reader.rows, 1):10.1f} a scene"
        if facts["weights_bytes"]:
            yield f"  {'weights':<{width}} {facts['weights_bytes']:>12} bytes for all scenes"
        for task in manifest.tasks if sizes else []:
            needed = manifest.columns_for([task.name])
            total = sum(sizes.get(name, 0) for name in needed)
            yield f"  to decode {task.name}: {total} bytes ({' + '.join(needed)})"

    return facts, lines()


@takes_groups
def extract(
    *,
    file: str = options.FILE_OR_ARCHIVE,
    tasks: str = option("", "TASKS", "Tasks to keep, e.g. depth,normal."),
    frames: str = option("", "A:B", "Frames of a sequence to keep, e.g. 100:200; it is cut at groups."),
    output: str = options.output_option(
        "OUT", "Output file, - is standard output; of an archive, a directory or URL."
    ),
    force: bool = options.FORCE,
) -> None:
    """Copy some tasks of a file into a new file, or of an archive into a new archive, without re-encoding.

    Of a sequence also some frames: the groups that hold any of them are copied whole.
    """
    from mtcodec.container import mtc as container

    task_names = values.names(tasks) or []
    if not task_names and not frames:
        raise UsageError("nothing to extract: --tasks, or --frames of a sequence")
    if (clip := opened_sequence(file)) is not None:
        for line in write_cut(clip, output, force, parsed_frames(frames), task_names or None).notes:
            note(line)
        return
    if frames or not task_names:
        raise UsageError("--frames are of sequences, and this is none: say --tasks", path=file)
    if is_archive(file):
        from mtcodec.archive.check import extract as run

        with progress_bar() as bar:
            run(open_archive(file), output, task_names, partial(bar, "copying"), force)
        return
    with open_file(file) as reader:
        try:
            data = container.extract(reader, task_names)
        except FormatError as error:
            raise error.at(path=file) from None
    emit(data, Path(output), force)


@takes_groups
def verify(
    *,
    files: list[str] = typer.Argument(metavar="FILE|ARCHIVE...", help=".mtc files and archives."),
    decode: bool = option(False, None, "Decode everything, too, which takes longer."),
    max_pixels: int = options.PIXEL_LIMIT,
    device: str = options.DEVICE,
    quiet: bool = options.QUIET,
) -> None:
    """Check all checksums of files, sequences and archives; exit code 3 if anything is damaged."""
    damaged = 0
    with progress_bar(quiet) as bar:
        for name in files:
            if (clip := opened_sequence(name, max_pixels)) is not None:
                clip.device = device
                scenes, problems = len(clip), problems_of(clip, decode)
            elif is_archive(name):
                from mtcodec.archive.check import verify as run

                reader = open_archive(name, max_pixels)
                scenes, problems = reader.rows, list(run(reader, decode, device, partial(bar, name)).values())
            else:
                scenes, problems = 1, _verify_file(name, decode, max_pixels, device)
            for problem in problems:
                typer.echo(f"mtcodec: {problem}", err=True)
            damaged += len(problems)
            if not quiet and not problems:
                what = "scene" if clip is None else "frame"
                typer.echo(f"{name}: {report.counted(scenes, what)}, undamaged")
    if damaged:
        raise FormatError(f"{damaged} damaged")


def _verify_file(name: str, decode: bool, max_pixels: int, device: str) -> list[FormatError]:
    """What is damaged of a file."""
    try:
        with open_file(name, max_pixels) as reader:
            problems = [error.at(path=name) for error in damage_of(reader)]
            if decode and not problems:
                from mtcodec.codec.api import Codec

                Codec((), device).decode(reader)
    except FormatError as error:
        problems = [error.at(path=name)]
    return problems
