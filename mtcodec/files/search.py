"""What a search for the scenes of a dataset finds, and what it leaves out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mtcodec.files import listing as listings
from mtcodec.files.listing import Listing
from mtcodec.files.naming import Naming
from mtcodec.files.notes import Note, once, some
from mtcodec.files.sources import ImageSource
from mtcodec.tasks import Declarations


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes:
        key: its name in its dataset: a relative path with ``/`` and without ``..``.
        files: by task; all images of the scene, also of tasks that nobody declared.
        label: what messages call the scene.
        attachments: by name, paths of other files that are kept with it.
        units: by task, the length of a stored step where its layout defines it; of integer images.
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
        misfits: paths of images and directories that belong to no scene.
        others: paths of files that are no images, and of directories of such.
    """

    def __init__(self, dataset: Path, declared: Declarations, names: Mapping[str, str], note: Note) -> None:
        self.dataset, self.note = dataset, once(note, f"{dataset}: ")
        self.naming = Naming(declared, names, self.note)
        self.misfits: list[str] = []
        self._sources: dict[str, ImageSource] = {}
        self.others: list[str] = []

    def scan(self, directory: str) -> Listing:
        """What lies in a directory of the dataset."""
        return listings.scan(directory)

    def is_scene(self, listing: Listing) -> bool:
        """Is one of these images named after a task?"""
        return any(self.naming.knows(stem) for stem, _ in listing.images)

    def scene(self, directory: Path, listing: Listing) -> SceneFiles:
        """All images of a directory as one scene; what else it holds is left out."""
        self.leave_beside(directory, listing)
        name = directory.name if directory.name not in ("", "..") else directory.resolve().name
        name = name if directory.is_dir() else directory.stem
        return self.made(name or "root", listing.images, str(directory))

    def made(self, key: str, images: list[tuple[str, str]], label: str) -> SceneFiles:
        """A scene of images by name."""
        files = self.naming.assign(images)
        return SceneFiles(key, {task: self.opened(path) for task, path in files.items()}, label)

    def opened(self, path: str) -> ImageSource:
        """The source that a path of an image stands for."""
        return self._sources.get(path) or Path(path)

    def source(self, source: ImageSource) -> str:
        """What stands for ``source`` where paths of images are asked for."""
        self._sources[str(source)] = source
        return str(source)

    def leave_beside(self, directory: Path, listing: Listing) -> None:
        """Leave out what is no image in a directory of images."""
        self.misfits += [f"{directory / name}/" for name in listing.directories]
        self.others += listing.others

    def tell(self) -> None:
        """Note what is left out."""
        for paths, why in ((self.misfits, "they belong to no scene"), (self.others, "they are no images")):
            if paths:
                ends = ("/" if path.endswith("/") else "" for path in paths)
                shown = [os.path.relpath(path, self.dataset) + end for path, end in zip(paths, ends)]
                self.note(f"left out, as {why}: {some(sorted(shown))}")
        self.naming.tell_unused()
