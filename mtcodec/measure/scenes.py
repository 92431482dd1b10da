"""The scenes of whatever people name: datasets, ``.mtc`` files and directories of them, archives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.names import is_archive
from mtcodec.archive.read import ArchiveReader, Place
from mtcodec.archive.rows import Entry, undamaged
from mtcodec.codec.api import Codec, reader_of
from mtcodec.codec.info import units_of
from mtcodec.errors import FormatError, SceneError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.files.scene import ALPHA_SUFFIX, layout_units, read_scene, with_present_images
from mtcodec.files.trees.layouts import SCENE_FILE_SUFFIXES, SceneFiles, find_scenes
from mtcodec.measure.compare import Images, Source
from mtcodec.tasks import USUAL, Declarations

SUFFIX = ".mtc"


def _read_files(files: SceneFiles, declared: Declarations, note: Note, tasks: Sequence[str] | None) -> Images:
    """A scene of image files."""
    files = with_present_images(files)
    names = {*files.files, *(f"{name}{ALPHA_SUFFIX}" for name in files.files)}
    if tasks is not None and names.isdisjoint(tasks):
        return Images({})
    images = read_scene(files, declared, tasks, note)
    return Images(images, layout_units(files, images))


def _read_mtc(path: Path, codec: Codec, tasks: Sequence[str] | None) -> Images:
    """A scene of an ``.mtc`` file."""
    try:
        reader = reader_of(path)
        names = [name for name in reader.header.tasks if tasks is None or name in tasks]
        return Images(codec.decode(reader, names), units_of(reader))
    except FormatError as error:
        raise error.at(path=path) from None


def _read_row(
    read: Callable[..., list[Entry]], codec: ArchiveCodec, place: Place, tasks: Sequence[str] | None
) -> Images:
    """A row of an archive, of which ``read`` gives the entries of a row group."""
    row_group, row = place
    names = [name for name in codec.reader.manifest.task_names if tasks is None or name in tasks]
    _, scene_file = entry = undamaged(read(row_group, tuple(names), with_notes=True)[row])
    ((_, images),) = decode(codec, [entry], names)
    return Images(images, units_of(scene_file))


def open_scenes(
    path: str | Path,
    declared: Declarations = USUAL,
    names: Mapping[str, str] = {},
    note: Note = ignore,
    weights: Sequence[str] = (),
    device: str = "cpu",
    reading: Reading = AS_USUAL,
) -> dict[str, Source]:
    """The scenes at ``path`` by key; nothing is decoded yet.

    Args:
        path: a directory or file as :func:`mtcodec.files.trees.layouts.find_scenes` reads it, an ``.mtc``
            file, a directory that has such files in it, or an archive (a URL, too).
        declared, names, note, reading: see there; ``note`` takes a line about losses in images that are read.
        weights: names or paths of those that ``.mtc`` files may need besides the installed ones.

    Raises:
        SceneError: nothing of the kind. FormatError: a damaged archive.
    """
    if is_archive(path):
        reader = ArchiveReader(path)
        entries, archive_codec = lru_cache(1)(reader.entries), ArchiveCodec(reader, device)
        return {
            key: Source(f"{path}: scene {key}", partial(_read_row, entries, archive_codec, place))
            for key, place in reader.keyed_places()
        }
    path, codec = Path(path), Codec(weights, device)
    if not path.exists():
        raise SceneError("no such file or directory", path=path)
    if not path.is_dir() and path.suffix.lower() not in SCENE_FILE_SUFFIXES:
        return {path.stem: Source(str(path), partial(_read_mtc, path, codec))}
    try:
        scenes = find_scenes(path, declared, names, note, reading=reading)
        tell = losses_once(note, f"{path}: ")
        return {
            scene.key: Source(scene.label, partial(_read_files, scene, declared, tell)) for scene in scenes
        }
    except SceneError:
        files = {
            file.relative_to(path).with_suffix("").as_posix(): file
            for file in sorted(path.rglob(f"*{SUFFIX}"))
        }
        if not files:
            raise
        return {key: Source(str(file), partial(_read_mtc, file, codec)) for key, file in files.items()}
