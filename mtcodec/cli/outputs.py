"""Where files and images go."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtcodec.cli.common import refuse_existing
from mtcodec.errors import OutputError, SceneError, UsageError

if TYPE_CHECKING:
    from mtcodec.files.trees.layouts import SceneFiles
    from mtcodec.files.trees.sequences import SequenceFiles

SUFFIX = ".mtc"
DECODED_SUFFIX = ".decoded"  # of directories of images; without it there may be the originals


def outputs_of(
    scenes: Sequence[SceneFiles] | Sequence[SequenceFiles], output: str
) -> tuple[list[Path], bool]:
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
        _refuse_others(path)
        if path.suffix == SUFFIX and not slash:
            are_sequences = hasattr(scenes[0], "frames")
            what = "sequences" if are_sequences else "scenes"
            hint = "" if are_sequences else " (--sequence makes one file of frames)"
            raise UsageError(f"{len(scenes)} {what} go to a directory: if {path} is to be one, add a /{hint}")
    labels: dict[str, str] = {}
    for scene in scenes:
        if scene.key in labels:
            raise UsageError(f"two scenes are called {scene.key!r}: {labels[scene.key]} and {scene.label}")
        labels[scene.key] = scene.label
    return [path / f"{key}{SUFFIX}" for key in labels], True


def check_outputs(paths: list[Path], several: bool, force: bool) -> None:
    """Raise OutputError where an output exists, or a single one has no directory."""
    for path in paths:
        if str(path) == "-":
            continue
        refuse_existing(path, force)
        if not several and not path.parent.is_dir():
            raise OutputError("no such directory", path=path.parent)


def work_of(names: Sequence[str], output: Path | None) -> tuple[list[tuple[str, Path]], bool]:
    """Files and the directories of their images, and whether they are several (see ``decode``).

    Raises:
        UsageError: an archive, no files, or two that go to one directory.
        SceneError: a directory without files.
    """
    files = [file for name in names for file in _files_of(name)]
    several = len(names) > 1 or any(Path(name).is_dir() for name in names)
    work = [(file, _directory(file, key, output, several)) for file, key in files]
    files_by_directory: dict[Path, str] = {}
    for file, directory in work:
        if directory in files_by_directory:
            raise UsageError(f"{files_by_directory[directory]} and {file} both go to {directory}")
        files_by_directory[directory] = file
    return work, several


def _files_of(name: str) -> list[tuple[str, str]]:
    """The file ``name``, or the files of that directory, each with its key."""
    from mtcodec.archive.names import is_archive

    if is_archive(name):
        raise UsageError(f"{name} is an archive: mtcodec unpack decodes it")
    path = Path(name)
    if not path.is_dir():
        return [(name, path.stem)]
    files = sorted(path.rglob(f"*{SUFFIX}"))
    if not files:
        raise SceneError(f"no {SUFFIX} files in it", path=path)
    return [(str(file), file.relative_to(path).with_suffix("").as_posix()) for file in files]


def _directory(file: str, key: str, output: Path | None, several: bool) -> Path:
    """Where the images of a file go."""
    if file == "-" and (output is None or several):
        raise UsageError("standard input needs -o DIR, and no other files")
    if output is None:
        path = Path(file)
        stem = path.stem if path.suffix.lower() == SUFFIX else path.name
        output = path.with_name(stem + DECODED_SUFFIX)
    elif several:
        output = output / key
    if str(output) == "-":
        raise UsageError("images go to a directory, not to standard output")
    _refuse_others(output)
    return output


def _refuse_others(path: Path) -> None:
    """Raise OutputError where there is something else than a directory."""
    if path.exists() and not path.is_dir():
        raise OutputError("exists and is not a directory", path=path)
