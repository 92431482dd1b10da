"""The scenes of whatever people name: datasets, ``.mtc`` files and directories of them, archives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from mtcodec.archive.decode import ArchiveCodec, decode
from mtcodec.archive.names import is_archive
from mtcodec.archive.read import ArchiveReader, Place
from mtcodec.archive.rows import Entry, undamaged
from mtcodec.codec.api import Codec, reader_of
from mtcodec.codec.info import units_of
from mtcodec.errors import FormatError, SceneError
from mtcodec.files.layouts import SCENE_FILE_SUFFIXES, SceneFiles, find_scenes
from mtcodec.files.notes import Note, ignore
from mtcodec.files.scene import ALPHA_SUFFIX, layout_units, read_scene
from mtcodec.files.sources import is_present
from mtcodec.measure.compare import Images, Source
from mtcodec.tasks import USUAL, Declarations

SUFFIX = ".mtc"


@dataclass(frozen=True)
class OnDisk:
    """A scene of image files."""

    files: SceneFiles
    declared: Declarations

    @property
    def label(self) -> str:
        return self.files.label

    def read(self, tasks: Sequence[str] | None) -> Images:
        if tasks is not None:
            there = [name for name, source in self.files.files.items() if is_present(source)]
            if {*there, *(f"{name}{ALPHA_SUFFIX}" for name in there)}.isdisjoint(tasks):
                return Images({})
        images = read_scene(self.files, self.declared, tasks)
        return Images(images, layout_units(self.files, images))


@dataclass(frozen=True)
class InFile:
    """A scene of an ``.mtc`` file."""

    path: Path
    codec: Codec

    @property
    def label(self) -> str:
        return str(self.path)

    def read(self, tasks: Sequence[str] | None) -> Images:
        try:
            reader = reader_of(self.path)
            names = [n for n in reader.header.tasks if tasks is None or n in tasks]
            return Images(self.codec.decode(reader, names), units_of(reader))
        except FormatError as error:
            raise error.at(path=self.path) from None


@dataclass(frozen=True)
class InArchive:
    """A row of an archive.

    Attributes:
        entries: the archive's, see :meth:`mtcodec.archive.read.ArchiveReader.entries`.
    """

    label: str
    entries: Callable[..., list[Entry]]
    codec: ArchiveCodec
    place: Place

    def read(self, tasks: Sequence[str] | None) -> Images:
        names = [name for name in self.codec.reader.manifest.task_names if tasks is None or name in tasks]
        row_group, row = self.place
        _, scene_file = entry = undamaged(self.entries(row_group, tuple(names), with_notes=True)[row])
        ((_, images),) = decode(self.codec, [entry], names)
        return Images(images, units_of(scene_file))


def open_scenes(
    path: str | Path,
    declared: Declarations = USUAL,
    names: Mapping[str, str] = {},
    note: Note = ignore,
    weights: Sequence[str] = (),
    device: str = "cpu",
) -> dict[str, Source]:
    """The scenes at ``path`` by key; nothing is decoded yet.

    Args:
        path: a directory or file as :func:`mtcodec.files.layouts.find_scenes` reads it, an ``.mtc`` file, a
            directory that has such files in it, or an archive (a URL, too).
        declared, names, note: see there.
        weights: names or paths of those that ``.mtc`` files may need besides the installed ones.

    Raises:
        SceneError: nothing of the kind. FormatError: a damaged archive.
    """
    if is_archive(path):
        reader = ArchiveReader(path)
        entries, archive_codec = lru_cache(1)(reader.entries), ArchiveCodec(reader, device)
        return {
            key: InArchive(f"{path}: scene {key}", entries, archive_codec, place)
            for key, place in reader.keyed_places()
        }
    path, codec = Path(path), Codec(weights, device)
    if not path.exists():
        raise SceneError("no such file or directory", path=path)
    if not path.is_dir() and path.suffix.lower() not in SCENE_FILE_SUFFIXES:
        return {path.stem: InFile(path, codec)}
    try:
        return {scene.key: OnDisk(scene, declared) for scene in find_scenes(path, declared, names, note)}
    except SceneError:
        files = sorted(path.rglob(f"*{SUFFIX}"))
        if not files:
            raise
        return {file.relative_to(path).with_suffix("").as_posix(): InFile(file, codec) for file in files}
