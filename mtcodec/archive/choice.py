"""What a dataset's archive has to be: its tasks, and the weights that all of its scenes are encoded with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from mtcodec.archive.read import ArchiveReader
from mtcodec.archive.write import shard_names
from mtcodec.codec.prepare import check
from mtcodec.codec.request import Request
from mtcodec.codec.weights_choice import weights_for_dataset
from mtcodec.errors import MtcodecError, WeightsNotFound
from mtcodec.files.notes import ignore
from mtcodec.files.sample import spread
from mtcodec.files.scene import read_scene
from mtcodec.files.trees.layouts import SceneFiles
from mtcodec.networks.weights import store
from mtcodec.networks.weights.file import describe
from mtcodec.signals.mapping import Array
from mtcodec.tasks import Declarations

SAMPLE_SCENES = 8  # that decide on weights, and on tasks that only images tell


def tasks_of(scenes: Sequence[SceneFiles], declared: Declarations) -> tuple[str, ...]:
    """Names of all tasks that ``scenes`` have. A few scenes are read for alpha, which only images tell."""
    names = dict.fromkeys(name for files in scenes for name in files.files)
    for files in spread(scenes, SAMPLE_SCENES):
        try:
            names |= dict.fromkeys(read_scene(files, declared, note=ignore))
        except MtcodecError:
            continue
    return tuple(names)


def choose_weights(
    name: str | Path, scenes: Sequence[SceneFiles], tasks: Sequence[str], request: Request, output: str | Path
) -> Path | None:
    """The file of the weights to encode a dataset with; None for no networks.

    One name other than ``auto`` is taken as it is. Of several weights (``auto``, or names with commas) those
    of the archive at ``output`` are kept if it has scenes already, else those that cost a sample least are
    taken, or none where they save less than their file takes.

    Args:
        name: see :func:`mtcodec.networks.weights.store.resolve`.
        tasks: those that are read of ``scenes``.

    Raises:
        WeightsNotFound: no weights of that name, or those of ``output`` are gone.
    """
    if request.coding == "classical":
        return None
    paths = store.resolve(name)
    is_auto = store.AUTO in store.split_names(name)
    if (is_auto or len(paths) > 1) and shard_names(output):
        reader = ArchiveReader(output)
        if reader.manifest.weights_path is None:
            return None
        if is_auto or reader.manifest.fingerprint in {describe(path).fingerprint for path in paths}:
            return _weights_of(reader, output, paths)
    if len(paths) == 1 and (not is_auto or request.coding == "neural"):
        return paths[0]
    return cheapest_weights(paths, scenes, tasks, request)


def cheapest_weights(
    paths: Sequence[Path], scenes: Sequence[SceneFiles], tasks: Sequence[str], request: Request
) -> Path | None:
    """Those of several weights that cost a sample of ``scenes`` least; None for no networks.

    See :func:`mtcodec.codec.weights_choice.weights_for_dataset`. Scenes that cannot be read do not count.
    """
    images = [_read(files, tasks, request) for files in spread(scenes, SAMPLE_SCENES)]
    return weights_for_dataset(paths, [scene for scene in images if scene], len(scenes), request)


def _read(files: SceneFiles, tasks: Sequence[str], request: Request) -> dict[str, Array]:
    """Images of a scene by task; none where it cannot be read."""
    try:
        return check(read_scene(files, request.tasks, tasks, ignore))
    except MtcodecError:
        return {}


_temporary_directories: list[TemporaryDirectory[str]] = []  # of copied weights, removed with the process


def _weights_of(reader: ArchiveReader, output: str | Path, paths: Sequence[Path]) -> Path:
    """The weights of an archive: its own file, or the same among ``paths`` or installed, or a copy."""
    manifest = reader.manifest
    local = Path(output) / str(manifest.weights_path)
    same = (path for path in paths if describe(path).fingerprint == manifest.fingerprint)
    if local.is_file():
        return local
    if path := next(same, None):
        return path
    try:
        return store.find_fingerprint(manifest.fingerprint)
    except WeightsNotFound:
        directory = TemporaryDirectory(prefix="mtcodec-")
        path = reader.copy_weights(directory.name)
        _temporary_directories.append(directory)
        return path
