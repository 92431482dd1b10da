"""The scenes of whatever people name: datasets, ``.mtc`` files and directories of them, archives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Names
from functools import lru_cache, partial
from pathlib import Path

from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.names import is_archive
from mtcodec.archive.read import ArchiveReader, Place
from mtcodec.archive.rows import Entry, undamaged
from mtcodec.codec.api import Codec, reader_of
from mtcodec.codec.info import units_of
from mtcodec.container.sequence import BEGINNING, is_sequence
from mtcodec.errors import FormatError, SceneError
from mtcodec.files.notes import Note, ignore, losses_once
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.files.scene import ALPHA_SUFFIX, layout_units, read_scene, with_present_images
from mtcodec.files.trees.layouts import SCENE_FILE_SUFFIXES, SceneFiles, find_scenes
from mtcodec.measure.compare import Images, Source
from mtcodec.sequences.read import Sequence
from mtcodec.tasks import USUAL, Declarations

SUFFIX = ".mtc"


def _read_files(files: SceneFiles, declared: Declarations, note: Note, tasks: Names[str] | None) -> Images:
    """A scene of image files."""
    files = with_present_images(files)
    names = {*files.files, *(f"{name}{ALPHA_SUFFIX}" for name in files.files)}
    if tasks is not None and names.isdisjoint(tasks):
        return Images({})
    images = read_scene(files, declared, tasks, note)
    return Images(images, layout_units(files, images))


def _read_mtc(path: Path, codec: Codec, tasks: Names[str] | None) -> Images:
    """A scene of an ``.mtc`` file."""
    try:
        reader = reader_of(path)
        names = [name for name in reader.header.tasks if tasks is None or name in tasks]
        return Images(codec.decode(reader, names), units_of(reader))
    except FormatError as error:
        raise error.at(path=path) from None


def _frames_of(clip: Sequence, prefix: str = "") -> dict[str, Source]:
    """The frames of a sequence by name, as scenes."""
    label = clip.source.label
    return {
        prefix + (name or Path(label).stem): Source(
            f"{label}: frame {name}", partial(_read_frame, clip, number), is_frame=True
        )
        for number, name in enumerate(clip.names)
    }


def _read_frame(clip: Sequence, number: int, tasks: Names[str] | None) -> Images:
    """A frame of a sequence."""
    (images,) = clip.frames([number], [name for name in clip.tasks if tasks is None or name in tasks])
    return Images(images, units_of(clip.group(clip.groups_of([number])[0])))


def _sources_of(path: Path, codec: Codec, key: str) -> dict[str, Source]:
    """The scene of an ``.mtc`` file, or the frames of its sequence."""
    with path.open("rb") as file:
        beginning = file.read(len(BEGINNING))
    if is_sequence(beginning):
        clip = Sequence(path, device=codec.device, weights=codec.paths)
        return _frames_of(clip, f"{key}/" if key else "")
    return {key or path.stem: Source(str(path), partial(_read_mtc, path, codec))}


def _read_row(
    read: Callable[..., list[Entry]], codec: ArchiveCodec, place: Place, tasks: Names[str] | None
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
    weights: Names[str] = (),
    device: str = "cpu",
    reading: Reading = AS_USUAL,
) -> dict[str, Source]:
    """The scenes at ``path`` by key, and frames of sequences by name; nothing is decoded yet.

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
        return _sources_of(path, codec, "")
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
        sources: dict[str, Source] = {}
        for key, file in files.items():
            sources |= _sources_of(file, codec, key)
        return sources
