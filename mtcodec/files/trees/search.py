"""What a search for the scenes of a dataset finds, and what it leaves out."""

from __future__ import annotations

import copy
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath

from mtcodec.errors import MtcodecError, SceneError
from mtcodec.files.formats import LAYERED_SUFFIXES, layers_of
from mtcodec.files.notes import Note, list_names, without_repeats
from mtcodec.files.reading import AS_USUAL, Reading
from mtcodec.files.sources import ImageSource, Layer, short_names
from mtcodec.files.trees.listing import Listing
from mtcodec.files.trees.naming import Naming
from mtcodec.messages import Loss, rephrased
from mtcodec.tasks import Declarations, task_named

MAX_KINDS = 12  # of files that are no images, that have a line each


@dataclass(frozen=True)
class SceneFiles:
    """The files of one scene.

    Attributes:
        key: its name in its dataset: a relative path with ``/`` and without ``..``.
        files: by task; all images of the scene, also of tasks that nobody declared.
        label: what messages call the scene.
        units: by task, the length that a stored 1 stands for, where its layout defines it; of integer images.
        attachments: by name, paths of other files that are kept with it.
        reading: how its images are read.
        dataset: where it was found; None for one that was not.
    """

    key: str
    files: Mapping[str, ImageSource]
    label: str
    units: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, Path] = field(default_factory=dict)
    reading: Reading = AS_USUAL
    dataset: Path | None = None

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that have a file."""
        return tuple(self.files)

    def with_files_of(self, other: SceneFiles) -> SceneFiles:
        """This scene with the images of another one.

        Raises:
            SceneError: both have an image of a task.
        """
        for task in self.files.keys() & other.files.keys():
            message = f"a second file for task {task!r} of scene {self.key}, beside {self.files[task]}"
            raise SceneError(message, path=other.files[task])
        files = dict(sorted({**self.files, **other.files}.items()))
        return replace(self, files=files, units={**self.units, **other.units})


class Search:
    """One search in ``dataset``.

    Attributes:
        naming: what names mean there.
        note: takes a line about the dataset; equal ones are passed on once.
        keeps_unpaired: see :class:`mtcodec.files.reading.Reading`.
        misfits: paths of images that belong to no scene.
        other_files: paths of files that are no images.
        whole_keys: of the scenes that are a directory each, or a file.
    """

    def __init__(
        self,
        dataset: Path,
        declared: Declarations,
        names: Mapping[str, str],
        note: Note,
        keeps_unpaired: bool = False,
    ) -> None:
        self.dataset, self.keeps_unpaired = dataset, keeps_unpaired
        self.note = without_repeats(note, f"{dataset}: ")
        self.naming = Naming(declared, names, self.note)
        self.misfits: list[str] = []
        self.other_files: list[str] = []
        self.whole_keys: set[str] = set()
        self._used_files: set[str] = set()
        self._sources: dict[str, ImageSource] = {}
        self._single: set[tuple[str, str]] = set()  # names and suffixes of files that hold one image each

    def within(self, file: Path) -> Search:
        """A part of this search, in a file that is read like a directory; it shares all findings."""
        search = copy.copy(self)
        search.dataset = file
        return search

    def is_scene(self, listing: Listing) -> bool:
        """Is one of these images named after a task?"""
        return any(self.naming.knows(stem) for stem, _ in listing.images)

    def directory_scene(self, listing: Listing, prefix: str) -> SceneFiles:
        """All images of a directory as one scene; what lies in its directories is left out."""
        self.other_files += listing.other_files
        for directory in listing.directories.values():
            self.leave_out(directory)
        path = Path(listing.path)
        name = path.name if path.name not in ("", "..") else path.resolve().name
        key = prefix.rstrip("/") or (name if path.is_dir() else path.stem)
        self.whole_keys.add(key or "root")
        return self.scene(key or "root", listing.images, listing.path)

    def scene(self, key: str, images: Iterable[tuple[str, str]], label: str) -> SceneFiles:
        """A scene of images, their names and paths; see :meth:`Naming.assign`."""
        files = self.naming.assign(image for name, path in images for image in self.images_at(name, path))
        return SceneFiles(key, {task: self.source_at(path) for task, path in files.items()}, label)

    def label(self, key: str) -> str:
        """What messages call the scene ``key`` of a dataset of several."""
        return f"{self.dataset}: scene {key}"

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

    def leave_out(self, listing: Listing) -> None:
        """Leave out all that lies in a directory and below."""
        for _, directory in listing.walk():
            self.misfits += [path for _, path in directory.images]
            self.other_files += directory.other_files

    def use_files(self, paths: Iterable[str]) -> None:
        """Files that are no images, but were read: they are not left out."""
        self._used_files |= set(paths)

    def note_cameras(self, scenes: Iterable[SceneFiles]) -> None:
        """Note which tasks are what the end of their names says."""
        for task in dict.fromkeys(task for scene in scenes for task in scene.files):
            declaration = task_named(task, self.naming.declared)
            if declaration and task not in self.naming.declared and not declaration.exact:
                kind = declaration.kind.name
                self.note(f"{task} is of kind {kind}, as its name says (--task {task}:data keeps it exactly)")

    def note_left_out(self, scenes: Iterable[SceneFiles]) -> None:
        """Note what ``scenes`` leave out, by kind, and which of the caller's names nothing has."""
        used = (source for scene in scenes for source in scene.files.values())
        sources = {str(source.source if isinstance(source, Layer) else source) for source in used}
        misfits = [path for path in self.misfits if path not in sources]
        shown = [self._shown(path) for path in _shortest(misfits, sources)]
        if shown:
            self.note(Loss(f"left out, as they belong to no scene: {list_names(sorted(shown))}"))
        by_kind: defaultdict[str, list[str]] = defaultdict(list)
        for path in sorted({*self.other_files} - self._used_files):
            by_kind[_kind(path)].append(self._shown(path))
        rare = sorted(by_kind, key=lambda kind: (-len(by_kind[kind]), kind))[MAX_KINDS:]
        rare_paths = [path for kind in sorted(rare) for path in by_kind.pop(kind)]
        for kind, paths in sorted(by_kind.items()):
            counted = f"{len(paths)} {kind}" if len(paths) > 1 else f"1 {kind.replace('files', 'file', 1)}"
            self.note(Loss(f"left out, as they are no images: {counted} ({list_names(paths)})"))
        if rare_paths:
            listed = f"{len(rare_paths)} files of {len(rare)} more kinds ({list_names(rare_paths)})"
            self.note(Loss(f"left out, as they are no images: {listed}"))
        self.naming.note_unused()

    def _shown(self, path: str) -> str:
        """A path as it is within the dataset."""
        shown = os.path.relpath(path, self.dataset) + "/" * path.endswith("/")
        return "".join(
            c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in shown
        )


def _kind(path: str) -> str:
    """What files like this one are called."""
    if path.endswith("/"):
        return "links to a directory around them"
    suffix = PurePath(path).suffix.lower()
    return f"{suffix} files" if suffix else "files without a suffix"


def _shortest(paths: Iterable[str], used: Iterable[str]) -> list[str]:
    """``paths``, or the highest directories of them, ending in ``/``, that hold nothing ``used``."""
    used_or_around = {parent for path in used for parent in PurePath(path).parents}
    shortened: dict[str, None] = {}
    for path in map(PurePath, paths):
        top = next((p for p in (path, *path.parents) if p.parent in used_or_around), path)
        shortened[str(top) + "/" * (top != path)] = None
    return list(shortened)
