"""What a search for the scenes of a dataset finds, and what it leaves out."""

from __future__ import annotations

import copy
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from mtcodec.errors import MtcodecError
from mtcodec.files.formats import LAYERED_SUFFIXES, layers_of
from mtcodec.files.listing import Listing, Scan, list_directory
from mtcodec.files.naming import Naming
from mtcodec.files.notes import Note, list_names, without_repeats
from mtcodec.files.sources import ImageSource, Layer, short_names
from mtcodec.messages import Loss, rephrased
from mtcodec.tasks import Declarations


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes:
        key: its name in its dataset: a relative path with ``/`` and without ``..``.
        files: by task; all images of the scene, also of tasks that nobody declared.
        label: what messages call the scene.
        units: by task, the length that a stored 1 stands for, where its layout defines it; of integer images.
        attachments: by name, paths of other files that are kept with it.
    """

    key: str
    files: Mapping[str, ImageSource]
    label: str
    units: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, Path] = field(default_factory=dict)


class Search:
    """One search in ``dataset``.

    Attributes:
        naming: what names mean there.
        note: takes a line about the dataset; equal ones are passed on once.
        scan: gives what lies in a directory of the dataset, by its path.
        misfits: paths of images and directories that belong to no scene.
        other_files: paths of files that are no images, and of directories of such.
    """

    def __init__(self, dataset: Path, declared: Declarations, names: Mapping[str, str], note: Note) -> None:
        self.dataset = dataset
        self.note = without_repeats(note, f"{dataset}: ")
        self.naming = Naming(declared, names, self.note)
        self.scan: Scan = list_directory
        self.misfits: list[str] = []
        self.other_files: list[str] = []
        self._sources: dict[str, ImageSource] = {}
        self._single: set[tuple[str, str]] = set()  # names and suffixes of files that hold one image each

    def within(self, file: Path, scan: Scan) -> Search:
        """A part of this search, in a file that ``scan`` lists like a directory; it shares all findings."""
        search = copy.copy(self)
        search.dataset, search.scan = file, scan
        return search

    def is_scene(self, listing: Listing) -> bool:
        """Is one of these images named after a task?"""
        return any(self.naming.knows(stem) for stem, _ in listing.images)

    def directory_scene(self, directory: Path, listing: Listing) -> SceneFiles:
        """All images of a directory as one scene; what else it holds is left out."""
        self.leave_out_beside(directory, listing)
        name = directory.name if directory.name not in ("", "..") else directory.resolve().name
        name = name if directory.is_dir() else directory.stem
        return self.scene(name or "root", listing.images, str(directory))

    def scene(self, key: str, images: Iterable[tuple[str, str]], label: str) -> SceneFiles:
        """A scene of images, their names and paths; see :meth:`Naming.assign`."""
        files = self.naming.assign(image for name, path in images for image in self.images_at(name, path))
        return SceneFiles(key, {task: self.source_at(path) for task, path in files.items()}, label)

    def images_at(self, name: str, path: str) -> list[tuple[str, str]]:
        """Names and paths of the images of a file that stands for ``name``.

        Of several, one that is called so, or else the first, keeps the name of a task that is known; others
        are called ``depth_confidence``. Where the name tells nothing, those of the images count. Whether
        files of a name and a format hold several, the first one tells. A file without images is left out, but
        of a task that is known reading it tells so.
        """
        kind_of_file = name, PurePath(path).suffix.lower()
        source = self.source_at(path)
        if (
            kind_of_file[1] not in LAYERED_SUFFIXES
            or kind_of_file in self._single
            or isinstance(source, Layer)
        ):
            return [(name, path)]
        try:
            layers = layers_of(source, lambda line: self.note(rephrased(line, f"{name}: {line}")))
        except MtcodecError:  # reading it tells what is wrong
            return [(name, path)]
        if not layers and not self.naming.knows(name):
            self.other_files.append(path)
            return []
        if len(layers) < 2:
            self._single.add(kind_of_file)
            return [(name, path)]
        paths = [self.register(layer) for layer in layers]
        layer_names = short_names(layers)
        if not self.naming.knows(name):
            return list(zip(layer_names, paths))
        task = self.naming.meaning(name)[1]
        same = (k for k, layer in enumerate(layer_names) if self.naming.meaning(layer)[1] == task)
        main = next(same, 0)
        names = [f"{name}_{layer}" if k != main else name for k, layer in enumerate(layer_names)]
        self.note(f"{name}: files that hold several images are read as tasks {', '.join(names)}")
        return list(zip(names, paths))

    def register(self, source: ImageSource) -> str:
        """What stands for ``source`` where paths of images are asked for."""
        self._sources[str(source)] = source
        return str(source)

    def source_at(self, path: str) -> ImageSource:
        """The source that a path of an image stands for."""
        return self._sources.get(path) or Path(path)

    def leave_out_beside(self, directory: Path, listing: Listing) -> None:
        """Leave out what is no image in a directory of images."""
        self.misfits += [f"{directory / name}/" for name in listing.directories]
        self.other_files += listing.other_files

    def use_files(self, paths: Iterable[str]) -> None:
        """Files that are no images, but were read: they are not left out."""
        used_paths = set(paths)
        self.other_files[:] = [path for path in self.other_files if path not in used_paths]

    def note_left_out(self) -> None:
        """Note what is left out, and which of the caller's names nothing has."""
        for paths, reason in (
            (self.misfits, "they belong to no scene"),
            (self.other_files, "they are no images"),
        ):
            if paths:
                shown = [os.path.relpath(path, self.dataset) + "/" * path.endswith("/") for path in paths]
                self.note(Loss(f"left out, as {reason}: {list_names(sorted(shown))}"))
        self.naming.note_unused()
